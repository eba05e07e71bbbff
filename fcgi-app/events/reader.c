#include "fcgi-app/events/reader.h"

#include "shared/log.h"

enum {
    CONNECT_MS = 500, /* a thread with other things to do waits for it */
    ANSWER_MS = 2000, /* after the time that XREAD blocks */
    BLIND_MS = 30000
};

enum err_code reader_init(struct reader *r, const struct config *config,
                          const struct redis_options *o, struct err *e)
{
    *r = (struct reader){.config = config};
    if (redis_open(o, &r->redis, e))
        return e->code;
    redis_set_timeouts(r->redis, CONNECT_MS, CONNECT_MS);
    return ERR_OK;
}

void reader_release(struct reader *r)
{
    redis_close(r->redis);
}

bool reader_sees(struct reader *r, const char *queue)
{
    return r->state != READER_OFF && streams_has(&r->streams, queue);
}

static void fail(struct reader *r, int64_t now, const struct err *e)
{
    log_debug("events", "no events now", LOG_ERR(e));
    redis_disconnect(r->redis);
    r->failures++;
    r->state = READER_OFF;
    r->next_ms = now + (e->code == ERR_RETRY ? READER_RETRY_MS : BLIND_MS);
}

static enum err_code find_positions(struct reader *r, struct err *e)
{
    struct redis_cmd cmds[CONFIG_QUEUES_MAX] = {{.count = 0}};
    struct redis_value *replies[CONFIG_QUEUES_MAX] = {NULL};
    size_t count = r->config->queue_count;
    for (size_t i = 0; i < count; i++) {
        redis_cmd_init(&cmds[i]);
        streams_position_cmd(r->config->queues[i].name, &cmds[i]);
    }
    enum err_code code = redis_pipeline(r->redis, cmds, count, replies, e);
    r->streams.count = 0;
    for (size_t i = 0; i < count; i++) {
        struct err why = ERR_INIT; /* of one stream alone: it is left out */
        enum err_code one = redis_value_error(replies[i], &why);
        if (!code && (one == ERR_RETRY || one == ERR_CONFIG))
            code = err_set(e, one, "%s", why.text);
        if (!code)
            streams_set_position(&r->streams, r->config->queues[i].name, replies[i]);
        redis_cmd_release(&cmds[i]);
        redis_reply_free(replies[i]);
    }
    return code;
}

static enum err_code ask(struct reader *r, struct err *e)
{
    struct redis_cmd c;
    int64_t connection = redis_connections(r->redis);
    redis_cmd_init(&c);
    enum err_code code = streams_read_cmd(&r->streams, READER_BLOCK_MS, &c)
                             ? redis_ask(r->redis, &c, e)
                             : err_set(e, ERR_REJECT, "no queue has a stream");
    redis_cmd_release(&c);
    if (!code && redis_connections(r->redis) != connection)
        return err_set(e, ERR_RETRY, "the connection was lost");
    return code;
}

bool reader_turn(struct reader *r, int64_t now, bool wanted)
{
    struct err e = ERR_INIT;
    bool is_new = false;
    if (r->state == READER_ASKED && now >= r->next_ms) {
        (void)err_set(&e, ERR_RETRY, "redis: no answer in time");
        fail(r, now, &e);
    }
    if (r->state == READER_ASKED || !wanted || now < r->next_ms) {
        if (r->state == READER_READY && !wanted) {
            r->state = READER_OFF; /* where it stands is not known later */
            r->next_ms = now; /* who comes next is told nothing before it stands anew */
        }
        return false;
    }
    if (r->state == READER_OFF) {
        if (find_positions(r, &e)) {
            fail(r, now, &e);
            return false;
        }
        is_new = true;
        r->state = READER_READY;
    }
    if (ask(r, &e)) {
        fail(r, now, &e);
        return false;
    }
    r->state = READER_ASKED;
    r->next_ms = now + READER_BLOCK_MS + ANSWER_MS;
    return is_new;
}

void reader_read(struct reader *r, int64_t now, const struct streams_sink *sink)
{
    struct err e = ERR_INIT;
    struct redis_value *reply = NULL;
    if (r->state != READER_ASKED)
        return;
    if (redis_answer(r->redis, &reply, &e)) {
        fail(r, now, &e);
        return;
    }
    if (!reply)
        return;
    bool more = streams_parse(&r->streams, reply, sink);
    bool idle = redis_value_type(reply) == REDIS_NIL;
    redis_reply_free(reply);
    r->state = READER_READY;
    r->next_ms = more || idle ? now : now + READER_PAUSE_MS;
}
