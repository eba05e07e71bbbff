/* Destinations and jobs: when nothing is sent, who probes, who is told. */
#include "worker/flow/flow_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log.h"

/* A probe that failed lets others be the next one. */
enum { BEHIND_MS = 1000 };

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void flow_set_why(struct flow *f, const char *why)
{
    (void)snprintf(f->why, sizeof f->why, "%s", why && *why ? why : "it failed");
}

/* --- one destination --- */

int64_t flow_rest_ms(const struct flow *f)
{
    int64_t now = clock_mono_ms();

    if (!f)
        return 0;
    int64_t until = most(f->paused_until_ms, f->endpoint->quiet_until_ms);
    return most(most(until - now, 0), circuit_wait_ms(&f->circuit, now));
}

enum flow_gate flow_gate(const struct flow *f)
{
    if (!f)
        return FLOW_RUNS;
    if (flow_rest_ms(f) > 0)
        return FLOW_RESTS;
    if (circuit_state(&f->circuit, clock_mono_ms()) == CIRCUIT_CLOSED)
        return FLOW_RUNS;
    return f->circuit.probing ? FLOW_RESTS : FLOW_PROBES;
}

void flow_pause(struct flow *f, int64_t ms, const char *why)
{
    if (!f)
        return;
    f->paused_until_ms = ms > 0 ? clock_mono_ms() + ms : 0;
    if (ms > 0)
        flow_set_why(f, why);
    flow_turn_soon(f->set);
}

/* --- one job --- */

int64_t flow_job_begin(struct flow *f, struct flow_job *j)
{
    int64_t rest = flow_rest_ms(f), now = clock_mono_ms();

    *j = (struct flow_job){0};
    if (rest > 0)
        return rest;
    if (f && circuit_state(&f->circuit, now) == CIRCUIT_HALF_OPEN) {
        if (!circuit_begin_probe(&f->circuit, now))
            return most(f->circuit.delay_ms, CIRCUIT_DELAY_MS);
        j->probes = true;
        flow_turn_soon(f->set);
    }
    j->flow = f;
    return 0;
}

void flow_job_end(struct flow_job *j)
{
    if (j->probes) {
        circuit_end_probe(&j->flow->circuit);
        flow_turn_soon(j->flow->set);
    }
    *j = (struct flow_job){0};
}

int64_t flow_job_excused_ms(const struct flow_job *j, enum retry_class class)
{
    const struct flow *f = j->flow;
    int64_t now = clock_mono_ms();

    if (class != RETRY_TRANSIENT && class != RETRY_THROTTLED)
        return 0;
    if (!f || (circuit_state(&f->circuit, now) == CIRCUIT_CLOSED &&
               f->paused_until_ms <= now))
        return 0;
    return most(flow_rest_ms(f), CIRCUIT_DELAY_MS / 2) + (j->probes ? BEHIND_MS : 0);
}

/* --- changes --- */

static void log_change(struct flow *f, enum flow_gate gate, int64_t now)
{
    int64_t held;

    if (gate == FLOW_RUNS) {
        if (log_limit_passes(&f->said, "works again", now, &held))
            log_info("flow", "destination works again",
                     LOG_STR("destination", f->config->name),
                     LOG_INT("after_ms", now - f->rests_since_ms),
                     log_limit_held(held));
        f->rests_since_ms = 0;
    } else if (f->rests_since_ms == 0) {
        f->rests_since_ms = now;
        if (log_limit_passes(&f->said, f->why, now, &held))
            log_warn("flow", "destination rests: nothing is sent to it",
                     LOG_STR("destination", f->config->name), LOG_STR("why", f->why),
                     LOG_INT("ms", flow_rest_ms(f)), log_limit_held(held));
    }
}

static void tell_changes(struct flows *s)
{
    bool changed = false;

    for (size_t i = 0; i < s->count; i++) {
        enum flow_gate gate = flow_gate(s->of[i]);
        if (gate == s->of[i]->told)
            continue;
        log_change(s->of[i], gate, clock_mono_ms());
        s->of[i]->told = gate;
        changed = true;
    }
    if (changed && s->on_change)
        s->on_change(s->ctx);
}

static void on_turn(uv_timer_t *timer);

