#include "fcgi-app/fastcgi/cgi_carry.h"

#include "shared/cleanup.h"
#include "shared/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* FastCGI 1.0, sections 3.3 and 5; the id of the request is always 1. */
enum { RECORD_BEGIN = 1, RECORD_END = 3, RECORD_PARAMS = 4, RECORD_STDIN = 5 };
enum { RECORD_STDOUT = 6, HEADER_BYTES = 8 };

enum {
    CONTENT_MAX = 65528,  /* of a record; a multiple of 8, so that none wants padding */
    ANSWER_CHUNK = 16384, /* read from the responder at a time */
    WRITE_CHUNK = 4096,   /* PIPE_BUF: a pipe that is ready takes it without blocking */
    LINGER_MS = 2000,
    LINGER_BYTES = 64 * 1024 * 1024
};

/* --- The request, as records --- */

static void fill_header(char *at, int type, size_t len)
{
    memcpy(at, "\1\0\0\1\0\0\0\0", HEADER_BYTES);
    at[1] = (char)type;
    at[4] = (char)(len >> 8);
    at[5] = (char)len;
}

static void add_record(struct buf *b, int type, const char *content, size_t len)
{
    char header[HEADER_BYTES];
    fill_header(header, type, len);
    buf_add(b, header, sizeof header);
    buf_add(b, content, len);
}

static void add_length(struct buf *b, size_t len)
{
    if (len >= 128) {
        buf_putc(b, (char)(len >> 24 | 128));
        buf_putc(b, (char)(len >> 16));
        buf_putc(b, (char)(len >> 8));
    }
    buf_putc(b, (char)len);
}

static void add_param(struct buf *b, const char *entry)
{
    const char *is = strchr(entry, '=');
    if (!is || is == entry || strncmp(entry, "HOIST_", 6) == 0)
        return;
    add_length(b, (size_t)(is - entry));
    add_length(b, strlen(is + 1));
    buf_add(b, entry, (size_t)(is - entry));
    buf_puts(b, is + 1);
}

/* The value of a variable, "" when there is none. */
static const char *value_of(char *const *env, const char *name)
{
    size_t len = strlen(name);
    for (; *env; env++)
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            return *env + len + 1;
    return "";
}

/* What is no number is for the responder to refuse; it has no body then. */
static int64_t read_length(const char *s)
{
    int64_t n = 0;
    for (; *s >= '0' && *s <= '9' && n <= INT64_C(1) << 53; s++)
        n = n * 10 + (*s - '0');
    return *s ? 0 : n;
}

enum err_code cgi_request_read(struct cgi_request *r, char *const *env, struct err *e)
{
    CLEANUP(buf_release) struct buf params = BUF_INIT(CGI_HEAD_MAX);
    const char *length = value_of(env, "CONTENT_LENGTH");
    r->body_bytes = read_length(length);
    bool is_known = *length && strcmp(length, "-1") != 0;
    r->is_endless = !is_known && *value_of(env, "HTTP_TRANSFER_ENCODING");
    for (; *env; env++)
        add_param(&params, *env);
    buf_clear(&r->head);
    add_record(&r->head, RECORD_BEGIN, "\0\1\0\0\0\0\0\0", 8); /* responder, close */
    for (size_t at = 0, len; at < params.len; at += len) {
        len = params.len - at < CONTENT_MAX ? params.len - at : CONTENT_MAX;
        add_record(&r->head, RECORD_PARAMS, params.data + at, len);
    }
    add_record(&r->head, RECORD_PARAMS, "", 0);
    if (params.failed || r->head.failed)
        return err_set(e, ERR_REJECT, "cgi: the environment is too long");
    return ERR_OK;
}

void cgi_request_release(struct cgi_request *r)
{
    buf_release(&r->head);
}

/* --- Carrying it --- */

struct carry {
    const struct cgi_ends *ends;
    struct buf out; /* to the responder */
    size_t sent;    /* of it */
    int64_t body_left;
    bool body_over; /* its end is in out, or will never come */
    struct buf answer;
    size_t written; /* of it */
    bool has_answered, has_ended;
    char header[HEADER_BYTES]; /* of the record that is coming */
    size_t header_len;
    size_t content_left, padding_left;
};

static bool is_sending(const struct carry *c)
{
    return c->sent < c->out.len;
}

static bool is_answering(const struct carry *c)
{
    return c->written < c->answer.len;
}

/* The responder takes no more, or there is no more to be had. */
static void give_up_body(struct carry *c)
{
    c->body_over = true;
    buf_clear(&c->out);
    c->sent = 0;
}

static void read_body(struct carry *c)
{
    buf_clear(&c->out);
    c->sent = 0;
    size_t most =
        c->body_left < CONTENT_MAX ? (size_t)c->body_left : (size_t)CONTENT_MAX;
    char *at = buf_reserve(&c->out, HEADER_BYTES + most);
    ssize_t n = at ? read(c->ends->in_fd, at + HEADER_BYTES, most) : 0;
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) { /* it broke off: the responder sees an end without the empty record */
        give_up_body(c);
        (void)shutdown(c->ends->responder_fd, SHUT_WR);
        return;
    }
    fill_header(at, RECORD_STDIN, (size_t)n);
    buf_added(&c->out, HEADER_BYTES + (size_t)n);
    c->body_left -= n;
}

static void end_body(struct carry *c)
{
    if (c->body_left > 0 || c->body_over)
        return;
    add_record(&c->out, RECORD_STDIN, "", 0);
    c->body_over = true;
}

static void send_some(struct carry *c)
{
    ssize_t n = send(c->ends->responder_fd, c->out.data + c->sent, c->out.len - c->sent,
                     MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0)
        c->sent += (size_t)n;
    else if (errno != EAGAIN && errno != EINTR)
        give_up_body(c);
}

