/* The destination s3: what only use shows of a store, what an object is made with, and where requests go. */
#include "tests/integration/dest_s3_harness.h"

#include <stdio.h>

TestSuite(dest_s3_learn, .init = up, .fini = down, .timeout = 120);

/* A job that did not choose its key. */
static struct dest_result deliver_own(const char *data)
{
    struct job j = dest_job("k", data, strlen(data));
    struct err e = ERR_INIT;

    cr_assert(job_set_key(&j, j.id.uuid.text, ID_UUID_LEN, &e) == ERR_OK);
    struct dest_result r = dest_run(&loop, dest, &j, dest_data(data, strlen(data)));
    job_release(&j);
    return r;
}

static struct dest_result look_at(const struct job *j)
{
    struct dest_result r = {0};
    struct destination_work w = {
        .job = j, .fd = -1, .only_look = true, .done = dest_on_done, .ctx = &r};

    cr_assert(destination_begin(dest, &w) != NULL);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    return r;
}

static bool has(const char *method, const char *line)
{
    char head[8192];

    s3_faulty_head(s3, method, head, sizeof head);
    return strstr(head, line) != NULL;
}

/* --- conditions --- */

Test(dest_s3_learn, a_store_that_honours_conditions_is_asked_once)
{
    config.conditional = CONFIG_PROBE;
    struct dest_result first = deliver_own(BODY);

    cr_expect(first.outcome.done, "%s", first.outcome.error);
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 2), "the second one was refused");
    cr_expect(eq(int, s3_faulty_objects(s3), 1));
    struct dest_result second = deliver(BODY);
    cr_expect(second.outcome.done, "%s", second.outcome.error);
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 3));
    cr_expect(eq(int, s3_faulty_count(s3, "HEAD"), 0));
    outcome_release(&first.outcome);
    outcome_release(&second.outcome);
}

Test(dest_s3_learn, where_conditions_are_ignored_chosen_keys_are_looked_up_first)
{
    config.conditional = CONFIG_PROBE;
    s3_faulty_set_traits(s3, (struct s3_faulty_traits){.ignores_conditions = true});
    struct dest_result first = deliver_own(BODY);
    cr_expect(first.outcome.done, "%s", first.outcome.error);
    s3_faulty_put(s3, PATH, "of somebody else", 16);
    struct dest_result other = deliver(BODY);
    cr_expect(not(other.outcome.done), "it is not overwritten");
    cr_expect(eq(int, other.outcome.class, RETRY_NEVER));
    cr_expect(eq(str, other.outcome.error, "key exists with other content"));
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 2));
    struct dest_result own = deliver_own("another");
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 3), "its key is nobody else's");
    cr_expect(eq(int, s3_faulty_count(s3, "HEAD"), 1));
    outcome_release(&first.outcome);
    outcome_release(&other.outcome);
    outcome_release(&own.outcome);
}

Test(dest_s3_learn, a_key_that_is_free_or_ours_is_delivered_after_a_look)
{
    config.conditional = CONFIG_PROBE;
    s3_faulty_set_traits(s3, (struct s3_faulty_traits){.ignores_conditions = true});
    struct dest_result first = deliver_own(BODY), free_ = deliver(BODY);
    cr_expect(free_.outcome.done, "%s", free_.outcome.error);
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 3));
    struct dest_result again = deliver(BODY);
    cr_expect(again.outcome.done, "%s", again.outcome.error);
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 3), "it is there");
    cr_expect(eq(int, s3_faulty_count(s3, "HEAD"), 2));
    outcome_release(&first.outcome);
    outcome_release(&free_.outcome);
    outcome_release(&again.outcome);
}

/* 501: the PUT that goes without the condition would replace what is there. */
Test(dest_s3_learn, where_conditions_are_not_known_a_chosen_key_is_looked_up_at_once)
{
    s3_faulty_set_traits(s3, (struct s3_faulty_traits){.no_conditions = true});
    s3_faulty_put(s3, PATH, "of somebody else", 16);
    struct dest_result other = deliver(BODY);
    cr_expect(not(other.outcome.done), "it is not overwritten");
    cr_expect(eq(int, other.outcome.class, RETRY_NEVER));
    cr_expect(eq(str, other.outcome.error, "key exists with other content"));
    cr_expect(eq(int, stored(), 1));
    s3_faulty_put(s3, PATH, BODY, (int64_t)strlen(BODY));
    struct dest_result same = deliver(BODY);
    cr_expect(same.outcome.done, "%s", same.outcome.error);
    cr_expect(eq(int, stored(), 2), "nothing was put but by the test");
    struct dest_result own = deliver_own(BODY);
    cr_expect(own.outcome.done, "%s", own.outcome.error);
    cr_expect(eq(int, s3_faulty_count(s3, "HEAD"), 2), "its key is nobody else's");
    outcome_release(&other.outcome);
    outcome_release(&same.outcome);
    outcome_release(&own.outcome);
}

