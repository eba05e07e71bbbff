/*
 * s3_journal: the journal of one upload in parts (shared/spool_parts.h), read and written beside the loop.
 *
 *     read ----> found: what those before us left             begin ---> `create` is on disk: the request may leave
 *     upload --> the id is on disk: parts may leave            part, gone, refused: appended at once, not synced
 *     remove --> the file has gone
 *
 * `found` is kept as the file is: what is written is noted in it.  Those with an arrow work on the thread pool, one at a time,
 * and call done on the loop, later.  Without a spool nothing is on disk, and all else is the same.  Belongs to the loop's
 * thread.
 */
#ifndef HOIST_WORKER_S3_JOURNAL_H
#define HOIST_WORKER_S3_JOURNAL_H

#include "shared/parts_journal.h"
#include "shared/spool_parts.h"

#include <uv.h>

struct s3_journal;

typedef void s3_journal_done_fn(enum err_code code, const struct err *e, void *ctx);

struct s3_journal {
    uv_loop_t *loop;
    struct spool *spool; /* NULL: none */
    struct spool_parts_id id;
    struct parts_journal found;
    bool missing; /* read: there was none */
    bool damaged; /* read: it cannot be read whole */

    bool busy;
    int fd;
    struct buf head, lines;
    enum s3_journal_doing {
        S3_JOURNAL_READ,
        S3_JOURNAL_APPEND,
        S3_JOURNAL_REMOVE
    } doing;
    uv_work_t work;
    enum err_code code;
    struct err err;
    s3_journal_done_fn *done;
    void *ctx;
};

void s3_journal_init(struct s3_journal *j, uv_loop_t *loop, struct spool *spool,
                     const struct spool_parts_id *id);
/* Not while it is busy. */
void s3_journal_release(struct s3_journal *j);

void s3_journal_read(struct s3_journal *j, s3_journal_done_fn *done, void *ctx);
/* head is what a new file begins with. */
void s3_journal_begin(struct s3_journal *j, const struct parts_journal_head *head,
                      s3_journal_done_fn *done, void *ctx);
/* After begin, or after a read that found one (head of which, then). */
void s3_journal_upload(struct s3_journal *j, const char *id, s3_journal_done_fn *done,
                       void *ctx);
void s3_journal_part(struct s3_journal *j, const char *id, int number,
                     const struct parts_journal_part *part);
void s3_journal_gone(struct s3_journal *j, const char *id);
void s3_journal_refused(struct s3_journal *j);
void s3_journal_remove(struct s3_journal *j, s3_journal_done_fn *done, void *ctx);

#endif
