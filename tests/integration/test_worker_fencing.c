/*
 * A worker that was stopped, or cut off from Redis, for longer than its lease, while another has its job: at every step of
 * the job.  Worker "a" goes through a proxy before Redis, "b" does not.  The store overwrites where that shows more.
 */
#include "tests/integration/worker_rig.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/support/redis_faulty.h"
#include "tests/support/wait_until.h"

enum {
    LEASE_MS = 1000,
    STOPPED_MS = 3 * LEASE_MS,
    LARGE =
        15
        << 20, /* more than the buffers of a connection hold, and still one request */
    FIRST_OF_IT = 64 * 1024
};

/* Time-outs of commands would hide what an answer from the past leads to. */
#define PATIENT "[redis]\ntimeout_ms = 60000\n"
#define ALONE "[spool]\nreconcile_seconds = 3600\n"
#define OVERWRITES "[destination s3]\nconditional = no\n"

static struct worker_rig rig;
static struct redis_faulty proxy;
static struct spawn *a, *b;
static struct job_id id;

static void up(const char *settings)
{
    char url[256];

    rig_up_s3(&rig, settings);
    redis_faulty_start(&proxy, tmpdir_file(&rig.dir, "proxy.sock"),
                       rig.redis.socket.path);
    (void)snprintf(url, sizeof url, "unix://%s", proxy.socket.path);
    cr_assert(eq(int, setenv("HOIST_REDIS_URL", url, 1), 0));
    a = rig_start(&rig, "a");
    cr_assert(eq(int, unsetenv("HOIST_REDIS_URL"), 0));
    s3_faulty_close_gate(rig.s3);
}

static void down(void)
{
    rig_down(&rig);
    redis_faulty_stop(&proxy);
}

TestSuite(worker_fencing, .fini = down, .timeout = 120);

static void put(void)
{
    id = rig_put(&rig, &(struct rig_job){.data = "of one worker", .to = "s3"});
}

/* Its upload stands in the middle of its body once this returns. */
static void put_and_wait_in_body(void)
{
    s3_faulty_push(
        rig.s3, (struct s3_fault){.kind = S3_FAULT_GATE_IN_BODY, .bytes = FIRST_OF_IT});
    id = rig_put(&rig, &(struct rig_job){.size = LARGE, .to = "s3"});
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 1, 5000));
}

static void wait_at_gate(int count)
{
    bool met = WAIT_UNTIL(s3_faulty_waiting(rig.s3) == count, 3 * LEASE_MS + 5000);

    if (!met)
        for (size_t i = 0; i < rig.worker_count; i++)
            spawn_show_log(&rig.workers[i]);
    cr_assert(met, "%d at the gate, not %d", s3_faulty_waiting(rig.s3), count);
}

/* Replies to a stay in the proxy from its next call of this script on. */
static void hold(const char *script)
{
    for (size_t i = 0; queue_scripts[i]; i++)
        if (strcmp(queue_scripts[i]->name, script) == 0) {
            redis_faulty_hold(&proxy, queue_scripts[i]->sha1_7);
            return;
        }
    cr_assert(false, "there is no script %s", script);
}

static int64_t counted(const char *name)
{
    return redis_fixture_ask_int(&rig.redis, "HGET", "hoist:{default}:stats", name,
                                 NULL);
}

/* How often the stream of events names this state. */
static int events(const char *state)
{
    char *all = redis_fixture_ask(&rig.redis, "XRANGE", "hoist:{default}:events", "-",
                                  "+", NULL);
    size_t len = strlen(state);
    int count = 0;

    for (const char *at = all; (at = strstr(at, state)); at += len)
        count += at > all && at[-1] == '\n' && (at[len] == '\n' || at[len] == '\0');
    free(all);
    return count;
}

/* Stop a, start b, and let three leases pass. */
static void stop_a_start_b(void)
{
    spawn_pause(a);
    int64_t until_ms = wait_now_ms() + STOPPED_MS;
    b = rig_start(&rig, "b");
    cr_assert(WAIT_UNTIL(wait_now_ms() >= until_ms, 2 * STOPPED_MS));
}

static int stored(void)
{
    struct s3_faulty_object o;
    char path[256];

    (void)snprintf(path, sizeof path, "/bucket/pre/%s", id.uuid.text);
    return s3_faulty_object(rig.s3, path, &o) ? o.stored : 0;
}

