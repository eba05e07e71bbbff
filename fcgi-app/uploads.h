/*
 * uploads: POST /v1/uploads and PUT /v1/uploads/{filename}.
 *
 *     form (multipart/form-data, POST only) or raw body  -->  batch in the spool, committed
 *         -->  the queue (enlist.h)  -->  202, Location for one job, {"batch":"...","jobs":[...]}
 *
 * The 202 is written only after spool_commit.  A file whose announced length is over its queue's limit, or whose queue is
 * full (room.h), is refused before a byte of it is read; in a form, before a byte of that file is.  Whatever goes wrong, nothing is left in the spool.
 */
#ifndef HOIST_FCGI_UPLOADS_H
#define HOIST_FCGI_UPLOADS_H

#include "fcgi-app/exchange.h"

void uploads_post(struct exchange *x);
void uploads_put(struct exchange *x);

#endif
