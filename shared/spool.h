/*
 * spool: the directory that holds every accepted upload.  It is the truth; Redis is an index of it.
 *
 *     <dir>/tmp/   <uuid>.data <uuid>.json     being written, belongs to one request
 *     <dir>/jobs/  <queue>.<uuid>.data         the bytes alone; none where they are yet to be fetched (job_is_spooled)
 *                  <queue>.<uuid>.json         the manifest (shared/job.h)
 *                  <queue>.<uuid>.job          or both in one: the manifest, which is the first line, then the bytes alone
 *                  <queue>.<uuid>.new          that one being written
 *     <dir>/keys/  <hash of owner and key>       idempotency keys of requests (spool_keys.h)
 *     <dir>/parts/ <queue>.<uuid>.<destination>.parts   what a store may hold of an upload in parts (spool_parts.h)
 *
 * Commit, in this order:  data written, synced  ->  manifest written, synced  ->  data renamed into jobs/
 *                         ->  manifest renamed into jobs/  ->  jobs/ synced  ->  the 202 may be sent.
 * The manifest's rename is the moment of the promise.  Unlink, after the job ended: manifest first, then data.
 *
 * A small upload (small_bytes), the only one of its request, which nobody must hear of before its promise (spool_ready),
 * stands in one file, which takes four calls instead of nine and one sync less:  .new written, synced  ->  renamed to .job, the moment
 * of the promise  ->  jobs/ synced.  `tail -n +2 FILE` prints its bytes.  Readers take a job as it stands: of whoever shares
 * a spool, those who write .job files must be updated last.
 *
 * State table: what stands on disk, what Redis may say, who mends it.
 *
 *   | tmp/ | jobs/             | Redis                         | meaning                        | next                            |
 *   | ---- | ----------------- | ----------------------------- | ------------------------------ | ------------------------------- |
 *   | any  | -                 | -                             | upload in progress, or debris  | request; swept in minutes       |
 *   | -    | .data             | no job                        | crash between the two renames  | sweep after a day (no promise)  |
 *   | -    | .data + .json     | no job                        | accepted; push lost or to come | publisher, else reconcile       |
 *   | -    | .data + .json     | live job                      | accepted, indexed              | a worker                        |
 *   | -    | .data + .json     | done, cancelled               | ended; unlink did not happen   | worker, else reconcile          |
 *   | -    | .data + .json     | dead                          | kept for people                | retry or cancel                 |
 *   | -    | .data             | done, cancelled               | crash between the two unlinks  | sweep after a day               |
 *   | -    | .data             | live job, dead                | the same, then Redis set back  | as with .json, until the sweep  |
 *   | -    | - or .json        | live job, its object is there | uploaded, then Redis set back  | worker: done                    |
 *   | -    | - or .json        | live job, no object           | bytes were deleted by someone  | worker: dead, "spool missing"   |
 *   | -    | - or .json        | dead                          | the same                       | retry: as live; or cancel       |
 *   | -    | .json             | no job                        | the same                       | reconcile: pushed, then as live |
 *   | -    | .json             | done, cancelled               | the same                       | reconcile                       |
 *   | -    | two .data + .json | one live, one no job          | on its way to another queue    | reconcile: both run, one object |
 *   | -    | -                 | done, cancelled, no job       | over                           | nothing                         |
 *
 * A .job is .data and .json in this table, of which there is never one without the other:
 *
 *   | jobs/ | Redis                         | meaning                        | next                                          |
 *   | ----- | ----------------------------- | ------------------------------ | --------------------------------------------- |
 *   | .new  | no job                        | being written, or debris       | request; swept in minutes, as what is in tmp/ |
 *   | .job  | any                           | as .data + .json               | as there                                      |
 *
 * Of a job whose bytes are not in the spool (its source is a URL or a command), accepted over HTTP:
 *
 *   | tmp/  | jobs/             | Redis                         | meaning                        | next                            |
 *   | ----- | ----------------- | ----------------------------- | ------------------------------ | ------------------------------- |
 *   | .json | -                 | -                             | request in progress, or debris | request; swept in minutes       |
 *   | -     | .json             | no job                        | accepted; push lost or to come | publisher, else reconcile       |
 *   | -     | .json             | live job                      | accepted, indexed              | a worker fetches the bytes      |
 *   | -     | .json             | done, cancelled               | ended; unlink did not happen   | worker, else reconcile          |
 *   | -     | .json             | dead                          | kept for people                | retry or cancel                 |
 *   | -     | -                 | live job                      | made by a schedule; or done,   | a worker: fetched (again), the  |
 *   |       |                   |                               | then Redis set back            | object there must be the same   |
 *
 * Errors of fsync, fdatasync and close: never tried again (the kernel may have dropped the pages and would report
 * success): the upload is refused, its files unlinked (a power cut at that moment may undo the unlinks: then it is one
 * more .data + .json without a job).  When SPOOL_SYNC_ERRORS of these have come with no commit of this
 * handle that went well in between, begin takes no more uploads, until spool_check has seen that syncs work: it does what
 * a commit does with a small file of its own, and removes it (what a crash leaves of it is a .data of the queue "probe").
 * A sync that fails for lack of room (ENOSPC, EDQUOT) says nothing about the disk, and does not count.
 *
 * Files are 0600; the directory must belong to the effective user and be closed to others (0700).  Files are
 * opened relative to directory descriptors, by ids only, without following symbolic links; what is read back must
 * be a regular file with one link (data: with few, see spool_clone).  Several processes share one spool; any number of
 * threads share one handle.
 */
