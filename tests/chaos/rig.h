/*
 * rig: a small hoist for directed faults: Redis, one responder, up to two workers, nginx; each started, killed and looked at by
 * itself, with the directories wherever the caller wants them.
 *
 *     nginx <dir>/web.sock -> hoist-fcgi <dir>/f.sock -> <spool>, Redis <dir>/r.sock <- hoist-worker -> objects or S3
 *
 * Everything that waits has a deadline; what does not come up aborts the program and shows its log.  Children die with the
 * thread that starts them (spawn.h): one thread.
 */
#ifndef HOIST_TESTS_CHAOS_RIG_H
#define HOIST_TESTS_CHAOS_RIG_H

#include "shared/redis.h"
#include "tests/chaos/check.h"
#include "tests/support/spawn.h"
#include "tests/support/tmpdir.h"

#include <stdbool.h>
#include <stdint.h>

enum { RIG_WORKERS = 2 };

struct rig_options {
    const char *build; /* where fcgi-app/hoist-fcgi and worker/hoist-worker are */
    const char *spool; /* directory; NULL: below the rig's own */
    const char *
        redis_dir; /* of its append-only file, every second synced; NULL: it keeps nothing */
    const char *objects;   /* of the file: destination; NULL: below the rig's own */
    const char *endpoint;  /* of an S3 server: then the destination is s3://bucket */
    int64_t lease_ms;      /* 0: 10 s */
    int reconcile_seconds; /* 0: 1 s */
};

struct rig {
    struct rig_options options;
    struct tmpdir dir;
    struct tmpdir_file spool, objects, config, log;
    struct tmpdir_file web, fcgi_socket, redis_socket; /* where they listen */
    char redis_url[TMPDIR_FILE_MAX + 16];
    char address[TMPDIR_FILE_MAX + 16]; /* of nginx, for clients.h */
    struct spawn redis, fcgi, nginx, workers[RIG_WORKERS];
    struct redis *client;
    int64_t
        aof_repairs; /* times Redis did not start before redis-check-aof --fix had been there */
};

/* Files and directories; nothing runs yet.  The strings of the options are copied where they are needed later. */
void rig_init(struct rig *r, const struct rig_options *o);
/* Kill what runs; remove the directory, or keep it, for who wants to look. */
void rig_release(struct rig *r, bool keep);

/* Each returns when it answers.  An append-only file that a power cut has left with a tail of zeros (ext4 may record the length
 * of an append before its bytes) keeps Redis from starting: then what Redis itself names is done, redis-check-aof --fix, and
 * counted.  preload: LD_PRELOAD of the responder; NULL: none. */
void rig_start_redis(struct rig *r);
void rig_start_fcgi(struct rig *r, const char *preload);
void rig_start_nginx(struct rig *r);
void rig_start_worker(struct rig *r, unsigned which);
/* kill -9 of all but nginx, all at once, and wait. */
void rig_kill(struct rig *r);

/* How many manifests there are in jobs/. */
int64_t rig_spooled(const struct rig *r);
/* How many of them Redis has no record of; -1: it cannot be asked. */
int64_t rig_unknown_to_redis(struct rig *r);
/* One command, words divided by blanks; what it answers as a number, or its text's first len bytes.  False: an error. */
bool rig_ask(struct rig *r, const char *command, int64_t *ret_number, char *ret_text,
             size_t size);

/* --- rig_judge.c --- */

/* Wait until all jobs have ended and jobs/ is empty; false, and ret_text says what is left, when that takes longer. */
bool rig_settle(struct rig *r, int deadline_ms, char *ret_text, size_t size);
/* The ledger at this path against the store, the spool and Redis (check.h, but for I5: what a cut leaves in tmp/, and data
 * without a manifest, is swept after a day; see the state table in shared/spool.h).  Aborts when it cannot be judged. */
struct check_result rig_judge(struct rig *r, const char *ledger_path, int64_t kills);

#endif
