#include "fcgi-app/fastcgi/handlers_internal.h"

#include "fcgi-app/fastcgi/listen_queue.h"
#include "fcgi-app/http/router.h"

void handlers_note(struct handler *h, int64_t took_us)
{
    const struct exchange *x = &h->exchange;
    const struct route *r = atomic_load_explicit(&x->route, memory_order_relaxed);
    if (x->parked)
        meter_note_parked(h->meter);
    else
        meter_note(h->meter, r ? (size_t)(r - handlers_routes) : METER_OTHER,
                   x->response.status, took_us);
}

void handlers_meter(const struct handlers *h, struct meter_sum *to)
{
    for (size_t i = 0; i <= h->max_threads; i++)
        meter_read(&h->meters[i], to);
}

struct handlers_figures handlers_figures(const struct handlers *h)
{
    int64_t queue_limit;
    struct handlers_figures f = {
        .limit = (int64_t)h->max_threads,
        .exhausted = atomic_load(&h->max_reached),
        .slow = atomic_load(&h->slow),
        .accepted = gate_accepted(h->app->gate),
    };
    if (!listen_queue_look(gate_listen_fd(h->app->gate), &f.listen_queue, &queue_limit))
        f.listen_queue = -1;
    for (size_t i = 0; i < h->max_threads; i++) {
        if (atomic_load(&h->list[i].state) != HANDLER_RUNS)
            continue;
        f.busy += atomic_load(&h->list[i].began_ms) != 0;
        f.idle += atomic_load(&h->list[i].began_ms) == 0;
    }
    return f;
}
