/*
 * exposition: metrics as Prometheus reads them, its text format 0.0.4.  Pure.
 *
 *     exposition_begin(&x, EXPOSITION_GAUGE, "hoist_queue_jobs", "Jobs in the queue, by state.");
 *     exposition_int(&x, EXPOSITION_LABELS({"queue", "media"}, {"state", "ready"}), 12);
 *
 *     # HELP hoist_queue_jobs Jobs in the queue, by state.
 *     # TYPE hoist_queue_jobs gauge
 *     hoist_queue_jobs{queue="media",state="ready"} 12
 *
 * Names are ours and follow Prometheus' rules: hoist_, the base unit (seconds, bytes), _total at the end of a counter and of
 * nothing else; a name that does not is a bug of ours (assert), as is a family that is begun twice in a row.  A family is
 * begun once, and all its samples follow it.  What stands in labels may be anything: backslash, quote and line feed are
 * escaped, what is not UTF-8 is U+FFFD, since one wrong byte would make a reader refuse all of it.
 *
 * The text ends up in a struct buf, which says whether all has fitted.  Sources: "Exposition formats" and "Metric and label
 * naming" of prometheus.io.
 */
#ifndef HOIST_SHARED_EXPOSITION_H
#define HOIST_SHARED_EXPOSITION_H

#include "shared/buf.h"
#include "shared/histogram.h"

#define EXPOSITION_MEDIA_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum exposition_type { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM };

struct exposition_label {
    const char *name, *value;
};

/* Up to one whose name is NULL. */
#define EXPOSITION_LABELS(...)                                                         \
    (const struct exposition_label[])                                                  \
    {                                                                                  \
        __VA_ARGS__,                                                                   \
        {                                                                              \
            NULL, NULL                                                                 \
        }                                                                              \
    }

struct exposition {
    struct buf *out;                       /* the caller's */
    const struct exposition_label *common; /* of each sample, first; NULL: none */
    const char *name;                      /* of the family under way */
    enum exposition_type type;
};

void exposition_begin(struct exposition *x, enum exposition_type type, const char *name,
                      const char *help);
/* labels NULL: none.  Any double: NaN, +Inf and -Inf are numbers here. */
void exposition_int(struct exposition *x, const struct exposition_label *labels,
                    int64_t value);
void exposition_number(struct exposition *x, const struct exposition_label *labels,
                       double value);
/* value / per_unit, as 1500 ms are 1.5 seconds. */
void exposition_ratio(struct exposition *x, const struct exposition_label *labels,
                      int64_t value, int64_t per_unit);
/* Its _bucket for each bound and +Inf, _sum and _count. */
void exposition_histogram(struct exposition *x, const struct exposition_label *labels,
                          const struct histogram_scale *scale,
                          const struct histogram_sum *h);
/* A family of one sample without labels. */
void exposition_one(struct exposition *x, enum exposition_type type, const char *name,
                    const char *help, int64_t value);

#endif
