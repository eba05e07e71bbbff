/*
 * s3_call: one request to the store of a destination, for all that is not a run's own PUT or HEAD.
 *
 *     s3_call_begin --> keys (credentials.h) --> its turn (flow.h) --> signed with the store's time --> http
 *                          ^                                                                             |
 *                          '--- the store refuses the keys: others, once --------------------------------|
 *                                                                                                        v
 *     s3_call_cancel ---------------------------------------------------> done, exactly once, on the loop, later
 *
 * What the order points to stays as it is until done.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_S3_CALL_H
#define HOIST_WORKER_S3_CALL_H

#include "worker/http/http.h"
#include "worker/s3/s3_request.h"

struct dest_s3;
struct s3_call; /* done is the last that is to be done with it */

struct s3_call_result {
    const struct http_result
        *http; /* where nothing was sent: ABORTED, and error tells why */
    int64_t
        hold_ms; /* more than 0: the destination rests, or has no keys: outcome.hold_ms */
};

typedef void s3_call_done_fn(const struct s3_call_result *r, void *ctx);

struct s3_call_order {
    enum s3_operation operation;
    const struct job *job; /* its key, and what an object is made with */
    const struct config_destination *
        config; /* bucket and prefix, where they are not the destination's; else NULL */
    const char *upload_id;
    int number;
    bool conditional;
    enum config_checksum checksum;
    const struct s3_checksums *sums; /* of the body, and its hash: see s3_request.h */
    const char *body_sha256;
    struct http_body body; /* has_body */
    bool has_body;
    s3_call_done_fn *done;
    void *ctx;
};

/* NULL: no memory, done is not called. */
struct s3_call *s3_call_begin(struct dest_s3 *d, const struct s3_call_order *o);
void s3_call_cancel(struct s3_call *c);
/* Bytes of the body that have left. */
int64_t s3_call_sent(const struct s3_call *c);
/* When it began to be sent (monotonic); 0: it waits for its turn. */
int64_t s3_call_began_ms(const struct s3_call *c);

#endif