/* a, running again, has understood that its lease is another's, and has not touched the files that b needs. */
static void expect_a_fenced(void)
{
    bool fenced = WAIT_UNTIL(rig_log_count(a, "lost lease") == 1, 5000);

    if (!fenced)
        spawn_show_log(a);
    cr_expect(fenced);
    cr_expect(rig_in_spool(&rig, &id), "the loser removes nothing");
}

/* b has done it, and it alone, in the second of two leases. */
static void expect_done_by_b(int attempts)
{
    cr_assert(rig_wait_state(&rig, &id, "done", 10000));
    cr_expect(rig_wait_unspooled(&rig, &id, 5000));
    cr_expect(eq(int, stored(), 1), "one object, stored once");
    cr_expect(eq(i64, rig_number(&rig, &id, "attempts"), attempts));
    cr_expect(
        eq(i64, redis_fixture_ask_int(&rig.redis, "GET", "hoist:{default}:fence", NULL),
           2));
    cr_expect(eq(i64, counted("done"), 1));
    cr_expect(eq(int, events("done"), 1));
    cr_expect(eq(int, rig_log_count(b, "msg=done"), 1));
    cr_expect(eq(int, rig_log_count(a, "msg=done"), 0));
    cr_expect(eq(int, rig_log_count(a, "lost lease"), 1));
}

Test(worker_fencing, stopped_when_the_job_is_claimed_and_not_started)
{
    up(PATIENT ALONE);
    hold("claim");
    put();
    /* A claim by time may have found nothing: the next one then. */
    for (int i = 0; i < 50 && !WAIT_UNTIL(rig_is_leased(&rig, &id), 100); i++)
        hold("claim");
    cr_assert(rig_is_leased(&rig, &id));
    stop_a_start_b();
    wait_at_gate(1);
    redis_faulty_let_go(&proxy);
    spawn_resume(a);

    expect_a_fenced();
    cr_expect(eq(int, s3_faulty_count(rig.s3, "PUT"), 1), "a has sent nothing");
    s3_faulty_open_gate(rig.s3);
    expect_done_by_b(1);
}

Test(worker_fencing, stopped_when_the_job_is_started_and_its_upload_not_begun)
{
    up(PATIENT ALONE OVERWRITES);
    hold("start");
    put();
    cr_assert(WAIT_UNTIL(redis_faulty_is_holding(&proxy), 5000));
    cr_assert(WAIT_UNTIL(counted("started") == 1, 5000));
    stop_a_start_b();
    wait_at_gate(1);
    redis_faulty_let_go(&proxy);
    spawn_resume(a);

    expect_a_fenced();
    cr_expect(eq(int, s3_faulty_count(rig.s3, "PUT"), 1), "a has sent nothing");
    s3_faulty_open_gate(rig.s3);
    expect_done_by_b(2);
}

Test(worker_fencing, stopped_in_the_middle_of_a_body)
{
    up(ALONE OVERWRITES);
    put_and_wait_in_body();
    spawn_pause(a);
    b = rig_start(&rig, "b");
    wait_at_gate(2);
    s3_faulty_open_gate(
        rig.s3); /* the store wants the rest of a's body, and gets b's */
    cr_assert(rig_wait_state(&rig, &id, "done", 10000));
    cr_assert(rig_wait_unspooled(&rig, &id, 5000));
    spawn_resume(a);

    cr_expect(WAIT_UNTIL(rig_log_count(a, "lost lease") == 1, 5000));
    cr_expect(eq(int, rig_log_count(a, "upload stopped"), 1));
    expect_done_by_b(2);
}

Test(worker_fencing, stopped_when_the_store_has_answered_and_finish_is_not_sent)
{
    up(ALONE);
    put();
    wait_at_gate(1);
    spawn_pause(a);
    s3_faulty_open_gate(rig.s3);
    cr_assert(WAIT_UNTIL(stored() == 1, 5000), "and the answer is on its way to a");
    s3_faulty_close_gate(rig.s3);
    stop_a_start_b();
    wait_at_gate(1);
    spawn_resume(a);

    expect_a_fenced();
    s3_faulty_open_gate(rig.s3);
    expect_done_by_b(2);
}

