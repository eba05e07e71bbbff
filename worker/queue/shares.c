#include "worker/queue/shares.h"

/* Divisible by the weights people choose. */
#define SLOT_COST UINT64_C(5040000)

static uint64_t cost(const struct share *share)
{
    return share->weight > 0 ? SLOT_COST / share->weight : 0;
}

void shares_want(struct shares *s, size_t i, bool wants)
{
    struct share *share = &s->of[i];

    if (wants && !share->wants && share->used < s->now)
        share->used = s->now;
    share->wants = wants;
}

/* Who gets the next slot, count when nobody wants it.  Strict: nothing costs anything, so the first. */
static size_t next(const struct shares *s, const uint64_t *used)
{
    size_t best = s->count;

    for (size_t i = 0; i < s->count; i++)
        if (s->of[i].wants && (best == s->count || used[i] < used[best]))
            best = i;
    return best;
}

void shares_allot(const struct shares *s, size_t slots, size_t *ret_slots)
{
    uint64_t used[CONFIG_QUEUES_MAX];

    for (size_t i = 0; i < s->count; i++) {
        used[i] = s->of[i].used;
        ret_slots[i] = 0;
    }
    for (; slots > 0; slots--) {
        size_t i = next(s, used);
        if (i == s->count)
            return;
        used[i] += cost(&s->of[i]);
        ret_slots[i]++;
    }
}

void shares_take(struct shares *s, size_t i, size_t slots)
{
    if (slots == 0)
        return;
    s->of[i].used += slots * cost(&s->of[i]);
    if (s->now < s->of[i].used - cost(&s->of[i]))
        s->now = s->of[i].used - cost(&s->of[i]);
}

void shares_give_back(struct shares *s, size_t i, size_t slots)
{
    s->of[i].used -= slots * cost(&s->of[i]);
}
