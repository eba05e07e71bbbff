#include "fcgi-app/fastcgi/fastcgi.h"

#include "fcgi-app/fastcgi/fastcgi_later.h"
#include "fcgi-app/fastcgi/fastcgi_stream.h"
#include "shared/clock.h"

#include <errno.h>
#include <fastcgi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
    IN_BYTES = 16 * 1024,
    OUT_BYTES = 8 * 1024,
    END_BYTES = 2 * FCGI_HEADER_LEN + sizeof(FCGI_EndRequestBody),
    DIRECT_BYTES = 4096 /* so much is worth reading past the buffer */
};

struct fastcgi {
    int fd;
    bool complete, broken; /* of the body: its end was reached; it will not be */
    bool write_failed;
    const unsigned char *data; /* of the body, in `in`, not yet given away */
    size_t data_len;
    size_t later_len;  /* bytes in `in` that come after what was fed */
    int64_t body_read; /* bytes given away so far */
    size_t out_len;    /* content in out, behind its header */
    struct fastcgi_stream stream;
    unsigned char out[OUT_BYTES];
    unsigned char in[IN_BYTES];
};

struct fastcgi *fastcgi_new(size_t max_connections)
{
    struct fastcgi *f = malloc(sizeof *f); /* not calloc: most is never touched */
    if (f)
        fastcgi_stream_init(&f->stream, max_connections);
    return f;
}

void fastcgi_free(struct fastcgi *f)
{
    free(f);
}

char *const *fastcgi_params(const struct fastcgi *f)
{
    return f->stream.pairs.list;
}

/* --- Writing --- */

static bool send_all(int fd, struct iovec *parts, size_t count, int flags)
{
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = count};
    while (m.msg_iovlen > 0) {
        ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL | flags);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        size_t sent = (size_t)n;
        while (m.msg_iovlen > 0 && sent >= m.msg_iov->iov_len) {
            sent -= m.msg_iov->iov_len;
            m.msg_iov++;
            m.msg_iovlen--;
        }
        if (m.msg_iovlen > 0) {
            m.msg_iov->iov_base = (char *)m.msg_iov->iov_base + sent;
            m.msg_iov->iov_len -= sent;
        }
    }
    return true;
}

/* A record besides the answer.  Who asks much and does not read gets no more. */
static bool send_reply(struct fastcgi *f)
{
    struct iovec part = {f->stream.reply, f->stream.reply_len};
    return send_all(f->fd, &part, 1, MSG_DONTWAIT);
}

void fastcgi_write(struct fastcgi *f, const void *data, size_t len)
{
    const size_t room = sizeof f->out - FCGI_HEADER_LEN - END_BYTES;
    const char *s = data;
    while (len > 0 && !f->write_failed) {
        if (len <= room - f->out_len) {
            memcpy(f->out + FCGI_HEADER_LEN + f->out_len, s, len);
            f->out_len += len;
            return;
        }
        size_t n = FCGI_MAX_LENGTH - f->out_len;
        n = len < n ? len : n;
        (void)fastcgi_reply_header(f->out, FCGI_STDOUT, f->stream.id, f->out_len + n);
        struct iovec parts[] = {{f->out, FCGI_HEADER_LEN + f->out_len},
                                {(void *)(uintptr_t)s, n}};
        f->write_failed = !send_all(f->fd, parts, 2, 0);
        f->out_len = 0;
        s += n;
        len -= n;
    }
}

/* The rest of the answer and the end of the request, together. */
static void write_end(struct fastcgi *f)
{
    unsigned id = f->stream.id;
    size_t at = 0;
    if (f->write_failed)
        return;
    if (f->out_len > 0)
        at = fastcgi_reply_header(f->out, FCGI_STDOUT, id, f->out_len) + f->out_len;
    at += fastcgi_reply_header(f->out + at, FCGI_STDOUT, id, 0);
    at += fastcgi_reply_end(f->out + at, id, FCGI_REQUEST_COMPLETE);
    struct iovec part = {f->out, at};
    f->write_failed = !send_all(f->fd, &part, 1, 0);
    f->out_len = 0;
}

/* --- The head --- */

void fastcgi_begin(struct fastcgi *f, int fd)
{
    if (!fastcgi_stream_is_whole(&f->stream))
        fastcgi_stream_init(&f->stream, f->stream.max_connections);
    fastcgi_stream_restart(&f->stream);
    f->fd = fd;
    f->complete = f->broken = f->write_failed = false;
    f->data_len = f->later_len = f->out_len = 0;
    f->body_read = 0;
}

