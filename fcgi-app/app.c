#include "fcgi-app/app.h"

#include <stdlib.h>
#include <string.h>

enum err_code app_set_redis(struct app *app, const struct config_redis *c,
                            struct err *e)
{
    struct redis_target target = REDIS_TARGET_INIT;
    if (redis_target_parse(c->url, &target, e))
        return e->code;
    if (c->password && *c->password) {
        char *password = strdup(c->password);
        if (!password) {
            redis_target_release(&target);
            return err_set(e, ERR_NOMEM, "out of memory");
        }
        free(target.password);
        target.password = password;
    }
    app->redis =
        (struct redis_options){target, (int)c->connect_timeout_ms, (int)c->timeout_ms};
    return ERR_OK;
}
