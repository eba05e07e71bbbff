/*
 * s3_upload: one upload in parts, for whoever has the bytes: dest_s3_parts (a spool file), or who takes a stream.
 *
 *     owner                                        s3_upload                                       store
 *     s3_upload_open -----------------------------> journal read; what is of no use aborted
 *                                                   intent on disk ------------------------------> CreateMultipartUpload
 *     <-- on_open ---------------------------------- id on disk <--------------------------------- id
 *     s3_upload_send (s3_upload_room times) -------> each tried again by itself, slow ones too --> UploadPart
 *     <-- on_part ---------------------------------- noted in the journal <----------------------- ETag
 *     s3_upload_complete --------------------------> ---------------------------------------------> CompleteMultipartUpload
 *     <-- on_result -------------------------------- what it came to (also of a failure before)
 *     s3_upload_close(KEEP) -----------------------> left as it is, for the next owner
 *     s3_upload_close(CLEAR) ----------------------> whatever is not completed ------------------> AbortMultipartUpload
 *     <-- closed ----------------------------------- the journal goes last
 *
 * Guarantees
 *   - What the store may hold of an upload stands in the journal before the store is asked (parts_journal.h): none is left
 *     after any crash, once somebody has cleared it.
 *   - No part leaves whose CRC-32C is not that of its sums, and nothing leaves after the lease has run out.
 *   - A part that fails is sent again up to 3 times, with a growing wait; one that waits for its answer for much longer than
 *     its peers took (s3_plan.h) is cancelled and sent again, twice.  The same for CompleteMultipartUpload's failures.
 *   - With a size that is known, what an earlier owner has sent is not sent again: s3_upload_has.
 *   - on_open, on_part and on_result are called on the loop, never from inside a function of this module; on_result once at
 *     most, and nothing after it but closed.
 *
 * Two owners at once (a worker that lost its lease and does not know yet) harm nothing: numbers and bytes of parts are the same,
 * and each looks at its lease before it completes.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_S3_UPLOAD_H
#define HOIST_WORKER_S3_UPLOAD_H

#include "worker/dest/destination.h"
#include "worker/http/http.h"
#include "worker/s3/s3_answer.h"
#include "worker/s3/s3_lists.h"
#include "worker/s3/s3_sums.h"

enum { S3_UPLOAD_AT_ONCE_MAX = 64 };

struct dest_s3;
struct s3_upload;

struct s3_upload_result {
    struct s3_answer
        answer; /* DONE; RESOLVE (HEAD tells), GONE (the same: it may have been completed before), FAILED */
    int64_t hold_ms; /* FAILED: more than 0: outcome.hold_ms */
    bool late;       /* the lease ran out: nothing failed */
    bool
        source_failed; /* FAILED: a part could not be read, or was not what its sums say */
    int status;        /* of the answer to CompleteMultipartUpload; 0: none came */
    bool was_conditional;          /* it was sent with If-None-Match */
    struct s3_completed completed; /* what it told */
};

struct s3_upload_options {
    struct dest_s3 *dest;
    const struct destination_work *
        work; /* the job (its key, what the object is made with), the lease; outlives the upload */
    int64_t size;      /* of the object; -1: not known, and nothing is resumed */
    int64_t part_size; /* of all parts but the last; 0: they differ */
    void (*on_open)(void *ctx);
    void (*on_part)(int number, void *ctx); /* the store has it: its bytes may go */
    void (*on_result)(const struct s3_upload_result *r, void *ctx);
    void *ctx;
};

/* NULL: no memory. */
struct s3_upload *s3_upload_open(const struct s3_upload_options *o);

/* The checksum that parts are sent with; from on_open on. */
enum config_checksum s3_upload_checksum(const struct s3_upload *u);
/* Whether these bytes are there as this part, from an earlier owner or from us. */
bool s3_upload_has(const struct s3_upload *u, int number,
                   const struct s3_part_sums *sums);
/* How many parts may be sent now; 0 before on_open. */
int s3_upload_room(const struct s3_upload *u);

struct s3_upload_part {
    int number; /* 1 .. 10,000 */
    struct http_body
        body; /* pass and ctx are not used; the bytes stay until on_part or closed */
    struct s3_part_sums
        sums; /* SHA-256 where s3_upload_wants_sha256; MD5 where the store tells no checksum */
};

/* Over http what is signed, and where the checksum is one. */
bool s3_upload_wants_sha256(const struct s3_upload *u);
/* Only while there is room. */
void s3_upload_send(struct s3_upload *u, const struct s3_upload_part *part);

/* All count parts are there: make the object of them.  want outlives the upload; parts and taken are set here. */
void s3_upload_complete(struct s3_upload *u, int count, struct s3_expected *want);
/* The checksums of checksums; from s3_upload_complete on. */
const struct s3_composite *s3_upload_composite(const struct s3_upload *u);

struct s3_upload_progress {
    int64_t sent; /* bytes that have left, those of earlier owners included */
    int parts_done;
};
struct s3_upload_progress s3_upload_progress(const struct s3_upload *u);

enum s3_upload_end {
    S3_UPLOAD_KEEP, /* somebody will go on with it, or clear it */
    S3_UPLOAD_CLEAR /* completed, or never to be: nothing of it may be left */
};

/* At any time, once: stop what is under way.  What cannot be cleared now is left to reconcile.  closed is called later; then the
 * upload is gone. */
void s3_upload_close(struct s3_upload *u, enum s3_upload_end end,
                     void (*closed)(void *ctx));
/* While it is being closed: do not wait for the store. */
void s3_upload_hurry(struct s3_upload *u);

#endif
