#include "shared/queue_minutes.h"

#include <stdlib.h>
#include <string.h>

enum { PLACE = 10 /* in the reply of status */, DIGITS_MAX = 15 };

static const int64_t minute_ms = 60000;

const char *queue_counter_name(enum queue_counter counter)
{
    static const char *const names[] = {
        [QUEUE_COUNT_ENQUEUED] = "enqueued", [QUEUE_COUNT_DONE] = "done",
        [QUEUE_COUNT_FAILED] = "failed",     [QUEUE_COUNT_DEAD] = "dead",
        [QUEUE_COUNT_BYTES] = "bytes",
    };
    return names[counter];
}

/* The number at *s, which moves to the character behind it.  False: there is none, or a longer one. */
static bool take_number(const char **s, const char *end, int64_t *ret)
{
    const char *start = *s;

    for (*ret = 0; *s < end && **s >= '0' && **s <= '9' && *s - start <= DIGITS_MAX;
         (*s)++)
        *ret = *ret * 10 + (**s - '0');
    return *s > start && *s - start <= DIGITS_MAX;
}

bool queue_minute_parse(const char *s, size_t len, struct queue_minute *ret)
{
    const char *end = s + len;

    if (!take_number(&s, end, &ret->minute))
        return false;
    for (size_t k = 0; k < QUEUE_COUNTERS; k++)
        if (s == end || *s++ != ' ' || !take_number(&s, end, &ret->totals[k]))
            return false;
    return s == end;
}

static int compare(const void *a, const void *b)
{
    const struct queue_minute *x = a, *y = b;

    return x->minute < y->minute ? -1 : x->minute > y->minute;
}

void queue_minutes_reckon(struct queue_minute *begun, size_t count,
                          const int64_t totals[static QUEUE_COUNTERS], int64_t now_ms,
                          struct queue_minutes *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->last = now_ms > 0 ? now_ms / minute_ms : 0;
    qsort(begun, count, sizeof *begun, compare);
    for (size_t i = 0; i < count; i++) {
        const int64_t *next = i + 1 < count ? begun[i + 1].totals : totals;
        int64_t column = begun[i].minute - ret->last + QUEUE_MINUTES - 1;
        if (column < 0 || column >= QUEUE_MINUTES)
            continue;
        for (size_t k = 0; k < QUEUE_COUNTERS; k++)
            if (next[k] > begun[i].totals[k])
                ret->n[k][column] = next[k] - begun[i].totals[k];
    }
}

void queue_parse_minutes(const struct redis_value *v, const struct queue_status *s,
                         struct queue_minutes *ret)
{
    const struct redis_value *fields = redis_value_at(v, PLACE);
    const int64_t totals[QUEUE_COUNTERS] = {s->enqueued_total, s->done_total,
                                            s->failed_total, s->dead_total,
                                            s->done_bytes_total};
    struct queue_minute begun[QUEUE_MINUTE_FIELDS];
    size_t count = 0;

    for (size_t i = 1; i < redis_value_len(fields) && count < QUEUE_MINUTE_FIELDS;
         i += 2) {
        size_t len;
        const char *text = redis_value_str(redis_value_at(fields, i), &len);
        if (queue_minute_parse(text, len, &begun[count]))
            count++;
    }
    queue_minutes_reckon(begun, count, totals, s->now_ms, ret);
}

double queue_minutes_rate(const struct queue_minutes *m, enum queue_counter counter,
                          int64_t now_ms)
{
    const int64_t *n = m->n[counter];
    double gone = (double)(now_ms - m->last * minute_ms) / (double)minute_ms;
    double before = gone < 0 ? 1 : gone > 1 ? 0 : 1 - gone;

    return ((double)n[QUEUE_MINUTES - 1] + (double)n[QUEUE_MINUTES - 2] * before) / 60;
}
