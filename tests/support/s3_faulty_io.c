#include "tests/support/s3_faulty_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

bool s3_faulty_send(struct connection *c, const char *text)
{
    size_t len = strlen(text);

    if (c->most && (int64_t)len > *c->most)
        len = (size_t)*c->most;
    while (len > 0) {
        ssize_t n = send(c->fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* The value of a header in the NUL-terminated head, or NULL. */
const char *s3_faulty_header(const char *head, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " ");
    }
    return NULL;
}

/* Read one head; what came after it stays in c->head from *ret_rest on. */
bool s3_faulty_read_head(struct connection *c, size_t *ret_rest)
{
    for (;;) {
        c->head[c->filled] = '\0';
        char *end = strstr(c->head, "\r\n\r\n");
        if (end) {
            *ret_rest = (size_t)(end + 4 - c->head);
            return true;
        }
        if (c->filled == HEAD_MAX)
            return false;
        ssize_t n = recv(c->fd, c->head + c->filled, HEAD_MAX - c->filled, 0);
        if (n <= 0)
            return false;
        c->filled += (size_t)n;
    }
}

/* Take len bytes of the body; what was read too far stays in c->head.  Fewer: the client has gone. */
int64_t s3_faulty_read_body(struct connection *c, int64_t len,
                            struct s3_faulty_hashes *h)
{
    static _Thread_local char chunk[CHUNK];
    int64_t at = 0;

    while (at < len) {
        int64_t left = len - at;
        size_t want = (size_t)(left < CHUNK ? left : CHUNK);
        ssize_t n;
        if (c->filled > 0) {
            n = (ssize_t)(c->filled < want ? c->filled : want);
            memcpy(chunk, c->head, (size_t)n);
            c->filled -= (size_t)n;
            memmove(c->head, c->head + n, c->filled);
        } else {
            n = recv(c->fd, chunk, want, 0);
        }
        if (n <= 0)
            break;
        s3_faulty_hash_update(h, chunk, (size_t)n);
        at += n;
    }
    return at;
}

void s3_faulty_answer_error(struct connection *c, int status, const char *code,
                            const char *headers, bool with_body)
{
    char body[512] = "", text[2048];

    if (code)
        (void)snprintf(
            body, sizeof body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code>"
            "<Message>as scripted</Message></Error>",
            code);
    (void)snprintf(text, sizeof text,
                   "HTTP/1.1 %d Scripted\r\n%sContent-Length: %zu\r\n\r\n%s", status,
                   headers ? headers : "", strlen(body), with_body ? body : "");
    (void)s3_faulty_send(c, text);
}

/* Until the test is over. */
void s3_faulty_hang(struct s3_faulty *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->stopping)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

/* Wait while the gate is closed. */
void s3_faulty_pass_gate(struct s3_faulty *s)
{
    pthread_mutex_lock(&s->lock);
    s->waiting++;
    while (s->gate_closed && !s->stopping)
        pthread_cond_wait(&s->changed, &s->lock);
    s->waiting--;
    pthread_mutex_unlock(&s->lock);
}
