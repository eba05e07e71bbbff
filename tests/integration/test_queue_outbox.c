/* What the scripts write into a queue's outbox, when they do not, and how long somebody is told that it holds something. */
#include "tests/integration/queue_harness.h"
#include "tests/integration/queue_look.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(queue_outbox, .init = harness_up, .fini = harness_down, .timeout = 60);

static const char key[] = "hoist:{q}:outbox";

static int64_t length(void)
{
    return redis_fixture_ask_int(&h.server, "XLEN", key, NULL);
}

static struct job_id put(struct job *j, int64_t max_attempts)
{
    j->max_attempts = max_attempts;
    cr_assert(enqueue(j) == QUEUE_OK);
    struct job_id id = j->id;
    job_release(j);
    return id;
}

/* A job that webhooks are told of. */
static struct job_id add_told(int64_t max_attempts)
{
    struct job j = new_job(0, 0);

    j.hooks = strdup("audit");
    return put(&j, max_attempts);
}

/* One that tells a callback of another. */
static struct job_id add_telling(void)
{
    struct job j = new_job(0, 0);

    free(j.source);
    j.source = strdup("hook");
    j.hook = strdup("done");
    j.payload = strdup("{}");
    j.callback = strdup("https://x/");
    return put(&j, 1);
}

/* The latest entry begins with this event of this job, and has all of its record as it is now, or will have been. */
static bool says(const char *event, const struct job_id *id, const char *state)
{
    char head[128], field[64], *text;

    text = redis_fixture_ask(&h.server, "EVAL",
                             "return redis.call('XREVRANGE', KEYS[1], '+', '-')[1][2]",
                             "1", key, NULL);
    (void)snprintf(head, sizeof head, "event\n%s\nid\n%s\n", event, id->uuid.text);
    (void)snprintf(field, sizeof field, "\nstate\n%s", state);
    bool yes = strncmp(text, head, strlen(head)) == 0 && strstr(text, field) &&
               strstr(text, "\nhooks\naudit") && strstr(text, "\nended\n");
    if (!yes)
        fprintf(stderr, "%s", text);
    free(text);
    return yes;
}

static struct queue_claimed finish_told(const struct queue_lease *l)
{
    return finish_as(
        &(struct queue_end){.lease = *l, .state = JOB_DONE, .is_told = true},
        &(struct queue_finish){.keep_ms = 3600000, .keep_count = 100});
}

Test(queue_outbox, each_end_is_written_with_the_record_as_it_is_then)
{
    struct job_id id = add_told(1);
    struct queue_lease l = claim_and_start();
    (void)finish_told(&l);
    cr_expect(eq(i64, length(), 1));
    cr_expect(says("done", &id, "done"));

    id = add_told(1);
    l = claim_and_start();
    cr_assert(fail(&l, -1) == QUEUE_CONFLICT);
    cr_expect(eq(i64, length(), 2));
    cr_expect(says("dead", &id, "dead"));
    cr_assert(cancel(&id) == QUEUE_OK);
    cr_expect(eq(i64, length(), 3));
    cr_expect(says("cancelled", &id, "cancelled"));

    id = add_told(1);
    (void)claim_and_start();
    expire(&id);
    cr_assert(reap(&id) == QUEUE_CONFLICT);
    cr_expect(eq(i64, length(), 4));
    cr_expect(says("dead", &id, "dead"));
}

static void take_out(const struct job_id *id)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    queue_take_out_cmd(&c, id, 3600000);
    cr_assert(run_answer(&c) == QUEUE_OK);
}

Test(queue_outbox, nothing_is_written_of_what_goes_on_or_concerns_nobody)
{
    struct job_id id = add_told(3);
    struct queue_lease l = claim_and_start();
    cr_assert(fail(&l, 0) == QUEUE_OK);
    make_due(&id);
    cr_assert(promote(&id) == QUEUE_OK);
    l = claim_and_start();
    cr_assert(release(&l) == QUEUE_OK);
    take_out(&id); /* to another queue */
    id = add(0, 0);
    cr_assert(cancel(&id) == QUEUE_OK);
    id = add_telling();
    l = claim_and_start();
    cr_assert(fail(&l, -1) == QUEUE_CONFLICT);
    cr_assert(cancel(&id) == QUEUE_OK);
    cr_expect(eq(i64, length(), 0));
}

Test(queue_outbox, a_claim_is_told_of_it_every_five_seconds_until_it_is_empty)
{
    pass(0);
    (void)add_told(1);
    cr_expect_not(claim(0).has_outbox);
    struct queue_lease l = claim_and_start();
    cr_expect(finish_told(&l).has_outbox, "who finishes claims in the same call");
    cr_expect_not(claim(0).has_outbox, "somebody sees to it");
    pass(4999);
    cr_expect_not(claim(0).has_outbox);
    pass(1);
    struct queue_claimed c = claim(0);
    cr_expect(c.has_outbox, "whoever it was did not");
    cr_expect(c.next_ms > 0 && c.next_ms <= 5000, "%lld", (long long)c.next_ms);
    edit("DEL", key, NULL);
    pass(5000);
    cr_expect_not(claim(0).has_outbox);
    pass(5000);
    cr_expect_not(claim(0).has_outbox);
    struct job_id id = add_told(1);
    cr_assert(cancel(&id) == QUEUE_OK);
    cr_expect(claim(0).has_outbox, "at once");
}

Test(queue_outbox, the_end_of_a_batch_is_written_once_for_all_that_have_come_until_then)
{
    struct uuid batch = id_new();
    struct job j = tied_job(&(struct tie){.batch = &batch});

    j.hooks = strdup("audit");
    for (int i = 0; i < 2; i++) {
        j.id.uuid = id_new();
        cr_assert(enqueue(&j) == QUEUE_OK);
    }
    (void)run_one();
    cr_expect(eq(i64, length(), 0));
    (void)run_one();
    cr_expect(eq(i64, length(), 1));
    j.id.uuid = id_new(); /* one that comes late */
    cr_assert(enqueue(&j) == QUEUE_OK);
    cr_expect(eq(i64, length(), 1));
    (void)run_one();
    cr_expect(eq(i64, length(), 2), "who is told knows it by its id");
    job_release(&j);
}
