/*
 * The outbox in hoist-worker as it ships: what waits in it, what it does not wait for, and what a delivery says of itself.
 */
#include "tests/integration/worker_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shared/clock.h"
#include "shared/digest.h"
#include "tests/support/http_sink.h"
#include "tests/support/wait_until.h"

#define SECRET "0123456789abcdef0123456789abcdef"

static struct worker_rig rig;
static struct http_sink *sink;

/* [webhook audit] and [webhook callback], to whose end more is added. */
static void up(const char *more)
{
    char text[2048];

    sink = http_sink_start();
    (void)snprintf(text, sizeof text,
                   "[queue media]\n[webhook audit]\nurl = %s/audit\ntimeout = 5m\n"
                   "secret = " SECRET "\n[queue hooks]\nmax_attempts = 3\n"
                   "retry_base = 20ms\nretry_cap = 50ms\n[webhook callback]\n"
                   "allow = 127.0.0.1\nsecret = " SECRET "\n%s",
                   http_sink_url(sink), more);
    rig_up(&rig, text);
}

static void down(void)
{
    http_sink_let_go(sink);
    rig_down(&rig);
    http_sink_stop(sink);
}

TestSuite(worker_outbox, .fini = down, .timeout = 120);

/* --- help --- */

static struct http_sink_request request(size_t index)
{
    struct http_sink_request r;

    if (!WAIT_UNTIL(http_sink_count(sink) > index, 10000)) {
        for (size_t i = 0; i < rig.worker_count; i++)
            spawn_show_log(&rig.workers[i]);
        cr_assert(false, "request %zu did not come", index);
    }
    cr_assert(http_sink_request(sink, index, &r));
    return r;
}

static const char *header(const struct http_sink_request *r, const char *name)
{
    static char value[512];

    return http_sink_header(r, name, value, sizeof value) ? value : "";
}

/* The job that told r. */
static struct job_id delivery(const struct http_sink_request *r)
{
    struct job_id id;
    const char *text = header(r, "hoist-delivery");

    cr_assert(id_parse_job(text, strlen(text), &id), "%s", text);
    return id;
}

static void call(struct redis_cmd *cmd)
{
    struct redis_value *reply = NULL;
    struct err e = ERR_INIT;

    cr_assert(redis_call(rig.client, cmd, &reply, &e) == ERR_OK, "%s", e.text);
    redis_reply_free(reply);
    redis_cmd_release(cmd);
}

static void cancel(const struct job_id *id)
{
    struct redis_cmd cmd;

    redis_cmd_init(&cmd);
    queue_cancel_cmd(&cmd, id, 3600000);
    call(&cmd);
}

static void pause_media(bool paused)
{
    struct redis_cmd cmds[2];

    for (size_t i = 0; i < 2; i++)
        redis_cmd_init(&cmds[i]);
    queue_configure_cmds(cmds, "media", "paused", paused ? "1" : NULL);
    for (size_t i = 0; i < 2; i++)
        call(&cmds[i]);
}

static void set_batch(const char *uuid, bool open)
{
    struct redis_cmd cmd;
    struct uuid batch;

    memcpy(batch.text, uuid, sizeof batch.text);
    redis_cmd_init(&cmd);
    queue_batch_cmd(&cmd, "default", &batch, open);
    call(&cmd);
}

static long ask(const char *command, const char *key)
{
    return redis_fixture_ask_int(&rig.redis, command, key, NULL);
}

/* All that happened in default and media has been told, and nothing is on its way. */
static bool is_told(void)
{
    return WAIT_UNTIL(ask("XLEN", "hoist:{default}:outbox") == 0 &&
                          ask("XLEN", "hoist:{media}:outbox") == 0 &&
                          ask("ZCARD", "hoist:{hooks}:ready") == 0 &&
                          ask("ZCARD", "hoist:{hooks}:grouped") == 0 &&
                          ask("ZCARD", "hoist:{hooks}:later") == 0 &&
                          ask("ZCARD", "hoist:{hooks}:leased") == 0,
                      10000);
}

