#include "fcgi-app/handlers.h"

#include "fcgi-app/exchange.h"
#include "fcgi-app/health.h"
#include "fcgi-app/jobs.h"
#include "fcgi-app/queues.h"
#include "fcgi-app/router.h"
#include "fcgi-app/thread.h"
#include "fcgi-app/uploads.h"
#include "shared/cleanup.h"
#include "shared/log.h"

#include <stdlib.h>

enum { DRAIN_MAX = 64 * 1024 };

static const struct route routes[] = {
    {METHOD_POST, "v1/uploads", uploads_post},
    {METHOD_PUT, "v1/uploads/{}", uploads_put},
    {METHOD_GET, "v1/jobs/{}", jobs_show},
    {METHOD_DELETE, "v1/jobs/{}", jobs_cancel},
    {METHOD_POST, "v1/jobs/{}/retry", jobs_retry},
    {METHOD_GET, "v1/queues", queues_list},
    {METHOD_GET, "healthz", health_live},
    {METHOD_GET, "readyz", health_ready},
};

struct handler {
    struct exchange exchange;
    pthread_t thread;
};

struct handlers {
    size_t count; /* started */
    struct handler *list;
};

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

static void route(struct exchange *x)
{
    unsigned allowed = 0;
    const struct route *r =
        router_find(routes, sizeof routes / sizeof routes[0], &x->request, &allowed);
    if (r)
        r->answer(x);
    else if (allowed)
        answer_allowed(x, allowed);
    else
        exchange_refuse(x, PROBLEM_NOT_FOUND, NULL);
}

/* Whether what a request may have left unread is little, or nothing at all. */
static bool leaves_little(const struct request *r)
{
    if (r->content_length >= 0)
        return r->content_length <= DRAIN_MAX;
    return r->method != METHOD_POST && r->method != METHOD_PUT &&
           r->method != METHOD_OTHER;
}

static void serve(struct exchange *x)
{
    struct err e = ERR_INIT;
    x->parked = false;
    enum problem p = request_parse(&x->request, fastcgi_params(x->web), &e);
    if (p)
        exchange_refuse(x, p, &e);
    else
        route(x);
    if (x->parked)
        return;
    struct exchange_end end = {x->app->gate, x->web, x->conn,
                               &x->response, false,  false};
    end.head_only = x->request.method == METHOD_HEAD;
    end.drain = p == PROBLEM_NONE && leaves_little(&x->request);
    exchange_send(&end);
}

static void *run(void *arg)
{
    struct handler *h = arg;
    struct exchange *x = &h->exchange;
    struct gate *gate = x->app->gate;
    struct gate_conn *conn;
    while ((conn = gate_take(gate))) {
        struct err e = ERR_INIT;
        if (!x->web && !(x->web = fastcgi_new())) { /* the last request took it along */
            gate_give_back(gate, conn, GATE_CLOSE);
            continue;
        }
        x->conn = conn;
        if (fastcgi_begin(x->web, gate_conn_fd(conn), &e) == ERR_OK) {
            serve(x);
        } else {
            log_debug("handler", "no request", LOG_ERR(&e));
            gate_give_back(gate, conn, GATE_GONE);
        }
    }
    return NULL;
}

enum err_code handlers_start(struct app *app, size_t count,
                             struct handlers **ret_handlers, struct err *e)
{
    struct handlers *h = calloc(1, sizeof *h);
    if (!h || !(h->list = calloc(count, sizeof *h->list))) {
        free(h);
        return err_set(e, ERR_NOMEM, "handlers: out of memory");
    }
    *ret_handlers = h;
    for (; h->count < count; h->count++) {
        struct handler *one = &h->list[h->count];
        if (exchange_init(&one->exchange, app, e))
            return e->code;
        if (thread_start(&one->thread, "handler", run, one, e)) {
            exchange_release(&one->exchange);
            return e->code;
        }
    }
    return ERR_OK;
}

void handlers_join(struct handlers *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->count; i++) {
        (void)pthread_join(h->list[i].thread, NULL);
        exchange_release(&h->list[i].exchange);
    }
    free(h->list);
    free(h);
}
