/*
 * health: GET /healthz (the process lives: always 200, no I/O) and GET /readyz.
 *
 * Ready means that an upload would be accepted: a file can be made in the spool.  What is wrong with Redis is told but is not
 * a reason to be taken out of service, since uploads go on without it:
 *
 *   {"spool":"ok","redis":"up"}
 *   {"spool":"ok","redis":"down","redis_error":"redis: connect: Connection refused"}      comes back by itself
 *   {"spool":"ok","redis":"refused","redis_error":"redis: the server's maxmemory-policy is allkeys-lru ..."}
 *                                                                                         an operator must act
 */
#ifndef HOIST_FCGI_HEALTH_H
#define HOIST_FCGI_HEALTH_H

#include "fcgi-app/exchange.h"

void health_live(struct exchange *x);
void health_ready(struct exchange *x);

#endif
