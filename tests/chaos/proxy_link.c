#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"
#include "tests/chaos/proxy_internal.h"

enum { SLICES_MAX = 256 };

static bool uses_up(struct settings *s, int d)
{
    if (s->left[d] == 0)
        return false;
    if (s->left[d] > 0)
        s->left[d]--;
    return true;
}

static void drop_first(struct flow *f)
{
    struct chunk *c = f->first;

    f->first = c->next;
    if (!f->first)
        f->last = NULL;
    free(c);
}

static void flip(struct flow *f, struct settings *s, int d, struct chunk *c,
                 struct proxy_counts *counts)
{
    const struct proxy_fault *fault = &s->faults[d];
    int64_t at = fault->flip_at - f->in;

    if (!fault->flip || at < 0 || at >= (int64_t)c->len || !uses_up(s, d))
        return;
    c->data[at] = (char)(c->data[at] ^ (1 << (fault->flip_bit & 7)));
    counts->flipped++;
}

/* --- in --- */

/* False: nothing more now. */
static bool take_in(struct link *l, int d, struct settings *s,
                    struct proxy_counts *counts)
{
    struct flow *f = &l->flows[d];
    struct link_end *from = &l->ends[d];
    struct chunk *c = malloc(sizeof *c + CHUNK_MAX);

    if (!c) {
        l->dead = true;
        return false;
    }
    ssize_t n = recv(from->fd, c->data, CHUNK_MAX, 0);
    if (n <= 0) {
        free(c);
        if (n == 0)
            f->ended = true;
        else if (errno == EAGAIN)
            from->readable = false;
        else if (errno != EINTR)
            l->dead = true;
        return n < 0 && errno == EINTR;
    }
    if (s->faults[d].swallow) {
        f->swallowed = true;
        counts->swallowed_bytes += n;
        free(c);
        return true;
    }
    c->next = NULL;
    c->at = 0;
    c->len = (size_t)n;
    c->due_us = s->faults[d].delay_ms
                    ? clock_mono_us() + s->faults[d].delay_ms * INT64_C(1000)
                    : 0;
    flip(f, s, d, c, counts);
    f->in += n;
    f->queued += c->len;
    if (f->last)
        f->last->next = c;
    else
        f->first = c;
    f->last = c;
    return true;
}

/* --- out --- */

static void sooner(int64_t *next_us, int64_t us)
{
    if (us < *next_us)
        *next_us = us;
}

/* How many bytes may go now: all of len, or as many as the rate has left. */
static size_t allowance(struct flow *f, int64_t rate, size_t len, int64_t *ret_next_us)
{
    int64_t now = clock_mono_us();
    double most = (double)rate / 20 + 1;

    if (rate == 0)
        return len;
    f->tokens += f->tokens_us ? (double)(now - f->tokens_us) * (double)rate / 1e6 : 1;
    f->tokens_us = now;
    if (f->tokens > most)
        f->tokens = most;
    if (f->tokens < 1) {
        sooner(ret_next_us, now + (int64_t)((1 - f->tokens) * 1e6 / (double)rate) + 1);
        return 0;
    }
    return (size_t)f->tokens < len ? (size_t)f->tokens : len;
}

/* How much of the first chunk may go; 0: nothing now, or the link is cut. */
static size_t portion(struct link *l, int d, struct settings *s,
                      struct proxy_counts *counts, int64_t *ret_next_us)
{
    struct flow *f = &l->flows[d];
    const struct proxy_fault *fault = &s->faults[d];
    size_t len = f->first->len - f->first->at;

    if (f->first->due_us > clock_mono_us()) {
        sooner(ret_next_us, f->first->due_us);
        return 0;
    }
    if (fault->cut && s->left[d] != 0) {
        int64_t left = fault->cut_at - f->out;
        if (left <= 0) {
            (void)uses_up(s, d); /* there is one */
            counts->cut++;
            l->dead = true;
            return 0;
        }
        len = (int64_t)len < left ? len : (size_t)left;
    }
    if (fault->slice)
        len = 1;
    return allowance(f, fault->rate, len, ret_next_us);
}

