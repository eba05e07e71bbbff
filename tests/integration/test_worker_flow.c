/* What hoist-worker does when a store is down, slow to take requests, or asks to be left alone. */
#include "tests/integration/worker_rig.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shared/clock.h"
#include "tests/support/wait_until.h"
#include "worker/queue/ahead.h"

static struct worker_rig rig;

static void down(void)
{
    rig_down(&rig);
}

TestSuite(worker_flow, .fini = down, .timeout = 120);

static int ask(const char *command, const char *key)
{
    return (int)redis_fixture_ask_int(&rig.redis, command, key, NULL);
}

/* Calls of clients: commands that scripts make are in the statistics, too, and not among these. */
static int64_t calls(void)
{
    static const char *const names[] = {
        "cmdstat_evalsha:", "cmdstat_hgetall:", "cmdstat_bzpopmin:", "cmdstat_expire:",
        "cmdstat_smembers:"};
    char *info = redis_fixture_ask(&rig.redis, "INFO", "commandstats", NULL);
    int64_t n = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *at = strstr(info, names[i]);
        n += at ? strtoll(strchr(at, '=') + 1, NULL, 10) : 0;
    }
    free(info);
    return n;
}

/* What the worker says of destinations that rest; the caller frees. */
static char *paused(void)
{
    return redis_fixture_ask(&rig.redis, "HGET", "hoist:worker:a",
                             "paused_destinations", NULL);
}

static bool is_paused(const char *text)
{
    char *is = paused();
    bool same = *text ? strstr(is, text) != NULL : !*is;

    free(is);
    return same;
}

static struct job_id put_to(const char *to, const char *queue)
{
    return rig_put(
        &rig,
        &(struct rig_job){.data = "x", .to = to, .queue = queue, .max_attempts = 10});
}

static int64_t attempts_of(const struct job_id *ids, int count)
{
    int64_t sum = 0;

    for (int i = 0; i < count; i++)
        sum += rig_number(&rig, &ids[i], "attempts");
    return sum;
}

static void cancel(const struct job_id *id)
{
    struct redis_value *reply = NULL;
    struct redis_cmd cmd;
    struct err e = ERR_INIT;

    redis_cmd_init(&cmd);
    queue_cancel_cmd(&cmd, id, 60000);
    cr_assert(redis_call(rig.client, &cmd, &reply, &e) == ERR_OK, "%s", e.text);
    redis_reply_free(reply);
    redis_cmd_release(&cmd);
}

#define TO_S3 "[queue default]\nto = s3\n"

Test(worker_flow, a_store_that_is_down_costs_few_attempts_and_hardly_a_command)
{
    enum { COUNT = 200 };
    static struct job_id ids[COUNT];

    rig_up_s3(&rig, "concurrency = 8\nlease_ms = 10000\n" TO_S3);
    s3_faulty_down(rig.s3);
    for (int i = 0; i < COUNT; i++)
        ids[i] = put_to("s3", "default");
    struct spawn *w = rig_start(&rig, "a");
    cr_assert(WAIT_UNTIL(is_paused("s3 ("), 10000));
    cr_assert(WAIT_UNTIL(rig_log_count(w, "held back") >= 100, 10000), "sift.h");
    cr_assert(WAIT_UNTIL(ask("ZCARD", "hoist:{default}:later") < 20, 10000));
    int64_t before = calls(), began = clock_mono_ms();
    cr_assert(WAIT_UNTIL(clock_mono_ms() - began >= 3000, 10000));
    int64_t cost = calls() - before;
    fprintf(stderr, "3 s down: %d calls, %d attempts\n", (int)cost,
            (int)attempts_of(ids, COUNT));
    cr_expect(lt(i64, cost, 75));
    /* Those that found out, and were under way then. */
    cr_expect(le(i64, attempts_of(ids, COUNT), 16));
    cr_expect(lt(int, rig_log_count(w, "destination rests: nothing"), 2), "said once");
    cr_expect(eq(int, ask("ZCARD", "hoist:{default}:dead"), 0));

    s3_faulty_up(rig.s3);
    cr_assert(WAIT_UNTIL(ask("ZCARD", "hoist:{default}:done") == COUNT, 30000));
    cr_expect(eq(int, s3_faulty_objects(rig.s3), COUNT));
    cr_expect(le(i64, attempts_of(ids, COUNT), COUNT + 16), "%d",
              (int)attempts_of(ids, COUNT));
    cr_expect(WAIT_UNTIL(is_paused(""), 5000));
}

