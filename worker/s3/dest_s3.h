/*
 * dest_s3: the destination s3://bucket/prefix, on any store that speaks S3's PutObject and HeadObject.
 *
 *   begin -> PUT (signed, If-None-Match: *, x-amz-checksum-sha256 or -crc32c; hashed while it leaves)
 *              |-- proven ----------------------------------------------------> done
 *              |-- 412, answer lost, no proof --> HEAD --> the same bytes ----> done
 *              |                                   |-----> other bytes -------> never ("key exists with other content")
 *              |                                   |-----> cannot be proven --> never, unless only ours (below)
 *              |                                   '-----> none --------------> transient
 *              |-- 501, 400 unsupported --> PUT without checksum, without condition, without both; what was taken is remembered
 *              |-- other region (x-amz-bucket-region) --> remembered, once more there; Location is never followed
 *              |-- keys expired or unknown ---------> PUT with newer ones (credentials.h); else given back, to be held
 *              |-- clock differs ------------------> remembered, PUT with the store's time
 *              '-- anything else -----------------------------------------------> by retry.h
 *
 * An object above multipart_threshold goes in parts instead: dest_s3_parts.h.
 *
 * Guarantees, besides those of destination.h: the last piece of a body is not sent before all of it was hashed and found
 * to be what the manifest says, by CRC-32C, and by SHA-256 where the store is not sent that to compare it itself, or the job
 * has no CRC-32C; so a damaged spool file never becomes an object ("spool corrupt").
 * An object is called done when what the store tells of it is that of the bytes: a checksum of either kind, or an MD5.  The MD5
 * is computed along with the others only for stores that answer a PUT without a checksum: it halves the rate of the pass.
 * conditional = probe: the first object of up to 64 KiB is put a second time.  A store that takes it ignores conditions; there,
 * and where the store knows none (501), a key that a client chose is looked up before it is put without, so that two who are that far at
 * the same moment can still overwrite one another.  conditional = no: an object of this key is overwritten.
 * checksum = md5: Content-MD5 goes before the bytes, so that the file is read once more, on the thread pool, before the PUT.
 * A HEAD that gives no digest to compare (object made in parts, composite checksum, SSE-KMS) proves nothing by its size.
 * The size is taken as proof only where the object can be nobody else's: the key begins with the job's UUID (the default
 * key), or the store said that it took our PUT.  Otherwise the job fails for good, its bytes are kept: "an object with
 * this key is there and cannot be proven to be these bytes".
 * When HEAD gives an MD5 and ours is not known, it is computed on the thread pool.
 * Without keys, and while the store refuses those there are, nothing is sent and no attempt counted.
 * What a stream makes (dest_s3_stream.h) is hashed while it comes, and put once it has ended.
 * A look is that HEAD alone.  Without the bytes an MD5 proves nothing: then the size does, where the object can be nobody
 * else's; otherwise the look is a failure that says so.
 */
#ifndef HOIST_WORKER_DEST_S3_H
#define HOIST_WORKER_DEST_S3_H

#include "worker/dest/destination.h"
#include "worker/flow/flow.h"
#include "worker/http/http.h"

struct membudget;

struct dest_s3_options {
    uv_loop_t *loop;
    struct http *http; /* outlives the destination */
    struct spool
        *spool; /* keeps the journals of uploads in parts; NULL: none are kept */
    const struct config_destination *config; /* CONFIG_S3; outlives the destination */
    char *const *env;    /* where keys may be found: environ-like; NULL: none */
    struct flows *flows; /* outlives the destination; NULL: nothing holds requests up */
    struct membudget *budget; /* for streams, outlives it; NULL: 256 MiB of its own */
};

/* ERR_CONFIG: an endpoint that is none, *ret is untouched; ERR_NOMEM. */
MUST_CHECK enum err_code dest_s3_open(const struct dest_s3_options *o,
                                      struct destination **ret, struct err *e);

struct dest_s3;
/* The same as one of these; NULL when it is none, or NULL. */
struct dest_s3 *dest_s3_of(struct destination *d);

#endif