#ifndef HOIST_SHARED_SPOOL_H
#define HOIST_SHARED_SPOOL_H

#include "shared/buf.h"
#include "shared/digest.h"
#include "shared/err.h"
#include "shared/id.h"
#include "shared/job.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    SPOOL_SYNC_ERRORS = 3,
    SPOOL_SMALL_MAX = 64 * 1024 /* small_bytes at most */
};

struct config;
struct spool; /* a handle; thread-safe */

struct spool_options {
    const char *dir;     /* made where it is missing; its parent must exist; copied */
    bool durable;        /* sync before the promise; false is `durability = memory` */
    bool own_filesystem; /* dir must be where something is mounted, that is, of another
                            device than its parent; it is then never made */
    size_t small_bytes;  /* a lone upload of so many stands in one file; 0: none */
};

/* Open, creating what is missing.  ERR_CONFIG: wrong owner or rights, not a directory, tmp/ and jobs/ on different
 * file systems, nothing mounted there (own_filesystem; nothing is made in it then); the text says what is and what is
 * allowed. */
MUST_CHECK enum err_code spool_open(const struct spool_options *o,
                                    struct spool **ret_spool, struct err *e);
/* The same as [spool] of the configuration says; ERR_CONFIG names the file and the line of its dir, too. */
MUST_CHECK enum err_code spool_open_config(const struct config *c,
                                           struct spool **ret_spool, struct err *e);
void spool_close(struct spool *s); /* takes NULL */

/* --- Writing one upload: begin, write ..., then commit or abort.  One thread at a time. --- */

struct spool_upload {
    int fd;        /* tmp/<uuid>.data; -1 when none is open */
    bool is_small; /* there is no file yet: its bytes stand in small */
    struct buf small;
    struct uuid uuid; /* also the job's; "" when there is nothing to commit or abort */
    int64_t size;     /* bytes written so far */
    uint32_t crc32c;  /* of them */
    int64_t expected; /* bytes that room has been taken for, those written included */
    struct digest_sha256 sha256; /* the spool's own, which keeps a few for reuse */
    bool is_adopted; /* the bytes are there already: spool_write only digests them */
    bool is_summed;  /* sum is set */
    uint8_t sum[DIGEST_SHA256_BYTES];
};

#define SPOOL_UPLOAD_INIT                                                              \
    {                                                                                  \
        .fd = -1                                                                       \
    }

/* An upload that is digested and stored nowhere: write, sum, abort.  ERR_NOMEM, ERR_CONFIG as of digest.h. */
MUST_CHECK enum err_code
spool_begin_digest(struct spool *s, struct spool_upload *ret_upload, struct err *e);
/* ERR_RETRY: no space, no descriptors (the request is to be refused with 507 or 503, see spool_is_full), or syncs fail.
 * ERR_CONFIG: the directory is gone, read-only or closed to us.  The same holds for write and commit.  While an upload is small it
 * stands in memory, and what is wrong with the disk shows at its commit. */
MUST_CHECK enum err_code spool_begin(struct spool *s, struct spool_upload *ret_upload,
                                     struct err *e);
/* So many bytes are to come: take the room for them now (fallocate, size unchanged), so that what cannot fit is refused
 * before it is sent.  Where the file system cannot do that nothing happens.  After begin, before the first write; more or
 * fewer bytes may come all the same: commit gives back what is left over.
 * ERR_RETRY with spool_is_full: there is no room; the upload must be aborted, which gives back what was taken.  Other
 * errors as of begin. */
MUST_CHECK enum err_code spool_expect(struct spool *s, struct spool_upload *u,
                                      int64_t size, struct err *e);
