#include "worker/s3/s3_upload_internal.h"

#include "shared/clock.h"
#include "shared/convert.h"

static void send_complete(struct s3_upload *u);

const struct s3_composite *s3_upload_composite(const struct s3_upload *u)
{
    return &u->composite;
}

static void again(struct s3_upload *u, int64_t wait_ms)
{
    u->complete_due_ms = clock_mono_ms() + wait_ms + 1; /* never 0 */
    s3_upload_start_tick(u);
}

void s3_upload_complete_due(struct s3_upload *u, int64_t now_ms)
{
    if (u->complete_due_ms > 0 && u->complete_due_ms <= now_ms)
        send_complete(u);
}

/* It is over, one way or the other. */
static void conclude(struct s3_upload *u, const struct http_result *result,
                     const struct s3_answer *a, const struct s3_completed *completed)
{
    struct s3_upload_result r = {.answer = *a,
                                 .status = result->response->status,
                                 .was_conditional = u->was_conditional,
                                 .completed = *completed};

    if (a->taken) { /* and then the store knows the upload no more */
        u->completed = true;
        s3_journal_gone(&u->journal, u->id);
        if (u->no_condition)
            dest_s3_forget_condition(u->dest);
    }
    s3_upload_report(u, &r);
}

/* Of what is there: nothing, so that the condition may go; an object, which is as if the condition had told of it. */
static void on_looked(const struct s3_call_result *r, void *ctx)
{
    struct s3_upload *u = ctx;
    struct s3_answer a = s3_answer_head(r->http, u->want);
    struct s3_upload_result there = {.answer = {.verdict = S3_RESOLVE}, .status = 412};

    u->call = NULL;
    if (!s3_upload_goes_on(u) || s3_upload_is_held(u, r))
        return;
    if (a.verdict == S3_ABSENT) {
        u->no_condition = true;
        again(u, 0);
    } else if (a.verdict == S3_FAILED) {
        s3_upload_report_answer(u, &a);
    } else {
        s3_upload_report(u, &there);
    }
}

/* The store does not know the condition, without which it replaces what is there: where that can be somebody else's, a look comes
 * first. */
static void complete_plainer(struct s3_upload *u)
{
    struct s3_call_order o = {
        .operation = S3_HEAD, .job = u->o.work->job, .done = on_looked, .ctx = u};
    struct err e = ERR_INIT;

    if (convert_owns_key(o.job)) {
        u->no_condition = true;
        again(u, 0);
        return;
    }
    u->call = s3_call_begin(u->dest, &o);
    if (u->call)
        return;
    (void)err_set(&e, ERR_NOMEM, "no memory for a request");
    s3_upload_report_err(u, &e);
}

static void on_complete(const struct s3_call_result *r, void *ctx)
{
    struct s3_upload *u = ctx;
    const struct http_result *result = r->http;
    struct s3_completed completed;
    struct s3_answer a =
        s3_answer_complete(result, u->want, clock_wall_ms() / 1000, &completed);

    u->call = NULL;
    if (a.taken && !u->completed) {
        u->completed = true; /* also where nobody waits for it any more */
        s3_journal_gone(&u->journal, u->id);
    }
    if (!s3_upload_goes_on(u) || s3_upload_is_held(u, r))
        return;
    if (a.verdict == S3_PLAINER && u->was_conditional) {
        complete_plainer(u);
    } else if (a.verdict == S3_SKEWED && u->completes < S3_UPLOAD_TRIES) {
        dest_s3_set_skew(u->dest, a.skew_s);
        again(u, 0);
    } else if (a.verdict == S3_FAILED && s3_upload_may_retry(u, &a, u->completes)) {
        again(u, s3_upload_wait_ms(&a, u->completes));
    } else {
        conclude(u, result, &a, &completed);
    }
}

static void send_complete(struct s3_upload *u)
{
    struct s3_call_order o = {
        .operation = S3_COMPLETE_PARTS,
        .job = u->o.work->job,
        .upload_id = u->id,
        .conditional = u->dest->conditional && !u->no_condition,
        .body_sha256 = u->body_sha256,
        .body = {.fd = -1, .data = u->body.data, .len = (int64_t)u->body.len},
        .has_body = true,
        .done = on_complete,
        .ctx = u};
    struct err e = ERR_INIT;

    u->complete_due_ms = 0;
    if (s3_upload_is_late(u))
        return;
    u->completes++;
    u->was_conditional = o.conditional;
    u->call = s3_call_begin(u->dest, &o);
    if (u->call)
        return;
    (void)err_set(&e, ERR_NOMEM, "no memory for a request");
    s3_upload_report_err(u, &e);
}

void s3_upload_complete(struct s3_upload *u, int count, struct s3_expected *want)
{
    struct err e = ERR_INIT;
    enum err_code code;

    u->state = S3_UPLOAD_COMPLETING;
    u->count = count;
    u->want = want;
    s3_composite_make(u->parts, count, &u->composite);
    want->parts = &u->composite;
    if (s3_complete_body(&u->body, u->parts, count, u->checksum))
        code = digest_sha256_hex(u->body.data, u->body.len, u->body_sha256, &e);
    else
        code = err_set(&e, ERR_NOMEM, "no memory for the list of parts");
    if (code != ERR_OK)
        s3_upload_report_err(u, &e);
    else
        send_complete(u);
}
