/*
 * credentials_fetch: ask for keys over HTTP, once.  Private to credentials*.c.
 *
 *     imds          PUT /latest/api/token -> GET …/security-credentials/ (the role) -> GET …/security-credentials/ROLE
 *     container     GET (credentials_url.h), with AWS_CONTAINER_AUTHORIZATION_TOKEN or what is in …_TOKEN_FILE
 *     web_identity  POST AssumeRoleWithWebIdentity with what is in AWS_WEB_IDENTITY_TOKEN_FILE, unsigned
 *
 * Guarantees: one request at a time; each has a second to connect and two for its answer (STS: 5 and 10).  No proxy, no
 * redirect, never IMDSv1.  Keys that have expired are no keys.  What came is wiped when it was read.
 * Tokens are read from their files for each fetch: those who mount them replace them.
 */
#ifndef HOIST_WORKER_CREDENTIALS_FETCH_H
#define HOIST_WORKER_CREDENTIALS_FETCH_H

#include "worker/keys/credentials_source.h"
#include "worker/http/http.h"

/* keys: NULL when there are none, then e says why; wiped when this returns. */
typedef void credentials_fetch_fn(const struct keys *keys, const struct err *e,
                                  void *ctx);

struct credentials_fetch {
    struct http *http;
    const struct credentials_source *source; /* not a local one */
    credentials_fetch_fn *done;
    void *ctx;
    struct http_call *call; /* under way; NULL: none */
    struct buf token;       /* of IMDS: secret */
    struct buf text;        /* of what is sent: URL or body */
};

/* done and ctx are set by the caller; the storage stays where it is.  Everything else starts as this leaves it. */
void credentials_fetch_init(struct credentials_fetch *f, struct http *http,
                            const struct credentials_source *source);
/* None may be under way. */
void credentials_fetch_release(struct credentials_fetch *f);

/* Begin.  Anything but ERR_OK: it was not begun, done is not called. */
MUST_CHECK enum err_code credentials_fetch_begin(struct credentials_fetch *f,
                                                 struct err *e);
bool credentials_fetch_is_under_way(const struct credentials_fetch *f);
/* Stop; done comes on a later turn of the loop. */
void credentials_fetch_cancel(struct credentials_fetch *f);

#endif
