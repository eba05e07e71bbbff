/*
 * policy_marks: one small file for each policy that was good for one upload and has been used.
 *
 *     <spool>/policies/<id>     0600, empty; last changed: when the policy expires
 *
 * A mark is made with O_EXCL, so that of all who use one policy at the same time, in however many processes on this spool, one
 * makes it; and with its directory it is synced before anybody is told (where the spool is durable).  So it outlives
 * whatever happens to Redis, to a process or to the power.  The first one makes the directory.
 *
 * What has expired is refused without a mark: an hour later the mark is swept away, POLICY_MARKS_SLICE of them a call.
 * Thread-safe but for the sweep, which belongs to one thread.
 */
#ifndef HOIST_FCGI_POLICY_MARKS_H
#define HOIST_FCGI_POLICY_MARKS_H

#include "fcgi-app/auth/policy.h"
#include "shared/config.h"
#include "shared/err.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    POLICY_MARKS_SLICE = 1000,
    POLICY_MARKS_KEEP = 3600, /* seconds after the policy has expired: clocks differ */
    POLICY_MARKS_PAUSE_MS = 600000 /* between two sweeps */
};

/* *ret_used: there is one already; nothing is made then.  ERR_RETRY: no space, no descriptors, a sync that failed; ERR_CONFIG: the
 * directory is closed to us.  Not ERR_OK: there is none. */
MUST_CHECK enum err_code policy_marks_make(const struct config_spool *spool,
                                           const struct policy *p, bool *ret_used,
                                           struct err *e);
/* False also where it cannot be seen: make will tell. */
bool policy_marks_has(const struct config_spool *spool, const struct policy *p);
/* What it was made for did not come about. */
void policy_marks_remove(const struct config_spool *spool, const struct policy *p);

struct policy_sweep {
    void *dir;       /* being read; NULL: none */
    int64_t next_ms; /* monotonic: the next sweep */
};

/* Once in a while; now is in seconds since 1970. */
void policy_marks_sweep(struct policy_sweep *s, const struct config_spool *spool,
                        int64_t now, int64_t mono_ms);
void policy_sweep_release(struct policy_sweep *s);

#endif
