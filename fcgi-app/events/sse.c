#include "fcgi-app/events/sse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void sse_add_retry(struct buf *b, int64_t ms)
{
    buf_printf(b, "retry: %" PRId64 "\n\n", ms);
}

void sse_add_event(struct buf *b, const char *name, const char *id, const char *data,
                   size_t len)
{
    BUF_PUTS(b, "event: ", name, "\n");
    if (id)
        BUF_PUTS(b, "id: ", id, "\n");
    while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r'))
        len--;
    for (;;) {
        size_t line = 0;
        while (line < len && data[line] != '\n' && data[line] != '\r')
            line++;
        buf_puts(b, "data: ");
        buf_add(b, data, line);
        buf_putc(b, '\n');
        if (line == len)
            break;
        line += line + 1 < len && data[line] == '\r' && data[line + 1] == '\n' ? 2 : 1;
        data += line;
        len -= line;
    }
    buf_putc(b, '\n');
}

void sse_make_id(const char *data, size_t len, char ret[static SSE_ID_SIZE])
{
    uint64_t hash = 0xcbf29ce484222325U;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)data[i]) * 0x100000001b3U;
    (void)snprintf(ret, SSE_ID_SIZE, "%016" PRIx64, hash);
}
