/*
 * quota: how much the client of an [auth NAME] may do.
 *
 *     requests_per_second, requests_burst   a bucket in the memory of each process (bucket.h): P processes let P times as
 *                                           much through.  A CGI process has one request, and no limit therefore
 *     bytes_per_day                         hoist:quota:{NAME}:day    HASH  day, bytes
 *     jobs_in_flight                        hoist:quota:{NAME}:jobs   ZSET  ids of jobs that have not been seen to end
 *
 *     quota_request   each request                      429, before its body is read
 *     quota_check     an upload that begins             the same: there is no room for it
 *     quota_take      its jobs, just before the commit  checked and taken in one script (quota.lua): over all processes never
 *                                                       more than the limit, however many ask at the same time
 *     quota_give_back when they did not come to be
 *
 * A job counts until it is done, dead or cancelled, or nobody knows it any more.  That is found out when there is no room: then
 * up to QUOTA_LOOKS times 100 of the ids, those that were looked at longest ago, are compared with their records.  So a
 * limit above QUOTA_LOOKS * 100 may take several refusals to notice that there is room again; each job is added once and
 * removed once, and who is below the limit pays for one or two short calls of Redis alone.
 *
 * While Redis is away uploads are accepted, and counted in memory: what was known last and what came since, against the
 * same limits; it is told to Redis with the next upload when that is back.  So P processes may then accept as many times more.
 * Who has none of these limits costs nothing.
 *
 * A form of more than a hundred files is counted as a whole, but its further ids are told to Redis one by one.
 *
 * Any thread may call anything, each with its own exchange.
 */
#ifndef HOIST_FCGI_QUOTA_H
#define HOIST_FCGI_QUOTA_H

#include "fcgi-app/http/problem.h"
#include "shared/config.h"

#include <stdbool.h>
#include <stdint.h>

/* What the upload under way has taken; of the exchange. */
struct quota_taken {
    int64_t jobs, bytes; /* jobs 0: nothing */
    bool in_memory;      /* Redis does not know of it */
};

struct exchange;
struct job;
struct quotas;

enum { QUOTA_LOOKS = 10, QUOTA_PENDING_MAX = 100 };

MUST_CHECK enum err_code quotas_open(const struct config *config,
                                     struct quotas **ret_quotas, struct err *e);
void quotas_close(struct quotas *q); /* takes NULL */

/* PROBLEM_QUOTA with x->retry_after, in all three. */
enum problem quota_request(struct exchange *x, struct err *e);
/* bytes: as announced; -1: not. */
enum problem quota_check(struct exchange *x, int64_t bytes, struct err *e);
/* The jobs of x->batch. */
enum problem quota_take(struct exchange *x, struct err *e);
void quota_give_back(struct exchange *x);
/* A job that had ended and has not any more, or has another id now: counts again, without being refused. */
void quota_add_again(struct exchange *x, const struct job *j);

#endif
