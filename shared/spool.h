/*
 * spool: the directory that holds every accepted upload.  It is the truth; Redis is an index of it.
 *
 *     <dir>/tmp/   <uuid>.data <uuid>.json     being written, belongs to one request
 *     <dir>/jobs/  <queue>.<uuid>.data         the bytes alone
 *                  <queue>.<uuid>.json         the manifest (shared/job.h)
 *
 * Commit, in this order:  data written, synced  ->  manifest written, synced  ->  data renamed into jobs/
 *                         ->  manifest renamed into jobs/  ->  jobs/ synced  ->  the 202 may be sent.
 * The manifest's rename is the moment of the promise.  Unlink, after the job ended: manifest first, then data.
 *
 * State table: what stands on disk, what Redis may say, who mends it.
 *
 *   | tmp/     | jobs/            | Redis         | meaning                          | next                            |
 *   | -------- | ---------------- | ------------- | -------------------------------- | ------------------------------- |
 *   | any      | -                | -             | upload in progress, or debris    | request; sweep after a day      |
 *   | -        | .data            | -             | crash between the two renames    | sweep after a day (no promise)  |
 *   | -        | .data + .json    | no job        | accepted; push lost or to come   | publisher, else reconcile       |
 *   | -        | .data + .json    | live job      | accepted, indexed                | a worker                        |
 *   | -        | .data + .json    | done/cancelled| ended; unlink did not happen     | worker, else reconcile          |
 *   | -        | .data + .json    | dead          | kept for people                  | retry or cancel                 |
 *   | -        | .data            | done/cancelled| crash between the two unlinks    | reconcile                       |
 *   | -        | two of .data+.json| one live, one not known | a job on its way to another queue | reconcile: both run, one object |
 *   | -        | -                | live job      | bytes were deleted by someone    | worker: dead, "spool missing"   |
 *
 * fsync errors: never tried again (the kernel may have dropped the pages and would report success): the upload is
 * refused, its files unlinked.
 *
 * Files are 0600; the directory must belong to the effective user and be closed to others (0700).  Files are
 * opened relative to directory descriptors, by ids only, without following symbolic links; what is read back must
 * be a regular file with one link (data: at most two, see spool_clone).  Several processes share one spool; any number of threads share one handle.
 */
#ifndef HOIST_SHARED_SPOOL_H
#define HOIST_SHARED_SPOOL_H

#include "shared/digest.h"
#include "shared/err.h"
#include "shared/id.h"
#include "shared/job.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct config;
struct spool; /* a handle; thread-safe */

struct spool_options {
    const char *dir;     /* made where it is missing; its parent must exist */
    bool durable;        /* sync before the promise; false is `durability = memory` */
    bool own_filesystem; /* dir must be where something is mounted, see spool_check */
};

/* Open, creating what is missing.  ERR_CONFIG: wrong owner or rights, not a directory, tmp/ and jobs/ on different
 * file systems; the text says what is and what is allowed. */
MUST_CHECK enum err_code spool_open(const struct spool_options *o,
                                    struct spool **ret_spool, struct err *e);
/* The same as [spool] of the configuration says; ERR_CONFIG names the file and the line of its dir, too. */
MUST_CHECK enum err_code spool_open_config(const struct config *c,
                                           struct spool **ret_spool, struct err *e);
void spool_close(struct spool *s); /* takes NULL */

/* --- Writing one upload: begin, write ..., then commit or abort.  One thread at a time. --- */

struct spool_upload {
    int fd;           /* tmp/<uuid>.data; -1 when none is open */
    struct uuid uuid; /* also the job's; "" when there is nothing to commit or abort */
    int64_t size;     /* bytes written so far */
    uint32_t crc32c;  /* of them */
    struct digest_sha256 sha256; /* the spool's own, which keeps a few for reuse */
};

#define SPOOL_UPLOAD_INIT                                                              \
    {                                                                                  \
        .fd = -1                                                                       \
    }

