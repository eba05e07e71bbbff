/*
 * listeners_internal: what listeners.c (the thread), listeners_park.c (who comes), listeners_send.c (what goes out, who
 * leaves), listeners_jobs.c (watched jobs) and feed.c, feed_look.c and feed_send.c (feed.h) share.  Nobody else includes it.
 *
 * A listener is on the heap.  It belongs to the thread that parks it until it is in the inbox, then to the listeners' thread.
 * One that has left (gone) is freed at the end of the turn, since events of epoll may still name it.
 */
#ifndef HOIST_FCGI_LISTENERS_INTERNAL_H
#define HOIST_FCGI_LISTENERS_INTERNAL_H

#include "fcgi-app/events/feed.h"
#include "fcgi-app/events/listeners.h"
#include "fcgi-app/events/outbox.h"
#include "fcgi-app/events/reader.h"
#include "fcgi-app/events/watches.h"
#include "fcgi-app/fastcgi/fastcgi_later.h"

#include <pthread.h>

struct listener {
    enum listener_kind kind;
    struct gate_conn *conn;
    struct fastcgi_later later;
    struct outbox out;
    struct listener *next; /* inbox, or those that are gone */
    size_t place;          /* in list */
    bool wants_out;        /* epoll tells when the socket takes more */
    bool ending;           /* nothing comes behind what is in out */
    bool gone;
    int64_t until_ms; /* answered, or ended, then */
    int64_t moved_ms; /* the socket took something, or out was empty */
    int64_t heard_ms; /* something was put into out */

    struct job job; /* until there is a watch */
    struct watch *watch;
    struct listener *watch_next;
    char told[SSE_ID_SIZE];

    /* Of the feed. */
    struct access access;
    bool joined;            /* and counted there */
    struct feed_line *line; /* NULL: it has not taken what it was sent */
    struct listener *ahead, *behind;
    unsigned round; /* of the feed: told in it */
    int64_t fed_ms; /* told then, latest */

    /* Of one that waits, for its answer (response.h); owned but for preference. */
    bool is_new;
    const char *preference; /* a literal */
    char *cors_origin, *if_none_match;
    char *request_id;
};

struct listeners {
    struct app *app;
    int epoll_fd, wake_fd;
    pthread_t thread;
    size_t max[LISTENER_KINDS]; /* JOB and FEED: together, by that of JOB */

    /* The thread's. */
    struct reader reader;
    struct redis *redis;   /* for records */
    int64_t redis_from_ms; /* it was away: not before */
    struct watches watches;
    struct feed feed;
    struct listener **list; /* all, max of them */
    size_t count;
    struct listener *gone;
    int64_t tick_ms;
    size_t tick_left; /* so many of the list are still to be looked at in this pass */
    struct response response;
    struct buf status, text, wire; /* of a job; of an event; of its records */

    pthread_mutex_t lock; /* for everything below */
    struct listener *inbox;
    size_t totals[LISTENER_KINDS]; /* parked and not yet let go */
    bool stopping;
};

/* listeners_park.c: one that has left its lists, and whose connection has been given back. */
void listener_free(struct listener *one);

/* listeners_send.c */
struct message *listeners_make(struct listeners *l, const struct listener *one,
                               const struct buf *text, bool is_end);
/* m may be NULL (no memory): then, and when too much waits already, it is dropped. */
void listeners_send(struct listeners *l, struct listener *one, struct message *m);
/* Send what the socket takes. */
void listeners_flush(struct listeners *l, struct listener *one);
/* The stream is over, once all has been sent. */
void listeners_end(struct listeners *l, struct listener *one);
/* Of one that waits: the job as known. */
void listeners_answer(struct listeners *l, struct listener *one);
/* At once, without another word. */
void listeners_drop(struct listeners *l, struct listener *one);
/* What came from its web server. */
void listeners_on_input(struct listeners *l, struct listener *one);

/* feed.c */
bool feed_init(struct feed *f, const struct config *config);
void feed_release(struct feed *f); /* takes a zeroed one */
void feed_join(struct listeners *l, struct listener *one);
void feed_leave(struct listeners *l, struct listener *one);
void feed_on_event(struct listeners *l, const char *queue, const char *uuid,
                   enum job_state state);
/* Every 100 ms. */
void feed_tick(struct listeners *l);
/* Look and send, where it is time. */
void feed_turn(struct listeners *l, int64_t now);
/* Until it is. */
int64_t feed_wait_ms(const struct listeners *l, int64_t now);
/* No later than FEED_ACTIVE_MS after the last pictures. */
void feed_soon(struct feed *f);
struct feed_class *feed_class_of(struct feed *f, const struct listener *one);

/* feed_send.c: who is told what is known, and when. */
/* Nothing stands in it any more. */
void feed_text_clear(struct feed_text *t);
/* It has taken all that it was sent. */
void feed_on_empty(struct listeners *l, struct listener *one);
/* Out of the line that it stands in, if any. */
void feed_step_out(struct listener *one);
/* The classes' news are to go along the line, if there are any.  Not while others do. */
void feed_begin_round(struct feed *f, int64_t now);
/* Whether they still do. */
bool feed_in_round(const struct feed *f);
/* Tell those who are due. */
void feed_send(struct listeners *l, int64_t now);
/* When the next ones are. */
int64_t feed_send_ms(const struct feed *f);

/* feed_look.c: pictures, and the texts that are made of them. */
void feed_look(struct listeners *l, int64_t now);
/* Whether jobs came that nobody told of. */
void feed_probe(struct listeners *l, int64_t now);
/* The last pictures, as they are now. */
void feed_redraw(struct listeners *l, int64_t now);
/* All that there is to tell to somebody new. */
struct feed_text *feed_hello(struct listeners *l, struct feed_class *class);

/* listeners_jobs.c */
/* Into the watch of its job.  False: no memory. */
bool listeners_watch(struct listeners *l, struct listener *one);
void listeners_unwatch(struct listeners *l, struct listener *one);
void listeners_on_event(void *ctx, const char *queue, const char *uuid,
                        enum job_state state);
/* Look at all of them: anything may have happened. */
void listeners_hurry_all(struct listeners *l);
/* Those whose time has come become urgent. */
void listeners_check(struct listeners *l, int64_t now);
/* Look at some of those that are urgent. */
void listeners_look(struct listeners *l, int64_t now);

#endif
