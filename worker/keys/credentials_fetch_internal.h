/*
 * credentials_fetch_internal: one request for keys, shared by the files that make it.
 *
 *     credentials_fetch.c  beginning and end, and the container's, which is one GET
 *     credentials_imds.c   IMDSv2: three requests
 *     credentials_sts.c    AssumeRoleWithWebIdentity
 */
#ifndef HOIST_WORKER_CREDENTIALS_FETCH_INTERNAL_H
#define HOIST_WORKER_CREDENTIALS_FETCH_INTERNAL_H

#include "worker/keys/credentials_fetch.h"

enum {
    ADDRESS_MAX = 4096,
    NEAR_CONNECT_MS = 1000, /* of what answers on this host, or next to it */
    NEAR_ANSWER_MS = 2000
};

/* A variable of the environment, or NULL. */
const char *credentials_fetch_value(const struct credentials_fetch *f,
                                    const char *name);
/* ERR_RETRY unless a whole answer with status 200 came; what names the request in the text. */
enum err_code credentials_fetch_judge(const struct http_result *r, const char *what,
                                      struct err *e);
/* Append a token from a file, without the line end at its end. */
MUST_CHECK enum err_code credentials_fetch_read_token(const char *path, struct buf *ret,
                                                      struct err *e);
/* What came may hold a secret. */
void credentials_fetch_forget(const struct http_result *r);
/* An answer with keys as JSON: the end. */
void credentials_fetch_on_keys(const struct http_result *r, void *ctx);
/* The end: keys, which are wiped, where code is ERR_OK and they have not expired; else *e says why there are none, and keys
 * may be NULL. */
void credentials_fetch_end(struct credentials_fetch *f, enum err_code code,
                           struct keys *keys, struct err *e);

MUST_CHECK enum err_code credentials_imds_begin(struct credentials_fetch *f,
                                                struct err *e);
MUST_CHECK enum err_code credentials_sts_begin(struct credentials_fetch *f,
                                               struct err *e);

#endif
