#include "worker/s3/dest_s3_internal.h"

#include <string.h>

#include "shared/convert.h"
#include "shared/log.h"
#include "worker/s3/s3_quirks.h"

enum {
    PROBE_MAX_BYTES = 64 * 1024, /* of an object that is sent twice */
    PROBES_MAX = 3               /* that told nothing */
};

/* --- the region --- */

struct sigv4_key *dest_s3_key(struct dest_s3 *d)
{
    struct sigv4_key *key = credentials_key(d->credentials);

    if (d->region[0] && key->region != d->region) {
        key->region = d->region;
        sigv4_key_wipe(key); /* what was derived is of another region */
    }
    return key;
}

bool dest_s3_moved(struct destination_run *run, const struct http_result *result)
{
    if (run->moved || !dest_s3_follow(run->dest, result->response))
        return false;
    run->moved = true;
    return true;
}

bool dest_s3_follow(struct dest_s3 *d, const struct http_response *r)
{
    const char *current = d->region[0] ? d->region : d->base.config->region;
    char region[S3_REGION_SIZE];

    if (!s3_quirks_region(r, current, region))
        return false;
    s3_endpoint_move(&d->endpoint, current, region);
    memcpy(d->region, region, sizeof d->region);
    log_warn("dest_s3", "the bucket is in another region",
             LOG_STR("destination", d->base.config->name),
             LOG_STR("region", d->region));
    return true;
}

/* --- conditions --- */

bool dest_s3_looks_first(const struct dest_s3 *d, const struct job *j)
{
    return d->base.config->conditional != CONFIG_OVERWRITE &&
           (d->ignores_condition || !d->conditional) && !convert_owns_key(j);
}

/* Does the store refuse to make an object anew that is there?  This one request takes no turn (flow.h): while it waited, the
 * job, which is done, could be given back. */
static void on_probe(const struct http_result *result, void *ctx)
{
    struct destination_run *run = ctx;
    struct dest_s3 *d = run->dest;
    int status = result->response->status;

    run->call = NULL;
    if (status / 100 == 2 && result->net == RETRY_NET_OK) {
        d->ignores_condition = true;
        log_warn(
            "dest_s3",
            "the store ignores If-None-Match: keys that were chosen by clients are "
            "looked up first from now on",
            LOG_STR("destination", d->base.config->name));
    } else if (status != 412 && status != 304 && status != 409) {
        d->probed = ++d->probes >= PROBES_MAX; /* it told nothing */
    }
    dest_s3_deliver_done(run);
}

bool dest_s3_probe(struct destination_run *run)
{
    struct dest_s3 *d = run->dest;
    struct s3_request request = S3_REQUEST_INIT;
    struct err e = ERR_INIT;

    if (d->base.config->conditional != CONFIG_PROBE || d->probed ||
        !run->was_conditional || run->work.job->size > PROBE_MAX_BYTES ||
        destination_is_late(&run->work))
        return false;
    struct s3_ask ask = dest_s3_ask(run, S3_PUT);
    bool sent = s3_request_make(&request, &ask, &e) == ERR_OK &&
                dest_s3_send(run, &request, S3_PUT, on_probe);
    s3_request_release(&request);
    d->probed |= sent;
    return sent;
}

/* --- the MD5 before the bytes --- */

static void hash_on_pool(uv_work_t *work)
{
    struct destination_run *run = work->data;

    (void)spool_hash_file(&run->hash, run->work.fd, &run->aborting); /* md5 tells */
}

static void after_hash(uv_work_t *work, int status)
{
    struct destination_run *run = work->data;

    (void)status; /* never cancelled */
    run->is_hashing = false;
    if (atomic_load(&run->aborting)) {
        dest_s3_deliver(run);
    } else if (run->hash.corrupt) {
        outcome_fail(&run->outcome, RETRY_NEVER, DEST_S3_CORRUPT, run->hash.corrupt);
        dest_s3_deliver(run);
    } else if (!run->hash.md5[0]) {
        outcome_fail(&run->outcome, RETRY_TRANSIENT, "cannot hash the spool file");
        dest_s3_deliver(run);
    } else {
        memcpy(run->md5, run->hash.md5, sizeof run->md5);
        s3_checksums_set_md5(&run->sums, run->md5);
        run->hashed(run);
    }
}

bool dest_s3_hash_first(struct destination_run *run,
                        void (*then)(struct destination_run *run))
{
    if (run->dest->checksum != CONFIG_MD5 || run->md5[0])
        return false;
    run->hash.with_md5 = true;
    run->hash.sha256_is_checked = false;
    if (run->memory) { /* little: then is called by the caller */
        (void)spool_hash_pass(&run->hash, run->memory, (size_t)run->work.job->size, 0);
        memcpy(run->md5, run->hash.md5, sizeof run->md5);
        s3_checksums_set_md5(&run->sums, run->md5);
        return false;
    }
    run->hashing.data = run;
    run->hashed = then;
    run->is_hashing =
        uv_queue_work(run->dest->loop, &run->hashing, hash_on_pool, after_hash) == 0;
    return run->is_hashing;
}
