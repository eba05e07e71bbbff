/*
 * webhooks: which ones a job has, what a client may have called, what [webhook NAME] may say; how a request is signed, what is in
 * it, and what an answer to it means.
 */
#include "shared/webhooks.h"

#include "shared/cleanup.h"
#include "worker/hooks/hook_answer.h"
#include "worker/hooks/hook_event.h"
#include "worker/hooks/hook_sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(webhooks, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define SECRET "0123456789abcdef0123456789abcdef"
#define SECOND "whsec-second-0123456789abcdefghij"
#define HOOK(name) "[webhook " name "]\nsecret=" SECRET "\n"
#define ID "01890000-0000-7000-8000-000000000001"

static struct config config;

static void read_config(const char *text)
{
    struct err e = ERR_INIT;

    config_init(&config);
    cr_assert(config_parse(&config, "t", text, NULL, &e) == ERR_OK, "%s", e.text);
}

static void release(void)
{
    config_release(&config);
}

/* --- [webhook NAME] --- */

static const struct {
    const char *text, *says;
} refused[] = {
    {"[webhook a]\nurl=https://x/\n", "secret_file: is needed"},
    {"[webhook a]\nurl=https://x/\nsecret=short\n", "fewer than 32"},
    {HOOK("a"), "url: is needed"},
    {HOOK("a") "url=ftp://x/\n", "url:"},
    {HOOK("callback") "url=https://x/\n", "not of callback"},
    {HOOK("callback") "queues=default\n", "not of callback"},
    {HOOK("a") "url=https://x/\nevents=done, won\n", "'won' is not one of done"},
    {HOOK("a") "url=https://x/\nevents=,\n", "events: is empty"},
    {HOOK("a") "url=https://x/\nqueues=media\n", "there is no [queue media]"},
    {HOOK("a") "url=https://x/\ndestinations=s3\n", "there is no [destination s3]"},
    {HOOK("a") "url=https://x/\nqueue=later\n", "there is no [queue later]"},
    {HOOK("a") "url=https://x/\nqueue=default\n", "is a queue of uploads"},
    {HOOK("a") "url=https://x/\nallow=a:b\n", "allow:"},
    {HOOK("a") "url=https://x/\ndeny=*.\n", "deny:"},
};

Test(webhooks, a_section_that_cannot_be_meant_stops_the_start)
{
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct err e = ERR_INIT;
        config_init(&config);
        cr_expect(config_parse(&config, "t", refused[i].text, NULL, &e) == ERR_CONFIG,
                  "row %zu", i);
        cr_expect(strstr(e.text, refused[i].says) != NULL, "row %zu: %s", i, e.text);
        config_release(&config);
    }
}

Test(webhooks, their_queue_is_there_by_itself_and_tries_for_hours, .fini = release)
{
    read_config("[queue slow]\nretry_base=2h\nretry_cap=3h\n" HOOK(
        "a") "url=https://x/\n" HOOK("b") "url=https://y/\nqueue=slow\n");
    const struct config_queue *hooks = config_find_queue(&config, "hooks", 5);
    const struct config_queue *slow = config_find_queue(&config, "slow", 4);
    cr_assert(ne(ptr, (void *)hooks, NULL));
    cr_expect(hooks->is_of_webhooks && slow->is_of_webhooks);
    cr_expect(eq(i64, hooks->max_attempts, 25));
    cr_expect(eq(i64, hooks->retry_base_ms, 5000));
    cr_expect(eq(i64, hooks->retry_cap_ms, 3600000));
    cr_expect(eq(i64, slow->max_attempts, 25));
    cr_expect(eq(i64, slow->retry_base_ms, 7200000), "what was given counts");
    config_release(&config);
    read_config("");
    cr_expect(eq(ptr, (void *)config_find_queue(&config, "hooks", 5), NULL));
}

/* --- whose --- */

static const char *assigned(const char *queue, const char *to)
{
    static char text[JOB_HOOKS_TEXT_MAX + 1];
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;

    (void)snprintf(j.id.queue, sizeof j.id.queue, "%s", queue);
    j.to = strdup(to);
    cr_assert(webhooks_assign(&config, &j, &e) == ERR_OK);
    (void)snprintf(text, sizeof text, "%s", j.hooks ? j.hooks : "none");
    return text;
}