Test(worker_flow, requests_wait_for_their_turn_while_their_leases_are_renewed)
{
    enum { COUNT = 10 };
    struct job_id ids[COUNT];

    rig_up_s3(&rig, "concurrency = 16\n" TO_S3 "[destination s3]\nmax_requests = 3\n");
    s3_faulty_close_gate(rig.s3);
    for (int i = 0; i < COUNT; i++)
        ids[i] = put_to("s3", "default");
    struct spawn *w = rig_start(&rig, "a");
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 3, 10000));
    cr_assert(WAIT_UNTIL(rig_log_count(w, "at=transfer msg=started") == COUNT, 5000));
    int64_t began = clock_mono_ms();
    cr_assert(WAIT_UNTIL(clock_mono_ms() - began > 1500, 5000), "longer than a lease");
    cr_expect(eq(int, s3_faulty_count(rig.s3, NULL), 3));

    cancel(&ids[COUNT - 1]); /* one that waits */
    cr_expect(rig_wait_state(&rig, &ids[COUNT - 1], "cancelled", 5000));
    s3_faulty_open_gate(rig.s3);
    cr_assert(WAIT_UNTIL(s3_faulty_objects(rig.s3) == COUNT - 1, 10000));
    for (int i = 0; i < COUNT - 1; i++) {
        cr_assert(rig_wait_state(&rig, &ids[i], "done", 5000));
        cr_expect(eq(i64, rig_number(&rig, &ids[i], "attempts"), 1));
    }
}

Test(worker_flow, a_store_that_is_asked_too_much_gets_half_as_many_requests)
{
    enum { COUNT = 20 };

    rig_up_s3(&rig, "concurrency = 16\n" TO_S3 "[destination s3]\nmax_requests = 8\n");
    s3_faulty_push(
        rig.s3,
        (struct s3_fault){.kind = S3_FAULT_STATUS, .status = 503, .code = "SlowDown"});
    struct spawn *w = rig_start(&rig, "a");
    (void)put_to("s3", "default");
    cr_assert(WAIT_UNTIL(rig_log_count(w, "wants fewer requests") == 1, 10000));
    cr_assert(WAIT_UNTIL(s3_faulty_objects(rig.s3) == 1, 10000));
    int before = s3_faulty_count(rig.s3, "PUT");
    s3_faulty_close_gate(rig.s3);
    for (int i = 0; i < COUNT; i++)
        (void)put_to("s3", "default");
    cr_assert(WAIT_UNTIL(rig_log_count(w, "at=transfer msg=started") >= 16, 10000));
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 4, 5000));
    cr_expect(eq(int, s3_faulty_count(rig.s3, "PUT") - before, 4));
    s3_faulty_open_gate(rig.s3);
    cr_assert(WAIT_UNTIL(s3_faulty_objects(rig.s3) == COUNT + 1, 15000));
}

Test(worker_flow, jobs_for_others_get_through_a_queue_whose_store_is_down)
{
    enum { COUNT = 40 };
    struct job_id s3[COUNT], file[COUNT];

    rig_up_s3(&rig, "concurrency = 4\n" TO_S3);
    s3_faulty_down(rig.s3);
    for (int i = 0; i < COUNT; i++)
        s3[i] = put_to("s3", "default");
    for (int i = 0; i < COUNT; i++)
        file[i] = put_to("default", "default");
    rig_start(&rig, "a");
    cr_assert(WAIT_UNTIL(ask("ZCARD", "hoist:{default}:done") == COUNT, 30000));
    for (int i = 0; i < COUNT; i++)
        cr_expect(eq(str, (char *)rig_field(&rig, &file[i], "state"), "done"));
    cr_expect(le(i64, attempts_of(s3, COUNT), 8));
    s3_faulty_up(rig.s3);
    cr_assert(WAIT_UNTIL(ask("ZCARD", "hoist:{default}:done") == 2 * COUNT, 30000));
}

Test(worker_flow, other_queues_go_on_beside_jobs_for_a_store_that_is_down)
{
    enum { COUNT = 20 };
    struct job_id s3[COUNT];

    rig_up_s3(&rig, "concurrency = 4\n[queue other]\nto = default\n");
    s3_faulty_down(rig.s3);
    for (int i = 0; i < COUNT; i++)
        s3[i] = put_to("s3", "other"); /* not where its queue sends */
    for (int i = 0; i < COUNT; i++) {
        (void)put_to("default", "other");
        (void)put_to("default", "default");
    }
    rig_start(&rig, "a");
    cr_assert(WAIT_UNTIL(ask("ZCARD", "hoist:{default}:done") == COUNT, 20000));
    cr_assert(WAIT_UNTIL(ask("ZCARD", "hoist:{other}:done") == COUNT, 20000));
    cr_expect(le(i64, attempts_of(s3, COUNT), 8));
    s3_faulty_up(rig.s3);
    cr_assert(WAIT_UNTIL(ask("ZCARD", "hoist:{other}:done") == 2 * COUNT, 30000));
}

