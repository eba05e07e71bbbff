/* What people and idle workers do with a queue: cancel, retry, status, waking, registration. */
#include "tests/integration/queue_harness.h"
#include "tests/integration/queue_look.h"

#include "shared/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(queue_steering, .init = harness_up, .fini = harness_down, .timeout = 60);

/* --- cancel --- */

Test(queue_steering, cancel_of_a_job_nobody_has_is_immediate)
{
    struct job_id ready = add(0, 0), later = add(0, clock_wall_ms() + 3600000);

    cr_expect(cancel(&ready) == QUEUE_OK);
    cr_expect(cancel(&later) == QUEUE_OK);
    cr_expect(stands(&ready, "done", "cancelled"));
    cr_expect(stands(&later, "done", "cancelled"));
    cr_expect(redis_fixture_ask_int(&h.server, "PTTL", key_of(&ready).text, NULL) > 0);
    cr_expect(cancel(&ready) == QUEUE_CONFLICT);
    cr_expect_str_eq(last_state(), "cancelled");
    cr_expect(claim(10).count == 0);
    cr_expect(status().cancelled_total == 2);
}

Test(queue_steering, cancel_of_a_dead_job_frees_it)
{
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_and_start();

    cr_assert(fail(&l, -1) == QUEUE_CONFLICT);
    cr_expect(cancel(&id) == QUEUE_OK);
    cr_expect(stands(&id, "done", "cancelled"));
}

Test(queue_steering, cancel_of_a_running_job_tells_its_worker)
{
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_and_start();

    cr_expect(cancel(&id) == QUEUE_RUNNING);
    cr_expect(stands(&id, "leased", "running"));
    cr_expect(beat(&l, 1) == QUEUE_CANCELLED);
    cr_expect(finish(&l, JOB_CANCELLED, 0).answers[0] == QUEUE_OK);
    cr_expect(stands(&id, "done", "cancelled"));
    cr_expect(field_is(&id, "cancel", ""));
}

Test(queue_steering, cancel_between_claim_and_start_is_told_by_start)
{
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_one();
    struct job j = JOB_INIT;
    struct err why = ERR_INIT;

    cr_expect(cancel(&id) == QUEUE_RUNNING);
    cr_expect(start_record(&l, &j, &why) == QUEUE_CANCELLED);
    cr_expect(same(&j.id, &id) && j.attempts == 1, "it has begun");
    finish(&l, JOB_CANCELLED, 0);
    cr_expect(stands(&id, "done", "cancelled"));
    job_release(&j);
}

Test(queue_steering, a_cancelled_job_that_fails_or_crashes_does_not_run_again)
{
    struct job_id failing = add(0, 0);
    struct queue_lease l = claim_and_start();

    cr_assert(cancel(&failing) == QUEUE_RUNNING);
    cr_expect(fail(&l, 0) == QUEUE_CANCELLED);
    cr_expect(stands(&failing, "done", "cancelled"));
    struct job_id crashing = add(0, 0);
    claim_and_start();
    cr_assert(cancel(&crashing) == QUEUE_RUNNING);
    expire(&crashing);
    cr_expect(reap(&crashing) == QUEUE_CONFLICT);
    cr_expect_str_eq(last_state(), "cancelled");
    cr_expect(stands(&crashing, "done", "cancelled"));
    int64_t ttl =
        redis_fixture_ask_int(&h.server, "PTTL", key_of(&crashing).text, NULL);
    cr_expect(ttl > 3500000 && ttl <= 3600000, "kept as long as cancel said: %ld",
              (long)ttl);
}

Test(queue_steering, a_released_job_keeps_the_wish_to_cancel)
{
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_and_start();

    cr_assert(cancel(&id) == QUEUE_RUNNING);
    cr_expect(release(&l) == QUEUE_OK);
    l = claim_one();
    cr_expect(start(&l) == QUEUE_CANCELLED);
}

Test(queue_steering, cancel_of_what_has_ended_or_never_was)
{
    struct job_id done = add(0, 0), unknown = done;
    struct queue_lease l = claim_and_start();

    finish(&l, JOB_DONE, 0);
    cr_expect(cancel(&done) == QUEUE_CONFLICT);
    cr_expect_str_eq(last_state(), "done");
    unknown.uuid = id_new();
    cr_expect(cancel(&unknown) == QUEUE_MISSING);
}

