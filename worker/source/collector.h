/*
 * collector: cuts a stream (stream.h) into parts that are held in memory until they have left.
 *
 *     stream --> [ 256 KiB ] --> [ part 1, 8 MiB ] --full, and more has come--> on_part
 *                                [ part 2 ]         ...                         on_part
 *                                [ the last one ]   --STREAM_END-->             on_part, is_last   exactly once, at the end
 *                                                   --STREAM_FAILED-->          on_failed
 *             collector_release(part): it has left, its memory is free for the next one
 *
 * Guarantees
 *   - The last part is known to be the last when it is handed out: a stream that ends within the first one is that part alone.
 *     All others are full.  A stream without a byte is one part of length 0.
 *   - Memory: 256 KiB, and from the budget (membudget.h) what parts take, when the first of these is full.  A stream that was
 *     given its first part keeps one until it ends; what it has beyond, for parts that leave while the next one fills, goes
 *     to those that have none.  While there is none for the next part the stream is not read, which holds up its maker.
 *   - At most `parallel` parts are out at a time.
 *   - Each part comes with its digests, the last one when that of the whole stream is known.
 *   - on_part and on_failed are called on the loop, never from inside a function of this module.
 *   - The loop is not held up: after 1 MiB others have their turn.
 * Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_COLLECTOR_H
#define HOIST_WORKER_COLLECTOR_H

#include "worker/flow/membudget.h"
#include "worker/s3/s3_sums.h"
#include "worker/source/stream.h"

#include <uv.h>

enum { COLLECTOR_SMALL = 256 * 1024 };

struct collector_part {
    const void *data;
    int64_t len;
    int number; /* from 1 */
    bool is_last;
    struct s3_part_sums sums;    /* CRC-32C, and what was asked for */
    int64_t room;                /* of the budget; 0: it lies in the first 256 KiB */
    struct collector_part *next; /* for who has it */
};

struct collector_options {
    uv_loop_t *loop;
    struct membudget *budget;
    struct stream *stream; /* outlives the collector */
    /* Bytes of part `number`, 1 and up, at most the budget's limit, at least COLLECTOR_SMALL; 0: there may be no such part. */
    int64_t (*part_len)(int number, void *ctx);
    bool with_sha256, with_md5; /* of each part */
    int parallel;               /* 1 and up */
    void (*on_part)(struct collector_part *part, void *ctx);
    /* The stream failed (stream_failure tells why), e NULL; or it was longer than there may be parts, no memory: *e, and it was
     * told to stop. */
    void (*on_failed)(const struct err *e, void *ctx);
    void *ctx;
};

struct collector;

/* NULL: no memory.  It begins on the next turn of the loop. */
struct collector *collector_open(const struct collector_options *o);
/* Read no more; parts that are out stay.  Neither on_part nor on_failed comes any more. */
void collector_stop(struct collector *c);
/* Stop.  All its parts are gone; closes on a later turn of the loop.  Takes NULL. */
void collector_close(struct collector *c);

/* The part has left. */
void collector_release(struct collector *c, struct collector_part *part);
/* Bytes that came; that of all of them once the last part is out, 64 hex digits, "" before. */
int64_t collector_size(const struct collector *c);
const char *collector_sha256(const struct collector *c);
/* It waits for memory for its first part. */
bool collector_is_queued(const struct collector *c);

#endif
