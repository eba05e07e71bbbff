/*
 * fastcgi_head: a look at the first records of a request, before libfcgi reads them.  Pure.
 *
 *     BEGIN_REQUEST (responder)   PARAMS ...   PARAMS (empty)   STDIN ...
 *     '---------------- the head, looked at here ----------'
 *
 * libfcgi 2.4.2 trusts whoever writes to the socket: it allocates what a length field says (up to 2 GiB), overflows
 * its stack on repeated GET_VALUES names, loses step when an empty record is padded, and waits without limit for the
 * rest of a head while it holds a thread.  So a connection is handed to it only after its whole head has come and
 * was found sane.  What is refused: any other version, type, role or request id; padding after BEGIN_REQUEST and
 * after the empty PARAMS; a parameter without a name, with a NUL, or cut by the end of the stream.
 */
#ifndef HOIST_FCGI_FASTCGI_HEAD_H
#define HOIST_FCGI_FASTCGI_HEAD_H

#include <stddef.h>

enum {
    FASTCGI_HEAD_MAX = 72 * 1024,     /* bytes of all records of a head */
    FASTCGI_PARAMS_BYTES = 64 * 1024, /* names and values */
    FASTCGI_PARAMS_COUNT = 512
};

enum fastcgi_head {
    FASTCGI_HEAD_COMPLETE,
    FASTCGI_HEAD_MORE, /* fine so far, but not all of it is here */
    FASTCGI_HEAD_BAD,  /* not a request we take: close the connection */
    FASTCGI_HEAD_TOO_LONG /* sane, but over a limit above: *ret_id is set, so that it can be answered */
};

/* bytes need not be aligned; they may hold more than the head. */
enum fastcgi_head fastcgi_head_check(const void *bytes, size_t len, unsigned *ret_id);

#endif