/* --- retry --- */

Test(queue_steering, retry_runs_a_dead_job_at_its_old_place)
{
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_and_start();

    add(0, 0);
    cr_expect(retry(&id) == QUEUE_CONFLICT);
    cr_expect_str_eq(last_state(), "waiting", "until its first beat");
    cr_assert(fail(&l, -1) == QUEUE_CONFLICT);
    edit("DEL", "hoist:{q}:wake", NULL);
    cr_expect(retry(&id) == QUEUE_OK);
    cr_expect(card("wake") == 1);
    cr_expect(stands(&id, "ready", "waiting"));
    cr_expect(field_is(&id, "attempts", "") && field_is(&id, "ended", ""));
    cr_expect(retry(&id) == QUEUE_CONFLICT);
    l = claim_and_start();
    cr_expect(same(&l.id, &id));
    struct job_id unknown = id;
    unknown.uuid = id_new();
    cr_expect(retry(&unknown) == QUEUE_MISSING);
}

/* --- promote, before its time --- */

static enum queue_answer promote_now(const struct job_id *id)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    queue_promote_now_cmd(&c, id);
    return run_answer(&c);
}

Test(queue_steering, a_scheduled_job_runs_now_in_the_order_of_priority_and_place)
{
    struct job_id last = add(5, 0), urgent = add(1, clock_wall_ms() + 3600000);
    struct job_id first = add(5, clock_wall_ms() + 7200000), second = add(5, 0);

    edit("DEL", "hoist:{q}:wake", NULL);
    cr_expect(promote_now(&urgent) == QUEUE_OK);
    cr_expect_str_eq(last_state(), "waiting");
    cr_expect(card("wake") == 1, "who is idle looks");
    cr_expect(stands(&urgent, "ready", "waiting"));
    cr_expect(strtoll(field(&urgent, "due").text, NULL, 10) <= clock_wall_ms());
    cr_expect(promote_now(&first) == QUEUE_OK);
    cr_expect(promote_now(&first) == QUEUE_CONFLICT, "once");
    cr_expect_str_eq(last_state(), "waiting");
    const struct job_id *order[] = {&urgent, &last, &first, &second};
    for (size_t i = 0; i < 4; i++) {
        struct job_id ran = run_one();
        cr_expect(same(&ran, order[i]), "%zu: in the order of their coming", i);
    }
    cr_expect(status().scheduled == 0);
}

Test(queue_steering, a_retry_runs_now_with_its_attempts_its_place_and_its_groups_turn)
{
    for (int tail = 0; tail < 2; tail++) {
        struct job_id id = add_tied(&(struct tie){.group = "g"});
        struct job_id other = add(0, 0);
        struct job_id next = add_tied(&(struct tie){.group = "g"});
        struct queue_lease l = claim_and_start();

        cr_assert(same(&l.id, &id) && fail(&l, 3600000) == QUEUE_OK);
        configure("retry_place", tail ? "tail" : NULL);
        cr_expect(stands(&next, "grouped", "waiting"));
        cr_expect(promote_now(&id) == QUEUE_OK);
        cr_expect(stands(&id, "ready", "waiting") && field_is(&id, "attempts", "1"));
        cr_expect(stands(&next, "grouped", "waiting"), "it has its group's turn yet");
        struct job_id ran = run_one();
        cr_expect(same(&ran, tail ? &other : &id), "tail %d", tail);
        (void)run_one();
        ran = run_one();
        cr_expect(same(&ran, &next));
    }
}

/* What it says of a job that is not scheduled; nothing is changed. */
static void expect_refused(const struct job_id *id, const char *what, const char *line,
                           const char *state)
{
    cr_expect(promote_now(id) == QUEUE_CONFLICT, "%s", what);
    cr_expect_str_eq(last_state(), what);
    cr_expect(stands(id, line, state), "%s", what);
}

