/* Each way a store can answer to PUT and HEAD, and what becomes of the job. */
#include "tests/integration/dest_s3_harness.h"

#include <criterion/parameterized.h>
#include <stdio.h>
#include <time.h>

/* The Date of a store whose clock is behind ours; set by date_store. */
static char an_hour_ago[64];

static void date_store(void)
{
    time_t then = time(NULL) - 3600;
    struct tm tm;

    cr_assert(gmtime_r(&then, &tm) != NULL);
    cr_assert(strftime(an_hour_ago, sizeof an_hour_ago,
                       "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm) > 0);
}

TestSuite(dest_s3_answers, .init = up, .fini = down, .timeout = 120);

static const struct {
    const char *label;
    struct s3_fault faults[4];
    struct s3_faulty_traits traits;
    const char *there; /* an object that was there before */
    bool done;
    enum retry_class class;
    const char *error; /* stands in it */
    int puts, heads, stored;
} rows[] = {
    {.label = "500",
     .faults = {{.kind = S3_FAULT_STATUS, .status = 500, .code = "InternalError"}},
     .class = RETRY_TRANSIENT,
     .error = "500 InternalError",
     .puts = 1},
    {.label = "503 without a body",
     .faults = {{.kind = S3_FAULT_STATUS, .status = 503}},
     .class = RETRY_TRANSIENT,
     .error = "503",
     .puts = 1},
    {.label = "slow down",
     .faults = {{.kind = S3_FAULT_STATUS,
                 .status = 503,
                 .code = "SlowDown",
                 .headers = "Retry-After: 7\r\n"}},
     .class = RETRY_THROTTLED,
     .error = "SlowDown",
     .puts = 1},
    {.label = "403",
     .faults = {{.kind = S3_FAULT_STATUS, .status = 403, .code = "AccessDenied"}},
     .class = RETRY_CONFIG,
     .error = "AccessDenied",
     .puts = 1},
    {.label = "403 before the body",
     .faults = {{.kind = S3_FAULT_EARLY_STATUS,
                 .status = 403,
                 .code = "InvalidAccessKeyId"}},
     .class = RETRY_REFRESH,
     .error = "InvalidAccessKeyId",
     .puts = 1},
    {.label = "no bucket",
     .faults = {{.kind = S3_FAULT_STATUS, .status = 404, .code = "NoSuchBucket"}},
     .class = RETRY_CONFIG,
     .error = "NoSuchBucket",
     .puts = 1},
    {.label = "redirect",
     .faults = {{.kind = S3_FAULT_STATUS,
                 .status = 307,
                 .code = "TemporaryRedirect",
                 .headers = "Location: http://169.254.169.254/\r\n"}},
     .class = RETRY_CONFIG,
     .error = "TemporaryRedirect",
     .puts = 1},
    {.label = "other region",
     .faults = {{.kind = S3_FAULT_STATUS,
                 .status = 301,
                 .headers = "x-amz-bucket-region: eu-west-1\r\n"}},
     .done = true,
     .puts = 2,
     .stored = 1},
    {.label = "other region again",
     .faults = {{.kind = S3_FAULT_STATUS,
                 .status = 301,
                 .headers = "x-amz-bucket-region: eu-west-1\r\n"},
                {.kind = S3_FAULT_STATUS,
                 .status = 301,
                 .headers = "x-amz-bucket-region: eu-west-2\r\n"}},
     .class = RETRY_CONFIG,
     .error = "region eu-west-2",
     .puts = 2},
    {.label = "bad request",
     .faults = {{.kind = S3_FAULT_STATUS, .status = 400, .code = "EntityTooLarge"}},
     .class = RETRY_NEVER,
     .error = "EntityTooLarge",
     .puts = 1},
    {.label = "bad digest",
     .faults = {{.kind = S3_FAULT_STATUS, .status = 400, .code = "BadDigest"}},
     .class = RETRY_TRANSIENT,
     .error = "BadDigest",
     .puts = 1},
    {.label = "200 with an error",
     .faults = {{.kind = S3_FAULT_ERROR_IN_200, .code = "InternalError"}},
     .class = RETRY_TRANSIENT,
     .error = "InternalError",
     .puts = 1},
    {.label = "answer lost, stored",
     .faults = {{.kind = S3_FAULT_LOST_ANSWER}},
     .done = true,
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "answer lost, not stored",
     .faults = {{.kind = S3_FAULT_LOST_BODY}},
     .class = RETRY_TRANSIENT,
     .error = "PUT",
     .puts = 1,
     .heads = 1},
    {.label = "half an answer, stored",
     .faults = {{.kind = S3_FAULT_HALF_ANSWER}},
     .done = true,
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "garbage",
     .faults = {{.kind = S3_FAULT_GARBAGE}},
     .class = RETRY_TRANSIENT,
     .error = "PUT",
     .puts = 1,
     .heads = 1},
    {.label = "no answer, stored",
     .faults = {{.kind = S3_FAULT_HANG}},
     .done = true,
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "wrong etag, stored",
     .faults = {{.kind = S3_FAULT_WRONG_ETAG}},
     .done = true,
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "wrong checksum, stored",
     .faults = {{.kind = S3_FAULT_WRONG_CHECKSUM}},
     .done = true,
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "the store keeps other bytes",
     .faults = {{.kind = S3_FAULT_CORRUPT}},
     .class = RETRY_TRANSIENT,
     .error = "other bytes",
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "no proof, stored",
     .faults = {{.kind = S3_FAULT_NO_PROOF}},
     .done = true,
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "412, the same bytes",
     .there = BODY,
     .done = true,
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "412, other bytes",
     .there = "the bytes of an OBJECT.",
     .class = RETRY_NEVER,
     .error = "key exists with other content",
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "412, another size",
     .there = "x",
     .class = RETRY_NEVER,
     .error = "key exists with other content",
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "412, no checksums told, the same bytes",
     .there = BODY,
     .traits = {.silent_checksums = true},
     .done = true,
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "412, no checksums told, other bytes",
     .there = "the bytes of an OBJECT.",
     .traits = {.silent_checksums = true},
     .class = RETRY_NEVER,
     .error = "key exists with other content",
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "412, nothing to compare, a key that was chosen",
     .there = "the bytes of an OBJECT.",
     .traits = {.silent_checksums = true, .random_etags = true},
     .class = RETRY_NEVER,
     .error = "cannot be proven to be these bytes",
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "304 for 412, nothing to compare, a key that was chosen",
     .there = "the bytes of an OBJECT.",
     .faults = {{.kind = S3_FAULT_STATUS, .status = 304}},
     .traits = {.silent_checksums = true, .random_etags = true},
     .class = RETRY_NEVER,
     .error = "cannot be proven to be these bytes",
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "answer lost, nothing to compare, a key that was chosen",
     .faults = {{.kind = S3_FAULT_LOST_ANSWER}},
     .traits = {.silent_checksums = true, .random_etags = true},
     .class = RETRY_NEVER,
     .error = "cannot be proven to be these bytes",
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "412, nothing to compare, another size",
     .there = "x",
     .traits = {.silent_checksums = true, .random_etags = true},
     .class = RETRY_NEVER,
     .error = "key exists with other content",
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "taken, nothing to compare, a key that was chosen",
     .traits = {.silent_checksums = true, .random_etags = true},
     .done = true,
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "304 for 412",
     .there = BODY,
     .faults = {{.kind = S3_FAULT_STATUS, .status = 304}},
     .done = true,
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "409 conflict",
     .faults = {{.kind = S3_FAULT_STATUS,
                 .status = 409,
                 .code = "ConditionalRequestConflict"}},
     .class = RETRY_TRANSIENT,
     .error = "ConditionalRequestConflict",
     .puts = 1},
    {.label = "412, and HEAD is refused",
     .faults = {{.kind = S3_FAULT_STATUS, .status = 412, .code = "PreconditionFailed"},
                {.kind = S3_FAULT_STATUS, .status = 403}},
     .class = RETRY_CONFIG,
     .error = "HEAD: status 403",
     .puts = 1,
     .heads = 1},
    {.label = "412, and the object has gone",
     .faults = {{.kind = S3_FAULT_STATUS, .status = 412, .code = "PreconditionFailed"}},
     .class = RETRY_TRANSIENT,
     .error = "PreconditionFailed",
     .puts = 1,
     .heads = 1},
    {.label = "no conditions",
     .traits = {.no_conditions = true},
     .done = true,
     .puts = 3,
     .heads = 1,
     .stored = 1},
    {.label = "no checksums",
     .traits = {.no_checksums = true},
     .done = true,
     .puts = 2,
     .stored = 1},
    {.label = "no conditions, no checksums",
     .traits = {.no_conditions = true, .no_checksums = true},
     .done = true,
     .puts = 4,
     .heads = 1,
     .stored = 1},
    {.label = "no checksums, random etags",
     .traits = {.no_conditions = true, .no_checksums = true, .random_etags = true},
     .done = true,
     .puts = 4,
     .heads = 2,
     .stored = 1},
    {.label = "our clock is wrong",
     .faults = {{.kind = S3_FAULT_STATUS,
                 .status = 403,
                 .code = "RequestTimeTooSkewed",
                 .headers = an_hour_ago}},
     .done = true,
     .puts = 2,
     .stored = 1},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

ParameterizedTestParameters(dest_s3_answers, each)
{
    /* Each row with SHA-256, and each with CRC-32C. */
    static size_t i[2 * ROWS];

    for (size_t k = 0; k < 2 * ROWS; k++)
        i[k] = k;
    return cr_make_param_array(size_t, i, 2 * ROWS);
}

ParameterizedTest(size_t *param, dest_s3_answers, each)
{
    size_t index = *param % ROWS, *i = &index;
    const char *label = rows[*i].label;

    config.checksum = *param < ROWS ? CONFIG_SHA256 : CONFIG_CRC32C;
    date_store();
    open_afresh();
    s3_faulty_set_traits(s3, rows[*i].traits);
    if (rows[*i].there)
        s3_faulty_put(s3, PATH, rows[*i].there, (int64_t)strlen(rows[*i].there));
    for (size_t f = 0; f < 4 && rows[*i].faults[f].kind != S3_FAULT_NONE; f++)
        s3_faulty_push(s3, rows[*i].faults[f]);
    struct dest_result r = deliver(BODY);
    cr_expect(eq(int, r.outcome.done, rows[*i].done), "%s: %s", label, r.outcome.error);
    if (!rows[*i].done) {
        cr_expect(eq(int, r.outcome.class, rows[*i].class), "%s: %s", label,
                  r.outcome.error);
        cr_expect(strstr(r.outcome.error, rows[*i].error) != NULL, "%s: '%s'", label,
                  r.outcome.error);
    }
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), rows[*i].puts), "%s", label);
    cr_expect(eq(int, s3_faulty_count(s3, "HEAD"), rows[*i].heads), "%s", label);
    cr_expect(eq(int, stored(), rows[*i].stored), "%s", label);
    cr_expect(
        eq(i64, r.outcome.retry_after_ms, strcmp(label, "slow down") == 0 ? 7000 : 0),
        "%s", label);
    outcome_release(&r.outcome);
}

