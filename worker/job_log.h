/*
 * job_log: what a log line about a job says of the request that made it, so that it is found from the client's side.
 *
 *     log_info("transfer", "done", LOG_STR("id", name), LOG_JOB(&job));
 *     ... msg=done id=media.0193… request=abc-1 traceparent=00-4bf9…-01
 *
 * What the client did not give is left out.  Two fields: before one that may be LOG_END.
 */
#ifndef HOIST_WORKER_JOB_LOG_H
#define HOIST_WORKER_JOB_LOG_H

#include "shared/job.h"
#include "shared/log.h"

#define LOG_JOB(j)                                                                     \
    LOG_MAY("request", (j)->request_id), LOG_MAY("traceparent", (j)->traceparent)

#endif
