#include "fcgi-app/fastcgi/handlers_internal.h"

#include "fcgi-app/events/events.h"
#include "fcgi-app/jobs/batches.h"
#include "fcgi-app/http/cors.h"
#include "fcgi-app/http/exchange.h"
#include "fcgi-app/health.h"
#include "fcgi-app/jobs/job_list.h"
#include "fcgi-app/jobs/job_move.h"
#include "fcgi-app/jobs/jobs.h"
#include "fcgi-app/jobs/jobs_create.h"
#include "fcgi-app/auth/policies.h"
#include "fcgi-app/jobs/queue_bulk.h"
#include "fcgi-app/jobs/queues.h"
#include "fcgi-app/jobs/workers.h"
#include "fcgi-app/http/router.h"
#include "fcgi-app/metrics/metrics.h"
#include "fcgi-app/thread.h"
#include "fcgi-app/upload/uploads.h"
#include "fcgi-app/web/assets.h"
#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <stdatomic.h>
#include <stdlib.h>

const struct route handlers_routes[] = {
    {METHOD_POST, "v1/uploads", ACCESS_SEND, uploads_post},
    {METHOD_PUT, "v1/uploads/{}", ACCESS_SEND, uploads_put},
    {METHOD_GET, "v1/jobs", ACCESS_READ, job_list},
    {METHOD_POST, "v1/jobs", ACCESS_UPLOAD, jobs_create},
    {METHOD_GET, "v1/jobs/{}", ACCESS_LOOK, jobs_show},
    {METHOD_GET, "v1/jobs/{}/events", ACCESS_LOOK, events_job},
    {METHOD_DELETE, "v1/jobs/{}", ACCESS_UPLOAD, jobs_cancel},
    {METHOD_POST, "v1/jobs/{}/retry", ACCESS_UPLOAD, jobs_retry},
    {METHOD_POST, "v1/jobs/{}/promote", ACCESS_UPLOAD, jobs_promote},
    {METHOD_POST, "v1/jobs/{}/priority", ACCESS_UPLOAD, jobs_prioritize},
    {METHOD_POST, "v1/jobs/{}/move", ACCESS_UPLOAD, job_move},
    {METHOD_POST, "v1/policies", ACCESS_UPLOAD, policies_make},
    {METHOD_POST, "v1/batches", ACCESS_UPLOAD, batches_open},
    {METHOD_GET, "v1/batches/{}", ACCESS_READ, batches_show},
    {METHOD_POST, "v1/batches/{}/close", ACCESS_UPLOAD, batches_close},
    {METHOD_GET, "v1/events", ACCESS_READ, events_feed},
    {METHOD_GET, "v1/queues", ACCESS_READ, queues_list},
    {METHOD_GET, "v1/queues/{}", ACCESS_READ, queues_show},
    {METHOD_PATCH, "v1/queues/{}", ACCESS_ADMIN, queues_patch},
    {METHOD_POST, "v1/queues/{}/pause", ACCESS_ADMIN, queues_pause},
    {METHOD_POST, "v1/queues/{}/resume", ACCESS_ADMIN, queues_resume},
    {METHOD_POST, "v1/queues/{}/retry", ACCESS_ADMIN, queue_bulk_retry},
    {METHOD_POST, "v1/queues/{}/promote", ACCESS_ADMIN, queue_bulk_promote},
    {METHOD_POST, "v1/queues/{}/purge", ACCESS_ADMIN, queue_bulk_purge},
    {METHOD_GET, "v1/workers", ACCESS_READ, workers_list},
    {METHOD_POST, "v1/workers/{}/quiet", ACCESS_ADMIN, workers_quiet},
    {METHOD_POST, "v1/workers/{}/resume", ACCESS_ADMIN, workers_resume},
    {METHOD_GET, "status", ACCESS_ADMIN, handlers_status},
    {METHOD_GET, "metrics", ACCESS_METRICS, metrics_show},
    {METHOD_GET, "healthz", ACCESS_OPEN, health_live},
    {METHOD_GET, "readyz", ACCESS_OPEN, health_ready},
    {METHOD_GET, "", ACCESS_OPEN, asset_answer},
    {METHOD_GET, "hoist.js", ACCESS_OPEN, asset_answer},
    {METHOD_GET, "hoist.mjs", ACCESS_OPEN, asset_answer},
    {METHOD_GET, "ui/{}", ACCESS_OPEN, asset_answer},
    {METHOD_GET, "openapi.json", ACCESS_OPEN, asset_answer},
};
const size_t handlers_route_count = sizeof handlers_routes / sizeof handlers_routes[0];
_Static_assert(sizeof handlers_routes / sizeof handlers_routes[0] <= METER_ROUTES_MAX,
               "struct meter has a place for each");

