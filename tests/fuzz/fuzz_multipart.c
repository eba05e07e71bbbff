/*
 * fuzz multipart: a form gives the same events whole and cut in pieces, in linear work, within its limits.
 * The first byte of the input is the size of the pieces; the boundary is "B".
 */
#include "tests/fuzz/fuzz.h"

#include "fcgi-app/upload/multipart.h"

#include <stdlib.h>
#include <string.h>

/* Everything that was said, as text; data without its cuts. */
static void take(struct multipart *m, enum multipart_event event, struct buf *log)
{
    static const char marks[] = "?P?/EX";

    if (event == MULTIPART_DATA) {
        if (m->data_len == 0)
            abort();
        buf_add(log, m->data, m->data_len);
        return;
    }
    buf_printf(log, "\1%c", marks[event]);
    if (event == MULTIPART_PART) {
        buf_add(log, m->part.name.data, m->part.name.len);
        buf_putc(log, m->part.has_filename ? '\2' : '\3');
        buf_add(log, m->part.filename.data, m->part.filename.len);
        buf_add(log, m->part.type.data, m->part.type.len);
    }
    if (event == MULTIPART_BAD)
        buf_puts(log, m->error);
}

static void parse(const char *body, size_t len, size_t step, struct buf *log)
{
    static const struct multipart_limits limits = {
        .parts = 4, .header_bytes = 256, .headers = 8, .outside_bytes = 4096};
    struct multipart m;
    enum multipart_event event = MULTIPART_MORE;

    multipart_init(&m, "B", 1, &limits);
    for (size_t at = 0; at < len && event != MULTIPART_BAD; at += step) {
        multipart_feed(&m, body + at, step < len - at ? step : len - at);
        while ((event = multipart_next(&m)) != MULTIPART_MORE) {
            take(&m, event, log);
            if (event == MULTIPART_BAD)
                break;
        }
    }
    if (m.work > 2 * len + 8 || log->failed)
        abort();
    buf_putc(log, multipart_is_complete(&m) ? 'c' : 'i');
    multipart_release(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *body = (const char *)data + 1;
    struct buf whole = BUF_INIT(4 * size + 65536), cut = BUF_INIT(4 * size + 65536);

    parse(body, size - 1, size, &whole);
    parse(body, size - 1, (size_t)data[0] + 1, &cut);
    if (whole.len != cut.len || memcmp(whole.data, cut.data, whole.len) != 0)
        abort();
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
