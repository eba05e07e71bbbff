/*
 * fastcgi_stream: what a web server sends becomes a request, however it is cut; what nobody should send is answered or refused,
 * and costs no more than its bytes.
 */
#include "fcgi-app/fastcgi/fastcgi_stream.h"

#include "shared/buf.h"
#include "shared/cleanup.h"

#include <fastcgi.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(fastcgi_stream, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define BEGIN "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
#define BEGIN_KEEP "\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0"
#define BEGIN_2 "\1\1\0\2\0\10\0\0\0\1\1\0\0\0\0\0"
#define PARAM "\1\4\0\1\0\4\0\0\1\1A1"
#define NO_PARAMS "\1\4\0\1\0\0\0\0"
#define HEAD BEGIN PARAM NO_PARAMS
#define STDIN(text) "\1\5\0\1\0\3\0\0" text
#define NO_STDIN "\1\5\0\1\0\0\0\0"
#define PADDED_4 "\1\4\0\1\0\4\3\0\1\1A1pad"
#define ABORT "\1\2\0\1\0\0\0\0"
#define ROW(bytes, want)                                                               \
    {                                                                                  \
        bytes, sizeof(bytes) - 1, want                                                 \
    }

static const struct {
    const char *bytes;
    size_t len;
    const char *want;
} rows[] = {
    ROW("", ""),
    ROW(BEGIN NO_PARAMS NO_STDIN, "head() end"),
    ROW(HEAD STDIN("abc") STDIN("def") NO_STDIN, "head(A=1) abcdef end"),
    ROW(BEGIN_KEEP PARAM NO_PARAMS NO_STDIN, "head(A=1) keep end"),
    ROW("\1\1\1\7\0\10\0\0\0\1\376\0\0\0\0\0\1\4\1\7\0\0\0\0", "head() id 263"),
    /* Cut anywhere: in lengths, names, values. */
    ROW(BEGIN "\1\4\0\1\0\1\0\0\1"
              "\1\4\0\1\0\2\0\0\1A"
              "\1\4\0\1\0\1\0\0"
              "1" NO_PARAMS,
        "head(A=1)"),
    ROW(BEGIN "\1\4\0\1\0\12\0\0\200\0\0\1\200\0\0\1B2" NO_PARAMS, "head(B=2)"),
    ROW(BEGIN "\1\4\0\1\0\7\0\0\1\0A\2\0BC" NO_PARAMS, "head(A=,BC=)"),
    /* Padding, on empty records too, where libfcgi loses step. */
    ROW(BEGIN PADDED_4 "\1\4\0\1\0\0\2\0xx"
                       "\1\5\0\1\0\2\1\0hix"
                       "\1\5\0\1\0\0\3\0xxx",
        "head(A=1) hi end"),
    /* Another request while one is under way. */
    ROW(BEGIN BEGIN_2 PARAM NO_PARAMS NO_STDIN, "[end 2: 1] head(A=1) end"),
    ROW(HEAD STDIN("abc") BEGIN_2 "\1\4\0\2\0\4\0\0\1\1Z9"
                                  "\1\5\0\2\0\3\0\0xyz" NO_STDIN,
        "head(A=1) abc[end 2: 1] end"),
    ROW(HEAD NO_STDIN BEGIN_2, "head(A=1) end[end 2: 1]"),
    ROW(BEGIN BEGIN, "bad: BEGIN_REQUEST twice with one id"),
    /* Roles. */
    ROW("\1\1\0\1\0\10\0\0\0\2\1\0\0\0\0\0", "refused[end 1: 3]"),
    ROW("\1\1\0\7\0\10\0\0\0\3\1\0\0\0\0\0", "refused[end 7: 3]"),
    ROW("\1\1\0\1\0\10\0\0\1\1\1\0\0\0\0\0", "refused[end 1: 3]"),
    /* Giving up. */
    ROW(BEGIN PARAM ABORT, "refused[end 1: 0]"),
    ROW(HEAD STDIN("abc") ABORT NO_STDIN, "head(A=1) abcabort"),
    ROW(HEAD NO_STDIN ABORT, "head(A=1) end"),
    ROW(ABORT HEAD, "head(A=1)"),
    /* Management. */
    ROW("\1\11\0\0\0\44\0\0\16\0FCGI_MAX_CONNS\1\0X\17\0FCGI_MPXS_CONNS" HEAD,
        "[values FCGI_MAX_CONNS=7 FCGI_MPXS_CONNS=0] head(A=1)"),
    ROW(HEAD "\1\11\0\0\0\100\0\0\16\0FCGI_MAX_CONNS\16\0FCGI_MAX_CONNS"
             "\16\0FCGI_MAX_CONNS\16\0FCGI_MAX_CONNS" STDIN("abc") NO_STDIN,
        "head(A=1) [values FCGI_MAX_CONNS=7]abc end"),
    ROW("\1\11\0\0\0\0\0\0" BEGIN "\1\11\0\0\0\3\0\0\377\377\377", "[values][values]"),
    ROW("\1\11\0\0\0\20\0\0\15\0FCGI_MAX_REQS\1", "[values FCGI_MAX_REQS=7]"),
    ROW("\1\12\0\0\0\0\0\0\1\143\0\0\0\1\0\0x" HEAD,
        "[unknown 10][unknown 99] head(A=1)"),
    /* Of an id that is not under way: left out. */
    ROW("\1\5\0\1\0\3\0\0abc\1\5\0\1\0\0\0\0" HEAD, "head(A=1)"),
    ROW(HEAD "\1\5\0\5\0\3\0\0xyz" STDIN("abc") NO_STDIN, "head(A=1) abc end"),
    /* Out of order, or of another world. */
    ROW("GET / HTTP/1.1\r\n", "bad: another version of FastCGI, or none"),
    ROW("\2\1\0\1\0\10\0\0", "bad: another version of FastCGI, or none"),
    ROW("\0\0\0\0\0\0\0\0", "bad: another version of FastCGI, or none"),
    ROW("\1\1\0\0\0\10\0\0", "bad: a request without an id"),
    ROW("\1\1\0\1\0\7\0\0", "bad: BEGIN_REQUEST of a wrong length"),
    ROW("\1\1\0\1\0\11\0\0", "bad: BEGIN_REQUEST of a wrong length"),
    ROW(BEGIN STDIN("abc"), "bad: STDIN before the end of PARAMS"),
    ROW(HEAD PARAM, "head(A=1) bad: PARAMS after their end"),
    ROW(HEAD NO_PARAMS, "head(A=1) bad: PARAMS after their end"),
    ROW(HEAD NO_STDIN NO_STDIN, "head(A=1) end bad: STDIN after its end"),
    ROW(HEAD "\1\10\0\1\0\0\0\0",
        "head(A=1) bad: a type of record that a responder is not sent"),
    ROW(BEGIN "\1\6\0\1\0\0\0\0", "bad: a type of record that a responder is not sent"),
    ROW("\1\14\0\1\0\0\0\0", "bad: a type of record that a responder is not sent"),
    /* Parameters. */
    ROW(BEGIN "\1\4\0\1\0\1\0\0\1" NO_PARAMS,
        "bad: PARAMS that end within a parameter"),
    ROW(BEGIN "\1\4\0\1\0\3\0\0\1\1A" NO_PARAMS,
        "bad: PARAMS that end within a parameter"),
    ROW(BEGIN "\1\4\0\1\0\2\0\0\0\0",
        "bad: a parameter without a name, or with a NUL or '=' in it"),
    ROW(BEGIN "\1\4\0\1\0\4\0\0\1\1A\0",
        "bad: a parameter without a name, or with a NUL or '=' in it"),
    ROW(BEGIN "\1\4\0\1\0\5\0\0\2\1A\0b",
        "bad: a parameter without a name, or with a NUL or '=' in it"),
    ROW(BEGIN "\1\4\0\1\0\5\0\0\2\1A=b",
        "bad: a parameter without a name, or with a NUL or '=' in it"),
    ROW(BEGIN "\1\4\0\1\0\10\0\0\377\377\377\376\377\377\377\376",
        "refused 431[end 1: 0]"),
    ROW(BEGIN "\1\4\0\1\0\5\0\0\1\200\1\0\1", "refused 431[end 1: 0]"),
};

