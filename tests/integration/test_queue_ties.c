/* What ties jobs to others: parents, batches, unique keys. */
#include "tests/integration/queue_harness.h"
#include "tests/integration/queue_look.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(queue_ties, .init = harness_up, .fini = harness_down, .timeout = 60);

/* --- Parents --- */

Test(queue_ties, a_job_waits_behind_its_parent_until_that_is_done)
{
    struct job_id parent = add(0, 0), child = add_tied(&(struct tie){.after = &parent});

    pass(0);
    cr_expect(stands(&child, "behind", "waiting") && status().behind == 1);
    struct queue_lease l = claim_and_start();
    cr_assert(fail(&l, 10) == QUEUE_OK);
    cr_expect(stands(&child, "behind", "waiting"), "its parent has not ended");
    pass(10);
    promote_due();
    l = claim_and_start();
    cr_expect(claim(10).count == 0);
    struct queue_claimed c = finish(&l, JOB_DONE, 0);
    cr_assert(c.due_count == 1 && strcmp(c.due[0].text, child.uuid.text) == 0);
    cr_expect(promote(&child) == QUEUE_OK);
    cr_expect(stands(&child, "ready", "waiting"));
}

Test(queue_ties, a_parent_that_has_ended_or_is_not_known_holds_nobody_up)
{
    struct job_id parent = add(0, 0), unknown = parent;

    run_one();
    struct job_id child = add_tied(&(struct tie){.after = &parent});
    cr_expect(stands(&child, "ready", "waiting"));
    unknown.uuid = id_new();
    struct job_id other = add_tied(&(struct tie){.after = &unknown});
    cr_expect(stands(&other, "ready", "waiting"));
}

Test(queue_ties, a_child_of_a_dead_or_cancelled_parent_is_cancelled)
{
    for (int way = 0; way < 4; way++) {
        struct job_id parent = add_tied(&(struct tie){.max_attempts = 1});
        struct job_id child = add_tied(&(struct tie){.after = &parent});
        struct job_id anyway =
            add_tied(&(struct tie){.after = &parent, .run_anyway = true});
        if (way == 0) {
            cr_assert(cancel(&parent) == QUEUE_OK);
        } else {
            struct queue_lease l = claim_and_start();
            if (way == 1) {
                cr_assert(fail(&l, -1) == QUEUE_CONFLICT);
            } else if (way == 2) {
                expire(&parent);
                cr_assert(reap(&parent) == QUEUE_CONFLICT);
            } else {
                (void)finish(&l, JOB_CANCELLED, 0);
            }
        }
        promote_due();
        cr_expect(stands(&child, "done", "cancelled"), "way %d", way);
        cr_expect(field_is(&child, "error_class", "parent"));
        cr_expect(stands(&anyway, "ready", "waiting"), "way %d", way);
        struct job_id late = add_tied(&(struct tie){.after = &parent});
        cr_expect(stands(&late, "done", "cancelled"), "way %d: born later", way);
        struct job_id late_anyway =
            add_tied(&(struct tie){.after = &parent, .run_anyway = true});
        cr_expect(stands(&late_anyway, "ready", "waiting"), "way %d", way);
        run_one();
        run_one();
    }
}

Test(queue_ties, a_chain_runs_in_its_order_and_breaks_as_a_whole)
{
    struct job_id chain[5], broken[4];

    chain[0] = add(0, 0);
    for (int i = 1; i < 5; i++)
        chain[i] = add_tied(&(struct tie){.after = &chain[i - 1]});
    for (int i = 0; i < 5; i++) {
        struct job_id ran = run_one();
        cr_expect(same(&ran, &chain[i]), "%d", i);
        promote_due();
    }
    broken[0] = add(0, 0);
    for (int i = 1; i < 4; i++)
        broken[i] = add_tied(&(struct tie){.after = &broken[i - 1]});
    cr_assert(cancel(&broken[0]) == QUEUE_OK);
    for (int i = 1; i < 4; i++)
        promote_due();
    for (int i = 1; i < 4; i++)
        cr_expect(stands(&broken[i], "done", "cancelled"), "%d", i);
}

