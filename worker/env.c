#include "worker/env.h"

#include <string.h>

const struct config_queue *env_queue(const struct worker_env *env, const char *name)
{
    const struct config_queue *q = config_find_queue(env->config, name, strlen(name));

    return q ? q : config_find_queue(env->config, "default", strlen("default"));
}
