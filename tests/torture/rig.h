/*
 * rig: what a run of the torture needs around the program: Redis, a spool, directories of objects, an object store that
 * misbehaves, the control page, and the program itself, either with the preload before it or clean.
 *
 *     <dir>/spool  <dir>/objects (destination default)  <dir>/late (destination late)  <dir>/f.sock  <dir>/log
 *
 * What fails in here is the rig's own trouble and aborts the driver with a message.  One thread at a time.
 */
#ifndef HOIST_TESTS_TORTURE_RIG_H
#define HOIST_TESTS_TORTURE_RIG_H

#include "shared/redis.h"
#include "shared/spool.h"
#include "tests/support/redis_fixture.h"
#include "tests/support/s3_faulty.h"
#include "tests/support/spawn.h"
#include "tests/support/tmpdir.h"
#include "tests/torture/control.h"

#include <stdbool.h>
#include <stddef.h>

struct rig {
    struct redis_fixture redis;
    struct tmpdir dir;
    struct tmpdir_file spool_dir, objects, late, socket, log, config, control_file;
    struct spool *spool;
    struct redis *client;
    struct s3_faulty *s3;
    struct torture_control *control;
    const char *fcgi, *worker, *preload; /* paths of what is tortured */
    int started;                         /* programs so far; names workers */
};

void rig_up(struct rig *rig);
void rig_down(struct rig *rig);

/* How a program is started. */
struct rig_start {
    bool is_worker, is_clean;
    const char *const *prefix; /* a command before it (strace); NULL: none */
    const char *log_path;      /* NULL: rig->log, emptied */
    int nofile;                /* its limit of descriptors; 0: unchanged */
};
/* Started, not yet ready. */
void rig_start(struct rig *rig, const struct rig_start *how, struct spawn *ret);
/* Ready: the responder answers /healthz, the worker has registered.  False: it has ended, or the deadline passed. */
bool rig_is_ready(struct rig *rig, bool is_worker, struct spawn *s, int deadline_ms);

/* Forget the order, counts included. */
void rig_disarm(struct rig *rig);
void rig_arm(struct rig *rig);

/* Redis knows nothing any more, the directories hold nothing. */
void rig_empty(struct rig *rig);

/* Files in a directory below dir, which is relative to the rig's. */
size_t rig_count(const struct rig *rig, const char *dir);
/* Descriptors that this process has; 0 when it is gone. */
size_t rig_descriptors(const struct spawn *s);
/* Whether this text stands in the log. */
bool rig_log_has(const struct rig *rig, const char *text);

#endif
