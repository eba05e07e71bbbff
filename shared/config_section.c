#include "shared/config_load.h"

#include "shared/cleanup.h"

#include <string.h>

/* False when there are as many as there may be. */
static bool add_section(struct config_load *l, struct config_where *where,
                        const char *name, size_t len)
{
    struct config *c = &l->config;
    size_t *count = config_section_counter(c, where->kind);

    if (*count == CONFIG_QUEUES_MAX)
        return false;
    where->index = (*count)++;
    char *to = config_load_section(l, *where); /* it begins with its name */
    memcpy(to, name, len);
    to[len] = '\0';
    return true;
}

/* Find a section of where's kind by its name. */
static bool find_section(const struct config *c, struct config_where *where,
                         const char *name)
{
    for (size_t i = 0; i < config_section_count(c, where->kind); i++) {
        if (strcmp(config_section_name(c, where->kind, i), name) == 0) {
            where->index = i;
            return true;
        }
    }
    return false;
}

/* '-' and '_' are one there; a name has no capitals. */
static bool is_same_in_env(const char *a, const char *b)
{
    while (*a && (*a == *b || (strchr("-_", *a) && *b && strchr("-_", *b)))) {
        a++;
        b++;
    }
    return *a == *b;
}

/* Another section whose variables in the environment would have the same names, or NULL. */
static const char *find_same_in_env(const struct config *c, enum config_kind kind,
                                    const char *name)
{
    for (size_t i = 0; i < config_section_count(c, kind); i++)
        if (is_same_in_env(name, config_section_name(c, kind, i)))
            return config_section_name(c, kind, i);
    return NULL;
}

static enum err_code open_named(struct config_load *l, struct config_where where,
                                const char *name, struct err *e)
{
    const char *kind = config_kind_name(where.kind);
    size_t len = strlen(name);

    if (!id_is_queue(name, len))
        return err_set(
            e, ERR_CONFIG,
            "[%s %.40s]: a name is 1 to %d of a-z, 0-9, '_' and '-', and starts "
            "with a letter or digit",
            kind, name, CONFIG_NAME_MAX);
    if (!find_section(&l->config, &where, name)) {
        const char *same = find_same_in_env(&l->config, where.kind, name);
        if (same)
            return err_set(
                e, ERR_CONFIG,
                "[%s %s]: '-' and '_' are one in the environment, and there is "
                "[%s %s] already",
                kind, name, kind, same);
        if (!add_section(l, &where, name, len))
            return err_set(e, ERR_CONFIG, "[%s %s]: at most %d of them are allowed",
                           kind, name, CONFIG_QUEUES_MAX);
    }
    l->current = where;
    l->in_section = true;
    return ERR_OK;
}

enum err_code config_load_open(struct config_load *l, const char *section, int line,
                               struct err *e)
{
    size_t word_len = strcspn(section, " \t");
    const char *name = section + word_len;

    name += strspn(name, " \t");
    for (int k = 0; k < CONFIG_KINDS; k++) {
        struct config_where where = {(enum config_kind)k, 0};
        const char *kind = config_kind_name(where.kind);
        if (strlen(kind) != word_len || memcmp(kind, section, word_len) != 0)
            continue;
        if (config_kind_is_named(where.kind) && open_named(l, where, name, e))
            return e->code;
        if (!config_kind_is_named(where.kind) && *name)
            return err_set(e, ERR_CONFIG, "[%s] takes no name, but has '%.40s'", kind,
                           name);
        if (!config_kind_is_named(where.kind))
            l->current = where;
        l->in_section = true;
        int *first = &l->section_lines[l->current.kind][l->current.index];
        *first = *first ? *first : line;
        return ERR_OK;
    }
    return err_set(
        e, ERR_CONFIG,
        "unknown section [%.60s]: allowed are [redis] [spool] [http] [worker] "
        "[fetch] [queue NAME] [destination NAME] [command NAME] [schedule NAME] "
        "[converter NAME] [auth NAME] [webhook NAME]",
        section);
}

enum err_code config_load_add_defaults(struct config_load *l, struct err *e)
{
    static const struct {
        enum config_kind kind;
        const char *name;
    } sections[] = {{CONFIG_KIND_QUEUE, "default"},
                    {CONFIG_KIND_DESTINATION, "default"},
                    {CONFIG_KIND_QUEUE, "hooks"}};
    size_t count = l->config.webhook_count > 0 ? 3 : 2;

    for (size_t i = 0; i < count; i++) {
        struct config_where where = {sections[i].kind, 0};
        const char *name = sections[i].name;
        if (!find_section(&l->config, &where, name) &&
            !add_section(l, &where, name, strlen(name)))
            return err_set(
                e, ERR_CONFIG,
                "%.120s: at most %d sections [%s NAME] are allowed, of which "
                "[%s %s] is always one",
                l->name, CONFIG_QUEUES_MAX, config_kind_name(where.kind),
                config_kind_name(where.kind), name);
    }
    return ERR_OK;
}
