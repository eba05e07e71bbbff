/* Unique keys: who holds one, how long, and that no lock outlives its job. */
#include "tests/integration/queue_harness.h"
#include "tests/integration/queue_look.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(queue_unique, .init = harness_up, .fini = harness_down, .timeout = 60);

static const struct tie keyed = {.unique = "k"};

static bool is_free(void)
{
    struct job_id id;

    if (try_tied(&keyed, &id) == QUEUE_DUPLICATE)
        return false;
    cr_assert(cancel(&id) == QUEUE_OK);
    return true;
}

Test(queue_unique, the_second_with_a_key_is_cancelled_and_told_who_has_it)
{
    struct job_id first = add_tied(&keyed), second;

    cr_expect(try_tied(&keyed, &second) == QUEUE_DUPLICATE);
    cr_expect_str_eq(last_state(), first.uuid.text);
    cr_expect(stands(&second, "done", "cancelled"));
    cr_expect(field_is(&second, "error_class", "duplicate"));
    cr_expect(strstr(field(&second, "error").text, first.uuid.text));
    cr_expect(try_tied(&(struct tie){.unique = "other"}, NULL) == QUEUE_OK);
    cr_expect(status().cancelled_total == 1 && status().bytes == 2000);
}

Test(queue_unique, a_key_is_held_until_done)
{
    add_tied(&keyed);
    struct queue_lease l = claim_and_start();

    cr_expect_not(is_free());
    (void)finish(&l, JOB_DONE, 0);
    cr_expect(is_free());
}

Test(queue_unique, a_key_held_until_the_start_is_free_once_that_is_said)
{
    add_tied(&(struct tie){.unique = "k", .until_start = true});
    struct queue_lease l = claim_one(), wrong;

    cr_expect_not(is_free());
    cr_assert(start(&l) == QUEUE_OK);
    wrong = l;
    wrong.token++;
    cr_expect(begun(&wrong) == QUEUE_LOST);
    cr_expect_not(is_free());
    cr_expect(begun(&l) == QUEUE_OK);
    struct job_id next = add_tied(&keyed);
    (void)finish(&l, JOB_DONE, 0);
    cr_expect_not(is_free(), "the end of the first does not free the key of the next");
    cr_expect(is_in("ready", &next));
}

Test(queue_unique, every_line_a_holder_may_stand_in_counts)
{
    struct job_id parent = add(0, 0), holder;

    pass(0);
    add_tied(&(struct tie){.group = "a", .priority = 3});
    const struct tie ties[] = {
        {.unique = "k"},
        {.unique = "k", .delay_ms = 1000},
        {.unique = "k", .after = &parent},
        {.unique = "k", .group = "a", .priority = 7},
    };
    for (size_t i = 0; i < sizeof ties / sizeof ties[0]; i++) {
        holder = add_tied(&ties[i]);
        cr_expect_not(is_free(), "tie %zu", i);
        cr_assert(reprioritize(&holder, 6) == QUEUE_OK);
        cr_expect_not(is_free(), "tie %zu with another priority", i);
        cr_assert(cancel(&holder) == QUEUE_OK);
        cr_expect(is_free(), "tie %zu", i);
    }
}

Test(queue_unique, a_window_keeps_the_key_after_done_and_only_after_done)
{
    pass(0);
    struct job_id first = add_tied(&(struct tie){.unique = "k", .unique_ms = 5000});
    run_one();
    cr_expect(try_tied(&keyed, NULL) == QUEUE_DUPLICATE);
    cr_expect_str_eq(last_state(), first.uuid.text);
    pass(4999);
    cr_expect_not(is_free());
    pass(1);
    cr_expect(is_free(), "no claim has to come by for that");
    struct job_id second = add_tied(&(struct tie){.unique = "k", .unique_ms = 5000});
    cr_assert(cancel(&second) == QUEUE_OK);
    cr_expect(is_free(), "a cancelled job has no window");
}

Test(queue_unique, what_a_window_leaves_to_do_does_not_touch_the_next_holder)
{
    pass(0);
    add_tied(&(struct tie){.unique = "k", .unique_ms = 5000});
    run_one();
    pass(5000);
    struct job_id next = add_tied(&keyed);
    (void)claim(0);
    cr_expect(try_tied(&keyed, NULL) == QUEUE_DUPLICATE);
    cr_expect_str_eq(last_state(), next.uuid.text);
}

Test(queue_unique, a_retry_and_a_crash_keep_it_and_death_frees_it)
{
    pass(0);
    struct job_id id = add_tied(&keyed);
    struct queue_lease l = claim_and_start();

    cr_assert(fail(&l, 10) == QUEUE_OK);
    cr_expect_not(is_free());
    pass(10);
    promote_due();
    l = claim_and_start();
    expire(&id);
    cr_expect_not(is_free(), "its lease is over, but nobody has reaped it");
    cr_assert(reap(&id) == QUEUE_OK);
    cr_expect_not(is_free());
    l = claim_and_start();
    cr_assert(fail(&l, -1) == QUEUE_CONFLICT);
    cr_expect(is_free());
}

Test(queue_unique, a_dead_job_is_retried_only_while_its_key_is_free)
{
    struct job_id id = add_tied(&keyed);
    struct queue_lease l = claim_and_start();

    cr_assert(fail(&l, -1) == QUEUE_CONFLICT);
    struct job_id other = add_tied(&keyed);
    cr_expect(retry(&id) == QUEUE_CONFLICT);
    cr_expect_str_eq(last_state(), "dead");
    cr_expect(stands(&id, "dead", "dead"));
    cr_assert(cancel(&other) == QUEUE_OK);
    cr_expect(retry(&id) == QUEUE_OK);
    cr_expect_not(is_free(), "it has it again");
}

Test(queue_unique, the_lock_of_a_job_deleted_by_hand_holds_nobody_up)
{
    struct job_id id = add_tied(&keyed);

    edit("DEL", key_of(&id).text, NULL);
    edit("ZREM", "hoist:{q}:ready", id.uuid.text, NULL);
    cr_expect(is_free(), "it stands in no line");
    id = add_tied(&keyed);
    struct queue_lease l = claim_and_start();
    edit("DEL", key_of(&id).text, NULL);
    cr_expect_not(is_free(), "its worker has it still");
    cr_assert(finish(&l, JOB_DONE, 0).answers[0] == QUEUE_OK);
    cr_expect(is_free());
}
