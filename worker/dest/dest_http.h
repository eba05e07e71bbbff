/*
 * dest_http: the destination http(s)://host/path: each object one PUT below it, or one POST to it.
 *
 *   begin -> PUT or POST (dest_http_request.h; hashed while it leaves) --answer (dest_http_answer.h)--> done, or a failure
 *              '-- PUT: 409, 412, answer lost --> HEAD --> the same bytes -------------------------> done
 *                                                  |-----> other bytes, or none that can be proven -> never
 *                                                  '-----> none ------------------------------------> transient
 *
 * Guarantees, besides those of destination.h: the last piece of a body is not sent before all of it was hashed and found to
 * be what the manifest says; the body of a damaged spool file never ends.  A request is never sent elsewhere than to the
 * url: no redirect is followed.  Token and secret stand in no error, log or record.
 *
 * What the bytes do there is the server's affair: it may be told twice (a worker that dies, an answer that is lost), with the
 * same Idempotency-Key.  Where PUT was refused by 409 or 412, and where the answer was lost, HEAD decides, by its Repr-Digest or, for a
 * key that begins with the job's UUID, by its Content-Length.
 *
 * only_look: HEAD.  Where there is none (POST; 405 or 501 to it) the outcome is `blind`.
 */
#ifndef HOIST_WORKER_DEST_HTTP_H
#define HOIST_WORKER_DEST_HTTP_H

#include "worker/dest/destination.h"
#include "worker/flow/flow.h"
#include "worker/http/http.h"

struct dest_http_options {
    uv_loop_t *loop;
    struct http *http;                       /* outlives the destination */
    const struct config_destination *config; /* CONFIG_HTTP; outlives the destination */
    struct flows *flows; /* outlives the destination; NULL: nothing holds requests up */
};

/* ERR_NOMEM. */
MUST_CHECK enum err_code dest_http_open(const struct dest_http_options *o,
                                        struct destination **ret, struct err *e);

#endif
