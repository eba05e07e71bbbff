/*
 * http_internal: what the files of http share.  The only header that includes libcurl's.
 *
 *     http.c       requests: sending, deadlines, cancelling, ending
 *     http_easy.c  one request as libcurl sees it: options, the body going out, the answer coming in
 *     http_loop.c  libcurl's sockets and timer on the libuv loop
 *     http_limit.c whose turn it is where bandwidth is limited
 *     http_intake.c  the answer's body on its way to the caller
 */
#ifndef HOIST_WORKER_HTTP_INTERNAL_H
#define HOIST_WORKER_HTTP_INTERNAL_H

#include "worker/http/bandwidth.h"
#include "worker/http/http.h"

#include <curl/curl.h>

enum { HTTP_POOL_MAX = 64 /* easy handles kept */ };

struct http {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;   /* libcurl's */
    uv_timer_t tick;    /* ours: time-outs, and should libcurl's timer get lost */
    uv_timer_t deliver; /* calls that were cancelled, or lost */
    struct http_call *calls;
    size_t count;
    struct buf line; /* of a header, while it is put together */
    CURL *pool[HTTP_POOL_MAX];
    size_t pooled;
    struct http_socket **sockets; /* by descriptor, NULL where there is none */
    size_t socket_room;
    int open_handles;
    struct bandwidth bandwidth;                   /* of all bodies together */
    uv_timer_t refill;                            /* runs while a call waits for it */
    struct http_call *paused_first, *paused_last; /* whose turn is next */
};

struct http_call {
    struct http *http;
    struct http_call *previous, *next;
    CURL *easy;
    struct curl_slist *headers;
    struct http_body body; /* len 0: none */
    char *small;           /* a small body, which leaves with its head; else NULL */
    int64_t at;            /* of the body, read so far */
    int64_t passed;        /* of it, seen by body.pass */
    int64_t
        yielded;  /* of it, where the latest pause for libcurl to read was; 0: none */
    int fd;       /* its connection; -1: not known yet */
    int64_t sent; /* of the body, left */
    int64_t quiet_ms; /* monotonic: a byte moved last, or the request began */
    int64_t stall_ms, answer_ms;
    http_done_fn *done;
    void *ctx;
    struct http_response response;
    struct http_intake intake; /* piece NULL: none */
    size_t head_bytes;         /* of the answer, interim ones included */
    bool head_told;            /* to the intake */
    bool held, more;           /* a piece was not taken; it may come again */
    bool unwanted, refused;    /* by the intake */
    bool source_failed;
    bool yields; /* paused: something has come, which libcurl is to read first */
    bool
        told_enough; /* a piece has left since the answer's head came, which refuses the body */
    bool cancelled;
    bool lost;   /* its socket cannot be watched */
    bool paused; /* waits for bandwidth, in the list of those that do */
    struct http_call *next_paused;
    int64_t granted; /* bytes that may be read now; where bandwidth is limited */
    char error[CURL_ERROR_SIZE];
};

/* http.c: hand out what libcurl has finished. */
void http_reap(struct http *h);

/* End this call soon, from the loop: its socket cannot be watched.  NULL: nothing. */
void http_lose(struct http_call *call);

/* Whether the body is refused before all of it has left. */
bool http_easy_refused_early(const struct http_call *call);
/* http_easy.c: fill in call->easy, which is fresh, from the request.  False: no memory. */
bool http_easy_prepare(struct http_call *call, const struct http_request *r);
/* What a result of libcurl means. */
enum retry_net http_easy_net(CURLcode code);

/* http_intake.c: options of a request that has one; what to return to libcurl for a line of the head, and for a piece.  resume
 * lets the piece come that was held. */
void http_intake_prepare(struct http_call *call);
bool http_intake_wants(struct http_call *call);
size_t http_intake_piece(struct http_call *call, const void *data, size_t len);
void http_intake_resume(struct http_call *call);
/* http.c: look at the calls that are to end, or go on, from the loop. */
void http_deliver_soon(struct http *h);

/* http_limit.c: of the bytes that libcurl has room for, how many may leave now.  0: the call must pause; it goes on by
 * itself when its turn has come. */
size_t http_limit_room(struct http_call *call, size_t want);
/* No more of the body is wanted, as the answer is a refusal: what libcurl ends only where it is not paused. */
void http_limit_resume(struct http_call *call);
/* The call ends: it waits for nothing. */
void http_limit_forget(struct http_call *call);

/* http_loop.c: let the multi handle run on the loop.  kick does what its timer would.  on_open and on_close are to be told of
 * each connection's socket (CURLOPT_SOCKOPTFUNCTION, CURLOPT_CLOSESOCKETFUNCTION), ctx being the struct http. */
int http_loop_on_open(void *ctx, curl_socket_t fd, curlsocktype purpose);
int http_loop_on_close(void *ctx, curl_socket_t fd);
void http_loop_attach(struct http *h);
void http_loop_kick(struct http *h);

#endif
