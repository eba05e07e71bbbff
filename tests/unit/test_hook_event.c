/*
 * hook_event: what is read from an entry of an outbox, whom it is told, and every field of the job that tells it.
 */
#include "worker/hooks/hook_event.h"

#include "shared/cleanup.h"
#include "shared/job_fields.h"
#include "shared/redis_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define SECRET "0123456789abcdef0123456789abcdef"
#define ID "01890000-0000-7000-8000-000000000001"
#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static struct config config;

static void up(void)
{
    struct err e = ERR_INIT;

    config_init(&config);
    cr_assert(config_parse(&config, "t",
                           "[queue hooks]\npriority=7\nmax_attempts=9\n"
                           "[webhook a]\nurl=https://x/\nsecret=" SECRET "\n"
                           "[webhook audit]\nurl=https://x/\nsecret=" SECRET "\n"
                           "events=dead, batch\n"
                           "[webhook callback]\nsecret=" SECRET "\n",
                           NULL, &e) == ERR_OK,
              "%s", e.text);
}

static void down(void)
{
    config_release(&config);
}

TestSuite(hook_event, .init = up, .fini = down, .timeout = 60);

/* --- reading --- */

enum { FIELDS = 64 };

/* As XRANGE gives it, of texts up to NULL. */
static const struct redis_value *entry(const char *at, const char *const *texts)
{
    static struct redis_value id, list, both, text[FIELDS];
    static struct redis_value *items[FIELDS], *pair[] = {&id, &list};
    size_t n = 0;

    for (; texts[n]; n++) {
        text[n] = (struct redis_value){
            .type = REDIS_STRING, .text = (char *)texts[n], .len = strlen(texts[n])};
        items[n] = &text[n];
    }
    id = (struct redis_value){
        .type = REDIS_STRING, .text = (char *)at, .len = strlen(at)};
    list = (struct redis_value){.type = REDIS_ARRAY, .items = items, .count = n};
    both = (struct redis_value){.type = REDIS_ARRAY, .items = pair, .count = 2};
    return &both;
}

/* What is in it, or why it is refused. */
static const char *read_entry(const char *at, const char *const *texts,
                              struct hook_event *ret)
{
    static struct err e;

    e = (struct err)ERR_INIT;
    *ret = (struct hook_event){.job = JOB_INIT};
    enum err_code code = hook_event_parse(entry(at, texts), "media", ret, &e);
    cr_expect(code == ERR_OK || (code == ERR_REJECT && ret->kind == 0));
    return code == ERR_OK ? "" : e.text;
}

#define RECORD(state_)                                                                 \
    "state", state_, "seq", "1", "attempts", "1", "max_attempts", "3", "created",      \
        "1000", "ended", "5000", "bytes", "5", "sha256",                               \
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", "to",      \
        "default", "name", "n.txt"

Test(hook_event, the_end_of_a_job_comes_with_its_record)
{
    struct hook_event v;

    cr_assert(eq(str,
                 (char *)read_entry("7000-3",
                                    (const char *const[]){"event", "dead", "id", ID,
                                                          RECORD("dead"), "hooks", "a",
                                                          "error", "no", NULL},
                                    &v),
                 ""));
    cr_expect(v.kind == CONFIG_EVENT_DEAD);
    cr_expect(eq(str, v.word, "dead"));
    cr_expect(eq(str, v.uuid.text, ID));
    cr_expect(eq(str, v.job.id.queue, "media"));
    cr_expect(eq(str, v.job.id.uuid.text, ID));
    cr_expect(eq(str, v.job.hooks, "a"));
    cr_expect(eq(str, v.job.error, "no"));
    cr_expect(eq(i64, v.at_ms, 5000), "when it ended, not when that was written");
    hook_event_release(&v);
    cr_assert(
        eq(str,
           (char *)read_entry("7000-3",
                              (const char *const[]){"event", "batch", "id", ID, "hooks",
                                                    "a,audit", "callback", "-", NULL},
                              &v),
           ""));
    cr_expect(v.kind == CONFIG_EVENT_BATCH);
    cr_expect(eq(str, v.job.hooks, "a,audit"));
    cr_expect(eq(ptr, v.job.callback, NULL));
    cr_expect(eq(i64, v.at_ms, 7000));
    hook_event_release(&v);
    cr_assert(eq(
        str,
        (char *)read_entry("7000-3",
                           (const char *const[]){"event", "batch", "id", ID, "hooks",
                                                 "-", "callback", "https://x/", NULL},
                           &v),
        ""));
    cr_expect(eq(ptr, v.job.hooks, NULL));
    cr_expect(eq(str, v.job.callback, "https://x/"));
    hook_event_release(&v);
}

