/*
 * job_list: GET /v1/jobs?queue=&state=&search=&order=&after=&limit=: the jobs of a queue, a page at a time.
 *
 *     200 {"jobs":[{…as GET /v1/jobs/{id}…}, …],"cursor":"…"}       cursor null: that was all; else ?after=CURSOR goes on
 *
 * queue is `default` unless given, state all of them in turn: waiting, scheduled, running, dead, done and cancelled; with
 * order=newest each of these from its other end (index_page.h).  At most 100 a page, less when they are large: a page may be
 * short, or empty, and not be the last.  Records are read after the index, so that a job which has just moved on shows the state
 * it is in now.  Jobs that are `accepted` stand in no index.  Who may not see all jobs is shown his own, of up to ten pages that
 * are looked through.
 *
 * search: those whose id (with or without its queue) begins with it, or whose name has it anywhere, whatever the case of
 * its letters, of as many pages; the cursor goes on behind them.  A whole id is looked up at once, in whatever state it is.
 * While Redis is away: 503.
 */
#ifndef HOIST_FCGI_JOB_LIST_H
#define HOIST_FCGI_JOB_LIST_H

#include "fcgi-app/http/exchange.h"

void job_list(struct exchange *x);

#endif
