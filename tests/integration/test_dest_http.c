/* The destination http(s)://: what a server is sent, and what its answers lead to. */
#include "tests/integration/dest_http_harness.h"

TestSuite(dest_http, .init = up, .fini = down, .timeout = 120);

Test(dest_http, put_sends_the_bytes_with_all_that_is_known_of_them)
{
    char want[256];

    http_sink_push(sink,
                   (struct http_reply){.status = 201, .headers = "ETag: \"7\"\r\n"});
    struct dest_result r = deliver();
    cr_assert(r.outcome.done, "%s", r.outcome.error);
    (void)snprintf(want, sizeof want, "%s/a%%20dir/a%%20key.txt", base);
    cr_expect(eq(str, r.outcome.url, want));
    cr_expect(eq(str, r.outcome.etag, "\"7\""));
    outcome_release(&r.outcome);

    struct http_sink_request got = request(0);
    cr_expect(eq(str, got.method, "PUT"));
    cr_expect(eq(str, got.path, "/in/a%20dir/a%20key.txt"));
    cr_expect(got.is_whole && !got.is_chunked && got.len == strlen(BODY) &&
              memcmp(got.body, BODY, got.len) == 0);
    expect_header(&got, "content-type", "text/plain");
    expect_header(&got, "if-none-match", "*");
    expect_header(&got, "x-hoist-name", "Gr%C3%BC%C3%9Fe%201.txt");
    expect_header(&got, "x-hoist-meta-where", "K%C3%B6ln");
    /* openssl dgst -sha256 -binary | base64 */
    expect_header(&got, "repr-digest",
                  "sha-256=:bHH7XF//Jav4pK0gx4ATVbpFJOYIYJm9axg9zbuwP6w=:");
    expect_header(&got, "authorization", "(did not come)");
    expect_header(&got, "hoist-signature", "(did not come)");
}

Test(dest_http, post_goes_to_the_url_itself_and_names_job_and_key)
{
    struct job j = dest_job("a dir/k", BODY, strlen(BODY));
    char id[ID_JOB_MAX + 1];

    config.method = CONFIG_POST;
    id_format_job(&j.id, id);
    struct dest_result r = dest_run(&loop, dest, &j, dest_data(BODY, strlen(BODY)));
    cr_assert(r.outcome.done, "%s", r.outcome.error);
    cr_expect(eq(str, r.outcome.url, base));
    outcome_release(&r.outcome);
    job_release(&j);

    struct http_sink_request got = request(0);
    cr_expect(eq(str, got.method, "POST"));
    cr_expect(eq(str, got.path, "/in"));
    expect_header(&got, "x-hoist-key", "a%20dir/k");
    expect_header(&got, "x-hoist-job", id);
    expect_header(&got, "idempotency-key", id);
    expect_header(&got, "if-none-match", "(did not come)");
}

/* The signature as who verifies it would make it: from the request alone, and the secret. */
Test(dest_http, the_signature_covers_time_method_path_and_bytes)
{
    static const char secret[] = "a secret";
    char text[8192], sha256[DIGEST_SHA256_HEX + 1], given[256], mac_hex[65], want[256];
    uint8_t mac[DIGEST_SHA256_BYTES];
    struct err e = ERR_INIT;
    long long time_s = 0;

    config.hmac_secret = (char *)secret;
    config.bearer_token = "a.token";
    expect_done(deliver());
    struct http_sink_request got = request(0);
    expect_header(&got, "authorization", "Bearer a.token");
    cr_assert(http_sink_header(&got, "hoist-signature", given, sizeof given));
    cr_assert(eq(int, sscanf(given, "t=%lld,", &time_s), 1));
    cr_expect(llabs(time_s - (long long)(clock_wall_ms() / 1000)) < 60);
    cr_assert(digest_sha256_hex(got.body, got.len, sha256, &e) == ERR_OK);
    (void)snprintf(text, sizeof text, "%lld.%s.%s.%s", time_s, got.method, got.path,
                   sha256);
    cr_assert(digest_hmac_sha256((struct digest_span){secret, strlen(secret)},
                                 (struct digest_span){text, strlen(text)}, mac,
                                 &e) == ERR_OK);
    digest_hex_encode(mac, sizeof mac, mac_hex);
    (void)snprintf(want, sizeof want, "t=%lld,v1=%s", time_s, mac_hex);
    cr_expect(eq(str, given, want));
}

Test(dest_http, answers_lead_to_the_classes_of_the_table)
{
    static const struct {
        int status;
        const char *headers, *class;
        int64_t retry_after_ms;
    } rows[] = {{500, NULL, "transient", 0},
                {503, "Retry-After: 7\r\n", "transient", 7000},
                {429, "Retry-After: 3\r\n", "throttled", 3000},
                {401, NULL, "config", 0},
                {404, NULL, "config", 0},
                {302, "Location: http://127.0.0.1:1/\r\n", "config", 0},
                {422, NULL, "never", 0},
                {413, NULL, "never", 0}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        http_sink_push(sink, (struct http_reply){.status = rows[i].status,
                                                 .headers = rows[i].headers});
        struct dest_result r = deliver();
        cr_expect(eq(i64, r.outcome.retry_after_ms, rows[i].retry_after_ms), "%d",
                  rows[i].status);
        expect_failure(r, rows[i].class, "status");
    }
    cr_expect(eq(sz, http_sink_count(sink), sizeof rows / sizeof rows[0]),
              "no redirect is followed, nothing is sent twice");
}

