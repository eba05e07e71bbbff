#include "worker/s3/dest_s3_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/convert.h"
#include "worker/source/collector.h"
#include "worker/s3/s3_plan.h"
#include "worker/s3/s3_upload.h"

enum {
    MIB = 1024 * 1024,
    BUDGET_SHARE = 4,
    LARGEST_MIN = 8 * MIB /* there is always memory for one of these */
};

struct dest_s3_stream {
    struct collector *collector;
    struct job job; /* the run's own, with size and digests of what came; borrows */
    char sha256[DIGEST_SHA256_HEX + 1], crc32c[DIGEST_CRC32C_HEX + 1];

    struct s3_upload *upload; /* NULL: it goes as a whole, or is closed */
    struct collector_part *waiting, **waiting_end; /* for room in the upload */
    struct collector_part *leaving;                /* in any order */
    int count;                                     /* of all parts; 0: more may come */
    int done;                                      /* that the store has */
    struct s3_expected want;
    bool ready;      /* it has all of them */
    bool completing; /* and was told to make the object */
    struct s3_composite composite;
    struct s3_upload_progress latest;
    bool ending;
};

/* The run is about these bytes from here on. */
static void know_bytes(struct destination_run *run, const struct collector_part *part)
{
    struct dest_s3_stream *s = run->taking;

    s->job = *run->work.job;
    s->job.size = collector_size(s->collector);
    memcpy(s->sha256, collector_sha256(s->collector), sizeof s->sha256);
    (void)snprintf(s->crc32c, sizeof s->crc32c, "%08" PRIx32,
                   part->sums.crc32c); /* fits */
    s->job.sha256 = s->sha256;
    s->job.crc32c = part->number == 1 ? s->crc32c : NULL;
    run->work.job = &s->job;
    s3_checksums_of(&s->job, &run->sums);
}

static void fail_err(struct destination_run *run, const struct err *e)
{
    outcome_fail_err(&run->outcome, e);
    dest_s3_deliver(run);
}

/* --- in parts --- */

/* Send what may leave, and complete when all has left. */
static void go_on(struct destination_run *run)
{
    struct dest_s3_stream *s = run->taking;

    while (s->waiting && s3_upload_room(s->upload) > 0) {
        struct collector_part *p = s->waiting;
        s->waiting = p->next;
        if (!s->waiting)
            s->waiting_end = &s->waiting;
        p->next = s->leaving;
        s->leaving = p;
        s3_upload_send(s->upload,
                       &(struct s3_upload_part){
                           .number = p->number,
                           .body = {.fd = -1, .data = p->data, .len = p->len},
                           .sums = p->sums,
                       });
    }
    if (s->count > 0 && s->done == s->count && !s->ready &&
        s3_upload_room(s->upload) > 0) {
        s->ready = true;
        dest_s3_set_out(run);
    }
}

bool dest_s3_stream_complete(struct destination_run *run)
{
    struct dest_s3_stream *s = run->taking;

    if (!s->ready)
        return false;
    s->completing = true;
    s->want = dest_s3_expected(run);
    s3_upload_complete(s->upload, s->count, &s->want);
    s->composite = *s3_upload_composite(s->upload);
    return true;
}

static void on_open(void *ctx)
{
    go_on(ctx);
}

static void on_sent(int number, void *ctx)
{
    struct destination_run *run = ctx;
    struct dest_s3_stream *s = run->taking;
    struct collector_part **at = &s->leaving;

    while ((*at)->number != number)
        at = &(*at)->next;
    struct collector_part *p = *at;
    *at = p->next;
    s->done++;
    collector_release(s->collector, p);
    go_on(run);
}

static void on_result(const struct s3_upload_result *r, void *ctx)
{
    struct destination_run *run = ctx;

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
        outcome_fail(&run->outcome, RETRY_TRANSIENT, "damaged in memory");
        dest_s3_deliver(run);
    } else if (r->answer.verdict == S3_DONE) {
        dest_s3_deliver_done(run);
    } else if ((r->answer.verdict == S3_RESOLVE || r->answer.verdict == S3_GONE) &&
               run->taking->completing) {
        dest_s3_resolve(run);
    } else {
        struct s3_answer a = r->answer;
        if (a.verdict != S3_FAILED)
            a.class = RETRY_TRANSIENT; /* its parts are gone, and the bytes with them */
        dest_s3_deliver_failure(run, &a);
    }
}

static bool open_upload(struct destination_run *run)
{
    struct s3_upload_options o = {.dest = run->dest,
                                  .work = &run->work,
                                  .size = -1,
                                  .on_open = on_open,
                                  .on_part = on_sent,
                                  .on_result = on_result,
                                  .ctx = run};

    run->taking->upload = s3_upload_open(&o);
    return run->taking->upload != NULL;
}

/* --- what comes --- */

static void on_part(struct collector_part *part, void *ctx)
{
    struct destination_run *run = ctx;
    struct dest_s3_stream *s = run->taking;
    struct err e = ERR_INIT;

    if (part->is_last)
        know_bytes(run, part);
    if (part->is_last && part->number == 1) {
        spool_hash_init(&run->hash, run->work.job);
        run->memory = part->data;
        dest_s3_set_out(run);
        return;
    }
    if (part->is_last)
        s->count = part->number;
    *s->waiting_end = part;
    s->waiting_end = &part->next;
    if (s->upload) {
        go_on(run);
    } else if (!open_upload(run)) {
        (void)err_set(&e, ERR_NOMEM, "no memory for an upload in parts");
        fail_err(run, &e);
    }
}

