#include "worker/queue/sift.h"

enum { ONE = 1000, FEW_A_SECOND = 1, MANY_A_SECOND = 100 };

bool sift_is_mixed(const struct sift *s, int64_t now_ms)
{
    return s->mixed_ms > 0 && now_ms - s->mixed_ms < SIFT_MIXED_MS;
}

static int64_t rate(const struct sift *s, int64_t now_ms)
{
    return sift_is_mixed(s, now_ms) ? MANY_A_SECOND : FEW_A_SECOND;
}

static void fill(struct sift *s, int64_t now_ms)
{
    int64_t max = (int64_t)ONE * SIFT_AT_ONCE;
    int64_t ms = now_ms - s->at_ms;

    if (s->at_ms == 0 || ms > SIFT_MIXED_MS)
        ms = SIFT_MIXED_MS; /* long enough for all */
    s->at_ms = now_ms;
    s->allowed +=
        ms * rate(s, now_ms); /* thousandths in a ms: as many as jobs a second */
    if (s->allowed > max)
        s->allowed = max;
}

size_t sift_allows(struct sift *s, int64_t now_ms)
{
    fill(s, now_ms);
    return s->allowed > 0 ? (size_t)(s->allowed / ONE) : 0;
}

void sift_take(struct sift *s, size_t count)
{
    s->allowed -= (int64_t)count * ONE;
}

void sift_give_back(struct sift *s, size_t count)
{
    s->allowed += (int64_t)count * ONE;
}

void sift_saw_other(struct sift *s, int64_t now_ms)
{
    s->mixed_ms = now_ms;
}
