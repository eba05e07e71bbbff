#include "shared/queue_classes.h"

#include "shared/queue_internal.h"

#include <stdio.h>

enum {
    LISTED = QUEUE_CLASSES - 1,
    PLACE = 6,  /* of the counters in the reply */
    BEFORE = 10 /* counters that status always gives */
};

const char *const queue_class_names[QUEUE_CLASSES] = {
    "transient", "throttled", "config", "refresh", "resolve", "never", "fetch",
    "command",   "converter", "record", "crashed", "refused", "gone",  "other"};

void queue_classes_cmd(struct redis_cmd *c, const char *queue)
{
    static const char *const kinds[] = {"failed", "dead"};
    char name[32];

    queue_begin(c, &queue_script_status, queue, 0);
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < LISTED; i++) {
            (void)snprintf(name, sizeof name, "%s_%s", kinds[k], queue_class_names[i]);
            redis_cmd_add_str(c, name);
        }
}

static void take(const struct redis_value *counters, size_t first, int64_t total,
                 int64_t *ret)
{
    for (size_t i = 0; i < LISTED; i++) {
        ret[i] = redis_value_int(redis_value_at(counters, first + i));
        total -= ret[i];
    }
    ret[LISTED] = total > 0 ? total : 0;
}

void queue_parse_classes(const struct redis_value *v, const struct queue_status *s,
                         struct queue_classes *ret)
{
    const struct redis_value *counters = redis_value_at(v, PLACE);

    take(counters, BEFORE, s->failed_total, ret->failed);
    take(counters, BEFORE + LISTED, s->dead_total, ret->dead);
}
