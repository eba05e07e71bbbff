/*
 * s3_upload_internal: what the files of s3_upload share.
 *
 *     s3_upload.c           beginning: the journal, CreateMultipartUpload
 *     s3_upload_part.c      UploadPart, several at a time
 *     s3_upload_complete.c  CompleteMultipartUpload; what it came to
 *     s3_upload_close.c     stopping, clearing, the end
 */
#ifndef HOIST_WORKER_S3_UPLOAD_INTERNAL_H
#define HOIST_WORKER_S3_UPLOAD_INTERNAL_H

#include "worker/s3/dest_s3_internal.h"
#include "worker/s3/s3_call.h"
#include "worker/s3/s3_clear.h"
#include "worker/s3/s3_journal.h"
#include "worker/s3/s3_parts_answer.h"
#include "worker/s3/s3_plan.h"
#include "worker/s3/s3_upload.h"

enum {
    S3_UPLOAD_TRIES = 4, /* of a part, and of completing */
    S3_UPLOAD_HEDGES = 2 /* of a part that is slow */
};

/* One part under way. */
struct s3_slot {
    struct s3_upload *upload;
    bool busy;
    struct s3_upload_part part;
    struct s3_checksums sums; /* as texts */
    char sha256[DIGEST_SHA256_HEX + 1];
    struct s3_call *call; /* NULL: it waits for due_ms */
    int64_t due_ms;
    unsigned tries, hedges;
    bool slow;       /* cancelled for that */
    uint32_t crc32c; /* of what has passed */
};

struct s3_upload {
    struct s3_upload_options o;
    struct dest_s3 *dest;
    enum { S3_UPLOAD_OPENING, S3_UPLOAD_OPENED, S3_UPLOAD_COMPLETING } state;

    struct buf key; /* with the prefix */
    struct parts_journal_head head;
    struct s3_journal journal;
    bool journal_read;             /* it is known what stood there */
    char id[S3_UPLOAD_ID_MAX + 1]; /* "" until it is known */
    enum config_checksum checksum; /* that parts are sent with */
    unsigned creates;              /* requests */
    struct s3_call *call;          /* CREATE or COMPLETE under way */
    struct s3_clear *clear;

    struct s3_part *parts; /* number n at n - 1 */
    int part_room;
    int64_t *part_lens; /* as long */
    int parts_done;
    int64_t bytes_done;
    struct s3_slot slots[S3_UPLOAD_AT_ONCE_MAX];
    struct s3_pace pace;
    uv_timer_t tick; /* looks at parts that wait, or are slow */

    int count; /* parts of the object, from COMPLETING on */
    struct s3_expected *want;
    struct s3_composite composite;
    struct buf body;
    char body_sha256[DIGEST_SHA256_HEX + 1];
    unsigned completes;
    int64_t complete_due_ms; /* 0: none waits */
    bool no_condition, was_conditional, completed;

    struct s3_upload_result result;
    bool reported, told;
    uv_timer_t later; /* tells it */

    bool closing, cleared, only_own, hurried;
    enum s3_upload_end end;
    void (*closed)(void *ctx);
    int open_handles;
};

/* --- s3_upload.c --- */

/* This is what it came to; what is under way is stopped.  Only the first counts. */
void s3_upload_report(struct s3_upload *u, const struct s3_upload_result *r);
void s3_upload_report_answer(struct s3_upload *u, const struct s3_answer *a);
/* The destination takes nothing now, which is reported; false: it does. */
bool s3_upload_is_held(struct s3_upload *u, const struct s3_call_result *r);
void s3_upload_report_err(struct s3_upload *u, const struct err *e);
/* The lease has run out, which is reported; false: it has not. */
bool s3_upload_is_late(struct s3_upload *u);
/* One request, or piece of work, has ended: go on with closing, if that is all there was.  False: it is over, the caller goes no
 * further. */
bool s3_upload_goes_on(struct s3_upload *u);
/* How long before what failed for the nth time is sent again. */
int64_t s3_upload_wait_ms(const struct s3_answer *a, unsigned tries);
bool s3_upload_may_retry(const struct s3_upload *u, const struct s3_answer *a,
                         unsigned tries);

/* --- s3_upload_part.c --- */

/* Take over what an earlier owner sent.  False: no memory. */
bool s3_upload_adopt(struct s3_upload *u);
void s3_upload_stop_parts(struct s3_upload *u);
bool s3_upload_has_calls(const struct s3_upload *u);
void s3_upload_release_parts(struct s3_upload *u);
void s3_upload_on_tick(uv_timer_t *tick);
void s3_upload_start_tick(struct s3_upload *u);

/* --- s3_upload_close.c --- */

/* Begin to clear what the journal tells of.  False: no memory. */
bool s3_upload_begin_clear(struct s3_upload *u,
                           void (*done)(const struct s3_answer *a, void *ctx));
/* Once nothing is under way: clear, if that is wanted and possible, then go. */
void s3_upload_close_step(struct s3_upload *u);

/* --- s3_upload_complete.c --- */

void s3_upload_complete_due(struct s3_upload *u, int64_t now_ms);

#endif