/* Of the requests that came so many are of batches; the last of these says this. */
static bool batches_are(size_t count, const char *says)
{
    struct http_sink_request r;
    size_t seen = 0, last = 0;

    for (size_t i = 0; http_sink_request(sink, i, &r); i++)
        if (strcmp(header(&r, "hoist-event"), "batch") == 0) {
            seen++;
            last = i;
        }
    cr_expect(eq(sz, seen, count));
    if (seen == 0)
        return count == 0;
    cr_assert(http_sink_request(sink, last, &r));
    if (!strstr(r.body, says))
        fprintf(stderr, "%s\n", r.body);
    return strstr(r.body, says) != NULL;
}

/* --- batches --- */

#define OPENED "01890000-0000-7000-8000-000000000001"
#define PLAIN "01890000-0000-7000-8000-000000000002"
#define BATCH(id)                                                                      \
    "\"batch\":{\"id\":\"" id "\",\"total\":2,\"done\":2,\"dead\":0,\"cancelled\":0}}"

static void put(const char *queue, const char *batch)
{
    rig_put(&rig, &(struct rig_job){
                      .data = "x", .queue = queue, .batch = batch, .hooks = "audit"});
}

Test(worker_outbox, a_batch_waits_for_its_parts_in_other_queues_and_while_it_is_open)
{
    up("");
    pause_media(true);
    set_batch(OPENED, true);
    put("default", OPENED);
    put("media", OPENED);
    put("default", PLAIN);
    put("media", PLAIN);
    rig_start(&rig, "a");
    (void)request(1);
    cr_expect(is_told());
    cr_expect(eq(sz, http_sink_count(sink), 2), "two jobs, and no batch");
    cr_expect(batches_are(0, ""));
    pause_media(false);
    (void)request(4);
    cr_expect(is_told());
    cr_expect(eq(sz, http_sink_count(sink), 5));
    cr_expect(batches_are(1, BATCH(PLAIN)));
    set_batch(OPENED, false);
    (void)request(5);
    cr_expect(is_told());
    cr_expect(eq(sz, http_sink_count(sink), 6));
    cr_expect(batches_are(2, BATCH(OPENED)));
}

/* --- emptying --- */

static void post(const char *name, const char *value)
{
    free(redis_fixture_ask(&rig.redis, "XADD", "hoist:{default}:outbox", "*", name,
                           value, "id", "17", NULL));
}

/* A page is looked at again after 5 s, so that eight of them, one at a time, would not come in time. */
Test(worker_outbox, all_its_pages_go_at_once_and_what_is_no_event_holds_nothing_up)
{
    enum { JOBS = 60 };

    up("");
    post("event", "done");
    for (int i = 0; i < JOBS; i++) {
        struct job_id id =
            rig_put(&rig, &(struct rig_job){.data = "x", .hooks = "audit"});
        cancel(&id);
        if (i == JOBS / 2)
            post("rubbish", "done");
    }
    cr_assert(eq(long, ask("XLEN", "hoist:{default}:outbox"), JOBS + 2));
    struct spawn *a = rig_start(&rig, "a");
    (void)request(JOBS - 1);
    cr_expect(is_told());
    cr_expect(eq(sz, http_sink_count(sink), JOBS));
    cr_expect(eq(int, rig_log_count(a, "cannot be told to a webhook, left out"), 2));
}

/* Both stand in one page, which is refused as a whole and comes again in its order. */
Test(worker_outbox, what_did_not_fit_is_told_by_the_same_worker_in_order)
{
    up("");
    free(redis_fixture_ask(&rig.redis, "HSET", "hoist:{hooks}:conf", "max_length", "1",
                           NULL));
    free(redis_fixture_ask(&rig.redis, "ZADD", "hoist:{hooks}:later", "99999999999999",
                           PLAIN, NULL));
    struct job_id id = rig_put(
        &rig, &(struct rig_job){
                  .data = "x", .to = "nowhere", .max_attempts = 1, .hooks = "audit"});
    struct spawn *a = rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &id, "dead", 10000));
    cr_assert(WAIT_UNTIL(rig_log_count(a, "the queue of webhooks is full") > 0, 10000));
    cancel(&id);
    cr_assert(eq(long, ask("XLEN", "hoist:{default}:outbox"), 2));
    free(redis_fixture_ask(&rig.redis, "DEL", "hoist:{hooks}:conf",
                           "hoist:{hooks}:later", NULL));
    free(redis_fixture_ask(&rig.redis, "ZADD", "hoist:{default}:timers", "1",
                           "outbox:", NULL)); /* sooner than in 5 s */
    free(redis_fixture_ask(&rig.redis, "ZADD", "hoist:{default}:wake", "0", "0", NULL));
    struct http_sink_request first = request(0), second = request(1);
    cr_expect(eq(str, (char *)header(&first, "hoist-event"), "dead"));
    cr_expect(eq(str, (char *)header(&second, "hoist-event"), "cancelled"));
    cr_expect(is_told());
    cr_expect(eq(sz, http_sink_count(sink), 2));
}