Test(queue_ties, however_many_children_of_one_parent_are_released)
{
    struct job_id parent = add(9, 0);

    for (int i = 0; i < 250; i++)
        add_tied(&(struct tie){.after = &parent});
    run_one();
    cr_expect(card("behind") == 50, "a hundred by finish, a hundred by its claim");
    for (int i = 0; i < 4; i++)
        promote_due();
    cr_expect(card("behind") == 0 && card("later") == 0 && card("ready") == 250);
}

Test(queue_ties, a_hundred_children_and_more_of_a_dead_parent_are_cancelled)
{
    struct job_id parent = add(9, 0);

    for (int i = 0; i < 130; i++)
        add_tied(&(struct tie){.after = &parent});
    cr_assert(cancel(&parent) == QUEUE_OK);
    for (int i = 0; i < 4; i++)
        promote_due();
    cr_expect(card("ready") == 0 && card("behind") == 0);
    cr_expect(status().cancelled_total == 131);
}

Test(queue_ties, a_child_with_a_time_of_its_own_waits_for_both)
{
    pass(0);
    struct job_id parent = add(0, 0);
    struct job_id child = add_tied(&(struct tie){.after = &parent, .delay_ms = 5000});

    run_one();
    edit("DEL", "hoist:{q}:wake", NULL);
    promote_due();
    cr_expect(stands(&child, "later", "scheduled"));
    cr_expect(card("wake") == 1, "whoever sleeps has to know of its time");
    cr_expect(claim(10).count == 0);
    pass(5000);
    promote_due();
    cr_expect(stands(&child, "ready", "waiting"));
}

Test(queue_ties, a_child_that_waits_can_be_cancelled)
{
    struct job_id parent = add(0, 0), child = add_tied(&(struct tie){.after = &parent});

    cr_expect(cancel(&child) == QUEUE_OK);
    cr_expect(stands(&child, "done", "cancelled"));
    run_one();
    promote_due();
    cr_expect(stands(&child, "done", "cancelled") && claim(10).count == 0);
}

Test(queue_ties, a_failed_parent_is_remembered_until_its_child_is_promoted)
{
    pass(0);
    struct job_id parent = add(0, 0), child = add_tied(&(struct tie){.after = &parent});

    cr_assert(cancel(&parent) == QUEUE_OK);
    for (int days = 0; days < 5; days++) {
        pass(INT64_C(86400000) + 1);
        (void)claim(0); /* told, and died before it came to promote */
    }
    cr_expect(promote(&child) == QUEUE_CONFLICT);
    cr_expect(stands(&child, "done", "cancelled"));
}

/* --- Batches --- */

static int events_of(const char *uuid, const char *state)
{
    char *all =
        redis_fixture_ask(&h.server, "XRANGE", "hoist:{q}:events", "-", "+", NULL);
    char want[80];
    int n = 0;

    (void)snprintf(want, sizeof want, "%s\n%s", uuid, state);
    for (const char *at = all; (at = strstr(at, want)); at++)
        n++;
    free(all);
    return n;
}

Test(queue_ties, a_batch_counts_how_its_jobs_end_and_says_once_that_all_have)
{
    struct uuid batch = id_new();
    struct job_id ids[4];

    cr_expect_str_eq(batch_text(&batch).text, "");
    cr_expect(set_batch(&batch, false) == QUEUE_MISSING);
    cr_expect(set_batch(&batch, true) == QUEUE_OK);
    cr_expect_str_eq(batch_text(&batch).text, "open 0/0/0/0");
    for (int i = 0; i < 4; i++)
        ids[i] = add_tied(&(struct tie){.batch = &batch});
    cr_expect(set_batch(&batch, true) == QUEUE_OK, "twice is once");
    cr_expect_str_eq(batch_text(&batch).text, "open 4/0/0/0");
    run_one();
    cr_assert(cancel(&ids[1]) == QUEUE_OK);
    struct queue_lease l = claim_and_start();
    cr_assert(fail(&l, -1) == QUEUE_CONFLICT);
    cr_expect_str_eq(batch_text(&batch).text, "open 4/1/1/1");
    run_one();
    cr_expect_str_eq(batch_text(&batch).text, "open 4/2/1/1");
    cr_expect(events_of(batch.text, "ended") == 0, "it is open: more may come");
    cr_expect(set_batch(&batch, false) == QUEUE_OK);
    cr_expect_str_eq(batch_text(&batch).text, "closed 4/2/1/1");
    cr_expect(events_of(batch.text, "ended") == 1);
}

