/*
 * id: names that need no coordination.
 *
 *     media.0193c0de-7a1b-7c3d-9e4f-0123456789ab
 *     queue '.' UUIDv7 (RFC 9562 section 5.7)
 *
 * The queue part routes an id to its Redis slot without a look-up.  The UUID carries its creation time (48 bits of
 * milliseconds, then 12 bits of the fraction of the millisecond: method 3 of section 6.2, so that the ids of one
 * process sort by creation) and 62 bits from getrandom(2), so that it cannot be guessed.  Each thread asks for those of 32
 * ids at once; a child of fork(2) asks anew.
 * A run of a schedule has an id that is a function of the schedule and the time (id_of_tick).
 * Pure but for id_new, which reads the clock and the kernel's random numbers.  Thread-safe.
 */
#ifndef HOIST_SHARED_ID_H
#define HOIST_SHARED_ID_H

#include "shared/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ID_UUID_LEN = 36,
    ID_QUEUE_MAX = 32,
    ID_JOB_MAX = ID_QUEUE_MAX + 1 + ID_UUID_LEN
};

struct uuid {
    char text[ID_UUID_LEN + 1]; /* lower case, NUL-terminated */
};

struct job_id {
    char queue[ID_QUEUE_MAX + 1];
    struct uuid uuid;
};

/* A fresh UUIDv7.  Aborts when the kernel has no random numbers: nothing safe could follow. */
struct uuid id_new(void);

/* The same from its parts, for tests: ns is the time since the epoch, random the 62 low bits. */
struct uuid id_format_uuid(int64_t ns, uint64_t random);

/*
 * The id of one run of a schedule: its ms is the tick, all other bits come from SHA-256 of name and tick, so that all who
 * know both make the same one.  Other than the rest it can be guessed by whoever knows them.
 * ERR_NOMEM, ERR_CONFIG: as digest.h says.
 */
MUST_CHECK enum err_code id_of_tick(const char *name, int64_t tick_ms,
                                    struct uuid *ret_uuid, struct err *e);

/* [a-z0-9][a-z0-9_-]{0,31} */
bool id_is_queue(const char *s, size_t len);
/* A UUID of version 7, lower case, 36 characters. */
bool id_is_uuid(const char *s, size_t len);

/* Parse QUEUE.UUID of exactly len bytes; false, and *ret_id untouched, for anything else. */
bool id_parse_job(const char *s, size_t len, struct job_id *ret_id);
/* Write QUEUE.UUID, NUL-terminated. */
void id_format_job(const struct job_id *id, char ret_text[static ID_JOB_MAX + 1]);

/* The creation time in a UUIDv7, ms since the epoch. */
int64_t id_uuid_ms(const char *uuid);

#endif
