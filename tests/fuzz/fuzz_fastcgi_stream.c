/*
 * fuzz fastcgi_stream: records give the same events whole and cut in pieces, replies are records, parameters are strings with a
 * name, and all of it is no more than what was fed.
 * The first byte of the input is the size of the pieces.
 */
#include "tests/fuzz/fuzz.h"

#include "fcgi-app/fastcgi/fastcgi_stream.h"
#include "shared/buf.h"

#include <stdlib.h>
#include <string.h>

enum { PIECES_MAX = 256 };

/* Where a promise is broken. */
static void need(int holds)
{
    if (!holds)
        abort();
}

static void take_reply(const struct fastcgi_stream *s, struct buf *log)
{
    size_t at = 0;

    need(s->reply_len > 0 && s->reply_len <= FASTCGI_REPLY_MAX);
    while (at < s->reply_len) {
        need(s->reply_len - at >= 8 && s->reply[at] == 1);
        at += 8 + ((size_t)s->reply[at + 4] << 8 | s->reply[at + 5]);
    }
    need(at == s->reply_len);
    buf_add(log, s->reply, s->reply_len);
}

static void take_head(const struct fastcgi_stream *s, struct buf *log)
{
    size_t bytes = 0, count = 0;

    buf_printf(log, "head %u %d", s->id, s->keep);
    for (; s->pairs.list[count]; count++) {
        const char *equals = strchr(s->pairs.list[count], '=');
        need(equals && equals > s->pairs.list[count]);
        bytes += strlen(s->pairs.list[count]) - 1;
        buf_printf(log, "<%s>", s->pairs.list[count]);
    }
    need(bytes <= FASTCGI_PAIRS_BYTES && count <= FASTCGI_PAIRS_COUNT);
}

/* False: nothing comes after it. */
static int take(const struct fastcgi_stream *s, enum fastcgi_event event,
                struct buf *log)
{
    if (event == FASTCGI_DATA) {
        need(s->data_len > 0 && s->data + s->data_len <= s->end);
        buf_add(log, s->data, s->data_len);
        return 1;
    }
    buf_printf(log, "\1%d", (int)event);
    if (event == FASTCGI_HEAD)
        take_head(s, log);
    if (event == FASTCGI_REPLY || event == FASTCGI_REFUSED)
        take_reply(s, log);
    if (event == FASTCGI_BAD)
        buf_puts(log, s->why);
    return event <= FASTCGI_REPLY;
}

static void parse(const uint8_t *bytes, size_t len, size_t step, struct buf *log)
{
    static struct fastcgi_stream s;
    enum fastcgi_event event = FASTCGI_MORE;
    size_t events = 0;
    int goes = 1;

    fastcgi_stream_init(&s, 1024);
    for (size_t at = 0; at < len && goes; at += step) {
        size_t n = step < len - at ? step : len - at;
        uint8_t *piece = malloc(n); /* of its size: a read past it shows */
        need(piece != NULL);
        memcpy(piece, bytes + at, n);
        fastcgi_stream_feed(&s, piece, n);
        while (goes && (event = fastcgi_stream_next(&s)) != FASTCGI_MORE) {
            goes = take(&s, event, log);
            need(++events <= len);
        }
        need(!goes || s.at == s.end);
        free(piece);
    }
    need(!log->failed);
    buf_putc(log, fastcgi_stream_is_whole(&s) ? 'w' : 'p');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct buf whole = BUF_INIT(16 * size + 65536), cut = BUF_INIT(16 * size + 65536);

    parse(data + 1, size - 1, size, &whole);
    parse(data + 1, size - 1, (size_t)data[0] + 1 + size / PIECES_MAX, &cut);
    need(whole.len == cut.len && memcmp(whole.data, cut.data, whole.len) == 0);
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
