/*
 * water: how high the spool and Redis stand between their marks, whether uploads are welcome, and if not, when they will
 * be.  Pure: samples in, verdict out, time is an argument.
 *
 *     max   ----------------
 *     high  ----------------  from here on: over, until ...
 *     low   ----------------  ... it is below this one
 *     0     ----------------
 *
 * A refused client is told to come back when the level will have fallen to low, at the rate at which it has been falling
 * lately: DRAIN_MIN_S .. DRAIN_MAX_S seconds, DRAIN_DEFAULT_S where nothing has fallen for DRAIN_STILL_MS.
 */
#ifndef HOIST_FCGI_WATER_H
#define HOIST_FCGI_WATER_H

#include "shared/spool.h"

#include <stdbool.h>
#include <stdint.h>

/* --- How fast something drains --- */

enum {
    DRAIN_MIN_S = 1,
    DRAIN_MAX_S = 300,
    DRAIN_DEFAULT_S = 30,
    DRAIN_STILL_MS = 60000,
    DRAIN_SMOOTH_MS = 5000 /* what was seen so long ago counts half or less */
};

struct drain {         /* all zero: nothing is known */
    double per_second; /* smoothed */
    int64_t at_ms;     /* of the latest note; 0: none */
    int64_t moved_ms;  /* of the latest one that was above 0; 0: none */
};

/* So much (below 0 counts as 0) has drained since the last note; of the first one only the time counts. */
void drain_note(struct drain *d, int64_t amount, int64_t now_ms);
/* What drains in a second; 0: nothing has for DRAIN_STILL_MS. */
double drain_rate(const struct drain *d, int64_t now_ms);
/* In how many seconds, rounded up, so much will have drained at that rate; within the bounds above. */
int drain_seconds(double per_second, int64_t amount);

/* --- One quantity --- */

struct water {         /* all zero: there is no mark, it is never over */
    int64_t high, low; /* high 0: no mark */
    int64_t level;     /* of the latest note; -1: not known, then it is not over */
    bool is_over;
    struct drain drain;
};

/* Marks in percent of max, rounded up; max 0 or high 0: no mark. */
void water_set_marks(struct water *w, int64_t max, int64_t high, int64_t low);
void water_note(struct water *w, int64_t level, int64_t now_ms);
/* How much more there may be until it is over; INT64_MAX without a mark, never below 0. */
int64_t water_room(const struct water *w);
/* Until it is below low: see drain_seconds. */
int water_seconds(const struct water *w, int64_t now_ms);

/* --- All of them --- */

enum water_what { /* which of them speaks; a lower one goes first */
                  WATER_NOTHING,
                  WATER_UNUSABLE, /* the spool is not what it was when it was opened */
                  WATER_BYTES,    /* of the file system */
                  WATER_INODES,
                  WATER_MAX_BYTES, /* [spool] max_bytes */
                  WATER_MAX_FILES,
                  WATER_REDIS, /* its maxmemory */
                  WATER_COUNT
};

struct water_config {
    int64_t spool_high, spool_low; /* percent */
    int64_t max_bytes, max_files;  /* 0: none */
    int64_t redis_high, redis_low; /* percent; high 0: none */
};

struct waters {
    struct water_config config;
    bool is_unusable;
    struct water of[WATER_COUNT];
};

struct water_verdict {
    enum water_what what; /* WATER_NOTHING: uploads are welcome */
    int retry_after; /* seconds; until all that are over are below low; else the default */
    int64_t room_bytes; /* a longer upload does not fit; INT64_MAX: no mark */
    double bytes_rate;  /* at which that room grows, see drain_rate */
    int64_t room_files;
};

void waters_init(struct waters *w, const struct water_config *c);
/* What was measured; usage NULL: the spool cannot be used or measured.  Its files and data_bytes count where they are not
 * -1; they may be an estimate. */
void waters_note_spool(struct waters *w, const struct spool_usage *usage,
                       int64_t now_ms);
/* max 0: Redis has no limit.  used -1: it does not say. */
void waters_note_redis(struct waters *w, int64_t used, int64_t max, int64_t now_ms);
struct water_verdict waters_judge(const struct waters *w, int64_t now_ms);
/* A sentence for people, without a full stop; a constant. */
const char *water_text(enum water_what what);

/* --- What Redis says of its memory --- */

/* used_memory, less what does not count against maxmemory, and maxmemory, out of INFO memory: any bytes.  What is not
 * there, or no number, is -1. */
void water_read_memory(const char *info, size_t len, int64_t *ret_used,
                       int64_t *ret_max);

#endif
