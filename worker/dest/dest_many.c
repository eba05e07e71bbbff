#include "worker/dest/dest_many.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cleanup.h"
#include "shared/job_arrived.h"
#include "worker/flow/flow.h"

struct dest_many {
    struct destination base;
    uv_loop_t *loop;
    const struct destinations *destinations;
};

/* One destination of a job. */
struct member {
    struct destination_run *all;
    const char *name;
    struct destination *to;
    struct destination_run *run; /* while it has the bytes */
    struct flow_job flow;
    bool came_before;       /* an earlier attempt was there */
    struct outcome outcome; /* once run is over */
};

struct destination_run {
    struct dest_many *dest;
    struct destination_work work; /* its fd is closed: each has its own */
    struct to_list list;
    struct member members[TO_LIST_MAX];
    size_t under_way;
    bool aborting;
    struct buf arrived; /* packed, of this run */
    uv_timer_t later;   /* for an outcome known before begin returned */
    struct outcome outcome;
};

static bool has_arrived(const struct member *m)
{
    return m->came_before || m->outcome.done;
}

static bool is_failed(const struct member *m)
{
    return !has_arrived(m) && m->outcome.hold_ms <= 0;
}

/* --- what all of them come to --- */

/* The place of the first of these, or count. */
static size_t find(const struct destination_run *run,
                   bool (*is)(const struct member *m))
{
    size_t i = 0;

    while (i < run->list.count && !is(&run->members[i]))
        i++;
    return i;
}

static bool is_missing(const struct member *m)
{
    return !has_arrived(m);
}

static bool is_aborted(const struct member *m)
{
    return m->outcome.aborted;
}

static bool is_mendable(const struct member *m)
{
    return is_failed(m) && m->outcome.class != RETRY_NEVER;
}

static bool is_held(const struct member *m)
{
    return m->outcome.hold_ms > 0;
}

static bool is_absent(const struct member *m)
{
    return m->outcome.absent;
}

static bool is_blind(const struct member *m)
{
    return m->outcome.blind;
}

static bool is_unclear(const struct member *m)
{
    return !m->outcome.done && !m->outcome.blind;
}

static bool is_earlier(const struct member *m)
{
    return m->outcome.earlier;
}

static void conclude_done(struct destination_run *run)
{
    struct member *first = &run->members[0];
    const struct job_arrived *before = job_find_arrived(run->work.job, first->name);
    struct outcome *o = &run->outcome;

    o->done = true;
    o->earlier = find(run, is_earlier) < run->list.count;
    o->url = first->outcome.url;
    o->etag = first->outcome.etag;
    first->outcome.url = first->outcome.etag = NULL; /* they are ours now */
    if (first->came_before && before && *before->url)
        o->url = strdup(before->url);
}

/* "a: why; b: why" of all that have not got it. */
static void describe(const struct destination_run *run, struct buf *b)
{
    for (size_t i = 0; i < run->list.count; i++) {
        const struct member *m = &run->members[i];
        if (has_arrived(m))
            continue;
        buf_puts_all(b, (const char *const[]){b->len > 0 ? "; " : "", m->name, ": ",
                                              m->outcome.detail ? m->outcome.detail
                                                                : m->outcome.error,
                                              NULL});
    }
}

/* The failure, hold, or look that could not be done, of the one that counts. */
static void conclude_as(struct destination_run *run, const struct member *m)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT(TO_LIST_MAX * (JOB_ERROR_MAX + 64));
    struct outcome *o = &run->outcome;

    describe(run, &text);
    outcome_fail(o, m->outcome.class, "%s", text.data);
    o->error_class = m->outcome.error_class;
    o->detail = text.len >= sizeof o->error ? buf_detach(&text) : NULL;
    for (size_t i = 0; i < run->list.count; i++) {
        const struct outcome *one = &run->members[i].outcome;
        if (one->retry_after_ms > o->retry_after_ms)
            o->retry_after_ms = one->retry_after_ms;
        if (is_held(m) && one->hold_ms > 0 &&
            (o->hold_ms == 0 || one->hold_ms < o->hold_ms))
            o->hold_ms = one->hold_ms;
    }
}

static void conclude_look(struct destination_run *run)
{
    size_t count = run->list.count, blind = find(run, is_blind);
    size_t unclear = find(run, is_unclear);

    if (find(run, is_absent) < count) {
        run->outcome.absent = true;
    } else if (unclear < count) {
        conclude_as(run, &run->members[unclear]);
    } else if (run->members[0].outcome.done || blind == count) {
        conclude_done(run);
    } else {
        conclude_as(run, &run->members[blind]);
        run->outcome.blind = true;
    }
}

static void conclude(struct destination_run *run)
{
    size_t count = run->list.count, mendable = find(run, is_mendable);
    size_t held = find(run, is_held), missing = find(run, is_missing);

    if (run->aborting || find(run, is_aborted) < count) {
        run->outcome.aborted = missing < count;
        if (missing == count)
            conclude_done(run);
    } else if (run->work.only_look) {
        conclude_look(run);
    } else if (missing == count) {
        conclude_done(run);
    } else {
        size_t counts = mendable < count ? mendable : held < count ? held : missing;
        conclude_as(run, &run->members[counts]);
    }
}

/* --- the end of a run --- */