static const struct {
    const char *at;
    const char *texts[32];
    const char *says;
} impossible[] = {
    {"1-0", {NULL}, "no event and id"},
    {"1-0", {"event", "done", "id", NULL}, "no event and id"},
    {"1-0", {"evil", "batch", "id", ID}, "no event and id"},
    {"1-0", {"event", "batch", "ix", ID}, "no event and id"},
    {"1-0", {"event", "won", "id", ID}, "event or id is none"},
    {"1-0", {"event", "", "id", ID}, "event or id is none"},
    {"1-0", {"event", "do", "id", ID}, "event or id is none"},
    {"1-0", {"event", "batches", "id", ID}, "event or id is none"},
    {"1-0", {"event", "batch", "id", "17"}, "event or id is none"},
    {"1-0", {"event", "batch", "id", ID "0"}, "event or id is none"},
    {"1-0",
     {"event", "batch", "id", "01890000-0000-7000-8000-00000000000x"},
     "event or id is none"},
    {"0-1", {"event", "batch", "id", ID, "hooks", "a"}, "no time"},
    {"9223372036854775807-0", {"event", "batch", "id", ID, "hooks", "a"}, "no time"},
    {"x", {"event", "batch", "id", ID, "hooks", "a"}, "no time"},
    {"1-0", {"event", "batch", "id", ID, "callback", "ftp://x/"}, "callback"},
    {"1-0", {"event", "batch", "id", ID, "hooks", "a b"}, "hooks"},
    {"1-0", {"event", "done", "id", ID, "state", "done"}, "job:"},
    {"1-0", {"event", "done", "id", ID, RECORD("done"), "error_class", "a b"}, "error"},
};

Test(hook_event, what_cannot_be_is_refused)
{
    for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++) {
        struct hook_event v;
        const char *says = read_entry(impossible[i].at, impossible[i].texts, &v);
        cr_expect(says[0] && strstr(says, impossible[i].says) != NULL, "row %zu: %s", i,
                  says);
        hook_event_release(&v);
    }
}

/* --- whom --- */

static struct hook_event event(enum config_event kind, const char *word)
{
    struct hook_event v = {.kind = kind, .job = JOB_INIT, .at_ms = 1000};

    (void)snprintf(v.word, sizeof v.word, "%s", word);
    memcpy(v.uuid.text, ID, sizeof v.uuid.text);
    (void)snprintf(v.job.id.queue, sizeof v.job.id.queue, "media");
    v.job.id.uuid = v.uuid;
    v.job.created = v.job.ended = 1000;
    v.job.state = kind == CONFIG_EVENT_DEAD ? JOB_DEAD : JOB_DONE;
    v.job.to = strdup("default");
    return v;
}

static const struct {
    const char *hooks, *callback, *wanted; /* of dead */
} wishes[] = {
    {NULL, NULL, ""},
    {"a", NULL, "a "},
    {"audit", NULL, "audit "},
    {"a,audit", NULL, "a audit "},
    {"audit,gone,a", NULL, "a audit "},
    {"au,aud,audit2,aa", NULL, ""},
    {"callback", NULL, ""},
    {NULL, "https://y/", "callback "},
    {"a", "https://y/", "a callback "},
};

Test(hook_event, those_are_told_that_the_job_names_and_the_url_that_it_has)
{
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        struct hook_event v = event(CONFIG_EVENT_DEAD, "dead");
        char names[64] = "";
        size_t at = 0, len = 0;
        v.job.hooks = wishes[i].hooks ? strdup(wishes[i].hooks) : NULL;
        v.job.callback = wishes[i].callback ? strdup(wishes[i].callback) : NULL;
        for (const struct config_webhook *w; (w = hook_event_wanted(&v, &config, &at));)
            len += (size_t)snprintf(names + len, sizeof names - len, "%s ", w->name);
        cr_expect(eq(str, names, (char *)wishes[i].wanted), "row %zu", i);
        hook_event_release(&v);
    }
}

