/* Limits of a queue, set while it runs: paused, rate, jobs in flight, length, bytes. */
#include "tests/integration/queue_harness.h"
#include "tests/integration/queue_look.h"

#include <criterion/criterion.h>

TestSuite(queue_limits, .init = harness_up, .fini = harness_down, .timeout = 60);

static void pop_marker(void)
{
    edit("DEL", "hoist:{q}:wake", NULL);
}

Test(queue_limits, pausing_and_going_on_are_told_to_those_who_sleep)
{
    add(0, 0);
    configure("paused", "1");
    pop_marker();
    struct queue_claimed c = claim(10);
    cr_expect(c.count == 0 && !c.more && card("wake") == 0);
    configure("paused", "0");
    cr_expect(card("wake") == 1);
    cr_expect(claim(10).count == 1);
}

Test(queue_limits, a_queue_is_held_to_its_rate_and_burst)
{
    pass(0);
    for (int i = 0; i < 60; i++)
        add(0, 0);
    configure("rate", "10");
    configure("burst", "20");
    pop_marker();
    struct queue_claimed c = claim(100);
    cr_expect(c.count == 20 && !c.more, "%zu", c.count);
    cr_expect(c.next_ms == 100, "until the next token: %ld", (long)c.next_ms);
    cr_expect(card("wake") == 0, "nobody is woken for what is not to be had");
    cr_expect(claim(100).count == 0);
    pass(99);
    cr_expect(claim(100).count == 0);
    pass(1);
    cr_expect(claim(100).count == 1);
    pass(1000);
    cr_expect(claim(100).count == 10, "ten a second");
    pass(3600000);
    cr_expect(claim(5).count == 5);
    cr_expect(claim(100).count == 15, "never more than the burst at once");
    configure("rate", NULL);
    cr_expect(claim(100).count == 9, "all the rest");
}

Test(queue_limits, a_rate_below_one_a_second)
{
    pass(0);
    add(0, 0);
    add(0, 0);
    configure("rate", "0.5");
    cr_expect(claim(10).count == 1);
    struct queue_claimed c = claim(10);
    cr_expect(c.count == 0 && c.next_ms == 2000, "%ld", (long)c.next_ms);
    pass(2000);
    cr_expect(claim(10).count == 1);
}

Test(queue_limits, so_many_in_flight_and_no_more)
{
    struct queue_lease l[2];

    for (int i = 0; i < 6; i++)
        add(0, 0);
    configure("max_inflight", "2");
    struct queue_claimed c = claim(10);
    cr_assert(c.count == 2);
    l[0] = c.leases[0];
    l[1] = c.leases[1];
    pop_marker();
    c = claim(10);
    cr_expect(c.count == 0 && !c.more && card("wake") == 0);
    cr_assert(start(&l[0]) == QUEUE_OK && start(&l[1]) == QUEUE_OK);
    c = finish(&l[0], JOB_DONE, 5);
    cr_expect(c.count == 1, "one has left, one may come");
    pop_marker();
    cr_expect(fail(&l[1], -1) == QUEUE_CONFLICT);
    cr_expect(card("wake") == 1, "there is room: somebody is woken");
    cr_expect(claim(10).count == 1);
    configure("max_inflight", "4");
    cr_expect(claim(10).count == 2);
    configure("max_inflight", "0");
    cr_expect(claim(10).count == 0 && status().ready == 0);
}

Test(queue_limits, a_finish_that_wants_nothing_wakes_another_for_the_room_it_leaves)
{
    add(0, 0);
    add(0, 0);
    configure("max_inflight", "1");
    struct queue_lease l = claim_and_start();
    pop_marker();
    struct queue_claimed c = finish(&l, JOB_DONE, 0);
    cr_expect(c.count == 0 && c.more && card("wake") == 1);
}

Test(queue_limits, rate_and_in_flight_together_wake_nobody_for_nothing)
{
    for (int i = 0; i < 5; i++)
        add(0, 0);
    configure("max_inflight", "1");
    configure("rate", "100");
    cr_assert(claim(10).count == 1);
    pop_marker();
    struct queue_claimed c = claim(10);
    cr_expect(c.count == 0 && !c.more && card("wake") == 0);
}

Test(queue_limits, a_crash_frees_its_room_when_it_is_reaped)
{
    struct job_id id = add(0, 0);

    add(0, 0);
    configure("max_inflight", "1");
    claim_and_start();
    expire(&id);
    struct queue_claimed c = claim(10);
    cr_expect(c.count == 0 && c.expired_count == 1, "nobody has reaped it");
    pop_marker();
    cr_assert(reap(&id) == QUEUE_OK);
    cr_expect(card("wake") == 1);
    cr_expect(claim(10).count == 1);
}

