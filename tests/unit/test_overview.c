/* What stands in Redis for people to look at: the minutes of a queue, the jobs of a worker, the attempts of a job. */
#include "shared/job_tries.h"
#include "shared/queue_minutes.h"
#include "shared/redis_internal.h"
#include "shared/worker_jobs.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(overview, .timeout = 60);

/* --- queue_minutes --- */

static bool parses(const char *text)
{
    struct queue_minute m;

    return queue_minute_parse(text, strlen(text), &m);
}

Test(overview, a_minute_is_six_numbers)
{
    struct queue_minute m;
    const char *text = "29407751 120 100 3 1 471100";

    cr_assert(queue_minute_parse(text, strlen(text), &m));
    cr_expect(eq(i64, m.minute, 29407751));
    cr_expect(eq(i64, m.totals[QUEUE_COUNT_ENQUEUED], 120));
    cr_expect(eq(i64, m.totals[QUEUE_COUNT_BYTES], 471100));
    cr_expect_not(parses(""));
    cr_expect_not(parses("29407751 120 100 3 1"));
    cr_expect_not(parses("29407751 120 100 3 1 471100 7"));
    cr_expect_not(parses("29407751 120 -1 3 1 471100"));
    cr_expect_not(parses("29407751 120 100 3 1 9999999999999999"));
    cr_expect_not(parses("29407751  120 100 3 1 5"));
}

Test(overview, an_hour_is_what_lies_between_the_minutes_that_were_noted)
{
    struct queue_minute begun[] = {
        {1000, {100, 50, 5, 2, 9000}},
        {940, {1, 1, 1, 1, 1}}, /* over an hour ago */
        {941, {10, 10, 5, 2, 100}},
        {998, {40, 20, 5, 2, 5000}},
    };
    const int64_t totals[QUEUE_COUNTERS] = {107, 50, 3, 2, 9500};
    struct queue_minutes m;

    queue_minutes_reckon(begun, 4, totals, INT64_C(1000) * 60000 + 30000, &m);
    cr_expect(eq(i64, m.last, 1000));
    cr_expect(eq(i64, m.n[QUEUE_COUNT_ENQUEUED][59], 7));
    cr_expect(eq(i64, m.n[QUEUE_COUNT_BYTES][59], 500));
    cr_expect(eq(i64, m.n[QUEUE_COUNT_FAILED][59], 0), "a counter that fell");
    cr_expect(eq(i64, m.n[QUEUE_COUNT_ENQUEUED][58], 0), "nothing happened in 999");
    cr_expect(eq(i64, m.n[QUEUE_COUNT_ENQUEUED][57], 60));
    cr_expect(eq(i64, m.n[QUEUE_COUNT_DONE][57], 30));
    cr_expect(eq(i64, m.n[QUEUE_COUNT_ENQUEUED][0], 30));
    int64_t sum = 0;
    for (size_t i = 0; i < QUEUE_MINUTES; i++)
        sum += m.n[QUEUE_COUNT_ENQUEUED][i];
    cr_expect(eq(i64, sum, 97), "each job counts once");
}

Test(overview, a_rate_is_that_of_the_last_sixty_seconds)
{
    struct queue_minutes m = {.last = 1000};

    m.n[QUEUE_COUNT_DONE][59] = 6;
    m.n[QUEUE_COUNT_DONE][58] = 60;
    const int64_t start = INT64_C(1000) * 60000;
    cr_expect(queue_minutes_rate(&m, QUEUE_COUNT_DONE, start + 30000) > 0.599);
    cr_expect(queue_minutes_rate(&m, QUEUE_COUNT_DONE, start + 30000) < 0.601);
    cr_expect(queue_minutes_rate(&m, QUEUE_COUNT_DONE, start + 59999) < 0.101);
    cr_expect(queue_minutes_rate(&m, QUEUE_COUNT_DONE, start - 5000) < 1.101);
    cr_expect(queue_minutes_rate(&m, QUEUE_COUNT_DEAD, start) <= 0);
}

