/* The destination http(s)://: what a server is sent, and what its answers lead to. */
#include "worker/dest_http.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shared/clock.h"
#include "tests/integration/dest_harness.h"
#include "tests/support/http_sink.h"

#define BODY "the bytes of the object"

static struct http_sink *sink;
static uv_loop_t loop;
static struct http *http;
static struct destination *dest;
static struct config_destination config;
static char base[128];

static void up(void)
{
    struct err e = ERR_INIT;

    sink = http_sink_start();
    cr_assert(eq(int, uv_loop_init(&loop), 0));
    cr_assert(http_open(&loop, &http, &e) == ERR_OK, "%s", e.text);
    (void)snprintf(base, sizeof base, "%s/in", http_sink_url(sink));
    config = (struct config_destination){.name = "h",
                                         .scheme = CONFIG_HTTP,
                                         .url = base,
                                         .base = base,
                                         .conditional = true,
                                         .content_type = "application/octet-stream",
                                         .connect_timeout_seconds = 5,
                                         .stall_timeout_seconds = 5,
                                         .answer_timeout_seconds = 5};
    cr_assert(
        dest_http_open(
            &(struct dest_http_options){.loop = &loop, .http = http, .config = &config},
            &dest, &e) == ERR_OK,
        "%s", e.text);
}

static void down(void)
{
    destination_release(dest);
    http_close(http);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(eq(int, uv_loop_close(&loop), 0), "nothing stays open");
    http_sink_stop(sink);
}

TestSuite(dest_http, .init = up, .fini = down, .timeout = 60);

static struct dest_result deliver_as(const char *key, const void *data, size_t size)
{
    struct job j = dest_job(key, data, size);
    struct err e = ERR_INIT;

    cr_assert(job_set_type(&j, "text/plain", 10, &e) == ERR_OK);
    cr_assert(job_add_meta(&j, "where", 5, "Köln", strlen("Köln"), &e) == ERR_OK);
    struct dest_result r = dest_run(&loop, dest, &j, dest_data(data, size));
    job_release(&j);
    return r;
}

static struct dest_result deliver(void)
{
    return deliver_as("a dir/a key.txt", BODY, strlen(BODY));
}

/* The same with the key of a job that asked for none. */
static struct dest_result deliver_default_key(void)
{
    struct job j = dest_job("k", BODY, strlen(BODY));
    struct err e = ERR_INIT;

    cr_assert(job_set_key(&j, j.id.uuid.text, ID_UUID_LEN, &e) == ERR_OK);
    struct dest_result r = dest_run(&loop, dest, &j, dest_data(BODY, strlen(BODY)));
    job_release(&j);
    return r;
}

static struct http_sink_request request(size_t index)
{
    struct http_sink_request r;

    cr_assert(http_sink_request(sink, index, &r), "request %zu came", index);
    return r;
}

static void expect_header(const struct http_sink_request *r, const char *name,
                          const char *value)
{
    char text[512] = "(did not come)";

    (void)http_sink_header(r, name, text, sizeof text);
    cr_expect(eq(str, text, (char *)value), "%s", name);
}

static void expect_failure(struct dest_result r, const char *class, const char *text)
{
    cr_assert(not(r.outcome.done));
    cr_assert(not(r.outcome.aborted));
    cr_expect(eq(str, (char *)r.outcome.error_class, (char *)class), "%s",
              r.outcome.error);
    cr_expect(strstr(r.outcome.error, text) != NULL, "%s", r.outcome.error);
    outcome_release(&r.outcome);
}

static void expect_done(struct dest_result r)
{
    cr_expect(r.outcome.done, "%s", r.outcome.error);
    cr_expect(eq(i64, r.outcome.sent, strlen(BODY)));
    outcome_release(&r.outcome);
}

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

static struct dest_result look_at(const char *key)
{
    struct job j = dest_job(key, BODY, strlen(BODY));
    struct dest_result r = {0};
    struct destination_work w = {
        .job = &j, .fd = -1, .only_look = true, .done = dest_on_done, .ctx = &r};

    cr_assert(destination_begin(dest, &w) && r.calls == 0);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    job_release(&j);
    return r;
}

Test(dest_http, a_look_is_a_head_and_of_a_post_nobody_can_tell)
{
    http_sink_push(sink, (struct http_reply){.status = 404});
    struct dest_result r = look_at("k");
    cr_expect(r.outcome.absent && !r.outcome.done && !r.outcome.blind);
    outcome_release(&r.outcome);
    cr_expect(eq(str, request(0).method, "HEAD"));

    http_sink_push(sink, (struct http_reply){.status = 503});
    r = look_at("k");
    cr_expect(not(r.outcome.blind));
    expect_failure(r, "transient", "503");

    http_sink_push(sink, (struct http_reply){.status = 501});
    r = look_at("k");
    cr_expect(r.outcome.blind);
    expect_failure(r, "never", "no HEAD");

    config.method = CONFIG_POST;
    r = look_at("k");
    cr_expect(r.outcome.blind);
    expect_failure(r, "never", "cannot be told");
    cr_expect(eq(sz, http_sink_count(sink), 3), "nothing was sent for it");
}

static void abort_when_it_is_there(uv_timer_t *timer)
{
    if (http_sink_count(sink) > 0) {
        destination_abort(dest, timer->data);
        (void)uv_timer_stop(timer);
    }
}

Test(dest_http, an_abort_ends_the_run_although_the_server_keeps_silent)
{
    struct job j = dest_job("k", BODY, strlen(BODY));
    struct dest_result r = {0};
    struct destination_work w = {.job = &j,
                                 .fd = dest_data(BODY, strlen(BODY)),
                                 .done = dest_on_done,
                                 .ctx = &r};
    static uv_timer_t timer; /* closed with the loop */

    http_sink_push(sink, (struct http_reply){.kind = HTTP_REPLY_HELD});
    (void)uv_timer_init(&loop, &timer);
    timer.data = destination_begin(dest, &w);
    (void)uv_timer_start(&timer, abort_when_it_is_there, 5, 5);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(r.outcome.aborted && !r.outcome.done);
    uv_close((uv_handle_t *)&timer, NULL);
    outcome_release(&r.outcome);
    job_release(&j);
}

Test(dest_http, nothing_is_sent_when_the_lease_has_run_out)
{
    struct job j = dest_job("k", BODY, strlen(BODY));
    _Atomic int64_t until_ms = clock_boot_ms();
    struct dest_result r = {0};
    struct destination_work w = {.job = &j,
                                 .fd = dest_data(BODY, strlen(BODY)),
                                 .until_ms = &until_ms,
                                 .done = dest_on_done,
                                 .ctx = &r};

    cr_assert(destination_begin(dest, &w) != NULL);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(r.outcome.aborted);
    cr_expect(eq(sz, http_sink_count(sink), 0));
    outcome_release(&r.outcome);
    job_release(&j);
}
