#include "worker/dest/destination.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/clock.h"

void outcome_release(struct outcome *o)
{
    free(o->url);
    free(o->etag);
    free(o->detail);
    free(o->arrived);
    *o = (struct outcome){0};
}

void outcome_fail(struct outcome *o, enum retry_class class, const char *fmt, ...)
{
    va_list args;

    o->done = false;
    o->class = class;
    o->error_class = retry_class_name(class);
    va_start(args, fmt);
    (void)vsnprintf(o->error, sizeof o->error, fmt,
                    args); /* a cut text is still text */
    va_end(args);
}

void outcome_fail_err(struct outcome *o, const struct err *e)
{
    outcome_fail(o,
                 e->code == ERR_REJECT   ? RETRY_NEVER
                 : e->code == ERR_CONFIG ? RETRY_CONFIG
                                         : RETRY_TRANSIENT,
                 "%s", e->text);
}

void outcome_hold(struct outcome *o, int64_t rest_ms)
{
    outcome_fail(o, RETRY_TRANSIENT, "the destination rests");
    o->hold_ms = rest_ms > 0 ? rest_ms : 1;
}

bool destination_is_late(const struct destination_work *w)
{
    return w->until_ms && clock_boot_ms() >= atomic_load(w->until_ms);
}

struct destination_run *destination_begin(struct destination *d,
                                          const struct destination_work *w)
{
    return d->ops->begin(d, w);
}

void destination_abort(struct destination *d, struct destination_run *run)
{
    d->ops->abort(run);
}

struct destination_progress destination_progress(const struct destination *d,
                                                 const struct destination_run *run)
{
    struct destination_progress p = {.total = -1};

    d->ops->progress(run, &p);
    return p;
}

int64_t destination_sent(const struct destination *d, const struct destination_run *run)
{
    return destination_progress(d, run).sent;
}

const char *destination_phase_name(enum destination_phase phase)
{
    static const char *const names[] = {"queued", "reading", "converting", "uploading",
                                        "finishing"};

    return names[phase];
}

void destination_release(struct destination *d)
{
    if (d)
        d->ops->release(d);
}
