/* The destination s3: against a store that misbehaves on request. */
#include "worker/dest_s3.h"

#include <stdio.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

#include "tests/integration/dest_harness.h"
#include "tests/support/s3_faulty.h"
#include "tests/support/wait_until.h"

#define BODY "the bytes of the object"
#define PATH "/bucket/pre/a%20key"

static struct s3_faulty *s3;
static uv_loop_t loop;
static struct http *http;
static struct destination *dest;
static struct config_destination config;

static void open_dest(void)
{
    struct err e = ERR_INIT;

    cr_assert(
        dest_s3_open(
            &(struct dest_s3_options){.loop = &loop, .http = http, .config = &config},
            &dest, &e) == ERR_OK,
        "%s", e.text);
}

static void up(void)
{
    struct err e = ERR_INIT;

    s3 = s3_faulty_start();
    cr_assert(eq(int, uv_loop_init(&loop), 0));
    cr_assert(http_open(&loop, &http, &e) == ERR_OK, "%s", e.text);
    config = (struct config_destination){.name = "s3",
                                         .scheme = CONFIG_S3,
                                         .endpoint = (char *)s3_faulty_url(s3),
                                         .region = "us-east-1",
                                         .style = CONFIG_PATH_STYLE,
                                         .bucket = "bucket",
                                         .prefix = "pre",
                                         .access_key = "AKIDEXAMPLE",
                                         .secret_key = "secret",
                                         .conditional = true,
                                         .checksum = true,
                                         .content_type = "application/octet-stream",
                                         .connect_timeout_seconds = 1,
                                         .stall_timeout_seconds = 1,
                                         .answer_timeout_seconds = 1};
    open_dest();
}

static void down(void)
{
    destination_release(dest);
    http_close(http);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(eq(int, uv_loop_close(&loop), 0), "nothing stays open");
    s3_faulty_stop(s3);
}

TestSuite(dest_s3, .init = up, .fini = down, .timeout = 60);

static struct dest_result deliver(const char *data)
{
    struct job j = dest_job("a key", data, strlen(data));
    struct dest_result r = dest_run(&loop, dest, &j, dest_data(data, strlen(data)));

    job_release(&j);
    return r;
}

static int stored(void)
{
    struct s3_faulty_object o;

    return s3_faulty_object(s3, PATH, &o) ? o.stored : 0;
}

Test(dest_s3, an_object_arrives_with_all_its_headers)
{
    static const char *const lines[] = {
        "PUT " PATH " HTTP/1.1\r\n",
        "\r\nContent-Length: 23\r\n",
        "\r\nIf-None-Match: *\r\n",
        "\r\nx-amz-checksum-sha256: ",
        "\r\nx-amz-meta-who: Zo%C3%AB & co\r\n",
        "\r\nx-amz-meta-empty:",
        "\r\nContent-Type: text/plain\r\n",
        "\r\nx-amz-meta-filename: Gr%C3%BC%C3%9Fe%201.txt\r\n",
        "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/",
        "\r\nx-amz-content-sha256: "};
    struct job j = dest_job("a key", BODY, strlen(BODY));
    struct err e = ERR_INIT;
    char head[8192];

    cr_assert(job_set_type(&j, "text/plain", 10, &e) == ERR_OK);
    cr_assert(job_add_meta(&j, "who", 3, "Zoë & co", 9, &e) == ERR_OK);
    cr_assert(job_add_meta(&j, "empty", 5, "", 0, &e) == ERR_OK);
    struct dest_result r = dest_run(&loop, dest, &j, dest_data(BODY, strlen(BODY)));
    cr_assert(r.outcome.done, "%s", r.outcome.error);
    cr_expect(eq(str, r.outcome.url, "s3://bucket/pre/a key"));
    cr_expect(r.outcome.etag != NULL);
    cr_expect(eq(i64, r.outcome.sent, 23));
    s3_faulty_head(s3, "PUT", head, sizeof head);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        cr_expect(strstr(head, lines[i]) != NULL, "'%s' in\n%s", lines[i], head);
    cr_expect(strstr(head, "Expect") == NULL, "not for a small body");
    cr_expect(strstr(head, j.sha256) != NULL, "the payload hash is signed over http");
    cr_expect(eq(int, stored(), 1));
    cr_expect(eq(int, s3_faulty_count(s3, "HEAD"), 0));
    job_release(&j);
    outcome_release(&r.outcome);
}

