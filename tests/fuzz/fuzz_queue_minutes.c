/*
 * fuzz queue_minutes: the first line is the time in ms, the second what the counters are now, six numbers as a minute has them;
 * each line after that is a field of the minutes' hash, or nonsense.  No column is negative, none counts what was not there,
 * and a minute that was understood can be written again.
 */
#include "tests/fuzz/value.h"

#include "shared/cleanup.h"
#include "shared/queue_minutes.h"

#include <inttypes.h>
#include <stdio.h>

/* The numbers again, without zeros in front. */
static void check_line(const char *line)
{
    char again[128];
    struct queue_minute m, same;

    if (!queue_minute_parse(line, strlen(line), &m))
        return;
    int len = snprintf(again, sizeof again, "%" PRId64, m.minute);
    for (size_t k = 0; k < QUEUE_COUNTERS; k++) {
        must(m.totals[k] >= 0);
        len +=
            snprintf(again + len, sizeof again - (size_t)len, " %" PRId64, m.totals[k]);
    }
    must(queue_minute_parse(again, (size_t)len, &same));
    must(memcmp(&m, &same, sizeof m) == 0 && (size_t)len <= strlen(line));
}

static struct redis_value *text_value(const char *s)
{
    char *copy = strdup(s);

    must(copy != NULL);
    return value_of_line(copy, strlen(copy));
}

/* The reply of status, with the fields (name and value) in their place. */
static struct redis_value *reply_with(struct redis_value *fields, const char *now,
                                      const struct queue_minute *totals)
{
    static const int place[QUEUE_COUNTERS] = {0, 1, 2, 4, 9};
    struct redis_value *reply = value_new(REDIS_ARRAY);

    for (int i = 0; i < 12; i++)
        value_add(reply, i == 6    ? value_new(REDIS_ARRAY)
                         : i == 10 ? fields
                         : i == 11 ? text_value(now)
                                   : value_new(REDIS_INTEGER));
    for (int i = 0; i < 10; i++)
        value_add(reply->items[6], value_new(REDIS_INTEGER));
    for (int k = 0; k < QUEUE_COUNTERS; k++)
        reply->items[6]->items[place[k]]->integer = totals->totals[k];
    return reply;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    CLEANUP(str_free) char *now = take_line(&at, end);
    CLEANUP(str_free) char *line = take_line(&at, end);
    struct redis_value *fields = value_new(REDIS_ARRAY);
    struct queue_minute totals = {.minute = 0};
    struct queue_status s = {.ready = 0};
    struct queue_minutes m;
    struct err e = ERR_INIT;

    if (!queue_minute_parse(line, strlen(line), &totals))
        totals = (struct queue_minute){.minute = 0};
    while (at < end) {
        char *field = take_line(&at, end);
        check_line(field);
        value_add(fields, text_value("7"));
        value_add(fields, value_of_line(field, strlen(field)));
    }
    struct redis_value *reply = reply_with(fields, now, &totals);
    must(queue_parse_status(reply, &s, &e) == ERR_OK);
    queue_parse_minutes(reply, &s, &m);
    for (int k = 0; k < QUEUE_COUNTERS; k++) {
        for (size_t i = 0; i < QUEUE_MINUTES; i++)
            must(m.n[k][i] >= 0 && m.n[k][i] <= INT64_C(1000000000000000));
        double rate = queue_minutes_rate(&m, (enum queue_counter)k, s.now_ms);
        must(rate >= 0 && rate < 1e15);
    }
    value_free(reply);
    return 0;
}
