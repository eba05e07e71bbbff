/*
 * fuzz sse: any bytes as the data of an event.  Read as a browser reads it (WHATWG HTML, section 9.2.6) it is one event of that
 * name and id, whose data are those lines.
 */
#include "tests/fuzz/fuzz.h"

#include "fcgi-app/events/sse.h"
#include "shared/cleanup.h"

/* The line at *at without its prefix is put behind data; false: it has another one. */
static bool take_data(const char **at, const char *end, struct buf *data, bool more)
{
    static const char prefix[] = "data: ";
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    size_t len = sizeof prefix - 1;

    if (!stop || (size_t)(stop - *at) < len || memcmp(*at, prefix, len) != 0)
        return false;
    if (more)
        buf_putc(data, '\n');
    buf_add(data, *at + len, (size_t)(stop - *at) - len);
    *at = stop + 1;
    return true;
}

/* The input with LF as the only end of a line, and none at its end. */
static void normalize(const uint8_t *data, size_t size, struct buf *ret)
{
    for (size_t i = 0; i < size; i++) {
        bool is_cr = data[i] == '\r';
        buf_putc(ret, is_cr ? '\n' : (char)data[i]);
        i += is_cr && i + 1 < size && data[i + 1] == '\n';
    }
    while (ret->len > 0 && ret->data[ret->len - 1] == '\n')
        ret->len--;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char head[] = "event: job\nid: 7\n";
    CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20), read = BUF_INIT(1 << 20);
    CLEANUP(buf_release) struct buf want = BUF_INIT(1 << 20);
    char id[SSE_ID_SIZE];

    sse_make_id((const char *)data, size, id);
    must(strlen(id) == SSE_ID_SIZE - 1);
    sse_add_event(&b, "job", "7", (const char *)data, size);
    if (b.failed)
        return 0;
    const char *at = b.data + sizeof head - 1, *end = b.data + b.len;
    must(b.len > sizeof head && memcmp(b.data, head, sizeof head - 1) == 0);
    must(!memchr(b.data, '\r', b.len));
    must(take_data(&at, end, &read, false));
    while (take_data(&at, end, &read, true))
        continue;
    must(end - at == 1 && *at == '\n');
    normalize(data, size, &want);
    must(want.len == read.len);
    must(want.len == 0 || memcmp(want.data, read.data, want.len) == 0);
    return 0;
}
