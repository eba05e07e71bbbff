/*
 * credentials: keys from services: asked for once, ahead of their end, and not again at once when that failed.
 */
#include "tests/integration/credentials_harness.h"

TestSuite(credentials, .init = up, .fini = down, .timeout = 120);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

Test(credentials, imds_is_asked_for_a_token_a_role_and_its_keys)
{
    open_keys();
    cr_expect(eq(ptr, credentials_key(keys), NULL), "they are being asked for");
    cr_expect(eq(str, (char *)await_key(), "AKIA1"));
    struct sigv4_key *key = credentials_key(keys);
    cr_expect(eq(str, (char *)key->secret_key, "secret-1"));
    cr_expect(eq(str, (char *)key->session_token, "token-1"));
    cr_expect(eq(str, (char *)key->region, "eu-central-1"));
    cr_expect(eq(i64, credentials_hold_ms(keys), 0));
    cr_expect(eq(int, asked(METADATA_TOKEN), 1));
    cr_expect(eq(int, asked(METADATA_ROLE), 1));
    cr_expect(eq(int, asked(METADATA_KEYS), 1));
}

Test(credentials, the_endpoint_of_imds_may_stand_in_the_environment)
{
    config.imds_endpoint = "";
    config.credentials = CONFIG_KEYS_AUTO;
    set_env("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata_fake_url(fake));
    open_keys();
    cr_expect(eq(str, (char *)await_key(), "AKIA1"));
}

Test(credentials, imds_that_is_switched_off_is_not_asked)
{
    set_env("AWS_EC2_METADATA_DISABLED", "true");
    open_keys();
    cr_expect(eq(str, (char *)await_key(), ""));
    cr_expect(
        ne(ptr, strstr(credentials_error(keys), "AWS_EC2_METADATA_DISABLED"), NULL));
    cr_expect(eq(int, metadata_fake_count_all(fake), 0));
}

Test(credentials, however_many_wait_one_request_is_made)
{
    struct credentials_wait w[20];
    int told = 0;

    open_keys();
    metadata_fake_close_gate(fake);
    for (size_t i = 0; i < COUNT(w); i++) {
        w[i] = (struct credentials_wait){.done = on_told, .ctx = &told};
        credentials_await(keys, &w[i]);
    }
    credentials_forget(&w[7]);
    while (asked(METADATA_TOKEN) == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(eq(int, told, 0));
    metadata_fake_open_gate(fake);
    while (told < (int)COUNT(w) - 1)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(eq(str, (char *)await_key(), "AKIA1"));
    cr_expect(eq(int, told, COUNT(w) - 1), "who has left is not told");
    cr_expect(eq(int, metadata_fake_count_all(fake), 3));
    cr_expect(eq(int, metadata_fake_most(fake), 1));
}

static const struct {
    const char *label;
    struct metadata_fault faults[3];
    const char *said;
    int requests;
} failures[] = {
    {"no token, and no way around it",
     {{METADATA_STATUS, 404}},
     "token: status 404",
     1},
    {"nonsense for a token", {{METADATA_GARBAGE, 0}}, "for a token is none", 1},
    {"a huge token", {{METADATA_HUGE, 0}}, "for a token is none", 1},
    {"no role", {{0}, {METADATA_STATUS, 404}}, "no role is attached", 2},
    {"nonsense for a role", {{0}, {METADATA_GARBAGE, 0}}, "role's name", 2},
    {"the token is not taken", {{0}, {METADATA_STATUS, 401}}, "status 401", 2},
    {"an error", {{0}, {0}, {METADATA_STATUS, 500}}, "keys: status 500", 3},
    {"nonsense for keys", {{0}, {0}, {METADATA_GARBAGE, 0}}, "JSON", 3},
    {"huge keys", {{0}, {0}, {METADATA_HUGE, 0}}, "JSON", 3},
    {"no answer", {{0}, {0}, {METADATA_CLOSE, 0}}, "asking for keys: ", 3},
    {"a redirect", {{0}, {0}, {METADATA_STATUS, 302}}, "keys: status 302", 3},
};

Test(credentials, without_keys_nothing_is_sent_for_a_while)
{
    for (size_t i = 0; i < COUNT(failures); i++) {
        const char *label = failures[i].label;
        int before = metadata_fake_count_all(fake);
        for (int k = 0; k < failures[i].requests; k++)
            metadata_fake_push(fake, failures[i].faults[k]);
        open_keys();
        cr_expect(eq(str, (char *)await_key(), ""), "%s", label);
        cr_expect(ne(ptr, strstr(credentials_error(keys), failures[i].said), NULL),
                  "%s: %s", label, credentials_error(keys));
        int64_t hold_ms = credentials_hold_ms(keys);
        cr_expect(hold_ms > 0 && hold_ms <= CREDENTIALS_PAUSE_MS, "%s: %lld", label,
                  (long long)hold_ms);
        cr_expect(eq(str, (char *)await_key(), ""), "%s: and not asked again", label);
        cr_expect(eq(int, metadata_fake_count_all(fake) - before, failures[i].requests),
                  "%s", label);
        credentials_close(keys);
        keys = NULL;
    }
}

Test(credentials, a_service_that_hangs_is_given_up_and_asked_again_later)
{
    metadata_fake_push(fake, (struct metadata_fault){METADATA_HANG, 0});
    open_keys();
    cr_expect(eq(str, (char *)await_key(), ""));
    cr_expect(ne(ptr, strstr(credentials_error(keys), "time-out"), NULL), "%s",
              credentials_error(keys));
    cr_expect(becomes("AKIA1"));
    cr_expect(eq(i64, credentials_hold_ms(keys), 0));
}

Test(credentials, keys_that_have_expired_are_none)
{
    metadata_fake_hand_out(fake, 1, -1);
    open_keys();
    cr_expect(eq(str, (char *)await_key(), ""));
    cr_expect(ne(ptr, strstr(credentials_error(keys), "have expired"), NULL), "%s",
              credentials_error(keys));
}

Test(credentials,
     others_are_asked_for_before_they_expire_and_the_old_ones_used_meanwhile)
{
    metadata_fake_hand_out(fake, 1, 6);
    open_keys();
    cr_assert(eq(str, (char *)await_key(), "AKIA1"));
    uint64_t generation = credentials_generation(keys);
    metadata_fake_hand_out(fake, 2, 3600);
    metadata_fake_close_gate(fake);
    int64_t until = clock_mono_ms() + DEADLINE_MS;
    while (asked(METADATA_TOKEN) == 1 && clock_mono_ms() < until) {
        cr_assert(ne(ptr, credentials_key(keys), NULL));
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    cr_assert(eq(int, asked(METADATA_TOKEN), 2), "asked in time");
    cr_expect(eq(str, (char *)credentials_key(keys)->access_key, "AKIA1"));
    cr_expect(eq(u64, credentials_generation(keys), generation));
    cr_expect(eq(i64, credentials_hold_ms(keys), 0));
    metadata_fake_open_gate(fake);
    cr_expect(becomes("AKIA2"));
    cr_expect(eq(u64, credentials_generation(keys), generation + 1));
    cr_expect(eq(int, metadata_fake_most(fake), 1));
}

Test(credentials, a_refresh_that_fails_leaves_the_old_ones_until_they_expire)
{
    metadata_fake_hand_out(fake, 1, 4);
    open_keys();
    cr_assert(eq(str, (char *)await_key(), "AKIA1"));
    for (int i = 0; i < 10; i++)
        metadata_fake_push(fake, (struct metadata_fault){METADATA_STATUS, 500});
    int64_t until = clock_mono_ms() + DEADLINE_MS;
    while (asked(METADATA_TOKEN) < 3 && credentials_key(keys) &&
           clock_mono_ms() < until)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(ge(int, asked(METADATA_TOKEN), 2), "it was tried");
    while (credentials_key(keys) && clock_mono_ms() < until)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(eq(ptr, credentials_key(keys), NULL), "expired");
    cr_expect(gt(i64, credentials_hold_ms(keys), 0));
}

Test(credentials, keys_that_the_store_refused_are_asked_for_anew)
{
    open_keys();
    cr_assert(eq(str, (char *)await_key(), "AKIA1"));
    uint64_t generation = credentials_generation(keys);
    metadata_fake_hand_out(fake, 2, 3600);
    cr_expect(credentials_refuse(keys, generation));
    cr_expect(credentials_refuse(keys, generation), "and once for all who were");
    cr_expect(eq(str, (char *)await_key(), "AKIA2"));
    cr_expect(eq(u64, credentials_generation(keys), generation + 1));
    cr_expect(eq(int, asked(METADATA_KEYS), 2));
    cr_expect(credentials_refuse(keys, generation), "there are newer ones already");
    cr_expect(eq(int, asked(METADATA_KEYS), 2));
}

Test(credentials, a_store_that_refuses_them_is_left_alone_for_longer_each_time)
{
    open_keys();
    cr_assert(eq(str, (char *)await_key(), "AKIA1"));
    uint64_t generation = credentials_generation(keys);
    cr_expect(credentials_pause(keys, generation, "403 InvalidAccessKeyId"));
    cr_expect(credentials_pause(keys, generation, "403"), "of many at once");
    int64_t hold_ms = credentials_hold_ms(keys);
    cr_expect(hold_ms > 0 && hold_ms <= CREDENTIALS_PAUSE_MS, "%lld",
              (long long)hold_ms);
    cr_expect(eq(str, (char *)credentials_error(keys), "403 InvalidAccessKeyId"));
    while (credentials_hold_ms(keys) > 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(credentials_pause(keys, generation, "403"));
    hold_ms = credentials_hold_ms(keys);
    cr_expect(hold_ms > CREDENTIALS_PAUSE_MS && hold_ms <= 2 * CREDENTIALS_PAUSE_MS,
              "%lld", (long long)hold_ms);
    credentials_accept(keys, generation);
    cr_expect(eq(i64, credentials_hold_ms(keys), 0));
    cr_expect(not(credentials_pause(keys, generation, "403")),
              "others are taken: it is the request");
    cr_expect(eq(i64, credentials_hold_ms(keys), 0));
}

Test(credentials, new_keys_end_a_pause)
{
    open_keys();
    cr_assert(eq(str, (char *)await_key(), "AKIA1"));
    uint64_t generation = credentials_generation(keys);
    cr_expect(credentials_pause(keys, generation, "403"));
    metadata_fake_hand_out(fake, 2, 3600);
    cr_expect(credentials_refuse(keys, generation));
    cr_expect(eq(str, (char *)await_key(), "AKIA2"));
    cr_expect(eq(i64, credentials_hold_ms(keys), 0));
}

Test(credentials, a_container_is_given_what_it_names_its_token_for)
{
    char url[200];

    (void)snprintf(url, sizeof url, "%s/container", metadata_fake_url(fake));
    config.credentials = CONFIG_KEYS_AUTO;
    set_env("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
    set_env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pod-token");
    open_keys();
    cr_expect(eq(str, (char *)await_key(), "AKIA1"));
    cr_expect(eq(int, metadata_fake_count_all(fake), 1));
}

Test(credentials, the_token_of_a_container_is_read_from_its_file_each_time)
{
    char url[200];
    struct tmpdir_file token = tmpdir_write(&dir, "token", "old", 3);

    (void)snprintf(url, sizeof url, "%s/container", metadata_fake_url(fake));
    config.credentials = CONFIG_KEYS_CONTAINER;
    set_env("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
    set_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.path);
    open_keys();
    cr_expect(eq(str, (char *)await_key(), ""));
    cr_expect(ne(ptr, strstr(credentials_error(keys), "status 401"), NULL), "%s",
              credentials_error(keys));
    (void)tmpdir_write(&dir, "token", "pod-token\n", 10);
    cr_expect(becomes("AKIA1"));
}

static void use_web_identity(const char *token)
{
    struct tmpdir_file file = tmpdir_write(&dir, "token", token, strlen(token));

    config.credentials = CONFIG_KEYS_WEB_IDENTITY;
    config.sts_endpoint = (char *)metadata_fake_url(fake);
    set_env("AWS_WEB_IDENTITY_TOKEN_FILE", file.path);
    set_env("AWS_ROLE_ARN", "arn:aws:iam::1:role/hoist");
    set_env("AWS_ROLE_SESSION_NAME", "a b");
}

Test(credentials, a_web_identity_becomes_keys_at_sts)
{
    char request[4096];

    use_web_identity("web-token\n");
    open_keys();
    cr_assert(eq(str, (char *)await_key(), "AKIA1"), "%s", credentials_error(keys));
    cr_expect(eq(int, metadata_fake_count_all(fake), 1));
    metadata_fake_latest(fake, request, sizeof request);
    cr_expect(
        ne(ptr,
           strstr(request, "\r\n\r\nAction=AssumeRoleWithWebIdentity&Version=2011-"
                           "06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fhoist&"
                           "RoleSessionName=a%20b&WebIdentityToken=web-token"),
           NULL),
        "%s", request);
    cr_expect(eq(ptr, strstr(request, "Authorization:"), NULL), "unsigned");
}

Test(credentials, what_sts_says_is_told_and_the_token_read_anew)
{
    use_web_identity("old");
    open_keys();
    cr_expect(eq(str, (char *)await_key(), ""));
    cr_expect(eq(str, (char *)credentials_error(keys),
                 "STS: InvalidIdentityToken: not ours"));
    (void)tmpdir_write(&dir, "token", "web-token", 9);
    cr_expect(becomes("AKIA1"));
}

Test(credentials, closing_does_not_wait_for_an_answer)
{
    int told = 0;
    struct credentials_wait w = {.done = on_told, .ctx = &told};

    open_keys();
    metadata_fake_close_gate(fake);
    credentials_await(keys, &w);
    while (asked(METADATA_TOKEN) == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    credentials_forget(&w); /* down closes the rest, and finds nothing left open */
}