/* --- batches --- */

static bool is_batch(const char *text, struct queue_batch *ret)
{
    struct redis_value numbers = {
        .type = REDIS_STRING, .text = (char *)text, .len = strlen(text)};
    struct redis_value *items[] = {&numbers};
    struct redis_value v = {.type = REDIS_ARRAY, .items = items, .count = 1};
    struct err e = ERR_INIT;

    return queue_parse_batch(&v, ret, &e) == ERR_OK;
}

Test(overview, a_batch_is_five_numbers_that_can_be_added_up)
{
    struct queue_batch b;

    cr_assert(is_batch("open=1 total=6 done=3 dead=2 cancelled=1 told=1", &b));
    cr_expect(b.open && b.total == 6 && b.done == 3 && b.dead == 2 && b.cancelled == 1);
    cr_assert(is_batch("open=0 total=999999999999999 done=0 dead=0 cancelled=0", &b));
    cr_expect(not(b.open));
    cr_expect_not(
        is_batch("open=0 total=1000000000000000 done=0 dead=0 cancelled=0", &b));
    cr_expect_not(
        is_batch("open=0 total=9223372036854775807 done=0 dead=0 cancelled=0", &b));
    cr_expect_not(is_batch("open=0 total=-1 done=0 dead=0 cancelled=0", &b));
    cr_expect_not(is_batch("open=0 total= done=0 dead=0 cancelled=0", &b));
    cr_expect_not(is_batch("open=0 total=1 done=0 dead=0", &b));
    cr_expect_not(is_batch("", &b));
}

/* --- worker_jobs --- */

#define UUID "0193c0de-7a1b-7c3d-9e4f-000000000002"

Test(overview, jobs_of_a_worker_are_read_as_they_were_written)
{
    struct buf b = BUF_INIT(WORKER_JOBS_BYTES_MAX);
    struct worker_job a = {.id = {.uuid = {UUID}, .queue = "default"},
                           .owner = "shop",
                           .phase = "uploading",
                           .name = "photo of us.jpg",
                           .size = 4711,
                           .sent = 1200,
                           .rate = 800,
                           .parts = 7,
                           .parts_done = 3,
                           .started = 1764451470000};
    struct worker_job c = {.id = a.id, .policy = "p1"}, ret;
    size_t at = 0;

    worker_jobs_add(&b, &a);
    worker_jobs_add(&b, &c);
    cr_assert(worker_jobs_next(b.data, b.len, &at, &ret));
    cr_expect(eq(str, ret.id.uuid.text, UUID));
    cr_expect(eq(str, ret.owner, "shop"));
    cr_expect(eq(str, ret.policy, ""));
    cr_expect(eq(str, ret.phase, "uploading"));
    cr_expect(eq(str, ret.name, "photo of us.jpg"));
    cr_expect(ret.size == 4711 && ret.sent == 1200 && ret.rate == 800);
    cr_expect(ret.parts == 7 && ret.parts_done == 3 && ret.started == a.started);
    cr_assert(worker_jobs_next(b.data, b.len, &at, &ret));
    cr_expect(eq(str, ret.owner, ""));
    cr_expect(eq(str, ret.policy, "p1"));
    cr_expect(eq(str, ret.phase, ""));
    cr_expect(eq(str, ret.name, ""));
    cr_expect_not(worker_jobs_next(b.data, b.len, &at, &ret));
    buf_release(&b);
}

