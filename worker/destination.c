#include "worker/destination.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/clock.h"

void outcome_release(struct outcome *o)
{
    free(o->url);
    free(o->etag);
    free(o->detail);
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

int64_t destination_sent(const struct destination *d, const struct destination_run *run)
{
    return d->ops->sent(run);
}

void destination_release(struct destination *d)
{
    if (d)
        d->ops->release(d);
}