Test(webhooks, a_job_has_those_of_its_queue_and_destinations, .fini = release)
{
    read_config("[queue media]\n[destination s3]\nurl=file:///x\n" HOOK(
        "all") "url=https://x/\n" HOOK("med") "url=https://x/\nqueues=media, default\n"
                                              "destinations=s3\n" HOOK("callback"));
    cr_expect(eq(str, (char *)assigned("default", "default"), "all"));
    cr_expect(eq(str, (char *)assigned("media", "s3"), "all,med"));
    cr_expect(eq(str, (char *)assigned("media", "default,s3"), "all,med"));
    cr_expect(eq(str, (char *)assigned("other", "s3"), "all"));
    cr_expect(eq(str, (char *)assigned("medi", "s3"), "all"), "half of a name");
    cr_expect(eq(str, (char *)assigned("mediapool", "s3"), "all"));
    cr_expect(eq(str, (char *)assigned("media", "s"), "all"));
    cr_expect(eq(str, (char *)assigned("media", "s3x,x"), "all"));
}

Test(webhooks, an_event_is_one_of_four_words)
{
    static const char *const words[] = {"done", "dead", "cancelled", "batch"};
    static const char *const others[] = {"", "d", "don", "done ", "batche", "won"};

    for (size_t i = 0; i < COUNT(words); i++)
        cr_expect(eq(int, (int)webhooks_event(words[i], strlen(words[i])), 1 << i));
    for (size_t i = 0; i < COUNT(others); i++)
        cr_expect(eq(int, (int)webhooks_event(others[i], strlen(others[i])), 0), "%s",
                  others[i]);
}

static const struct {
    const char *more, *url, *says; /* NULL: allowed */
} callbacks[] = {
    {"", "https://example.org/x", NULL},
    {"", "http://example.org/", "not https"},
    {"http=yes\n", "http://example.org/", NULL},
    {"http=yes\n", "http://127.0.0.1/", "not"},
    {"http=yes\nallow=127.0.0.1:81\n", "http://127.0.0.1:81/", NULL},
    {"http=yes\nallow=127.0.0.1:81\n", "http://127.0.0.1:82/", "not"},
    {"", "https://169.254.169.254/", "not"},
    {"allow=169.254.0.0/16\n", "https://169.254.169.254/", "not"},
    {"", "https://[::1]/", "not"},
    {"", "https://example.org:22/", "not"},
    {"", "https://0x7f.1/", ""},
    {"", "https://user@example.org/", "user"},
    {"", "javascript:alert(1)", ""},
    {"only_allowed=yes\nallow=*.example.org\n", "https://a.example.org/", NULL},
    {"only_allowed=yes\nallow=*.example.org\n", "https://example.com/", "not"},
    {"deny=example.org\n", "https://example.org/", "not"},
};

Test(webhooks, a_client_has_only_public_addresses_called_unless_told_otherwise)
{
    for (size_t i = 0; i < COUNT(callbacks); i++) {
        char text[512];
        struct err e = ERR_INIT;
        (void)snprintf(text, sizeof text, HOOK("callback") "%s", callbacks[i].more);
        read_config(text);
        enum err_code code = webhooks_check_callback(&config, callbacks[i].url,
                                                     strlen(callbacks[i].url), &e);
        cr_expect(eq(int, code, callbacks[i].says ? ERR_REJECT : ERR_OK), "row %zu: %s",
                  i, e.text);
        cr_expect(callbacks[i].says == NULL ||
                      strstr(e.text, callbacks[i].says) != NULL,
                  "row %zu: %s", i, e.text);
        config_release(&config);
    }
}

Test(webhooks, an_operators_own_address_may_be_private_and_no_other, .fini = release)
{
    struct fetch_rules rules;
    struct err e = ERR_INIT;
    struct url own, other;

    read_config(HOOK("a") "url=http://10.0.0.1:90/x\n");
    cr_assert(webhooks_rules(&config.webhooks[0], &rules, &e) == ERR_OK, "%s", e.text);
    cr_assert(url_parse("http://10.0.0.1:90/x", 20, &own, &e) == ERR_OK);
    cr_assert(url_parse("http://10.0.0.2:90/x", 20, &other, &e) == ERR_OK);
    cr_expect(fetch_check_url(&rules, &own, &e) == ERR_OK, "%s", e.text);
    cr_expect(fetch_check_url(&rules, &other, &e) == ERR_REJECT);
    config_release(&config);
    read_config(HOOK("a") "url=http://[fd00::7]:90/x\nallow=10.0.0.2:90\n");
    cr_assert(webhooks_rules(&config.webhooks[0], &rules, &e) == ERR_OK, "%s", e.text);
    cr_expect(fetch_check_url(&rules, &other, &e) == ERR_OK, "what it allows, too");
    cr_assert(url_parse("http://[fd00::7]:90/", 20, &own, &e) == ERR_OK);
    cr_expect(fetch_check_url(&rules, &own, &e) == ERR_OK, "%s", e.text);
    cr_assert(url_parse("http://[fd00::7]:91/", 20, &own, &e) == ERR_OK);
    cr_expect(fetch_check_url(&rules, &own, &e) == ERR_REJECT);
}