Test(dest_s3_learn, a_probe_that_tells_nothing_is_made_again_thrice_and_harms_nothing)
{
    config.conditional = CONFIG_PROBE;
    for (int i = 0; i < 3; i++) {
        s3_faulty_push(s3, (struct s3_fault){.op = S3_OP_PUT});
        s3_faulty_push(
            s3,
            (struct s3_fault){.kind = S3_FAULT_STATUS, .status = 503, .op = S3_OP_PUT});
    }
    for (int i = 0; i < 5; i++) {
        struct dest_result r = deliver_own(BODY);
        cr_expect(r.outcome.done, "%d: %s", i, r.outcome.error);
        outcome_release(&r.outcome);
    }
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 8), "three probes, and no more");
}

Test(dest_s3_learn, what_is_configured_is_not_probed)
{
    config.conditional = CONFIG_CREATE;
    struct dest_result r = deliver_own(BODY);
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 1));
    outcome_release(&r.outcome);
}

/* --- checksums --- */

Test(dest_s3_learn, a_400_to_a_checksum_is_one_to_do_without)
{
    s3_faulty_set_traits(s3, (struct s3_faulty_traits){.rejects_checksums = true});
    struct dest_result first = deliver(BODY), second = deliver(BODY);

    cr_expect(first.outcome.done, "%s", first.outcome.error);
    cr_expect(second.outcome.done, "%s", second.outcome.error);
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 3), "two for the first, one after");
    cr_expect(has("PUT", "\r\nIf-None-Match: *\r\n"));
    cr_expect(not(has("PUT", "x-amz-checksum")));
    outcome_release(&first.outcome);
    outcome_release(&second.outcome);
}

/* Before any PUT has told. */
Test(dest_s3_learn, a_look_does_without_it_too)
{
    struct job j = dest_job("a key", BODY, strlen(BODY));

    s3_faulty_set_traits(s3, (struct s3_faulty_traits){.rejects_checksums = true});
    struct dest_result r = look_at(&j);
    cr_expect(r.outcome.absent, "%s", r.outcome.error);
    cr_expect(eq(int, s3_faulty_count(s3, "HEAD"), 2));
    outcome_release(&r.outcome);
    job_release(&j);
}

Test(dest_s3_learn, an_md5_goes_before_the_bytes)
{
    config.checksum = CONFIG_MD5;
    open_afresh();
    struct dest_result r = deliver(BODY);

    cr_expect(r.outcome.done, "%s", r.outcome.error);
    cr_expect(has("PUT", "\r\nContent-MD5: 0Jflqn1K1HUysNPU39WdQA==\r\n"));
    cr_expect(has("PUT", ";content-md5;") || has("PUT", "=content-md5;"), "signed");
    cr_expect(not(has("PUT", "x-amz-checksum")));
    cr_expect(eq(int, s3_faulty_count(s3, "HEAD"), 0), "the ETag is proof");
    outcome_release(&r.outcome);
}

Test(dest_s3_learn, with_an_md5_a_damaged_file_does_not_leave)
{
    struct job j = dest_job("a key", BODY, strlen(BODY));

    config.checksum = CONFIG_MD5;
    open_afresh();
    struct dest_result r =
        dest_run(&loop, dest, &j, dest_data("the bytes of the OBJECT", 23));
    cr_expect(eq(int, r.outcome.class, RETRY_NEVER));
    cr_expect(ne(ptr, strstr(r.outcome.error, "spool corrupt"), NULL));
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 0));
    outcome_release(&r.outcome);
    job_release(&j);
}

/* --- what an object is made with --- */

Test(dest_s3_learn, an_object_is_made_with_what_its_destination_says)
{
    static const char *const lines[] = {
        ("\r\nContent-Disposition: attachment; filename=\"Gr__e 1.txt\"; "
         "filename*=UTF-8''Gr%C3%BC%C3%9Fe%201.txt\r\n"),
        "\r\nCache-Control: max-age=60\r\n",
        "\r\nx-amz-storage-class: STANDARD_IA\r\n",
        "\r\nx-amz-acl: bucket-owner-read\r\n",
        "\r\nx-amz-server-side-encryption: aws:kms\r\n",
        "\r\nx-amz-server-side-encryption-aws-kms-key-id: arn:x/y\r\n",
        "\r\nx-amz-server-side-encryption-bucket-key-enabled: true\r\n",
        "\r\nx-amz-tagging: team=a%20b&kind=x%2By\r\n",
        "x-amz-acl;",
        "x-amz-server-side-encryption;",
        "x-amz-tagging"};

    config.content_disposition = "attachment; {name}";
    config.cache_control = "max-age=60";
    config.storage_class = "STANDARD_IA";
    config.acl = "bucket-owner-read";
    config.sse = CONFIG_SSE_KMS;
    config.sse_kms_key_id = "arn:x/y";
    config.sse_bucket_key = true;
    config.tags = "team=a b&kind=x+y";
    struct dest_result r = deliver(BODY);
    cr_expect(r.outcome.done, "%s", r.outcome.error);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        cr_expect(has("PUT", lines[i]), "%s", lines[i]);
    outcome_release(&r.outcome);
}

