#include "fcgi-app/metrics/metrics_write.h"

#include "fcgi-app/publish/publish_ring.h"

#include <stdio.h>
#include <string.h>

#define COUNTER EXPOSITION_COUNTER
#define GAUGE EXPOSITION_GAUGE
#define LABELS EXPOSITION_LABELS

/* --- Queues --- */

static void write_depth(const struct metrics_view *v, struct exposition *x)
{
    exposition_begin(x, GAUGE, "hoist_queue_jobs",
                     "Jobs in the queue by state; grouped and behind wait for their "
                     "group's or parent's turn.");
    for (size_t i = 0; i < v->queue_count; i++) {
        const struct queue_status *s = &v->queues[i].status;
        const struct {
            const char *state;
            int64_t n;
        } states[] = {{"ready", s->ready},     {"scheduled", s->scheduled},
                      {"running", s->running}, {"grouped", s->grouped},
                      {"behind", s->behind},   {"dead", s->dead},
                      {"done", s->done}};
        for (size_t k = 0; k < sizeof states / sizeof states[0]; k++)
            exposition_int(
                x, LABELS({"queue", v->queues[i].name}, {"state", states[k].state}),
                states[k].n);
    }
}

/* One number of each queue. */
static void write_each(const struct metrics_view *v, struct exposition *x,
                       size_t offset)
{
    for (size_t i = 0; i < v->queue_count; i++) {
        int64_t n;
        memcpy(&n, (const char *)&v->queues[i].status + offset, sizeof n);
        exposition_int(x, LABELS({"queue", v->queues[i].name}), n);
    }
}

static void write_totals(const struct metrics_view *v, struct exposition *x)
{
    static const struct {
        const char *name, *help;
        size_t offset;
    } totals[] = {
        {"hoist_jobs_enqueued_total", "Jobs that came into the queue.",
         offsetof(struct queue_status, enqueued_total)},
        {"hoist_jobs_started_total", "Attempts that workers have begun.",
         offsetof(struct queue_status, started_total)},
        {"hoist_jobs_done_total", "Jobs that are done.",
         offsetof(struct queue_status, done_total)},
        {"hoist_jobs_retried_total", "Failures after which a job was to run again.",
         offsetof(struct queue_status, retried_total)},
        {"hoist_jobs_cancelled_total", "Jobs that were cancelled.",
         offsetof(struct queue_status, cancelled_total)},
        {"hoist_jobs_crashed_total", "Attempts whose worker died or lost its lease.",
         offsetof(struct queue_status, crashed_total)},
    };
    for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++) {
        exposition_begin(x, COUNTER, totals[i].name, totals[i].help);
        write_each(v, x, totals[i].offset);
    }
}

static void write_classes(const struct metrics_view *v, struct exposition *x, bool dead)
{
    for (size_t i = 0; i < v->queue_count; i++)
        for (size_t k = 0; k < QUEUE_CLASSES; k++)
            exposition_int(
                x,
                LABELS({"queue", v->queues[i].name}, {"class", queue_class_names[k]}),
                dead ? v->queues[i].classes.dead[k] : v->queues[i].classes.failed[k]);
}

static void write_queues(const struct metrics_view *v, struct exposition *x)
{
    write_depth(v, x);
    exposition_begin(x, GAUGE, "hoist_queue_oldest_age_seconds",
                     "Age of the oldest job that is ready; 0 when none is.");
    for (size_t i = 0; i < v->queue_count; i++) {
        int64_t created = v->queues[i].status.oldest_created;
        int64_t age_ms = created > 0 && created < v->now_ms ? v->now_ms - created : 0;
        exposition_ratio(x, LABELS({"queue", v->queues[i].name}), age_ms, 1000);
    }
    exposition_begin(x, GAUGE, "hoist_queue_bytes",
                     "Bytes of the jobs that have not ended.");
    write_each(v, x, offsetof(struct queue_status, bytes));
    exposition_begin(x, GAUGE, "hoist_queue_paused",
                     "1 while no job of the queue is begun.");
    for (size_t i = 0; i < v->queue_count; i++)
        exposition_int(x, LABELS({"queue", v->queues[i].name}),
                       v->queues[i].status.paused);
    write_totals(v, x);
    exposition_begin(x, COUNTER, "hoist_jobs_failed_total",
                     "Attempts that failed, by the class of the error.");
    write_classes(v, x, false);
    exposition_begin(x, COUNTER, "hoist_jobs_dead_total",
                     "Jobs that died, by the class of their last error.");
    write_classes(v, x, true);
}