/* Each way to answer, and what becomes of the job. */
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
     .faults = {{S3_FAULT_STATUS, .status = 500, .code = "InternalError"}},
     .class = RETRY_TRANSIENT,
     .error = "500 InternalError",
     .puts = 1},
    {.label = "503 without a body",
     .faults = {{S3_FAULT_STATUS, .status = 503}},
     .class = RETRY_TRANSIENT,
     .error = "503",
     .puts = 1},
    {.label = "slow down",
     .faults = {{S3_FAULT_STATUS, .status = 503, .code = "SlowDown",
                 .headers = "Retry-After: 7\r\n"}},
     .class = RETRY_THROTTLED,
     .error = "SlowDown",
     .puts = 1},
    {.label = "403",
     .faults = {{S3_FAULT_STATUS, .status = 403, .code = "AccessDenied"}},
     .class = RETRY_CONFIG,
     .error = "AccessDenied",
     .puts = 1},
    {.label = "403 before the body",
     .faults = {{S3_FAULT_EARLY_STATUS, .status = 403, .code = "InvalidAccessKeyId"}},
     .class = RETRY_CONFIG,
     .error = "InvalidAccessKeyId",
     .puts = 1},
    {.label = "no bucket",
     .faults = {{S3_FAULT_STATUS, .status = 404, .code = "NoSuchBucket"}},
     .class = RETRY_CONFIG,
     .error = "NoSuchBucket",
     .puts = 1},
    {.label = "redirect",
     .faults = {{S3_FAULT_STATUS, .status = 307, .code = "TemporaryRedirect",
                 .headers = "Location: http://169.254.169.254/\r\n"}},
     .class = RETRY_CONFIG,
     .error = "TemporaryRedirect",
     .puts = 1},
    {.label = "other region",
     .faults = {{S3_FAULT_STATUS, .status = 301,
                 .headers = "x-amz-bucket-region: eu-west-1\r\n"}},
     .class = RETRY_CONFIG,
     .error = "region eu-west-1",
     .puts = 1},
    {.label = "bad request",
     .faults = {{S3_FAULT_STATUS, .status = 400, .code = "EntityTooLarge"}},
     .class = RETRY_NEVER,
     .error = "EntityTooLarge",
     .puts = 1},
    {.label = "bad digest",
     .faults = {{S3_FAULT_STATUS, .status = 400, .code = "BadDigest"}},
     .class = RETRY_TRANSIENT,
     .error = "BadDigest",
     .puts = 1},
    {.label = "200 with an error",
     .faults = {{S3_FAULT_ERROR_IN_200, .code = "InternalError"}},
     .class = RETRY_TRANSIENT,
     .error = "InternalError",
     .puts = 1},
    {.label = "answer lost, stored",
     .faults = {{S3_FAULT_LOST_ANSWER}},
     .done = true,
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "answer lost, not stored",
     .faults = {{S3_FAULT_LOST_BODY}},
     .class = RETRY_TRANSIENT,
     .error = "PUT",
     .puts = 1,
     .heads = 1},
    {.label = "half an answer, stored",
     .faults = {{S3_FAULT_HALF_ANSWER}},
     .done = true,
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "garbage",
     .faults = {{S3_FAULT_GARBAGE}},
     .class = RETRY_TRANSIENT,
     .error = "PUT",
     .puts = 1,
     .heads = 1},
    {.label = "no answer, stored",
     .faults = {{S3_FAULT_HANG}},
     .done = true,
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "wrong etag, stored",
     .faults = {{S3_FAULT_WRONG_ETAG}},
     .done = true,
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "wrong checksum, stored",
     .faults = {{S3_FAULT_WRONG_CHECKSUM}},
     .done = true,
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "the store keeps other bytes",
     .faults = {{S3_FAULT_CORRUPT}},
     .class = RETRY_TRANSIENT,
     .error = "other bytes",
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "no proof, stored",
     .faults = {{S3_FAULT_NO_PROOF}},
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
    {.label = "304 for 412",
     .there = BODY,
     .faults = {{S3_FAULT_STATUS, .status = 304}},
     .done = true,
     .puts = 1,
     .heads = 1,
     .stored = 1},
    {.label = "409 conflict",
     .faults = {{S3_FAULT_STATUS, .status = 409, .code = "ConditionalRequestConflict"}},
     .class = RETRY_TRANSIENT,
     .error = "ConditionalRequestConflict",
     .puts = 1},
    {.label = "412, and HEAD is refused",
     .faults = {{S3_FAULT_STATUS, .status = 412, .code = "PreconditionFailed"},
                {S3_FAULT_STATUS, .status = 403}},
     .class = RETRY_CONFIG,
     .error = "HEAD: status 403",
     .puts = 1,
     .heads = 1},
    {.label = "412, and the object has gone",
     .faults = {{S3_FAULT_STATUS, .status = 412, .code = "PreconditionFailed"}},
     .class = RETRY_TRANSIENT,
     .error = "PreconditionFailed",
     .puts = 1,
     .heads = 1},
    {.label = "no conditions",
     .traits = {.no_conditions = true},
     .done = true,
     .puts = 2,
     .stored = 1},
    {.label = "no conditions, no checksums",
     .traits = {.no_conditions = true, .no_checksums = true},
     .done = true,
     .puts = 3,
     .stored = 1},
    {.label = "no checksums, random etags",
     .traits = {.no_conditions = true, .no_checksums = true, .random_etags = true},
     .done = true,
     .puts = 3,
     .heads = 1,
     .stored = 1},
    {.label = "our clock is wrong",
     .faults = {{S3_FAULT_STATUS, .status = 403, .code = "RequestTimeTooSkewed",
                 .headers = "Date: Mon, 23 Nov 2026 00:00:00 GMT\r\n"}},
     .done = true,
     .puts = 2,
     .stored = 1},
};