static void answer_allowed(struct exchange *x, unsigned allowed)
{
    CLEANUP(buf_release) struct buf methods = BUF_INIT(128);
    router_format_allowed(allowed, &methods);
    if (x->request.method == METHOD_OPTIONS)
        response_begin(&x->response, 204, NULL);
    else
        exchange_refuse(x, PROBLEM_METHOD, NULL);
    response_header(&x->response, "Allow", methods.data);
}

/* Who asks comes first: to somebody who is not known even a path that does not exist looks like one that does.  OPTIONS
 * says what is in the documentation, and comes from browsers without a token. */
static enum problem let_in(struct exchange *x, const struct route *r, struct err *e)
{
    if ((r && r->scope == ACCESS_OPEN) || x->request.method == METHOD_OPTIONS)
        return PROBLEM_NONE;
    enum problem p = access_identify(x, e);
    if (!p && (r || x->access.awaits_policy))
        p = access_require(&x->access, r ? r->scope : ACCESS_LOOK, e);
    return p ? p : quota_request(x, e);
}

static void route(struct exchange *x)
{
    struct err e = ERR_INIT;
    struct cors cors;
    unsigned allowed = 0;
    const struct config *config = x->app->config;
    enum problem p =
        cors_check(&config->http, config->auth_count > 0, &x->request, &cors, &e);
    x->response.cors_origin = cors.origin;
    if (p) {
        atomic_store(&x->route, NULL);
        exchange_refuse(x, p, &e);
        return;
    }
    const struct route *r =
        router_find(handlers_routes, handlers_route_count, &x->request, &allowed);
    atomic_store(&x->route, r);
    if (allowed && cors.is_preflight) {
        cors_answer(&cors, allowed, &x->response);
        return;
    }
    p = let_in(x, r, &e);
    if (p)
        access_refuse(x, p, &e);
    else if (r)
        r->answer(x);
    else if (allowed)
        answer_allowed(x, allowed);
    else
        exchange_refuse(x, PROBLEM_NOT_FOUND, NULL);
}

/* The last few threads do not wait for bodies: they are there to answer. */
static bool take_place(struct handlers *all)
{
    if (atomic_fetch_add(&all->readers, 1) < all->max_readers)
        return true;
    atomic_fetch_sub(&all->readers, 1);
    return false;
}

void handlers_serve(struct handler *h, bool may_read)
{
    struct exchange *x = &h->exchange;
    struct err e = ERR_INIT;
    x->may_wait = may_read && take_place(h->all);
    exchange_begin(x);
    enum problem p = request_parse(&x->request, fastcgi_params(x->web), &e);
    exchange_read_head(x);
    if (p) {
        atomic_store(&x->route, NULL);
        exchange_refuse(x, p, &e);
    } else {
        route(x);
    }
    if (!x->parked) {
        (void)exchange_request_id(x);
        struct exchange_end end = {
            .gate = x->app->gate,
            .web = x->web,
            .conn = x->conn,
            .response = &x->response,
            .head_only = x->request.method == METHOD_HEAD,
            .drain = x->may_wait,
            .body_bytes = p ? -1 : x->request.content_length,
        };
        exchange_send(&end);
    }
    if (x->may_wait)
        atomic_fetch_sub(&h->all->readers, 1);
}

/* Whether this thread is one too many now. */
static bool is_surplus(struct handlers *all)
{
    long surplus = atomic_load(&all->surplus);
    while (surplus > 0)
        if (atomic_compare_exchange_weak(&all->surplus, &surplus, surplus - 1))
            return true;
    return false;
}

static void *run(void *arg)
{
    struct handler *h = arg;
    struct exchange *x = &h->exchange;
    atomic_store(&h->thread_id, gettid());
    while ((x->conn = gate_take(x->app->gate, &x->web))) {
        int64_t began_us = clock_mono_us(), now = began_us / 1000;
        atomic_store(&x->since_ms, now);
        atomic_store(&h->began_ms, now);
        handlers_serve(h, true);
        atomic_store(&x->since_ms, 0);
        atomic_store(&h->began_ms, 0);
        atomic_store(&h->served, atomic_load(&h->served) + 1);
        int64_t took_us = clock_mono_us() - began_us;
        handlers_note(h, took_us);
        handlers_status_slow(h, took_us / 1000);
        log_set_request(NULL, NULL);
        if (is_surplus(h->all))
            break;
    }
    atomic_store(&h->state, HANDLER_ENDED);
    return NULL;
}

