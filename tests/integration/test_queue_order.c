/* Who comes next: priorities, groups in turn, retries in their place or behind, another priority for a waiting job. */
#include "tests/integration/queue_harness.h"
#include "tests/integration/queue_look.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(queue_order, .init = harness_up, .fini = harness_down, .timeout = 60);

static int64_t slots_of(const char *group)
{
    char *n = redis_fixture_ask(&h.server, "ZSCORE", "hoist:{q}:groups", group, NULL);
    int64_t slots = strtoll(n, NULL, 10);

    free(n);
    return slots;
}

static void expect_next(const struct job_id *want, const char *what)
{
    struct queue_claimed c = claim(1);

    cr_expect(c.count == 1 && same(&c.leases[0].id, want), "%s", what);
}

/* --- Priorities, many at a time --- */

Test(queue_order, many_jobs_of_one_call_stand_by_priority_and_then_as_they_were_given)
{
    static const int64_t priorities[] = {5, 0, 9, 0, 5, 1};
    static const size_t order[] = {1, 3, 5, 0, 4, 2};
    struct job jobs[6];
    enum queue_answer answers[6];

    for (size_t i = 0; i < 6; i++)
        jobs[i] = new_job(priorities[i], 0);
    enqueue_many(jobs, 6, answers);
    struct job_id after = add(0, 0);
    struct queue_claimed c = claim(100);
    cr_assert(c.count == 7);
    cr_expect(same(&c.leases[2].id, &after), "the next call stands behind");
    for (size_t i = 0, k = 0; i < 6; i++, k++) {
        k += k == 2;
        cr_expect(answers[i] == QUEUE_OK);
        cr_expect(same(&c.leases[k].id, &jobs[order[i]].id), "place %zu", k);
    }
    for (size_t i = 0; i < 6; i++)
        job_release(&jobs[i]);
    cr_expect(status().enqueued_total == 7);
}

/* --- Groups --- */

Test(queue_order, jobs_of_a_group_run_strictly_one_after_the_other)
{
    struct job_id ids[5];

    for (int i = 0; i < 5; i++)
        ids[i] = add_tied(&(struct tie){.group = "a"});
    cr_expect(stands(&ids[0], "ready", "waiting") &&
              stands(&ids[1], "grouped", "waiting"));
    cr_expect(status().grouped == 4);
    for (int i = 0; i < 5; i++) {
        struct queue_claimed c = claim(10);
        cr_assert(c.count == 1 && same(&c.leases[0].id, &ids[i]), "job %d", i);
        cr_assert(start(&c.leases[0]) == QUEUE_OK);
        cr_expect(claim(10).count == 0, "no other while it runs");
        (void)finish(&c.leases[0], JOB_DONE, 0);
    }
    cr_expect(slots_of("a") == 0 && status().grouped == 0);
}

Test(queue_order, the_next_of_a_group_comes_with_the_finish_of_the_one_before)
{
    add_tied(&(struct tie){.group = "a"});
    struct job_id second = add_tied(&(struct tie){.group = "a"});
    struct queue_lease l = claim_and_start();
    struct queue_claimed c = finish(&l, JOB_DONE, 1);

    cr_expect(c.count == 1 && same(&c.leases[0].id, &second));
}

Test(queue_order, priority_counts_inside_a_group_too)
{
    add_tied(&(struct tie){.group = "a", .priority = 5});
    struct job_id late = add_tied(&(struct tie){.group = "a", .priority = 5});
    struct job_id urgent = add_tied(&(struct tie){.group = "a", .priority = 1});

    run_one();
    cr_expect(stands(&urgent, "ready", "waiting") &&
              stands(&late, "grouped", "waiting"));
}

Test(queue_order, a_retry_keeps_its_groups_turn)
{
    struct job_id first = add_tied(&(struct tie){.group = "a"});
    struct job_id second = add_tied(&(struct tie){.group = "a"});

    pass(0);
    struct queue_lease l = claim_and_start();
    cr_assert(fail(&l, 5000) == QUEUE_OK);
    cr_expect(claim(10).count == 0, "the next does not overtake it");
    cr_expect(stands(&second, "grouped", "waiting"));
    pass(5000);
    promote_due();
    expect_next(&first, "the retry");
    cr_expect(slots_of("a") == 1);
}

