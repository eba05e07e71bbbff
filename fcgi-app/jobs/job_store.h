/*
 * job_store: one job, where Redis or else the spool has it: reading and steering it for whoever answers a request.
 *
 * A job that Redis does not know, but whose manifest is in the spool, is `accepted`.  Every function answers
 *     PROBLEM_NONE
 *     PROBLEM_NO_JOB        nobody has it
 *     PROBLEM_UNAVAILABLE   Redis cannot be asked now
 *     PROBLEM_CONFLICT      it is in a state where that cannot be (the text names it), or its record is damaged
 *     PROBLEM_INTERNAL      its manifest cannot be read
 * with the text for the client.  They belong to the exchange's thread.
 */
#ifndef HOIST_FCGI_JOB_STORE_H
#define HOIST_FCGI_JOB_STORE_H

#include "fcgi-app/http/exchange.h"
#include "shared/job.h"
#include "shared/queue.h"

/* The id in the third segment of the path, of a job that the client may see (access.h).  One that is none, that nobody
 * has, and that is another's are answered alike, after the same questions to Redis and spool.  PROBLEM_UNAVAILABLE: whose it
 * is cannot be found out now. */
enum problem job_store_id(struct exchange *x, struct job_id *ret, struct err *e);
/* The same for an id from elsewhere. */
enum problem job_store_check_owner(struct exchange *x, const struct job_id *id,
                                   struct err *e);

/* exchange_ask, as a problem. */
enum problem job_store_ask(struct exchange *x, const struct redis_cmd *cmds,
                           size_t count, struct redis_value **ret_replies,
                           struct err *e);

/* The job as its manifest has it: accepted, but not known to Redis, or not now. */
enum problem job_store_read_manifest(struct exchange *x, const struct job_id *id,
                                     struct job *ret, struct err *e);
/* The record in Redis.  PROBLEM_NO_JOB: it does not know the job. */
enum problem job_store_read_record(struct exchange *x, const struct job_id *id,
                                   struct job *ret, struct err *e);
/* One of the two. */
enum problem job_store_find(struct exchange *x, const struct job_id *id,
                            struct job *ret, struct err *e);

/* --- Steering --- */

/* Run one script about a job.  done is what cannot be, for the text of PROBLEM_CONFLICT: "cancelled".  Never send scripts
 * together that depend on each other: one that the server does not know yet runs after the others of its pipeline. */
enum problem job_store_steer(struct exchange *x, const struct redis_cmd *cmd,
                             const char *done, enum queue_answer *ret, struct err *e);
/* How long the record of an ended job stays readable, as its queue says. */
int64_t job_store_keep_ms(const struct exchange *x, const struct job_id *id);
/* Accepted, but not in Redis: put it there, so that what is done to it has a place to stand. */
enum problem job_store_enqueue(struct exchange *x, const struct job_id *id,
                               struct err *e);
/* *ret: QUEUE_OK, cancelled, its bytes removed; QUEUE_RUNNING, its worker is told. */
enum problem job_store_cancel(struct exchange *x, const struct job_id *id,
                              enum queue_answer *ret, struct err *e);
/* A dead job waits again. */
enum problem job_store_retry(struct exchange *x, const struct job_id *id,
                             struct err *e);

#endif
