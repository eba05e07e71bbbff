#include "fcgi-app/fastcgi/fastcgi_stream.h"

#include <fastcgi.h>
#include <string.h>

_Static_assert(sizeof(FCGI_Header) == FCGI_HEADER_LEN, "libfcgi's shapes are packed");
_Static_assert(sizeof(FCGI_BeginRequestBody) <= FASTCGI_STREAM_KEPT, "it is kept");

void fastcgi_stream_init(struct fastcgi_stream *s, size_t max_connections)
{
    memset(s, 0, offsetof(struct fastcgi_stream, pairs));
    s->max_connections = max_connections;
    fastcgi_pairs_begin(&s->pairs);
}

void fastcgi_stream_restart(struct fastcgi_stream *s)
{
    s->phase = FASTCGI_BETWEEN;
    s->head_bytes = s->odd = 0;
}

void fastcgi_stream_feed(struct fastcgi_stream *s, const void *bytes, size_t len)
{
    s->at = bytes;
    s->end = s->at + len;
}

bool fastcgi_stream_is_whole(const struct fastcgi_stream *s)
{
    return s->phase != FASTCGI_BROKEN && !s->in_record && s->header_have == 0 &&
           s->at == s->end;
}

bool fastcgi_stream_is_idle(const struct fastcgi_stream *s)
{
    return s->phase == FASTCGI_BETWEEN && fastcgi_stream_is_whole(s);
}

static enum fastcgi_event bad(struct fastcgi_stream *s, const char *why)
{
    s->phase = FASTCGI_BROKEN;
    s->why = why;
    return FASTCGI_BAD;
}

static enum fastcgi_event refuse(struct fastcgi_stream *s, size_t reply_len)
{
    s->phase = FASTCGI_BROKEN;
    s->reply_len = reply_len;
    return FASTCGI_REFUSED;
}

static enum fastcgi_event too_long(struct fastcgi_stream *s)
{
    return refuse(s, fastcgi_reply_refuse(s->reply, s->id,
                                          "431 Request Header Fields Too Large",
                                          PROBLEM_HEAD_LONG));
}

static enum fastcgi_event reply(struct fastcgi_stream *s, size_t reply_len)
{
    s->reply_len = reply_len;
    return FASTCGI_REPLY;
}

/* --- A record begins --- */

/* Of a request that is under way: whether this is the time for it. */
static enum fastcgi_event check_own(struct fastcgi_stream *s)
{
    switch (s->type) {
    case FCGI_BEGIN_REQUEST:
        return bad(s, "BEGIN_REQUEST twice with one id");
    case FCGI_PARAMS:
        return s->phase == FASTCGI_IN_HEAD ? FASTCGI_MORE
                                           : bad(s, "PARAMS after their end");
    case FCGI_STDIN:
        if (s->phase == FASTCGI_IN_HEAD)
            return bad(s, "STDIN before the end of PARAMS");
        return s->phase == FASTCGI_IN_BODY ? FASTCGI_MORE
                                           : bad(s, "STDIN after its end");
    case FCGI_ABORT_REQUEST:
        return FASTCGI_MORE;
    default:
        return bad(s, "a type of record that a responder is not sent");
    }
}

static enum fastcgi_event check_other(struct fastcgi_stream *s)
{
    bool management = s->record_id == FCGI_NULL_REQUEST_ID;
    bool known = s->type == FCGI_BEGIN_REQUEST || s->type == FCGI_ABORT_REQUEST ||
                 s->type == FCGI_PARAMS || s->type == FCGI_STDIN ||
                 s->type == FCGI_DATA;
    if (management ? s->type < FCGI_GET_VALUES : !known)
        return bad(s, management ? "a request without an id"
                                 : "a type of record that a responder is not sent");
    if (s->type == FCGI_BEGIN_REQUEST &&
        s->content_len != sizeof(FCGI_BeginRequestBody))
        return bad(s, "BEGIN_REQUEST of a wrong length");
    bool begins = s->type == FCGI_BEGIN_REQUEST && s->phase == FASTCGI_BETWEEN;
    if (!begins && ++s->odd > FASTCGI_STREAM_ODD)
        return bad(s, "too many records that are not of a request");
    return FASTCGI_MORE;
}

static enum fastcgi_event begin_record(struct fastcgi_stream *s)
{
    FCGI_Header h;
    memcpy(&h, s->header, sizeof h);
    s->header_have = 0;
    s->in_record = true;
    s->type = h.type;
    s->record_id = (unsigned)h.requestIdB1 << 8 | h.requestIdB0;
    s->content_len = (size_t)h.contentLengthB1 << 8 | h.contentLengthB0;
    s->content_left = s->content_len;
    s->padding_left = h.paddingLength;
    s->kept_len = 0;
    s->is_other = s->phase == FASTCGI_BETWEEN || s->record_id != s->id;
    if (h.version != FCGI_VERSION_1)
        return bad(s, "another version of FastCGI, or none");
    enum fastcgi_event event = s->is_other ? check_other(s) : check_own(s);
    if (event != FASTCGI_MORE)
        return event;
    if (s->phase == FASTCGI_BETWEEN || s->phase == FASTCGI_IN_HEAD) {
        s->head_bytes += FCGI_HEADER_LEN + s->content_len + s->padding_left;
        if (s->head_bytes > FASTCGI_STREAM_HEAD)
            return s->phase == FASTCGI_IN_HEAD ? too_long(s)
                                               : bad(s, "no request in so many bytes");
    }
    return FASTCGI_MORE;
}