Test(dest_http, a_refused_put_whose_bytes_are_there_is_done)
{
    static const char same[] =
        "Repr-Digest: sha-512=:AAAA:, "
        "sha-256=:bHH7XF//Jav4pK0gx4ATVbpFJOYIYJm9axg9zbuwP6w=:\r\n";

    http_sink_push(sink, (struct http_reply){.status = 412});
    http_sink_push(sink, (struct http_reply){.status = 200, .headers = same});
    expect_done(deliver());
    cr_expect(eq(str, request(1).method, "HEAD"));
    http_sink_push(sink, (struct http_reply){.status = 409});
    http_sink_push(sink,
                   (struct http_reply){.status = 200, .length = (int)strlen(BODY)});
    expect_done(deliver_default_key());
}

Test(dest_http, a_refused_put_whose_bytes_cannot_be_proven_is_never_tried_again)
{
    static const char other[] =
        "Repr-Digest: sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:\r\n";

    http_sink_push(sink, (struct http_reply){.status = 412});
    http_sink_push(sink, (struct http_reply){.headers = other, .length = 23});
    expect_failure(deliver_default_key(), "never", "other content");
    http_sink_push(sink, (struct http_reply){.status = 412});
    http_sink_push(sink, (struct http_reply){.length = 22});
    expect_failure(deliver_default_key(), "never", "other content");
    http_sink_push(sink, (struct http_reply){.status = 412});
    http_sink_push(sink, (struct http_reply){.length = 23});
    expect_failure(deliver(), "never", "cannot be proven");
    http_sink_push(sink, (struct http_reply){.status = 409});
    http_sink_push(sink, (struct http_reply){.status = 405});
    expect_failure(deliver(), "never", "409");
}

/* On a connection that was kept it would be sent again at once. */
static const char closes[] = "Connection: close\r\n";

Test(dest_http, a_lost_answer_is_resolved_by_head)
{
    http_sink_push(sink, (struct http_reply){.kind = HTTP_REPLY_LOST});
    http_sink_push(sink, (struct http_reply){.headers = closes, .length = 23});
    expect_done(deliver_default_key());
    http_sink_push(sink, (struct http_reply){.kind = HTTP_REPLY_LOST});
    http_sink_push(sink, (struct http_reply){.status = 404, .headers = closes});
    expect_failure(deliver(), "transient", "PUT");
    http_sink_push(sink, (struct http_reply){.kind = HTTP_REPLY_LOST});
    http_sink_push(sink, (struct http_reply){.status = 405, .headers = closes});
    expect_failure(deliver(), "transient", "PUT");
    cr_expect(eq(sz, http_sink_count(sink), 6));
}

Test(dest_http, a_post_whose_answer_is_lost_is_sent_again)
{
    config.method = CONFIG_POST;
    http_sink_push(sink, (struct http_reply){.kind = HTTP_REPLY_LOST});
    expect_failure(deliver(), "transient", "POST");
    http_sink_push(sink, (struct http_reply){.status = 412});
    expect_failure(deliver(), "never", "412");
    http_sink_push(sink, (struct http_reply){.status = 409});
    expect_failure(deliver(), "transient", "409");
    cr_expect(eq(sz, http_sink_count(sink), 3), "there is no HEAD");
}

Test(dest_http, a_success_before_the_bytes_were_sent_is_none)
{
    static char large[3 * 1024 * 1024];

    http_sink_push(sink, (struct http_reply){.kind = HTTP_REPLY_EARLY, .status = 200});
    struct dest_result r = deliver_as("k", large, sizeof large);
    cr_expect(not(r.outcome.done));
    cr_expect(eq(str, (char *)r.outcome.error_class, "transient"), "%s",
              r.outcome.error);
    outcome_release(&r.outcome);
}

/* As long as it should be, and with another byte: the server never has it whole. */
Test(dest_http, damaged_bytes_never_make_a_whole_body)
{
    static char large[3 * 1024 * 1024];
    const size_t sizes[] = {1, sizeof large};

    for (size_t i = 0; i < 2; i++) {
        struct job j = dest_job("k", large, sizes[i]);
        int fd = dest_data(large, sizes[i]);
        cr_assert(pwrite(fd, "x", 1, (off_t)sizes[i] - 1) == 1);
        expect_failure(dest_run(&loop, dest, &j, fd), "never", "spool corrupt");
        fd = dest_data(large, sizes[i] - 1);
        expect_failure(dest_run(&loop, dest, &j, fd), "never", "spool short");
        job_release(&j);
    }
    struct job empty = dest_job("k", "x", 1);
    empty.size = 0;
    expect_failure(dest_run(&loop, dest, &empty, dest_data("", 0)), "never",
                   "spool corrupt");
    job_release(&empty);
    for (size_t i = 0; i < http_sink_count(sink); i++)
        cr_expect(not(request(i).is_whole));
}

Test(dest_http, an_empty_file_is_sent_too)
{
    struct dest_result r = deliver_as("k", "", 0);

    cr_expect(r.outcome.done, "%s", r.outcome.error);
    outcome_release(&r.outcome);
    struct http_sink_request got = request(0);
    expect_header(&got, "content-length", "0");
}
