/*
 * draw: a picture (picture.h) as lines for a terminal.  Pure.
 *
 *     hoist 0.1.0   21:57:03 UTC   1 queue, 3 waiting, 2 running, 1 dead   1 worker, 2 of 32 slots
 *
 *     QUEUE          READY  LATER    RUN   DEAD  OLDEST   IN/s  DONE/s  FAIL/s      BYTES/s  DONE, LAST HOUR
 *     default            3      0      2      1      4m   0.25    0.20    0.00     102.4 KiB  ▁▁▂▃▅▇█▆▃▂▁▁▁▁▁
 *
 *     WORKER                     BUSY   SEEN
 *     web1-4711-k3              2/32     1s
 *       photo.jpg                 uploading   [######..................]  25 %  12.0 of 48.0 MiB  8.0 MiB/s
 *
 * READY counts what waits for a slot, its group or its parent.  Each line is cut to the width, and what does not fit into the
 * height is left out from the end, with "and N more lines".  The lines hold no escape sequences.
 */
#ifndef HOIST_WORKER_TOP_DRAW_H
#define HOIST_WORKER_TOP_DRAW_H

#include "shared/buf.h"
#include "worker/top/picture.h"

enum { DRAW_WIDTH_MIN = 40, DRAW_WIDTH_MAX = 400 };

struct draw_size {
    int columns; /* brought within the bounds above */
    int lines;   /* 0: as many as there are */
};

/* Append the lines, each ended by "\n". */
void draw_picture(struct buf *b, const struct picture *p, struct draw_size size);

/* A minute's worth of a queue: one of eight blocks for each n of count, the largest one is full; blank for 0. */
void draw_spark(struct buf *b, const int64_t *n, size_t count);
/* "7s", "4m", "3h", "12d"; "-" below 0. */
void draw_age(struct buf *b, int64_t ms);

#endif
