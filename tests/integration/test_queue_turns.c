/* Calls sent again after their reply was lost, many jobs a call, jobs given back with a delay, records of a newer version. */
#include "tests/integration/queue_harness.h"
#include "tests/integration/queue_look.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(queue_turns, .init = harness_up, .fini = harness_down, .timeout = 60);

static bool same_leases(const struct queue_claimed *a, const struct queue_claimed *b)
{
    bool right = a->count == b->count;

    for (size_t i = 0; right && i < a->count; i++)
        right = same(&a->leases[i].id, &b->leases[i].id) &&
                a->leases[i].token == b->leases[i].token;
    return right;
}

static void add_many(int n)
{
    for (int i = 0; i < n; i++)
        add(0, 0);
}

/* --- The same turn --- */

Test(queue_turns, a_claim_of_the_same_turn_gives_the_same_leases)
{
    add_many(10);
    struct queue_claimed first = claim_turn(7, 4), again = claim_turn(7, 4);

    cr_assert(first.count == 4);
    cr_expect(same_leases(&first, &again));
    cr_expect(card("leased") == 4 && again.more);
    h.worker.id = "w2";
    struct queue_claimed other = claim_turn(7, 4);
    cr_expect(other.count == 4 && !same(&other.leases[0].id, &first.leases[0].id),
              "the same turn of another worker is another call");
    h.worker.id = "w1";
    again = claim_turn(7, 4);
    cr_expect(same_leases(&first, &again), "whatever others did");
    cr_expect(claim_turn(8, 4).count == 2, "the next turn gives the next");
    cr_expect(claim_turn(7, 4).count == 0, "only the latest turn is remembered");
}

Test(queue_turns, turn_0_is_not_remembered)
{
    add_many(2);
    cr_expect(claim_turn(0, 1).count == 1);
    cr_expect(claim_turn(0, 1).count == 1);
    cr_expect(card("leased") == 2);
    cr_expect(redis_fixture_ask_int(&h.server, "HLEN", "hoist:{q}:claims", NULL) == 0);
}

Test(queue_turns, a_finish_of_the_same_turn_is_answered_the_same)
{
    add_many(8);
    struct queue_claimed c = claim_turn(1, 4);
    for (size_t i = 0; i < 4; i++)
        cr_assert(start(&c.leases[i]) == QUEUE_OK);
    c.leases[2].token++;
    struct queue_claimed first = finish_turn(2, c.leases, 4, 3);
    cr_assert(first.answer_count == 4 && first.count == 3);
    cr_expect(first.answers[1] == QUEUE_OK && first.answers[2] == QUEUE_LOST);
    h.worker.id = "w2";
    struct queue_lease other = claim_and_start();
    (void)finish(&other, JOB_DONE, 0);
    h.worker.id = "w1";
    struct queue_claimed again = finish_turn(2, c.leases, 4, 3);
    cr_expect(again.answer_count == 4);
    for (size_t i = 0; i < 4; i++)
        cr_expect(again.answers[i] == first.answers[i], "%zu", i);
    cr_expect(same_leases(&first, &again));
    cr_expect(status().done_total == 4, "three and that of the other: none twice");
    struct queue_claimed next = finish_turn(3, c.leases, 4, 3);
    cr_expect(next.answers[0] == QUEUE_LOST, "another turn is another call");
}

Test(queue_turns, leases_lost_meanwhile_are_not_given_again)
{
    add_many(4);
    struct queue_claimed first = claim_turn(1, 4);

    cr_assert(start(&first.leases[0]) == QUEUE_OK);
    expire(&first.leases[1].id);
    cr_assert(reap(&first.leases[1].id) == QUEUE_OK);
    expire(&first.leases[2].id);
    cr_assert(reap(&first.leases[2].id) == QUEUE_OK);
    h.worker.id = "w2";
    cr_assert(claim_turn(1, 1).count == 1);
    h.worker.id = "w1";
    struct queue_claimed again = claim_turn(1, 4);
    cr_assert(again.count == 1, "%zu", again.count);
    cr_expect(same(&again.leases[0].id, &first.leases[3].id),
              "begun, reaped, another's");
}

Test(queue_turns, a_claim_that_brought_nothing_looks_again)
{
    cr_expect(claim_turn(1, 4).count == 0);
    add_many(1);
    cr_expect(claim_turn(1, 4).count == 1);
}

Test(queue_turns, turns_are_forgotten_after_a_day_of_silence)
{
    pass(0);
    add_many(1);
    cr_assert(claim_turn(1, 1).count == 1);
    pass(INT64_C(86400000) + 1);
    h.worker.id = "w2";
    (void)claim_turn(1, 0);
    cr_expect(redis_fixture_ask_int(&h.server, "HLEN", "hoist:{q}:claims", NULL) == 0);
}

/* --- Many a call --- */

Test(queue_turns, a_hundred_jobs_with_one_known_and_one_duplicate_among_them)
{
    struct job jobs[QUEUE_BATCH_MAX];
    enum queue_answer answers[QUEUE_BATCH_MAX];

    add_tied(&(struct tie){.unique = "k"});
    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++)
        jobs[i] = tied_job(&(struct tie){.unique = i == 70 ? "k" : NULL,
                                         .group = i == 50 ? "a" : NULL});
    cr_assert(enqueue(&jobs[30]) == QUEUE_OK);
    enqueue_many(jobs, QUEUE_BATCH_MAX, answers);
    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++)
        cr_expect(answers[i] == (i == 30   ? QUEUE_EXISTS
                                 : i == 70 ? QUEUE_DUPLICATE
                                           : QUEUE_OK),
                  "%zu", i);
    cr_expect(card("ready") == 100 && card("done") == 1);
    cr_expect(status().enqueued_total == 101 && status().bytes == 100000);
    enqueue_many(jobs, QUEUE_BATCH_MAX, answers);
    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++)
        cr_expect(answers[i] == QUEUE_EXISTS, "all of them again: %zu", i);
    cr_expect(card("ready") == 100);
    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++)
        job_release(&jobs[i]);
}

