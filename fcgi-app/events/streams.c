#include "fcgi-app/events/streams.h"

#include "shared/job.h"
#include "shared/queue.h"

#include <string.h>

static struct stream *find(struct streams *s, const char *queue, size_t len)
{
    for (size_t i = 0; i < s->count; i++)
        if (strlen(s->list[i].queue) == len &&
            memcmp(s->list[i].queue, queue, len) == 0)
            return &s->list[i];
    return NULL;
}

static struct stream *find_or_add(struct streams *s, const char *queue)
{
    size_t len = strlen(queue);
    struct stream *one = find(s, queue, len);
    if (one || s->count == STREAMS_MAX || len > ID_QUEUE_MAX)
        return one;
    one = &s->list[s->count++];
    *one = (struct stream){.last = ""};
    memcpy(one->queue, queue, len);
    return one;
}

void streams_position_cmd(const char *queue, struct redis_cmd *ret)
{
    redis_cmd_begin(ret, "XREVRANGE");
    queue_add_key(ret, queue, "events");
    redis_cmd_add_str(ret, "+");
    redis_cmd_add_str(ret, "-");
    redis_cmd_add_str(ret, "COUNT");
    redis_cmd_add_int(ret, 1);
}

static void set_last(struct stream *one, const struct redis_value *id)
{
    size_t len;
    const char *text = redis_value_str(id, &len);
    if (len == 0 || len > STREAMS_ID_MAX)
        return;
    memcpy(one->last, text, len);
    one->last[len] = '\0';
}

void streams_set_position(struct streams *s, const char *queue,
                          const struct redis_value *reply)
{
    struct stream *one = find_or_add(s, queue);
    if (!one || redis_value_type(reply) != REDIS_ARRAY)
        return;
    memcpy(one->last, "0-0", sizeof "0-0"); /* an empty stream: whatever comes is new */
    set_last(one, redis_value_at(redis_value_at(reply, 0), 0));
}

bool streams_has(struct streams *s, const char *queue)
{
    const struct stream *one = find(s, queue, strlen(queue));
    return one && one->last[0];
}

bool streams_read_cmd(const struct streams *s, int block_ms, struct redis_cmd *ret)
{
    bool any = false;
    redis_cmd_begin(ret, "XREAD");
    redis_cmd_add_str(ret, "COUNT");
    redis_cmd_add_int(ret, STREAMS_READ_MAX);
    redis_cmd_add_str(ret, "BLOCK");
    redis_cmd_add_int(ret, block_ms);
    redis_cmd_add_str(ret, "STREAMS");
    for (size_t i = 0; i < s->count; i++)
        if (s->list[i].last[0]) {
            queue_add_key(ret, s->list[i].queue, "events");
            any = true;
        }
    for (size_t i = 0; i < s->count; i++)
        if (s->list[i].last[0])
            redis_cmd_add_str(ret, s->list[i].last);
    return any;
}

/* uuid, state, uuid, state ... */
static void parse_event(const struct stream *one, const struct redis_value *pairs,
                        const struct streams_sink *sink)
{
    for (size_t i = 0; i + 1 < redis_value_len(pairs); i += 2) {
        size_t len, id_len;
        const char *id = redis_value_str(redis_value_at(pairs, i), &id_len);
        const char *word = redis_value_str(redis_value_at(pairs, i + 1), &len);
        enum job_state state;
        if (id_is_uuid(id, id_len) && job_state_parse(word, len, &state))
            sink->on_event(sink->ctx, one->queue, id, state);
    }
}

/* "hoist:{queue}:events" */
static struct stream *find_by_key(struct streams *s, const struct redis_value *key)
{
    size_t len;
    const char *text = redis_value_str(key, &len);
    const char *open = memchr(text, '{', len), *close = memchr(text, '}', len);
    return open && close && close > open ? find(s, open + 1, (size_t)(close - open) - 1)
                                         : NULL;
}

bool streams_parse(struct streams *s, const struct redis_value *reply,
                   const struct streams_sink *sink)
{
    bool more = false;
    for (size_t i = 0; i < redis_value_len(reply); i++) {
        const struct redis_value *pair = redis_value_at(reply, i);
        struct stream *one = find_by_key(s, redis_value_at(pair, 0));
        const struct redis_value *events = redis_value_at(pair, 1);
        for (size_t k = 0; one && k < redis_value_len(events); k++) {
            const struct redis_value *event = redis_value_at(events, k);
            set_last(one, redis_value_at(event, 0));
            parse_event(one, redis_value_at(event, 1), sink);
        }
        more = more || redis_value_len(events) >= STREAMS_READ_MAX;
    }
    return more;
}
