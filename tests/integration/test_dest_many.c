/* Several destinations at once: each gets the bytes, what has arrived stays, and what they come to together. */
#include "worker/destinations.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <sys/stat.h>

#include "shared/job_arrived.h"
#include "tests/integration/dest_harness.h"
#include "tests/support/http_sink.h"
#include "tests/support/tmpdir.h"
#include "worker/stream.h"

#define BODY "the bytes of the object"

static struct http_sink *sink;
static struct tmpdir dir;
static struct config config;
static struct spool *spool;
static uv_loop_t loop;
static struct worker_env env;
static struct destinations *destinations;

static void up(void)
{
    struct err e = ERR_INIT;
    char text[2048];

    sink = http_sink_start();
    tmpdir_make(&dir);
    (void)snprintf(text, sizeof text,
                   "[destination a]\nurl = file://%s/a\n[destination b]\nurl = "
                   "file://%s/b\n[destination h]\nurl = %s/in\n[destination p]\nurl = "
                   "%s/hook\nmethod = POST\n[destination default]\nurl = file://%s/d\n",
                   dir.path, dir.path, http_sink_url(sink), http_sink_url(sink),
                   dir.path);
    config_init(&config);
    cr_assert(config_parse(&config, "t.ini", text, NULL, &e) == ERR_OK, "%s", e.text);
    struct tmpdir_file at = tmpdir_file(&dir, "spool");
    cr_assert(spool_open(&(struct spool_options){.dir = at.path}, &spool, &e) == ERR_OK,
              "%s", e.text);
    cr_assert(eq(int, uv_loop_init(&loop), 0));
    env = (struct worker_env){.loop = &loop, .config = &config, .spool = spool};
    cr_assert(destinations_open(&env, &destinations, &e) == ERR_OK, "%s", e.text);
}

static void down(void)
{
    destinations_close(destinations);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(eq(int, uv_loop_close(&loop), 0), "nothing stays open");
    spool_close(spool);
    config_release(&config);
    tmpdir_remove(&dir);
    http_sink_stop(sink);
}

TestSuite(dest_many, .init = up, .fini = down, .timeout = 60);

static struct job job_to(const char *to)
{
    struct job j = dest_job("k", BODY, strlen(BODY));

    j.to = strdup(to);
    return j;
}

static struct destination *find(const struct job *j)
{
    struct destination *d = destinations_route(destinations, j);

    cr_assert(d != NULL, "%s", j->to);
    return d;
}

static struct dest_result deliver(const struct job *j)
{
    return dest_run(&loop, find(j), j, dest_data(BODY, strlen(BODY)));
}

/* Whether dir/in/k holds the bytes. */
static bool is_in(const char *in)
{
    char path[512], text[64] = "";

    (void)snprintf(path, sizeof path, "%s/%s/k", dir.path, in);
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    size_t len = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    return len == strlen(BODY) && strcmp(text, BODY) == 0;
}

static void expect_arrived(const struct outcome *o, const char *want)
{
    cr_expect(eq(str, o->arrived ? o->arrived : "(nowhere)", (char *)want));
}

Test(dest_many, each_gets_the_bytes)
{
    struct job j = job_to("b,h,a");
    struct dest_result r = deliver(&j);
    char want[1024];

    cr_assert(r.outcome.done, "%s", r.outcome.error);
    cr_expect(is_in("a") && is_in("b"));
    struct http_sink_request got;
    cr_assert(http_sink_request(sink, 0, &got));
    cr_expect(got.len == strlen(BODY) && memcmp(got.body, BODY, got.len) == 0);
    (void)snprintf(want, sizeof want, "file://%s/b/k", dir.path);
    cr_expect(eq(str, r.outcome.url, want), "that of the first");
    cr_expect(eq(i64, r.outcome.sent, strlen(BODY)));
    for (const char *s = "abh"; *s; s++) {
        (void)snprintf(want, sizeof want, "%c\n", *s);
        cr_expect(strstr(r.outcome.arrived, want) != NULL);
    }
    outcome_release(&r.outcome);
    job_release(&j);
}

Test(dest_many, what_has_arrived_is_not_sent_there_again)
{
    struct job j = job_to("h,a");
    struct err e = ERR_INIT;

    cr_assert(job_add_arrived(&j, "h", "http://before/k", 15, &e) == ERR_OK);
    struct dest_result r = deliver(&j);
    cr_assert(r.outcome.done, "%s", r.outcome.error);
    cr_expect(eq(sz, http_sink_count(sink), 0));
    cr_expect(is_in("a"));
    cr_expect(eq(str, r.outcome.url, "http://before/k"));
    outcome_release(&r.outcome);

    cr_assert(job_add_arrived(&j, "a", "", 0, &e) == ERR_OK);
    r = deliver(&j);
    cr_expect(r.outcome.done, "nothing is left to do");
    outcome_release(&r.outcome);
    job_release(&j);
}

