#include "worker/metrics/metrics.h"

#include "shared/process_figures.h"
#include "worker/metrics/metrics_file.h"
#include "worker/metrics/metrics_listen.h"
#include "worker/metrics/metrics_text.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 128 };

struct metrics {
    struct metrics_parts parts;
    struct metrics_listen *listen;
    struct metrics_file *file;
    char name[NAME_MAX_BYTES]; /* of the file, without its end */
    struct metrics_look look;
};

static void look_at_flows(struct metrics *m)
{
    const struct config *config = m->look.config;

    for (size_t i = 0; i < config->destination_count; i++) {
        const struct flow *f =
            destinations_flow(m->parts.destinations, config->destinations[i].name);
        m->look.flows[i] = (struct metrics_flow){.is_there = f != NULL};
        if (!f)
            continue;
        m->look.flows[i].gate = flow_gate(f);
        m->look.flows[i].requests = flow_figures(f);
    }
}

static void write_all(struct metrics *m, struct exposition *x)
{
    const struct metrics_parts *p = &m->parts;
    struct metrics_look *l = &m->look;

    l->config = p->env->config;
    l->tally = p->env->tally;
    l->is_alive = p->alive->is_alive;
    l->drains = p->transfers->draining;
    l->quiet = p->transfers->quiet;
    l->slots = p->env->config->worker.concurrency;
    l->busy = (int64_t)p->transfers->occupied;
    l->redis_up = redis_async_is_ready(p->env->redis);
    l->redis_pending = (int64_t)redis_async_pending(p->env->redis);
    l->redis_us = redis_async_round_trips(p->env->redis);
    look_at_flows(m);
    process_figures_write("hoist-worker", x);
    metrics_text_write(l, x);
}

static void write_answer(struct buf *b, void *ctx)
{
    struct exposition x = {.out = b};

    write_all(ctx, &x);
}

static void write_file(struct buf *b, void *ctx)
{
    struct metrics *m = ctx;
    struct exposition x = {.out = b, .common = EXPOSITION_LABELS({"worker", m->name})};

    write_all(m, &x);
}

static void name_file(struct metrics *m, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
    size_t len = dot ? (size_t)(dot - base) : strlen(base);

    if (len >= sizeof m->name)
        len = sizeof m->name - 1;
    memcpy(m->name, base, len);
}

enum err_code metrics_open(const struct metrics_parts *parts, struct metrics **ret,
                           struct err *e)
{
    const struct config_worker *w = &parts->env->config->worker;
    struct metrics *m = calloc(1, sizeof *m);
    struct listen_at at;

    if (!m)
        return err_set(e, ERR_NOMEM, "no memory for metrics");
    m->parts = *parts;
    name_file(m, w->metrics_file);
    enum err_code code = ERR_OK;
    if (*w->metrics_listen)
        code = listen_at_parse(w->metrics_listen, &at, e);
    if (*w->metrics_listen && !code)
        code =
            metrics_listen_open(parts->env->loop, &at, write_answer, m, &m->listen, e);
    if (*w->metrics_file && !code)
        code = metrics_file_open(parts->env->loop, w->metrics_file, write_file, m,
                                 &m->file, e);
    if (code) {
        metrics_close(m);
        return code;
    }
    *ret = m;
    return ERR_OK;
}

void metrics_close(struct metrics *m)
{
    if (!m)
        return;
    metrics_listen_close(m->listen);
    metrics_file_close(m->file);
    free(m); /* neither calls back from here on */
}
