#include "tests/support/fcgi_client.h"

#include "tests/support/wait_until.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { HEADER = 8, PIECE = 32 * 1024 };

bool fcgi_client_try_open(struct fcgi_client *c, const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t len = strlen(path);

    c->send_failed = false;
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || len >= sizeof a.sun_path)
        abort();
    memcpy(a.sun_path, path, len);
    if (connect(c->fd, (const struct sockaddr *)&a, sizeof a) == 0)
        return true;
    int why = errno;
    fcgi_client_close(c);
    errno = why;
    return false;
}

void fcgi_client_open(struct fcgi_client *c, const char *path)
{
    if (!fcgi_client_try_open(c, path)) {
        perror(path);
        abort();
    }
}

void fcgi_client_close(struct fcgi_client *c)
{
    if (c->fd >= 0)
        (void)close(c->fd);
    c->fd = -1;
}

void fcgi_client_raw(struct fcgi_client *c, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        struct pollfd wait = {.fd = c->fd, .events = POLLOUT};
        if (poll(&wait, 1, 10000) != 1) {
            c->send_failed = true;
            return;
        }
        ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0) { /* the peer closed: for the test to see */
            c->send_failed = true;
            return;
        }
        p += n;
        len -= (size_t)n;
    }
}

void fcgi_client_record(struct fcgi_client *c, int type, const void *content,
                        size_t len)
{
    unsigned char *record = malloc(HEADER + len);

    if (!record || len > UINT16_MAX)
        abort();
    memcpy(record, (const unsigned char[]){1, (unsigned char)type, 0, 1}, 4);
    record[4] = (unsigned char)(len >> 8);
    record[5] = (unsigned char)len;
    record[6] = record[7] = 0;
    if (len > 0)
        memcpy(record + HEADER, content, len);
    fcgi_client_raw(c, record, HEADER + len);
    free(record);
}

void fcgi_client_body(struct fcgi_client *c, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        size_t n = len < PIECE ? len : PIECE;
        fcgi_client_record(c, FCGI_STDIN, p, n);
        p += n;
        len -= n;
    }
}

static void add_length(FILE *out, size_t n)
{
    if (n < 128) {
        fputc((int)n, out);
        return;
    }
    fputc((int)(n >> 24) | 0x80, out);
    fputc((int)(n >> 16) & 0xff, out);
    fputc((int)(n >> 8) & 0xff, out);
    fputc((int)n & 0xff, out);
}

static void add_param(FILE *out, const char *name, size_t name_len, const char *value)
{
    add_length(out, name_len);
    add_length(out, strlen(value));
    fwrite(name, 1, name_len, out);
    fputs(value, out);
}

void fcgi_client_head(struct fcgi_client *c, const struct fcgi_request *r)
{
    const unsigned char begin[8] = {0, 1, r->keep};
    char *params = NULL, length[24];
    size_t params_len = 0;
    FILE *out = open_memstream(&params, &params_len);

    if (!out)
        abort();
    (void)snprintf(length, sizeof length, "%zu", r->body_len);
    if (r->method)
        add_param(out, "REQUEST_METHOD", 14, r->method);
    if (r->uri)
        add_param(out, "REQUEST_URI", 11, r->uri);
    if (r->type)
        add_param(out, "CONTENT_TYPE", 12, r->type);
    if (r->content_length || r->body)
        add_param(out, "CONTENT_LENGTH", 14,
                  r->content_length ? r->content_length : length);
    if (r->authorization)
        add_param(out, "HTTP_AUTHORIZATION", 18, r->authorization);
    if (!r->remote_addr || *r->remote_addr)
        add_param(out, "REMOTE_ADDR", 11,
                  r->remote_addr ? r->remote_addr : "127.0.0.1");
    for (int i = 0; i < 2; i++) {
        const char *param = i ? r->param2 : r->param;
        size_t len = param ? strcspn(param, "=") : 0;
        if (param)
            add_param(out, param, len, param + len + 1);
    }
    fclose(out);
    fcgi_client_record(c, FCGI_BEGIN, begin, sizeof begin);
    for (size_t at = 0; at < params_len; at += PIECE)
        fcgi_client_record(c, FCGI_PARAMS, params + at,
                           params_len - at < PIECE ? params_len - at : PIECE);
    fcgi_client_record(c, FCGI_PARAMS, NULL, 0);
    free(params);
}

void fcgi_client_request(struct fcgi_client *c, const struct fcgi_request *r)
{
    fcgi_client_head(c, r);
    fcgi_client_body(c, r->body, r->body_len);
    if (!r->open_ended)
        fcgi_client_record(c, FCGI_STDIN, NULL, 0);
}

/* Exactly len bytes; false: closed, or the time is over. */
static bool read_all(struct fcgi_client *c, void *data, size_t len, int64_t end_ms,
                     bool *closed)
{
    char *p = data;

    while (len > 0) {
        struct pollfd wait = {.fd = c->fd, .events = POLLIN};
        int64_t left = end_ms - wait_now_ms();
        if (left <= 0 || poll(&wait, 1, (int)left) != 1)
            return false;
        ssize_t n = recv(c->fd, p, len, 0);
        if (n <= 0) {
            *closed = true;
            return false;
        }
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static void understand(struct fcgi_response *r)
{
    const char *status = strstr(r->text, "Status: ");
    const char *end = strstr(r->text, "\r\n\r\n");

    r->status = status && status < end ? (int)strtol(status + 8, NULL, 10) : 0;
    r->body = end ? end + 4 : r->text + r->len;
}

struct fcgi_response fcgi_client_response(struct fcgi_client *c, int deadline_ms)
{
    struct fcgi_response r = {.status = 0};
    int64_t end_ms = wait_now_ms() + deadline_ms;
    unsigned char header[HEADER], content[UINT16_MAX + 256];
    FILE *out = open_memstream(&r.text, &r.len);

    if (!out)
        abort();
    while (!r.ended && read_all(c, header, HEADER, end_ms, &r.closed)) {
        size_t len = (size_t)header[4] << 8 | header[5];
        if (!read_all(c, content, len + header[6], end_ms, &r.closed))
            break;
        if (header[1] == FCGI_STDOUT)
            fwrite(content, 1, len, out);
        r.ended = header[1] == FCGI_END;
    }
    fclose(out);
    understand(&r);
    return r;
}

void fcgi_response_release(struct fcgi_response *r)
{
    free(r->text);
    *r = (struct fcgi_response){.status = 0};
}

bool fcgi_client_is_closed(struct fcgi_client *c, int deadline_ms)
{
    bool closed = false;
    char byte;

    return !read_all(c, &byte, 1, wait_now_ms() + deadline_ms, &closed) && closed;
}
