#include "worker/s3/dest_s3_parts.h"
#include "worker/s3/dest_s3_stream.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* An object that is not known to be ours is there.  unproven: why nobody can tell; NULL: it differs. */
static void deliver_other(struct destination_run *run, const char *unproven)
{
    if (dest_s3_stream_is_earlier(run)) {
        dest_s3_deliver_done(run);
        return;
    }
    if (run->work.only_look) {
        outcome_fail(&run->outcome, RETRY_NEVER, "%s",
                     unproven ? unproven : "key exists with other content");
        dest_s3_deliver(run);
        return;
    }
    /* Where our own PUT was taken, the store holds something else than it took; where it was sent without a condition,
     * the next one replaces what is there. */
    bool refused = run->put_status == 412 || run->put_status == 304 || run->looking ||
                   (run->put_status == 0 && run->was_conditional);

    if (refused)
        outcome_fail(&run->outcome, RETRY_NEVER, "%s",
                     unproven ? unproven : "key exists with other content");
    else
        outcome_fail(&run->outcome, RETRY_TRANSIENT, "%s",
                     unproven ? unproven
                              : "the store holds other bytes than were sent");
    dest_s3_deliver(run);
}

static void hash_on_pool(uv_work_t *work)
{
    struct destination_run *run = work->data;

    (void)spool_hash_file(&run->hash, run->work.fd, &run->aborting); /* md5 tells */
}

/* By the MD5, which is known now. */
static void deliver_by_md5(struct destination_run *run)
{
    const char *etag = run->etag + (run->etag[0] == '"');

    if (run->hash.corrupt) {
        outcome_fail(&run->outcome, RETRY_NEVER, DEST_S3_CORRUPT, run->hash.corrupt);
        dest_s3_deliver(run);
    } else if (!run->hash.md5[0]) {
        outcome_fail(&run->outcome, RETRY_TRANSIENT, "cannot hash the spool file");
        dest_s3_deliver(run);
    } else if (strncasecmp(etag, run->hash.md5, DIGEST_MD5_HEX) == 0) {
        dest_s3_deliver_done(run);
    } else {
        deliver_other(run, NULL);
    }
}

static void after_hash(uv_work_t *work, int status)
{
    struct destination_run *run = work->data;

    (void)status; /* never cancelled */
    run->is_hashing = false;
    deliver_by_md5(run);
}

/* A look without the bytes: the MD5 that could tell is not known. */
static void settle_without_bytes(const struct s3_expected *want, struct s3_answer *a)
{
    a->needs_md5 = false;
    if (want->only_ours)
        return; /* of the right size, and nobody else's */
    a->verdict = S3_UNPROVEN;
    (void)snprintf(a->error, sizeof a->error,
                   "the store tells only the MD5 of the object with this key, which "
                   "proves nothing without the bytes");
}

/* Nothing is there. */
static void deliver_absent(struct destination_run *run)
{
    if (run->looking) {
        run->looking = false;
        dest_s3_start(run);
        return;
    }
    if (run->parts && dest_s3_parts_anew(run))
        return;
    if (run->work.only_look)
        run->outcome.absent = true;
    else
        outcome_fail(&run->outcome, RETRY_TRANSIENT, "%s", run->put_error);
    dest_s3_deliver(run);
}

static void send_head(struct destination_run *run);

static void head_again(struct destination_run *run)
{
    dest_s3_send_in_turn(run, send_head, true);
}

/* The store may not know that a checksum can be asked for: once more without. */
static bool ask_plainer(struct destination_run *run, const struct http_result *result)
{
    int status = result->response->status;

    if (run->no_checksum || run->dest->checksum == CONFIG_NO_CHECKSUM ||
        (status != 400 && status != 501))
        return false;
    run->no_checksum = true;
    return true;
}

static void on_head(const struct http_result *result, void *ctx)
{
    struct destination_run *run = ctx;
    struct s3_expected want = dest_s3_expected(run);
    struct s3_answer a = s3_answer_head(result, &want);

    run->call = NULL;
    dest_s3_tell_flow(run, result, &a);
    if (atomic_load(&run->aborting)) {
        dest_s3_deliver(run);
        return;
    }
    if (dest_s3_refused(run, &a, head_again))
        return;
    if (dest_s3_moved(run, result) || ask_plainer(run, result)) {
        head_again(run);
        return;
    }
    memcpy(run->etag, result->response->etag, sizeof run->etag);
    run->found_size = result->response->content_length;
    memcpy(run->found_sha256, result->response->checksum_sha256,
           sizeof run->found_sha256);
    if (a.verdict == S3_DONE && a.needs_md5 && run->memory) {
        run->hash.with_md5 = true;
        (void)spool_hash_pass(&run->hash, run->memory, (size_t)run->work.job->size, 0);
        deliver_by_md5(run);
        return;
    }
    if (a.verdict == S3_DONE && a.needs_md5 && run->work.fd < 0)
        settle_without_bytes(&want, &a);
    if (a.verdict == S3_DONE && a.needs_md5) {
        run->hashing.data = run;
        run->hash.with_md5 = true;
        run->is_hashing = uv_queue_work(run->dest->loop, &run->hashing, hash_on_pool,
                                        after_hash) == 0;
        if (run->is_hashing)
            return;
        a.verdict = S3_FAILED;
    }
    if (a.verdict == S3_DONE) {
        dest_s3_deliver_done(run);
    } else if (a.verdict == S3_OTHER || a.verdict == S3_UNPROVEN) {
        deliver_other(run, a.verdict == S3_UNPROVEN ? a.error : NULL);
    } else if (a.verdict == S3_ABSENT) {
        deliver_absent(run);
    } else {
        dest_s3_deliver_failure(run, &a);
    }
}

static void send_head(struct destination_run *run)
{
    struct s3_request request = S3_REQUEST_INIT;
    struct s3_ask ask = dest_s3_ask(run, S3_HEAD);
    struct err e = ERR_INIT;

    enum err_code code = s3_request_make(&request, &ask, &e);
    if (code == ERR_OK && !dest_s3_send(run, &request, S3_HEAD, on_head))
        code = err_set(&e, ERR_NOMEM, "no memory for a request");
    s3_request_release(&request);
    if (code != ERR_OK) {
        outcome_fail_err(&run->outcome, &e);
        dest_s3_deliver_later(run);
    }
}

void dest_s3_resolve(struct destination_run *run)
{
    dest_s3_send_in_turn(run, send_head, run->puts > 0);
}