ParameterizedTestParameters(dest_s3, each_answer)
{
    static size_t i[sizeof rows / sizeof rows[0]];

    for (size_t k = 0; k < sizeof i / sizeof i[0]; k++)
        i[k] = k;
    return cr_make_param_array(size_t, i, sizeof i / sizeof i[0]);
}

ParameterizedTest(size_t *i, dest_s3, each_answer)
{
    const char *label = rows[*i].label;

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

Test(dest_s3, what_the_store_does_not_know_is_remembered)
{
    s3_faulty_set_traits(s3, (struct s3_faulty_traits){.no_conditions = true});
    struct dest_result first = deliver(BODY), second = deliver(BODY);

    cr_expect(first.outcome.done);
    cr_expect(second.outcome.done);
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 3), "two for the first, one after");
    outcome_release(&first.outcome);
    outcome_release(&second.outcome);
}

/* A body of several buffers; every piece of it is looked at. */
enum { LARGE = 3 << 20 };

static char *large(void)
{
    char *data = malloc(LARGE);

    cr_assert(data != NULL);
    for (size_t i = 0; i < LARGE; i++)
        data[i] = (char)(i * 31 >> 3);
    return data;
}

Test(dest_s3, a_large_body_arrives_and_asks_first)
{
    char *data = large(), head[8192];
    struct job j = dest_job("a key", data, LARGE);
    struct dest_result r = dest_run(&loop, dest, &j, dest_data(data, LARGE));
    struct s3_faulty_object o;

    cr_assert(r.outcome.done, "%s", r.outcome.error);
    cr_assert(s3_faulty_object(s3, PATH, &o));
    cr_expect(eq(str, o.sha256, j.sha256));
    s3_faulty_head(s3, "PUT", head, sizeof head);
    cr_expect(strstr(head, "Expect: 100-continue") != NULL);
    outcome_release(&r.outcome);
    job_release(&j);
    free(data);
}

