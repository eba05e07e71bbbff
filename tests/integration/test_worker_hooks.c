/*
 * Webhooks in hoist-worker as it ships: what is told, to whom, how often, and what outlives what.
 */
#include "tests/integration/hooks_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/support/wait_until.h"

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

TestSuite(worker_hooks, .fini = down, .timeout = 120);

/* A job that can never be delivered. */
static struct job_id put_hopeless(const char *hooks)
{
    return rig_put(
        &rig, &(struct rig_job){
                  .data = "x", .to = "nowhere", .max_attempts = 1, .hooks = hooks});
}

/* --- what is told --- */

Test(worker_hooks,
     the_end_of_a_job_is_told_to_all_that_it_has_signed_with_their_secrets)
{
    char id_text[ID_JOB_MAX + 1], part[256], callback[128];

    up("allow = 127.0.0.1\n");
    (void)snprintf(callback, sizeof callback, "%s/mine?token=hush",
                   http_sink_url(sink));
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "hello",
                                                       .hooks = "audit",
                                                       .callback = callback,
                                                       .traceparent = TRACE,
                                                       .meta = {"who", "m\"e"}});
    rig_start(&rig, "a");
    struct http_sink_request r[2] = {request(0), request(1)};
    size_t audit = strcmp(r[0].path, "/audit?k=1") != 0;
    cr_expect(eq(str, r[audit].path, "/audit?k=1"));
    cr_expect(eq(str, r[1 - audit].path, "/mine?token=hush"));
    cr_expect(is_signed(&r[audit], SECRET) && is_signed(&r[audit], SECOND));
    cr_expect(is_signed(&r[1 - audit], SECOND));
    cr_expect(not(is_signed(&r[1 - audit], SECRET)));
    id_format_job(&id, id_text);
    for (size_t i = 0; i < 2; i++) {
        cr_expect(eq(str, r[i].method, "POST"));
        cr_expect(eq(str, (char *)header(&r[i], "content-type"), "application/json"));
        cr_expect(eq(str, (char *)header(&r[i], "hoist-event"), "done"));
        cr_expect(eq(str, (char *)header(&r[i], "traceparent"), TRACE));
        (void)snprintf(part, sizeof part,
                       "\"job\":{\"id\":\"%s\",\"queue\":\"default\"", id_text);
        cr_expect(has(&r[i], part));
        cr_expect(has(&r[i], "\"who\":\"m\\\"e\""));
        cr_expect(has(&r[i], "\"state\":\"done\""));
        cr_expect(has(
            &r[i], "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"));
        cr_expect(eq(ptr, strstr(r[i].body, "hush"), NULL), "it may be secret");
        struct job_id hook = delivery(&r[i]);
        cr_expect(rig_wait_state(&rig, &hook, "done", 5000));
        cr_expect(rig_wait_unspooled(&rig, &hook, 5000));
    }
    cr_expect(rig_wait_unspooled(&rig, &id, 5000));
    cr_expect(is_over());
    cr_expect(eq(sz, http_sink_count(sink), 2));
}

Test(worker_hooks, a_batch_in_two_queues_is_told_of_once_when_all_of_it_has_ended)
{
    char batch[] = "01890000-0000-7000-8000-000000000001";
    size_t batches = 0;

    up("");
    for (int i = 0; i < 4; i++)
        rig_put(&rig, &(struct rig_job){.data = "x",
                                        .queue = i % 2 ? "media" : "default",
                                        .to = i == 3 ? "nowhere" : "default",
                                        .max_attempts = 1,
                                        .batch = batch,
                                        .hooks = "audit"});
    rig_start(&rig, "a");
    (void)request(4);
    cr_expect(is_over());
    cr_assert(eq(sz, http_sink_count(sink), 5));
    for (size_t i = 0; i < 5; i++) {
        struct http_sink_request r = request(i);
        if (strcmp(header(&r, "hoist-event"), "batch") != 0)
            continue;
        batches++;
        cr_expect(has(&r, "\"batch\":{\"id\":\"01890000-0000-7000-8000-000000000001\","
                          "\"total\":4,\"done\":3,\"dead\":1,\"cancelled\":0}}"));
    }
    cr_expect(eq(sz, batches, 1));
}

