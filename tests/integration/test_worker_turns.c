/*
 * hoist-worker when the reply to a call is lost: Redis has carried it out, the worker never hears of it.  A lease of 30 s
 * makes sure that what is waited out, not read again, fails its test.
 */
#include "tests/integration/worker_rig.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shared/clock.h"
#include "tests/support/redis_faulty.h"
#include "tests/support/wait_until.h"

#define SETTINGS "lease_ms = 30000\n[spool]\nreconcile_seconds = 3600\n"

static struct worker_rig rig;
static struct redis_faulty proxy;

static void up(const char *settings, bool s3)
{
    char url[256];

    if (s3)
        rig_up_s3(&rig, settings);
    else
        rig_up(&rig, settings);
    redis_faulty_start(&proxy, tmpdir_file(&rig.dir, "proxy.sock"),
                       rig.redis.socket.path);
    (void)snprintf(url, sizeof url, "unix://%s", proxy.socket.path);
    cr_assert(eq(int, setenv("HOIST_REDIS_URL", url, 1), 0));
}

static void down(void)
{
    rig_down(&rig);
    redis_faulty_stop(&proxy);
}

TestSuite(worker_turns, .fini = down, .timeout = 120);

/* Lose the replies to the next count calls of this script. */
static void lose(const char *script, int count)
{
    for (size_t i = 0; queue_scripts[i]; i++)
        if (strcmp(queue_scripts[i]->name, script) == 0) {
            redis_faulty_swallow(&proxy, queue_scripts[i]->sha1_7, count);
            return;
        }
    cr_assert(false, "there is no script %s", script);
}

static int64_t counted(const char *name)
{
    return redis_fixture_ask_int(&rig.redis, "HGET", "hoist:{default}:stats", name,
                                 NULL);
}

static bool all_lost(void)
{
    return redis_faulty_to_swallow(&proxy) == 0;
}

Test(worker_turns, a_claim_whose_reply_was_lost_is_read_again)
{
    enum { COUNT = 5 };
    struct job_id ids[COUNT];

    up(SETTINGS, false);
    struct spawn *w = rig_start(&rig, "a");
    for (int i = 0; i < COUNT; i++) {
        lose("claim", 1);
        ids[i] = rig_put(&rig, &(struct rig_job){.data = "claimed"});
        cr_assert(rig_wait_state(&rig, &ids[i], "done", 5000));
        cr_assert(all_lost());
    }
    cr_expect(eq(i64, counted("started"), COUNT), "none was started twice");
    cr_expect(eq(int, rig_log_count(w, "msg=claimed"), COUNT));
}

Test(worker_turns, a_finish_whose_reply_was_lost_is_read_again)
{
    up(SETTINGS, false);
    struct spawn *w = rig_start(&rig, "a");
    lose("finish", 1);
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "finished"});

    cr_expect(rig_wait_unspooled(&rig, &id, 5000), "by the worker: reconcile is off");
    cr_assert(all_lost());
    cr_expect(rig_wait_state(&rig, &id, "done", 1000));
    cr_expect(eq(i64, counted("done"), 1));
    cr_expect(WAIT_UNTIL(rig_log_count(w, "msg=done") == 1, 1000));
    cr_expect(eq(int, rig_log_count(w, "lost lease"), 0));
}

/* So many jobs, two at a time, while replies to this script are lost. */
static struct spawn *do_jobs(const char *script, struct job_id *ids, int count)
{
    up("concurrency = 2\n" SETTINGS, false);
    for (int i = 0; i < count; i++)
        ids[i] = rig_put(&rig, &(struct rig_job){.data = "one of many"});
    lose(script, 4);
    struct spawn *w = rig_start(&rig, "a");
    for (int i = 0; i < count; i++) {
        cr_assert(rig_wait_state(&rig, &ids[i], "done", 15000));
        cr_expect(eq(i64, rig_number(&rig, &ids[i], "attempts"), 1));
        cr_expect(rig_wait_unspooled(&rig, &ids[i], 2000));
    }
    cr_expect(all_lost());
    cr_expect(eq(i64, counted("done"), count));
    return w;
}

Test(worker_turns, jobs_that_a_lost_finish_claimed_run_once_and_at_once)
{
    enum { COUNT = 40 };
    struct job_id ids[COUNT];
    struct spawn *w = do_jobs("finish", ids, COUNT);

    cr_expect(eq(i64, counted("started"), COUNT), "none was started twice");
    cr_expect(eq(int, rig_log_count(w, "msg=done"), COUNT));
    cr_expect(eq(int, rig_log_count(w, "lost lease"), 0));
}

Test(worker_turns, a_start_whose_reply_was_lost_costs_no_attempt)
{
    enum { COUNT = 40 };
    struct job_id ids[COUNT];

    (void)do_jobs("start", ids, COUNT);
}

Test(worker_turns, a_claim_that_is_heard_when_its_lease_is_over_is_no_crash)
{
    up("lease_ms = 1000\n[spool]\nreconcile_seconds = 3600\n", false);
    struct spawn *w = rig_start(&rig, "a");
    lose("claim", 1);
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "late news"});

    cr_assert(WAIT_UNTIL(all_lost(), 5000));
    redis_fixture_pause(&rig.redis);
    int64_t until_ms = wait_now_ms() + 2500;
    cr_assert(WAIT_UNTIL(wait_now_ms() >= until_ms, 5000), "the lease is over");
    redis_fixture_resume(&rig.redis);
    cr_assert(rig_wait_state(&rig, &id, "done", 8000));
    cr_expect(eq(i64, rig_number(&rig, &id, "crashes"), 0));
    cr_expect(eq(i64, counted("started"), 1));
    cr_expect(eq(int, rig_log_count(w, "taken back"), 0));
}

