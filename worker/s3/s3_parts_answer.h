/*
 * s3_parts_answer: what the store's answers to the requests of an upload in parts mean.  Pure.
 *
 *   CREATE    2xx that names an upload -> DONE     501 to our extras -> PLAINER
 *   PART      2xx with an ETag, and no digest that is another -> DONE     no such upload -> GONE     lost answer -> FAILED,
 *             transient: a part may be sent any number of times
 *   COMPLETE  2xx with a whole <CompleteMultipartUploadResult> that proves what was put together -> DONE     one that proves
 *             nothing, or cannot be read; 412; lost answer; no such upload (completed by an answer that was lost?) -> RESOLVE
 *             200 with <Error> -> as its code says     InvalidPart, InvalidPartOrder -> GONE     501 -> PLAINER
 *   ABORT     2xx, no such upload -> DONE
 *   LIST      2xx -> DONE, to be read by s3_lists.h
 *
 * All else is FAILED with the class of retry.h, and a clock that differs SKEWED.
 */
#ifndef HOIST_WORKER_S3_PARTS_ANSWER_H
#define HOIST_WORKER_S3_PARTS_ANSWER_H

#include "worker/s3/s3_answer.h"
#include "worker/s3/s3_lists.h"
#include "worker/s3/s3_sums.h"

/* ret_id is "" unless it is DONE. */
struct s3_answer s3_answer_create(const struct http_result *r, int64_t now_s,
                                  char ret_id[static S3_UPLOAD_ID_MAX + 1]);
/* sums: of what was sent. */
struct s3_answer s3_answer_part(const struct http_result *r,
                                const struct s3_part_sums *sums, int64_t now_s);
/* ret is what the store told, also of an answer that proves nothing.  want->parts is set. */
struct s3_answer s3_answer_complete(const struct http_result *r,
                                    const struct s3_expected *want, int64_t now_s,
                                    struct s3_completed *ret);
struct s3_answer s3_answer_abort(const struct http_result *r, int64_t now_s);
struct s3_answer s3_answer_list(const struct http_result *r, int64_t now_s);

#endif