/* --- Everything that is said, as text --- */

static void add_values(struct buf *log, const unsigned char *s, size_t len)
{
    buf_puts(log, "[values");
    while (len > 0) {
        size_t name = s[0], value = s[1];
        cr_assert(2 + name + value <= len);
        buf_printf(log, " %.*s=%.*s", (int)name, s + 2, (int)value, s + 2 + name);
        s += 2 + name + value;
        len -= 2 + name + value;
    }
    buf_puts(log, "]");
}

static void add_reply(struct buf *log, const struct fastcgi_stream *s)
{
    for (size_t at = 0; at < s->reply_len;) {
        const unsigned char *r = s->reply + at;
        size_t len = (size_t)r[4] << 8 | r[5];
        cr_assert(r[0] == FCGI_VERSION_1 && at + 8 + len <= s->reply_len);
        if (r[1] == FCGI_END_REQUEST)
            buf_printf(log, "[end %d: %d]", r[2] << 8 | r[3], r[12]);
        else if (r[1] == FCGI_GET_VALUES_RESULT)
            add_values(log, r + 8, len);
        else if (r[1] == FCGI_UNKNOWN_TYPE)
            buf_printf(log, "[unknown %d]", r[8]);
        else if (r[1] == FCGI_STDOUT)
            buf_printf(log, " %.3s", (const char *)r + 8 + strlen("Status: "));
        at += 8 + len;
    }
}