/* --- the job that tells it --- */

static struct job made(const struct hook_event *v, const char *webhook)
{
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    const struct config_webhook *w =
        config_find_webhook(&config, webhook, strlen(webhook));

    cr_assert(hook_event_make_job(v, &config, w, &j, &e) == ERR_OK, "%s", e.text);
    CLEANUP(buf_release) struct buf manifest = BUF_INIT(JOB_RECORD_MAX);
    cr_expect(job_encode_manifest(&j, &manifest, &e) == ERR_OK, "%s", e.text);
    return j;
}

Test(hook_event, the_job_has_all_that_its_delivery_needs)
{
    struct hook_event v = event(CONFIG_EVENT_DONE, "done");
    struct err e = ERR_INIT;

    v.job.hooks = strdup("a");
    v.job.callback = strdup("https://y/z?token=hush");
    v.job.request_id = strdup("r-1");
    v.job.traceparent = strdup(TRACE);
    v.job.tracestate = strdup("v=1");
    cr_assert(job_add_meta(&v.job, "k", 1, "v", 1, &e) == ERR_OK);
    cr_assert(job_add_meta(&v.job, "l", 1, "\"", 1, &e) == ERR_OK);
    struct job one = made(&v, "a"), two = made(&v, "callback");
    cr_expect(eq(str, one.id.queue, "hooks"));
    cr_expect(eq(str, one.source, "hook"));
    cr_expect(eq(str, one.to, "a"));
    cr_expect(eq(str, one.hook, "done"));
    cr_expect(eq(str, one.name, "media." ID));
    cr_expect(eq(str, one.type, "application/json"));
    cr_expect(eq(str, one.group, ID ".a"));
    cr_expect(eq(str, one.request_id, "r-1"));
    cr_expect(eq(str, one.traceparent, TRACE));
    cr_expect(eq(str, one.tracestate, "v=1"));
    cr_expect(eq(ptr, one.callback, NULL), "another's URL, which may be secret");
    cr_expect(eq(i64, one.created, 1000));
    cr_expect(eq(i64, one.priority, 7));
    cr_expect(eq(i64, one.max_attempts, 9));
    cr_expect(strstr(one.payload, "\"meta\":{\"k\":\"v\",\"l\":\"\\\"\"}}") != NULL,
              "%s", one.payload);
    cr_expect(strstr(one.payload, "\"at\":\"1970-01-01T00:00:01.000Z\"") != NULL, "%s",
              one.payload);
    cr_expect(eq(str, two.callback, "https://y/z?token=hush"));
    cr_expect(eq(str, two.to, "callback"));
    cr_expect(ne(str, two.id.uuid.text, one.id.uuid.text));
    cr_expect(ne(str, two.group, one.group),
              "one that hangs does not hold up the other");
    cr_expect(strncmp(one.payload, two.payload, 70) == 0, "the event has one id");
    job_release(&one);
    job_release(&two);
    hook_event_release(&v);
}

Test(hook_event, a_batch_is_told_of_by_the_same_job_whichever_queue_ends_it)
{
    struct hook_event v = event(CONFIG_EVENT_BATCH, "batch");

    v.total = 6;
    v.done = 3;
    v.dead = 2;
    v.cancelled = 1;
    struct job one = made(&v, "audit");
    (void)snprintf(v.job.id.queue, sizeof v.job.id.queue, "default");
    v.at_ms = 9000;
    struct job two = made(&v, "audit");
    cr_expect(eq(str, one.id.uuid.text, two.id.uuid.text));
    cr_expect(eq(str, one.name, ID), "it is in no queue");
    cr_expect(strstr(one.payload,
                     ",\"at\":\"1970-01-01T00:00:01.000Z\",\"batch\":{\"id\":\"" ID
                     "\",\"total\":6,\"done\":3,\"dead\":2,\"cancelled\":1}}") != NULL,
              "%s", one.payload);
    job_release(&one);
    job_release(&two);
    hook_event_release(&v);
}

