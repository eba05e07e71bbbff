#include "worker/once.h"

#include <inttypes.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "shared/clock.h"
#include "worker/progress.h"

enum {
    TICK_MS = 100,
    QUIET_TICKS = 3, /* a claim under way, a marker that wakes us: it may still come */
    BARS_MAX = 12,
    WIDTH = 100 /* where the terminal does not say */
};

static int terminal_width(FILE *out)
{
    struct winsize size = {0};

    return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0
               ? size.ws_col - 1
               : WIDTH;
}

/* Take the bars off the terminal: what is printed next begins where they did. */
static void wipe(struct once *o)
{
    if (o->drawn > 0)
        fprintf(o->out, "\033[%dA\033[J", o->drawn);
    o->drawn = 0;
}

static void draw_one(struct once *o, struct transfer *t, struct buf *line)
{
    struct progress_line l = {.name = t->job.name ? t->job.name : t->name,
                              .at = transfer_progress(t)};

    progress_meter_look(&t->meter, l.at.sent, clock_mono_ms());
    l.rate = t->meter.rate;
    buf_clear(line);
    progress_format(line, &l, terminal_width(o->out));
    fprintf(o->out, "%s\n", line->data);
    o->drawn++;
}

static void draw(struct once *o)
{
    struct buf line = BUF_INIT(1024);
    size_t running = 0;

    wipe(o);
    for (size_t i = 0; i < o->transfers->capacity; i++) {
        struct transfer *t = o->transfers->slots[i];
        if (!t || t->state != TRANSFER_RUNNING)
            continue;
        if (running++ < BARS_MAX)
            draw_one(o, t, &line);
    }
    if (running > BARS_MAX) {
        fprintf(o->out, "and %zu more\n", running - BARS_MAX);
        o->drawn++;
    }
    (void)fflush(o->out);
    buf_release(&line);
}

/* --- jobs that ended --- */

static void count(struct once *o, enum transfer_end end)
{
    switch (end) {
    case TRANSFER_END_DONE:
        o->done++;
        return;
    case TRANSFER_END_CANCELLED:
        o->cancelled++;
        return;
    case TRANSFER_END_FAILED:
        o->failed++;
        return;
    case TRANSFER_END_DEAD:
        o->dead++;
        return;
    }
}

static void on_end(const struct transfer *t, enum transfer_end end, void *ctx)
{
    static const char *const words[] = {"done", "cancelled", "failed", "dead"};
    struct once *o = ctx;
    struct buf line = BUF_INIT(2048);
    int64_t ms = clock_mono_ms() - t->began_ms;

    count(o, end);
    buf_printf(&line, "%-10s %s  %s  ", words[end], t->name,
               t->job.name ? t->job.name : "-");
    if (end == TRANSFER_END_DONE) {
        progress_format_bytes(&line, t->outcome.sent);
        buf_printf(&line, "  %" PRId64 ".%" PRId64 " s", ms / 1000, ms % 1000 / 100);
    } else if (end != TRANSFER_END_CANCELLED) {
        buf_puts(&line, t->outcome.error);
    }
    wipe(o);
    fprintf(o->out, "%s\n", line.data);
    if (o->is_terminal)
        draw(o);
    buf_release(&line);
}

/* --- time --- */

static void on_tick(uv_timer_t *timer)
{
    struct once *o = timer->data;

    if (o->is_terminal)
        draw(o);
    bool quiet = o->transfers->count == 0 && claimer_is_idle(o->claimer);
    o->quiet = quiet ? o->quiet + 1 : 0;
    if (o->quiet < QUIET_TICKS || !o->on_over)
        return;
    void (*on_over)(void *) = o->on_over;
    o->on_over = NULL;
    on_over(o->ctx);
}

void once_init(struct once *o, uv_loop_t *loop)
{
    *o = (struct once){.out = stdout};
    (void)uv_timer_init(loop, &o->tick); /* cannot fail */
    o->tick.data = o;
}

void once_start(struct once *o, struct transfers *transfers, struct claimer *claimer,
                void (*on_over)(void *ctx), void *ctx)
{
    o->transfers = transfers;
    o->claimer = claimer;
    o->is_terminal = isatty(fileno(o->out)) == 1;
    o->on_over = on_over;
    o->ctx = ctx;
    transfers->on_end = on_end;
    transfers->on_end_ctx = o;
    (void)uv_timer_start(&o->tick, on_tick, TICK_MS, TICK_MS);
}

void once_close(struct once *o)
{
    uv_close((uv_handle_t *)&o->tick, NULL);
}

bool once_conclude(struct once *o)
{
    wipe(o);
    fprintf(o->out, "%zu done", o->done);
    if (o->cancelled > 0)
        fprintf(o->out, ", %zu cancelled", o->cancelled);
    if (o->failed > 0)
        fprintf(o->out, ", %zu failed and will be tried again later", o->failed);
    if (o->dead > 0)
        fprintf(o->out, ", %zu dead", o->dead);
    fprintf(o->out, "\n");
    return fflush(o->out) == 0 && o->failed == 0 && o->dead == 0;
}
