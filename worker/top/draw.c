#include "worker/top/draw.h"

#include <inttypes.h>
#include <string.h>

#include "shared/clock.h"
#include "worker/columns.h"
#include "worker/progress.h"

enum {
    SPARKS = 20,
    LINE_BYTES = 4 * DRAW_WIDTH_MAX + 1024,
    PICTURE_BYTES = 512 * 1024
};

void draw_spark(struct buf *b, const int64_t *n, size_t count)
{
    static const char *const blocks[] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                         "\u2585", "\u2586", "\u2587", "\u2588"};
    int64_t most = 0;

    for (size_t i = 0; i < count; i++)
        if (n[i] > most)
            most = n[i];
    for (size_t i = 0; i < count; i++) {
        size_t height = n[i] > 0 ? (size_t)((double)n[i] * 8 / (double)most) : 0;
        if (n[i] <= 0)
            buf_putc(b, ' ');
        else
            buf_puts(b, blocks[height < 8 ? height : 7]);
    }
}

void draw_age(struct buf *b, int64_t ms)
{
    int64_t s = ms / 1000;

    if (ms < 0)
        buf_putc(b, '-');
    else if (s < 120)
        buf_printf(b, "%" PRId64 "s", s);
    else if (s < 2 * 3600)
        buf_printf(b, "%" PRId64 "m", s / 60);
    else if (s < 2 * 86400)
        buf_printf(b, "%" PRId64 "h", s / 3600);
    else
        buf_printf(b, "%" PRId64 "d", s / 86400);
}

/* --- cells --- */

static void add_age(struct buf *b, int64_t ms, int columns)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT(64);

    draw_age(&text, ms);
    columns_add_right(b, text.data, columns);
}

static void add_bytes(struct buf *b, double bytes, int columns)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT(64);

    progress_format_bytes(&text, bytes < 9e18 ? (int64_t)bytes : INT64_MAX);
    columns_add_right(b, text.data, columns);
}

/* --- lines --- */

struct lines {
    struct buf *out;
    struct buf line;
    int columns;
    int left; /* lines that may still be written; -1: any number */
    int unwritten;
};

static void end_line(struct lines *l)
{
    size_t len = columns_cut(l->line.data, l->line.len, l->columns);

    while (len > 0 && l->line.data[len - 1] == ' ')
        len--;
    if (l->left == 0) {
        l->unwritten++;
    } else {
        buf_add(l->out, l->line.data, len);
        buf_putc(l->out, '\n');
        l->left -= l->left > 0;
    }
    buf_clear(&l->line);
}

static int64_t waiting(const struct queue_status *s)
{
    return s->ready + s->grouped + s->behind;
}

static void draw_head(struct lines *l, const struct picture *p)
{
    int64_t wait = 0, running = 0, dead = 0, busy = 0, slots = 0;
    CLEANUP(buf_release) struct buf now = BUF_INIT(64);

    for (size_t i = 0; i < p->queue_count; i++) {
        wait += waiting(&p->queues[i].status);
        running += p->queues[i].status.running;
        dead += p->queues[i].status.dead;
    }
    for (size_t i = 0; i < p->worker_count; i++) {
        busy += p->workers[i].busy;
        slots += p->workers[i].slots;
    }
    clock_format_rfc3339(&now, p->at_ms); /* 2026-11-29T21:57:03.123Z */
    buf_printf(
        &l->line,
        "hoist " HOIST_VERSION "   %.8s UTC   %" PRId64 " waiting, %" PRId64
        " running, %" PRId64 " dead   %zu%s worker%s, %" PRId64 " of %" PRId64 " slots",
        now.len > 19 ? now.data + 11 : "", wait, running, dead, p->worker_count,
        p->more_workers ? "+" : "", p->worker_count == 1 ? "" : "s", busy, slots);
    end_line(l);
    end_line(l);
}