Test(webhooks, without_a_section_of_its_own_no_callback_is_called, .fini = release)
{
    struct err e = ERR_INIT;

    read_config(HOOK("a") "url=https://x/\n");
    cr_expect(webhooks_check_callback(&config, "https://x/", 10, &e) == ERR_CONFIG);
    cr_expect(strstr(e.text, "[webhook callback]") != NULL, "%s", e.text);
}

/* --- signatures; expected values by `printf '1764450000.BODY' | openssl dgst -sha256 -hmac SECRET` --- */

static const struct {
    const char *secrets[2];
    int64_t at_s;
    const char *body;
    size_t len;
    const char *want;
} signatures[] = {
    {{SECRET, ""},
     1764450000,
     "{\"event\":\"done\",\"event_id\":\"" ID "\"}",
     66,
     "t=1764450000,v1="
     "76c586fc4dba3184c82182311b33d3cd3045279dd4aa0d04393a1bb25869710a"},
    {{SECRET, SECOND},
     1764450000,
     "{\"event\":\"done\",\"event_id\":\"" ID "\"}",
     66,
     "t=1764450000,v1=76c586fc4dba3184c82182311b33d3cd3045279dd4aa0d04393a1bb25869710a,"
     "v1=c703772300184192381b89d716e392c4a51e7c0a9a7166ebb721119e1ffce0fe"},
    {{NULL, SECRET},
     0,
     "",
     0,
     "t=0,v1=b5b3fbed5b59d925316d6d39db497aba70820961dda53dfe23a87559dab1eb6b"},
    {{SECRET, NULL},
     9999999999,
     "\xc3\xa9\x00\xff",
     4,
     "t=9999999999,v1="
     "ab2efa1661e3f99795b5fb4ff1d5f38521f21528c814091383656e7aa7a322b2"},
};

Test(webhooks, a_signature_is_the_hmac_of_time_and_body_for_each_secret)
{
    for (size_t i = 0; i < COUNT(signatures); i++) {
        CLEANUP(buf_release) struct buf b = BUF_INIT(512);
        struct hook_secrets s = {{signatures[i].secrets[0], signatures[i].secrets[1]}};
        struct err e = ERR_INIT;
        cr_assert(hook_sign(&s, signatures[i].at_s,
                            (struct digest_span){signatures[i].body, signatures[i].len},
                            &b, &e) == ERR_OK);
        cr_expect(eq(str, b.data, (char *)signatures[i].want), "row %zu", i);
    }
    CLEANUP(buf_release) struct buf b = BUF_INIT(512);
    struct err e = ERR_INIT;
    cr_expect(hook_sign(&(struct hook_secrets){{"", NULL}}, 1,
                        (struct digest_span){"x", 1}, &b, &e) == ERR_CONFIG);
}

/* --- what is told --- */

static struct hook_event event(enum config_event kind, const char *word, int64_t at_ms)
{
    struct hook_event v = {.kind = kind, .job = JOB_INIT, .at_ms = at_ms};
    struct err e = ERR_INIT;

    (void)snprintf(v.word, sizeof v.word, "%s", word);
    memcpy(v.uuid.text, ID, sizeof v.uuid.text);
    (void)snprintf(v.job.id.queue, sizeof v.job.id.queue, "default");
    v.job.id.uuid = v.uuid;
    v.job.created = v.job.ended = at_ms;
    v.job.state = JOB_DONE;
    v.job.hooks = strdup("gone,a");
    v.job.to = strdup("default");
    cr_assert(job_add_meta(&v.job, "k", 1, "v", 1, &e) == ERR_OK);
    return v;
}

/* The id of the job that tells it to [webhook a], and in payload what is told. */
static struct uuid told(const struct hook_event *v, char *payload, size_t size)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    CLEANUP(buf_release) struct buf manifest = BUF_INIT(JOB_RECORD_MAX);
    struct err e = ERR_INIT;
    size_t at = 0;
    const struct config_webhook *w = hook_event_wanted(v, &config, &at);

    cr_assert(w && strcmp(w->name, "a") == 0);
    cr_expect(hook_event_wanted(v, &config, &at) == NULL, "no other wants it");
    cr_assert(hook_event_make_job(v, &config, w, &j, &e) == ERR_OK, "%s", e.text);
    cr_expect(job_is_hook(&j) && !j.hooks && strcmp(j.id.queue, "hooks") == 0);
    cr_expect(strcmp(j.group, ID ".a") == 0, "%s", j.group);
    cr_expect(job_encode_manifest(&j, &manifest, &e) == ERR_OK, "%s", e.text);
    (void)snprintf(payload, size, "%s", j.payload);
    return j.id.uuid;
}

