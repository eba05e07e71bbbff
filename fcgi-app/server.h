/*
 * server: the responder, put together and run until it is told to stop.
 *
 *     SIGTERM, SIGINT   stop accepting, answer what is under way (30 s at most), publish what waits (2 s), return.
 *                       Our own socket refuses connections at once; who waits in the queue of one that was inherited
 *                       waits for the next process
 *     again             exit at once, status 1
 *     SIGHUP            logged; nothing is reloaded: start anew, connections drain
 *
 * By CGI (cgi.h) it is the same responder for one request: SIGTERM breaks that off, and removes what came of its body.
 */
#ifndef HOIST_FCGI_SERVER_H
#define HOIST_FCGI_SERVER_H

#include "fcgi-app/fastcgi/cgi_carry.h"
#include "fcgi-app/fastcgi/listen.h"
#include "shared/config.h"
#include "shared/err.h"
#include "shared/spool.h"

/* ERR_CONFIG: the settings of Redis, or the Redis that answers, are not to be worked with (redis_check.h); an absent Redis is
 * no error, uploads are taken without it. */
MUST_CHECK enum err_code server_check(const struct config *config, struct err *e);

/* Call once, from the main thread, before any other thread exists.  listener and spool stay the caller's. */
MUST_CHECK enum err_code server_run(const struct config *config, struct spool *spool,
                                    const struct listener *listener, struct err *e);

/* The same for the one request of descriptors 0 and 1, without a listener.  Both are /dev/null when it returns: the web
 * server has its answer while the job goes to Redis, SERVER_CGI_FLUSH_MS at most.  Errors of cgi_carry. */
enum { SERVER_CGI_FLUSH_MS = 1000 };
MUST_CHECK enum err_code server_run_cgi(const struct config *config,
                                        struct spool *spool,
                                        const struct cgi_request *request,
                                        struct err *e);

#endif