static void draw_queue(struct lines *l, const struct picture_queue *q, int64_t now_ms)
{
    static const enum queue_counter rates[] = {QUEUE_COUNT_ENQUEUED, QUEUE_COUNT_DONE,
                                               QUEUE_COUNT_FAILED};
    const struct queue_status *s = &q->status;
    int64_t sparks[SPARKS] = {0};

    columns_add_left(&l->line, q->name, 14);
    if (*q->trouble) {
        buf_printf(&l->line, " %s", q->trouble);
        end_line(l);
        return;
    }
    buf_printf(&l->line, "%9" PRId64 " %8" PRId64 " %6" PRId64 " %6" PRId64, waiting(s),
               s->scheduled, s->running, s->dead);
    add_age(&l->line, s->oldest_created > 0 ? now_ms - s->oldest_created : -1, 8);
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
        buf_printf(&l->line, " %7.2f",
                   queue_minutes_rate(&q->minutes, rates[i], now_ms));
    add_bytes(&l->line, queue_minutes_rate(&q->minutes, QUEUE_COUNT_BYTES, now_ms), 12);
    for (size_t i = 0; i < QUEUE_MINUTES; i++)
        sparks[i * SPARKS / QUEUE_MINUTES] += q->minutes.n[QUEUE_COUNT_DONE][i];
    buf_puts(&l->line, "  ");
    draw_spark(&l->line, sparks, SPARKS);
    if (s->paused)
        buf_puts(&l->line, "  paused");
    end_line(l);
}

/* DESTINATION_QUEUED where the word is none of ours. */
static enum destination_phase phase_of(const char *name)
{
    for (enum destination_phase p = DESTINATION_QUEUED; p <= DESTINATION_FINISHING; p++)
        if (strcmp(destination_phase_name(p), name) == 0)
            return p;
    return DESTINATION_QUEUED;
}

static void draw_job(struct lines *l, const struct picture_job *j)
{
    struct progress_line line = {.name = j->name,
                                 .at = {.phase = phase_of(j->phase),
                                        .sent = j->sent,
                                        .total = j->size > 0 ? j->size : -1,
                                        .parts = j->parts,
                                        .parts_done = j->parts_done},
                                 .rate = j->rate};

    buf_puts(&l->line, "  ");
    progress_format(&l->line, &line, l->columns - 2);
    end_line(l);
}

static void draw_worker(struct lines *l, const struct picture_worker *w, int64_t now_ms)
{
    CLEANUP(buf_release) struct buf busy = BUF_INIT(64);

    columns_add_left(&l->line, w->id, 32);
    buf_printf(&busy, "%" PRId64 "/%" PRId64, w->busy, w->slots);
    columns_add_right(&l->line, busy.data, 10);
    add_age(&l->line, w->seen_ms < now_ms ? now_ms - w->seen_ms : 0, 6);
    if (w->stuck)
        buf_puts(&l->line, "  does not get on");
    if (w->quiet && w->quiet_ms > 0)
        buf_puts(&l->line, "  quiet");
    else if (w->quiet)
        buf_puts(&l->line, "  told to be quiet");
    if (*w->paused)
        buf_printf(&l->line, "  rests: %s", w->paused);
    end_line(l);
    for (size_t i = 0; i < w->job_count; i++)
        draw_job(l, &w->jobs[i]);
}

void draw_picture(struct buf *b, const struct picture *p, struct draw_size size)
{
    CLEANUP(buf_release) struct buf all = BUF_INIT(PICTURE_BYTES);
    struct lines l = {.out = &all,
                      .line = BUF_INIT(LINE_BYTES),
                      .columns = size.columns < DRAW_WIDTH_MIN   ? DRAW_WIDTH_MIN
                                 : size.columns > DRAW_WIDTH_MAX ? DRAW_WIDTH_MAX
                                                                 : size.columns,
                      .left = size.lines > 0 ? size.lines - 1 : -1};

    draw_head(&l, p);
    buf_puts(&l.line, "QUEUE             READY    LATER    RUN   DEAD  OLDEST    IN/s  "
                      "DONE/s  FAIL/s     BYTES/s  DONE, LAST HOUR");
    end_line(&l);
    for (size_t i = 0; i < p->queue_count; i++)
        draw_queue(&l, &p->queues[i], p->at_ms);
    end_line(&l);
    buf_puts(&l.line, "WORKER                                BUSY  SEEN");
    end_line(&l);
    for (size_t i = 0; i < p->worker_count; i++)
        draw_worker(&l, &p->workers[i], p->at_ms);
    if (p->worker_count == 0) {
        buf_puts(&l.line, "none: nothing is uploaded until one is started");
        end_line(&l);
    }
    buf_add(b, all.data, all.len);
    if (l.unwritten > 0)
        buf_printf(b, "and %d more lines\n", l.unwritten);
    buf_release(&l.line);
}