/* False: nothing more now. */
static bool pass_on(struct link *l, int d, struct settings *s,
                    struct proxy_counts *counts, int64_t *ret_next_us)
{
    struct flow *f = &l->flows[d];
    struct link_end *to = &l->ends[!d];
    size_t len = portion(l, d, s, counts, ret_next_us);

    if (len == 0)
        return false;
    ssize_t n = send(to->fd, f->first->data + f->first->at, len, MSG_NOSIGNAL);
    if (n < 0) {
        if (errno == EAGAIN)
            to->writable = false;
        else if (errno != EINTR)
            l->dead = true;
        return errno == EINTR;
    }
    f->first->at += (size_t)n;
    f->queued -= (size_t)n;
    f->out += n;
    f->tokens -= s->faults[d].rate ? (double)n : 0;
    counts->bytes[d] += n;
    if (f->first->at == f->first->len)
        drop_first(f);
    return true;
}

static void pass_end(struct link *l, int d)
{
    struct flow *f = &l->flows[d];

    if (!f->ended || f->end_passed || f->first)
        return;
    f->end_passed = true;
    if (shutdown(l->ends[!d].fd, SHUT_WR) < 0 && errno != ENOTCONN)
        l->dead = true;
}

static void pump_flow(struct link *l, int d, struct settings *s,
                      struct proxy_counts *counts, int64_t *ret_next_us)
{
    struct flow *f = &l->flows[d];
    const struct proxy_fault *fault = &s->faults[d];
    bool can_send = d == PROXY_DOWN || l->connected;

    if (fault->hold)
        return;
    for (bool moved = true; moved && !l->dead;) {
        moved = false;
        while (!l->dead && !f->ended && l->ends[d].readable &&
               f->queued + CHUNK_MAX <= QUEUE_MAX && take_in(l, d, s, counts))
            moved = true;
        if (fault->swallow || !can_send)
            return;
        int slices = 0;
        while (!l->dead && f->first && l->ends[!d].writable &&
               pass_on(l, d, s, counts, ret_next_us)) {
            moved = true;
            if (fault->slice && ++slices == SLICES_MAX) {
                sooner(ret_next_us, 0); /* the others' turn */
                return;
            }
        }
    }
    if (!l->dead)
        pass_end(l, d);
}

void proxy_link_pump(struct link *l, struct settings *s, struct proxy_counts *counts,
                     int64_t *ret_next_us)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (!l->connected && l->ends[PROXY_DOWN].writable) {
        if (getsockopt(l->ends[PROXY_DOWN].fd, SOL_SOCKET, SO_ERROR, &error, &len) <
                0 ||
            error) {
            counts->refused++;
            l->dead = true;
            return;
        }
        l->connected = true;
    }
    pump_flow(l, PROXY_UP, s, counts, ret_next_us);
    if (!l->dead && l->connected)
        pump_flow(l, PROXY_DOWN, s, counts, ret_next_us);
}

void proxy_link_changed(struct link *l, enum proxy_direction d)
{
    struct flow *f = &l->flows[d];

    if (f->swallowed)
        l->dead = true;
    for (struct chunk *c = f->first; c; c = c->next)
        c->due_us = 0;
    f->in = f->out = 0;
    f->tokens = 0;
    f->tokens_us = 0;
}

bool proxy_link_is_over(const struct link *l)
{
    return l->dead ||
           (l->flows[PROXY_UP].end_passed && l->flows[PROXY_DOWN].end_passed);
}

void proxy_link_free(struct link *l)
{
    for (int d = 0; d < 2; d++) {
        while (l->flows[d].first)
            drop_first(&l->flows[d]);
        if (l->ends[d].fd >= 0 && l->dead)
            wire_reset(l->ends[d].fd);
        else if (l->ends[d].fd >= 0)
            (void)close(l->ends[d].fd); /* both ends have ended */
    }
    free(l);
}
