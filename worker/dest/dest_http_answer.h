/*
 * dest_http_answer: what a server's answer to the requests of dest_http_request.h means.  Pure; the answer is untrusted.
 *
 *   PUT, POST   2xx, all of the body had left ----------------------------------------> DONE
 *               PUT: 409, 412, or the answer was lost --------------------------------> LOOK: HEAD tells what is there
 *               POST: 412 -> FAILED, never; the answer was lost -> FAILED, transient
 *               anything else (a redirect, too: nothing is followed) -----------------> FAILED, by the table of retry.h
 *   HEAD        200 and Repr-Digest: the bytes' SHA-256, or another one --------------> DONE, OTHER
 *               200, none: another length -> OTHER; the same -> DONE where the object can be nobody else's, else UNPROVEN
 *               404, 410 -------------------------------------------------------------> ABSENT
 *               405, 501 -------------------------------------------------------------> BLIND: this server has no HEAD
 *               anything else --------------------------------------------------------> FAILED, never of class never
 */
#ifndef HOIST_WORKER_DEST_HTTP_ANSWER_H
#define HOIST_WORKER_DEST_HTTP_ANSWER_H

#include "shared/digest.h"
#include "worker/http/http.h"

enum dest_http_verdict {
    DEST_HTTP_DONE,
    DEST_HTTP_LOOK,
    DEST_HTTP_FAILED,
    DEST_HTTP_ABSENT,
    DEST_HTTP_OTHER,
    DEST_HTTP_UNPROVEN,
    DEST_HTTP_BLIND
};

struct dest_http_answer {
    enum dest_http_verdict verdict;
    enum retry_class class; /* of FAILED */
    int64_t retry_after_ms; /* of FAILED; 0: not told */
    char error[256]; /* of all but DONE: for people, none of the answer's own text */
};

struct dest_http_expected {
    int64_t size;
    const char *sha256; /* hex */
    bool only_ours;     /* an object of this key can be nobody else's */
    bool takes_any;     /* whatever is there is right (destination.h, streams) */
};

struct dest_http_answer dest_http_answer_send(const struct http_result *r,
                                              bool is_post);
/* Of an object that is there: whether it has other bytes, by what the answer tells of them; ret_sha256: "" where it does not. */
bool dest_http_answer_differs(const struct http_response *h,
                              const struct dest_http_expected *want,
                              char ret_sha256[static DIGEST_SHA256_HEX + 1]);
struct dest_http_answer dest_http_answer_head(const struct http_result *r,
                                              const struct dest_http_expected *want);

#endif