/* ERR_RETRY: no space, no descriptors (the request is to be refused with 507 or 503, see spool_is_full).
 * ERR_CONFIG: the directory is gone, read-only or closed to us.  The same holds for write and commit. */
MUST_CHECK enum err_code spool_begin(struct spool *s, struct spool_upload *ret_upload,
                                     struct err *e);
/* So many bytes are to come: take the room for them now (fallocate, size unchanged), so that what cannot fit is refused
 * before it is sent.  Where the file system cannot do that nothing happens.  After begin, before the first write. */
MUST_CHECK enum err_code spool_expect(struct spool *s, struct spool_upload *u,
                                      int64_t size, struct err *e);
/* Append; short writes and EINTR are seen to.  On failure the upload must be aborted.  A program with a limit on file
 * sizes must ignore SIGXFSZ. */
MUST_CHECK enum err_code spool_write(struct spool *s, struct spool_upload *u,
                                     const void *data, size_t len, struct err *e);
/* Remove what was written.  Takes an upload that was never begun, committed or aborted. */
void spool_abort(struct spool *s, struct spool_upload *u);

/* Make the promise for count uploads of one request, jobs[i] belonging to uploads[i]: source, id.uuid, size, sha256 and
 * crc32c of the jobs are set from the uploads, and `created` where it is 0; of the id only the queue must be set before.
 * Directory syncs are shared between the threads that commit at the same time.
 * ERR_OK: all are on disk.  Otherwise: none is; what was written has been removed; the uploads are aborted.
 * ERR_REJECT: a job cannot be written as a manifest (shared/job.h). */
MUST_CHECK enum err_code spool_commit(struct spool *s, struct spool_upload *uploads,
                                      struct job *jobs, size_t count, struct err *e);

/* Make the promise of `from` a second time, for a job that takes its place: j is its manifest with another queue in its
 * id; it gets a uuid of its own.  The data has two names then, until one of the jobs is removed.
 * ERR_REJECT: the data is missing, or not j->size long.  Not ERR_OK: nothing has been added. */
MUST_CHECK enum err_code spool_clone(struct spool *s, const struct job_id *from,
                                     struct job *j, struct err *e);

/* Whether an error of begin, write or commit meant "no space left" (ENOSPC, EDQUOT, EFBIG): answer 507. */
bool spool_is_full(const struct err *e);

/* --- How much there is --- */

struct spool_usage {
    int64_t bytes, bytes_max; /* held, and what there can be: the file system's */
    int64_t inodes,
        inodes_max; /* the same; max 0: this file system does not count them */
    int64_t files, data_bytes; /* uploads in jobs/ and their bytes; -1: not counted */
};

/* What the file system tells (one call, whatever the spool holds); with count, jobs/ is walked, too: for a thread that may
 * wait.  ERR_RETRY, ERR_CONFIG: it cannot be asked. */
MUST_CHECK enum err_code spool_measure(struct spool *s, bool count,
                                       struct spool_usage *ret, struct err *e);

/* Whether the directory that was opened is still the one that stands at its path: ERR_CONFIG when it was unmounted,
 * mounted over, moved or removed, made read-only, or (own_filesystem) nothing is mounted there.  Cheap: once a second. */
MUST_CHECK enum err_code spool_check(struct spool *s, struct err *e);

/* --- Bytes that nobody was promised --- */

/* A file in tmp/ without a name, to be written and read; gone when the last descriptor of it is closed.  The caller closes
 * it.  Errors as of spool_begin. */
MUST_CHECK enum err_code spool_open_unnamed(struct spool *s, int *ret_fd,
                                            struct err *e);

/* --- Reading --- */

/* Open the bytes of a job for reading and check that they are expected_size long.
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

/* Unlink files in tmp/, and data files in jobs/ that have no manifest, last written more than age_ms ago, at most
 * `max` of them.  Returns how many. */
size_t spool_sweep(struct spool *s, int64_t age_ms, size_t max);

#endif
