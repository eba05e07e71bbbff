#include "fcgi-app/fastcgi/handlers_internal.h"

#include "fcgi-app/fastcgi/listen_queue.h"
#include "fcgi-app/http/router.h"
#include "fcgi-app/fastcgi/status.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <stdlib.h>

enum { QUEUE_LOOK_MS = 1000 };

static void raise_to(atomic_llong *max, int64_t value)
{
    if (value > atomic_load(max))
        atomic_store(max, value); /* of two at once one may be lost: it is a sample */
}

static bool look_at_queue(struct handlers *all, int64_t *ret_waiting, int64_t *ret_max)
{
    if (!listen_queue_look(gate_listen_fd(all->app->gate), ret_waiting, ret_max))
        return false;
    raise_to(&all->max_queue, *ret_waiting);
    return true;
}

void handlers_status_look(struct handlers *all, size_t active, int64_t now)
{
    int64_t waiting, max;
    raise_to(&all->max_active, (int64_t)active);
    if (now - all->queue_looked_ms < QUEUE_LOOK_MS)
        return;
    all->queue_looked_ms = now;
    (void)look_at_queue(all, &waiting, &max); /* where it is known */
}

static const char *route_text(const struct exchange *x)
{
    const struct route *r = atomic_load(&x->route);
    return r ? r->pattern : "";
}

void handlers_status_slow(struct handler *h, int64_t took_ms)
{
    const struct exchange *x = &h->exchange;
    int64_t slow_ms = x->app->config->http.slow_ms;
    if (slow_ms == 0 || took_ms < slow_ms)
        return;
    atomic_fetch_add(&h->all->slow, 1);
    log_warn("handler", "slow request", LOG_INT("ms", took_ms),
             LOG_STR("route", route_text(x)), LOG_INT("status", x->response.status),
             LOG_INT("body", x->request.content_length));
}

static const char *method_text(const struct exchange *x)
{
    const struct route *r = atomic_load(&x->route);
    return r ? request_method_name(r->method) : "";
}

static void add_handler(struct status *s, const struct handler *h, int64_t now)
{
    int64_t began_ms = atomic_load(&h->began_ms);
    s->idle += began_ms == 0;
    s->active += began_ms != 0;
    if (s->count == STATUS_HANDLERS_MAX)
        return;
    s->handlers[s->count++] = (struct status_handler){
        .thread = atomic_load(&h->thread_id),
        .requests = atomic_load(&h->served),
        .since_s = (now - atomic_load(&h->started_ms)) / 1000,
        .duration_ms = began_ms ? now - began_ms : 0,
        .route = route_text(&h->exchange),
        .method = method_text(&h->exchange),
        .is_busy = began_ms != 0,
    };
}

static void fill_in(struct status *s, struct handlers *all)
{
    int64_t now = clock_mono_ms();
    bool known = look_at_queue(all, &s->queue, &s->queue_len);
    if (!known)
        s->queue = s->queue_len = -1;
    s->max_queue = known ? atomic_load(&all->max_queue) : -1;
    s->start_s = all->start_wall_ms / 1000;
    s->since_s = (now - all->start_ms) / 1000;
    s->accepted = gate_accepted(all->app->gate);
    for (size_t i = 0; i < all->max_threads; i++)
        if (atomic_load(&all->list[i].state) == HANDLER_RUNS)
            add_handler(s, &all->list[i], now);
    raise_to(&all->max_active, s->active);
    s->max_active = atomic_load(&all->max_active);
    s->max_reached = atomic_load(&all->max_reached);
    s->slow = atomic_load(&all->slow);
}

void handlers_status(struct exchange *x)
{
    bool json = request_query(&x->request, "json") != NULL;
    bool full = request_query(&x->request, "full") != NULL;
    struct status *s = calloc(1, sizeof *s);
    if (!s) {
        exchange_refuse(x, PROBLEM_UNAVAILABLE, NULL);
        return;
    }
    fill_in(s, x->app->handlers);
    response_begin(&x->response, 200, json ? "application/json" : "text/plain");
    status_format(s, json, full, &x->response.body);
    free(s);
}