static char *many(const char *piece, size_t count)
{
    size_t len = strlen(piece);
    char *text = malloc(count * len + 1);

    cr_assert(text != NULL);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * len, piece, len);
    text[count * len] = '\0';
    return text;
}

/* Its error alone has more bytes than fit, once they are escaped; where it is cut is within a character. */
Test(hook_event, of_what_never_fits_error_meta_and_addresses_are_cut_too)
{
    struct hook_event v = event(CONFIG_EVENT_DEAD, "dead");
    struct err e = ERR_INIT;
    CLEANUP(str_free) char *start = many("x\xe2\x82\xac", 300);
    CLEANUP(str_free) char *rest = many("<", 3000);

    v.job.error = malloc(JOB_ERROR_MAX + 1);
    (void)snprintf(v.job.error, JOB_ERROR_MAX + 1, "xy%s%s", start, rest);
    v.job.url = many("u", 1000);
    cr_assert(job_add_meta(&v.job, "k", 1, "v", 1, &e) == ERR_OK);
    struct job j = made(&v, "audit");
    cr_expect(le(sz, strlen(j.payload), JOB_PAYLOAD_MAX));
    cr_expect(strstr(j.payload, "\"meta\":{}}") != NULL, "%s", j.payload);
    cr_expect(strstr(j.payload, "uuuu") == NULL);
    cr_expect(strstr(j.payload, "\"xyx\xe2\x82\xac") != NULL, "%s", j.payload);
    cr_expect(strstr(j.payload, "\xe2\x82\xacx\"") != NULL, "no half of a character");
    job_release(&j);
    cr_expect(eq(sz, v.job.meta_count, 1), "what is told of stays as it was");
    hook_event_release(&v);
}

/* Each of these is six bytes there. */
Test(hook_event, nobody_can_make_a_job_too_long_to_be_told_of)
{
    static const size_t error_lens[] = {0, 100, JOB_ERROR_MAX};

    for (size_t i = 0; i < sizeof error_lens / sizeof error_lens[0]; i++) {
        struct hook_event v = event(CONFIG_EVENT_DEAD, "dead");
        v.job.error = error_lens[i] > 0 ? many("<", error_lens[i]) : NULL;
        v.job.name = many("<", JOB_NAME_MAX);
        v.job.key = many("<", JOB_KEY_MAX);
        v.job.unique = many("<", JOB_UNIQUE_MAX);
        v.job.request_id = many("<", JOB_REQUEST_ID_MAX);
        v.job.tracestate = many("<", JOB_TRACESTATE_MAX);
        v.job.etag = many("<", JOB_ETAG_MAX);
        v.job.callback = many("https://y", 220);
        v.job.hooks = many("a,", JOB_HOOKS_TEXT_MAX / 2);
        struct job j = made(&v, "audit");
        cr_expect(strstr(j.payload, "\"name\":\"\\u003c") != NULL, "%s", j.payload);
        cr_expect(strstr(j.payload, "\"id\":\"media." ID "\"") != NULL);
        job_release(&j);
        hook_event_release(&v);
    }
}

/* What is twice as long in the payload is four times as long in the manifest of the job that tells it. */
Test(hook_event, what_just_fits_has_a_manifest)
{
    struct hook_event v = event(CONFIG_EVENT_DEAD, "dead");
    struct err e = ERR_INIT;
    CLEANUP(str_free) char *callback = many("/", URL_MAX - 10);
    CLEANUP(str_free) char *value = many("\"", 1000);

    v.job.error = many("\"", JOB_ERROR_MAX);
    v.job.tracestate = many("<", JOB_TRACESTATE_MAX);
    v.job.request_id = many("<", JOB_REQUEST_ID_MAX);
    v.job.callback = malloc(URL_MAX + 1);
    cr_assert(v.job.callback != NULL);
    (void)snprintf(v.job.callback, URL_MAX + 1, "https://y%s?", callback);
    for (size_t len = 0; len <= 1000; len += 100) {
        cr_assert(job_add_meta(&v.job, "k", 1, value, len, &e) == ERR_OK, "%s", e.text);
        struct job j = made(&v, "callback");
        job_release(&j);
        free(v.job.meta[0].name);
        free(v.job.meta[0].value);
        v.job.meta_count = 0;
    }
    hook_event_release(&v);
}
