/*
 * breaker: keeps the handler threads from waiting for a Redis that does not answer.
 *
 *     closed --a call failed--> open (calls fail at once) --after 500 ms--> one call is let through --ok--> closed
 *                                 ^                                               '--failed--> open
 *
 * A status request may cost a handler thread one time-out; without this, a few of them each second would cost all
 * threads all their time, and uploads, which do not need Redis, would wait too.  Any thread may call anything.
 */
#ifndef HOIST_FCGI_BREAKER_H
#define HOIST_FCGI_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { BREAKER_OPEN_MS = 500, BREAKER_TRY_MS = 3000 /* longer than any one call */ };

struct breaker {
    _Atomic int64_t open_until_ms; /* 0: closed */
};

/* Whether a call may be made.  Who is let through reports with breaker_report. */
bool breaker_allows(struct breaker *b, int64_t now_ms);
void breaker_report(struct breaker *b, int64_t now_ms, bool ok);

#endif