Test(worker_flow, a_store_is_left_alone_for_as_long_as_it_asks)
{
    rig_up_s3(&rig, "concurrency = 4\n" TO_S3);
    s3_faulty_push(rig.s3, (struct s3_fault){.kind = S3_FAULT_STATUS,
                                             .status = 503,
                                             .code = "SlowDown",
                                             .headers = "Retry-After: 2\r\n"});
    struct spawn *w = rig_start(&rig, "a");
    (void)put_to("s3", "default");
    cr_assert(WAIT_UNTIL(rig_log_count(w, "destination rests: nothing") == 1, 10000));
    int64_t began = clock_mono_ms();
    for (int i = 0; i < 5; i++)
        (void)put_to("s3", "default");
    cr_assert(WAIT_UNTIL(s3_faulty_count(rig.s3, NULL) > 1, 10000));
    cr_expect(ge(i64, clock_mono_ms() - began, 1500));
    cr_assert(WAIT_UNTIL(s3_faulty_objects(rig.s3) == 6, 20000));
}

Test(worker_flow, probes_cost_a_job_no_attempt)
{
    rig_up_s3(&rig, TO_S3 "[destination s3]\nbreaker_failures = 2\n"
                          "breaker_max_seconds = 1\n");
    for (int i = 0; i < 4; i++)
        s3_faulty_push(rig.s3, (struct s3_fault){.kind = S3_FAULT_STATUS,
                                                 .status = 500,
                                                 .code = "InternalError"});
    rig_start(&rig, "a");
    struct job_id id = rig_put(
        &rig, &(struct rig_job){.data = "patient", .to = "s3", .max_attempts = 3});
    cr_assert(rig_wait_state(&rig, &id, "done", 20000));
    cr_expect(ge(int, s3_faulty_count(rig.s3, "PUT"), 5));
    cr_expect(eq(i64, rig_number(&rig, &id, "attempts"), 2), "the first, and the last");
}

/* --- Claiming ahead (ahead.h) --- */

enum { SLOTS = 2 };

/* A worker that runs SLOTS jobs at the gate of the store, and holds as many that it claimed ahead. */
static struct spawn *hold_ahead(struct job_id *ids, int count)
{
    rig_up_s3(&rig, "concurrency = 2\nlease_ms = 10000\n" TO_S3);
    for (int i = 0; i < AHEAD_SAMPLES; i++)
        (void)put_to("s3", "default");
    struct spawn *w = rig_start(&rig, "a");
    cr_assert(WAIT_UNTIL(ask("ZCARD", "hoist:{default}:done") == AHEAD_SAMPLES, 10000));
    s3_faulty_close_gate(rig.s3);
    for (int i = 0; i < count; i++)
        ids[i] = put_to("s3", "default");
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == SLOTS, 10000));
    return w;
}

Test(worker_flow, what_was_claimed_ahead_and_waits_goes_back_to_its_place)
{
    enum { COUNT = 8 };
    static struct job_id ids[COUNT];

    struct spawn *w = hold_ahead(ids, COUNT);
    cr_assert(WAIT_UNTIL(rig_log_count(w, "released") == SLOTS, 10000));
    cr_expect(eq(int, s3_faulty_waiting(rig.s3), SLOTS),
              "no more than may run at once");
    cr_expect(eq(int, ask("ZCARD", "hoist:{default}:leased"), SLOTS));
    cr_expect(eq(int, ask("ZCARD", "hoist:{default}:ready"), COUNT - SLOTS));
    cr_expect(eq(i64, attempts_of(ids, COUNT), 0));
    char *next = redis_fixture_ask(&rig.redis, "ZRANGE", "hoist:{default}:ready", "0",
                                   "0", NULL);
    cr_expect(strstr(next, ids[SLOTS].uuid.text) != NULL, "the third is the next: %s",
              next);
    free(next);
    s3_faulty_open_gate(rig.s3);
    cr_assert(WAIT_UNTIL(ask("ZCARD", "hoist:{default}:done") == AHEAD_SAMPLES + COUNT,
                         10000));
    cr_expect(eq(i64, attempts_of(ids, COUNT), COUNT));
}