Test(queue_steering, only_what_waits_for_its_time_can_run_before_it)
{
    struct job_id taken = add(0, 0), unknown = taken;
    struct queue_lease l = claim_one();
    struct job_id parent = add_tied(&(struct tie){.group = "g", .priority = 9});
    struct job_id grouped = add_tied(&(struct tie){.group = "g"});
    struct job_id child = add_tied(&(struct tie){.after = &parent, .delay_ms = 9000});
    struct job_id dead = add(0, 0),
                  timed = add_tied(&(struct tie){.group = "g", .delay_ms = 3600000});

    expect_refused(&taken, "running", "leased", "waiting");
    cr_assert(start(&l) == QUEUE_OK);
    expect_refused(&taken, "running", "leased", "running");
    (void)finish(&l, JOB_DONE, 0);
    expect_refused(&taken, "done", "done", "done");
    l = claim_and_start();
    cr_assert(same(&l.id, &dead) && fail(&l, -1) == QUEUE_CONFLICT);
    expect_refused(&dead, "dead", "dead", "dead");
    expect_refused(&grouped, "waiting for its group", "grouped", "waiting");
    expect_refused(&child, "waiting for another job", "behind", "waiting");
    cr_assert(cancel(&parent) == QUEUE_OK);
    expect_refused(&parent, "cancelled", "done", "cancelled");
    unknown.uuid = id_new();
    cr_expect(promote_now(&unknown) == QUEUE_MISSING);
    cr_expect(promote_now(&timed) == QUEUE_OK);
    cr_expect(stands(&timed, "grouped", "waiting"), "the slot of its group is taken");
    expect_refused(&timed, "waiting for its group", "grouped", "waiting");
}

Test(queue_steering, a_child_runs_before_its_time_unless_its_parent_failed)
{
    struct job_id parent = add(0, 0);
    struct tie tie = {.after = &parent, .delay_ms = 3600000};
    struct job_id child = add_tied(&tie);

    (void)run_one();
    cr_expect(promote_now(&child) == QUEUE_OK, "its parent has just ended");
    cr_expect(stands(&child, "ready", "waiting"));
    (void)run_one();
    parent = add(0, 0);
    child = add_tied(&tie);
    cr_assert(cancel(&parent) == QUEUE_OK);
    cr_expect(promote_now(&child) == QUEUE_CONFLICT);
    cr_expect_str_eq(last_state(), "cancelled");
    cr_expect(stands(&child, "done", "cancelled"));
}

Test(queue_steering, an_impossible_record_is_not_run_before_its_time)
{
    struct job_id later = add(0, clock_wall_ms() + 3600000), ready = add(0, 0);

    set_field(&later, "seq", "x");
    set_field(&ready, "seq", "x");
    cr_expect(promote_now(&later) == QUEUE_CONFLICT);
    cr_expect_str_eq(last_state(), "dead");
    cr_expect(stands(&later, "dead", "dead"));
    cr_expect(promote_now(&ready) == QUEUE_BAD, "whoever claims it sees to it");
    cr_expect(stands(&ready, "ready", "waiting"));
}

/* --- waking --- */

static bool marker_pops(void)
{
    const char *queue = "q";
    struct redis_cmd c;

    redis_cmd_init(&c);
    queue_wait_cmd(&c, &queue, 1, 0.01);
    struct redis_value *v = run(&c);
    bool popped = redis_value_len(v) == 3;
    redis_reply_free(v);
    return popped;
}

Test(queue_steering, work_leaves_a_marker_and_idleness_none)
{
    cr_expect_not(marker_pops());
    add(0, 0);
    add(0, 0);
    cr_expect(marker_pops());
    cr_expect_not(marker_pops(), "one marker, however much work");
    cr_expect(claim(1).more);
    cr_expect(marker_pops(), "who leaves work behind puts it back");
    struct queue_claimed c = claim(1);
    cr_expect_not(c.more);
    cr_expect_not(marker_pops());
    cr_assert(start(&c.leases[0]) == QUEUE_OK);
    cr_assert(release(&c.leases[0]) == QUEUE_OK);
    cr_expect(marker_pops());
}

Test(queue_steering, a_new_first_due_time_wakes_to_reckon_again)
{
    int64_t soon = clock_wall_ms() + 600000;

    add(0, soon);
    cr_expect(marker_pops(), "the first");
    add(0, soon + 1000);
    cr_expect_not(marker_pops(), "a later one");
    add(0, soon - 1000);
    cr_expect(marker_pops(), "an earlier one");
    add(0, 0);
    cr_expect(marker_pops());
    struct queue_lease l = claim_and_start();
    cr_assert(fail(&l, 1000) == QUEUE_OK);
    cr_expect(marker_pops(), "a retry before the others");
}

