/* What the scripts note for people to look at: the minutes of a queue, the attempts of a job. */
#include "tests/integration/queue_harness.h"
#include "tests/integration/queue_look.h"

#include "shared/job_tries.h"
#include "shared/queue_minutes.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

TestSuite(queue_overview, .init = harness_up, .fini = harness_down, .timeout = 120);

static struct queue_minutes minutes(void)
{
    struct redis_cmd c;
    struct queue_minutes m;
    struct queue_status s;
    struct err e = ERR_INIT;

    redis_cmd_init(&c);
    queue_status_cmd(&c, "q");
    struct redis_value *v = run(&c);
    cr_assert(queue_parse_status(v, &s, &e) == ERR_OK, "%s", e.text);
    queue_parse_minutes(v, &s, &m);
    redis_reply_free(v);
    redis_cmd_release(&c);
    return m;
}

static bool is(const struct queue_minutes *m, size_t column, int64_t enqueued,
               int64_t done, int64_t failed, int64_t dead, int64_t bytes)
{
    const int64_t want[QUEUE_COUNTERS] = {enqueued, done, failed, dead, bytes};
    bool right = true;

    for (size_t k = 0; k < QUEUE_COUNTERS; k++) {
        if (m->n[k][column] == want[k])
            continue;
        fprintf(stderr, "%s in %zu: %lld\n", queue_counter_name(k), column,
                (long long)m->n[k][column]);
        right = false;
    }
    return right;
}

/* To the beginning of the next minute. */
static void pass_to_minute(void)
{
    pass(0);
    pass(60000 - status().now_ms % 60000);
}

Test(queue_overview, each_minute_has_what_happened_in_it)
{
    pass_to_minute();
    (void)add(0, 0);
    (void)add(0, 0);
    struct job_id c = add(0, 0);
    struct queue_minutes m = minutes();
    cr_expect(is(&m, 59, 3, 0, 0, 0, 0));
    pass(60000);
    struct queue_lease l = claim_and_start();
    (void)finish(&l, JOB_DONE, 0);
    l = claim_and_start();
    cr_expect(fail(&l, 1) == QUEUE_OK);
    pass(60000);
    l = claim_and_start();
    cr_expect(same(&l.id, &c) && fail(&l, -1) == QUEUE_CONFLICT);
    m = minutes();
    cr_expect(is(&m, 57, 3, 0, 0, 0, 0));
    cr_expect(is(&m, 58, 0, 1, 1, 0, 1000));
    cr_expect(is(&m, 59, 0, 0, 1, 1, 0));
    pass(2 * 60000);
    m = minutes();
    cr_expect(is(&m, 55, 3, 0, 0, 0, 0) && is(&m, 57, 0, 0, 1, 1, 0));
    cr_expect(is(&m, 59, 0, 0, 0, 0, 0));
}

Test(queue_overview, minutes_never_take_more_than_64_fields)
{
    for (int i = 0; i < 70; i++) {
        pass_to_minute();
        (void)add(0, 0);
    }
    cr_expect(eq(i64,
                 redis_fixture_ask_int(&h.server, "HLEN", "hoist:{q}:minutes", NULL),
                 QUEUE_MINUTE_FIELDS));
    struct queue_minutes m = minutes();
    int64_t sum = 0;
    for (size_t i = 0; i < QUEUE_MINUTES; i++)
        sum += m.n[QUEUE_COUNT_ENQUEUED][i];
    cr_expect(eq(i64, sum, QUEUE_MINUTES));
    pass(24 * 3600 * 1000);
    m = minutes();
    for (size_t i = 0; i < QUEUE_MINUTES; i++)
        cr_expect(eq(i64, m.n[QUEUE_COUNT_ENQUEUED][i], 0));
}

Test(queue_overview, minutes_of_a_wrong_kind_keep_no_job_from_moving)
{
    edit("SET", "hoist:{q}:minutes", "x", NULL);
    (void)add(0, 0);
    struct queue_lease l = claim_and_start();
    cr_expect(finish(&l, JOB_DONE, 0).answers[0] == QUEUE_OK);
    cr_expect(eq(i64, status().done_total, 1));
    edit("DEL", "hoist:{q}:minutes", NULL);
    edit("HSET", "hoist:{q}:minutes", "1", "rubbish", NULL);
    struct queue_minutes m = minutes();
    cr_expect(is(&m, 59, 0, 0, 0, 0, 0));
}

/* The field tries of the job, line by line: "1 w1 class", the error being what harness fails with. */
static size_t tries_of(const struct job_id *id, struct job_try *ret, size_t max)
{
    static char text[JOB_TRIES_BYTES_MAX];
    char *field = redis_fixture_ask(&h.server, "HGET", key_of(id).text, "tries", NULL);
    size_t at = 0, n = 0;

    (void)snprintf(text, sizeof text, "%s\n", field);
    free(field);
    while (n < max && job_tries_next(text, strlen(text), &at, &ret[n]))
        n++;
    return n;
}

Test(queue_overview, attempts_that_failed_or_crashed_are_told_one_by_one)
{
    struct job j = new_job(0, 0);
    struct job_try t[16];

    j.max_attempts = 20;
    cr_assert(enqueue(&j) == QUEUE_OK);
    struct queue_lease l = claim_and_start();
    cr_expect(fail(&l, 0) == QUEUE_OK);
    make_due(&j.id);
    cr_expect(promote(&j.id) == QUEUE_OK);
    l = claim_and_start();
    expire(&j.id);
    cr_expect(reap(&j.id) == QUEUE_OK);
    cr_assert(eq(sz, tries_of(&j.id, t, 16), 2));
    cr_expect(t[0].number == 1 && t[1].number == 2);
    cr_expect(t[0].worker_len == 2 && memcmp(t[0].worker, "w1", 2) == 0);
    cr_expect(t[1].class_len == 7 && memcmp(t[1].error_class, "crashed", 7) == 0);
    cr_expect(t[1].worker_len == 2 && memcmp(t[1].worker, "w1", 2) == 0);
    cr_expect(t[0].started > 0 && t[0].ended >= t[0].started);
    for (int i = 0; i < 12; i++) {
        l = claim_and_start();
        cr_expect(fail(&l, 0) == QUEUE_OK);
        make_due(&j.id);
        cr_expect(promote(&j.id) == QUEUE_OK);
    }
    cr_assert(eq(sz, tries_of(&j.id, t, 16), 10), "the latest ten");
    cr_expect(t[0].number == 5 && t[9].number == 14);
    job_release(&j);
}