static void add_head(struct buf *log, const struct fastcgi_stream *s)
{
    buf_puts(log, log->len > 0 && log->data[log->len - 1] != ' ' ? " head(" : "head(");
    for (size_t i = 0; s->pairs.list[i]; i++)
        buf_printf(log, i > 0 ? ",%s" : "%s", s->pairs.list[i]);
    buf_puts(log, s->keep ? ") keep " : ") ");
    if (s->id != 1)
        buf_printf(log, "id %u", s->id);
}

/* False: there is no more to come. */
static bool add_event(struct buf *log, struct fastcgi_stream *s,
                      enum fastcgi_event event)
{
    switch (event) {
    case FASTCGI_HEAD:
        add_head(log, s);
        return true;
    case FASTCGI_DATA:
        cr_assert(s->data_len > 0);
        buf_add(log, s->data, s->data_len);
        return true;
    case FASTCGI_BODY_END:
        buf_puts(log, log->data[log->len - 1] != ' ' ? " end" : "end");
        return true;
    case FASTCGI_REPLY:
        add_reply(log, s);
        return true;
    case FASTCGI_REFUSED:
        buf_puts(log, "refused");
        add_reply(log, s);
        return false;
    case FASTCGI_ABORT:
        buf_puts(log, "abort");
        return false;
    case FASTCGI_BAD:
        buf_puts(log,
                 log->len > 0 && log->data[log->len - 1] != ' ' ? " bad: " : "bad: ");
        buf_puts(log, s->why);
        return false;
    case FASTCGI_MORE:
        break;
    }
    return false;
}

/* In pieces of step bytes, each in memory of its own size. */
static void parse(const char *bytes, size_t len, size_t step, struct buf *log)
{
    static struct fastcgi_stream s;
    bool goes = true;

    fastcgi_stream_init(&s, 7);
    for (size_t at = 0; at < len && goes; at += step) {
        size_t n = step < len - at ? step : len - at;
        char *piece = malloc(n);
        cr_assert(piece != NULL);
        memcpy(piece, bytes + at, n);
        fastcgi_stream_feed(&s, piece, n);
        for (enum fastcgi_event event; goes;) {
            event = fastcgi_stream_next(&s);
            if (event == FASTCGI_MORE)
                break;
            goes = add_event(log, &s, event);
        }
        free(piece);
    }
}

Test(fastcgi_stream, records_become_the_same_events_however_they_are_cut)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t step = 1; step <= rows[i].len + 1; step++) {
            CLEANUP(buf_release) struct buf log = BUF_INIT(4096);
            parse(rows[i].bytes, rows[i].len, step, &log);
            while (log.len > 0 && log.data[log.len - 1] == ' ')
                log.data[--log.len] = '\0';
            cr_assert(eq(str, log.data, (char *)rows[i].want), "row %zu by %zu", i,
                      step);
        }
}

Test(fastcgi_stream, one_request_after_the_other)
{
    static struct fastcgi_stream s;
    static const char once[] = HEAD STDIN("abc") NO_STDIN;

    fastcgi_stream_init(&s, 7);
    for (int i = 0; i < 3; i++) {
        cr_expect(fastcgi_stream_is_idle(&s));
        fastcgi_stream_feed(&s, once, sizeof once - 1);
        cr_expect(eq(int, fastcgi_stream_next(&s), FASTCGI_HEAD));
        cr_expect(eq(str, s.pairs.list[0], "A=1"));
        cr_expect(s.pairs.list[1] == NULL);
        cr_expect(eq(int, fastcgi_stream_next(&s), FASTCGI_DATA));
        cr_expect(not(fastcgi_stream_is_whole(&s)));
        cr_expect(eq(int, fastcgi_stream_next(&s), FASTCGI_BODY_END));
        cr_expect(eq(int, fastcgi_stream_next(&s), FASTCGI_MORE));
        cr_expect(fastcgi_stream_is_whole(&s));
        fastcgi_stream_restart(&s);
    }
    fastcgi_stream_feed(&s, once, 3);
    cr_expect(eq(int, fastcgi_stream_next(&s), FASTCGI_MORE));
    cr_expect(not(fastcgi_stream_is_whole(&s)));
    cr_expect(not(fastcgi_stream_is_idle(&s)));
}

/* --- Bounds --- */

