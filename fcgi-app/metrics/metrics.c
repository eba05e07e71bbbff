#include "fcgi-app/metrics/metrics.h"

#include "fcgi-app/fastcgi/handlers.h"
#include "fcgi-app/events/listeners.h"
#include "fcgi-app/metrics/metrics_write.h"
#include "shared/clock.h"
#include "shared/process_figures.h"

#include <pthread.h>
#include <stdlib.h>

struct metrics {
    pthread_mutex_t looking; /* held by the one who looks anew */
    struct metrics_view view;

    pthread_mutex_t lock; /* for everything below */
    struct buf text;
    int64_t made_ms; /* monotonic; 0: none yet */
};

enum err_code metrics_open(struct metrics **ret, struct err *e)
{
    struct metrics *m = calloc(1, sizeof *m);
    if (!m)
        return err_set(e, ERR_NOMEM, "metrics: out of memory");
    (void)pthread_mutex_init(&m->looking, NULL); /* cannot fail */
    (void)pthread_mutex_init(&m->lock, NULL);
    buf_init(&m->text, METRICS_TEXT_MAX);
    *ret = m;
    return ERR_OK;
}

void metrics_close(struct metrics *m)
{
    if (!m)
        return;
    buf_release(&m->text);
    (void)pthread_mutex_destroy(&m->lock);
    (void)pthread_mutex_destroy(&m->looking);
    free(m);
}

/* --- Looking --- */

static enum err_code take_queues(const struct config *config,
                                 struct redis_value *const *replies,
                                 struct metrics_view *v, struct err *e)
{
    for (size_t i = 0; i < config->queue_count; i++) {
        struct metrics_queue *q = &v->queues[i];
        q->name = config->queues[i].name;
        if (queue_parse_status(replies[i], &q->status, e))
            return e->code;
        queue_parse_classes(replies[i], &q->status, &q->classes);
    }
    v->queue_count = config->queue_count;
    return ERR_OK;
}

/* One call for each queue, in one pipeline. */
static void look_at_queues(struct exchange *x, struct metrics_view *v)
{
    const struct config *config = x->app->config;
    struct redis_cmd cmds[CONFIG_QUEUES_MAX] = {{.count = 0}};
    struct redis_value *replies[CONFIG_QUEUES_MAX] = {NULL};
    struct err e = ERR_INIT;
    for (size_t i = 0; i < config->queue_count; i++) {
        redis_cmd_init(&cmds[i]);
        queue_classes_cmd(&cmds[i], config->queues[i].name);
    }
    v->queue_count = 0;
    v->redis_up = exchange_ask(x, cmds, config->queue_count, replies, &e) == ERR_OK &&
                  take_queues(config, replies, v, &e) == ERR_OK;
    for (size_t i = 0; i < config->queue_count; i++) {
        redis_cmd_release(&cmds[i]);
        redis_reply_free(replies[i]);
    }
}

static void look(struct exchange *x, struct metrics_view *v)
{
    struct app *app = x->app;
    look_at_queues(x, v);
    v->now_ms = clock_wall_ms();
    v->routes = handlers_routes;
    v->route_count = handlers_route_count;
    v->meter = (struct meter_sum){.parked = 0};
    handlers_meter(app->handlers, &v->meter);
    v->handlers = handlers_figures(app->handlers);
    v->publisher = publisher_stats(app->publisher);
    v->marks = marks_figures(app->marks);
    v->waiters = listeners_count(app->listeners, LISTENER_WAITS);
    v->job_events = listeners_count(app->listeners, LISTENER_JOB);
    v->feeds = listeners_count(app->listeners, LISTENER_FEED);
    v->breaker_open = breaker_is_open(&app->breaker);
    v->redis_us = (struct histogram_sum){.sum = 0};
    histogram_read(&app->redis_us, &v->redis_us);
}

/* --- Answering --- */

/* False: there is none that is no older than that. */
static bool copy(struct metrics *m, int64_t age_ms, struct buf *to)
{
    (void)pthread_mutex_lock(&m->lock);
    bool is_there = m->made_ms != 0 && clock_mono_ms() - m->made_ms <= age_ms;
    if (is_there)
        buf_add(to, m->text.data, m->text.len);
    (void)pthread_mutex_unlock(&m->lock);
    return is_there;
}

/* With m->looking held.  Text that does not fit is not kept: *to has failed then, which is a 500. */
static void look_anew(struct metrics *m, struct exchange *x, struct buf *to)
{
    struct exposition text = {.out = to};
    look(x, &m->view);
    process_figures_write("hoist-fcgi", &text);
    metrics_write(&m->view, &text);
    (void)pthread_mutex_lock(&m->lock);
    buf_clear(&m->text);
    if (!to->failed && buf_add(&m->text, to->data, to->len))
        m->made_ms = clock_mono_ms();
    (void)pthread_mutex_unlock(&m->lock);
}

void metrics_show(struct exchange *x)
{
    struct metrics *m = x->app->metrics;
    struct buf *body = &x->response.body;
    response_begin(&x->response, 200, EXPOSITION_MEDIA_TYPE);
    if (copy(m, METRICS_KEEP_MS, body))
        return;
    if (pthread_mutex_trylock(&m->looking) != 0) {
        if (copy(m, INT64_MAX, body))
            return;
        (void)pthread_mutex_lock(&m->looking); /* for the first of all */
    }
    if (!copy(m, METRICS_KEEP_MS, body))
        look_anew(m, x, body);
    (void)pthread_mutex_unlock(&m->looking);
}
