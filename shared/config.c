#include "shared/config.h"

#include "shared/cleanup.h"
#include "shared/config_file.h"
#include "shared/config_load.h"
#include "shared/config_value.h"

#include <string.h>

void config_init(struct config *c)
{
    memset(c, 0, sizeof *c);
}

void config_release(struct config *c)
{
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct config_setting *s = &config_settings[i];
        for (size_t k = 0; k < config_section_count(c, s->kind); k++)
            config_value_release(s, (char *)c + config_section_offset(s->kind, k));
    }
    free(c->spool.dir_place);
    for (size_t i = 0; i < c->destination_count; i++) {
        free(c->destinations[i].bucket);
        free(c->destinations[i].prefix);
        free(c->destinations[i].base);
        free(c->destinations[i].command);
        free(c->destinations[i].dir);
    }
    config_init(c);
}

static void load_free(struct config_load *l)
{
    config_release(&l->config);
    free(l);
}

DEFINE_CLEANUP(struct config_load *, load_cleanup, load_free)

/* --- Where a value is from --- */

void *config_load_section(struct config_load *l, struct config_where where)
{
    return (char *)&l->config + config_section_offset(where.kind, where.index);
}

static int *origin_at(struct config_load *l, struct config_where where,
                      const struct config_setting *s)
{
    return &l->origins[where.kind][where.index][s - config_settings];
}

int config_load_origin(const struct config_load *l, struct config_where where,
                       const struct config_setting *s)
{
    return l->origins[where.kind][where.index][s - config_settings];
}

void config_env_add(struct buf *b, const char *word)
{
    for (; *word; word++)
        buf_putc(b, *word == '-'                   ? '_'
                    : *word >= 'a' && *word <= 'z' ? (char)(*word - 'a' + 'A')
                                                   : *word);
}

void config_env_name(const struct config *c, struct config_where where,
                     const struct config_setting *s, struct buf *b)
{
    buf_puts(b, "HOIST_");
    config_env_add(b, config_kind_name(where.kind));
    buf_putc(b, '_');
    if (config_kind_is_named(where.kind)) {
        config_env_add(b, config_section_name(c, where.kind, where.index));
        buf_putc(b, '_');
    }
    config_env_add(b, s->key);
}

/* [queue media] to */
static void add_setting(const struct config_load *l, struct config_where where,
                        const struct config_setting *s, struct buf *b)
{
    const char *name = config_section_name(&l->config, where.kind, where.index);

    buf_printf(b, "[%s%s%s] %s", config_kind_name(where.kind), *name ? " " : "", name,
               s->key);
}

/* "hoist.ini:12: [queue media] to" or "environment HOIST_QUEUE_MEDIA_TO". */
static void add_place(const struct config_load *l, struct config_where where,
                      const struct config_setting *s, struct buf *b)
{
    int line = config_load_origin(l, where, s);

    if (line == CONFIG_FROM_ENVIRONMENT) {
        buf_puts(b, "environment ");
        config_env_name(&l->config, where, s, b);
        return;
    }
    if (line == CONFIG_FROM_DEFAULT)
        line = l->section_lines[where.kind][where.index];
    buf_printf(b, "%.120s:", l->name);
    if (line > 0)
        buf_printf(b, "%d:", line);
    buf_putc(b, ' ');
    add_setting(l, where, s, b);
}

enum err_code config_load_blame(const struct config_load *l, struct config_where where,
                                const struct config_setting *s, struct err *e)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(CONFIG_PLACE_MAX);

    add_place(l, where, s, &b);
    return err_prefix(e, "%s", b.data);
}

/* What config_blame_spool says later. */
static enum err_code keep_place(struct config_load *l, struct err *e)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(CONFIG_PLACE_MAX);

    add_place(l, (struct config_where){CONFIG_KIND_SPOOL, 0},
              config_find_setting(CONFIG_KIND_SPOOL, "dir"), &b);
    l->config.spool.dir_place = buf_detach(&b);
    return l->config.spool.dir_place ? ERR_OK : err_set(e, ERR_NOMEM, "out of memory");
}

enum err_code config_blame_spool(const struct config *c, struct err *e)
{
    return err_prefix(e, "%s", c->spool.dir_place ? c->spool.dir_place : "[spool] dir");
}

/* --- Settings --- */

static enum err_code unknown_key(const struct config_load *l, const char *key,
                                 struct err *e)
{
    enum config_kind kind = l->current.kind;
    const char *name = config_section_name(&l->config, kind, l->current.index);
    CLEANUP(buf_release) struct buf b = BUF_INIT(120);

    for (size_t i = 0; i < config_setting_count && !b.failed; i++)
        if (config_settings[i].kind == kind)
            buf_printf(&b, "%s%s", b.len ? ", " : "", config_settings[i].key);
    return err_set(e, ERR_CONFIG, "[%s%s%s] unknown key '%.40s': allowed are %s%s",
                   config_kind_name(kind), *name ? " " : "", name, key, b.data,
                   b.failed ? " and more, see --help" : "");
}

static enum err_code set_from_line(struct config_load *l,
                                   const struct config_line *line, struct err *e)
{
    const struct config_setting *s = config_find_setting(l->current.kind, line->key);

    if (!s)
        return unknown_key(l, line->key, e);
    int *origin = origin_at(l, l->current, s);
    if (*origin)
        err_set(e, ERR_CONFIG, "was set in line %d already", *origin);
    else if (s->privacy != CONFIG_PUBLIC && line->commented)
        err_set(e, ERR_CONFIG,
                "a ';' after a blank starts a comment; put such a secret "
                "into a file");
    else if (config_value_set(s, line->value, config_load_section(l, l->current), e) ==
             ERR_OK)
        *origin = line->number;
    if (*origin == line->number)
        return ERR_OK;
    CLEANUP(buf_release) struct buf b = BUF_INIT(CONFIG_PLACE_MAX);
    add_setting(l, l->current, s, &b);
    return err_prefix(e, "%s", b.data);
}