Test(worker_fencing, stopped_when_finish_is_answered_and_the_spool_not_yet_unlinked)
{
    up(PATIENT "[spool]\nreconcile_seconds = 1\n");
    hold("finish");
    put();
    wait_at_gate(1);
    s3_faulty_open_gate(rig.s3);
    cr_assert(rig_wait_state(&rig, &id, "done", 5000));
    cr_assert(redis_faulty_is_holding(&proxy), "a does not know yet");
    s3_faulty_close_gate(rig.s3);
    /* Redis forgets that it was done, and b makes the job again from the spool. */
    spawn_pause(a);
    free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL, NULL, NULL));
    stop_a_start_b();
    wait_at_gate(1);
    redis_faulty_let_go(&proxy);
    spawn_resume(a);

    cr_assert(WAIT_UNTIL(rig_log_count(a, "msg=done") == 1, 5000), "a hears its OK");
    cr_expect(WAIT_UNTIL(rig_log_count(a, "spool files stay") == 1, 5000));
    cr_expect(rig_in_spool(&rig, &id), "they are b's now");
    s3_faulty_open_gate(rig.s3);
    cr_assert(rig_wait_state(&rig, &id, "done", 10000));
    cr_expect(rig_wait_unspooled(&rig, &id, 5000));
    cr_expect(eq(int, stored(), 1), "one object, stored once");
    cr_expect(eq(i64, counted("done"), 1));
    cr_expect(eq(int, rig_log_count(b, "msg=done"), 1));
}

/* ms until the lease ends, by Redis' own clock. */
static int64_t lease_left_ms(void)
{
    int64_t until_ms = redis_fixture_ask_int(
        &rig.redis, "ZSCORE", "hoist:{default}:leased", id.uuid.text, NULL);
    char *now = redis_fixture_ask(&rig.redis, "TIME", NULL, NULL, NULL);
    int64_t now_ms =
        strtoll(now, NULL, 10) * 1000 + strtoll(strchr(now, '\n') + 1, NULL, 10) / 1000;

    free(now);
    return until_ms - now_ms;
}

Test(worker_fencing, cut_off_from_redis_a_worker_stops_its_upload_before_its_lease_ends)
{
    up(ALONE OVERWRITES);
    put_and_wait_in_body();
    redis_faulty_hold(&proxy, "");
    cr_assert(WAIT_UNTIL(rig_log_count(a, "upload stopped") == 1, 5000));
    cr_expect(lease_left_ms() > 0, "%d ms", (int)lease_left_ms());
    b = rig_start(&rig, "b");
    wait_at_gate(2); /* one of them has been left by a */
    redis_faulty_let_go(&proxy);

    expect_a_fenced();
    s3_faulty_open_gate(rig.s3);
    expect_done_by_b(2);
}

Test(worker_fencing, cut_off_for_good_a_worker_stays_out_of_it)
{
    up(ALONE OVERWRITES);
    put_and_wait_in_body();
    redis_faulty_cut(&proxy, "-LOADING for ever\r\n");
    cr_assert(WAIT_UNTIL(rig_log_count(a, "upload stopped") == 1, 5000));
    b = rig_start(&rig, "b");
    wait_at_gate(2);
    s3_faulty_open_gate(rig.s3);
    cr_assert(rig_wait_state(&rig, &id, "done", 10000));
    cr_expect(rig_wait_unspooled(&rig, &id, 5000));
    redis_faulty_pass(&proxy);

    cr_expect(WAIT_UNTIL(rig_log_count(a, "lost lease") == 1, 10000));
    expect_done_by_b(2);
}

/* What an operator may do who believes that a has died. */
static void take_from_a_by_hand(void)
{
    free(redis_fixture_ask(&rig.redis, "ZREM", "hoist:{default}:leased", id.uuid.text,
                           NULL));
    free(redis_fixture_ask(&rig.redis, "ZADD", "hoist:{default}:ready", "1",
                           id.uuid.text, NULL));
}

Test(worker_fencing, two_workers_with_one_job_make_one_object_and_one_end)
{
    up("lease_ms = 30000\n" ALONE);
    put();
    wait_at_gate(1);
    take_from_a_by_hand();
    b = rig_start(&rig, "b");
    wait_at_gate(2);
    /* Both are told that their object is there, and both finish. */
    s3_faulty_open_gate(rig.s3);

    cr_expect(WAIT_UNTIL(rig_log_count(a, "lost lease") == 1, 10000));
    expect_done_by_b(1);
}

Test(worker_fencing, the_first_of_two_workers_stops_when_a_beat_says_so)
{
    up("lease_ms = 3000\n" ALONE OVERWRITES);
    put_and_wait_in_body();
    take_from_a_by_hand();
    b = rig_start(&rig, "b");
    wait_at_gate(2);

    expect_a_fenced();
    s3_faulty_open_gate(rig.s3);
    expect_done_by_b(1);
}
