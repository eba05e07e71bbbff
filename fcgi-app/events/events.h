/*
 * events: server-sent events (WHATWG HTML, section 9.2): what happens, as it happens, instead of asking again and again.
 *
 *     GET /v1/jobs/{id}/events     text/event-stream: `event: job` with the status of the job, as GET /v1/jobs/{id} has it without the
 *                                  story, now and at each change; the stream ends after done, dead or cancelled
 *     GET /v1/events               what a dashboard shows (feed.h), without end
 *
 * Each event of a job has an id.  A client that comes again with it (Last-Event-ID, as EventSource does) is told only what
 * is new, and 204 when the job has ended and it knows: EventSource stays away then.
 *
 * Refused: a job that the client may not see, as by GET (404); beyond [http] max_listeners 503 with Retry-After.  HEAD is
 * answered without a stream.  By CGI, where the process would be one listener's, the stream of a job has what is known now, and
 * ends; EventSource comes again in a while.  /v1/events is a 503 there.
 */
#ifndef HOIST_FCGI_EVENTS_H
#define HOIST_FCGI_EVENTS_H

#include "fcgi-app/http/exchange.h"

enum { EVENTS_RETRY_MS = 2000, EVENTS_FULL_SECONDS = 10 };

void events_job(struct exchange *x);
void events_feed(struct exchange *x);

#endif
