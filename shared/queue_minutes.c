#include "shared/queue_minutes.h"

#include "shared/queue.h"

#include <string.h>

enum { PLACES = 64, NUMBERS = 1 + QUEUE_COUNTERS, PLACE_BYTES = NUMBERS * 8 };

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

void queue_minutes_cmd(struct redis_cmd *c, const char *queue)
{
    redis_cmd_begin(c, "GET");
    queue_add_key(c, queue, "minutes");
}

static int64_t number_at(const char *s)
{
    uint64_t n = 0;

    for (size_t i = 0; i < 8; i++)
        n = n << 8 | (unsigned char)s[i];
    return n <= INT64_MAX ? (int64_t)n : 0;
}

void queue_minutes_parse(const char *s, size_t len, int64_t now_ms,
                         struct queue_minutes *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->last = now_ms > 0 ? now_ms / minute_ms : 0;
    for (int64_t i = 0; i < QUEUE_MINUTES; i++) {
        int64_t minute = ret->last - (QUEUE_MINUTES - 1) + i;
        size_t at = minute > 0 ? (size_t)(minute % PLACES) * PLACE_BYTES : len;
        if (at + PLACE_BYTES > len || number_at(s + at) != minute)
            continue;
        for (size_t k = 0; k < QUEUE_COUNTERS; k++)
            ret->n[k][i] = number_at(s + at + 8 * (k + 1));
    }
}

double queue_minutes_rate(const struct queue_minutes *m, enum queue_counter counter,
                          int64_t now_ms)
{
    const int64_t *n = m->n[counter];
    int64_t into_ms = now_ms - m->last * minute_ms;
    double before = 1 - (double)(into_ms < 0           ? 0
                                 : into_ms < minute_ms ? into_ms
                                                       : minute_ms) /
                            (double)minute_ms;

    return ((double)n[QUEUE_MINUTES - 1] + (double)n[QUEUE_MINUTES - 2] * before) / 60;
}
