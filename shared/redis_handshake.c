#include "shared/redis_internal.h"

#include <string.h>

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
    redis_cmd_init(&cmds[n]);
    redis_cmd_begin(&cmds[n], "INFO");
    redis_cmd_add_str(&cmds[n++], "server");
    return n;
}

/* "redis_version:7.0.15" or "valkey_version:8.1.0" at the start of a line of INFO: the number before the dot. */
static int major_version(const char *info, const char *name)
{
    const char *at = info;
    size_t len = strlen(name);
    int major = 0;

    while (at && strncmp(at, name, len) != 0) {
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    if (!at)
        return 0;
    at += len;
    for (int digits = 0; digits < 4 && *at >= '0' && *at <= '9'; digits++, at++)
        major = major * 10 + (*at - '0');
    return *at == '.' ? major : 0;
}

enum err_code redis_handshake_reply(const struct redis_value *v, bool is_info,
                                    bool *ret_is_7, struct err *e)
{
    if (redis_value_type(v) == REDIS_ERROR) {
        if (is_info && redis_value_is_error(v, "NOPERM")) {
            *ret_is_7 = false;
            return ERR_OK;
        }
        enum err_code code = redis_error_class(v->text, v->len);
        return err_set(e, code == ERR_REJECT ? ERR_CONFIG : code, "redis: %s", v->text);
    }
    if (is_info) {
        const char *info = redis_value_str(v, NULL);
        *ret_is_7 = major_version(info, "redis_version:") >= 7 ||
                    major_version(info, "valkey_version:") >= 7;
    }
    return ERR_OK;
}
