#include "fcgi-app/events/listeners_internal.h"

#include "shared/clock.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Streams end after an hour and up to 17 minutes, so that those that came together do not come again together. */
enum { STREAM_MS = 3600 * 1000, SPREAD_MS = 1000 * 1000 };

void listener_free(struct listener *one)
{
    if (!one)
        return;
    outbox_release(&one->out);
    job_release(&one->job);
    free(one->cors_origin);
    free(one->if_none_match);
    free(one->request_id);
    free(one);
}

static bool copy(const char *s, char **ret)
{
    return !s || (*ret = strdup(s)) != NULL;
}

/* What an answer needs of the request. */
static bool keep_request(struct listener *one, struct exchange *x)
{
    const struct response *r = &x->response;
    one->preference = r->preference;
    return copy(r->cors_origin, &one->cors_origin) &&
           copy(r->if_none_match, &one->if_none_match) &&
           copy(exchange_request_id(x), &one->request_id);
}

/* The head, and what comes with it. */
static bool keep_beginning(struct listener *one, const struct response *r)
{
    struct buf wire = BUF_INIT(RESPONSE_HEAD_MAX + RESPONSE_BODY_MAX + 1024);
    fastcgi_later_add(&wire, one->later.id, r->head.data, r->head.len);
    fastcgi_later_add(&wire, one->later.id, r->body.data, r->body.len);
    struct message *m = message_new(&wire);
    buf_release(&wire);
    bool kept = m && outbox_add(&one->out, m);
    message_drop(m);
    return kept;
}

static struct listener *make(struct exchange *x, const struct listener_wish *wish)
{
    struct listener *one = calloc(1, sizeof *one);
    if (!one)
        return NULL;
    int64_t now = clock_mono_ms();
    one->job = (struct job)JOB_INIT;
    one->kind = wish->kind;
    one->conn = x->conn;
    one->is_new = wish->is_new;
    one->access = x->access;
    one->moved_ms = one->heard_ms = now;
    one->until_ms = now + STREAM_MS + (int64_t)((uintptr_t)one / 64 % SPREAD_MS);
    if (wish->kind == LISTENER_WAITS)
        one->until_ms = now + wish->seconds * 1000;
    if (wish->told)
        memcpy(one->told, wish->told, strnlen(wish->told, SSE_ID_SIZE - 1));
    if (fastcgi_leave(x->web, &one->later) &&
        (wish->kind == LISTENER_WAITS ? keep_request(one, x)
                                      : keep_beginning(one, &x->response)))
        return one;
    listener_free(one);
    return NULL;
}

size_t listeners_count(struct listeners *l, enum listener_kind kind)
{
    (void)pthread_mutex_lock(&l->lock);
    size_t count = l->totals[kind];
    (void)pthread_mutex_unlock(&l->lock);
    return count;
}

/* Streams of both kinds have one bound. */
static bool take_place(struct listeners *l, const struct listener *one)
{
    (void)pthread_mutex_lock(&l->lock);
    bool fits =
        one->kind == LISTENER_WAITS
            ? l->totals[LISTENER_WAITS] < l->max[LISTENER_WAITS]
            : l->totals[LISTENER_JOB] + l->totals[LISTENER_FEED] < l->max[LISTENER_JOB];
    l->totals[one->kind] += fits;
    (void)pthread_mutex_unlock(&l->lock);
    return fits;
}

bool listeners_park(struct listeners *l, struct exchange *x,
                    const struct listener_wish *wish)
{
    struct listener *one = make(x, wish);
    if (!one || !take_place(l, one)) {
        listener_free(one);
        return false;
    }
    if (wish->job) {
        one->job = *wish->job;
        *wish->job = (struct job)JOB_INIT;
    }
    gate_park(l->app->gate, x->conn);
    x->parked = true;
    (void)pthread_mutex_lock(&l->lock);
    one->next = l->inbox;
    l->inbox = one;
    (void)pthread_mutex_unlock(&l->lock);
    uint64_t n = 1;
    ssize_t written = write(l->wake_fd, &n, sizeof n);
    (void)written; /* full: it is awake */
    return true;
}