static int64_t mean_sent(const struct destination_run *run)
{
    int64_t sum = 0;

    assert(run->list.count > 0); /* no list is empty */
    for (size_t i = 0; i < run->list.count; i++) {
        const struct member *m = &run->members[i];
        sum += has_arrived(m) ? run->work.job->size
               : m->run       ? destination_sent(m->to, m->run)
                              : m->outcome.sent;
    }
    return sum / (int64_t)run->list.count;
}

static void on_run_closed(uv_handle_t *handle)
{
    struct destination_run *run = handle->data;

    for (size_t i = 0; i < run->list.count; i++)
        outcome_release(&run->members[i].outcome);
    buf_release(&run->arrived);
    outcome_release(&run->outcome);
    free(run);
}

static void deliver(struct destination_run *run)
{
    conclude(run);
    run->outcome.sent = mean_sent(run);
    if (run->arrived.len > 0)
        run->outcome.arrived = buf_detach(&run->arrived);
    run->work.done(&run->outcome, run->work.ctx);
    uv_close((uv_handle_t *)&run->later, on_run_closed);
}

static void on_later(uv_timer_t *timer)
{
    deliver(timer->data);
}

static void on_member_done(struct outcome *o, void *ctx)
{
    struct member *m = ctx;
    struct destination_run *run = m->all;

    m->run = NULL;
    m->outcome = *o;
    memset(o, 0, sizeof *o); /* its strings are ours now */
    if (!m->outcome.done && !m->outcome.aborted && m->outcome.hold_ms == 0)
        m->outcome.hold_ms = flow_job_excused_ms(&m->flow, m->outcome.class);
    flow_job_end(&m->flow);
    if (m->outcome.done && !run->work.only_look)
        (void)job_pack_arrived(&run->arrived, m->name,
                               m->outcome.url); /* there is room */
    if (--run->under_way == 0)
        deliver(run);
}

/* --- the beginning --- */

static void begin_member(struct member *m)
{
    struct destination_run *run = m->all;
    struct destination_work w = run->work;

    m->to = destinations_find(run->dest->destinations, m->name);
    if (!m->to) {
        outcome_fail(&m->outcome, RETRY_CONFIG, "is not configured");
        return;
    }
    int64_t rest_ms = flow_job_begin(m->to->flow, &m->flow);
    if (rest_ms > 0) {
        outcome_hold(&m->outcome, rest_ms);
        return;
    }
    if (w.fd >= 0)
        w.fd = fcntl(w.fd, F_DUPFD_CLOEXEC, 3);
    w.done = on_member_done;
    w.ctx = m;
    if (w.fd >= 0 || run->work.fd < 0)
        m->run = destination_begin(m->to, &w);
    if (m->run) {
        run->under_way++;
        return;
    }
    fd_close(&w.fd);
    flow_job_end(&m->flow);
    outcome_fail(&m->outcome, RETRY_TRANSIENT,
                 "no memory or descriptor to begin the upload");
}

static struct destination_run *many_begin(struct destination *d,
                                          const struct destination_work *w)
{
    struct destination_run *run = calloc(1, sizeof *run);
    struct err e = ERR_INIT;

    if (!run)
        return NULL;
    run->dest = (struct dest_many *)d;
    run->work = *w;
    buf_init(&run->arrived, JOB_ARRIVED_PACKED_MAX);
    if (to_list_parse(w->job->to, strlen(w->job->to), &run->list, &e) != ERR_OK)
        abort(); /* it was found by this list */
    run->later.data = run;
    (void)uv_timer_init(run->dest->loop, &run->later); /* cannot fail */
    for (size_t i = 0; i < run->list.count; i++) {
        struct member *m = &run->members[i];
        *m = (struct member){.all = run, .name = run->list.names[i]};
        m->came_before = !w->only_look && job_find_arrived(w->job, m->name) != NULL;
        if (!m->came_before)
            begin_member(m);
    }
    fd_close(&run->work.fd);
    if (run->under_way == 0)
        (void)uv_timer_start(&run->later, on_later, 0, 0);
    return run;
}

/* --- the interface --- */

static void many_abort(struct destination_run *run)
{
    run->aborting = true;
    for (size_t i = 0; i < run->list.count; i++)
        if (run->members[i].run)
            destination_abort(run->members[i].to, run->members[i].run);
}

static void many_progress(const struct destination_run *run,
                          struct destination_progress *ret)
{
    ret->phase = DESTINATION_FINISHING;
    ret->sent = mean_sent(run);
    ret->total = run->work.job->size;
    ret->arrived = run->arrived.len > 0 ? run->arrived.data : NULL;
    for (size_t i = 0; i < run->list.count; i++) {
        const struct member *m = &run->members[i];
        if (!m->run)
            continue;
        struct destination_progress one = destination_progress(m->to, m->run);
        if (one.phase < ret->phase)
            ret->phase = one.phase;
        ret->parts += one.parts;
        ret->parts_done += one.parts_done;
    }
}

static void many_release(struct destination *d)
{
    free(d);
}

enum err_code dest_many_open(uv_loop_t *loop, const struct destinations *destinations,
                             struct destination **ret, struct err *e)
{
    static const struct destination_ops ops = {many_begin, many_abort, many_progress,
                                               many_release};
    struct dest_many *d = calloc(1, sizeof *d);

    if (!d)
        return err_set(e, ERR_NOMEM, "no memory for a destination");
    d->base = (struct destination){.ops = &ops};
    d->loop = loop;
    d->destinations = destinations;
    *ret = &d->base;
    return ERR_OK;
}
