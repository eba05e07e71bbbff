/*
 * Uploads with a signed policy: what README shows how to sign is taken, what a policy does not say is refused.
 */
#include "tests/integration/policy_rig.h"

#include "tests/support/wait_until.h"

#include <pthread.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

TestSuite(responder_policy, .init = policy_up, .fini = responder_down, .timeout = 120);

static bool get_says(const char *uri, int status)
{
    const struct fcgi_request get = responder_get(uri);
    int got = responder_status(&get);

    if (got != status)
        fprintf(stderr, "GET %s: %d\n", uri, got);
    return got == status;
}

Test(responder_policy, what_the_readme_shows_how_to_sign_is_taken)
{
    static const struct {
        const char *fence, *program;
        bool is_needed;
    } samples[] = {{"```sh\nkey=$(cat policy.key)", "sh", true},
                   {"```python\nimport base64", "python3", false},
                   {"```js\nconst { createHmac }", "node", false},
                   {"```php\n<?php", "php", false}};
    char *readme = calloc(1, 1 << 18), command[1024];
    struct tmpdir_file key =
        tmpdir_write(&rig.dir, "policy.key", POLICY_KEY "\n", sizeof POLICY_KEY);
    FILE *f = fopen(HOIST_README, "re");

    cr_assert(f && readme && *key.path);
    cr_assert(fread(readme, 1, (1 << 18) - 1, f) > 0);
    (void)fclose(f);
    for (size_t i = 0; i < COUNT(samples); i++) {
        const char *at = strstr(readme, samples[i].fence);
        cr_assert(at != NULL, "%s", samples[i].fence);
        at += strcspn(at, "\n") + 1;
        const char *end = strstr(at, "```");
        struct tmpdir_file file =
            tmpdir_write(&rig.dir, "sample", at, (size_t)(end - at));
        snprintf(command, sizeof command,
                 "command -v %s >/dev/null || exit 0; cd %s && exec %s %s",
                 samples[i].program, rig.dir.path, samples[i].program, file.path);
        FILE *out = popen(command, "re");
        char policy[1024] = "";
        cr_assert(out != NULL);
        if (fgets(policy, sizeof policy, out))
            policy[strcspn(policy, "\n")] = '\0';
        cr_assert(eq(int, pclose(out), 0));
        cr_assert(samples[i].is_needed <= (*policy != '\0'));
        if (*policy)
            cr_expect(policy_put_says(policy_in("/v1/uploads/a.png", policy),
                                      "image/png", 202, "\"id\":\"default.", NULL),
                      "%s", samples[i].program);
    }
    free(readme);
}

Test(responder_policy, it_lets_in_what_it_says_and_its_job_can_be_looked_at_with_it)
{
    char *policy =
        strdup(policy_of(",\"queue\":\"media\",\"key_prefix\":\"u/17/\","
                         "\"meta.user\":17,\"max_bytes\":5,\"min_bytes\":5"));
    char *other = strdup(policy_of(",\"queue\":\"media\"")), *id;

    cr_assert(policy_put_says(policy_in("/v1/uploads/a.txt?meta.colour=red", policy),
                              NULL, 202, "\"id\":\"media.", &id));
    char *text = policy_manifest(id);
    cr_expect(strstr(text, "\"key\":\"u/17/") != NULL, "%s", text);
    cr_expect(strstr(text, ".txt\"") != NULL, "%s", text);
    cr_expect(strstr(text, "\"owner\":\"shop\"") != NULL, "%s", text);
    cr_expect(strstr(text, "\"user\":\"17\"") != NULL, "%s", text);
    cr_expect(strstr(text, "\"colour\":\"red\"") != NULL, "%s", text);
    free(text);
    cr_assert(WAIT_UNTIL(responder_field_is(id, "bytes", "5"), 5000));
    cr_expect(get_says(policy_in(responder_job_uri(id, ""), policy), 200));
    cr_expect(get_says(policy_in(responder_job_uri(id, ""), other), 404));
    cr_expect(get_says(responder_job_uri(id, ""), 401));
    /* Looking is all. */
    const struct fcgi_request cancel = {
        .method = "DELETE", .uri = policy_in(responder_job_uri(id, ""), policy)};
    cr_expect(eq(int, responder_status(&cancel), 403));
    cr_expect(get_says(policy_in("/v1/jobs?queue=media", policy), 403));
    cr_expect(get_says(policy_in("/v1/queues", policy), 403));
    const struct fcgi_request job = {.method = "POST",
                                     .uri = policy_in("/v1/jobs", policy),
                                     .body = "{}",
                                     .body_len = 2,
                                     .type = "application/json"};
    cr_expect(eq(int, responder_status(&job), 403));
    const struct fcgi_request mint = {.method = "POST",
                                      .uri = policy_in("/v1/policies", policy),
                                      .body = "{}",
                                      .body_len = 2,
                                      .type = "application/json"};
    cr_expect(eq(int, responder_status(&mint), 403));
    free(policy);
    free(other);
    free(id);
}