Test(queue_ties, a_closed_batch_ends_with_its_last_job)
{
    struct uuid batch = id_new();
    struct job_id parent;

    cr_assert(set_batch(&batch, true) == QUEUE_OK);
    parent = add_tied(&(struct tie){.batch = &batch});
    add_tied(&(struct tie){.batch = &batch, .after = &parent});
    cr_assert(set_batch(&batch, false) == QUEUE_OK);
    run_one();
    cr_expect(events_of(batch.text, "ended") == 0);
    promote_due();
    run_one();
    cr_expect(events_of(batch.text, "ended") == 1);
    cr_expect_str_eq(batch_text(&batch).text, "closed 2/2/0/0");
}

Test(queue_ties, a_dead_job_of_a_batch_that_runs_again_is_counted_anew)
{
    struct uuid batch = id_new();
    struct job_id id = add_tied(&(struct tie){.batch = &batch});
    struct queue_lease l = claim_and_start();

    cr_assert(fail(&l, -1) == QUEUE_CONFLICT);
    cr_expect_str_eq(batch_text(&batch).text, "closed 1/0/1/0");
    cr_assert(retry(&id) == QUEUE_OK);
    cr_expect_str_eq(batch_text(&batch).text, "closed 1/0/0/0");
    run_one();
    cr_expect_str_eq(batch_text(&batch).text, "closed 1/1/0/0");
    cr_expect(events_of(batch.text, "ended") == 1, "an end is told once");
    struct job_id dead = add_tied(&(struct tie){.batch = &batch});
    l = claim_and_start();
    cr_assert(fail(&l, -1) == QUEUE_CONFLICT && cancel(&dead) == QUEUE_OK);
    cr_expect_str_eq(batch_text(&batch).text, "closed 2/1/0/1");
    cr_expect(events_of(batch.text, "ended") == 2, "one that came later, and once");
}

/* What stands in outbox, the latest of it: its event and its callback. */
static bool is_told_last(const char *callback)
{
    char *said = redis_fixture_ask(
        &h.server, "EVAL",
        "local e = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1] "
        "return e and e[2][2] .. ' ' .. e[2][8] or 'nothing'",
        "1", "hoist:{q}:outbox", NULL);
    char want[128];

    (void)snprintf(want, sizeof want, "batch %s", callback);
    bool same = strcmp(said, want) == 0;
    if (!same)
        fprintf(stderr, "told: %s\n", said);
    free(said);
    return same;
}

static enum queue_answer open_for(const struct uuid *batch, const char *callback,
                                  const char *owner)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    queue_open_batch_cmd(&c, "q", batch, callback, owner);
    return run_answer(&c);
}

Test(queue_ties, the_callback_of_a_batch_is_told_and_not_that_of_its_first_job)
{
    struct uuid batch = id_new(), brought = id_new();
    const char *own = "https://a.example/own", *of_job = "https://a.example/job";
    enum queue_answer answer;

    cr_assert(open_for(&batch, own, NULL) == QUEUE_OK);
    cr_assert(open_for(&batch, "https://a.example/late", NULL) == QUEUE_OK);
    struct job j = tied_job(&(struct tie){.batch = &batch});
    j.callback = strdup(of_job);
    enqueue_many(&j, 1, &answer);
    cr_assert(cancel(&j.id) == QUEUE_OK && set_batch(&batch, false) == QUEUE_OK);
    cr_expect(is_told_last(own), "as it was opened first");
    job_release(&j);
    j = tied_job(&(struct tie){.batch = &brought});
    j.callback = strdup(of_job);
    j.batch_callback = strdup(own);
    enqueue_many(&j, 1, &answer);
    cr_assert(cancel(&j.id) == QUEUE_OK);
    cr_expect(is_told_last(own), "a queue that has it from a job alone");
    job_release(&j);
    pass(INT64_C(8) * 86400000);
    (void)claim(0);
    cr_expect(redis_fixture_ask_int(&h.server, "HLEN", "hoist:{q}:batches", NULL) == 0,
              "it is forgotten with its batch");
}

