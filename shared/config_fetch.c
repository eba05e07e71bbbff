/* What is wrong with [fetch], and its lists as rules. */
#include "shared/config_load.h"

static enum err_code parse_list(const struct config_load *l, const char *key,
                                const char *text, struct fetch_list *ret, struct err *e)
{
    struct config_where where = {CONFIG_KIND_FETCH, 0};

    if (fetch_list_parse(text, ret, e) == ERR_OK)
        return ERR_OK;
    e->code = ERR_CONFIG;
    return config_load_blame(l, where, config_find_setting(where.kind, key), e);
}

enum err_code config_check_fetch(struct config_load *l, struct err *e)
{
    struct config_fetch *f = &l->config.fetch;

    f->rules.only_allowed = f->only_allowed;
    return parse_list(l, "allow", f->allow, &f->rules.allow, e) ||
                   parse_list(l, "deny", f->deny, &f->rules.deny, e)
               ? e->code
               : ERR_OK;
}
