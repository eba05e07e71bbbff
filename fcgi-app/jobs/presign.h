/*
 * presign: GET /v1/jobs/{id}?presign=SECONDS, which adds to the answer of a job that is done a URL with which anybody reads
 * its object for so long:
 *
 *     "result":{"url":"s3://bucket/key","etag":…,"presigned_url":"https://…","expires":"2026-11-29T12:00:00.000Z"}
 *
 * Only of a destination with presign = yes (of several the first such one), for up to its presign_max_seconds.  Whether the
 * object is still there is not asked: the store says so to whoever uses the URL.  Any thread.
 */
#ifndef HOIST_FCGI_PRESIGN_H
#define HOIST_FCGI_PRESIGN_H

#include "fcgi-app/http/problem.h"
#include "fcgi-app/http/request.h"
#include "fcgi-app/http/response.h"
#include "shared/config.h"
#include "shared/job.h"

/* The seconds that are asked for; 0: none are.  PROBLEM_BAD_REQUEST: not 1 to 7 digits, 0, or together with wait. */
enum problem presign_read(const struct request *r, int64_t *ret_seconds, struct err *e);

/*
 * Answer with the job and that URL.
 * PROBLEM_CONFLICT   it is not done
 * PROBLEM_BAD_VALUE  its destination gives no such URLs, or none for so long
 * PROBLEM_INTERNAL
 */
enum problem presign_answer(struct response *r, const struct config *config,
                            const struct job *j, int64_t seconds, int64_t now_ms,
                            struct err *e);

#endif