/* --- deliveries --- */

Test(worker_outbox, a_delivery_says_what_it_sent_and_where_and_is_told_to_nobody)
{
    char callback[160], shown[128], hex[DIGEST_SHA256_HEX + 1], key[128];
    struct err e = ERR_INIT;

    up("http = yes\n");
    (void)snprintf(shown, sizeof shown, "%s/mine", http_sink_url(sink));
    (void)snprintf(callback, sizeof callback, "%s?token=hush", shown);
    struct job_id id =
        rig_put(&rig, &(struct rig_job){.data = "x", .callback = callback});
    (void)snprintf(key, sizeof key, "hoist:{default}:job:%s", id.uuid.text);
    free(redis_fixture_ask(&rig.redis, "HSET", key, "tracestate", "v=1", "traceparent",
                           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                           NULL));
    rig_start(&rig, "a");
    struct http_sink_request r = request(0);
    struct job_id hook = delivery(&r);
    cr_assert(rig_wait_state(&rig, &hook, "done", 10000));
    cr_expect(eq(str, (char *)header(&r, "tracestate"), "v=1"));
    cr_expect(eq(str, (char *)header(&r, "connection"), "close"));
    const char *signature = header(&r, "hoist-signature");
    int64_t off_s = strtoll(signature + 2, NULL, 10) - clock_wall_ms() / 1000;
    cr_expect(off_s > -86400 && off_s < 86400, "%s: in seconds", signature);
    cr_expect(eq(str, (char *)rig_field(&rig, &hook, "url"), shown));
    cr_expect(eq(i64, rig_number(&rig, &hook, "sent"), (int64_t)r.len));
    cr_assert(digest_sha256_hex(r.body, r.len, hex, &e) == ERR_OK);
    cr_expect(eq(str, (char *)rig_field(&rig, &hook, "sha256"), hex));
    cr_expect(eq(long, ask("EXISTS", "hoist:{hooks}:outbox"), 0));
}

Test(worker_outbox, what_is_not_allowed_any_more_dies_and_is_told_to_nobody)
{
    char callback[128], uuid[ID_UUID_LEN + 1] = "";
    struct job_id hook = {.queue = "hooks"};

    up(""); /* https alone */
    (void)snprintf(callback, sizeof callback, "%s/", http_sink_url(sink));
    rig_put(&rig, &(struct rig_job){.data = "x", .callback = callback});
    rig_start(&rig, "a");
    cr_assert(WAIT_UNTIL(ask("ZCARD", "hoist:{hooks}:dead") == 1, 10000));
    char *first =
        redis_fixture_ask(&rig.redis, "ZRANGE", "hoist:{hooks}:dead", "0", "0", NULL);
    (void)snprintf(uuid, sizeof uuid, "%s", first);
    free(first);
    memcpy(hook.uuid.text, uuid, sizeof uuid);
    cr_expect(eq(str, (char *)rig_field(&rig, &hook, "error_class"), "refused"));
    cr_expect(strstr(rig_field(&rig, &hook, "error"), "not https") != NULL);
    cr_expect(eq(sz, http_sink_count(sink), 0));
    cr_expect(eq(long, ask("EXISTS", "hoist:{hooks}:outbox"), 0));
}

Test(worker_outbox, a_delivery_that_hangs_can_be_cancelled)
{
    up("");
    http_sink_push(sink, (struct http_reply){.kind = HTTP_REPLY_HELD});
    rig_put(&rig, &(struct rig_job){.data = "x", .hooks = "audit"});
    rig_start(&rig, "a");
    struct http_sink_request r = request(0);
    struct job_id hook = delivery(&r);
    cr_assert(rig_is_leased(&rig, &hook));
    cancel(&hook);
    cr_expect(rig_wait_state(&rig, &hook, "cancelled", 10000));
}
