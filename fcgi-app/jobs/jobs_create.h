/*
 * jobs_create: POST /v1/jobs, a job whose bytes are not in the request.
 *
 *     {"url": "https://...", ...}         fetched when the job runs: [fetch] enabled, and what it allows (fetch_filter.h)
 *     {"command": "NAME", ...}            the output of [command NAME], which must say http = yes
 *
 * All other members are options, by the names of options.h, numbers as such or as text; null is as if it were not there.
 * `type` is the media type of the object; else it is that of the answer, or of the command.  The name is the option's, else
 * the last segment of the URL's path, or the command's.
 */
#ifndef HOIST_FCGI_JOBS_CREATE_H
#define HOIST_FCGI_JOBS_CREATE_H

#include "fcgi-app/http/exchange.h"

void jobs_create(struct exchange *x);

#endif
