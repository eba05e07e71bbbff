/*
 * sse: what an event stream says, as text.  Pure.
 *
 *     retry: 3000
 *
 *     event: job
 *     id: 9b1c5e0d33a0f2e1
 *     data: {"id":"default.0193...","state":"running", ...}
 *
 *     :                                  a comment: nothing but a sign of life
 *
 * Sources: WHATWG HTML, section 9.2 (server-sent events).
 */
#ifndef HOIST_FCGI_SSE_H
#define HOIST_FCGI_SSE_H

#include "shared/buf.h"

#include <stddef.h>
#include <stdint.h>

enum { SSE_ID_SIZE = 17 /* 16 hex digits, NUL */ };

#define SSE_BEAT ":\n\n"

/* How long a client waits before it connects again. */
void sse_add_retry(struct buf *b, int64_t ms);
/* name and id (NULL: none) hold no line breaks; data may: each of its lines is one of the event's. */
void sse_add_event(struct buf *b, const char *name, const char *id, const char *data,
                   size_t len);

/* A name for these bytes: others have another one (FNV-1a, 64 bits).  What is compared is one job's texts, no secrets. */
void sse_make_id(const char *data, size_t len, char ret[static SSE_ID_SIZE]);

#endif