Test(queue_order, groups_take_turns_whatever_their_backlog)
{
    struct job jobs[QUEUE_BATCH_MAX];
    enum queue_answer answers[QUEUE_BATCH_MAX];

    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++)
        jobs[i] = tied_job(&(struct tie){.group = "tenant-a"});
    enqueue_many(jobs, QUEUE_BATCH_MAX, answers);
    struct job_id b = add_tied(&(struct tie){.group = "tenant-b"});
    struct job_id none = add(0, 0);
    struct job_id first = run_one(), second = run_one(), third = run_one(),
                  fourth = run_one();
    cr_expect(same(&first, &jobs[0].id) && same(&second, &b) && same(&third, &none) &&
              same(&fourth, &jobs[1].id));
    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++)
        job_release(&jobs[i]);
}

Test(queue_order, names_of_groups_that_begin_alike_are_different_groups)
{
    static const char *const names[] = {"a", "a-b", "a.b", "a1", "A"};
    enum { COUNT = sizeof names / sizeof names[0] };
    struct job_id next[COUNT];

    for (size_t i = 0; i < COUNT; i++) {
        add_tied(&(struct tie){.group = names[i]});
        next[i] = add_tied(&(struct tie){.group = names[i]});
    }
    struct queue_claimed c = claim(10);
    cr_assert(c.count == COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        cr_expect(stands(&next[i], "grouped", "waiting"), "%s", names[i]);
        (void)finish(&c.leases[i], JOB_DONE, 0);
        cr_expect(stands(&next[i], "ready", "waiting"), "%s", names[i]);
    }
}

Test(queue_order, slots_of_groups_are_set_while_all_runs)
{
    struct job_id a[6], b[3];

    configure("group_max_inflight", "2");
    for (int i = 0; i < 6; i++)
        a[i] = add_tied(&(struct tie){.group = "a"});
    for (int i = 0; i < 3; i++)
        b[i] = add_tied(&(struct tie){.group = "b", .priority = 9});
    cr_expect(slots_of("a") == 2 && slots_of("b") == 2);
    configure("group_max_inflight:a", "4");
    run_one();
    cr_expect(slots_of("a") == 4, "as soon as one of it ends");
    cr_expect(slots_of("b") == 2 && stands(&b[2], "grouped", "waiting"));
    configure("group_max_inflight:a", "1");
    for (int i = 1; i < 5; i++) {
        cr_expect(stands(&a[5], "grouped", "waiting"), "fewer have their turn first");
        struct job_id ran = run_one();
        cr_expect(same(&ran, &a[i]), "%d", i);
    }
    cr_expect(stands(&a[5], "ready", "waiting") && slots_of("a") == 1);
    configure("group_max_inflight", NULL);
    cr_expect(cancel(&b[0]) == QUEUE_OK);
    cr_expect(slots_of("b") == 1 && stands(&b[2], "grouped", "waiting"));
}

Test(queue_order, more_slots_reach_groups_of_which_no_job_ends)
{
    pass(0);
    for (int i = 0; i < 4; i++) {
        add_tied(&(struct tie){.group = "a"});
        add_tied(&(struct tie){.group = "a-b"});
    }
    cr_assert(claim(10).count == 2);
    configure("group_max_inflight", "3");
    pass(1000);
    cr_expect(claim(10).count == 4, "whichever claim comes by after a second");
    cr_expect(slots_of("a") == 3 && slots_of("a-b") == 3);
}

Test(queue_order, a_group_is_held_to_its_rate_and_burst)
{
    pass(0);
    configure("group_rate", "2");
    configure("group_burst", "3");
    configure("group_max_inflight", "100");
    for (int i = 0; i < 10; i++)
        add_tied(&(struct tie){.group = "a"});
    struct queue_claimed c = claim(10);
    cr_expect(c.count == 3, "the burst: %zu", c.count);
    c = claim(10);
    cr_expect(c.count == 0 && c.next_ms > 0 && c.next_ms <= 500, "%ld",
              (long)c.next_ms);
    pass(c.next_ms - 1);
    cr_expect(claim(10).count == 0);
    pass(1);
    cr_expect(claim(10).count == 1);
    pass(10000);
    cr_expect(claim(10).count == 3, "never more than the burst at once");
    configure("group_rate:a", "1000");
    configure("group_burst:a", "1000");
    pass(10000);
    cr_expect(claim(10).count == 3, "its own rate counts from the next look on");
}

