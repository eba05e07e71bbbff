#include "shared/redis_internal.h"

size_t redis_handshake_cmds(const struct redis_target *t,
                            struct redis_cmd cmds[static REDIS_HANDSHAKE_MAX])
{
    size_t n = 0;

    if (t->password) {
        redis_cmd_init(&cmds[n]);
        redis_cmd_begin(&cmds[n], "AUTH");
        if (t->user)
            redis_cmd_add_str(&cmds[n], t->user);
        redis_cmd_add_str(&cmds[n++], t->password);
    }
    if (t->db != 0) {
        redis_cmd_init(&cmds[n]);
        redis_cmd_begin(&cmds[n], "SELECT");
        redis_cmd_add_int(&cmds[n++], t->db);
    }
    redis_info_cmd(&cmds[n++]);
    return n;
}

/* All sections at once: servers before 7 take no more than one name. */
void redis_info_cmd(struct redis_cmd *c)
{
    redis_cmd_init(c);
    redis_cmd_begin(c, "INFO");
}

enum err_code redis_handshake_reply(const struct redis_value *v,
                                    struct redis_facts *facts, struct err *e)
{
    if (redis_value_type(v) == REDIS_ERROR) {
        if (facts && redis_value_is_error(v, "NOPERM")) {
            *facts = (struct redis_facts)REDIS_FACTS_INIT;
            return ERR_OK;
        }
        enum err_code code = redis_error_class(v->text, v->len);
        return err_set(e, code == ERR_REJECT ? ERR_CONFIG : code, "redis: %s", v->text);
    }
    if (!facts)
        return ERR_OK;
    size_t len = 0;
    const char *info = redis_value_str(v, &len);
    redis_facts_read(info, len, facts);
    return redis_check(facts, e);
}
