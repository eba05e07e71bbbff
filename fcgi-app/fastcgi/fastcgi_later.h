/*
 * fastcgi_later: a request that is answered in the course of seconds or hours, by a thread that never waits.
 *
 *     fastcgi_leave(f, &later) --> fastcgi_later_add ... fastcgi_later_add_end    records, sent when the socket takes them
 *                             '--> fastcgi_later_look                             whether anybody still wants them
 *
 * A reader (fastcgi.h) costs tens of KiB, and is what its thread reads the next request with.  Of a request whose body has
 * been read these few bytes are all that is left.
 *
 * Sources: FastCGI specification 1.0, sections 3.3, 5.3, 5.4, 5.5.
 */
#ifndef HOIST_FCGI_FASTCGI_LATER_H
#define HOIST_FCGI_FASTCGI_LATER_H

#include "shared/buf.h"

#include <stdbool.h>

struct fastcgi_later {
    unsigned id;
    bool
        keep; /* FCGI_KEEP_CONN was set: after add_end the connection may be used again */
};

/* STDOUT records with these bytes.  False: out is full. */
bool fastcgi_later_add(struct buf *out, unsigned id, const void *data, size_t len);
/* The end of STDOUT, and END_REQUEST. */
bool fastcgi_later_add_end(struct buf *out, unsigned id);

enum fastcgi_news {
    FASTCGI_NO_NEWS,
    FASTCGI_ABORTED, /* the web server wants no more, and awaits the end */
    FASTCGI_LEFT /* it has closed, or sent what has no place here: close the connection */
};

/* What has come meanwhile.  Never waits.  A web server has nothing to send but ABORT_REQUEST. */
enum fastcgi_news fastcgi_later_look(const struct fastcgi_later *l, int fd);

#endif
