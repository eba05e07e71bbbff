/*
 * progress: how fast something is, and a line that shows how far.  Pure: the time is an argument.
 *
 *     photo.jpg      uploading  [##########..............]  42 %  20.2 of 48.0 MiB  8.1 MiB/s  part 3 of 7
 *     nightly.dump   converting                                   20.2 MiB          8.1 MiB/s
 *
 * The rate is that of the last seconds: a mean that forgets by half each PROGRESS_HALF_MS.
 */
#ifndef HOIST_WORKER_PROGRESS_H
#define HOIST_WORKER_PROGRESS_H

#include "shared/buf.h"
#include "worker/dest/destination.h"

#include <stdint.h>

enum { PROGRESS_HALF_MS = 2000, PROGRESS_WIDTH_MIN = 20, PROGRESS_WIDTH_MAX = 200 };

/* All zero: nothing was seen yet. */
struct progress_meter {
    int64_t at_ms; /* monotonic, of the last look; 0: none */
    int64_t sent;
    int64_t rate; /* bytes a second */
};

/* So many bytes have left at now_ms.  Fewer than before: it was begun again. */
void progress_meter_look(struct progress_meter *m, int64_t sent, int64_t now_ms);

struct progress_line {
    const char *name; /* UTF-8 without control characters; cut where it is too long */
    struct destination_progress at;
    int64_t rate; /* bytes a second; 0: not known */
};

/* Append the line, at most width columns, without a line end.  width is brought within the bounds above. */
void progress_format(struct buf *b, const struct progress_line *l, int width);

/* Append bytes for people: "512 B", "20.2 MiB". */
void progress_format_bytes(struct buf *b, int64_t bytes);

#endif