Test(queue_limits, a_fraction_of_a_job_is_none)
{
    add(0, 0);
    add(0, 0);
    configure("max_inflight", "1.5");
    cr_expect(claim(10).count == 1);
    cr_expect(claim(10).count == 0);
}

Test(queue_limits, words_that_are_no_limits_limit_nothing)
{
    static const char *const fields[] = {
        "paused",    "max_inflight",       "rate", "max_length",
        "max_bytes", "group_max_inflight", "burst"};
    static const char *const words[] = {"many", "-1",   "1e9",
                                        "",     "0x10", "99999999999999999"};

    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
            configure(fields[i], words[w]);
        add(0, 0);
        add_tied(&(struct tie){.group = "a"});
        cr_expect(claim(10).count == 2, "\"%s\"", words[w]);
        struct job_id id = add(0, 0);
        cr_expect(cancel(&id) == QUEUE_OK);
        edit("DEL", "hoist:{q}:groups", "hoist:{q}:slots", NULL);
    }
}

Test(queue_limits, a_queue_so_long_takes_no_more_and_writes_nothing)
{
    struct job j = new_job(0, 0);
    struct job_id parent = add(0, 0);

    pass(0);
    configure("max_length", "5");
    claim_and_start();
    add_tied(&(struct tie){.after = &parent});
    add_tied(&(struct tie){.delay_ms = 1000});
    add_tied(&(struct tie){.group = "a"});
    add_tied(&(struct tie){.group = "a"});
    cr_expect(enqueue(&j) == QUEUE_FULL,
              "leased, behind, later, ready and grouped count");
    cr_expect(redis_fixture_ask_int(&h.server, "EXISTS", key_of(&j.id).text, NULL) ==
              0);
    cr_expect(status().enqueued_total == 5 && status().bytes == 5000);
    configure("max_length", "6");
    cr_expect(enqueue(&j) == QUEUE_OK);
    cr_expect(enqueue(&j) == QUEUE_EXISTS, "a full queue knows what it has");
    job_release(&j);
}

Test(queue_limits, of_many_jobs_as_many_are_taken_as_there_is_room_for)
{
    struct job jobs[4];
    enum queue_answer answers[4];

    configure("max_length", "3");
    add(0, 0);
    for (size_t i = 0; i < 4; i++)
        jobs[i] = new_job(0, 0);
    enqueue_many(jobs, 4, answers);
    cr_expect(answers[0] == QUEUE_OK && answers[1] == QUEUE_OK);
    cr_expect(answers[2] == QUEUE_FULL && answers[3] == QUEUE_FULL);
    cr_expect(status().ready == 3 && status().enqueued_total == 3);
    for (size_t i = 0; i < 4; i++)
        job_release(&jobs[i]);
}

Test(queue_limits, so_many_bytes_of_jobs_that_have_not_ended)
{
    struct tie large = {.bytes = 4000}, small = {.bytes = 500};

    configure("max_bytes", "9000");
    struct job_id a = add_tied(&large);
    add_tied(&large);
    cr_expect(try_tied(&large, NULL) == QUEUE_FULL);
    cr_expect(try_tied(&small, NULL) == QUEUE_OK, "what fits is taken");
    cr_expect(status().bytes == 8500);
    cr_assert(cancel(&a) == QUEUE_OK);
    cr_expect(status().bytes == 4500);
    struct job_id again = add_tied(&large);
    cr_expect(status().bytes == 8500);
    struct queue_lease l = claim_and_start();
    cr_assert(fail(&l, -1) == QUEUE_CONFLICT);
    cr_expect(status().bytes == 4500, "a dead one counts no more");
    cr_assert(retry(&l.id) == QUEUE_OK);
    cr_expect(status().bytes == 8500, "until it runs again");
    struct job jobs[2] = {tied_job(&small), tied_job(&small)};
    enum queue_answer answers[2];
    enqueue_many(jobs, 2, answers);
    cr_expect(answers[0] == QUEUE_OK && answers[1] == QUEUE_FULL, "one of one call");
    job_release(&jobs[0]);
    job_release(&jobs[1]);
    configure("max_bytes", "20000");
    cr_expect(try_tied(&large, NULL) == QUEUE_OK);
    cr_expect(is_in("ready", &again));
}