Test(queue_steering, promote_and_reap_wake)
{
    struct job_id later = add(0, clock_wall_ms() + 3600000), taken = add(0, 0);

    claim_and_start();
    edit("DEL", "hoist:{q}:wake", NULL);
    make_due(&later);
    cr_assert(promote(&later) == QUEUE_OK);
    cr_expect(marker_pops());
    expire(&taken);
    cr_assert(reap(&taken) == QUEUE_OK);
    cr_expect(marker_pops());
}

/* --- looking --- */

Test(queue_steering, status_counts_and_knows_the_oldest)
{
    struct queue_status s = status();

    cr_expect(s.ready == 0 && s.oldest_created == 0 && s.enqueued_total == 0 &&
              !s.paused);
    struct job old = new_job(7, 0);
    old.id.uuid = id_format_uuid(INT64_C(1700000000000) * 1000000, 1);
    add(0, 0);
    cr_assert(enqueue(&old) == QUEUE_OK);
    add(7, 0);
    add(2, clock_wall_ms() + 3600000);
    s = status();
    cr_expect(s.ready == 3 && s.scheduled == 1 && s.running == 0);
    cr_expect(s.oldest_created == INT64_C(1700000000000), "%ld",
              (long)s.oldest_created);
    cr_expect(s.enqueued_total == 4);
    struct queue_lease l = claim_and_start();
    finish(&l, JOB_DONE, 1);
    s = status();
    cr_expect(s.ready == 1 && s.running == 1 && s.done == 1 && s.done_total == 1);
    job_release(&old);
}

Test(queue_steering, events_hold_id_and_state_and_nothing_else)
{
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_and_start();

    finish(&l, JOB_DONE, 0);
    char *events =
        redis_fixture_ask(&h.server, "XRANGE", "hoist:{q}:events", "-", "+", NULL);
    const char *at = events;
    static const char *const states[] = {"running", "done"};
    for (size_t i = 0; i < 2; i++) {
        char want[128];
        (void)snprintf(want, sizeof want, "%s\n%s", id.uuid.text, states[i]);
        at = strstr(at, want);
        cr_assert(at, "%s is missing or out of order", states[i]);
    }
    cr_expect(redis_fixture_ask_int(&h.server, "XLEN", "hoist:{q}:events", NULL) == 2);
    free(events);
}

Test(queue_steering, workers_and_queues_register_themselves)
{
    struct redis_cmd c[3];

    for (size_t i = 0; i < 3; i++)
        redis_cmd_init(&c[i]);
    queue_register_worker_cmds(c, &h.worker, "host7", 42, 3, 1700000000000, 90000);
    for (size_t i = 0; i < 3; i++)
        redis_reply_free(run(&c[i]));
    queue_register_queue_cmd(&c[0], "q");
    redis_reply_free(run(&c[0]));
    char *pid = redis_fixture_ask(&h.server, "HGET", "hoist:worker:w1", "pid", NULL);
    char *host = redis_fixture_ask(&h.server, "HGET", "hoist:worker:w1", "host", NULL);
    cr_expect_str_eq(pid, "42");
    cr_expect_str_eq(host, "host7");
    cr_expect(redis_fixture_ask_int(&h.server, "PTTL", "hoist:worker:w1", NULL) >
              80000);
    cr_expect(redis_fixture_ask_int(&h.server, "ZSCORE", "hoist:workers", "w1", NULL) ==
              1700000000000);
    cr_expect(
        redis_fixture_ask_int(&h.server, "SISMEMBER", "hoist:queues", "q", NULL) == 1);
    queue_unregister_worker_cmds(c, &h.worker);
    for (size_t i = 0; i < 2; i++)
        redis_reply_free(run(&c[i]));
    cr_expect(redis_fixture_ask_int(&h.server, "ZCARD", "hoist:workers", NULL) == 0);
    cr_expect(redis_fixture_ask_int(&h.server, "EXISTS", "hoist:worker:w1", NULL) == 0);
    free(pid);
    free(host);
}
