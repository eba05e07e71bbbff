/*
 * uploads: POST /v1/uploads and PUT /v1/uploads/{filename}.
 *
 *     form (multipart/form-data, POST only) or raw body  -->  batch in the spool, committed
 *         -->  the queue (enlist.h)  -->  202, Location for one job, {"batch":"...","jobs":[...]}
 *
 * A raw body may come as a file that nginx has written (body_file.h): it is moved into the spool then, not copied, and all
 * that is said here holds for it, but that it is on a disk before it can be refused.
 *
 * The 202 is written only after spool_commit.  It says what was promised: "durable":"disk", or "memory" where nothing is
 * synced, and what waits.h could learn: "replicas":2 and "aof":true, each where [redis] asks for it.
 *
 * While the spool or Redis is nearly full, or the body would not fit (marks.h), every upload is refused before a byte of it
 * is read.  So is a file whose announced length is over its queue's limit, or whose queue is full (room.h); in a form,
 * before a byte of that file is.  Whatever goes wrong, nothing is left in the spool.
 *
 * For a raw body that does not fit into one chunk, room for the announced length is taken from the disk before the first byte
 * is read (spool_expect).  Not for the files of a form: how long each is shows only at its end, and what one of them held
 * beyond that would be missing to the next, so that a form could be refused for room that it has itself.
 */
#ifndef HOIST_FCGI_UPLOADS_H
#define HOIST_FCGI_UPLOADS_H

#include "fcgi-app/http/exchange.h"

void uploads_post(struct exchange *x);
void uploads_put(struct exchange *x);

#endif