/* Instead of begin: the bytes stand in a file of this user that somebody else has written, on the spool's file system.  It is
 * moved into tmp/ (a rename: not a byte is copied), and is the spool's from then on.  What is read from f->fd is told to
 * spool_write, in order and up to the end, which digests it and writes nothing; the rest goes as with any upload.
 * ERR_REJECT  it is not what stands at f->name any more (what does has been removed), has another owner or another name, or
 *             somebody holds a lock on it
 * ERR_CONFIG  it is gone, on another file system, or the directory is closed to us; other errors as of begin */
struct spool_foreign {
    int dir_fd;       /* where it stands ... */
    const char *name; /* ... and as what, without a '/' */
    int fd;           /* it, open for reading; stays the caller's */
};
MUST_CHECK enum err_code spool_adopt(struct spool *s, const struct spool_foreign *f,
                                     struct spool_upload *ret_upload, struct err *e);
/* Whether a directory is on the spool's file system, as spool_adopt needs it. */
MUST_CHECK enum err_code spool_check_adoptable(const struct spool *s, int dir_fd,
                                               struct err *e);
/* Append; short writes and EINTR are seen to.  On failure the upload must be aborted.  A program with a limit on file
 * sizes must ignore SIGXFSZ. */
MUST_CHECK enum err_code spool_write(struct spool *s, struct spool_upload *u,
                                     const void *data, size_t len, struct err *e);
/* The SHA-256 of what was written, before it is committed; no more may be written then.  Also for an upload that was summed
 * already. */
MUST_CHECK enum err_code spool_sum(struct spool_upload *u,
                                   uint8_t ret_sum[DIGEST_SHA256_BYTES], struct err *e);
/* Remove what was written.  Takes an upload that was never begun, committed or aborted. */
void spool_abort(struct spool *s, struct spool_upload *u);

/* Called when all of a request stands in tmp/, complete, before the first rename; not ERR_OK: no promise is made, and that is
 * its code.  undo: it went well, but the promise could not be made; before anything that was renamed is removed. */
struct spool_ready {
    enum err_code (*ready)(void *ctx, struct err *e);
    void (*undo)(void *ctx);
    void *ctx;
};

/* Jobs of one request; ready may be NULL. */
struct spool_set {
    struct spool_upload *uploads;
    struct job *jobs;
    size_t count;
    const struct spool_ready *ready;
};

/* Make the promise for count uploads of one request, jobs[i] belonging to uploads[i]: source, id.uuid, size, sha256 and
 * crc32c of the jobs are set from the uploads, and `created` where it is 0; of the id only the queue must be set before.
 * Directory syncs are shared between the threads that commit at the same time.
 * ERR_OK: all are on disk.  Otherwise: none is; what was written has been removed; the uploads are aborted.
 * ERR_REJECT: a job cannot be written as a manifest (shared/job.h). */
MUST_CHECK enum err_code spool_commit(struct spool *s, struct spool_upload *uploads,
                                      struct job *jobs, size_t count, struct err *e);
MUST_CHECK enum err_code spool_commit_set(struct spool *s, const struct spool_set *set,
                                          struct err *e);

/* Make the promise of `from` a second time, for a job that takes its place: j is its manifest with another queue in its
 * id; it gets a uuid of its own.  The data has one name more then, until one of the jobs is removed; that of a .job is
 * copied into a file of its own.  ready may be NULL.
 * ERR_RETRY also: the data has so many names that it must be somebody's mistake.  ERR_REJECT: the data is missing, or not
 * j->size long.  Not ERR_OK: nothing has been added. */
MUST_CHECK enum err_code spool_clone(struct spool *s, const struct job_id *from,
                                     struct job *j, const struct spool_ready *ready,
                                     struct err *e);

/* Make the promise of a job whose bytes are not in the spool: its manifest alone.  j is complete but for `created`, which is
 * set where it is 0, and for id.uuid where that is "".  Errors as of commit; not ERR_OK: nothing has been added. */
MUST_CHECK enum err_code spool_promise(struct spool *s, struct job *j, struct err *e);
MUST_CHECK enum err_code spool_promise_ready(struct spool *s, struct job *j,
                                             const struct spool_ready *ready,
                                             struct err *e);

/* The same of a job with an id that others may be promising at the same moment, with the very same manifest: each of them
 * may succeed.  Not ERR_OK: it may be there all the same. */
MUST_CHECK enum err_code spool_promise_shared(struct spool *s, const struct job *j,
                                              struct err *e);

/* Whether an error of begin, expect, write, commit or promise meant "no space left" (ENOSPC, EDQUOT, EFBIG): answer 507. */
bool spool_is_full(const struct err *e);