/* --- retries, order, dead letter, replay --- */

Test(worker_hooks, events_of_a_job_go_in_order_however_often_one_is_tried)
{
    up("");
    http_sink_push(sink, (struct http_reply){.status = 500});
    http_sink_push(sink, (struct http_reply){.kind = HTTP_REPLY_LOST});
    struct job_id id = put_hopeless("audit");
    rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &id, "dead", 5000));
    cancel(&id);
    static const char *const events[] = {"dead", "dead", "dead", "cancelled"};
    char first[512];
    for (size_t i = 0; i < 4; i++) {
        struct http_sink_request r = request(i);
        cr_expect(eq(str, (char *)header(&r, "hoist-event"), (char *)events[i]));
        if (i == 0)
            (void)snprintf(first, sizeof first, "%s", header(&r, "hoist-delivery"));
        bool same = strcmp(header(&r, "hoist-delivery"), first) == 0;
        cr_expect(eq(int, same, i < 3), "one delivery, tried three times");
    }
    struct http_sink_request r = request(0);
    cr_expect(has(&r, "\"error\":{\"class\":\"config\",\"text\":\"destination is not "
                      "configured\"}"));
    cr_expect(is_over());
}

Test(worker_hooks, what_is_dead_or_delivered_can_be_sent_again)
{
    struct redis_cmd cmd;

    up("");
    http_sink_push(sink, (struct http_reply){.status = 410});
    rig_put(&rig, &(struct rig_job){.data = "x", .hooks = "audit"});
    rig_start(&rig, "a");
    struct http_sink_request first = request(0);
    struct job_id hook = delivery(&first);
    cr_assert(rig_wait_state(&rig, &hook, "dead", 5000));
    cr_expect(eq(str, (char *)rig_field(&rig, &hook, "error_class"), "gone"));
    cr_expect(eq(long, ask("HGET", "hoist:{hooks}:stats", "dead_gone"), 1));
    redis_cmd_init(&cmd);
    queue_retry_cmd(&cmd, &hook);
    call(&cmd);
    struct http_sink_request again = request(1);
    cr_assert(rig_wait_state(&rig, &hook, "done", 5000));
    redis_cmd_init(&cmd);
    queue_again_cmd(&cmd, &hook, rig_number(&rig, &hook, "ended"));
    call(&cmd);
    struct http_sink_request replayed = request(2);
    cr_expect(is_same(&again, &first));
    cr_expect(is_same(&replayed, &first));
    cr_expect(is_signed(&replayed, SECRET));
    cr_assert(rig_wait_state(&rig, &hook, "done", 5000));
}

/* --- what outlives what --- */

Test(worker_hooks, a_worker_that_dies_between_the_end_and_the_webhook_loses_none)
{
    up(""); /* and the queue of webhooks is full */
    free(redis_fixture_ask(&rig.redis, "HSET", "hoist:{hooks}:conf", "max_length", "1",
                           NULL));
    free(redis_fixture_ask(&rig.redis, "ZADD", "hoist:{hooks}:later", "99999999999999",
                           "01890000-0000-7000-8000-000000000002", NULL));
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "x", .hooks = "audit"});
    struct spawn *a = rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &id, "done", 5000));
    cr_assert(WAIT_UNTIL(rig_log_count(a, "the queue of webhooks is full") > 0, 5000));
    spawn_kill(a);
    cr_assert(eq(long, ask("XLEN", "hoist:{default}:outbox", NULL), 1));
    /* As if it had died behind the enqueueing: the same is there once more. */
    free(redis_fixture_ask(&rig.redis, "EVAL",
                           "local e = redis.call('XRANGE', KEYS[1], '-', '+')[1][2] "
                           "return redis.call('XADD', KEYS[1], '*', unpack(e))",
                           "1", "hoist:{default}:outbox", NULL));
    free(redis_fixture_ask(&rig.redis, "DEL", "hoist:{hooks}:conf",
                           "hoist:{hooks}:later", NULL));
    rig_start(&rig, "b");
    (void)request(0);
    cr_expect(is_over());
    cr_expect(eq(sz, http_sink_count(sink), 1), "told twice is there once");
}

