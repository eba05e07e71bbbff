/*
 * breaker: keeps the handler threads from waiting for a Redis that does not answer.
 *
 *     closed --BREAKER_FAILURES calls in a row failed--> open: calls fail at once
 *        ^                                                 |
 *        '---- one call that succeeds, or the marks' probe is answered (marks.h)
 *
 * A request may cost a handler thread one time-out; without this, a few of them each second would cost all threads all
 * their time, and uploads, which do not need Redis, would wait too.  One failure alone may be that of a connection; so
 * calls fail three times before all are spared.  Nobody's request is used to find out whether Redis is back: the thread of
 * marks.h tries that, several times a second.  Any thread may call anything.
 */
#ifndef HOIST_FCGI_BREAKER_H
#define HOIST_FCGI_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>

enum { BREAKER_FAILURES = 3 };

struct breaker {
    atomic_int failures; /* in a row, at most BREAKER_FAILURES; 0: all is well */
};

/* No call is to be made. */
bool breaker_is_open(struct breaker *b);
void breaker_fail(struct breaker *b);
void breaker_close(struct breaker *b);

#endif
