/*
 * fuzz streams: a line is what the position of the event streams is taken from, then comes the reply to a read (value.h).
 * Only events of queues that are read are told, with an id and a state; positions stay ones that Redis can be asked with.
 */
#include "tests/fuzz/value.h"

#include "fcgi-app/events/streams.h"
#include "shared/cleanup.h"

struct seen {
    const struct streams *streams;
    size_t count;
};

static void on_event(void *ctx, const char *queue, const char *uuid,
                     enum job_state state)
{
    struct seen *seen = ctx;
    bool is_known = false;

    for (size_t i = 0; i < seen->streams->count; i++)
        is_known = is_known || strcmp(seen->streams->list[i].queue, queue) == 0;
    must(is_known && id_is_uuid(uuid, strlen(uuid)));
    must(job_state_name(state) != NULL);
    seen->count++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    struct streams s = {.count = 0};
    struct seen seen = {&s, 0};
    const struct streams_sink sink = {on_event, &seen};
    struct redis_cmd cmd;

    struct redis_value *position = value_take(&at, end, 0);
    streams_set_position(&s, "default", position);
    streams_set_position(&s, "media", NULL);
    struct redis_value *reply = value_take(&at, end, 0);
    (void)streams_parse(&s, reply, &sink);
    must(seen.count <= size);
    redis_cmd_init(&cmd);
    must(streams_read_cmd(&s, 1000, &cmd) ==
         (streams_has(&s, "default") || streams_has(&s, "media")));
    must(!cmd.failed);
    for (size_t i = 0; i < s.count; i++)
        must(memchr(s.list[i].last, '\0', sizeof s.list[i].last) != NULL);
    redis_cmd_release(&cmd);
    value_free(reply);
    value_free(position);
    return 0;
}