Test(worker_hooks, what_was_cancelled_while_no_worker_was_there_is_told_by_the_next)
{
    up("");
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "x", .hooks = "audit"});
    cancel(&id);
    rig_start(&rig, "a");
    struct http_sink_request r = request(0);
    cr_expect(eq(str, (char *)header(&r, "hoist-event"), "cancelled"));
}

Test(worker_hooks, a_redis_that_forgets_everything_forgets_no_webhook)
{
    up("[spool]\nreconcile_seconds = 1\n");
    http_sink_push(sink, (struct http_reply){.kind = HTTP_REPLY_HELD, .status = 500});
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "x", .hooks = "audit"});
    struct spawn *a = rig_start(&rig, "a");
    cr_assert(WAIT_UNTIL(ask("ZCARD", "hoist:{hooks}:leased", NULL) == 1, 5000));
    cr_assert(rig_wait_unspooled(&rig, &id, 5000));
    spawn_kill(a);
    free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL));
    http_sink_let_go(sink);
    rig_start(&rig, "b");
    struct http_sink_request first = request(0);
    cr_assert(WAIT_UNTIL(http_sink_count(sink) == 2, 15000));
    struct http_sink_request second = request(1);
    struct job_id one = delivery(&first), two = delivery(&second);
    cr_expect(eq(str, one.uuid.text, two.uuid.text));
    cr_expect(has(&second, id.uuid.text));
    cr_expect(is_over());
}

/* --- what may be called --- */

Test(worker_hooks, nothing_private_is_called_for_a_client)
{
    char loopback[128], name[128];
    const char *urls[] = {loopback, name, "http://169.254.169.254/latest/meta-data",
                          "http://[::ffff:10.0.0.1]/", "http://0.0.0.0/"};

    up("[worker]\nconcurrency = 8\n");
    (void)snprintf(loopback, sizeof loopback, "%s/", http_sink_url(sink));
    (void)snprintf(name, sizeof name, "http://localhost:%d/", http_sink_port(sink));
    for (size_t i = 0; i < 5; i++)
        rig_put(&rig, &(struct rig_job){.data = "x", .callback = urls[i]});
    rig_start(&rig, "a");
    cr_assert(WAIT_UNTIL(ask("ZCARD", "hoist:{hooks}:dead", NULL) == 5, 10000));
    for (int i = 0; i < 5; i++) {
        char at[16];
        (void)snprintf(at, sizeof at, "%d", i);
        char *uuid =
            redis_fixture_ask(&rig.redis, "ZRANGE", "hoist:{hooks}:dead", at, at, NULL);
        struct job_id id = {.queue = "hooks"};
        memcpy(id.uuid.text, uuid, ID_UUID_LEN);
        cr_expect(eq(str, (char *)rig_field(&rig, &id, "error_class"), "refused"));
        cr_expect(eq(i64, rig_number(&rig, &id, "attempts"), 1), "and not again");
        free(uuid);
    }
    cr_expect(eq(long, ask("HGET", "hoist:{hooks}:stats", "dead_refused"), 5));
    cr_expect(eq(sz, http_sink_count(sink), 0));
}

Test(worker_hooks, a_redirect_is_not_followed_and_a_slow_answer_not_waited_for)
{
    up("timeout = 300ms\nallow = 127.0.0.1\n");
    char callback[128];
    (void)snprintf(callback, sizeof callback, "%s/slow", http_sink_url(sink));
    http_sink_push(sink, (struct http_reply){.status = 302,
                                             .headers = "Location: /elsewhere\r\n"});
    http_sink_push(sink, (struct http_reply){.kind = HTTP_REPLY_HELD});
    rig_put(&rig, &(struct rig_job){.data = "x", .callback = callback});
    rig_start(&rig, "a");
    struct http_sink_request first = request(0);
    struct job_id hook = delivery(&first);
    bool late =
        WAIT_UNTIL(strstr(rig_field(&rig, &hook, "error"), "no answer within"), 5000);
    cr_assert(late);
    http_sink_let_go(sink);
    struct http_sink_request third = request(2);
    cr_expect(eq(str, third.path, "/slow"));
    cr_expect(rig_wait_state(&rig, &hook, "done", 5000));
}
