/*
 * spool_parts: the journals of uploads in parts (parts_journal.h), files in the spool.
 *
 *     <dir>/parts/<queue>.<uuid>.<destination>.parts     one for each job and destination that has such an upload
 *
 * It outlives the worker that began the upload, and goes when the store has confirmed that nothing of it is left.  Whoever has
 * the job's lease writes it; a worker that lost its lease may write into it at the same time, which harms nothing: lines are
 * appended whole.  The directory is made with the first journal.
 *
 * A durable spool syncs what is asked to be; the others (durability = memory) never do.  Blocking: for the thread pool, but for
 * an append that is not synced.  The handle may be used by several threads.
 */
#ifndef HOIST_SHARED_SPOOL_PARTS_H
#define HOIST_SHARED_SPOOL_PARTS_H

#include "shared/buf.h"
#include "shared/spool.h"

struct spool_parts_id {
    struct job_id job;
    char destination[ID_QUEUE_MAX + 1]; /* a name as those of queues */
};

/* The whole file into ret, whose max is PARTS_JOURNAL_MAX; one that is larger fills it, and *ret_cut tells.  ret_fd: open for
 * appending, the caller closes it; NULL: it is not wanted.
 * ERR_REJECT: there is none, or it is no regular file of ours, and *ret_missing tells which.  ERR_RETRY, ERR_CONFIG: it cannot
 * be read. */
MUST_CHECK enum err_code spool_parts_read(struct spool *s,
                                          const struct spool_parts_id *id,
                                          struct buf *ret, bool *ret_missing,
                                          bool *ret_cut, int *ret_fd, struct err *e);

/* Open for appending, made where it is missing, and append lines, so that they are on disk: those of what is about to be asked
 * of the store.  head is what a file that has to be made begins with.  The caller closes *ret_fd.  ERR_RETRY, ERR_CONFIG. */
MUST_CHECK enum err_code spool_parts_begin(struct spool *s,
                                           const struct spool_parts_id *id,
                                           const struct buf *head,
                                           const struct buf *lines, int *ret_fd,
                                           struct err *e);
/* Append to it. */
MUST_CHECK enum err_code spool_parts_append(struct spool *s, int fd,
                                            const struct buf *lines, bool sync,
                                            struct err *e);
/* What is gone already is no error. */
MUST_CHECK enum err_code
spool_parts_remove(struct spool *s, const struct spool_parts_id *id, struct err *e);

/* Those behind `after` (as its file's name is; NULL: all), in the order of their names, at most max.  Names that are not ours are
 * skipped. */
MUST_CHECK enum err_code spool_parts_list(struct spool *s,
                                          const struct spool_parts_id *after,
                                          struct spool_parts_id *ret, size_t max,
                                          size_t *ret_count, struct err *e);

/* QUEUE.UUID.DESTINATION.parts, and back. */
enum { SPOOL_PARTS_NAME = ID_JOB_MAX + 1 + ID_QUEUE_MAX + sizeof ".parts" };
void spool_parts_name(const struct spool_parts_id *id,
                      char ret[static SPOOL_PARTS_NAME]);
bool spool_parts_parse_name(const char *name, struct spool_parts_id *ret);

#endif