/* What Redis remembers of the latest call that brought something begins with its turn. */
static int64_t last_turn(void)
{
    char *claim =
        redis_fixture_ask(&rig.redis, "HGET", "hoist:{default}:claims", "same", NULL);
    int64_t turn = strtoll(claim, NULL, 10);

    free(claim);
    return turn;
}

Test(worker_turns, a_worker_that_takes_up_a_name_never_meets_the_turns_of_the_last_one)
{
    int64_t last = clock_wall_ms() * 1000;

    up(SETTINGS, false);
    for (int life = 0; life < 3; life++) {
        struct spawn *w = rig_start(&rig, "same");
        struct job_id id = rig_put(&rig, &(struct rig_job){.data = "again"});
        cr_assert(rig_wait_state(&rig, &id, "done", 5000));
        int64_t first = last_turn() - 10; /* it has made less calls than that */
        cr_expect(first > last, "life %d: %" PRId64 ", %" PRId64, life, first, last);
        spawn_kill(w);
        last = last_turn();
    }
}

Test(worker_turns, a_drain_tells_the_ends_that_could_not_be_told_yet)
{
    enum { COUNT = 3 };
    struct job_id ids[COUNT];
    int status = -1;

    up("drain_seconds = 20\n" SETTINGS, true);
    struct spawn *w = rig_start(&rig, "a");
    s3_faulty_close_gate(rig.s3);
    for (int i = 0; i < COUNT; i++)
        ids[i] = rig_put(&rig, &(struct rig_job){.data = "drained", .to = "s3"});
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == COUNT, 5000));
    redis_fixture_pause(&rig.redis);
    s3_faulty_open_gate(rig.s3);
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 0, 5000));
    cr_assert(WAIT_UNTIL(rig_log_count(w, "redis is away") > 0, 8000));

    spawn_signal(w, SIGTERM);
    cr_assert(WAIT_UNTIL(rig_log_count(w, "msg=draining") == 1, 2000));
    redis_fixture_resume(&rig.redis);
    cr_assert(spawn_wait(w, 10000, &status));
    cr_expect(eq(int, status, 0));
    cr_expect(eq(i64, counted("done"), COUNT));
    cr_expect(eq(i64, counted("started"), COUNT));
    for (int i = 0; i < COUNT; i++) {
        cr_expect(rig_wait_state(&rig, &ids[i], "done", 100));
        cr_expect(rig_wait_unspooled(&rig, &ids[i], 100));
    }
}

Test(worker_turns, a_worker_stops_at_once_when_only_a_claim_is_unheard)
{
    up("drain_seconds = 30\n" SETTINGS, false);
    struct spawn *w = rig_start(&rig, "a");
    redis_fixture_pause(&rig.redis);
    cr_assert(WAIT_UNTIL(rig_log_count(w, "redis is away") > 0, 10000));
    int status = -1;

    spawn_signal(w, SIGTERM);
    cr_expect(spawn_wait(w, 4000, &status));
    cr_expect(eq(int, status, 0));
    redis_fixture_resume(&rig.redis);
}

Test(worker_turns, and_when_it_is_asked_to_stop_while_the_claim_is_under_way)
{
    int status = -1;

    up("drain_seconds = 30\n" SETTINGS, false);
    struct spawn *w = rig_start(&rig, "a");
    int64_t begin = wait_now_ms();
    (void)rig_put(&rig, &(struct rig_job){.data = "due", .delay_ms = 1500});
    cr_assert(WAIT_UNTIL(wait_now_ms() >= begin + 1000, 2000));
    redis_fixture_pause(&rig.redis);
    cr_assert(WAIT_UNTIL(wait_now_ms() >= begin + 2000, 2000), "it has looked by now");
    cr_assert(eq(int, rig_log_count(w, "redis is away"), 0), "and waits for the reply");
    spawn_signal(w, SIGTERM);
    cr_expect(spawn_wait(w, 4000, &status));
    cr_expect(eq(int, status, 0));
    redis_fixture_resume(&rig.redis);
}

static enum queue_answer cancel(const struct job_id *id)
{
    struct redis_cmd cmd;
    struct redis_value *reply = NULL;
    enum queue_answer answer = QUEUE_OK;
    struct err e = ERR_INIT;

    redis_cmd_init(&cmd);
    queue_cancel_cmd(&cmd, id, 60000);
    cr_assert(redis_call(rig.client, &cmd, &reply, &e) == ERR_OK, "%s", e.text);
    cr_assert(queue_parse_answer(reply, &answer, NULL, &e) == ERR_OK, "%s", e.text);
    redis_reply_free(reply);
    redis_cmd_release(&cmd);
    return answer;
}

Test(worker_turns, a_running_job_is_cancelled_within_three_seconds_whatever_the_lease)
{
    up(SETTINGS, true);
    rig_start(&rig, "a");
    s3_faulty_close_gate(rig.s3);
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "stop me", .to = "s3"});

    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 1, 5000));
    int64_t begin = wait_now_ms();
    cr_assert(eq(int, cancel(&id), QUEUE_RUNNING));
    cr_expect(rig_wait_state(&rig, &id, "cancelled", 6000));
    int64_t took = wait_now_ms() - begin;
    fprintf(stderr, "cancelled after %d ms\n", (int)took);
    cr_expect(le(i64, took, 3000));
    cr_expect(rig_wait_unspooled(&rig, &id, 1000));
    s3_faulty_open_gate(rig.s3);
}