/* Into `in`, what there is.  0: the peer has closed, or an error; *empty: there is nothing now. */
static size_t receive_now(struct fastcgi *f, bool *empty)
{
    ssize_t n;
    do {
        n = recv(f->fd, f->in, sizeof f->in, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    *empty = n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    return n > 0 ? (size_t)n : 0;
}

/* All that was fed, or the head. */
static enum fastcgi_look look_at_fed(struct fastcgi *f, struct err *e)
{
    for (;;) {
        switch (fastcgi_stream_next(&f->stream)) {
        case FASTCGI_HEAD:
            return FASTCGI_REQUEST;
        case FASTCGI_MORE:
            return FASTCGI_PART;
        case FASTCGI_REPLY:
            if (!send_reply(f))
                return FASTCGI_OVER;
            break;
        case FASTCGI_REFUSED:
            return send_reply(f) ? FASTCGI_REFUSAL : FASTCGI_OVER;
        case FASTCGI_BAD:
            (void)err_set(e, ERR_REJECT, "fastcgi: %s", f->stream.why);
            return FASTCGI_WRONG;
        case FASTCGI_DATA: /* not before a head */
        case FASTCGI_BODY_END:
        case FASTCGI_ABORT:
            return FASTCGI_WRONG;
        }
    }
}

enum fastcgi_look fastcgi_look(struct fastcgi *f, struct err *e)
{
    bool full = true;
    while (full) { /* so long as there may be more; a head has an end */
        bool empty;
        size_t n = receive_now(f, &empty);
        if (n == 0 && !empty)
            return FASTCGI_OVER;
        fastcgi_stream_feed(&f->stream, f->in, n);
        enum fastcgi_look look = look_at_fed(f, e);
        if (look != FASTCGI_PART)
            return look;
        full = n == sizeof f->in;
    }
    return fastcgi_stream_is_idle(&f->stream) ? FASTCGI_NOTHING : FASTCGI_PART;
}

/* --- The body --- */

static bool has_ended(const struct fastcgi *f)
{
    return f->complete || f->broken;
}

static size_t take(struct fastcgi *f, char *data, size_t len)
{
    size_t n = len < f->data_len ? len : f->data_len;
    if (n > 0)
        memmove(data, f->data, n); /* data may be what it was read into */
    f->data += n;
    f->data_len -= n;
    return n;
}

/* What was fed, of the body, up to len bytes.  Records that come after the body's end are answered, too. */
static size_t use_fed(struct fastcgi *f, char *data, size_t len)
{
    size_t got = take(f, data, len);
    while (f->data_len == 0) {
        switch (fastcgi_stream_next(&f->stream)) {
        case FASTCGI_MORE:
            if (f->later_len == 0)
                return got;
            fastcgi_stream_feed(&f->stream, f->in, f->later_len);
            f->later_len = 0;
            break;
        case FASTCGI_DATA:
            f->data = f->stream.data;
            f->data_len = f->stream.data_len;
            got += take(f, data + got, len - got);
            break;
        case FASTCGI_BODY_END:
            f->complete = true;
            break;
        case FASTCGI_REPLY:
            if (send_reply(f))
                break;
            f->broken = true;
            return got;
        case FASTCGI_HEAD:
        case FASTCGI_REFUSED:
        case FASTCGI_ABORT:
        case FASTCGI_BAD:
            f->broken = true;
            return got;
        }
    }
    return got;
}

/* Wait for more, and feed it: straight into the caller's memory, and what is too much for that into `in`.  The headers in
 * between leave room at the end, which is filled from there.  Nothing comes: hung up, or too late. */
static void receive(struct fastcgi *f, void *data, size_t len)
{
    struct iovec parts[] = {{data, len < DIRECT_BYTES ? 0 : len},
                            {f->in, sizeof f->in}};
    ssize_t n;
    do {
        n = readv(f->fd, parts, 2);
    } while (n < 0 && errno == EINTR);
    size_t sum = n > 0 ? (size_t)n : 0;
    size_t first = sum < parts[0].iov_len ? sum : parts[0].iov_len;
    f->broken = sum == 0;
    f->later_len = sum - first;
    fastcgi_stream_feed(&f->stream, data, first);
}

size_t fastcgi_read_some(struct fastcgi *f, void *data, size_t len)
{
    size_t got = len > 0 ? use_fed(f, data, len) : 0;
    while (got == 0 && len > 0 && !has_ended(f)) {
        receive(f, data, len);
        got = use_fed(f, data, len);
    }
    f->body_read += (int64_t)got;
    return got;
}

size_t fastcgi_read(struct fastcgi *f, void *data, size_t len)
{
    size_t got = 0, n;
    while (got < len && (n = fastcgi_read_some(f, (char *)data + got, len - got)) > 0)
        got += n;
    return got;
}

bool fastcgi_body_is_complete(const struct fastcgi *f)
{
    return f->complete && !f->broken;
}

bool fastcgi_drain(struct fastcgi *f, int64_t body_bytes)
{
    char rest[4096];
    size_t sum = 0;
    int64_t end_ms = clock_mono_ms() + FASTCGI_DRAIN_MS;
    if (!has_ended(f) && body_bytes - f->body_read > FASTCGI_DRAIN_MAX)
        return false;
    while (!has_ended(f) && sum <= FASTCGI_DRAIN_MAX && clock_mono_ms() <= end_ms)
        sum += fastcgi_read_some(f, rest, sizeof rest);
    return has_ended(f);
}

/* --- The end --- */

/* What has come is thrown away without waiting for more: mostly the empty STDIN record, in `in` already. */
static void use_up(struct fastcgi *f)
{
    char rest[4096];
    size_t n;
    do {
        n = use_fed(f, rest, sizeof rest);
    } while (n == sizeof rest);
}

bool fastcgi_leave(const struct fastcgi *f, struct fastcgi_later *ret)
{
    if (!fastcgi_body_is_complete(f) || f->later_len > 0 ||
        !fastcgi_stream_is_whole(&f->stream))
        return false;
    *ret = (struct fastcgi_later){.id = f->stream.id, .keep = f->stream.keep};
    return true;
}

enum fastcgi_end fastcgi_end(struct fastcgi *f, bool drain, int64_t body_bytes)
{
    if (drain)
        (void)fastcgi_drain(f, body_bytes); /* what it did is looked at below */
    else if (!has_ended(f))
        use_up(f);
    write_end(f);
    if (f->write_failed)
        return FASTCGI_CLOSE;
    if (!has_ended(f))
        return FASTCGI_LINGER;
    return fastcgi_body_is_complete(f) && f->stream.keep &&
                   fastcgi_stream_is_whole(&f->stream)
               ? FASTCGI_KEEP
               : FASTCGI_CLOSE;
}
