/*
 * health: GET /healthz (the process lives: always 200, no I/O) and GET /readyz.
 *
 * Ready means that an upload would be accepted: a file can be made in the spool.  Redis being down is told
 * ({"spool":"ok","redis":"down"}) but is not a reason to be taken out of service, since uploads go on without it.
 */
#ifndef HOIST_FCGI_HEALTH_H
#define HOIST_FCGI_HEALTH_H

#include "fcgi-app/exchange.h"

void health_live(struct exchange *x);
void health_ready(struct exchange *x);

#endif