Test(responder_policy, what_it_does_not_say_is_refused_and_nothing_is_kept)
{
    static const struct {
        const char *members, *uri, *type;
        int status;
        const char *part;
    } rows[] = {
        {"", "/v1/uploads/a?queue=media", NULL, 403, "problem:policy\""},
        {"", "/v1/uploads/a?key=b", NULL, 403, "key: not allowed"},
        {"", "/v1/uploads/a?priority=0", NULL, 403, "priority: not allowed"},
        {",\"to\":\"default\"", "/v1/uploads/a?to=other", NULL, 403, "to: the policy"},
        {",\"key_prefix\":\"u/\"", "/v1/uploads/a?key=v/b", NULL, 403, "key: not"},
        {",\"key_prefix\":\"u/\"", "/v1/uploads/a?key=u/../b", NULL, 400, "key"},
        {",\"max_bytes\":4", "/v1/uploads/a", NULL, 413, "too-large"},
        {",\"min_bytes\":6", "/v1/uploads/a", NULL, 403, "at least 6"},
        {",\"types\":\"image/*\"", "/v1/uploads/a", "text/html", 415, "image/*"},
        {",\"types\":\"image/*\"", "/v1/uploads/a", NULL, 415, "image/*"},
#if HOIST_HAVE_MAGIC
        {",\"types\":\"image/*\"", "/v1/uploads/a", "image/gif", 415, "is text/plain"},
#endif
        /* What [auth shop] may not do cannot be signed either. */
        {",\"queue\":\"secret\"", "/v1/uploads/a", NULL, 403, "queue"},
        {",\"to\":\"other\"", "/v1/uploads/a", NULL, 403, "to: "},
        {",\"queue\":\"nosuch\"", "/v1/uploads/a", NULL, 422, "unknown-queue"},
        {",\"nosuch\":\"1\"", "/v1/uploads/a", NULL, 400, "bad-option"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect(policy_put_says(policy_in(rows[i].uri, policy_of(rows[i].members)),
                                  rows[i].type, rows[i].status, rows[i].part, NULL),
                  "row %zu", i);
    cr_expect(eq(sz, responder_count("jobs"), 0));
    cr_expect(eq(sz, responder_count("tmp"), 0));
}

Test(responder_policy, one_that_is_not_valid_or_not_alone_is_refused)
{
    cr_expect(policy_put_says(policy_in("/v1/uploads/a", "v1.shop.e30.e30"), NULL, 403,
                              "is not valid", NULL));
    cr_expect(policy_put_says(policy_in("/v1/uploads/a", "v1.nobody.e30.e30"), NULL,
                              403, "is not valid", NULL));
    cr_expect(policy_put_says(policy_in("/v1/uploads/a", policy_sign_with("x", "")),
                              NULL, 403, "is not valid", NULL));
    cr_expect(policy_put_says(policy_in("/v1/uploads/a", policy_sign_with("", "")),
                              NULL, 403, "is not valid", NULL));
    cr_expect(policy_put_says(
        policy_in("/v1/uploads/a", policy_signed("reader", POLICY_KEY, "")), NULL, 403,
        "is not valid", NULL));
    char *once = strdup(policy_of("")),
         *first = strdup(policy_in("/v1/uploads/a", once));
    char *twice = strdup(policy_in(first, once));
    cr_expect(policy_put_says(twice, NULL, 400, "given twice", NULL));
    const struct fcgi_request both = {.method = "PUT",
                                      .uri = policy_in("/v1/uploads/a", once),
                                      .authorization = POLICY_SHOP,
                                      .body = "hello",
                                      .body_len = 5};
    cr_expect(eq(int, responder_status(&both), 400));
    /* A length that nobody announced is counted while it comes. */
    const struct fcgi_request long_one = {
        .method = "PUT",
        .uri = policy_in("/v1/uploads/a", policy_of(",\"max_bytes\":4")),
        .body = "hello",
        .body_len = 5,
        .content_length = ""};
    cr_expect(eq(int, responder_status(&long_one), 413));
    /* The other key is as good as the first one. */
    cr_expect(policy_put_says(
        policy_in("/v1/uploads/a", policy_sign_with(POLICY_OLD_KEY, "")), NULL, 202,
        "\"id\"", NULL));
    cr_expect(eq(sz, responder_count("jobs"), 2));
    cr_expect(eq(sz, responder_count("tmp"), 0));
    free(once);
    free(first);
    free(twice);
}

/* A form of a policy (NULL: none), the fields in front of it and behind it, and files of "hello". */
static bool form_says(const char *before, const char *policy, const char *after,
                      size_t files, int status, const char *part)
{
    char text[2048] = "";
    size_t len = (size_t)snprintf(text, sizeof text, "%s", before);

    if (policy)
        len += (size_t)snprintf(
            text + len, sizeof text - len,
            "--B\r\nContent-Disposition: form-data; name=\"policy\"\r\n\r\n%s\r\n",
            policy);
    len += (size_t)snprintf(text + len, sizeof text - len, "%s", after);
    for (size_t i = 0; i < files; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s",
                                FORM_FILE("a.txt", "hello"));
    len += (size_t)snprintf(text + len, sizeof text - len, "%s", FORM_END);
    const struct fcgi_request post = {.method = "POST",
                                      .uri = "/v1/uploads",
                                      .type = FORM_TYPE,
                                      .body = text,
                                      .body_len = len};
    struct fcgi_response r = responder_ask(&post);
    bool yes = r.status == status && strstr(r.text, part);
    if (!yes)
        fprintf(stderr, "form: wanted %d and %s, got\n%s\n", status, part, r.text);
    fcgi_response_release(&r);
    return yes;
}

Test(responder_policy, quotas_count_for_what_a_form_brings_before_its_file_is_read)
{
    enum { TRIES = 20 };
    char start[2048], *policy = strdup(policy_signed("slow", POLICY_KEY, ""));
    struct fcgi_client c;
    bool refused = false;

    for (int i = 0; i < TRIES && !refused; i++)
        refused = form_says("", policy, "", 1, 429, "\r\nRetry-After: ");
    cr_expect(refused);
    free(policy);

    policy = strdup(policy_signed("small", POLICY_KEY, ""));
    cr_expect(form_says("", policy, "", 1, 202, "\"id\""));
    snprintf(
        start, sizeof start,
        "--B\r\nContent-Disposition: form-data; name=\"policy\"\r\n\r\n%s\r\n"
        "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n",
        policy);
    fcgi_client_open(&c, rig.socket.path);
    fcgi_client_head(&c, &(struct fcgi_request){.method = "POST",
                                                .uri = "/v1/uploads",
                                                .type = FORM_TYPE,
                                                .content_length = "10000000"});
    fcgi_client_body(&c, start, strlen(start));
    char *chunk = calloc(1, 64 * 1024); /* the responder reads so much at a time */
    fcgi_client_body(&c, chunk, 60 * 1024);
    fcgi_client_body(&c, chunk, 60 * 1024);
    struct fcgi_response r = fcgi_client_response(&c, 10000);
    cr_expect(eq(int, r.status, 429), "%s", r.text);
    fcgi_response_release(&r);
    fcgi_client_close(&c);
    free(chunk);
    free(policy);
}

/* Who has not shown one may not keep a thread. */
Test(responder_policy,
     a_form_is_answered_at_its_first_field_and_not_awaited_byte_by_byte)
{
    static const char field[] = FORM_FIELD("policy", "v1.shop.e30.e30") "--B\r\n";
    const struct fcgi_request post = {.method = "POST",
                                      .uri = "/v1/uploads",
                                      .type = FORM_TYPE,
                                      .content_length = "100000"};
    struct fcgi_client c;
    int drops = 0;

    fcgi_client_open(&c, rig.socket.path);
    fcgi_client_head(&c, &post);
    fcgi_client_body(&c, field, sizeof field - 1);
    struct fcgi_response r = fcgi_client_response(&c, 20000);
    cr_expect(eq(int, r.status, 403), "%s", r.text);
    fcgi_response_release(&r);
    fcgi_client_close(&c);

    fcgi_client_open(&c, rig.socket.path);
    fcgi_client_head(&c, &post);
    struct pollfd answer = {.fd = c.fd, .events = POLLIN};
    do
        fcgi_client_body(&c, "x", 1);
    while (poll(&answer, 1, 100) == 0 && ++drops < 300);
    cr_expect(lt(int, drops, 300), "half a minute");
    r = fcgi_client_response(&c, 20000);
    cr_expect(eq(int, r.status, 400), "%s", r.text);
    fcgi_response_release(&r);
    fcgi_client_close(&c);
}

Test(responder_policy, a_form_may_bring_it_as_its_first_field)
{
    char *two = strdup(policy_of(",\"max_files\":2,\"queue\":\"media\""));
    char *key = strdup(policy_of(",\"key\":\"one\",\"max_files\":2"));

    cr_expect(form_says("", two, "", 1, 202, "\"id\":\"media."));
    cr_expect(form_says("", two, FORM_FIELD("meta.a", "b"), 2, 202, "\"batch\""));
    cr_expect(form_says("", two, "", 3, 403, "allows 2 files"));
    cr_expect(form_says("", two, FORM_FIELD("queue", "default"), 1, 403, "queue: the"));
    cr_expect(form_says("", two, FORM_FIELD("group", "g"), 1, 403, "group: not"));
    cr_expect(form_says("", key, "", 2, 400, "key"));
    cr_expect(form_says("", policy_of(",\"min_bytes\":6"), "", 1, 403, "at least 6"));
    cr_expect(form_says("", policy_of(",\"max_bytes\":4"), "", 1, 413, "too-large"));
    cr_expect(
        form_says("", policy_of(",\"types\":\"text/plain\""), "", 1, 202, "\"id\""));
    cr_expect(
        form_says("", policy_of(",\"types\":\"image/png\""), "", 1, 415, "image/png"));
    cr_expect(form_says("", policy_sign_with("x", ""), "", 1, 403, "is not valid"));
    /* Nothing comes before it. */
    cr_expect(form_says("", NULL, "", 1, 401, "WWW-Authenticate: Bearer"));
    struct fcgi_request nowhere = FORM(FORM_END);
    nowhere.uri = "/v1/nowhere";
    cr_expect(eq(int, responder_status(&nowhere), 401), "nor tells what is there");
    cr_expect(form_says(FORM_FIELD("meta.a", "b"), two, "", 1, 401, "in front"));
    cr_expect(form_says(FORM_FILE("b", "x"), two, "", 1, 401, "in front"));
    cr_expect(form_says("", two, FORM_FIELD("policy", "v1.shop.e30.e30"), 1, 400,
                        "given twice"));
    /* Next to a token it would mean nothing, and nothing is left out silently. */
    const struct fcgi_request token = {
        .method = "POST",
        .uri = "/v1/uploads",
        .type = FORM_TYPE,
        .authorization = POLICY_SHOP,
        .body = FORM_FIELD("policy", "x") FORM_FILE("a", "b") FORM_END,
        .body_len = sizeof(FORM_FIELD("policy", "x") FORM_FILE("a", "b") FORM_END) - 1};
    cr_expect(eq(int, responder_status(&token), 400));
    cr_expect(eq(sz, responder_count("jobs"), 8));
    free(two);
    free(key);
}