Test(dest_many, one_that_fails_does_not_hold_up_the_others)
{
    struct job j = job_to("h,a,b");

    http_sink_push(sink,
                   (struct http_reply){.status = 503, .headers = "Retry-After: 9\r\n"});
    struct dest_result r = deliver(&j);
    cr_expect(not(r.outcome.done));
    cr_expect(eq(str, (char *)r.outcome.error_class, "transient"));
    cr_expect(eq(str, r.outcome.error, "h: PUT: status 503"));
    cr_expect(eq(i64, r.outcome.retry_after_ms, 9000));
    cr_expect(is_in("a") && is_in("b"));
    cr_expect(strstr(r.outcome.arrived, "a\nfile:") != NULL);
    cr_expect(eq(ptr, strstr(r.outcome.arrived, "h\n"), NULL));
    cr_expect(r.outcome.sent <= j.size && r.outcome.sent > 0);
    outcome_release(&r.outcome);
    job_release(&j);
}

/* The first that a retry can mend gives the class; where none can, the job is dead. */
Test(dest_many, a_refusal_for_good_counts_last)
{
    struct job j = job_to("h,p,a");

    http_sink_push(sink, (struct http_reply){.status = 422});
    http_sink_push(sink, (struct http_reply){.status = 422});
    struct dest_result r = deliver(&j);
    cr_expect(eq(str, (char *)r.outcome.error_class, "never"));
    cr_expect(strstr(r.outcome.error, "h: PUT: status 422; p: POST: status 422") !=
                  NULL,
              "%s", r.outcome.error);
    outcome_release(&r.outcome);
    job_release(&j);

    j = job_to("p,b");
    http_sink_push(sink, (struct http_reply){.status = 422});
    char path[512];
    (void)snprintf(path, sizeof path, "%s/b", dir.path);
    cr_assert(eq(int, rmdir(path), 0));
    r = deliver(&j);
    cr_expect(eq(str, (char *)r.outcome.error_class, "config"), "%s", r.outcome.error);
    cr_expect(r.outcome.class == RETRY_CONFIG);
    expect_arrived(&r.outcome, "(nowhere)");
    outcome_release(&r.outcome);
    job_release(&j);
}

Test(dest_many, a_list_with_a_name_that_is_not_configured_leads_nowhere)
{
    struct job j = job_to("a,nope");

    cr_expect(eq(ptr, destinations_route(destinations, &j), NULL));
    job_release(&j);
}

static struct dest_result look_at(const struct job *j)
{
    struct dest_result r = {0};
    struct destination_work w = {
        .job = j, .fd = -1, .only_look = true, .done = dest_on_done, .ctx = &r};

    cr_assert(destination_begin(find(j), &w) && r.calls == 0);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    return r;
}

Test(dest_many,
     a_look_is_done_when_it_is_everywhere_and_absent_when_it_is_missing_at_one)
{
    struct job both = job_to("a,b"), one = job_to("a,b"), mixed = job_to("a,p");
    struct job only = job_to("p");
    struct err e = ERR_INIT;

    memcpy(&one.id, &both.id, sizeof one.id);
    struct dest_result r = look_at(&both);
    cr_expect(r.outcome.absent && !r.outcome.done);
    outcome_release(&r.outcome);

    cr_assert(job_add_arrived(&one, "b", "", 0, &e) == ERR_OK);
    r = deliver(&one); /* at a alone */
    outcome_release(&r.outcome);
    r = look_at(&one);
    cr_expect(r.outcome.absent, "what the record says does not count here");
    outcome_release(&r.outcome);
    r = look_at(&mixed);
    cr_expect(r.outcome.done, "nobody can look at p: %s", r.outcome.error);
    outcome_release(&r.outcome);

    r = deliver(&both);
    cr_expect(r.outcome.done);
    outcome_release(&r.outcome);
    r = look_at(&both);
    cr_expect(r.outcome.done && !r.outcome.absent);
    expect_arrived(&r.outcome, "(nowhere)");
    outcome_release(&r.outcome);
    r = look_at(&only);
    cr_expect(r.outcome.blind);
    outcome_release(&r.outcome);
    job_release(&both);
    job_release(&one);
    job_release(&mixed);
    job_release(&only);
}

static void abort_when_it_is_there(uv_timer_t *timer)
{
    if (http_sink_count(sink) > 0 && is_in("a")) {
        struct destination_run **run = timer->data;
        struct job j = job_to("h,a");
        destination_abort(find(&j), *run);
        job_release(&j);
        (void)uv_timer_stop(timer);
    }
}

