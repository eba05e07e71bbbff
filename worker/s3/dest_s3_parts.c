#include "worker/s3/dest_s3_parts.h"

#include <stdlib.h>
#include <string.h>

#include "worker/s3/parts_hash.h"
#include "worker/s3/s3_plan.h"
#include "worker/s3/s3_upload.h"

enum { AHEAD_MORE = 2, ANEW_MAX = 1 };

struct dest_s3_parts {
    struct destination_run *run;
    struct s3_plan plan;
    struct s3_upload *upload; /* NULL once it is closed */
    struct parts_hash hash;
    struct s3_part_sums *sums; /* of parts 1 .. hash.done_count */
    int next;                  /* part to be sent */
    int under_way;
    bool has_composite, gone;
    struct s3_composite composite;
    struct s3_expected want;
    unsigned anew;
    struct s3_upload_progress latest; /* of an upload that is closed */
    enum { ENDS_NOT, ENDS_ANEW, ENDS_FOR_GOOD } ends;
};

static void pump(struct dest_s3_parts *p);
static bool open_upload(struct dest_s3_parts *p);

bool dest_s3_parts_is_for(const struct dest_s3 *d, const struct destination_work *w)
{
    return !w->only_look && !w->stream && w->fd >= 0 &&
           w->job->size > d->base.config->multipart_threshold && w->job->size > 0;
}

/* --- failures --- */

static void fail(struct dest_s3_parts *p, enum retry_class class, const char *why)
{
    outcome_fail(&p->run->outcome, class, "%s", why);
    dest_s3_deliver(p->run);
}

static void fail_hash(struct dest_s3_parts *p)
{
    switch (p->hash.state) {
    case PARTS_HASH_CORRUPT:
        outcome_fail(&p->run->outcome, RETRY_NEVER, DEST_S3_CORRUPT, p->hash.corrupt);
        dest_s3_deliver(p->run);
        return;
    case PARTS_HASH_SHORT:
        fail(p, RETRY_NEVER, "spool short");
        return;
    case PARTS_HASH_STOPPED:
    case PARTS_HASH_UNREAD:
    case PARTS_HASH_FINE:
        fail(p, RETRY_TRANSIENT, "cannot read the spool file");
        return;
    }
}

/* --- hashing --- */

static void on_hashed(void *ctx)
{
    struct dest_s3_parts *p = ctx;

    if (p->hash.state == PARTS_HASH_FINE)
        p->sums[p->hash.done_count - 1] = p->hash.latest;
    if (p->ends == ENDS_FOR_GOOD)
        dest_s3_deliver(p->run);
    else if (p->hash.state != PARTS_HASH_FINE)
        fail_hash(p);
    else if (p->ends == ENDS_NOT)
        pump(p);
}

static void hash_ahead(struct dest_s3_parts *p)
{
    const struct dest_s3 *d = p->run->dest;
    int ahead = (int)d->base.config->part_concurrency + AHEAD_MORE;

    if (p->hash.busy || p->hash.done_count == p->plan.count ||
        p->hash.done_count - p->next + 1 >= ahead)
        return;
    p->hash.with_sha256 = d->checksum == CONFIG_SHA256 || !d->endpoint.https;
    p->hash.with_md5 = d->checksum == CONFIG_NO_CHECKSUM || d->checksum == CONFIG_MD5 ||
                       !d->tells_checksum;
    parts_hash_next(&p->hash, on_hashed, p);
}

/* --- sending --- */

static void send_next(struct dest_s3_parts *p)
{
    const struct s3_part_sums *sums = &p->sums[p->next - 1];
    struct s3_upload_part part = {.number = p->next,
                                  .body = {.fd = p->run->work.fd,
                                           .offset = s3_plan_offset(&p->plan, p->next),
                                           .len = s3_plan_len(&p->plan, p->next)},
                                  .sums = *sums};

    if (!s3_upload_has(p->upload, p->next, sums)) {
        p->under_way++;
        s3_upload_send(p->upload, &part);
    }
    p->next++;
}

static void complete(struct dest_s3_parts *p)
{
    p->want = dest_s3_expected(p->run);
    s3_upload_complete(p->upload, p->plan.count, &p->want);
    p->composite = *s3_upload_composite(p->upload);
    p->has_composite = true;
}

/* Hash, send, complete: whatever can be done now. */
static void pump(struct dest_s3_parts *p)
{
    while (p->next <= p->hash.done_count && s3_upload_room(p->upload) > 0)
        send_next(p);
    hash_ahead(p);
    if (p->next > p->plan.count && p->under_way == 0 && !p->has_composite &&
        s3_upload_room(p->upload) > 0)
        complete(p);
}

static void on_open(void *ctx)
{
    pump(ctx);
}

static void on_part(int number, void *ctx)
{
    struct dest_s3_parts *p = ctx;

    (void)number;
    p->under_way--;
    pump(p);
}

/* A part was not read to its end, or was not what it was when it was hashed. */
static void fail_source(struct dest_s3_parts *p)
{
    outcome_fail(&p->run->outcome, RETRY_NEVER, DEST_S3_CORRUPT, "CRC-32C");
    dest_s3_deliver(p->run);
}