static enum err_code start_one(struct handlers *all, struct handler *h, struct err *e)
{
    h->all = all;
    h->meter = &all->meters[h - all->list];
    if (exchange_init(&h->exchange, all->app, e))
        return e->code;
    atomic_store(&h->exchange.since_ms, 0);
    atomic_store(&h->began_ms, 0);
    atomic_store(&h->served, 0);
    atomic_store(&h->started_ms, clock_mono_ms());
    atomic_store(&h->state, HANDLER_RUNS);
    if (thread_start(&h->thread, "handler", run, h, e)) {
        atomic_store(&h->state, HANDLER_NONE);
        exchange_release(&h->exchange);
        return e->code;
    }
    return ERR_OK;
}

static void join_one(struct handler *h)
{
    (void)pthread_join(h->thread, NULL);
    exchange_release(&h->exchange);
    atomic_store(&h->state, HANDLER_NONE);
}

enum err_code handlers_start(struct app *app, size_t threads, size_t max_threads,
                             struct handlers **ret_handlers, struct err *e)
{
    struct handlers *h = calloc(1, sizeof *h);
    if (max_threads < threads)
        max_threads = threads;
    if (!h || !(h->list = calloc(max_threads, sizeof *h->list)) ||
        !(h->meters = calloc(max_threads + 1, sizeof *h->meters))) {
        free(h ? h->list : NULL);
        free(h);
        return err_set(e, ERR_NOMEM, "handlers: out of memory");
    }
    h->app = app;
    h->threads = threads;
    h->max_threads = max_threads;
    h->max_readers = (long)(max_threads > 2 * threads ? max_threads - threads
                                                      : (max_threads + threads) / 2);
    h->start_wall_ms = clock_wall_ms();
    h->start_ms = clock_mono_ms();
    app->handlers = *ret_handlers = h;
    if (handlers_reserve_start(h, e))
        return e->code;
    for (size_t i = 0; i < threads; i++)
        if (start_one(h, &h->list[i], e))
            return e->code;
    return ERR_OK;
}

static void complain(struct handlers *h, const char *what, const char *why)
{
    if (!h->complained)
        log_warn("handlers", what, LOG_STR("error", why),
                 LOG_INT("max_threads", h->max_threads));
    h->complained = true;
}

/* Start threads until `threads` are free again; as many as there are, when all of those are held up. */
static void grow(struct handlers *h, size_t running, size_t free_count)
{
    size_t want = free_count == 0 && running > h->threads ? running : h->threads;
    for (size_t i = 0; i < h->max_threads && free_count < want; i++) {
        struct err e = ERR_INIT;
        if (atomic_load(&h->list[i].state) != HANDLER_NONE)
            continue;
        if (start_one(h, &h->list[i], &e)) {
            complain(h, "no more threads", e.text);
            if (free_count == 0)
                handlers_reserve_call(h);
            return;
        }
        free_count++;
    }
    if (free_count == 0) {
        atomic_fetch_add(&h->max_reached, h->complained ? 0 : 1);
        complain(h, "every thread is held up by a slow client", "");
        handlers_reserve_call(h);
    } else {
        h->complained = false;
    }
}

void handlers_tick(struct handlers *h)
{
    int64_t now = clock_mono_ms();
    size_t running = 0, free_count = 0, active = 0;
    for (size_t i = 0; i < h->max_threads; i++) {
        struct handler *one = &h->list[i];
        if (atomic_load(&one->state) == HANDLER_ENDED)
            join_one(one);
        int64_t since_ms = atomic_load(&one->exchange.since_ms);
        bool runs = atomic_load(&one->state) == HANDLER_RUNS;
        running += runs;
        active += runs && since_ms != 0;
        free_count += runs && (since_ms == 0 || now - since_ms < HANDLERS_HELD_MS);
    }
    atomic_store(&h->surplus,
                 free_count > h->threads ? (long)(free_count - h->threads) : 0);
    grow(h, running, free_count);
    handlers_status_look(h, active, now);
}

void handlers_join(struct handlers *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->max_threads; i++)
        if (atomic_load(&h->list[i].state) != HANDLER_NONE)
            join_one(&h->list[i]);
    handlers_reserve_join(h);
    free(h->list);
    free(h->meters);
    free(h);
}