/* --- where requests go --- */

#define OTHER_REGION                                                                   \
    (struct s3_fault)                                                                  \
    {                                                                                  \
        .kind = S3_FAULT_STATUS, .status = 400,                                        \
        .code = "AuthorizationHeaderMalformed",                                        \
        .headers = "x-amz-bucket-region: eu-west-3\r\n"                                \
    }

Test(dest_s3_learn, the_region_that_a_store_names_is_signed_for_from_then_on)
{
    s3_faulty_push(s3, OTHER_REGION);
    struct dest_result first = deliver(BODY), second = deliver(BODY);

    cr_expect(first.outcome.done, "%s", first.outcome.error);
    cr_expect(second.outcome.done, "%s", second.outcome.error);
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 3), "two for the first, one after");
    cr_expect(has("PUT", "/eu-west-3/s3/aws4_request"));
    outcome_release(&first.outcome);
    outcome_release(&second.outcome);
}

Test(dest_s3_learn, a_store_cannot_send_requests_around_for_ever)
{
    for (int i = 0; i < 8; i++)
        s3_faulty_push(
            s3,
            (struct s3_fault){.kind = S3_FAULT_STATUS,
                              .status = 301,
                              .headers = i % 2 ? "x-amz-bucket-region: eu-west-3\r\n"
                                               : "x-amz-bucket-region: eu-west-2\r\n"});
    struct dest_result r = deliver(BODY);
    cr_expect(not(r.outcome.done));
    cr_expect(eq(int, r.outcome.class, RETRY_CONFIG));
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 2));
    outcome_release(&r.outcome);
}

Test(dest_s3_learn, a_look_goes_to_the_right_region_too)
{
    struct job j = dest_job("a key", BODY, strlen(BODY));

    s3_faulty_push(s3, OTHER_REGION);
    struct dest_result r = look_at(&j);
    cr_expect(r.outcome.absent, "%s", r.outcome.error);
    cr_expect(has("HEAD", "/eu-west-3/s3/aws4_request"));
    outcome_release(&r.outcome);
    job_release(&j);
}

/* Signed requests and their bytes are nobody else's. */
Test(dest_s3_learn, a_redirect_to_another_host_is_never_followed)
{
    static const int statuses[] = {301, 302, 307, 308};
    struct s3_faulty *other = s3_faulty_start();
    char location[4][256];

    for (int i = 0; i < 4; i++) {
        snprintf(location[i], sizeof location[i], "Location: %s%s\r\n",
                 s3_faulty_url(other), PATH);
        s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_STATUS,
                                             .status = statuses[i],
                                             .headers = location[i]});
        struct dest_result r = deliver(BODY);
        cr_expect(not(r.outcome.done), "%d", statuses[i]);
        outcome_release(&r.outcome);
    }
    cr_expect(eq(int, s3_faulty_count(other, NULL), 0));
    s3_faulty_stop(other);
}

/* libcurl knows where .localhost is. */
Test(dest_s3_learn, in_virtual_style_the_bucket_is_in_the_host_name)
{
    const char *port = strrchr(s3_faulty_url(s3), ':');
    char endpoint[64], host[128];

    snprintf(endpoint, sizeof endpoint, "http://localhost%s", port);
    snprintf(host, sizeof host, "\r\nHost: my.dotted.bucket.localhost%s\r\n", port);
    config.endpoint = endpoint;
    config.style = CONFIG_VIRTUAL_STYLE;
    config.bucket = "my.dotted.bucket";
    open_afresh();
    struct dest_result r = deliver(BODY);
    cr_expect(r.outcome.done, "%s", r.outcome.error);
    cr_expect(has("PUT", "PUT /pre/a%20key HTTP/1.1\r\n"));
    cr_expect(has("PUT", host));
    cr_expect(eq(str, r.outcome.url, "s3://my.dotted.bucket/pre/a key"));
    outcome_release(&r.outcome);
}
