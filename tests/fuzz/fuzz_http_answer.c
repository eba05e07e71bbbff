/*
 * fuzz http_answer: lines as the head of an answer from whatever server a client named.  Text fields are printable and end; what is
 * taken has a length that was asked for; what is refused says why.
 */
#include "tests/fuzz/fuzz.h"

#include "worker/source/fetch_answer.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 1000000, OFFSET = 100, WHOLE = 1000 };

static void check_text(const char *s, size_t size)
{
    must(strnlen(s, size) < size);
    for (; *s; s++)
        must(*s >= ' ' && *s <= '~');
}

static void check_ruling(const struct http_response *r, const struct fetch_want *w)
{
    struct fetch_ruling ruling = {.text = ""};

    fetch_judge(r, w, &ruling);
    must(strnlen(ruling.text, sizeof ruling.text) < sizeof ruling.text);
    switch (ruling.verdict) {
    case FETCH_TAKE:
        must(ruling.length >= -1 && ruling.length <= w->max_bytes);
        must(w->offset == 0 || (r->status == 206 && ruling.length == w->length));
        must(w->offset > 0 || r->status == 200);
        break;
    case FETCH_REDIRECT:
        must(r->location[0] && r->status / 100 == 3);
        break;
    case FETCH_REFUSE:
        must(ruling.text[0] && ruling.retry_after_ms >= 0);
        break;
    }
}

static void check_range(const char *s)
{
    int64_t first, last, total;

    if (fetch_parse_content_range(s, &first, &last, &total))
        must(first >= 0 && first <= last && last < total);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct fetch_want whole = {.max_bytes = MAX_BYTES};
    static const struct fetch_want rest = {.max_bytes = MAX_BYTES,
                                           .offset = OFFSET,
                                           .length = WHOLE,
                                           .validator = "\"a\""};
    const char *at = (const char *)data, *end = at + size;
    struct http_response r;
    int64_t date_s;

    http_response_init(&r);
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop ? stop + 1 : end) - at);
        http_response_add_line(&r, at, len);
        at += len;
    }
    must(r.content_length >= -1);
    check_text(r.etag, sizeof r.etag);
    check_text(r.location, sizeof r.location);
    check_text(r.content_range, sizeof r.content_range);
    check_text(r.content_type, sizeof r.content_type);
    check_ruling(&r, &whole);
    check_ruling(&r, &rest);
    check_range(r.content_range);
    int64_t ms = http_response_retry_after_ms(&r);
    must(ms >= 0 && ms <= 3600 * 1000);
    (void)http_response_date(&r, &date_s);
    const char *validator = fetch_validator(&r);
    must(!*validator || strncmp(validator, "W/", 2) != 0);
    http_response_release(&r);
    return 0;
}
