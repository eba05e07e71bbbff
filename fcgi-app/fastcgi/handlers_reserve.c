#include "fcgi-app/fastcgi/handlers_internal.h"

#include "fcgi-app/thread.h"
#include "shared/clock.h"

#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 20 };

struct aside {
    struct gate_conn *conn;
    struct fastcgi *web; /* owned */
};

static bool all_are_busy(const struct handlers *all)
{
    for (size_t i = 0; i < all->max_threads; i++)
        if (atomic_load(&all->list[i].state) == HANDLER_RUNS &&
            atomic_load(&all->list[i].began_ms) == 0)
            return false;
    return true;
}

/* Of what neither reads nor waits, but for Redis for a moment: who looks at the figures wants to just now. */
static bool is_for_reserve(struct exchange *x)
{
    struct err e = ERR_INIT;
    struct request *r = &x->request;
    return request_parse(r, fastcgi_params(x->web), &e) == PROBLEM_NONE &&
           r->segment_count == 1 &&
           (strcmp(r->segments[0].s, "status") == 0 ||
            strcmp(r->segments[0].s, "metrics") == 0 ||
            strcmp(r->segments[0].s, "healthz") == 0);
}

/* The others have their turn again. */
static void put_back(struct reserve *r, struct gate *g)
{
    for (size_t i = 0; i < r->count; i++)
        gate_put_back(g, r->list[i].conn, r->list[i].web);
    r->count = 0;
}

/* As long as all others are busy.  True: the gate has stopped. */
static bool stand_in(struct reserve *r, size_t room)
{
    struct exchange *x = &r->handler.exchange;
    struct handlers *all = r->handler.all;
    bool over = false;
    while (!over && r->count < room && all_are_busy(all)) {
        x->conn = gate_take_within(all->app->gate, &x->web, LOOK_MS, &over);
        if (!x->conn)
            continue;
        if (is_for_reserve(x)) {
            int64_t began_us = clock_mono_us();
            handlers_serve(&r->handler, false);
            handlers_note(&r->handler, clock_mono_us() - began_us);
            log_set_request(NULL, NULL);
        } else {
            r->list[r->count++] = (struct aside){x->conn, x->web};
            x->web = NULL;
        }
    }
    put_back(r, all->app->gate);
    return over;
}

/* False: it is to end. */
static bool wait_until_wanted(struct reserve *r)
{
    (void)pthread_mutex_lock(&r->lock);
    while (!r->wanted && !r->ending)
        (void)pthread_cond_wait(&r->changed, &r->lock);
    r->wanted = false;
    bool goes = !r->ending;
    (void)pthread_mutex_unlock(&r->lock);
    return goes;
}

static void *run(void *arg)
{
    struct reserve *r = arg;
    size_t room = (size_t)r->handler.all->app->config->http.max_connections;
    while (wait_until_wanted(r))
        if (stand_in(r, room))
            break;
    return NULL;
}

enum err_code handlers_reserve_start(struct handlers *all, struct err *e)
{
    struct reserve *r = &all->reserve;
    thread_init_lock(&r->lock, &r->changed);
    r->handler.all = all;
    r->handler.meter = &all->meters[all->max_threads];
    r->list = calloc((size_t)all->app->config->http.max_connections, sizeof *r->list);
    if (!r->list)
        return err_set(e, ERR_NOMEM, "handlers: out of memory");
    if (exchange_init(&r->handler.exchange, all->app, e))
        return e->code;
    if (thread_start(&r->handler.thread, "reserve", run, r, e)) {
        exchange_release(&r->handler.exchange);
        return e->code;
    }
    r->runs = true;
    return ERR_OK;
}

void handlers_reserve_call(struct handlers *all)
{
    struct reserve *r = &all->reserve;
    (void)pthread_mutex_lock(&r->lock);
    r->wanted = true;
    (void)pthread_cond_signal(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

void handlers_reserve_join(struct handlers *all)
{
    struct reserve *r = &all->reserve;
    if (r->runs) {
        (void)pthread_mutex_lock(&r->lock);
        r->ending = true;
        (void)pthread_cond_signal(&r->changed);
        (void)pthread_mutex_unlock(&r->lock);
        (void)pthread_join(r->handler.thread, NULL);
        exchange_release(&r->handler.exchange);
    }
    free(r->list);
    (void)pthread_cond_destroy(&r->changed);
    (void)pthread_mutex_destroy(&r->lock);
}
