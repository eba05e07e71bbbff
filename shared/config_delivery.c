/* What is wrong with destinations over HTTP, by a command, and with lists of destinations. */
#include "shared/config_load.h"

#include "shared/config_value.h"
#include "shared/media_type.h"
#include "shared/to_list.h"

#include <string.h>

enum { TOKEN_MAX = 8192 /* a header line of the worker holds twice that */ };

static bool is_token(const char *s)
{
    size_t len = strlen(s);

    for (size_t i = 0; i < len; i++)
        if (s[i] <= ' ' || s[i] > '~')
            return false;
    return len <= TOKEN_MAX;
}

static enum err_code check_http(const struct config_load *l, struct config_where where,
                                struct err *e)
{
    const struct config_destination *d = &l->config.destinations[where.index];

    if (!is_token(d->bearer_token)) {
        err_set(e, ERR_CONFIG, "the value is not up to %d graphic ASCII characters",
                TOKEN_MAX);
        return config_blame(
            l, where, *d->bearer_token_file ? "bearer_token_file" : "bearer_token", e);
    }
    return ERR_OK;
}

static enum err_code check_command(const struct config_load *l,
                                   struct config_where where, struct err *e)
{
    const char *name = l->config.destinations[where.index].command;

    if (config_find_command(&l->config, name, strlen(name)))
        return ERR_OK;
    err_set(e, ERR_CONFIG, "there is no [command %.60s]", name);
    return config_blame(l, where, "url", e);
}

enum err_code config_check_delivery(const struct config_load *l,
                                    struct config_where where, struct err *e)
{
    switch (l->config.destinations[where.index].scheme) {
    case CONFIG_HTTP:
        return check_http(l, where, e);
    case CONFIG_COMMAND:
        return check_command(l, where, e);
    case CONFIG_FILE:
    case CONFIG_S3:
        break;
    }
    return ERR_OK;
}

enum err_code config_check_to(struct config_load *l, struct config_where where,
                              struct err *e)
{
    const struct config_setting *to = config_find_setting(where.kind, "to");
    void *section = config_load_section(l, where);
    const char *value = *config_value_string(to, section);
    char text[TO_LIST_TEXT_MAX + 1];
    struct to_list list;

    if (to_list_parse(value, strlen(value), &list, e)) {
        e->code = ERR_CONFIG;
        return config_load_blame(l, where, to, e);
    }
    for (size_t i = 0; i < list.count; i++) {
        const char *name = list.names[i];
        if (config_find_destination(&l->config, name, strlen(name)))
            continue;
        err_set(e, ERR_CONFIG, "there is no [destination %.60s]", name);
        return config_load_blame(l, where, to, e);
    }
    to_list_format(&list, text);
    return config_value_set(to, text, section, e);
}

enum err_code config_check_types(const struct config_load *l, struct config_where where,
                                 const char *list, struct err *e)
{
    if (media_type_is_list(list))
        return ERR_OK;
    err_set(
        e, ERR_CONFIG,
        "'%.60s' is not a list of TYPE/SUBTYPE and TYPE/*, with commas between them",
        list);
    return config_blame(l, where, "allow_types", e);
}