static enum err_code on_line(void *user, const struct config_line *line, struct err *e)
{
    struct config_load *l = user;

    if (line->section)
        return config_load_open(l, line->section, line->number, e);
    if (!l->in_section)
        return err_set(e, ERR_CONFIG, "'%.40s' stands before the first [section]",
                       line->key);
    return set_from_line(l, line, e);
}

const char *config_env_value(char *const *env, const char *name)
{
    size_t len = strlen(name);

    for (; env && *env; env++)
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return (*env)[len + 1] ? *env + len + 1 : NULL;
    return NULL;
}

/* A destination has a default place only when it is the one that needs no configuration. */
static bool has_fallback(const struct config *c, struct config_where where,
                         const struct config_setting *s)
{
    return where.kind != CONFIG_KIND_DESTINATION || strcmp(s->key, "url") != 0 ||
           strcmp(c->destinations[where.index].name, "default") == 0;
}

static enum err_code complete_value(struct config_load *l, struct config_where where,
                                    const struct config_setting *s, struct err *e)
{
    CLEANUP(buf_release) struct buf name = BUF_INIT(CONFIG_ENV_NAME_MAX);
    int *origin = origin_at(l, where, s);

    config_env_name(&l->config, where, s, &name);
    if (name.failed)
        return err_set(e, ERR_NOMEM, "out of memory");
    const char *text = config_env_value(l->env, name.data);
    if (text)
        *origin = CONFIG_FROM_ENVIRONMENT;
    else if (*origin == CONFIG_FROM_DEFAULT && has_fallback(&l->config, where, s))
        text = s->fallback;
    if (text && config_value_set(s, text, config_load_section(l, where), e))
        return config_load_blame(l, where, s, e);
    return ERR_OK;
}

/* Environment over file over defaults, for every setting of every section. */
static enum err_code complete(struct config_load *l, struct err *e)
{
    for (size_t i = 0; i < config_setting_count; i++) {
        const struct config_setting *s = &config_settings[i];
        for (size_t k = 0; k < config_section_count(&l->config, s->kind); k++)
            if (complete_value(l, (struct config_where){s->kind, k}, s, e))
                return e->code;
    }
    return ERR_OK;
}

static enum err_code load_text(struct config *c, struct config_load *l,
                               const char *text, struct err *e)
{
    if (config_file_parse(l->name, text, on_line, l, e) ||
        config_load_add_defaults(l, e) || complete(l, e) || config_check(l, e) ||
        keep_place(l, e))
        return e->code;
    config_release(c);
    *c = l->config;
    config_init(&l->config);
    return ERR_OK;
}

enum err_code config_parse(struct config *c, const char *name, const char *text,
                           char *const *env, struct err *e)
{
    CLEANUP(load_cleanup) struct config_load *l = calloc(1, sizeof *l);

    if (!l)
        return err_set(e, ERR_NOMEM, "out of memory");
    l->name = name;
    l->env = env;
    return load_text(c, l, text, e);
}

static enum err_code load_file(struct config *c, const char *path, char *const *env,
                               bool for_responder, struct err *e)
{
    CLEANUP(load_cleanup) struct config_load *l = calloc(1, sizeof *l);
    CLEANUP(buf_release) struct buf text = BUF_INIT(CONFIG_FILE_MAX);

    if (!l)
        return err_set(e, ERR_NOMEM, "out of memory");
    l->name = path ? path : "defaults";
    l->env = env;
    l->for_responder = for_responder;
    if (path && config_file_read(path, &text, &l->mode, e))
        return e->code;
    return load_text(c, l, text.data, e);
}

enum err_code config_load(struct config *c, const char *path, char *const *env,
                          struct err *e)
{
    return load_file(c, path, env, false, e);
}

enum err_code config_load_unsigned(struct config *c, const char *path, char *const *env,
                                   struct err *e)
{
    return load_file(c, path, env, true, e);
}

/* --- Finding --- */

static bool is_name(const char *name, const char *s, size_t len)
{
    return strlen(name) == len && memcmp(name, s, len) == 0;
}

const struct config_queue *config_find_queue(const struct config *c, const char *name,
                                             size_t len)
{
    for (size_t i = 0; i < c->queue_count; i++)
        if (is_name(c->queues[i].name, name, len))
            return &c->queues[i];
    return NULL;
}

const struct config_command *config_find_command(const struct config *c,
                                                 const char *name, size_t len)
{
    for (size_t i = 0; i < c->command_count; i++)
        if (is_name(c->commands[i].name, name, len))
            return &c->commands[i];
    return NULL;
}

const struct config_converter *config_find_converter(const struct config *c,
                                                     const char *name, size_t len)
{
    for (size_t i = 0; i < c->converter_count; i++)
        if (is_name(c->converters[i].name, name, len))
            return &c->converters[i];
    return NULL;
}

const struct config_webhook *config_find_webhook(const struct config *c,
                                                 const char *name, size_t len)
{
    for (size_t i = 0; i < c->webhook_count; i++)
        if (is_name(c->webhooks[i].name, name, len))
            return &c->webhooks[i];
    return NULL;
}

const struct config_destination *config_find_destination(const struct config *c,
                                                         const char *name, size_t len)
{
    for (size_t i = 0; i < c->destination_count; i++)
        if (is_name(c->destinations[i].name, name, len))
            return &c->destinations[i];
    return NULL;
}
