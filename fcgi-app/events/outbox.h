/*
 * outbox: what one listener is still to be sent: a few messages, each of them shared with all who get the same.
 *
 *     message_new(bytes) --outbox_add--> | m | m | m |   --outbox_flush--> socket, as much as it takes
 *                                          ^ sent
 *
 * A message is the bytes of FastCGI records, so those with one request id share it (web servers call all of theirs 1).
 * Bounds: OUTBOX_MAX messages; the memory is that of the distinct ones.  All belongs to one thread.
 */
#ifndef HOIST_FCGI_OUTBOX_H
#define HOIST_FCGI_OUTBOX_H

#include "shared/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum { OUTBOX_MAX = 8 };

struct message {
    size_t refs, len;
    char bytes[];
};

/* A copy of b, with one reference.  NULL: no memory, or b has failed. */
struct message *message_new(const struct buf *b);
void message_drop(struct message *m); /* one reference; takes NULL */

struct outbox {
    struct message *list[OUTBOX_MAX]; /* a ring */
    unsigned first, count;
    size_t sent; /* bytes of the first one */
};

enum outbox_state { OUTBOX_EMPTY, OUTBOX_WAITS, OUTBOX_BROKEN };

/* Takes a reference of its own.  False: it is full. */
bool outbox_add(struct outbox *o, struct message *m);
/* Never waits.  *ret_sent: bytes that went now. */
enum outbox_state outbox_flush(struct outbox *o, int fd, size_t *ret_sent);
void outbox_release(struct outbox *o);

#endif
