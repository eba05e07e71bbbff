#include "worker/env.h"

#include "shared/redis_check.h"

#include <stdlib.h>
#include <string.h>

const struct config_queue *env_queue(const struct worker_env *env, const char *name)
{
    const struct config_queue *q = config_find_queue(env->config, name, strlen(name));

    return q ? q : config_find_queue(env->config, "default", strlen("default"));
}

enum err_code env_redis_target(const struct config_redis *config,
                               struct redis_target *ret, struct err *e)
{
    if (redis_target_parse(config->url, ret, e) != ERR_OK)
        return e->code;
    if (config->password && *config->password) {
        char *copy = strdup(config->password);
        if (!copy) {
            redis_target_release(ret);
            return err_set(e, ERR_NOMEM, "no memory");
        }
        free(ret->password);
        ret->password = copy;
    }
    return ERR_OK;
}

enum err_code env_check_redis(const struct config_redis *config,
                              const struct redis_target *target, struct err *e)
{
    struct redis_options o = {.target = *target,
                              .connect_timeout_ms = (int)config->connect_timeout_ms,
                              .timeout_ms = (int)config->timeout_ms};

    return redis_check_start(&o, e);
}