Test(worker_flow, what_was_claimed_ahead_goes_back_when_the_worker_is_told_to_stop)
{
    enum { COUNT = 3 * SLOTS };
    static struct job_id ids[COUNT];

    struct spawn *w = hold_ahead(ids, COUNT);
    spawn_signal(w, SIGTERM);
    cr_assert(WAIT_UNTIL(rig_log_count(w, "msg=draining") == 1, 10000));
    cr_assert(WAIT_UNTIL(ask("ZCARD", "hoist:{default}:leased") == SLOTS, 10000));
    cr_expect(eq(int, rig_log_count(w, "lost lease"), 0));
    s3_faulty_open_gate(rig.s3);
    int status = -1;
    cr_assert(spawn_wait(w, 10000, &status), "a second SIGTERM would not let them end");
    cr_expect(eq(int, status, 0));
    cr_expect(eq(int, ask("ZCARD", "hoist:{default}:ready"), COUNT - SLOTS));
    cr_expect(eq(int, s3_faulty_objects(rig.s3), AHEAD_SAMPLES + SLOTS));
    cr_expect(eq(i64, attempts_of(ids, COUNT), SLOTS), "no attempt was counted");
}

/* --- Begin no more (quiet.h) --- */

static bool worker_says(const char *field, const char *want)
{
    char *is = redis_fixture_ask(&rig.redis, "HGET", "hoist:worker:a", field, NULL);
    bool same = strcmp(is, want) == 0;

    free(is);
    return same;
}

static void tell_worker(const char *quiet)
{
    free(redis_fixture_ask(&rig.redis, "HSET", "hoist:worker:a", "quiet", quiet, NULL));
}

static bool all_are_done(int count)
{
    return WAIT_UNTIL(ask("ZCARD", "hoist:{default}:done") == count, 20000);
}

Test(worker_flow,
     a_quiet_worker_ends_what_it_runs_and_begins_no_more_until_it_is_resumed)
{
    enum { COUNT = 3 * SLOTS };
    static struct job_id ids[COUNT];

    struct spawn *w = hold_ahead(ids, COUNT);
    spawn_signal(w, SIGTSTP);
    cr_assert(WAIT_UNTIL(rig_log_count(w, "quiet: begins no more") == 1, 10000));
    (void)rig_put(&rig, &(struct rig_job){.data = "x", .to = "s3", .delay_ms = 1});
    s3_faulty_open_gate(rig.s3); /* what was claimed ahead does not run now */
    cr_assert(all_are_done(AHEAD_SAMPLES + SLOTS));
    cr_assert(
        WAIT_UNTIL(ask("ZCARD", "hoist:{default}:ready") == COUNT - SLOTS + 1, 20000),
        "what is due is readied all the same");
    cr_expect(eq(int, ask("ZCARD", "hoist:{default}:leased"), 0));
    cr_expect(eq(int, s3_faulty_objects(rig.s3), AHEAD_SAMPLES + SLOTS));
    cr_assert(WAIT_UNTIL(worker_says("quiet", "1"), 10000), "the signal is told");
    cr_expect_not(worker_says("quiet_since", "0"));
    free(redis_fixture_ask(&rig.redis, "HDEL", "hoist:worker:a", "quiet", NULL));
    cr_assert(WAIT_UNTIL(worker_says("quiet", "1"), 10000), "it is what it was");
    tell_worker("0");
    cr_assert(all_are_done(AHEAD_SAMPLES + COUNT + 1));
    cr_expect(eq(i64, attempts_of(ids, COUNT), COUNT), "none was counted twice");
    cr_assert(WAIT_UNTIL(worker_says("quiet_since", "0"), 10000));
    cr_expect(eq(int, rig_log_count(w, "not quiet any more"), 1));
}

Test(worker_flow, a_worker_hears_that_it_is_to_be_quiet_and_one_that_starts_is_not)
{
    enum { COUNT = 2 * SLOTS };
    static struct job_id ids[COUNT];

    struct spawn *w = hold_ahead(ids, COUNT);
    tell_worker("yes");
    cr_assert(WAIT_UNTIL(rig_log_count(w, "quiet: begins no more") == 1, 10000));
    cr_assert(WAIT_UNTIL(!worker_says("quiet_since", "0"), 10000));
    cr_assert(WAIT_UNTIL(ask("ZCARD", "hoist:{default}:leased") == SLOTS, 10000));
    s3_faulty_open_gate(rig.s3);
    cr_assert(all_are_done(AHEAD_SAMPLES + SLOTS));
    cr_expect(eq(int, ask("ZCARD", "hoist:{default}:ready"), SLOTS));
    spawn_signal(w, SIGKILL);
    rig_start(&rig, "a");
    cr_assert(all_are_done(AHEAD_SAMPLES + COUNT), "one of its name is another worker");
    cr_expect(worker_says("quiet", "0") && worker_says("quiet_since", "0"));
}
