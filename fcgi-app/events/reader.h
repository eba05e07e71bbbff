/*
 * reader: reads the event streams of all configured queues, on one connection of its own, without ever waiting for an event.
 *
 *     OFF --positions--> READY --XREAD BLOCK--> ASKED --reply--> READY ...
 *      ^                                          |
 *      '----- Redis is away: again in a second ---'
 *
 * XREAD blocks in Redis for up to READER_BLOCK_MS; its answer is an event of the caller's epoll.  So an idle reader asks once
 * in so long, and between two answers there are READER_PAUSE_MS, for which events gather.  Positions are taken anew after
 * each connection: what happened before them is not known, so that whoever waits for something looks then.
 *
 * What Redis refuses (in a cluster one XREAD cannot read several slots) makes it blind for a while: look by time then.
 */
#ifndef HOIST_FCGI_READER_H
#define HOIST_FCGI_READER_H

#include "fcgi-app/events/streams.h"
#include "shared/config.h"

enum { READER_BLOCK_MS = 5000, READER_PAUSE_MS = 20, READER_RETRY_MS = 1000 };

struct reader {
    const struct config *config;
    struct redis *redis; /* owned */
    struct streams streams;
    enum { READER_OFF, READER_READY, READER_ASKED } state;
    int64_t next_ms;   /* OFF, READY: to go on then; ASKED: given up then */
    unsigned failures; /* so far */
};

MUST_CHECK enum err_code reader_init(struct reader *r, const struct config *config,
                                     const struct redis_options *o, struct err *e);
void reader_release(struct reader *r);

/* Go on, where it is time; wanted: somebody listens.  True: positions are new, so look at everything.  Whenever it is ASKED
 * afterwards redis_fd(r->redis) is to be watched. */
bool reader_turn(struct reader *r, int64_t now, bool wanted);
/* That was readable. */
void reader_read(struct reader *r, int64_t now, const struct streams_sink *sink);
/* Whether events of this queue are told. */
bool reader_sees(struct reader *r, const char *queue);

#endif
