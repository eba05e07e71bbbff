/* The destination s3: against a store that misbehaves on request.  See test_dest_s3_answers.c for each answer. */
#include "tests/integration/dest_s3_harness.h"

#include <stdio.h>

#include "tests/support/wait_until.h"

TestSuite(dest_s3, .init = up, .fini = down, .timeout = 120);

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

Test(dest_s3, what_the_store_does_not_know_is_remembered)
{
    s3_faulty_set_traits(s3, (struct s3_faulty_traits){.no_conditions = true});
    struct dest_result first = deliver(BODY), second = deliver(BODY);

    cr_expect(first.outcome.done);
    cr_expect(second.outcome.done);
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 3), "all for the first");
    cr_expect(eq(int, s3_faulty_count(s3, "HEAD"), 2),
              "a look before the first went without; the second finds it");
    struct dest_result other = deliver("bytes of another");
    cr_expect(not(other.outcome.done), "nothing is overwritten");
    cr_expect(eq(int, other.outcome.class, RETRY_NEVER));
    outcome_release(&other.outcome);
    outcome_release(&first.outcome);
    outcome_release(&second.outcome);
}

Test(dest_s3, a_store_without_checksums_keeps_its_condition)
{
    char head[8192];

    s3_faulty_set_traits(s3, (struct s3_faulty_traits){.no_checksums = true});
    struct dest_result first = deliver(BODY), second = deliver("another object's");

    cr_expect(first.outcome.done, "%s", first.outcome.error);
    cr_expect(not(second.outcome.done), "nothing is overwritten");
    cr_expect(eq(int, second.outcome.class, RETRY_NEVER));
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 3), "two for the first, one after");
    s3_faulty_head(s3, "PUT", head, sizeof head);
    cr_expect(strstr(head, "\r\nIf-None-Match: *\r\n") != NULL, "%s", head);
    cr_expect(strstr(head, "x-amz-checksum") == NULL, "%s", head);
    outcome_release(&first.outcome);
    outcome_release(&second.outcome);
}

Test(dest_s3, a_store_without_conditions_keeps_its_checksum)
{
    char head[8192];

    s3_faulty_set_traits(s3, (struct s3_faulty_traits){.no_conditions = true});
    struct dest_result r = deliver(BODY);

    cr_expect(r.outcome.done, "%s", r.outcome.error);
    s3_faulty_head(s3, "PUT", head, sizeof head);
    cr_expect(strstr(head, "\r\nx-amz-checksum-sha256: ") != NULL, "%s", head);
    cr_expect(strstr(head, "If-None-Match") == NULL, "%s", head);
    outcome_release(&r.outcome);
}

Test(dest_s3, a_501_that_plainer_requests_do_not_mend_is_forgotten)
{
    char head[8192];

    for (int i = 0; i < 4; i++)
        s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_STATUS,
                                             .status = 501,
                                             .code = "NotImplemented",
                                             .op = S3_OP_PUT});
    struct dest_result first = deliver(BODY), second = deliver(BODY);

    cr_expect(not(first.outcome.done));
    cr_expect(second.outcome.done, "%s", second.outcome.error);
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 5), "four for the first, one after");
    s3_faulty_head(s3, "PUT", head, sizeof head);
    cr_expect(strstr(head, "\r\nIf-None-Match: *\r\n") != NULL, "%s", head);
    cr_expect(strstr(head, "\r\nx-amz-checksum-sha256: ") != NULL, "%s", head);
    outcome_release(&first.outcome);
    outcome_release(&second.outcome);
}

/* What has left stays told while a HEAD, which sends nothing, asks. */
Test(dest_s3, progress_does_not_fall_back_while_the_store_is_asked)
{
    struct job j = dest_job("a key", BODY, strlen(BODY));
    struct dest_result r = {0};
    int64_t told = -1;

    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_LOST_ANSWER});
    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_HANG});
    struct destination_run *run = destination_begin(
        dest, &(struct destination_work){.job = &j,
                                         .fd = dest_data(BODY, strlen(BODY)),
                                         .done = dest_on_done,
                                         .ctx = &r});
    cr_assert(run != NULL);
    while (r.calls == 0) {
        if (s3_faulty_count(s3, "HEAD") == 1)
            told = destination_sent(dest, run);
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    cr_expect(eq(i64, told, (int64_t)strlen(BODY)));
    cr_expect(not(r.outcome.done));
    job_release(&j);
    outcome_release(&r.outcome);
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

Test(dest_s3, a_large_body_arrives)
{
    char *data = large();
    struct job j = dest_job("a key", data, LARGE);
    struct dest_result r = dest_run(&loop, dest, &j, dest_data(data, LARGE));
    struct s3_faulty_object o;

    cr_assert(r.outcome.done, "%s", r.outcome.error);
    cr_assert(s3_faulty_object(s3, PATH, &o));
    cr_expect(eq(str, o.sha256, j.sha256));
    outcome_release(&r.outcome);
    job_release(&j);
    free(data);
}

/* Whether a PUT of a large body asked, by its attempt. */
static bool asks(const char *key, int64_t attempts)
{
    char *data = large(), head[8192];
    struct job j = dest_job(key, data, LARGE);
    struct dest_result r;

    j.attempts = attempts;
    r = dest_run(&loop, dest, &j, dest_data(data, LARGE));
    s3_faulty_head(s3, "PUT", head, sizeof head);
    outcome_release(&r.outcome);
    job_release(&j);
    free(data);
    return strstr(head, "\r\nExpect: 100-continue\r\n") != NULL;
}

Test(dest_s3, large_bodies_ask_first_until_one_was_taken)
{
    cr_expect(asks("a", 1), "nothing is known of the store");
    cr_expect(not(asks("b", 1)), "it has taken one");
    cr_expect(asks("c", 2), "an earlier attempt may have put it");
    cr_expect(not(asks("d", 1)));
    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_EARLY_STATUS,
                                         .status = 503,
                                         .code = "ServiceUnavailable"});
    (void)asks("e", 1);
    cr_expect(asks("e", 1), "it has refused one");
    cr_expect(not(asks("f", 1)));
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