Test(dest_s3, a_damaged_spool_file_never_becomes_an_object)
{
    char *data = large();
    struct job j = dest_job("a key", data, LARGE);

    data[LARGE / 2] ^= 1;
    struct dest_result r = dest_run(&loop, dest, &j, dest_data(data, LARGE));
    cr_expect(not(r.outcome.done));
    cr_expect(eq(int, r.outcome.class, RETRY_NEVER));
    cr_expect(strstr(r.outcome.error, "spool corrupt") != NULL);
    cr_expect(eq(int, stored(), 0));
    r = dest_run(&loop, dest, &j, dest_data(data, LARGE / 2));
    cr_expect(eq(int, r.outcome.class, RETRY_NEVER));
    cr_expect(strstr(r.outcome.error, "spool short") != NULL, "%s", r.outcome.error);
    cr_expect(eq(int, stored(), 0));
    job_release(&j);
    free(data);
}

Test(dest_s3, a_body_that_stalls_or_breaks_is_transient)
{
    static const enum s3_fault_kind kinds[] = {S3_FAULT_STALL_IN_BODY,
                                               S3_FAULT_CLOSE_IN_BODY};
    enum { HUGE_BODY = 32 << 20 }; /* more than socket buffers take */
    char *data = calloc(1, HUGE_BODY);
    struct job j = dest_job("a key", data, HUGE_BODY);

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        s3_faulty_push(s3, (struct s3_fault){.kind = kinds[i], .bytes = 100000});
        struct dest_result r = dest_run(&loop, dest, &j, dest_data(data, HUGE_BODY));
        cr_expect(not(r.outcome.done));
        cr_expect(eq(int, r.outcome.class, RETRY_TRANSIENT), "%s", r.outcome.error);
        cr_expect(eq(int, stored(), 0));
        cr_expect(eq(int, s3_faulty_count(s3, "HEAD"), 0),
                  "nothing can have been stored");
    }
    job_release(&j);
    free(data);
}

Test(dest_s3, nobody_listens_or_the_name_is_unknown)
{
    static const struct {
        const char *endpoint;
        enum retry_class class;
    } where[] = {{"http://127.0.0.1:1", RETRY_TRANSIENT},
                 {"http://no-such-host.invalid", RETRY_TRANSIENT},
                 {"https://127.0.0.1:1", RETRY_TRANSIENT}};

    for (size_t i = 0; i < sizeof where / sizeof where[0]; i++) {
        destination_release(dest);
        config.endpoint = (char *)where[i].endpoint;
        open_dest();
        struct dest_result r = deliver(BODY);
        cr_expect(not(r.outcome.done));
        cr_expect(eq(int, r.outcome.class, where[i].class), "%s: %s", where[i].endpoint,
                  r.outcome.error);
    }
}

Test(dest_s3, an_abort_ends_it_soon)
{
    struct job j = dest_job("a key", BODY, strlen(BODY));
    struct dest_result r = {0};
    struct destination_work w = {.job = &j,
                                 .fd = dest_data(BODY, strlen(BODY)),
                                 .done = dest_on_done,
                                 .ctx = &r};

    s3_faulty_close_gate(s3);
    struct destination_run *run = destination_begin(dest, &w);
    cr_assert(run != NULL);
    cr_assert(
        WAIT_UNTIL((uv_run(&loop, UV_RUN_NOWAIT), s3_faulty_waiting(s3) == 1), 5000));
    int64_t begin = wait_now_ms();
    destination_abort(dest, run);
    cr_expect(eq(int, r.calls, 0), "never from inside abort");
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(lt(i64, wait_now_ms() - begin, 500));
    cr_expect(r.outcome.aborted);
    s3_faulty_open_gate(s3);
    job_release(&j);
}

Test(dest_s3, a_kept_connection_is_used_again)
{
    char *data = large();

    for (int i = 0; i < 3; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        struct job j = dest_job(key, data, 1000);
        struct dest_result r = dest_run(&loop, dest, &j, dest_data(data, 1000));
        cr_expect(r.outcome.done, "%s", r.outcome.error);
        outcome_release(&r.outcome);
        job_release(&j);
    }
    cr_expect(eq(int, s3_faulty_connections(s3), 1));
    free(data);
}
