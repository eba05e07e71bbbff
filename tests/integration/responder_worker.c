#include "tests/integration/responder_worker.h"

#include "tests/integration/responder_rig.h"
#include "tests/support/wait_until.h"

#include <string.h>

#include <criterion/criterion.h>

static const struct queue_worker me = {"rig", 60000};

static struct redis *redis_connect(void)
{
    struct redis_options o = {REDIS_TARGET_INIT, 1000, 1000};
    struct redis *redis = NULL;
    struct err e = ERR_INIT;

    cr_assert(redis_target_parse(rig.redis.url, &o.target, &e) == ERR_OK, "%s", e.text);
    cr_assert(redis_open(&o, &redis, &e) == ERR_OK, "%s", e.text);
    redis_target_release(&o.target);
    return redis;
}

/* One command's reply; the caller frees. */
static struct redis_value *call(struct redis_cmd *c)
{
    struct redis *redis = redis_connect();
    struct redis_value *reply = NULL;
    struct err e = ERR_INIT;

    cr_assert(redis_call(redis, c, &reply, &e) == ERR_OK, "%s", e.text);
    redis_cmd_release(c);
    redis_close(redis);
    return reply;
}

static struct queue_claimed claim(const char *queue, size_t want)
{
    struct queue_claimed claimed;
    struct redis_cmd c;
    struct err e = ERR_INIT;

    redis_cmd_init(&c);
    queue_claim_cmd(&c, queue, &me, 0, want);
    struct redis_value *reply = call(&c);
    cr_assert(queue_parse_claimed(reply, queue, &claimed, &e) == ERR_OK, "%s", e.text);
    redis_reply_free(reply);
    return claimed;
}

struct queue_lease worker_take(const char *queue)
{
    struct queue_claimed claimed = {.count = 0};
    struct redis_cmd cmds[2];

    cr_assert(WAIT_UNTIL((claimed = claim(queue, 1)).count == 1, 5000), "no job in %s",
              queue);
    redis_cmd_init(&cmds[0]);
    redis_cmd_init(&cmds[1]);
    queue_start_cmds(cmds, claimed.leases, 1, &me);
    redis_reply_free(call(&cmds[0]));
    redis_cmd_release(&cmds[1]);
    return claimed.leases[0];
}

void worker_beat(const struct queue_lease *l, int64_t sent)
{
    const struct queue_beat beat = {.lease = *l, .sent = sent, .phase = "uploading"};
    struct redis_cmd c;

    redis_cmd_init(&c);
    queue_beat_cmd(&c, l->id.queue, &me, &beat, 1);
    redis_reply_free(call(&c));
}

void worker_done(const struct queue_lease *l)
{
    struct queue_end end = {.lease = *l, .state = JOB_DONE, .attempts = 1};
    struct queue_finish f = {
        .ends = &end, .count = 1, .keep_ms = 3600000, .keep_count = 1000};
    struct redis_cmd c;

    redis_cmd_init(&c);
    queue_finish_cmd(&c, &f, &me);
    redis_reply_free(call(&c));
}

void worker_bury(const struct queue_lease *l)
{
    struct queue_fail f = {
        .lease = *l, .error = "no", .error_class = "test", .retry_ms = -1};
    struct redis_cmd c;

    redis_cmd_init(&c);
    queue_fail_cmd(&c, &f, &me);
    redis_reply_free(call(&c));
}

void worker_promote(const char *queue)
{
    struct queue_claimed claimed = claim(queue, 0);

    for (size_t i = 0; i < claimed.due_count; i++) {
        struct job_id id = {.uuid = claimed.due[i]};
        struct redis_cmd c;
        memcpy(id.queue, queue, strlen(queue) + 1);
        redis_cmd_init(&c);
        queue_promote_cmd(&c, &id);
        redis_reply_free(call(&c));
    }
}
