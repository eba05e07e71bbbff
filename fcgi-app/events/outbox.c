#include "fcgi-app/events/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct message *message_new(const struct buf *b)
{
    struct message *m = b->failed ? NULL : malloc(sizeof *m + b->len);
    if (!m)
        return NULL;
    m->refs = 1;
    m->len = b->len;
    memcpy(m->bytes, b->data, b->len);
    return m;
}

void message_drop(struct message *m)
{
    if (m && --m->refs == 0)
        free(m);
}

bool outbox_add(struct outbox *o, struct message *m)
{
    if (o->count == OUTBOX_MAX)
        return false;
    o->list[(o->first + o->count++) % OUTBOX_MAX] = m;
    m->refs++;
    return true;
}

static void shift(struct outbox *o)
{
    message_drop(o->list[o->first]);
    o->first = (o->first + 1) % OUTBOX_MAX;
    o->count--;
    o->sent = 0;
}

enum outbox_state outbox_flush(struct outbox *o, int fd, size_t *ret_sent)
{
    *ret_sent = 0;
    while (o->count > 0) {
        const struct message *m = o->list[o->first];
        ssize_t n =
            send(fd, m->bytes + o->sent, m->len - o->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? OUTBOX_WAITS
                                                           : OUTBOX_BROKEN;
        *ret_sent += (size_t)n;
        o->sent += (size_t)n;
        if (o->sent == m->len)
            shift(o);
    }
    return OUTBOX_EMPTY;
}

void outbox_release(struct outbox *o)
{
    while (o->count > 0)
        shift(o);
}