/* When the gate of one changes by itself. */
static void arm(struct flows *s)
{
    int64_t first = INT64_MAX;

    for (size_t i = 0; i < s->count; i++) {
        int64_t rest = flow_rest_ms(s->of[i]);
        if (rest > 0 && rest < first)
            first = rest;
    }
    uv_update_time(s->timer.loop);
    if (first < INT64_MAX) /* cannot fail */
        (void)uv_timer_start(&s->timer, on_turn, (uint64_t)first, 0);
}

static void on_turn(uv_timer_t *timer)
{
    struct flows *s = timer->data;

    arm(s); /* first: what is called from here may ask for a turn sooner */
    tell_changes(s);
    for (size_t i = 0; i < s->endpoint_count; i++)
        flow_queue_turn(s->endpoints[i]);
}

void flow_turn_soon(struct flows *s)
{
    (void)uv_timer_start(&s->timer, on_turn, 0, 0); /* cannot fail */
}

/* --- all of them --- */

void flows_listen(struct flows *s, void (*on_change)(void *ctx), void *ctx)
{
    s->on_change = on_change;
    s->ctx = ctx;
}

void flows_describe(const struct flows *s, struct buf *b)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct flow *f = s->of[i];
        if (flow_gate(f) != FLOW_RUNS)
            buf_printf(b, "%s%s (%s)", b->len ? ", " : "", f->config->name, f->why);
    }
}

enum err_code flows_open(uv_loop_t *loop, struct flows **ret, struct err *e)
{
    struct flows *s = calloc(1, sizeof *s);

    if (!s)
        return err_set(e, ERR_NOMEM, "no memory for flow control");
    (void)uv_timer_init(loop, &s->timer); /* cannot fail */
    s->timer.data = s;
    *ret = s;
    return ERR_OK;
}

/* Of a URL: what stands before its path. */
static size_t endpoint_len(const char *url)
{
    const char *host = strstr(url, "://");
    size_t scheme_len = host ? (size_t)(host + 3 - url) : 0;

    return scheme_len + strcspn(url + scheme_len, "/?#");
}

static struct flow_endpoint *find_endpoint(struct flows *s, const char *url,
                                           unsigned ceiling)
{
    size_t len = endpoint_len(url);

    for (size_t i = 0; i < s->endpoint_count; i++)
        if (strlen(s->endpoints[i]->name) == len &&
            strncmp(s->endpoints[i]->name, url, len) == 0)
            return s->endpoints[i];
    struct flow_endpoint *e = calloc(1, sizeof *e);
    if (!e || !(e->name = strndup(url, len))) {
        free(e);
        return NULL;
    }
    aimd_init(&e->aimd, ceiling);
    retry_budget_init(&e->budget, clock_mono_ms());
    s->endpoints[s->endpoint_count++] = e;
    return e;
}

struct flow *flows_add(struct flows *s, const struct config_destination *config,
                       const char *url)
{
    unsigned ceiling = (unsigned)config->max_requests;

    for (size_t i = 0; s && i < s->count; i++)
        if (s->of[i]->config == config)
            return s->of[i];
    if (!s || s->count == CONFIG_DESTINATIONS_MAX)
        return NULL;
    struct flow_endpoint *e = find_endpoint(s, url, ceiling);
    struct flow *f = e ? calloc(1, sizeof *f) : NULL;
    if (!f)
        return NULL; /* an endpoint without a destination does no harm */
    if (ceiling < e->aimd.ceiling)
        aimd_set_ceiling(&e->aimd, ceiling);
    f->set = s;
    f->config = config;
    f->endpoint = e;
    circuit_init(&f->circuit, (unsigned)config->breaker_failures,
                 config->breaker_max_seconds * 1000);
    s->of[s->count++] = f;
    return f;
}

static void on_closed(uv_handle_t *handle)
{
    struct flows *s = handle->data;

    for (size_t i = 0; i < s->count; i++)
        free(s->of[i]);
    for (size_t i = 0; i < s->endpoint_count; i++) {
        free(s->endpoints[i]->name);
        free(s->endpoints[i]);
    }
    free(s);
}

void flows_close(struct flows *s)
{
    if (s)
        uv_close((uv_handle_t *)&s->timer, on_closed);
}
