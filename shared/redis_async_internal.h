/*
 * redis_async_internal: the state of a redis_async, for redis_async.c (commands, replies, callbacks) and
 * redis_async_connect.c (attempts, handshake).
 *
 * A command is a struct request in exactly one of two lists:
 *
 *     send --READY--> pending (written, in the order of the replies) --reply or loss--> ended --on_turn--> callback
 *       '--not READY------------------------------------------------------------------^
 *
 * Callbacks run only from on_turn, the idle handle's callback: never inside a call of ours, so whatever they do (send,
 * close) meets a consistent state.  The idle handle runs only while there is something to deliver or to write, and so
 * all that one turn of the loop sends goes out in one write.
 */
#ifndef HOIST_SHARED_REDIS_ASYNC_INTERNAL_H
#define HOIST_SHARED_REDIS_ASYNC_INTERNAL_H

#include "shared/histogram.h"
#include "shared/redis_async.h"
#include "shared/redis_internal.h"

enum {
    REDIS_ASYNC_PENDING_MAX = 65536,
    REDIS_ASYNC_SPARE = 64, /* requests kept for when there is no memory */
    REDIS_BACKOFF_MIN_MS = 50,
    REDIS_BACKOFF_MAX_MS = 500, /* work goes on so soon after Redis is back */
    REDIS_STABLE_MS = 2000
};

enum request_kind { REQUEST_USER, REQUEST_LOGIN, REQUEST_INFO, REQUEST_LOAD };

struct request {
    struct request *next;
    enum request_kind kind;
    redis_async_fn *fn;
    void *ctx;
    int64_t sent_us;        /* 0: it may block, and says nothing of the way */
    int64_t deadline_ms;    /* never before that of the request in front of it */
    struct redis_cmd again; /* a script's command, for NOSCRIPT; else empty */
    enum err_code code;     /* from here on: of an ended one */
    struct redis_value *reply;
    struct err e;
};

struct request_list {
    struct request *head, *tail;
    size_t count;
};

enum link_state {
    LINK_WAITING,
    LINK_RESOLVING,
    LINK_CONNECTING,
    LINK_HANDSHAKE,
    LINK_READY
};

struct redis_async {
    uv_loop_t *loop;
    struct redis_async_options options; /* target not used: see below */
    struct redis_target target;
    enum link_state state;
    bool closing;
    struct redis_link link;
    struct redis_facts facts;
    int64_t facts_ms; /* when the server was last asked for them */
    int64_t ready_ms; /* since when it is ready */
    uv_poll_t *poll;  /* of link.fd; NULL: none */
    int poll_events;
    /* WAITING: the next attempt; READY: the first deadline; else the end of the attempt */
    uv_timer_t timer;
    uv_idle_t turn;
    uv_getaddrinfo_t lookup;
    bool is_looking_up;
    unsigned handles;      /* not closed yet */
    unsigned attempts;     /* since it was last ready */
    unsigned next_address; /* of those the name stands for */
    struct request_list pending, ended;
    struct request_list spare; /* up to REDIS_ASYNC_SPARE, blank */
    size_t unanswered;         /* of the caller's */
    struct histogram round_trips_us;
    bool tell_ready, tell_lost;
    struct err lost;
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

/* redis_async_request.c */
void request_push(struct request_list *l, struct request *q);
struct request *request_pop(struct request_list *l); /* NULL: empty */
bool request_spare(struct redis_async *r); /* fill r->spare; false: no memory */
void request_spare_release(struct redis_async *r);
/* Aborts without memory when the spare ones are used up, too. */
struct request *request_new(struct redis_async *r, enum request_kind kind);
void request_free(struct redis_async *r, struct request *q);

/* redis_async.c */
void redis_async_lose(struct redis_async *r, const struct err *why);
void redis_async_deliver_soon(struct redis_async *r);
void redis_async_handle_ended(struct redis_async *r);
MUST_CHECK enum err_code redis_async_push(struct redis_async *r, enum request_kind kind,
                                          const struct redis_cmd *c, struct err *e);
void redis_async_on_poll(uv_poll_t *p, int status, int events);
void redis_async_watch(struct redis_async *r, int events);

/* redis_async_connect.c */
void redis_async_attempt(struct redis_async *r);
void redis_async_attempt_later(struct redis_async *r);
void redis_async_connected(struct redis_async *r);
/* The reply to one of our own requests. */
MUST_CHECK enum err_code redis_async_own_reply(struct redis_async *r,
                                               enum request_kind kind,
                                               const struct redis_value *v,
                                               struct err *e);
void redis_async_drop_link(struct redis_async *r);

#endif