static void on_result(const struct s3_upload_result *r, void *ctx)
{
    struct dest_s3_parts *p = ctx;
    struct destination_run *run = p->run;

    run->taken = r->answer.taken;
    run->put_status = r->status;
    run->was_conditional = r->was_conditional;
    memcpy(run->put_error, r->answer.error, sizeof run->put_error);
    memcpy(run->etag, r->completed.etag, sizeof run->etag);
    if (r->late) {
        atomic_store(&run->aborting, true);
        dest_s3_deliver(run);
    } else if (r->hold_ms > 0) {
        run->outcome.hold_ms = r->hold_ms;
        dest_s3_deliver_failure(run, &r->answer);
    } else if (r->source_failed) {
        fail_source(p);
    } else if (r->answer.verdict == S3_DONE) {
        dest_s3_deliver_done(run);
    } else if (r->answer.verdict == S3_RESOLVE || r->answer.verdict == S3_GONE) {
        p->gone = r->answer.verdict == S3_GONE || r->status == 404;
        dest_s3_resolve(run);
    } else {
        dest_s3_deliver_failure(run, &r->answer);
    }
}

/* --- beginning and ending --- */

static bool open_upload(struct dest_s3_parts *p)
{
    struct s3_upload_options o = {.dest = p->run->dest,
                                  .work = &p->run->work,
                                  .size = p->plan.size,
                                  .part_size = p->plan.part_size,
                                  .on_open = on_open,
                                  .on_part = on_part,
                                  .on_result = on_result,
                                  .ctx = p};

    p->next = 1;
    p->under_way = 0;
    p->has_composite = p->gone = false;
    p->ends = ENDS_NOT;
    p->upload = s3_upload_open(&o);
    return p->upload != NULL;
}

static void on_closed(void *ctx)
{
    struct dest_s3_parts *p = ctx;

    p->upload = NULL;
    if (p->ends == ENDS_FOR_GOOD || atomic_load(&p->run->aborting))
        dest_s3_deliver(p->run);
    else if (!open_upload(p))
        fail(p, RETRY_TRANSIENT, "no memory to begin the upload anew");
    else
        hash_ahead(p);
}

bool dest_s3_parts_anew(struct destination_run *run)
{
    struct dest_s3_parts *p = run->parts;

    if (!p->gone || p->anew >= ANEW_MAX)
        return false;
    p->anew++;
    p->ends = ENDS_ANEW;
    s3_upload_close(p->upload, S3_UPLOAD_CLEAR, on_closed);
    return true;
}

/* Whether nobody will go on with it. */
static bool is_over(const struct destination_run *run)
{
    const struct outcome *o = &run->outcome;
    const struct job *j = run->work.job;

    if (o->done)
        return true;
    if (atomic_load(&run->aborting) || o->hold_ms > 0)
        return false;
    return o->class == RETRY_NEVER ||
           (j->attempts > 0 && j->attempts >= j->max_attempts);
}

static void close_upload(struct dest_s3_parts *p)
{
    bool over = is_over(p->run) || p->gone;

    p->latest = s3_upload_progress(p->upload);
    s3_upload_close(p->upload, over ? S3_UPLOAD_CLEAR : S3_UPLOAD_KEEP, on_closed);
}

bool dest_s3_parts_end(struct destination_run *run)
{
    struct dest_s3_parts *p = run->parts;

    if (p->ends != ENDS_FOR_GOOD) {
        bool closing = p->ends == ENDS_ANEW && p->upload;
        p->ends = ENDS_FOR_GOOD;
        parts_hash_stop(&p->hash);
        if (p->upload && !closing)
            close_upload(p);
    }
    return p->upload || p->hash.busy;
}

bool dest_s3_parts_begin(struct destination_run *run)
{
    const struct config_destination *c = run->dest->base.config;
    struct dest_s3_parts *p = calloc(1, sizeof *p);

    if (!p)
        return false;
    p->run = run;
    p->plan = s3_plan_make(run->work.job->size, c->part_size);
    p->sums = calloc((size_t)p->plan.count, sizeof *p->sums);
    if (!p->sums) {
        free(p);
        return false;
    }
    parts_hash_init(&p->hash, run->dest->loop, run->work.job, run->work.fd, &p->plan);
    if (!open_upload(p)) {
        free(p->sums);
        free(p);
        return false;
    }
    run->parts = p;
    hash_ahead(p);
    return true;
}

void dest_s3_parts_abort(struct destination_run *run)
{
    struct dest_s3_parts *p = run->parts;

    if (p->upload && p->ends != ENDS_NOT)
        s3_upload_hurry(p->upload);
    if (p->ends == ENDS_NOT && !run->call)
        dest_s3_deliver_later(run);
}

void dest_s3_parts_progress(const struct destination_run *run,
                            struct destination_progress *ret)
{
    const struct dest_s3_parts *p = run->parts;
    struct s3_upload_progress now =
        p->upload ? s3_upload_progress(p->upload) : p->latest;

    ret->parts = p->plan.count;
    ret->parts_done = now.parts_done;
    ret->sent = now.sent;
}

const struct s3_composite *dest_s3_parts_composite(const struct destination_run *run)
{
    return run->parts && run->parts->has_composite ? &run->parts->composite : NULL;
}

void dest_s3_parts_free(struct destination_run *run)
{
    if (!run->parts)
        return;
    parts_hash_release(&run->parts->hash);
    free(run->parts->sums);
    free(run->parts);
}
