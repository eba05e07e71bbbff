/*
 * fetch_internal: what the files of fetch share.  Nobody else includes it.
 *
 *     fetch.c         requests: redirects, answers, resumptions
 *     fetch_stream.c  the stream, who is told what, the life of a fetch
 */
#ifndef HOIST_WORKER_FETCH_INTERNAL_H
#define HOIST_WORKER_FETCH_INTERNAL_H

#include "worker/source/fetch.h"
#include "worker/source/fetch_answer.h"

enum { FETCH_WINDOW = 128 * 1024 };

enum fetch_state {
    FETCH_ASKING,    /* the head has not come */
    FETCH_RECEIVING, /* it has, and bytes come */
    FETCH_BROKEN,    /* they came; asking for the rest, or about to */
    FETCH_ENDED,     /* all have come */
    FETCH_FAILED,
    FETCH_STOPPED
};

struct fetch {
    struct stream base;
    struct fetch_options options;
    enum fetch_state state;
    struct http_call *call;
    char url[URL_MAX + 1]; /* where it is now */
    struct url parsed;     /* of it */
    struct err refusal;    /* of the address that was refused last */
    int redirects, resumes;
    struct fetch_ruling ruling; /* of the latest head */
    int64_t length;             /* of the whole; -1: chunked */
    int64_t received;
    char validator[HTTP_VALUE_SIZE], type[HTTP_VALUE_SIZE];
    struct outcome failure;
    bool head_told, failure_told;
    char *window; /* a ring */
    size_t first, held;
    bool has_piece;   /* one waits for room */
    uv_timer_t limit; /* of the whole */
    uv_timer_t turn;  /* tells; cancels; all that must not happen within a callback */
    uv_timer_t pause; /* before a resumption; and for what comes behind the end */
    int open_handles;
    void (*on_closed)(void *ctx);
};

/* --- fetch.c --- */

/* Whether f->url may be fetched; else it has failed. */
bool fetch_check(struct fetch *f);
/* Ask for it, or for what is missing. */
void fetch_send(struct fetch *f);
/* It has failed, unless it is over already. */
void fetch_fail(struct fetch *f, enum retry_class class, const char *text);

/* --- fetch_stream.c --- */

/* Something has changed that somebody is to be told. */
void fetch_wake(struct fetch *f);
/* While it closes: free it when this was the last. */
void fetch_closed_one(struct fetch *f);

#endif
