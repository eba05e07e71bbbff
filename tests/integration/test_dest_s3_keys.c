/*
 * dest_s3 and its keys: what the store refuses is signed again with newer keys; without any, nothing is sent and no attempt
 * is counted.
 */
#include "tests/integration/dest_s3_harness.h"

#include "tests/support/metadata_fake.h"

static struct metadata_fake *fake;

static void keys_up(void)
{
    up();
    fake = metadata_fake_start();
    config.access_key = config.secret_key = "";
    config.credentials = CONFIG_KEYS_IMDS;
    config.imds_endpoint = (char *)metadata_fake_url(fake);
    open_afresh();
}

static void keys_down(void)
{
    down();
    metadata_fake_stop(fake);
}

TestSuite(dest_s3_keys, .init = keys_up, .fini = keys_down, .timeout = 120);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void refuse(int status, const char *code)
{
    s3_faulty_push(
        s3, (struct s3_fault){.kind = S3_FAULT_STATUS, .status = status, .code = code});
}

static bool latest_put_has(const char *text)
{
    char head[8192];

    s3_faulty_head(s3, "PUT", head, sizeof head);
    return strstr(head, text) != NULL;
}

static void expect_done(struct dest_result r)
{
    cr_expect(r.outcome.done, "%s", r.outcome.error);
    outcome_release(&r.outcome);
}

static void expect_held(struct dest_result r, const char *said)
{
    cr_expect(not(r.outcome.done));
    cr_expect(r.outcome.hold_ms > 0 && r.outcome.hold_ms <= 2000, "%lld",
              (long long)r.outcome.hold_ms);
    cr_expect(strstr(r.outcome.error, said) != NULL, "%s", r.outcome.error);
    outcome_release(&r.outcome);
}

Test(dest_s3_keys, the_first_upload_waits_for_keys_with_their_token)
{
    expect_done(deliver(BODY));
    cr_expect(latest_put_has("Credential=AKIA1/"));
    cr_expect(latest_put_has("x-amz-security-token: token-1"));
    cr_expect(eq(int, metadata_fake_count(fake, METADATA_KEYS), 1));
}

static const char *const codes[] = {"ExpiredToken", "InvalidAccessKeyId",
                                    "SignatureDoesNotMatch", "TokenRefreshRequired",
                                    "InvalidToken"};

Test(dest_s3_keys, a_refusal_is_answered_with_newer_keys_in_the_same_run)
{
    metadata_fake_rotate(fake);
    for (size_t i = 0; i < COUNT(codes); i++) {
        char credential[32];
        refuse(i % 2 ? 403 : 400, codes[i]);
        expect_done(deliver(BODY));
        (void)snprintf(credential, sizeof credential, "Credential=AKIA%zu/", i + 2);
        cr_expect(latest_put_has(credential), "%s", codes[i]);
    }
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 2 * (int)COUNT(codes)));
}

Test(dest_s3_keys, newer_keys_that_are_refused_too_hold_the_destination)
{
    metadata_fake_rotate(fake);
    refuse(403, "InvalidAccessKeyId");
    refuse(403, "InvalidAccessKeyId");
    expect_held(deliver(BODY), "InvalidAccessKeyId");
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 2));
    expect_held(deliver(BODY), "InvalidAccessKeyId");
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 2), "and nothing is sent meanwhile");
    cr_expect(eq(int, stored(), 0));
}

Test(dest_s3_keys, the_same_keys_again_are_not_tried_twice)
{
    refuse(400, "ExpiredToken");
    expect_held(deliver(BODY), "ExpiredToken");
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 1));
    cr_expect(eq(int, metadata_fake_count(fake, METADATA_KEYS), 2), "it was asked");
}

Test(dest_s3_keys, without_keys_nothing_is_sent)
{
    metadata_fake_push(fake, (struct metadata_fault){METADATA_STATUS, 500});
    expect_held(deliver(BODY), "status 500");
    cr_expect(eq(int, s3_faulty_count(s3, NULL), 0));
}

Test(dest_s3_keys, keys_of_the_configuration_hold_it_too_and_no_more_is_sent)
{
    config.credentials = CONFIG_KEYS_CONFIG;
    config.access_key = "AK";
    config.secret_key = "s";
    open_afresh();
    refuse(403, "SignatureDoesNotMatch");
    expect_held(deliver(BODY), "SignatureDoesNotMatch");
    expect_held(deliver(BODY), "SignatureDoesNotMatch");
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 1));
}

Test(dest_s3_keys, a_request_that_alone_is_refused_fails)
{
    config.credentials = CONFIG_KEYS_CONFIG;
    config.access_key = "AK";
    config.secret_key = "s";
    open_afresh();
    refuse(403, "SignatureDoesNotMatch");
    expect_held(deliver(BODY), "SignatureDoesNotMatch");
    struct dest_result r;
    do
        r = deliver(BODY);
    while (!r.outcome.done && r.outcome.hold_ms > 0);
    expect_done(r);
    refuse(403, "SignatureDoesNotMatch");
    r = deliver(BODY);
    cr_expect(not(r.outcome.done));
    cr_expect(eq(i64, r.outcome.hold_ms, 0));
    cr_expect(eq(int, r.outcome.class, RETRY_CONFIG));
    outcome_release(&r.outcome);
}

Test(dest_s3_keys, access_denied_is_nothing_that_keys_mend)
{
    refuse(403, "AccessDenied");
    struct dest_result r = deliver(BODY);
    cr_expect(eq(int, r.outcome.class, RETRY_CONFIG));
    cr_expect(eq(i64, r.outcome.hold_ms, 0));
    cr_expect(eq(int, metadata_fake_count(fake, METADATA_KEYS), 1));
    outcome_release(&r.outcome);
}

Test(dest_s3_keys, a_run_that_waits_for_keys_can_be_stopped)
{
    struct job j = dest_job("a key", BODY, strlen(BODY));
    struct dest_result r = {0};
    struct destination_work w = {.job = &j,
                                 .fd = dest_data(BODY, strlen(BODY)),
                                 .done = dest_on_done,
                                 .ctx = &r};

    metadata_fake_close_gate(fake);
    struct destination_run *run = destination_begin(dest, &w);
    cr_assert(run != NULL);
    while (metadata_fake_count(fake, METADATA_TOKEN) == 0)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    destination_abort(dest, run);
    cr_expect(eq(int, r.calls, 0));
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(r.outcome.aborted);
    cr_expect(eq(int, s3_faulty_count(s3, NULL), 0));
    metadata_fake_open_gate(fake);
    job_release(&j);
}