/* --- How much there is --- */

struct spool_usage {
    int64_t bytes;      /* what others than root cannot have any more ... */
    int64_t bytes_max;  /* ... of all that the file system has */
    int64_t inodes;     /* the same of inodes */
    int64_t inodes_max; /* 0: this file system does not count them */
    int64_t files;      /* names of data in jobs/, .job too; -1: not counted */
    int64_t data_bytes; /* behind them, with the manifests of .job files; what has two
                           names counts twice; -1: not counted */
};

/* What the file system tells (one call, whatever the spool holds); with count, jobs/ is walked, too: for a thread that may
 * wait.  ERR_RETRY, ERR_CONFIG: it cannot be asked. */
MUST_CHECK enum err_code spool_measure(struct spool *s, bool count,
                                       struct spool_usage *ret, struct err *e);

/* Whether uploads may be taken: the directories that were opened (tmp/ and jobs/, too) are still those that stand at the
 * path, and syncs work.  Cheap: once a second; two syncs more while they fail.
 * ERR_CONFIG  unmounted, mounted over, moved, removed, read-only, or (own_filesystem) nothing is mounted there.  Goes
 *             by itself when the same directory stands there again; another one takes a new handle
 * ERR_RETRY   SPOOL_SYNC_ERRORS syncs have failed, and now the one of the probe, too; or the disk cannot be asked */
MUST_CHECK enum err_code spool_check(struct spool *s, struct err *e);

/* --- Bytes that nobody was promised --- */

/* A file in tmp/ without a name, to be written and read; gone when the last descriptor of it is closed.  The caller closes
 * it.  Errors as of spool_begin. */
MUST_CHECK enum err_code spool_open_unnamed(struct spool *s, int *ret_fd,
                                            struct err *e);

/* --- Reading --- */

/* Open the bytes of a job for reading and check that they are expected_size long.  Of a .job it is a sealed copy in
 * memory (memfd_create), which nobody can write to, so that all that is read from the descriptor are always the bytes alone.
 * ERR_REJECT: missing, not a regular file of ours, or of another size ("spool missing", "spool short"). */
MUST_CHECK enum err_code spool_open_data(struct spool *s, const struct job_id *id,
                                         int64_t expected_size, int *ret_fd,
                                         struct err *e);
/* Read and check a manifest.  ERR_REJECT: none, or damaged; *ret_missing tells which. */
MUST_CHECK enum err_code spool_read_manifest(struct spool *s, const struct job_id *id,
                                             struct job *ret_job, bool *ret_missing,
                                             struct err *e);

/* Remove a job that ended: manifest, then data.  What is gone already is no error. */
MUST_CHECK enum err_code spool_remove(struct spool *s, const struct job_id *id,
                                      struct err *e);

/* --- Scanning, for reconcile --- */

struct spool_scan; /* walks jobs/ in directory order, constant memory */
MUST_CHECK enum err_code spool_scan_open(struct spool *s, struct spool_scan **ret_scan,
                                         struct err *e);
/* The next manifest's id; false at the end.  Names that are not ours are skipped. */
bool spool_scan_next(struct spool_scan *scan, struct job_id *ret_id);
/* Whether the end was the end: ERR_RETRY when the directory could not be read further. */
MUST_CHECK enum err_code spool_scan_error(const struct spool_scan *scan, struct err *e);
void spool_scan_close(struct spool_scan *scan);

/*
 * Unlink debris: files in tmp/, and data files in jobs/ that have no manifest.
 *
 * Whoever writes an upload holds a lock (flock) on its data until it stands in jobs/ with its manifest, or is given up; the
 * kernel drops it when the process dies.  Only what can be locked is swept, so that the age need not be longer than any
 * upload: it covers what has no lock of its own, a manifest between its two names and a clone (spool_clone).  Where the file
 * system knows no locks a file in tmp/ stays for a day.  A .new, which has no lock, is written and renamed in one go.
 */
struct spool_sweep_options {
    int64_t tmp_age_ms;  /* since it was last written; .new too */
    int64_t jobs_age_ms; /* of .data in jobs/ */
    size_t max;          /* files */
    bool dry_run;        /* only tell */
    void (*on_file)(const char *name, void *ctx); /* tmp/NAME, jobs/NAME; may be NULL */
    void *ctx;
};
/* How many. */
size_t spool_sweep_files(struct spool *s, const struct spool_sweep_options *o);
/* The same with one age for both. */
size_t spool_sweep(struct spool *s, int64_t age_ms, size_t max);

#endif