/* --- Its content --- */

static enum fastcgi_event take_content(struct fastcgi_stream *s,
                                       const unsigned char *bytes, size_t len)
{
    if (s->is_other) {
        size_t room = sizeof s->kept - s->kept_len;
        size_t n = len < room ? len : room;
        memcpy(s->kept + s->kept_len, bytes, n);
        s->kept_len += n;
        return FASTCGI_MORE;
    }
    if (s->type == FCGI_STDIN) {
        s->data = bytes;
        s->data_len = len;
        return FASTCGI_DATA;
    }
    if (s->type != FCGI_PARAMS)
        return FASTCGI_MORE; /* ABORT_REQUEST has none; if it has, it does not matter */
    switch (fastcgi_pairs_add(&s->pairs, bytes, len)) {
    case FASTCGI_PAIRS_FINE:
        return FASTCGI_MORE;
    case FASTCGI_PAIRS_TOO_LONG:
        return too_long(s);
    case FASTCGI_PAIRS_BAD:
        break;
    }
    return bad(s, "a parameter without a name, or with a NUL or '=' in it");
}

/* --- A record ends --- */

static enum fastcgi_event end_begin(struct fastcgi_stream *s)
{
    FCGI_BeginRequestBody body;
    memcpy(&body, s->kept, sizeof body);
    if (s->phase != FASTCGI_BETWEEN)
        return reply(s, fastcgi_reply_end(s->reply, s->record_id, FCGI_CANT_MPX_CONN));
    if (((unsigned)body.roleB1 << 8 | body.roleB0) != FCGI_RESPONDER)
        return refuse(s, fastcgi_reply_end(s->reply, s->record_id, FCGI_UNKNOWN_ROLE));
    s->id = s->record_id;
    s->keep = body.flags & FCGI_KEEP_CONN;
    s->phase = FASTCGI_IN_HEAD;
    fastcgi_pairs_begin(&s->pairs);
    return FASTCGI_MORE;
}

static enum fastcgi_event end_other(struct fastcgi_stream *s)
{
    if (s->type == FCGI_BEGIN_REQUEST)
        return end_begin(s);
    if (s->record_id != FCGI_NULL_REQUEST_ID)
        return FASTCGI_MORE;
    if (s->type == FCGI_GET_VALUES)
        return reply(s, fastcgi_reply_values(s->reply, s->kept, s->kept_len,
                                             s->max_connections));
    return reply(s, fastcgi_reply_unknown_type(s->reply, s->type));
}

static enum fastcgi_event end_own(struct fastcgi_stream *s)
{
    if (s->type == FCGI_ABORT_REQUEST) {
        if (s->phase == FASTCGI_AFTER_BODY)
            return FASTCGI_MORE; /* all of it is here, and it is being answered */
        if (s->phase == FASTCGI_IN_HEAD)
            return refuse(s, fastcgi_reply_end(s->reply, s->id, FCGI_REQUEST_COMPLETE));
        s->phase = FASTCGI_BROKEN;
        return FASTCGI_ABORT;
    }
    if (s->content_len > 0)
        return FASTCGI_MORE;
    if (s->type == FCGI_STDIN) {
        s->phase = FASTCGI_AFTER_BODY;
        return FASTCGI_BODY_END;
    }
    if (!fastcgi_pairs_end(&s->pairs))
        return bad(s, "PARAMS that end within a parameter");
    s->phase = FASTCGI_IN_BODY;
    return FASTCGI_HEAD;
}

/* --- All of it --- */

static size_t here(const struct fastcgi_stream *s, size_t want)
{
    size_t len = (size_t)(s->end - s->at);
    return len < want ? len : want;
}

/* Of the record under way. */
static enum fastcgi_event step(struct fastcgi_stream *s)
{
    if (s->content_left > 0) {
        const unsigned char *bytes = s->at;
        size_t n = here(s, s->content_left);
        s->at += n;
        s->content_left -= n;
        return take_content(s, bytes, n);
    }
    size_t n = here(s, s->padding_left);
    s->at += n;
    s->padding_left -= n;
    if (s->padding_left > 0)
        return FASTCGI_MORE;
    s->in_record = false;
    return s->is_other ? end_other(s) : end_own(s);
}

static enum fastcgi_event read_header(struct fastcgi_stream *s)
{
    size_t n = here(s, FCGI_HEADER_LEN - s->header_have);
    memcpy(s->header + s->header_have, s->at, n);
    s->at += n;
    s->header_have += n;
    return s->header_have == FCGI_HEADER_LEN ? begin_record(s) : FASTCGI_MORE;
}

enum fastcgi_event fastcgi_stream_next(struct fastcgi_stream *s)
{
    if (s->phase == FASTCGI_BROKEN)
        return bad(s, s->why ? s->why : "it is over");
    /* A record without anything left to come ends without another byte. */
    while (s->at < s->end ||
           (s->in_record && s->content_left == 0 && s->padding_left == 0)) {
        enum fastcgi_event event = s->in_record ? step(s) : read_header(s);
        if (event != FASTCGI_MORE)
            return event;
    }
    return FASTCGI_MORE;
}
