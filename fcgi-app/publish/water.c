#include "fcgi-app/publish/water.h"

#include <assert.h>
#include <string.h>

/* --- How fast something drains --- */

void drain_note(struct drain *d, int64_t amount, int64_t now_ms)
{
    int64_t passed_ms = now_ms - d->at_ms;
    if (d->at_ms == 0)
        d->at_ms = now_ms;
    if (passed_ms <= 0 || d->at_ms == now_ms)
        return;
    double now = amount > 0 ? (double)amount * 1000 / (double)passed_ms : 0;
    double weight = (double)passed_ms / (double)(passed_ms + DRAIN_SMOOTH_MS);
    d->per_second = d->moved_ms == 0 ? now /* the first of all */
                                     : d->per_second + weight * (now - d->per_second);
    d->at_ms = now_ms;
    if (amount > 0)
        d->moved_ms = now_ms;
}

double drain_rate(const struct drain *d, int64_t now_ms)
{
    bool is_still = d->moved_ms == 0 || now_ms - d->moved_ms >= DRAIN_STILL_MS;
    return is_still ? 0 : d->per_second;
}

int drain_seconds(double per_second, int64_t amount)
{
    if (per_second <= 0)
        return DRAIN_DEFAULT_S;
    double seconds = (double)amount / per_second;
    if (seconds >= DRAIN_MAX_S)
        return DRAIN_MAX_S;
    int whole = (int)seconds;
    whole += seconds > whole;
    return whole < DRAIN_MIN_S ? DRAIN_MIN_S : whole;
}

/* --- One quantity --- */

static int64_t part_of(int64_t max, int64_t percent)
{
    return max / 100 * percent + (max % 100 * percent + 99) / 100;
}

void water_set_marks(struct water *w, int64_t max, int64_t high, int64_t low)
{
    w->high = max > 0 && high > 0 ? part_of(max, high) : 0;
    w->low = w->high > 0 ? part_of(max, low) : 0;
}

void water_note(struct water *w, int64_t level, int64_t now_ms)
{
    if (w->high == 0 || level < 0) {
        w->level = -1;
        w->is_over = false;
        return;
    }
    if (w->level >= 0)
        drain_note(&w->drain, w->level - level, now_ms);
    w->level = level;
    if (level >= w->high)
        w->is_over = true;
    else if (level < w->low || level == 0)
        w->is_over = false;
}

int64_t water_room(const struct water *w)
{
    if (w->high == 0 || w->level < 0)
        return INT64_MAX;
    return !w->is_over && w->level < w->high ? w->high - w->level : 0;
}

int water_seconds(const struct water *w, int64_t now_ms)
{
    return drain_seconds(drain_rate(&w->drain, now_ms), w->level - w->low + 1);
}

/* --- All of them --- */

void waters_init(struct waters *w, const struct water_config *c)
{
    *w = (struct waters){.config = *c};
    for (size_t i = 0; i < WATER_COUNT; i++)
        w->of[i].level = -1;
}

void waters_note_spool(struct waters *w, const struct spool_usage *usage,
                       int64_t now_ms)
{
    const struct water_config *c = &w->config;
    w->is_unusable = usage == NULL;
    if (!usage)
        return;
    const struct {
        enum water_what what;
        int64_t level, max;
    } all[] = {
        {WATER_BYTES, usage->bytes, usage->bytes_max},
        {WATER_INODES, usage->inodes, usage->inodes_max},
        {WATER_MAX_BYTES, usage->data_bytes, c->max_bytes},
        {WATER_MAX_FILES, usage->files, c->max_files},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct water *one = &w->of[all[i].what];
        water_set_marks(one, all[i].max, c->spool_high, c->spool_low);
        water_note(one, all[i].level, now_ms);
    }
}

void waters_note_redis(struct waters *w, int64_t used, int64_t max, int64_t now_ms)
{
    struct water *redis = &w->of[WATER_REDIS];
    water_set_marks(redis, max, w->config.redis_high, w->config.redis_low);
    water_note(redis, used, now_ms);
}

/* Until the last of those that are over is so no more; that nothing is over may be news to one who found no room. */
static int longest(const struct waters *w, int64_t now_ms)
{
    int most = 0;
    for (size_t i = WATER_BYTES; i < WATER_COUNT; i++) {
        int seconds = w->of[i].is_over ? water_seconds(&w->of[i], now_ms) : 0;
        if (seconds > most)
            most = seconds;
    }
    return most > 0 ? most : DRAIN_DEFAULT_S;
}

static const struct water *tighter(const struct water *a, const struct water *b)
{
    return water_room(a) <= water_room(b) ? a : b;
}

struct water_verdict waters_judge(const struct waters *w, int64_t now_ms)
{
    const struct water *bytes = tighter(&w->of[WATER_BYTES], &w->of[WATER_MAX_BYTES]);
    const struct water *files = tighter(&w->of[WATER_INODES], &w->of[WATER_MAX_FILES]);
    struct water_verdict v = {
        .what = w->is_unusable ? WATER_UNUSABLE : WATER_NOTHING,
        .retry_after = w->is_unusable ? DRAIN_DEFAULT_S : longest(w, now_ms),
        .room_bytes = water_room(bytes),
        .bytes_rate = drain_rate(&bytes->drain, now_ms),
        .room_files = water_room(files),
    };
    for (size_t i = WATER_BYTES; i < WATER_COUNT && !v.what; i++)
        if (w->of[i].is_over)
            v.what = (enum water_what)i;
    return v;
}

const char *water_text(enum water_what what)
{
    static const char *const texts[] = {
        [WATER_NOTHING] = "uploads are welcome",
        [WATER_UNUSABLE] = "the spool cannot be used",
        [WATER_BYTES] = "the spool's disk is nearly full",
        [WATER_INODES] = "the spool's disk can hold hardly any more files",
        [WATER_MAX_BYTES] = "the spool holds about as many bytes as it may",
        [WATER_MAX_FILES] = "the spool holds about as many uploads as it may",
        [WATER_REDIS] = "the memory of the queue is nearly full",
    };
    assert((size_t)what < WATER_COUNT);
    return texts[what];
}

/* --- What Redis says of its memory --- */

/* The number behind name, a whole "\nname:"; -1: none. */
static int64_t read_line(const char *info, size_t len, const char *name)
{
    const char *end = info + len, *at = memmem(info, len, name, strlen(name));
    int64_t n = 0;
    if (!at)
        return -1;
    at += strlen(name);
    const char *first = at;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        if (at - first == 18)
            return -1;
        n = n * 10 + (*at - '0');
    }
    return at > first ? n : -1;
}

void water_read_memory(const char *info, size_t len, int64_t *ret_used,
                       int64_t *ret_max)
{
    int64_t used = read_line(info, len, "\nused_memory:");
    int64_t apart = read_line(info, len, "\nmem_not_counted_for_evict:");
    if (used >= 0 && apart > 0)
        used = apart < used ? used - apart : 0;
    *ret_used = used;
    *ret_max = read_line(info, len, "\nmaxmemory:");
}
