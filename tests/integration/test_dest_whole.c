/* Streams to destinations that want to know their bytes: kept whole first, or nothing goes anywhere. */
#include "tests/integration/dest_many_harness.h"

#include "worker/source/stream.h"

TestSuite(dest_whole, .init = up, .fini = down, .timeout = 120);

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

Test(dest_whole, a_stream_is_kept_whole_and_then_goes_to_each)
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

Test(dest_whole, nothing_of_a_stream_that_breaks_goes_anywhere)
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

/* An earlier attempt has left other bytes at one of them, under the job's own key: that is its object. */
Test(dest_whole, what_an_earlier_attempt_made_of_a_stream_stays)
{
    struct job j = job_to("a,b");
    struct err e = ERR_INIT;
    char path[512];

    (void)snprintf(path, sizeof path, "%s/a/%s", dir.path, j.id.uuid.text);
    FILE *f = fopen(path, "we");
    cr_assert(f && fputs("other bytes", f) >= 0 && fclose(f) == 0);
    cr_assert(job_set_key(&j, j.id.uuid.text, ID_UUID_LEN, &e) == ERR_OK);
    struct dest_result r = deliver(&j);
    cr_expect(not(r.outcome.done), "bytes that never change must be the same");
    outcome_release(&r.outcome);
    r = deliver_stream(&j, false);
    cr_expect(r.outcome.done, "%s", r.outcome.error);
    outcome_release(&r.outcome);
    job_release(&j);
}