static void on_failed(const struct err *e, void *ctx)
{
    struct destination_run *run = ctx;

    if (e) {
        fail_err(run, e);
        return;
    }
    stream_failure(run->work.stream, &run->outcome);
    dest_s3_deliver(run);
}

static int64_t part_len(int number, void *ctx)
{
    const struct dest_s3 *d = ((struct destination_run *)ctx)->dest;
    int64_t most = d->budget->limit / BUDGET_SHARE / MIB * MIB;
    int64_t len = s3_plan_stream_len(d->base.config->part_size, number);

    if (number > S3_PARTS_MAX)
        return 0;
    if (most < LARGEST_MIN)
        most = LARGEST_MIN;
    return len < most ? len : most;
}

/* --- life cycle --- */

void dest_s3_stream_begin(struct destination_run *run)
{
    struct dest_s3 *d = run->dest;
    int64_t parallel = d->base.config->part_concurrency;
    struct collector_options o = {
        .loop = d->loop,
        .budget = d->budget,
        .stream = run->work.stream,
        .part_len = part_len,
        .with_sha256 = !d->endpoint.https || d->checksum == CONFIG_SHA256,
        .with_md5 = d->checksum == CONFIG_MD5 || d->checksum == CONFIG_NO_CHECKSUM,
        .parallel = parallel < 1 ? 1 : (int)parallel,
        .on_part = on_part,
        .on_failed = on_failed,
        .ctx = run};
    struct dest_s3_stream *s = calloc(1, sizeof *s);

    if (s) {
        s->waiting_end = &s->waiting;
        s->collector = collector_open(&o);
    }
    run->taking = s;
    if (s && s->collector)
        return;
    free(s);
    run->taking = NULL;
    stream_stop(run->work.stream);
    outcome_fail(&run->outcome, RETRY_TRANSIENT, "no memory for a stream");
    dest_s3_deliver_later(run);
}

void dest_s3_stream_abort(struct destination_run *run)
{
    struct dest_s3_stream *s = run->taking;

    if (s->ending && s->upload)
        s3_upload_hurry(s->upload);
    if (s->ending)
        return;
    collector_stop(s->collector);
    dest_s3_deliver_later(run);
}

static void on_closed(void *ctx)
{
    struct destination_run *run = ctx;

    run->taking->upload = NULL;
    dest_s3_deliver(run);
}

bool dest_s3_stream_end(struct destination_run *run)
{
    struct dest_s3_stream *s = run->taking;
    bool first = !s->ending;

    s->ending = true;
    if (first) {
        collector_stop(s->collector);
        if (s->upload) { /* an abort is told at once, and cleared by who comes next */
            bool keeps = !run->outcome.done && atomic_load(&run->aborting);
            s->latest = s3_upload_progress(s->upload);
            run->sent = s->latest.sent;
            s3_upload_close(s->upload, keeps ? S3_UPLOAD_KEEP : S3_UPLOAD_CLEAR,
                            on_closed);
        }
    }
    if (s->upload)
        return true;
    collector_close(s->collector);
    s->collector = NULL;
    if (run->outcome.done && !run->found_earlier)
        memcpy(run->outcome.sha256, s->sha256, sizeof s->sha256);
    return false;
}

void dest_s3_stream_free(struct destination_run *run)
{
    free(run->taking);
}

/* --- looking --- */

const struct s3_composite *dest_s3_stream_composite(const struct destination_run *run)
{
    return run->taking->completing ? &run->taking->composite : NULL;
}

/* The sum of a whole object, as hex; "" where it is that of its parts' sums, or none. */
static void tell_sha256(const char *base64, char ret[static DIGEST_SHA256_HEX + 1])
{
    uint8_t sum[DIGEST_SHA256_BYTES];
    size_t len = 0;

    ret[0] = '\0';
    if (digest_base64_decode(base64, strlen(base64), sum, sizeof sum, &len) &&
        len == sizeof sum)
        digest_hex_encode(sum, sizeof sum, ret);
}

bool dest_s3_stream_is_earlier(struct destination_run *run)
{
    const struct job *j = run->work.job;
    bool made = run->taking || run->work.remade;
    bool any_will_do = run->work.only_look && j->convert; /* destination.h */

    /* What the store has just taken from us, and has not as we sent it, is none. */
    if (run->taken || (!any_will_do && !(made && convert_owns_key(j))))
        return false;
    run->found_earlier = true;
    tell_sha256(run->found_sha256, run->outcome.sha256);
    return true;
}

void dest_s3_stream_progress(const struct destination_run *run,
                             struct destination_progress *ret)
{
    const struct dest_s3_stream *s = run->taking;
    bool ended = collector_sha256(s->collector)[0] != '\0';
    struct s3_upload_progress parts =
        s->upload ? s3_upload_progress(s->upload) : s->latest;

    ret->sent = run->putting ? http_sent(run->call) : run->sent;
    if (s->upload || s->latest.sent > 0) {
        ret->sent = parts.sent;
        ret->parts_done = parts.parts_done;
        ret->parts = s->count;
    }
    ret->total = ended ? collector_size(s->collector) : -1;
    if (collector_is_queued(s->collector))
        ret->phase = DESTINATION_QUEUED;
    else if (ended && ret->sent == ret->total)
        ret->phase = DESTINATION_FINISHING;
    else
        ret->phase =
            ended || ret->sent > 0 ? DESTINATION_UPLOADING : DESTINATION_READING;
}