Test(dest_many, what_had_arrived_before_an_abort_is_told)
{
    struct job j = job_to("h,a");
    struct dest_result r = {0};
    struct destination_work w = {.job = &j,
                                 .fd = dest_data(BODY, strlen(BODY)),
                                 .done = dest_on_done,
                                 .ctx = &r};
    static uv_timer_t timer; /* closed with the loop */

    http_sink_push(sink, (struct http_reply){.kind = HTTP_REPLY_HELD});
    struct destination_run *run = destination_begin(find(&j), &w);
    (void)uv_timer_init(&loop, &timer);
    timer.data = &run;
    (void)uv_timer_start(&timer, abort_when_it_is_there, 5, 5);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    cr_expect(r.outcome.aborted && !r.outcome.done);
    cr_expect(r.outcome.arrived && strncmp(r.outcome.arrived, "a\nfile:", 7) == 0);
    outcome_release(&r.outcome);
    job_release(&j);
}

/* --- streams: dest_whole.c --- */

/* Gives its text in pieces of three bytes, each on a turn of the loop, and then says how it ended. */
struct pieces {
    struct stream base;
    uv_timer_t timer;
    const char *at;
    size_t ready;
    bool fails, stopped;
};

static enum stream_state pieces_read(struct stream *s, void *data, size_t room,
                                     size_t *ret_len)
{
    struct pieces *p = (struct pieces *)s;
    size_t len = p->ready < room ? p->ready : room;

    if (p->stopped)
        return STREAM_FAILED;
    if (len == 0 && *p->at == '\0')
        return p->fails ? STREAM_FAILED : STREAM_END;
    if (len == 0)
        return STREAM_WAIT;
    memcpy(data, p->at, len);
    p->at += len;
    p->ready -= len;
    *ret_len = len;
    return STREAM_SOME;
}

static void pieces_failure(struct stream *s, struct outcome *ret)
{
    (void)s;
    outcome_fail(ret, RETRY_TRANSIENT, "it broke");
}

static void pieces_stop(struct stream *s)
{
    ((struct pieces *)s)->stopped = true;
}

static void on_piece(uv_timer_t *timer)
{
    struct pieces *p = timer->data;
    size_t left = strlen(p->at);

    p->ready = left < 3 ? left : 3;
    if (p->base.on_ready)
        p->base.on_ready(p->base.ctx);
}

static void on_pieces_closed(uv_handle_t *handle)
{
    ((struct pieces *)handle->data)->at = NULL;
}

static struct dest_result deliver_stream(const struct job *j, bool fails)
{
    static const struct stream_ops ops = {pieces_read, pieces_failure, pieces_stop};
    static struct pieces p;
    struct dest_result r = {0};
    struct destination_work w = {
        .job = j, .fd = -1, .stream = &p.base, .done = dest_on_done, .ctx = &r};

    p = (struct pieces){.base.ops = &ops, .at = BODY, .fails = fails};
    (void)uv_timer_init(&loop, &p.timer);
    p.timer.data = &p;
    (void)uv_timer_start(&p.timer, on_piece, 1, 1);
    cr_assert(destination_begin(find(j), &w) && r.calls == 0);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&p.timer, on_pieces_closed);
    while (p.at)
        (void)uv_run(&loop, UV_RUN_ONCE);
    return r;
}

Test(dest_many, a_stream_is_kept_whole_and_then_goes_to_each)
{
    struct job j = job_to("a,h"), wanted = dest_job("k", BODY, strlen(BODY));
    struct http_sink_request got;
    char sha256[65];

    memcpy(sha256, wanted.sha256, sizeof sha256);
    (void)memset(j.sha256, '0', 64); /* of what went into the converters */
    j.size = 7;
    struct dest_result r = deliver_stream(&j, false);
    cr_assert(r.outcome.done, "%s", r.outcome.error);
    cr_expect(is_in("a"));
    cr_assert(http_sink_request(sink, 0, &got));
    cr_expect(got.is_whole && got.len == strlen(BODY));
    cr_expect(eq(str, r.outcome.sha256, sha256));
    cr_expect(eq(i64, r.outcome.sent, strlen(BODY)));
    outcome_release(&r.outcome);
    job_release(&j);
    job_release(&wanted);
}

Test(dest_many, nothing_of_a_stream_that_breaks_goes_anywhere)
{
    struct job j = job_to("a,h"), one = job_to("p");

    struct dest_result r = deliver_stream(&j, true);
    cr_expect(not(r.outcome.done));
    cr_expect(eq(str, r.outcome.error, "it broke"));
    outcome_release(&r.outcome);
    r = deliver_stream(&one, true);
    cr_expect(eq(str, r.outcome.error, "it broke"));
    outcome_release(&r.outcome);
    cr_expect(not(is_in("a")));
    cr_expect(eq(sz, http_sink_count(sink), 0));
    job_release(&j);
    job_release(&one);
}