/* --- Requests --- */

struct route_name {
    char path[64];
    const char *method;
};

static struct route_name name_route(const struct metrics_view *v, size_t i)
{
    struct route_name name = {.path = "other", .method = "other"};
    if (i < v->route_count) {
        (void)snprintf(name.path, sizeof name.path, "/%s", v->routes[i].pattern);
        name.method = request_method_name(v->routes[i].method);
    }
    return name;
}

static bool is_known(const struct metrics_view *v, size_t i)
{
    return (i < v->route_count || i == METER_OTHER) &&
           histogram_count(&v->meter.latency_us[i]) > 0;
}

static void write_requests(const struct metrics_view *v, struct exposition *x)
{
    static const char *const classes[METER_CLASSES] = {"2xx", "3xx", "4xx", "5xx"};
    exposition_begin(x, COUNTER, "hoist_http_requests_total",
                     "Requests answered, by route and class of the status.");
    for (size_t i = 0; i < METER_ROUTES; i++) {
        struct route_name name = name_route(v, i);
        for (size_t k = 0; is_known(v, i) && k < METER_CLASSES; k++)
            exposition_int(x,
                           LABELS({"route", name.path}, {"method", name.method},
                                  {"code", classes[k]}),
                           (int64_t)v->meter.classes[i][k]);
    }
    exposition_begin(x, EXPOSITION_HISTOGRAM, "hoist_http_request_duration_seconds",
                     "From the head of a request, read, to its answer, sent.");
    for (size_t i = 0; i < METER_ROUTES; i++) {
        struct route_name name = name_route(v, i);
        if (is_known(v, i))
            exposition_histogram(x,
                                 LABELS({"route", name.path}, {"method", name.method}),
                                 &histogram_request_us, &v->meter.latency_us[i]);
    }
    exposition_one(x, COUNTER, "hoist_http_waits_total",
                   "Requests that waited for their job (?wait=) or are sent events; "
                   "they are not among the others.",
                   (int64_t)v->meter.parked);
    exposition_one(x, GAUGE, "hoist_http_waiting", "Requests that wait for their job.",
                   (int64_t)v->waiters);
    exposition_begin(x, GAUGE, "hoist_http_listeners",
                     "Connections that are sent events, of one job or of everything.");
    exposition_int(x, LABELS({"kind", "job"}), (int64_t)v->job_events);
    exposition_int(x, LABELS({"kind", "feed"}), (int64_t)v->feeds);
}

static void write_handlers(const struct metrics_view *v, struct exposition *x)
{
    const struct handlers_figures *h = &v->handlers;
    exposition_begin(x, GAUGE, "hoist_handlers", "Handler threads.");
    exposition_int(x, LABELS({"state", "busy"}), h->busy);
    exposition_int(x, LABELS({"state", "idle"}), h->idle);
    exposition_one(x, GAUGE, "hoist_handlers_limit", "The most there may be.",
                   h->limit);
    exposition_one(x, COUNTER, "hoist_handlers_exhausted_total",
                   "How often every thread was busy and there could be no more.",
                   h->exhausted);
    exposition_one(x, COUNTER, "hoist_http_slow_requests_total",
                   "Requests that took [http] slow_ms and more.", h->slow);
    exposition_one(x, COUNTER, "hoist_connections_accepted_total",
                   "Connections of web servers accepted.", h->accepted);
    if (h->listen_queue >= 0)
        exposition_one(x, GAUGE, "hoist_connections_queued",
                       "Connections that wait to be accepted.", h->listen_queue);
}

