/*
 * fetch_answer: what the head of an answer to a GET means for who fetches.  Pure; every field is untrusted.
 *
 *   first answer    200, identity, a length or chunks  -> FETCH_TAKE        301 302 303 307 308 with Location -> FETCH_REDIRECT
 *   of a resumption 206 of just what is missing        -> FETCH_TAKE
 *   anything else                                      -> FETCH_REFUSE, with the class and the text of the failure
 *
 *   | status                         | class                                             |
 *   | ------------------------------ | ------------------------------------------------- |
 *   | 401 403 407                    | config                                            |
 *   | 408 421 423 425                | transient                                         |
 *   | 429 503                        | throttled, after Retry-After                      |
 *   | other 4xx; 1xx 2xx 3xx unasked | never                                             |
 *   | other 5xx                      | transient, after Retry-After                      |
 *
 * What nobody can tell the end of (neither Content-Length nor chunked), or what is encoded although identity was asked for, is
 * refused for good; so are contradictory lengths.
 */
#ifndef HOIST_WORKER_FETCH_ANSWER_H
#define HOIST_WORKER_FETCH_ANSWER_H

#include "worker/http/http_response.h"
#include "worker/flow/retry.h"

enum fetch_verdict { FETCH_TAKE, FETCH_REDIRECT, FETCH_REFUSE };

/* What is asked for. */
struct fetch_want {
    int64_t max_bytes;
    int64_t offset;        /* more than 0: a resumption, from here */
    int64_t length;        /* of a resumption: of the whole */
    const char *validator; /* of a resumption: what If-Range said */
};

struct fetch_ruling {
    enum fetch_verdict verdict;
    int64_t length;         /* of FETCH_TAKE: of the whole; -1: chunked, not known */
    enum retry_class class; /* of FETCH_REFUSE, as the rest */
    int64_t retry_after_ms;
    char text[160];
};

void fetch_judge(const struct http_response *r, const struct fetch_want *w,
                 struct fetch_ruling *ret);

/* "bytes FIRST-LAST/TOTAL" (RFC 9110 section 14.4), all known and in order; false for anything else. */
bool fetch_parse_content_range(const char *s, int64_t *ret_first, int64_t *ret_last,
                               int64_t *ret_total);
/* What If-Range may say (RFC 9110 section 13.1.5): a strong ETag, else a Last-Modified that is as good; "" when there is
 * neither, or ranges are not accepted. */
const char *fetch_validator(const struct http_response *r);

#endif
