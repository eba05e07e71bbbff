/*
 * health: GET /healthz (the process lives: always 200, no I/O) and GET /readyz.
 *
 * Ready means that an upload would be accepted: a file can be made in the spool, and no mark is reached (marks.h); else 503
 * with Retry-After and the reason in words.  A Redis that is away is told but is no reason to be taken out of service, since
 * uploads go on without it:
 *
 *   {"spool":"full","spool_error":"the spool's disk is nearly full","redis":"up"}           503
 *   {"spool":"failing","spool_error":"spool: ... nothing is mounted there","redis":"up"}    503; an operator must act
 *   {"spool":"ok","redis":"full","redis_error":"the memory of the queue is nearly full"}    503; only with a mark on it
 *   {"spool":"ok","redis":"up"}
 *   {"spool":"ok","redis":"down","redis_error":"redis: connect: Connection refused"}      comes back by itself
 *   {"spool":"ok","redis":"refused","redis_error":"redis: the server's maxmemory-policy is allkeys-lru ..."}
 *                                                                                         an operator must act
 */
#ifndef HOIST_FCGI_HEALTH_H
#define HOIST_FCGI_HEALTH_H

#include "fcgi-app/http/exchange.h"

void health_live(struct exchange *x);
void health_ready(struct exchange *x);

#endif
