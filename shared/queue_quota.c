#include "shared/queue_quota.h"

#include "shared/queue_internal.h"

void queue_quota_add_key(struct redis_cmd *c, const char *name, const char *key)
{
    redis_cmd_add_parts(c,
                        (const char *const[]){"hoist:quota:{", name, "}:", key, NULL});
}

void queue_quota_begin(struct redis_cmd *c, const char *name)
{
    redis_cmd_begin_script(c, &queue_script_quota, 2);
    queue_quota_add_key(c, name, "jobs");
    queue_quota_add_key(c, name, "day");
}