Test(webhooks, an_event_has_one_id_whoever_makes_it_and_done_is_done_once,
     .fini = release)
{
    char first[8192], second[8192];

    read_config(HOOK("a") "url=https://x/\n" HOOK("b") "url=https://x/\n");
    struct hook_event done = event(CONFIG_EVENT_DONE, "done", 1000);
    struct hook_event again = event(CONFIG_EVENT_DONE, "done", 2000);
    struct hook_event dead = event(CONFIG_EVENT_DEAD, "dead", 1000);
    struct hook_event more = event(CONFIG_EVENT_DEAD, "dead", 2000);
    struct uuid a = told(&done, first, sizeof first);
    struct uuid b = told(&again, second, sizeof second);
    cr_expect(eq(str, a.text, b.text));
    cr_expect(strncmp(first, second, 70) == 0, "the event's id, too: %s", second);
    cr_expect(strstr(first, "\"meta\":{\"k\":\"v\"}}") != NULL, "%s", first);
    cr_expect(strstr(first, "\"id\":\"default." ID "\"") != NULL, "%s", first);
    struct uuid c = told(&dead, first, sizeof first);
    struct uuid d = told(&more, second, sizeof second);
    cr_expect(ne(str, c.text, d.text), "a job can die twice");
    cr_expect(ne(str, a.text, c.text));
    cr_expect(strncmp(first, second, 70) != 0);
    hook_event_release(&done);
    hook_event_release(&again);
    hook_event_release(&dead);
    hook_event_release(&more);
}

Test(webhooks, what_is_long_is_cut_and_still_told, .fini = release)
{
    char payload[2 * JOB_PAYLOAD_MAX];

    read_config(HOOK("a") "url=https://x/\nevents=dead\n");
    struct hook_event v = event(CONFIG_EVENT_DEAD, "dead", 1000);
    v.job.state = JOB_DEAD;
    v.job.error = malloc(JOB_ERROR_MAX + 1);
    memset(v.job.error, '"', JOB_ERROR_MAX); /* each is two bytes there */
    v.job.error[JOB_ERROR_MAX] = '\0';
    for (size_t i = 0; i < 4; i++) {
        v.job.arrived[i].url = malloc(1500);
        memset(v.job.arrived[i].url, 'x', 1499);
        v.job.arrived[i].url[1499] = '\0';
        (void)snprintf(v.job.arrived[i].to, sizeof v.job.arrived[i].to, "d%zu", i);
    }
    v.job.arrived_count = 4;
    (void)told(&v, payload, sizeof payload);
    cr_expect(strlen(payload) <= JOB_PAYLOAD_MAX);
    cr_expect(strstr(payload, "\"results\"") == NULL, "these go first");
    cr_expect(strstr(payload, "\"meta\":{\"k\":\"v\"}}") != NULL);
    hook_event_release(&v);
    struct hook_event done = event(CONFIG_EVENT_DONE, "done", 1000);
    size_t at = 0;
    cr_expect(hook_event_wanted(&done, &config, &at) == NULL, "it wants deaths alone");
    hook_event_release(&done);
}

/* --- answers --- */

static const struct {
    int status;
    bool done;
    enum retry_class class;
} answers[] = {
    {200, true, RETRY_NONE},       {204, true, RETRY_NONE},
    {299, true, RETRY_NONE},       {301, false, RETRY_CONFIG},
    {300, false, RETRY_CONFIG},    {409, false, RETRY_CONFIG},
    {425, false, RETRY_TRANSIENT}, {599, false, RETRY_TRANSIENT},
    {400, false, RETRY_CONFIG},    {401, false, RETRY_CONFIG},
    {404, false, RETRY_CONFIG},    {408, false, RETRY_TRANSIENT},
    {410, false, RETRY_NEVER},     {429, false, RETRY_THROTTLED},
    {500, false, RETRY_TRANSIENT}, {503, false, RETRY_THROTTLED},
};

Test(webhooks, two_hundreds_are_success_410_is_the_end_and_all_else_is_tried_again)
{
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct http_response r;
        struct outcome o = {0};
        http_response_init(&r);
        r.status = answers[i].status;
        memcpy(r.retry_after, "7", 2);
        hook_answer_judge(&r, &o);
        cr_expect(eq(int, o.done, answers[i].done), "%d", r.status);
        if (!o.done) {
            cr_expect(eq(int, o.class, answers[i].class), "%d", r.status);
            cr_expect(eq(i64, o.retry_after_ms, r.status == 410 ? 0 : 7000));
        }
        outcome_release(&o);
        http_response_release(&r);
    }
}