/* Enqueue a job that could not be checked when it came; whether it is in its batch. */
static bool joins(const struct uuid *batch, const char *owner, const char *policy)
{
    struct job j = tied_job(&(struct tie){.batch = batch});
    enum queue_answer answer;
    char key[128];

    j.owner = strdup(owner);
    j.policy = policy ? strdup(policy) : NULL;
    j.batch_callback = strdup("https://a.example/");
    j.batch_unchecked = 1;
    enqueue_many(&j, 1, &answer);
    cr_assert(answer == QUEUE_OK);
    (void)snprintf(key, sizeof key, "hoist:{q}:job:%s", j.id.uuid.text);
    char *refused = redis_fixture_ask(&h.server, "HGET", key, "batch_refused", NULL);
    char *kept = redis_fixture_ask(&h.server, "HGET", key, "batch", NULL);
    bool is_in = strcmp(kept, batch->text) == 0;
    cr_expect_str_eq(refused, is_in ? "" : batch->text);
    free(refused);
    free(kept);
    job_release(&j);
    return is_in;
}

Test(queue_ties, a_job_that_was_not_checked_enters_a_batch_of_its_owner_alone)
{
    struct uuid shop = id_new(), nobody = id_new(), unknown = id_new();

    cr_assert(open_for(&shop, NULL, "shop") == QUEUE_OK);
    cr_assert(set_batch(&nobody, true) == QUEUE_OK);
    cr_expect(joins(&shop, "shop", NULL));
    cr_expect_not(joins(&shop, "other", NULL));
    cr_expect_not(joins(&shop, "shop", "one-policy"), "that is who may see it then");
    cr_expect_not(joins(&nobody, "shop", NULL));
    cr_expect_not(joins(&unknown, "shop", NULL));
    cr_expect_str_eq(batch_text(&shop).text, "open 1/0/0/0");
    cr_expect_str_eq(batch_text(&nobody).text, "open 0/0/0/0");
    cr_expect_str_eq(batch_text(&unknown).text, "");
    for (int i = 0; i < 5; i++)
        (void)run_one();
    cr_expect_str_eq(batch_text(&shop).text, "open 1/1/0/0");
}

Test(queue_ties, a_batch_is_forgotten_a_week_after_its_end)
{
    struct uuid batch = id_new(), used = id_new();

    pass(0);
    cr_assert(set_batch(&batch, true) == QUEUE_OK);
    add_tied(&(struct tie){.batch = &used});
    pass(INT64_C(7) * 86400000);
    (void)claim(0);
    cr_expect_str_eq(batch_text(&batch).text, "", "opened, and nothing joined it");
    cr_expect_str_eq(batch_text(&used).text, "closed 1/0/0/0");
    run_one();
    pass(INT64_C(7) * 86400000);
    (void)claim(0);
    cr_expect_str_eq(batch_text(&used).text, "");
}

Test(queue_ties, jobs_of_one_call_have_each_their_own_parent_and_come_in_once)
{
    const struct job_id done = add(0, 0);
    struct job jobs[3];
    enum queue_answer answers[3];

    run_one();
    const struct job_id waits = add(0, 0);
    jobs[0] = tied_job(&(struct tie){.after = &waits});
    jobs[1] = tied_job(&(struct tie){.after = &done});
    jobs[2] = tied_job(&(struct tie){.after = &done});
    jobs[2].id = jobs[1].id;
    enqueue_many(jobs, 3, answers);
    cr_expect(answers[0] == QUEUE_OK && answers[1] == QUEUE_OK);
    cr_expect(answers[2] == QUEUE_EXISTS, "the same id a second time");
    cr_expect(stands(&jobs[0].id, "behind", "waiting"));
    cr_expect(stands(&jobs[1].id, "ready", "waiting"), "its parent has ended");
    for (size_t i = 0; i < 3; i++)
        job_release(&jobs[i]);
}
