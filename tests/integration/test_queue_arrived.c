/* A job of several destinations: where it has arrived stands in its record, until that has gone again. */
#include "tests/integration/queue_harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shared/job_arrived.h"

#define A "a\ns3://b/k\n"
#define AB A "b-2\n\n"

TestSuite(queue_arrived, .init = harness_up, .fini = harness_down, .timeout = 60);

static struct job shown(const struct job_id *id)
{
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    bool missing = false;

    cr_assert(queue_show(h.redis, id, &j, &missing, &e) == ERR_OK, "%s", e.text);
    return j;
}

/* Where the record says that it has arrived: "a=s3://b/k b-2=". */
static void expect_arrived(const struct job_id *id, const char *want)
{
    char text[256] = "";
    struct job j = shown(id);
    size_t used = 0;

    for (size_t i = 0; i < j.arrived_count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s=%s",
                                 i > 0 ? " " : "", j.arrived[i].to, j.arrived[i].url);
    cr_expect(eq(str, text, (char *)want));
    job_release(&j);
}

static struct redis_cmd command(void)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    return c;
}

static void beat_with(const struct queue_lease *l, const char *arrived)
{
    struct redis_cmd c = command();
    struct queue_beat beats[2] = {{.lease = *l, .sent = 1, .arrived = arrived},
                                  {.lease = *l, .sent = 2, .arrived = NULL}};
    enum queue_answer answers[2];
    struct err e = ERR_INIT;

    queue_beat_cmd(&c, "q", &h.worker, beats, 2);
    struct redis_value *v = run(&c);
    cr_assert(queue_parse_beat(v, 2, answers, &e) == ERR_OK, "%s", e.text);
    cr_expect(answers[0] == QUEUE_OK && answers[1] == QUEUE_OK);
    redis_reply_free(v);
}

static void fail_with(const struct queue_lease *l, int64_t retry_ms,
                      const char *arrived)
{
    struct redis_cmd c = command();

    queue_fail_cmd(&c,
                   &(struct queue_fail){.lease = *l,
                                        .error = "b: 503",
                                        .error_class = "transient",
                                        .retry_ms = retry_ms,
                                        .arrived = arrived},
                   &h.worker);
    enum queue_answer want = retry_ms < 0 ? QUEUE_CONFLICT : QUEUE_OK;
    cr_expect(eq(int, run_answer(&c), want));
}

Test(queue_arrived, a_beat_writes_it)
{
    struct job_id id = add(5, 0);
    struct queue_lease l = claim_and_start();

    beat_with(&l, A);
    expect_arrived(&id, "a=s3://b/k");
    struct job j = shown(&id);
    cr_expect(eq(i64, j.sent, 2), "the item behind it is read as one");
    job_release(&j);
}

Test(queue_arrived, a_failure_writes_it_and_the_next_attempt_is_told)
{
    struct job_id id = add(5, 0);
    struct queue_lease l = claim_and_start();
    struct job j = JOB_INIT;
    struct err why = ERR_INIT;

    fail_with(&l, 0, AB);
    expect_arrived(&id, "a=s3://b/k b-2=");
    promote_due();
    l = claim_one();
    cr_assert(eq(int, start_record(&l, &j, &why), QUEUE_OK), "%s", why.text);
    cr_expect(job_find_arrived(&j, "a") && job_find_arrived(&j, "b-2"));
    cr_expect(eq(ptr, (void *)job_find_arrived(&j, "c"), NULL));
    job_release(&j);
}

Test(queue_arrived, what_is_given_back_keeps_it)
{
    struct job_id id = add(5, 0);
    struct queue_lease l = claim_and_start();
    struct redis_cmd c = command();

    queue_release_arrived_cmd(&c, &l, &h.worker, 0, A);
    cr_assert(eq(int, run_answer(&c), QUEUE_OK));
    expect_arrived(&id, "a=s3://b/k");
}

Test(queue_arrived, an_end_writes_all)
{
    struct job_id id = add(5, 0);
    struct queue_lease l = claim_and_start();
    struct queue_claimed c =
        finish_as(&(struct queue_end){.lease = l,
                                      .state = JOB_DONE,
                                      .url = "s3://b/k",
                                      .sent = 1000,
                                      .size = 1000,
                                      .attempts = 1,
                                      .arrived = AB},
                  &(struct queue_finish){.keep_ms = 3600000, .keep_count = 1000});

    cr_assert(c.answer_count == 1 && c.answers[0] == QUEUE_OK);
    expect_arrived(&id, "a=s3://b/k b-2=");
    struct job j = shown(&id);
    struct buf b = BUF_INIT(4096);
    cr_assert(job_add_status(&b, &j));
    cr_expect(strstr(b.data,
                     ",\"results\":[{\"to\":\"a\",\"url\":\"s3://b/k\"},"
                     "{\"to\":\"b-2\"}],\"result\":{\"url\":\"s3://b/k\"}") != NULL,
              "%s", b.data);
    cr_expect(eq(ptr, strstr(b.data, "size\":0"), NULL), "%s", b.data);
    buf_release(&b);
    job_release(&j);
}

/* Dead: what has arrived stays where it is.  Done, and gone at one of them: all are looked at again. */
Test(queue_arrived, it_is_kept_by_a_retry_and_forgotten_when_an_object_has_gone)
{
    struct job_id id = add(5, 0);
    struct queue_lease l = claim_and_start();
    struct redis_cmd c = command();

    fail_with(&l, -1, A);
    cr_assert(eq(int, retry(&id), QUEUE_OK));
    expect_arrived(&id, "a=s3://b/k");
    l = claim_and_start();
    (void)finish(&l, JOB_DONE, 0);
    struct job j = shown(&id);
    queue_again_cmd(&c, &id, j.ended);
    job_release(&j);
    cr_assert(eq(int, run_answer(&c), QUEUE_OK));
    expect_arrived(&id, "");
}

Test(queue_arrived, one_whose_record_is_gone_gets_no_new_one)
{
    struct job_id id = add(5, 0);
    struct queue_lease l = claim_and_start();
    struct redis_cmd c = command();

    redis_cmd_begin(&c, "DEL");
    queue_add_job_key(&c, &id);
    redis_reply_free(run(&c));
    beat_with(&l, A);
    c = command();
    redis_cmd_begin(&c, "EXISTS");
    queue_add_job_key(&c, &id);
    struct redis_value *v = run(&c);
    cr_expect(eq(i64, redis_value_int(v), 0));
    redis_reply_free(v);
}
