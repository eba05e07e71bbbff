#include "shared/queue_known.h"

#include "shared/queue.h"

#include <string.h>

void queue_known_cmd(struct redis_cmd *c, const struct key_record *r)
{
    struct job_id id, first = {.queue = ""};
    size_t at = 0;

    redis_cmd_begin(c, "EXISTS");
    for (size_t i = 0; i < QUEUE_KNOWN_MAX && key_record_next(r, &at, &id); i++) {
        if (i == 0)
            first = id;
        if (strcmp(id.queue, first.queue) == 0)
            queue_add_job_key(c, &id);
    }
}
