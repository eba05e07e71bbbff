#include "worker/progress.h"

#include <inttypes.h>
#include <string.h>

#include "worker/columns.h"

enum {
    NAME_COLUMNS = 24,
    PHASE_COLUMNS = 10,
    BAR_COLUMNS = 24,
    PASSED_MAX_MS = 3600 * 1000
};
#define RATE_MAX                                                                       \
    (INT64_C(1) << 40) /* bytes a second; keeps what follows within 64 bits */

void progress_meter_look(struct progress_meter *m, int64_t sent, int64_t now_ms)
{
    int64_t passed = now_ms - m->at_ms;

    if (m->at_ms == 0 || sent < m->sent) {
        *m = (struct progress_meter){.at_ms = now_ms, .sent = sent};
        return;
    }
    if (passed <= 0)
        return;
    /* What was before counts half as much after each HALF_MS: half / (half + passed) is that, near enough, and needs no
     * exponential. */
    if (passed > PASSED_MAX_MS)
        passed = PASSED_MAX_MS;
    int64_t rate =
        (sent - m->sent) / passed * 1000 + (sent - m->sent) % passed * 1000 / passed;
    if (rate > RATE_MAX)
        rate = RATE_MAX;
    m->rate = m->rate == 0 ? rate
                           : (m->rate * PROGRESS_HALF_MS + rate * passed) /
                                 (PROGRESS_HALF_MS + passed);
    m->sent = sent;
    m->at_ms = now_ms;
}

/* The largest unit in which the number is at least 1. */
static int unit_of(int64_t bytes)
{
    int unit = 0;

    while (bytes >= 1024 && unit < 5) {
        bytes /= 1024;
        unit++;
    }
    return unit;
}

static void add_number(struct buf *b, int64_t bytes, int unit)
{
    int64_t of = INT64_C(1) << (10 * unit);

    if (unit == 0)
        buf_printf(b, "%" PRId64, bytes);
    else
        buf_printf(b, "%" PRId64 ".%" PRId64, bytes / of, bytes % of * 10 / of);
}

static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};

void progress_format_bytes(struct buf *b, int64_t bytes)
{
    int unit = unit_of(bytes);

    add_number(b, bytes, unit);
    buf_printf(b, " %s", units[unit]);
}

static void add_bar(struct buf *b, int64_t sent, int64_t total)
{
    int64_t full = total > 0 ? sent * BAR_COLUMNS / total : BAR_COLUMNS;

    buf_puts(b, "  [");
    for (int64_t i = 0; i < BAR_COLUMNS; i++)
        buf_putc(b, i < full ? '#' : '.');
    buf_printf(b, "] %3" PRId64 " %%", total > 0 ? sent * 100 / total : 100);
}

static void add_amount(struct buf *b, const struct progress_line *l)
{
    int64_t total = l->at.total;

    buf_puts(b, "  ");
    if (total < 0) {
        progress_format_bytes(b, l->at.sent);
    } else {
        add_number(b, l->at.sent, unit_of(total));
        buf_puts(b, " of ");
        progress_format_bytes(b, total);
    }
    if (l->rate > 0) {
        buf_puts(b, "  ");
        progress_format_bytes(b, l->rate);
        buf_puts(b, "/s");
    }
    if (l->at.parts > 0)
        buf_printf(b, "  part %d of %d", l->at.parts_done, l->at.parts);
}

void progress_format(struct buf *b, const struct progress_line *l, int width)
{
    struct buf line = BUF_INIT(4 * PROGRESS_WIDTH_MAX + 1024);
    struct progress_line shown = *l;

    width = width < PROGRESS_WIDTH_MIN   ? PROGRESS_WIDTH_MIN
            : width > PROGRESS_WIDTH_MAX ? PROGRESS_WIDTH_MAX
                                         : width;
    if (shown.at.total >= 0 && shown.at.sent > shown.at.total)
        shown.at.sent = shown.at.total;
    columns_add_left(&line, l->name, NAME_COLUMNS);
    buf_puts(&line, "  ");
    columns_add_left(&line, destination_phase_name(l->at.phase), PHASE_COLUMNS);
    if (shown.at.total >= 0)
        add_bar(&line, shown.at.sent, shown.at.total);
    add_amount(&line, &shown);
    if (!line.failed)
        columns_add_left(b, line.data, width);
    while (b->len > 0 && b->data[b->len - 1] == ' ')
        b->data[--b->len] = '\0';
    buf_release(&line);
}