/* The object of a job under its default key can be nobody else's: equal sizes are enough. */
Test(dest_s3_answers, under_the_key_of_the_job_a_lost_answer_needs_no_digest)
{
    struct job j = dest_job("a key", BODY, strlen(BODY));
    struct err e = ERR_INIT;
    char key[ID_UUID_LEN + 5];

    (void)snprintf(key, sizeof key, "%s.txt", j.id.uuid.text);
    cr_assert(job_set_key(&j, key, strlen(key), &e) == ERR_OK, "%s", e.text);
    s3_faulty_set_traits(
        s3, (struct s3_faulty_traits){.silent_checksums = true, .random_etags = true});
    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_LOST_ANSWER});
    struct dest_result lost = dest_run(&loop, dest, &j, dest_data(BODY, strlen(BODY)));
    cr_expect(lost.outcome.done, "lost answer: %s", lost.outcome.error);
    struct dest_result again = dest_run(&loop, dest, &j, dest_data(BODY, strlen(BODY)));
    cr_expect(again.outcome.done, "412: %s", again.outcome.error);
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 2));
    cr_expect(eq(int, s3_faulty_count(s3, "HEAD"), 2));
    cr_expect(eq(int, s3_faulty_objects(s3), 1));
    job_release(&j);
    outcome_release(&lost.outcome);
    outcome_release(&again.outcome);
}

Test(dest_s3_answers, without_conditions_what_cannot_be_proven_is_put_again)
{
    config.conditional = false;
    open_afresh();
    s3_faulty_set_traits(
        s3, (struct s3_faulty_traits){.silent_checksums = true, .random_etags = true});
    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_LOST_ANSWER});
    struct dest_result lost = deliver(BODY), again = deliver(BODY);
    cr_expect(not(lost.outcome.done));
    cr_expect(eq(int, lost.outcome.class, RETRY_TRANSIENT), "%s", lost.outcome.error);
    cr_expect(again.outcome.done, "%s", again.outcome.error);
    cr_expect(eq(int, stored(), 2));
    outcome_release(&lost.outcome);
    outcome_release(&again.outcome);
}
