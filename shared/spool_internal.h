/*
 * spool_internal: what the files of spool share.  Nobody else includes it.
 */
#ifndef HOIST_SHARED_SPOOL_INTERNAL_H
#define HOIST_SHARED_SPOOL_INTERNAL_H

#include "shared/spool.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
    SPOOL_DIGESTS_MAX = 64,      /* kept for reuse */
    SPOOL_DATA_LINKS_MAX = 16,   /* names of the same bytes, see spool_clone */
    SPOOL_MANIFEST_USUAL = 1024, /* bytes that are enough for most manifests */
    SPOOL_SUFFIX = 5,            /* at most: .data, .json, .job, .new */
    SPOOL_TMP_NAME = ID_UUID_LEN + SPOOL_SUFFIX + 1,
    SPOOL_JOB_NAME = ID_JOB_MAX + SPOOL_SUFFIX + 1
};

struct spool_waiter; /* a thread that waits for a directory sync */

struct spool {
    /* Set at open, then only read. */
    char *dir; /* as it was given */
    int dir_fd, tmp_fd, jobs_fd;
    bool durable, own_filesystem;
    size_t small_bytes;
    bool close_tells; /* nothing is synced, and what a write did is known at a close */
    uid_t uid;        /* who runs this, whose all files are */
    int64_t block_bytes; /* what the file system gives room by, or less */

    /* See spool_check.c. */
    atomic_uint sync_errors; /* since a commit went well */
    atomic_int sync_errno;   /* of the latest */

    atomic_bool
        keys_synced[256]; /* spool_keys.c: a directory of keys/ has its name for good */

    /* Directory syncs, see spool_commit.c. */
    pthread_mutex_t sync_lock;
    pthread_cond_t sync_done;
    struct spool_waiter *sync_waiting;
    bool sync_running;

    /* Digest contexts that no upload uses. */
    pthread_mutex_t digest_lock;
    struct digest_sha256 digests[SPOOL_DIGESTS_MAX];
    size_t digest_count;
};

/* A digest context that the upload now owns; spool_forget takes it back, too. */
struct digest_sha256 spool_take_digest(struct spool *s);
void spool_give_digest(struct spool *s, struct digest_sha256 *d);

/* File names, NUL-terminated; suffix is ".data" or ".json", in jobs/ also ".job" or ".new". */
void spool_tmp_name(const struct uuid *uuid, const char *suffix,
                    char ret[static SPOOL_TMP_NAME]);
void spool_job_name(const struct job_id *id, const char *suffix,
                    char ret[static SPOOL_JOB_NAME]);

/* Class errno: what another try can mend is ERR_RETRY, what takes an operator is ERR_CONFIG. */
enum err_code spool_errno(struct err *e, const char *doing);

/* Write all of it; EINTR and short writes are seen to. */
MUST_CHECK enum err_code spool_write_all(int fd, const void *data, size_t len,
                                         struct err *e);
/* A new file in tmp/ or jobs/, never one that is there. */
MUST_CHECK enum err_code spool_create(int dir_fd, const char *name, int *ret_fd,
                                      struct err *e);
/* What of the upload belongs into its job: id.uuid, source, size, digests, created. */
MUST_CHECK enum err_code spool_describe(struct spool_upload *u, struct job *j,
                                        struct err *e);
/* tmp/<uuid>.json of a job, written and synced; text is room to put it together. */
MUST_CHECK enum err_code spool_write_manifest(struct spool *s, const struct job *j,
                                              struct buf *text, struct err *e);
/* Sync jobs/, together with whoever else wants it now. */
MUST_CHECK enum err_code spool_sync_jobs(struct spool *s, struct err *e);
/* Sync (where durable) and close. */
MUST_CHECK enum err_code spool_sync_and_close(struct spool *s, int *fd, struct err *e);
/* Close u->fd, give its digest back, forget the upload.  Removes nothing. */
void spool_forget(struct spool *s, struct spool_upload *u);

/* --- spool_check.c --- */

/* A sync or a close has failed with errno, which is kept; a commit went well. */
void spool_note_sync_error(struct spool *s);
void spool_note_synced(struct spool *s);
/* ERR_RETRY: so many syncs have failed that no upload is taken. */
MUST_CHECK enum err_code spool_refuse_unsynced(struct spool *s, struct err *e);
/* ERR_CONFIG: something must be mounted at dir, and nothing is. */
MUST_CHECK enum err_code spool_check_mounted(struct spool *s, struct err *e);

/* Whether writes to this file system may fail as late as at close: not on those of this machine. */
bool spool_writes_late(int fd);

/* --- spool_read.c --- */

/* A file in jobs/ that we wrote: a regular file of ours, with few links.  ERR_REJECT: "spool missing"; os_errno is ENOENT where
 * nothing stands there. */
MUST_CHECK enum err_code spool_open_job_file(struct spool *s, const char *name,
                                             nlink_t max_links, int *ret_fd,
                                             int64_t *ret_size, struct err *e);
/* Read to the end of the file, at most size bytes. */
MUST_CHECK enum err_code spool_read_all(int fd, char *data, size_t size,
                                        size_t *ret_len, struct err *e);
bool spool_is_missing(const struct err *e); /* of what these have told */
/* ERR_REJECT: "spool short", "spool long". */
MUST_CHECK enum err_code spool_check_size(int64_t size, int64_t expected,
                                          struct err *e);

/* --- spool_small.c --- */

/* The upload has grown, or has company: into tmp/<uuid>.data with it. */
MUST_CHECK enum err_code spool_unfold(struct spool *s, struct spool_upload *u,
                                      struct err *e);
/* Make the promise of bytes and manifest in one file, jobs/<id>.job.  Not ERR_OK: nothing has been added. */
MUST_CHECK enum err_code spool_promise_small(struct spool *s, const struct job *j,
                                             const struct buf *bytes, struct err *e);
/* As spool_open_data and spool_read_manifest (text: room for JOB_RECORD_MAX + 1), of a .job.  ERR_REJECT with spool_is_missing:
 * there is none. */
MUST_CHECK enum err_code spool_open_small(struct spool *s, const struct job_id *id,
                                          int64_t expected_size, int *ret_fd,
                                          struct err *e);
MUST_CHECK enum err_code spool_read_small_manifest(struct spool *s,
                                                   const struct job_id *id, char *text,
                                                   size_t *ret_len, struct err *e);

/* --- spool_room.c --- */

/* Give back what spool_expect took and nobody wrote. */
MUST_CHECK enum err_code spool_give_back(struct spool *s, struct spool_upload *u,
                                         struct err *e);

/* --- spool_scan.c --- */

/* A fresh stream over a directory of ours; each has its own position.  NULL with errno. */
DIR *spool_open_stream(int dir_fd);
/* Whether a name in jobs/ is QUEUE.UUID and suffix. */
bool spool_parse_name(const char *name, const char *suffix, struct job_id *ret_id);

#endif