/* --- Redis, the spool --- */

static void write_redis(const struct metrics_view *v, struct exposition *x)
{
    const struct publisher_stats *p = &v->publisher;
    exposition_one(x, GAUGE, "hoist_redis_up", "1 while Redis answers.", v->redis_up);
    exposition_one(x, GAUGE, "hoist_redis_breaker_open",
                   "1 while requests do not ask Redis, because it did not answer.",
                   v->breaker_open);
    exposition_begin(x, EXPOSITION_HISTOGRAM, "hoist_redis_round_trip_seconds",
                     "From a pipeline of commands, sent, to its last reply.");
    exposition_histogram(x, NULL, &histogram_redis_us, &v->redis_us);
    exposition_one(x, GAUGE, "hoist_publish_waiting_jobs",
                   "Jobs accepted that Redis was not told of yet.",
                   (int64_t)p->waiting);
    exposition_one(x, GAUGE, "hoist_publish_limit_jobs", "The most that may wait.",
                   PUBLISH_RING_MAX);
    exposition_begin(x, COUNTER, "hoist_publish_jobs_total",
                     "Jobs that Redis was told of; those that it refused, and those "
                     "that did not fit, are left to reconcile.");
    exposition_int(x, LABELS({"result", "published"}), p->published);
    exposition_int(x, LABELS({"result", "refused"}), p->refused);
    exposition_int(x, LABELS({"result", "dropped"}), p->dropped);
}

static void write_spool(const struct metrics_view *v, struct exposition *x)
{
    const struct marks_figures *m = &v->marks;
    exposition_one(x, COUNTER, "hoist_spool_accepted_files_total",
                   "Files accepted into the spool.", m->accepted_files);
    exposition_one(x, COUNTER, "hoist_spool_accepted_bytes_total", "Their bytes.",
                   m->accepted_bytes);
    exposition_begin(x, GAUGE, "hoist_spool_refuses",
                     "1 for the reason why uploads are refused.");
    exposition_int(x, LABELS({"reason", "unusable"}), m->what == WATER_UNUSABLE);
    exposition_int(x, LABELS({"reason", "full"}),
                   m->what != WATER_NOTHING && m->what != WATER_UNUSABLE &&
                       m->what != WATER_REDIS);
    exposition_int(x, LABELS({"reason", "redis"}), m->what == WATER_REDIS);
    if (!m->has_usage)
        return;
    exposition_one(x, GAUGE, "hoist_spool_disk_used_bytes",
                   "Used of the spool's file system, by whatever.", m->usage.bytes);
    exposition_one(x, GAUGE, "hoist_spool_disk_size_bytes", "All that it has.",
                   m->usage.bytes_max);
    if (m->usage.inodes_max > 0) {
        exposition_one(x, GAUGE, "hoist_spool_disk_used_inodes",
                       "Used inodes of the spool's file system.", m->usage.inodes);
        exposition_one(x, GAUGE, "hoist_spool_disk_size_inodes", "All that it has.",
                       m->usage.inodes_max);
    }
    if (m->usage.files < 0)
        return;
    exposition_one(x, GAUGE, "hoist_spool_files",
                   "Uploads in the spool; where [spool] max_files or max_bytes is set.",
                   m->usage.files);
    exposition_one(x, GAUGE, "hoist_spool_bytes", "Their bytes.", m->usage.data_bytes);
}

void metrics_write(const struct metrics_view *v, struct exposition *x)
{
    if (v->queue_count > 0)
        write_queues(v, x);
    write_requests(v, x);
    write_handlers(v, x);
    write_redis(v, x);
    write_spool(v, x);
}