static void add_record(struct buf *b, int type, size_t len, size_t padding)
{
    const unsigned char header[] = {1,
                                    (unsigned char)type,
                                    0,
                                    1,
                                    (unsigned char)(len >> 8),
                                    (unsigned char)len,
                                    (unsigned char)padding,
                                    0};
    buf_add(b, header, sizeof header);
    for (size_t i = 0; i < len; i++)
        buf_putc(b, 'x');
    for (size_t i = 0; i < padding; i++)
        buf_putc(b, '\0');
}

static enum fastcgi_event last_event(const struct buf *b, size_t *ret_data)
{
    static struct fastcgi_stream s;
    enum fastcgi_event event, last = FASTCGI_MORE;

    fastcgi_stream_init(&s, 7);
    fastcgi_stream_feed(&s, b->data, b->len);
    while ((event = fastcgi_stream_next(&s)) != FASTCGI_MORE) {
        last = event;
        if (event == FASTCGI_DATA)
            *ret_data += s.data_len;
        if (event > FASTCGI_REPLY)
            break;
    }
    return last;
}

/* A record with one parameter: name "A", a value of len bytes. */
static void add_param(struct buf *b, size_t len)
{
    size_t content = len + 6;
    const unsigned char start[] = {
        1, 4, 0,    1, (unsigned char)(content >> 8), (unsigned char)content, 0,
        0, 1, 0x80, 0, (unsigned char)(len >> 8),     (unsigned char)len,     'A'};
    buf_add(b, start, sizeof start);
    for (size_t i = 0; i < len; i++)
        buf_putc(b, 'x');
}

Test(fastcgi_stream, a_head_is_bounded_in_bytes_and_number_of_parameters_and_records)
{
    CLEANUP(buf_release) struct buf fits = BUF_INIT(1 << 20), big = BUF_INIT(1 << 20);
    CLEANUP(buf_release)
    struct buf many = BUF_INIT(1 << 20), padded = BUF_INIT(1 << 20);
    size_t data = 0;

    buf_add(&fits, BEGIN, 16);
    add_param(&fits, 32 * 1024 - 1);
    add_param(&fits, 32 * 1024 - 1);
    buf_add(&big, fits.data, fits.len);
    buf_add(&fits, NO_PARAMS, 8);
    cr_expect(eq(int, last_event(&fits, &data), FASTCGI_HEAD));
    add_param(&big, 0);
    cr_expect(eq(int, last_event(&big, &data), FASTCGI_REFUSED));

    buf_add(&many, BEGIN, 16);
    for (int i = 0; i < FASTCGI_PAIRS_COUNT; i++)
        buf_add(&many, PARAM, 12);
    cr_expect(eq(int, last_event(&many, &data), FASTCGI_MORE));
    buf_add(&many, PARAM, 12);
    cr_expect(eq(int, last_event(&many, &data), FASTCGI_REFUSED));

    buf_add(&padded, BEGIN, 16);
    for (int i = 0; i < 300; i++) {
        add_record(&padded, 4, 1, 255); /* "x": a length, of 120 ... */
    }
    cr_expect(eq(int, last_event(&padded, &data), FASTCGI_REFUSED));
}

Test(fastcgi_stream, records_that_are_nobody_s_are_left_out_up_to_a_number)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(1 << 20);
    size_t data = 0;

    buf_add(&b, BEGIN NO_PARAMS, 24);
    for (int i = 0; i < FASTCGI_STREAM_ODD; i++)
        buf_add(&b, "\1\11\0\0\0\0\0\0", 8);
    cr_expect(eq(int, last_event(&b, &data), FASTCGI_REPLY));
    buf_add(&b, "\1\5\0\11\0\0\0\0", 8);
    cr_expect(eq(int, last_event(&b, &data), FASTCGI_BAD));
}

Test(fastcgi_stream, the_largest_records_and_the_smallest_by_the_hundred_thousand)
{
    CLEANUP(buf_release)
    struct buf large = BUF_INIT(1 << 22), small = BUF_INIT(1 << 22);
    size_t data = 0;

    buf_add(&large, BEGIN NO_PARAMS, 24);
    for (int i = 0; i < 16; i++)
        add_record(&large, 5, 65535, 255);
    buf_add(&large, NO_STDIN, 8);
    cr_expect(eq(int, last_event(&large, &data), FASTCGI_BODY_END));
    cr_expect(eq(sz, data, 16 * 65535));

    buf_add(&small, BEGIN NO_PARAMS, 24);
    for (int i = 0; i < 100000; i++)
        add_record(&small, 5, 1, 7);
    buf_add(&small, NO_STDIN, 8);
    data = 0;
    cr_expect(eq(int, last_event(&small, &data), FASTCGI_BODY_END));
    cr_expect(eq(sz, data, 100000));
}
