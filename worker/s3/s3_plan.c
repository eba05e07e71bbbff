#include "worker/s3/s3_plan.h"

#include <stdlib.h>
#include <string.h>

enum {
    MIB = 1024 * 1024,
    PART_SIZE = 8 * MIB,
    PLANNED_PARTS = 9000, /* of 10,000: a little room for what grows while it is read */
    DOUBLE_EACH = 1000,
    PEERS_MIN = 4,
    SLOW_MS = 5000,
    LIMIT_MIN_MS = 2000,
    LIMIT_MORE_MS = 1000
};

static const int64_t part_max = INT64_C(5) * 1024 * MIB;

struct s3_plan s3_plan_make(int64_t size, int64_t wanted)
{
    int64_t least = (size / PLANNED_PARTS + MIB) / MIB * MIB;
    int64_t part = wanted > 0 ? wanted : PART_SIZE;

    if (size / part >= PLANNED_PARTS && part < least)
        part = least;
    int64_t count = size / part + (size % part != 0);
    return (struct s3_plan){size, part, (int)count};
}

int64_t s3_plan_offset(const struct s3_plan *p, int number)
{
    return (number - 1) * p->part_size;
}

int64_t s3_plan_len(const struct s3_plan *p, int number)
{
    int64_t left = p->size - s3_plan_offset(p, number);

    return left < p->part_size ? left : p->part_size;
}

int64_t s3_plan_stream_len(int64_t first, int number)
{
    int64_t len = first > 0 ? first : PART_SIZE;

    for (int n = DOUBLE_EACH; n < number && len < part_max; n += DOUBLE_EACH)
        len *= 2;
    return len < part_max ? len : part_max;
}

void s3_pace_note(struct s3_pace *p, int64_t ms)
{
    p->took_ms[p->count++ % S3_PACE_PEERS] = ms;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

int64_t s3_pace_limit_ms(const struct s3_pace *p)
{
    unsigned known = p->count < S3_PACE_PEERS ? p->count : S3_PACE_PEERS;
    int64_t sorted[S3_PACE_PEERS], sum = 0;

    if (known < PEERS_MIN)
        return -1;
    memcpy(sorted, p->took_ms, sizeof sorted);
    qsort(sorted, known, sizeof sorted[0], by_time);
    for (unsigned i = 0; i < known; i++)
        sum += sorted[i];
    if (sum / known >= SLOW_MS)
        return -1;
    int64_t limit = 3 * sorted[(known * 9 - 1) / 10] + LIMIT_MORE_MS;
    return limit > LIMIT_MIN_MS ? limit : LIMIT_MIN_MS;
}
