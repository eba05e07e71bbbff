/*
 * config: what --show-config and --help print; the example file lists exactly the settings that there are.
 */
#include "shared/config.h"

#include "shared/cleanup.h"
#include "shared/config_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(config_print, .timeout = 60);

static void parse(struct config *c, const char *text, char *const *env)
{
    struct err e = ERR_INIT;

    config_init(c);
    cr_assert(eq(int, config_parse(c, "t.ini", text, env, &e), ERR_OK), "%s", e.text);
}

/* What config_show or config_help prints; the caller frees. */
static char *shown(const struct config *c)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (c)
        config_show(c, out);
    else
        config_help(out);
    cr_assert(eq(int, fclose(out), 0));
    return text;
}

Test(config_print, show_masks_secrets_and_nothing_else)
{
    CLEANUP(config_release) struct config c;

    parse(&c,
          "[redis]\nurl=redis://me:hush@redis.test:1/2\npassword=hush\n"
          "[destination x]\nurl=s3://bucket\naccess_key=AK\nsecret_key=hush\n"
          "session_token=hush\n",
          NULL);
    CLEANUP(str_free) char *text = shown(&c);
    cr_expect(eq(ptr, strstr(text, "hush"), NULL));
    cr_expect(ne(ptr, strstr(text, "url = redis://(set)@redis.test:1/2\n"), NULL));
    cr_expect(ne(ptr, strstr(text, "\npassword = (set)\n"), NULL));
    cr_expect(ne(ptr, strstr(text, "access_key = AK\nsecret_key = (set)\n"), NULL));
    cr_expect(ne(ptr, strstr(text, "session_token = (set)\n"), NULL));
    cr_expect(ne(ptr, strstr(text, "secret_key =\n"), NULL), "one that is not set");
}

Test(config_print, what_show_prints_is_a_configuration_with_the_same_meaning)
{
    CLEANUP(config_release) struct config c, again;

    parse(&c,
          "[spool]\ndurability=memory\n[http]\nsocket_mode=0600\nlog_level=debug\n"
          "[queue a]\nmax_bytes=1536K\nretry_base=90s\nto=x\nkeep_done_seconds=1h\n"
          "[destination x]\nurl=file:///x\nchecksum=no\n[worker]\ndrain_seconds=0\n",
          NULL);
    CLEANUP(str_free) char *text = shown(&c);
    parse(&again, text, NULL);
    CLEANUP(str_free) char *text_again = shown(&again);
    cr_expect(eq(str, text, text_again));
    cr_expect(ne(ptr, strstr(text, "max_bytes = 1536K\n"), NULL));
    cr_expect(ne(ptr, strstr(text, "retry_base = 90s\n"), NULL));
}

/* The text of a file; the caller frees. */
static char *file_text(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = fopen(path, "re");

    cr_assert(ne(ptr, f, NULL), "%s", path);
    cr_assert(gt(i64, getdelim(&text, &size, '\0', f), 0), "%s", path);
    fclose(f);
    return text;
}

Test(config_print, the_example_file_is_what_help_prints)
{
    CLEANUP(str_free) char *example = file_text(HOIST_EXAMPLE_INI);
    CLEANUP(str_free) char *help = shown(NULL);

    cr_expect(eq(str, example, help),
              "make it anew: hoist-worker --help prints it, or print config_help()");
}

/* Leave out the sections that are not there unless they are configured. */
static void cut_named(char *example)
{
    char *first = strstr(example, "\n;[command NAME]");

    cr_assert(ne(ptr, first, NULL));
    *first = '\0';
}

#define X16 "0123456789abcdef"
#define TOKEN "sha256:" X16 X16 X16 X16

/* Put value in the place of the line that is from. */
static void replace(struct buf *b, const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);

    cr_assert(ne(ptr, (void *)at, NULL), "%s", from);
    buf_clear(b);
    buf_add(b, text, (size_t)(at - text));
    buf_puts(b, to);
    cr_assert(buf_puts(b, at + strlen(from)));
}

Test(config_print,
     the_values_of_commands_schedules_and_converters_in_the_example_file_are_defaults)
{
    CLEANUP(config_release) struct config with, without;
    CLEANUP(str_free) char *example = file_text(HOIST_EXAMPLE_INI);
    CLEANUP(buf_release) struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20);

    replace(&a, strstr(example, "\n;[command NAME]"), ";[command NAME]", "[command c]");
    replace(&b, a.data, ";run =", "run = true");
    replace(&a, b.data, ";[schedule NAME]", "[schedule s]");
    replace(&b, a.data, ";cron =", "cron = @daily");
    replace(&a, b.data, ";source =", "source = command:c");
    replace(&b, a.data, ";to =", ";to = default"); /* that of the queue */
    replace(&a, b.data, ";[converter NAME]", "[converter v]");
    replace(&b, a.data, ";run =", "run = true");
    replace(&a, b.data, ";[auth NAME]", "[auth t]");
    replace(&b, a.data, ";token =", "token = " TOKEN);
    replace(&a, b.data, ";[webhook NAME]", "[webhook w]");
    replace(&b, a.data, ";url =", "url = https://example.org/");
    replace(&a, b.data, ";secret =", "secret = " X16 X16);
    for (char *line = a.data; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (*line == ';')
            *line = ' ';
    }
    parse(&with, a.data, NULL);
    parse(&without,
          "[command c]\nrun=true\n[schedule s]\ncron=@daily\nsource=command:c\n"
          "[converter v]\nrun=true\n[auth t]\ntoken=" TOKEN
          "\n[webhook w]\nurl=https://example.org/\nsecret=" X16 X16 "\n",
          NULL);
    CLEANUP(str_free) char *shown_with = shown(&with);
    CLEANUP(str_free) char *shown_without = shown(&without);
    cr_expect(eq(str, shown_with, shown_without));
    cr_expect(ne(ptr, strstr(shown_with, "\nevery = 0ms\n"), NULL));
}

Test(config_print, the_example_file_has_every_setting_once_and_each_is_its_default)
{
    CLEANUP(config_release) struct config with, without;
    CLEANUP(str_free) char *example = file_text(HOIST_EXAMPLE_INI);
    size_t settings = 0;

    for (char *line = example; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (*line != ';' || line[1] == '[')
            continue;
        *line = ' ';
        settings++;
    }
    cr_expect(eq(sz, settings, config_setting_count));
    cut_named(example);
    parse(&with, example, NULL);
    parse(&without, "", NULL);
    CLEANUP(str_free) char *shown_with = shown(&with);
    CLEANUP(str_free) char *shown_without = shown(&without);
    cr_expect(eq(str, shown_with, shown_without));
}
