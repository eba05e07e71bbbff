/*
 * check_internal: what the files of check share.
 *
 *     check.c          the order of things; what was watched (I8, I9, I10, I13), logs and cores (I12, I14)
 *     check_objects.c  ledger against store (I1, I2, I3, I4)
 *     check_spool.c    what is left in the spool (I5), bytes of dead jobs
 *     check_redis.c    what Redis says: dead jobs, I6, I10, and its dump
 *     check_print.c    the table
 */
#ifndef HOIST_TESTS_CHAOS_CHECK_INTERNAL_H
#define HOIST_TESTS_CHAOS_CHECK_INTERNAL_H

#include "tests/chaos/check.h"
#include "tests/chaos/map.h"

#include <stdarg.h>

struct check {
    const struct check_options *o;
    struct check_result *r;
    struct map
        dead; /* uuid of each dead job -> which of its files were met: 1 data, 2 manifest */
    struct store_walk_counts walked;
};

/* Whether this one is to be looked at in this run; if so it counts as looked at. */
bool check_wants(struct check *c, int invariant);
void check_offend(struct check *c, int invariant, const char *fmt, ...) PRINTF(3, 4);

MUST_CHECK enum err_code check_objects(struct check *c, struct err *e);
MUST_CHECK enum err_code check_spool(struct check *c, struct err *e);
/* I1: the bytes of a dead job are in the spool, whole. */
bool check_has_bytes(const struct check *c, const char *job_id, int64_t n);

MUST_CHECK enum err_code check_load_dead(struct check *c, struct err *e);
MUST_CHECK enum err_code check_queues(struct check *c, struct err *e);
/* Make a dump and look for secrets in it; told by `found` of the same kind as of scan_files. */
MUST_CHECK enum err_code check_dump(struct check *c, struct err *e);
/* A secret or a report was found; ctx is struct check. */
void check_found_secret(void *ctx, const char *path, const char *needle, int64_t at);

#endif
