/*
 * fastcgi_stream: the records a web server sends on one connection, one request after the other.  Pure: bytes in, events out.
 *
 *     BEGIN_REQUEST  PARAMS ...  PARAMS (empty)  STDIN ...  STDIN (empty)   |  BEGIN_REQUEST ...
 *                                      |           |             |          fastcgi_stream_restart
 *                                     HEAD      DATA ...      BODY_END
 *
 *     fastcgi_stream_feed(s, bytes, len);              bytes stay the caller's and must stay until MORE
 *     while ((event = fastcgi_stream_next(s)) != FASTCGI_MORE) ...
 *
 * Guarantees: the same events however the bytes are cut; work is linear in the bytes and records; memory is this struct.
 * Records may be padded, of any size from 0 to 65,535 bytes, and HEAD and BODY_END come only after the padding of theirs.
 * Content of a body is not copied: DATA points into what was fed.
 *
 * What a web server that keeps to the specification does not send:
 *   another BEGIN_REQUEST on the connection    REPLY with CANT_MPX_CONN, the first request goes on
 *   a role that is not the responder's         REFUSED with UNKNOWN_ROLE
 *   ABORT_REQUEST                              REFUSED within a head, ABORT within a body, nothing after it
 *   management records                         REPLY with GET_VALUES_RESULT or UNKNOWN_TYPE
 *   records of an id that is not under way     left out (section 3.3)
 *   a head over the limits                     REFUSED with status 431
 *   anything else: another version, STDIN within a head, PARAMS after it, BEGIN_REQUEST with the same id, types that
 *   only a responder sends, a name with a NUL: BAD, with why set
 * Of the first, fourth and fifth kind there may be FASTCGI_STREAM_ODD for each request; one more is BAD.
 *
 * Sources: FastCGI specification 1.0, sections 3 to 6.
 */
#ifndef HOIST_FCGI_FASTCGI_STREAM_H
#define HOIST_FCGI_FASTCGI_STREAM_H

#include "fcgi-app/fastcgi/fastcgi_pairs.h"
#include "fcgi-app/fastcgi/fastcgi_reply.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    FASTCGI_STREAM_HEAD = 72 * 1024, /* bytes of all records before and of a head */
    FASTCGI_STREAM_ODD = 64,         /* records that are not the request's */
    FASTCGI_STREAM_KEPT = 256        /* bytes of a GET_VALUES that are looked at */
};

enum fastcgi_event {
    FASTCGI_MORE,     /* all that was fed is used up */
    FASTCGI_HEAD,     /* pairs.list is complete */
    FASTCGI_DATA,     /* data, data_len: of the body */
    FASTCGI_BODY_END, /* the body is complete */
    FASTCGI_REPLY,    /* reply is to be sent; go on */
    /* After these there is nothing more. */
    FASTCGI_REFUSED, /* reply is to be sent: the request is over before it began */
    FASTCGI_ABORT,   /* its body breaks off */
    FASTCGI_BAD      /* why: this is no FastCGI that we speak */
};

enum fastcgi_phase {
    FASTCGI_BETWEEN, /* no request is under way */
    FASTCGI_IN_HEAD,
    FASTCGI_IN_BODY,
    FASTCGI_AFTER_BODY,
    FASTCGI_BROKEN
};

struct fastcgi_stream {
    /* Read by the caller. */
    enum fastcgi_phase phase;
    unsigned id; /* of the request under way */
    bool keep;   /* FCGI_KEEP_CONN was set */
    const unsigned char *data;
    size_t data_len;
    const char *why; /* a literal */
    size_t reply_len;
    unsigned char reply[FASTCGI_REPLY_MAX];
    /* Private. */
    const unsigned char *at, *end; /* what was fed and is not used up */
    size_t max_connections;
    size_t head_bytes, odd;
    int type;
    unsigned record_id;
    bool in_record, is_other; /* is_other: not of the request under way */
    size_t content_len, content_left, padding_left;
    size_t header_have, kept_len;
    unsigned char header[8];
    unsigned char kept[FASTCGI_STREAM_KEPT];
    struct fastcgi_pairs pairs; /* list is the caller's to read */
};

/* A connection.  max_connections: what GET_VALUES is told. */
void fastcgi_stream_init(struct fastcgi_stream *s, size_t max_connections);
/* The next request on it; only when is_whole. */
void fastcgi_stream_restart(struct fastcgi_stream *s);

void fastcgi_stream_feed(struct fastcgi_stream *s, const void *bytes, size_t len);
enum fastcgi_event fastcgi_stream_next(struct fastcgi_stream *s);

/* What was fed so far ends with a record: another request may follow. */
bool fastcgi_stream_is_whole(const struct fastcgi_stream *s);
/* Nothing of a next request has come. */
bool fastcgi_stream_is_idle(const struct fastcgi_stream *s);

#endif
