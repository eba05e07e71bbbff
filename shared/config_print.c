#include "shared/config.h"

#include "shared/cleanup.h"
#include "shared/config_table.h"
#include "shared/config_url.h"
#include "shared/config_value.h"

#include <string.h>

enum { SHOWN_MAX = CONFIG_TEXT_MAX + 64 };

static const char masked[] = "(set)";

/* The value as it may be seen. */
static void add_shown(const struct config_setting *s, const void *section,
                      struct buf *b)
{
    CLEANUP(buf_release) struct buf value = BUF_INIT(SHOWN_MAX);
    size_t start, len;

    config_value_add(s, section, &value);
    if (s->privacy == CONFIG_SECRET) {
        buf_puts(b, value.len > 0 || value.failed ? masked : "");
    } else if (s->privacy == CONFIG_SECRET_URL &&
               config_url_find_secret(value.data, &start, &len)) {
        buf_add(b, value.data, start);
        buf_puts(b, masked);
        buf_puts(b, value.data + start + len);
    } else {
        buf_add(b, value.data, value.len);
    }
}

static void show_section(const struct config *c, enum config_kind kind, size_t index,
                         FILE *out)
{
    const char *section = (const char *)c + config_section_offset(kind, index);
    const char *name = config_section_name(c, kind, index);

    fprintf(out, "[%s%s%s]\n", config_kind_name(kind), *name ? " " : "", name);
    for (size_t i = 0; i < config_setting_count; i++) {
        CLEANUP(buf_release) struct buf value = BUF_INIT(SHOWN_MAX);
        if (config_settings[i].kind != kind)
            continue;
        add_shown(&config_settings[i], section, &value);
        fprintf(out, "%s =%s%s\n", config_settings[i].key, value.len ? " " : "",
                value.data);
    }
}

void config_show(const struct config *c, FILE *out)
{
    bool first = true;

    for (int k = 0; k < CONFIG_KINDS; k++) {
        enum config_kind kind = (enum config_kind)k;
        for (size_t i = 0; i < config_section_count(c, kind); i++) {
            if (!first)
                fputc('\n', out);
            first = false;
            show_section(c, kind, i, out);
        }
    }
}

static void help_text(const char *text, FILE *out)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        fprintf(out, "# %.*s\n", (int)len, text);
        text += len + (text[len] == '\n');
    }
}

static void help_setting(const struct config_setting *s, FILE *out)
{
    CLEANUP(buf_release) struct buf allowed = BUF_INIT(256);

    fputc('\n', out);
    help_text(s->help, out);
    if (s->type != CONFIG_TEXT) {
        config_value_describe(s, &allowed);
        fprintf(out, "# Allowed: %s.\n", allowed.data);
    }
    fprintf(out, ";%s =%s%s\n", s->key, *s->fallback ? " " : "", s->fallback);
}

static void help_kind(enum config_kind kind, FILE *out)
{
    if (config_kind_is_named(kind) && !config_kind_has_default(kind))
        fprintf(out, "\n# There may be up to %d of [%s NAME].\n;[%s NAME]\n",
                CONFIG_QUEUES_MAX, config_kind_name(kind), config_kind_name(kind));
    else if (config_kind_is_named(kind))
        fprintf(out,
                "\n# There may be more than one [%s NAME]; the default one is there "
                "without\n"
                "# being configured.  NAME: 1 to %d of a-z, 0-9, '_' and '-'.\n"
                "[%s default]\n",
                config_kind_name(kind), CONFIG_NAME_MAX, config_kind_name(kind));
    else
        fprintf(out, "\n[%s]\n", config_kind_name(kind));
    for (size_t i = 0; i < config_setting_count; i++)
        if (config_settings[i].kind == kind)
            help_setting(&config_settings[i], out);
}

void config_help(FILE *out)
{
    fputs("# Settings of hoist-fcgi and hoist-worker, each with its default.\n"
          "#\n"
          "# '#' starts a line of explanation, ';' stands before a setting that is "
          "left at\n"
          "# its default: remove it to set another value.  ';' after a blank starts a\n"
          "# comment within a line.  A line has at most 197 bytes.\n"
          "#\n"
          "# Every setting can also be given in the environment, which wins over this\n"
          "# file: HOIST_SECTION_KEY or HOIST_SECTION_NAME_KEY in upper case, '-' as "
          "'_':\n"
          "# HOIST_SPOOL_DIR, HOIST_DESTINATION_DEFAULT_URL.  An empty variable counts "
          "as\n"
          "# not set.  A file with a secret in it must not be readable by others.\n",
          out);
    for (int k = 0; k < CONFIG_KINDS; k++)
        help_kind((enum config_kind)k, out);
}
