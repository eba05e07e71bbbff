#include "worker/queue/discovery.h"

#include <stdlib.h>
#include <string.h>

#include "shared/log.h"

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void tell(const struct discovery *d, const struct redis_value *reply)
{
    const char *names[DISCOVERY_MAX];
    size_t count = 0;

    for (size_t i = 0; i < redis_value_len(reply) && count < DISCOVERY_MAX; i++) {
        size_t len = 0;
        names[count] = redis_value_str(redis_value_at(reply, i), &len);
        if (id_is_queue(names[count], len))
            count++;
    }
    qsort(names, count, sizeof *names, compare);
    for (size_t i = 0; i < count; i++)
        d->found(names[i], d->ctx);
}

static void on_reply(enum err_code code, const struct redis_value *reply,
                     const struct err *e, void *ctx)
{
    const struct discovery *d = ctx;

    if (code == ERR_OK)
        tell(d, reply);
    else if (code != ERR_RETRY)
        log_warn("discovery", "queues cannot be listed", LOG_ERR(e));
    d->over(d->ctx);
}

void discovery_ask(const struct worker_env *env, struct discovery *d)
{
    struct redis_cmd cmd;

    redis_cmd_init(&cmd);
    redis_cmd_begin(&cmd, "SRANDMEMBER");
    redis_cmd_add_str(&cmd, "hoist:queues");
    redis_cmd_add_int(&cmd, DISCOVERY_MAX);
    redis_async_send(env->redis, &cmd, 0, on_reply, d);
    redis_cmd_release(&cmd);
}