/* The next bytes of a record's header; returns how many. */
static size_t take_header(struct carry *c, const char *s, size_t len)
{
    const unsigned char *h = (const unsigned char *)c->header;
    size_t n = HEADER_BYTES - c->header_len < len ? HEADER_BYTES - c->header_len : len;
    memcpy(c->header + c->header_len, s, n);
    c->header_len += n;
    if (c->header_len == HEADER_BYTES) {
        c->header_len = 0;
        c->content_left = (size_t)h[4] << 8 | h[5];
        c->padding_left = h[6];
        c->has_ended = h[1] == RECORD_END;
    }
    return n;
}

static size_t take_some(struct carry *c, const char *s, size_t len)
{
    size_t *left = c->content_left > 0 ? &c->content_left : &c->padding_left;
    size_t n = *left < len ? *left : len;
    if (*left == 0)
        return take_header(c, s, len);
    if (left == &c->content_left && c->header[1] == RECORD_STDOUT)
        buf_add(&c->answer, s, n);
    *left -= n;
    return n;
}

static void receive(struct carry *c)
{
    char chunk[ANSWER_CHUNK];
    ssize_t n = recv(c->ends->responder_fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        c->has_ended = true;
    buf_clear(&c->answer);
    c->written = 0;
    for (size_t at = 0; n > 0 && at < (size_t)n && !c->has_ended;)
        at += take_some(c, chunk + at, (size_t)n - at);
    c->has_answered = c->has_answered || c->answer.len > 0;
}

static enum err_code write_some(struct carry *c, struct err *e)
{
    size_t len = c->answer.len - c->written;
    ssize_t n = write(c->ends->out_fd, c->answer.data + c->written,
                      len < WRITE_CHUNK ? len : WRITE_CHUNK);
    if (n < 0 && errno != EINTR && errno != EAGAIN)
        return err_errno(e, ERR_RETRY, "cgi: the answer cannot be written");
    c->written += n > 0 ? (size_t)n : 0;
    return ERR_OK;
}

/* Whatever can go on now. */
static enum err_code step(struct carry *c, struct err *e)
{
    bool reads = !is_sending(c) && c->body_left > 0 && !c->body_over && !c->has_ended;
    struct pollfd in = {reads ? c->ends->in_fd : -1, POLLIN, 0};
    struct pollfd out = {is_answering(c) ? c->ends->out_fd : -1, POLLOUT, 0};
    struct pollfd responder = {c->ends->responder_fd, 0, 0};
    responder.events = (short)((is_sending(c) ? POLLOUT : 0) | /* a full answer waits */
                               (is_answering(c) ? 0 : POLLIN));
    if (responder.events == 0) /* or its hanging up would be news for ever */
        responder.fd = -1;
    struct pollfd fds[] = {in, out, responder, {c->ends->signal_fd, POLLIN, 0}};
    int64_t wait_ms = is_answering(c) ? c->ends->write_timeout_ms : -1;
    int n = poll(fds, sizeof fds / sizeof fds[0], (int)wait_ms);
    if (n == 0)
        return err_set(e, ERR_RETRY, "cgi: the web server does not read the answer");
    if (n < 0)
        return ERR_OK; /* interrupted */
    if (fds[3].revents)
        return err_set(e, ERR_RETRY, "cgi: told to stop");
    if (fds[1].revents && write_some(c, e))
        return e->code;
    if (fds[2].revents && is_sending(c))
        send_some(c);
    if (fds[2].revents && !is_answering(c))
        receive(c);
    if (fds[0].revents)
        read_body(c);
    if (!is_sending(c))
        end_body(c);
    return ERR_OK;
}

void cgi_throw_away(int in_fd, int signal_fd, int64_t bytes)
{
    char chunk[ANSWER_CHUNK];
    int64_t end_ms = clock_mono_ms() + LINGER_MS;
    int64_t left = bytes < LINGER_BYTES ? bytes : LINGER_BYTES;
    while (left > 0) {
        struct pollfd fds[] = {{in_fd, POLLIN, 0}, {signal_fd, POLLIN, 0}};
        int64_t wait_ms = end_ms - clock_mono_ms();
        size_t most = left < ANSWER_CHUNK ? (size_t)left : sizeof chunk;
        if (wait_ms <= 0 || poll(fds, 2, (int)wait_ms) <= 0 || fds[1].revents)
            return;
        ssize_t n = read(in_fd, chunk, most);
        if (n <= 0)
            return;
        left -= n;
    }
}

static enum err_code carry(struct carry *c, const struct cgi_request *r, struct err *e)
{
    buf_add(&c->out, r->head.data, r->head.len);
    end_body(c);
    if (c->out.failed)
        return err_set(e, ERR_NOMEM, "out of memory");
    while (!c->has_ended || is_answering(c))
        if (step(c, e))
            return e->code;
    if (!c->has_answered)
        return err_set(e, ERR_REJECT, "cgi: the request was not answered");
    cgi_throw_away(c->ends->in_fd, c->ends->signal_fd, c->body_left);
    return ERR_OK;
}

enum err_code cgi_carry(const struct cgi_request *r, const struct cgi_ends *ends,
                        struct err *e)
{
    struct carry c = {.ends = ends,
                      .out = BUF_INIT(CGI_HEAD_MAX + 2 * HEADER_BYTES + CONTENT_MAX),
                      .answer = BUF_INIT(ANSWER_CHUNK),
                      .body_left = r->body_bytes};
    enum err_code code = carry(&c, r, e);
    buf_release(&c.out);
    buf_release(&c.answer);
    return code;
}
