/*
 * handlers: the threads that answer requests, and the table of what there is to answer.
 *
 *     gate_take -> fastcgi_begin -> request_parse -> router_find -> route->answer -> exchange_send
 *
 * Each thread owns one struct exchange with all its buffers; nothing is allocated for a request but what libfcgi and
 * the spool need.
 */
#ifndef HOIST_FCGI_HANDLERS_H
#define HOIST_FCGI_HANDLERS_H

#include "fcgi-app/app.h"

#include <stddef.h>

struct handlers;

/* Start count threads on app->gate.  On failure those that were started still run: stop the gate, then join. */
MUST_CHECK enum err_code handlers_start(struct app *app, size_t count,
                                        struct handlers **ret_handlers, struct err *e);
/* After gate_run has returned: wait for the threads to end, and free.  Takes NULL. */
void handlers_join(struct handlers *h);

#endif
