/*
 * directed: single faults, each aimed at one rule, against a small hoist (rig.h); for tests/chaos/mutants/run, which shows that
 * a hoist that breaks the rule is caught, and one that does not is not.
 *
 *     directed --build DIR SCENARIO        status 0: the rule was kept; 1: not, and a line "I<n>: what was seen" says so
 *
 * The invariants are those of tests/chaos/README.md.  A scenario has a rig, and where it needs one a store that misbehaves
 * (s3_faulty.h) and keeps digests of objects.  Every wait has a deadline.
 */
#ifndef HOIST_TESTS_CHAOS_DIRECTED_H
#define HOIST_TESTS_CHAOS_DIRECTED_H

#include "tests/chaos/rig.h"
#include "tests/support/s3_faulty.h"

#include <stdbool.h>
#include <stdint.h>

enum { DIRECTED_MS = 10000, DIRECTED_LEASE_MS = 1000, DIRECTED_UPLOAD_MAX = 60000 };

struct directed {
    const char *build;
    const char *preload; /* library that spoils an fdatasync (spoil_sync.c) */
    struct rig rig;
    struct s3_faulty *s3; /* NULL: objects are files */
    struct body_plan plan;
    int violations;
};

/* Redis and the responder, with a store that misbehaves or without; no worker. */
void directed_up(struct directed *d, bool s3);
/* Say what was seen: "I1", and the rest. */
void directed_violated(struct directed *d, const char *invariant, const char *fmt, ...)
    PRINTF(3, 4);

/* An upload to this uri ("%lld" stands for n), of which only `send` bytes are sent (-1: all).  Its status; the id where
 * that is 202. */
int directed_upload(struct directed *d, int64_t n, const char *uri, int64_t send,
                    char ret_id[static ID_JOB_MAX + 1]);
/* The same, whole, which must be accepted. */
void directed_accept(struct directed *d, int64_t n, char ret_id[static ID_JOB_MAX + 1]);

/* A field of a job's record in Redis; "" where there is none. */
void directed_field(struct directed *d, const char *id, const char *name, char *ret,
                    size_t size);
bool directed_is(struct directed *d, const char *id, const char *state);
/* Done, dead or cancelled. */
bool directed_has_ended(struct directed *d, const char *id);

enum directed_object { OBJECT_MISSING, OBJECT_OTHER, OBJECT_WHOLE };
/* What stands under this job's key, compared with upload n. */
enum directed_object directed_object(struct directed *d, const char *id, int64_t n);
/* The promise of upload n: in time its object is there whole and its job done.  What is not so is a violation. */
void directed_expect_arrived(struct directed *d, const char *id, int64_t n);

/* The scenarios. */
void scenario_killed_worker(struct directed *d);
void scenario_error_in_200(struct directed *d);
void scenario_same_key(struct directed *d);
void scenario_flipped_bit(struct directed *d);
void scenario_forgetful_redis(struct directed *d);
void scenario_short_body(struct directed *d);
void scenario_spoiled_sync(struct directed *d);
void scenario_stale_token(struct directed *d);

#endif