Test(queue_order, whatever_ends_a_grouped_job_frees_its_slot)
{
    struct job_id ids[7];

    for (int i = 0; i < 7; i++)
        ids[i] = add_tied(&(struct tie){.group = "a", .max_attempts = 1});
    cr_expect(cancel(&ids[0]) == QUEUE_OK, "while it is ready");
    cr_expect(stands(&ids[1], "ready", "waiting") && slots_of("a") == 1);
    cr_expect(cancel(&ids[2]) == QUEUE_OK, "while it waits for its turn");
    cr_expect(stands(&ids[2], "done", "cancelled") && slots_of("a") == 1);
    struct queue_lease l = claim_and_start();
    cr_expect(fail(&l, -1) == QUEUE_CONFLICT, "dead");
    cr_expect(stands(&ids[3], "ready", "waiting"));
    l = claim_and_start();
    expire(&ids[3]);
    cr_expect(reap(&ids[3]) == QUEUE_CONFLICT, "crashed in its last attempt");
    cr_expect(stands(&ids[4], "ready", "waiting"));
    l = claim_and_start();
    edit("DEL", key_of(&ids[4]).text, NULL);
    cr_expect(fail(&l, 1000) == QUEUE_MISSING, "its record was deleted by hand");
    cr_expect(stands(&ids[5], "ready", "waiting"));
    l = claim_and_start();
    edit("DEL", key_of(&ids[5]).text, NULL);
    cr_expect(finish(&l, JOB_DONE, 0).answers[0] == QUEUE_OK, "the same, finished");
    cr_expect(stands(&ids[6], "ready", "waiting") && slots_of("a") == 1);
    cr_expect(retry(&ids[1]) == QUEUE_OK, "a dead one begins anew at its groups end");
    cr_expect(stands(&ids[1], "grouped", "waiting"));
}

/* --- Where a retry goes --- */

Test(queue_order, a_retry_goes_behind_where_the_queue_says_so)
{
    struct job_id first = add(0, 0), second = add(0, 0), third = add(0, 0);

    pass(0);
    configure("retry_place", "tail");
    struct queue_lease l = claim_and_start();
    cr_assert(fail(&l, 10) == QUEUE_OK);
    pass(10);
    promote_due();
    l = claim_and_start();
    cr_expect(same(&l.id, &second));
    configure("retry_place", NULL);
    cr_assert(fail(&l, 10) == QUEUE_OK);
    pass(10);
    promote_due();
    expect_next(&second, "its place is kept again");
    expect_next(&third, "then those that never ran");
    expect_next(&first, "and the one that went behind");
}

/* --- Another priority --- */

Test(queue_order, another_priority_for_a_ready_job_keeps_its_age)
{
    struct job_id a = add(5, 0), b = add(5, 0), c = add(5, 0), d = add(3, 0);

    cr_expect(reprioritize(&c, 3) == QUEUE_OK);
    cr_expect(reprioritize(&a, 3) == QUEUE_OK);
    cr_expect_str_eq(last_state(), "waiting");
    cr_expect(field_is(&a, "priority", "3"));
    expect_next(&a, "the oldest of priority 3");
    expect_next(&c, "then the next");
    expect_next(&d, "then the youngest");
    expect_next(&b, "then the rest");
}

Test(queue_order, another_priority_for_a_job_that_waits_for_its_group)
{
    add_tied(&(struct tie){.group = "a", .priority = 5});
    struct job_id second = add_tied(&(struct tie){.group = "a", .priority = 5});
    struct job_id third = add_tied(&(struct tie){.group = "a", .priority = 5});

    cr_expect(reprioritize(&third, 5) == QUEUE_OK, "the same changes nothing");
    cr_expect(stands(&third, "grouped", "waiting"));
    cr_expect(reprioritize(&third, 2) == QUEUE_OK);
    cr_expect(stands(&third, "grouped", "waiting"));
    run_one();
    cr_expect(stands(&third, "ready", "waiting") &&
              stands(&second, "grouped", "waiting"));
    cr_expect(cancel(&second) == QUEUE_OK && cancel(&third) == QUEUE_OK);
    cr_expect(status().grouped == 0);
}

Test(queue_order, another_priority_for_a_scheduled_job_takes_effect_when_it_is_due)
{
    pass(0);
    struct job_id later = add_tied(&(struct tie){.priority = 9, .delay_ms = 1000});
    struct job_id now = add(4, 0), gone = add(0, 0);

    cr_expect(reprioritize(&later, 1) == QUEUE_OK);
    cr_expect_str_eq(last_state(), "scheduled");
    cr_expect(stands(&later, "later", "scheduled"));
    struct job_id ran = run_one();
    cr_assert(same(&ran, &gone));
    pass(1000);
    promote_due();
    expect_next(&later, "due, and before the other");
    cr_expect(reprioritize(&gone, 3) == QUEUE_CONFLICT);
    cr_expect_str_eq(last_state(), "done");
    cr_expect(is_in("ready", &now));
    struct job_id unknown = now;
    unknown.uuid = id_new();
    cr_expect(reprioritize(&unknown, 3) == QUEUE_MISSING);
    set_field(&now, "seq", "x");
    cr_expect(reprioritize(&now, 3) == QUEUE_BAD);
}