Test(queue_turns, a_child_may_be_enqueued_in_one_call_with_its_parent)
{
    struct job_id done = add(0, 0);
    struct job jobs[4];
    enum queue_answer answers[4];

    run_one();
    for (size_t i = 0; i < 4; i++)
        jobs[i] = new_job(0, 0);
    jobs[1].after = strdup(jobs[0].id.uuid.text);
    jobs[2].after = strdup(done.uuid.text);
    jobs[3].after = strdup(jobs[1].id.uuid.text);
    enqueue_many(jobs, 4, answers);
    for (size_t i = 0; i < 4; i++)
        cr_expect(answers[i] == QUEUE_OK);
    cr_expect(stands(&jobs[0].id, "ready", "waiting"));
    cr_expect(stands(&jobs[1].id, "behind", "waiting"));
    cr_expect(stands(&jobs[2].id, "ready", "waiting"), "each has a parent of its own");
    cr_expect(stands(&jobs[3].id, "behind", "waiting"));
    for (size_t i = 0; i < 4; i++)
        job_release(&jobs[i]);
}

Test(queue_turns, a_hundred_begin_and_end_in_one_call_each)
{
    enum queue_answer marks[QUEUE_BATCH_MAX];
    struct redis_cmd cmds[1 + QUEUE_BATCH_MAX];
    struct err e = ERR_INIT;

    add_many(QUEUE_BATCH_MAX);
    struct queue_claimed c = claim(QUEUE_BATCH_MAX);
    cr_assert(c.count == QUEUE_BATCH_MAX);
    c.leases[99].token++;
    for (size_t i = 0; i <= QUEUE_BATCH_MAX; i++)
        redis_cmd_init(&cmds[i]);
    queue_start_cmds(cmds, c.leases, QUEUE_BATCH_MAX, &h.worker);
    struct redis_value *v = run(&cmds[0]);
    cr_assert(queue_parse_marks(v, QUEUE_BATCH_MAX, marks, &e) == ERR_OK, "%s", e.text);
    redis_reply_free(v);
    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++) {
        redis_cmd_release(&cmds[1 + i]);
        cr_expect(marks[i] == (i == 99 ? QUEUE_LOST : QUEUE_OK), "%zu", i);
    }
    struct queue_claimed ended = finish_turn(2, c.leases, QUEUE_BATCH_MAX, 0);
    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++)
        cr_expect(ended.answers[i] == (i == 99 ? QUEUE_LOST : QUEUE_OK), "%zu", i);
    cr_expect(card("done") == 99 && status().started_total == 99);
}

Test(queue_turns, a_job_named_twice_in_one_finish_ends_once)
{
    add_tied(&(struct tie){.group = "a"});
    struct job_id second = add_tied(&(struct tie){.group = "a"});
    struct job_id third = add_tied(&(struct tie){.group = "a"});
    struct queue_lease l = claim_and_start(), twice[2] = {l, l};

    struct queue_claimed c = finish_turn(9, twice, 2, 0);
    cr_expect(c.answers[0] == QUEUE_OK && c.answers[1] == QUEUE_LOST);
    cr_expect(status().done_total == 1 && status().bytes == 2000);
    cr_expect(stands(&second, "ready", "waiting") &&
              stands(&third, "grouped", "waiting"));
}

/* --- Given back for a while --- */

Test(queue_turns, a_job_given_back_with_a_delay_comes_later_and_counts_no_attempt)
{
    struct job_id id = add(0, 0);

    pass(0);
    struct queue_lease l = claim_and_start();
    edit("DEL", "hoist:{q}:wake", NULL);
    cr_expect(release_later(&l, 3000) == QUEUE_OK);
    cr_expect(stands(&id, "later", "scheduled") && field_is(&id, "attempts", ""));
    cr_expect(card("wake") == 1, "whoever sleeps has to know of its time");
    cr_expect(release_later(&l, 3000) == QUEUE_LOST);
    pass(2999);
    cr_expect(claim(10).due_count == 0);
    pass(1);
    promote_due();
    cr_expect(stands(&id, "ready", "waiting"));
}

Test(queue_turns, a_record_of_a_newer_version_is_left_to_newer_workers)
{
    struct job_id id = add(0, 0);

    pass(0);
    set_field(&id, "v", "2");
    set_field(&id, "to", "a planet");
    for (int i = 0; i < 5; i++) {
        struct queue_lease l = claim_one();
        cr_expect(start(&l) == QUEUE_NEWER);
        cr_expect(release_later(&l, 5000) == QUEUE_OK);
        cr_expect(stands(&id, "later", "scheduled"));
        pass(5000);
        promote_due();
        cr_expect(stands(&id, "ready", "waiting"));
    }
    cr_expect(field_is(&id, "v", "2") && field_is(&id, "to", "a planet"));
    cr_expect(field_is(&id, "attempts", "") && field_is(&id, "crashes", ""));
    set_field(&id, "priority", "urgent");
    struct queue_lease l = claim_one();
    cr_expect(release_later(&l, 5000) == QUEUE_OK, "even then it is not judged");
    cr_expect(is_in("later", &id) && !has_owner(&id));
}
