#include "tests/integration/events_rig.h"

#include "tests/integration/responder_rig.h"
#include "tests/support/wait_until.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { HEADER = 8 };

void events_open(struct event_stream *s, const struct fcgi_request *r)
{
    s->raw_len = s->len = s->seen = 0;
    s->text[0] = '\0';
    s->ended = s->closed = false;
    fcgi_client_open(&s->client, rig.socket.path);
    fcgi_client_request(&s->client, r);
}

void events_close(struct event_stream *s)
{
    fcgi_client_close(&s->client);
}

/* The whole records of what has come. */
static void take_records(struct event_stream *s)
{
    for (;;) {
        size_t len = (size_t)s->raw[4] << 8 | s->raw[5];
        size_t all = HEADER + len + s->raw[6];
        if (s->raw_len < HEADER || s->raw_len < all)
            return;
        if (s->len + len >= sizeof s->text)
            abort();
        if (s->raw[1] == FCGI_STDOUT) {
            memcpy(s->text + s->len, s->raw + HEADER, len);
            s->len += len;
            s->text[s->len] = '\0';
        }
        s->ended = s->ended || s->raw[1] == FCGI_END;
        s->raw_len -= all;
        memmove(s->raw, s->raw + all, s->raw_len);
    }
}

static void read_more(struct event_stream *s, int64_t end_ms)
{
    struct pollfd wait = {.fd = s->client.fd, .events = POLLIN};
    int64_t left = end_ms - wait_now_ms();
    if (left <= 0 || poll(&wait, 1, (int)left) != 1)
        return;
    ssize_t n = recv(s->client.fd, s->raw + s->raw_len, sizeof s->raw - s->raw_len,
                     MSG_DONTWAIT);
    s->closed = s->closed || n == 0;
    s->raw_len += n > 0 ? (size_t)n : 0;
    take_records(s);
}

static bool find(struct event_stream *s, const char *part, int ms)
{
    int64_t end_ms = wait_now_ms() + ms;
    const char *at;
    while (!(at = strstr(s->text + s->seen, part)) && !s->closed && !s->ended &&
           wait_now_ms() < end_ms)
        read_more(s, end_ms);
    if (at)
        s->seen = (size_t)(at - s->text) + strlen(part);
    return at;
}

bool events_says(struct event_stream *s, const char *part, int deadline_ms)
{
    if (find(s, part, deadline_ms))
        return true;
    fprintf(stderr, "no %s in:\n%s\n", part, s->text);
    return false;
}

bool events_keeps_from(struct event_stream *s, const char *part, int ms)
{
    return !find(s, part, ms);
}

bool events_ends(struct event_stream *s, int deadline_ms)
{
    int64_t end_ms = wait_now_ms() + deadline_ms;
    while (!s->ended && !s->closed && wait_now_ms() < end_ms)
        read_more(s, end_ms);
    return s->ended;
}

bool events_closes(struct event_stream *s, int deadline_ms)
{
    int64_t end_ms = wait_now_ms() + deadline_ms;
    while (!s->closed && wait_now_ms() < end_ms)
        read_more(s, end_ms);
    return s->closed;
}

void events_last_id(const struct event_stream *s, char ret[static 64])
{
    const char *at = s->text, *last = NULL;
    while ((at = strstr(at, "\nid: ")))
        last = at = at + strlen("\nid: ");
    (void)snprintf(ret, 64, "%.*s", last ? (int)strcspn(last, "\n") : 0,
                   last ? last : "");
}
