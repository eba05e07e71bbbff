/*
 * check: the verdict on a run: what clients were told against what is in the store, the spool and Redis.
 *
 *     ledger ---.                                        accepted unknown refused objects duplicates lost partial orphans
 *     store  ---+--> check_run --> struct check_result --> I1 ... I14, each with its first offenders by name
 *     spool  ---+
 *     Redis  ---'    + what was watched while the run was on: poller (I9), watch (I8, I10), processes (I13)
 *
 * To be called when clients have stopped, all faults are healed, and all jobs have ended or the time for it is over.  One pass
 * over each of ledger, store, spool: O(n log n) at most.  What the caller gives no source for is not checked, and says so: an
 * invariant is `passed` only when it was looked at.  Nothing is changed but for the dump that is made of Redis (I12).
 *
 *   | invariant | looked at                                                                                              |
 *   | --------- | ------------------------------------------------------------------------------------------------------ |
 *   | I1        | each accepted upload has a whole object, or (may_die) its job is dead and its bytes are in the spool     |
 *   | I2        | each object is whole, under the key of its own job, of an upload that was accepted or whose answer was lost |
 *   | I3        | one object an upload; none replaced (index, access log) or vanished                                    |
 *   | I4        | each upload without an answer has one whole object or none                                             |
 *   | I5        | tmp/ has nothing older than tmp_age_ms; jobs/ only both files of dead jobs; no hidden files at the store |
 *   | I6        | no job waits, is scheduled or runs; no object is later than settle_ms after its 202                     |
 *   | I7        | no upload in parts is open at the store                                                                |
 *   | I8, I10   | watch.h; and one more look at the end for I10                                                          |
 *   | I9        | poller.h                                                                                               |
 *   | I12       | secrets in logs, answers (paths), and in a dump of Redis                                               |
 *   | I13       | procs.h                                                                                                |
 *   | I14       | no report of a sanitizer or a failed assertion in the logs, no core below `cores`, no crash that the caller saw |
 */
#ifndef HOIST_TESTS_CHAOS_CHECK_H
#define HOIST_TESTS_CHAOS_CHECK_H

#include "shared/err.h"
#include "tests/chaos/ledger.h"
#include "tests/chaos/poller.h"
#include "tests/chaos/procs.h"
#include "tests/chaos/store.h"
#include "tests/chaos/watch.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { CHECK_OFFENDERS = 5, CHECK_OFFENDER_MAX = 200, CHECK_INVARIANTS = 14 };

#define CHECK_OFF(i) (1u << (i)) /* CHECK_OFF(8) | CHECK_OFF(10) */

struct check_options {
    const struct ledger_record *ledger;
    const struct store *store;
    const char *spool_dir; /* NULL: I5 knows the store only */
    const char *redis_url; /* NULL: neither dead jobs nor I6, I10 and the dump of I12 */
    const char *const *queues; /* up to NULL */

    /* What was watched; each may be NULL. */
    const struct store_changes *changes;
    const struct store_puts *puts;
    const struct watch_counts *watched;
    const struct poller_counts *polled;
    const struct procs_sample *before, *after; /* process_count of each, in any order */
    size_t process_count;
    struct procs_slack slack;

    const char *const
        *logs; /* files and directories, for I12 and I14; up to NULL; may be NULL */
    const char *const *secrets; /* up to NULL; may be NULL */
    const char *cores;          /* directory in which cores would be; may be NULL */
    int64_t crashes;   /* ends of programs by a signal that the run did not send */
    const char *crash; /* the first of them, in words */

    unsigned off; /* CHECK_OFF(i): not looked at in this run */
    bool may_die; /* jobs were meant to die: dead with its bytes kept is no loss */
    bool
        may_replace; /* the store takes a PUT over an object that is there (no If-None-Match): the same bytes again are no
                         violation of I3, and counted as replaced */
    int64_t tmp_age_ms; /* 0: nothing may be in tmp/ */
    int64_t settle_ms;  /* 0: no bound */
    int64_t
        kills; /* faults of the run, for the bound 3/n; 0: of accepted uploads alone */
};

struct check_finding {
    bool checked;
    int64_t violations;
    char offenders[CHECK_OFFENDERS][CHECK_OFFENDER_MAX]; /* the first ones; "" */
};

struct check_result {
    int64_t accepted, unknown, refused,
        broken; /* uploads, by their ends in the ledger */
    int64_t objects;
    int64_t duplicates; /* objects beyond the first of their upload */
    int64_t lost;       /* accepted, no whole object, and not dead with its bytes */
    int64_t
        partial; /* objects that are not some upload byte for byte, or another job's bytes */
    int64_t
        orphans; /* whole objects of uploads that were refused, broken off or never made */
    int64_t arrived; /* of unknown: there, whole */
    int64_t dead;    /* accepted, and dead with their bytes kept */
    int64_t replaced;
    int64_t slowest_ms; /* from 202 to object, the longest; 0: none */
    int64_t kills;
    struct check_finding
        invariants[CHECK_INVARIANTS + 1]; /* by number; 0 and 11 are not used */
};

/* ERR_OK: judged, whatever the verdict.  Else it could not be: ERR_CONFIG, ERR_RETRY (a source cannot be read), ERR_NOMEM. */
MUST_CHECK enum err_code check_run(const struct check_options *o,
                                   struct check_result *ret, struct err *e);

/* True when nothing that was looked at is violated, and there was something to judge (accepted > 0). */
bool check_passed(const struct check_result *r);

/* The table, the bound 3/n, and the offenders. */
void check_print(FILE *to, const struct check_result *r);

/* Whether all jobs of these queues have ended, as Redis says: to wait for, before check_run.  ret_text says what is left.  False also
 * when it cannot be asked. */
bool check_is_quiet(const char *redis_url, const char *const *queues, char *ret_text,
                    size_t size);

#endif