Test(overview, a_line_that_is_no_job_is_stepped_over)
{
    static const char text[] =
        "\nrubbish\n"
        "default." UUID " - - - 1 2 3 4 5\n"           /* too few */
        "default." UUID " - - - 1 2 3 4 x 6 n\n"       /* no number */
        "default." UUID " a/b - - 1 2 3 4 5 6 n\n"     /* no owner */
        "default." UUID " - - - 1 2 3 4 5 6 a/b\n"     /* no name of ours */
        "default." UUID " - - - 1 2 3 4 5 6 \x1b[2J\n" /* nor this */
        "Default." UUID " - - - 1 2 3 4 5 6 n\n"       /* no queue */
        "default." UUID " - - - 1 2 3 4 5 1234567890123456 n\n"
        "docs." UUID " - - - 1 2 3 4 5 6 right\n"
        "docs." UUID " - - - 1 2 3 4 5 6 cut";
    struct worker_job ret;
    size_t at = 0;

    cr_assert(worker_jobs_next(text, sizeof text - 1, &at, &ret));
    cr_expect(eq(str, ret.name, "right"));
    cr_expect(eq(str, ret.id.queue, "docs"));
    cr_expect_not(worker_jobs_next(text, sizeof text - 1, &at, &ret));
}

/* --- job_tries --- */

static struct job sample(enum job_state state)
{
    struct job j = JOB_INIT;

    j.id = (struct job_id){.uuid = {UUID}, .queue = "q"};
    j.state = state;
    j.source = strdup("spool");
    j.sha256 = strdup("00");
    j.to = strdup("out");
    j.key = strdup("k");
    j.created = 1;
    return j;
}

/* The story of j holds this text, or (not) does not. */
static bool tells(const struct job *j, const char *want)
{
    struct buf b = BUF_INIT(JOB_RECORD_MAX);
    bool found = job_add_story(&b, j) && strstr(b.data, want);

    if (!found)
        fprintf(stderr, "%s\n", b.data);
    buf_release(&b);
    return found;
}

Test(overview, a_story_has_the_attempts_one_by_one)
{
    struct job j = sample(JOB_DONE);

    j.tries = strdup("1 1000 2000 w1 transient connection \"refused\" </script>\xc3\n"
                     "rubbish\n"
                     "2 3000 4000 w2 - \n");
    j.started = 5000;
    j.ended = 6000;
    j.attempts = 3;
    j.worker = strdup("w3");
    cr_expect(tells(
        &j, ",\"tries\":[{\"attempt\":1,\"state\":\"failed\",\"worker\":\"w1\","
            "\"started\":\"1970-01-01T00:00:01.000Z\","
            "\"ended\":\"1970-01-01T00:00:02.000Z\",\"error\":{\"class\":\"transient\","
            "\"text\":\"connection \\\"refused\\\" \\u003c/script\\u003e\\ufffd\"}},"
            "{\"attempt\":2,\"state\":\"failed\",\"worker\":\"w2\","
            "\"started\":\"1970-01-01T00:00:03.000Z\","
            "\"ended\":\"1970-01-01T00:00:04.000Z\",\"error\":{\"class\":\"-\","
            "\"text\":\"\"}},"
            "{\"attempt\":3,\"state\":\"done\",\"worker\":\"w3\","
            "\"started\":\"1970-01-01T00:00:05.000Z\","
            "\"ended\":\"1970-01-01T00:00:06.000Z\"}]}"));
    job_release(&j);
}

Test(overview, what_has_not_begun_or_waits_to_be_tried_again_has_no_attempt_of_its_own)
{
    struct job j = sample(JOB_WAITING);
    struct buf b = BUF_INIT(JOB_RECORD_MAX);

    cr_assert(job_add_story(&b, &j));
    cr_expect(strstr(b.data, "tries") == NULL, "%s", b.data);
    cr_expect(b.data[b.len - 1] == '}' && b.data[b.len - 2] == '"', "%s", b.data);
    buf_release(&b);
    j.tries = strdup("1 1000 2000 w1 never gone\n");
    j.state = JOB_DEAD;
    j.started = 1000;
    j.crashes = 2;
    cr_expect(tells(&j, "\"text\":\"gone\"}}],\"crashes\":2}"));
    job_release(&j);
}
