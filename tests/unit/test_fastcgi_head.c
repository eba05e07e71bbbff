/*
 * fastcgi_head: a request's first records are passed on only when all of them have come and are sane.
 */
#include "fcgi-app/fastcgi_head.h"

#include "shared/buf.h"
#include "shared/cleanup.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(fastcgi_head, .timeout = 10);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define BEGIN                                                                          \
    "\1\1\0\1\0\10\0\0"                                                                \
    "\0\1\1\0\0\0\0\0"
#define PARAM                                                                          \
    "\1\4\0\1\0\4\0\0"                                                                 \
    "\1\1A1"
#define NO_PARAMS "\1\4\0\1\0\0\0\0"
#define ROW(bytes, want)                                                               \
    {                                                                                  \
        bytes, sizeof(bytes) - 1, want                                                 \
    }

static const struct {
    const char *bytes;
    size_t len;
    enum fastcgi_head want;
} rows[] = {
    ROW(BEGIN PARAM NO_PARAMS, FASTCGI_HEAD_COMPLETE),
    ROW(BEGIN PARAM NO_PARAMS "whatever follows", FASTCGI_HEAD_COMPLETE),
    ROW(BEGIN NO_PARAMS, FASTCGI_HEAD_COMPLETE),
    ROW(BEGIN PARAM PARAM NO_PARAMS, FASTCGI_HEAD_COMPLETE),
    ROW(BEGIN "\1\4\0\1\0\4\3\0"
              "\1\1A1pad" NO_PARAMS,
        FASTCGI_HEAD_COMPLETE),
    ROW(BEGIN "\1\4\0\1\0\2\0\0"
              "\1\1"
              "\1\4\0\1\0\2\0\0"
              "A1" NO_PARAMS,
        FASTCGI_HEAD_COMPLETE),
    ROW(BEGIN "\1\4\0\1\0\12\0\0"
              "\200\0\0\1\200\0\0\1A1" NO_PARAMS,
        FASTCGI_HEAD_COMPLETE),
    ROW("\1\1\0\1\0\10\0\0"
        "\0\1\377\0\0\0\0\0" NO_PARAMS,
        FASTCGI_HEAD_COMPLETE),
    /* Not a request of ours. */
    ROW("\2\1\0\1\0\10\0\0", FASTCGI_HEAD_BAD),
    ROW("\0\0\0\0", FASTCGI_HEAD_BAD),
    ROW("GET / HTTP/1.1\r\n", FASTCGI_HEAD_BAD),
    ROW("\1\5\0\1\0\10\0\0", FASTCGI_HEAD_BAD),
    ROW("\1\11\0\0\0\21\0\0"
        "\17\0FCGI_MAX_CONNS",
        FASTCGI_HEAD_BAD),
    ROW("\1\1\0\1\0\7\0\0", FASTCGI_HEAD_BAD),
    ROW("\1\1\0\1\0\10\1\0", FASTCGI_HEAD_BAD),
    ROW("\1\1\0\0\0\10\0\0"
        "\0\1\1\0\0\0\0\0",
        FASTCGI_HEAD_BAD),
    ROW("\1\1\0\1\0\10\0\0"
        "\0\2\1\0\0\0\0\0",
        FASTCGI_HEAD_BAD),
    ROW("\1\1\0\1\0\10\0\0"
        "\0\3\1\0\0\0\0\0",
        FASTCGI_HEAD_BAD),
    ROW("\1\1\0\1\0\10\0\0"
        "\1\1\1\0\0\0\0\0",
        FASTCGI_HEAD_BAD),
    /* What libfcgi would stumble over. */
    ROW(BEGIN "\1\11\0\0\0\21\0\0"
              "\17\0FCGI_MAX_CONNS",
        FASTCGI_HEAD_BAD),
    ROW(BEGIN BEGIN, FASTCGI_HEAD_BAD),
    ROW(BEGIN "\1\5\0\1\0\0\0\0", FASTCGI_HEAD_BAD),
    ROW(BEGIN "\1\2\0\1\0\0\0\0", FASTCGI_HEAD_BAD),
    ROW(BEGIN "\1\4\0\2\0\0\0\0", FASTCGI_HEAD_BAD),
    ROW(BEGIN "\1\4\0\1\0\0\1\0"
              "x",
        FASTCGI_HEAD_BAD),
    ROW(BEGIN "\1\4\0\1\0\1\0\0"
              "\1" NO_PARAMS,
        FASTCGI_HEAD_BAD),
    ROW(BEGIN "\1\4\0\1\0\3\0\0"
              "\1\1A" NO_PARAMS,
        FASTCGI_HEAD_BAD),
    ROW(BEGIN "\1\4\0\1\0\2\0\0"
              "\0\0" NO_PARAMS,
        FASTCGI_HEAD_BAD),
    ROW(BEGIN "\1\4\0\1\0\4\0\0"
              "\1\1A\0" NO_PARAMS,
        FASTCGI_HEAD_BAD),
    ROW(BEGIN "\1\4\0\1\0\10\0\0"
              "\377\377\377\376\377\377\377\376",
        FASTCGI_HEAD_TOO_LONG),
    ROW(BEGIN "\1\4\0\1\0\5\0\0"
              "\1\200\1\0\1",
        FASTCGI_HEAD_TOO_LONG),
};

Test(fastcgi_head, heads_are_complete_bad_or_too_long)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        unsigned id = 0;
        enum fastcgi_head got = fastcgi_head_check(rows[i].bytes, rows[i].len, &id);
        cr_expect(eq(int, got, rows[i].want), "row %zu", i);
        if (got == FASTCGI_HEAD_TOO_LONG)
            cr_expect(eq(uint, id, 1), "row %zu", i);
    }
}

/* Of a complete head every beginning is MORE: a thread never gets a part of one. */
Test(fastcgi_head, the_beginning_of_a_head_is_not_yet_one)
{
    for (size_t i = 0; i < COUNT(rows) && rows[i].want == FASTCGI_HEAD_COMPLETE; i++) {
        unsigned id = 0;
        size_t whole = rows[i].len;
        while (fastcgi_head_check(rows[i].bytes, whole - 1, &id) ==
               FASTCGI_HEAD_COMPLETE)
            whole--; /* what follows the head */
        for (size_t len = 0; len < whole; len++)
            cr_assert(
                eq(int, fastcgi_head_check(rows[i].bytes, len, &id), FASTCGI_HEAD_MORE),
                "row %zu, %zu bytes", i, len);
    }
}

/* A record with one parameter: name "A", a value of len bytes. */
static void add_param(struct buf *b, size_t len)
{
    size_t content = len + 6;
    unsigned char record[] = {
        1, 4, 0,    1, (unsigned char)(content >> 8), (unsigned char)content, 0,
        0, 1, 0x80, 0, (unsigned char)(len >> 8),     (unsigned char)len,     'A'};
    buf_add(b, record, sizeof record);
    for (size_t i = 0; i < len; i++)
        buf_putc(b, 'x');
}

Test(fastcgi_head, params_are_bounded_in_bytes_and_number)
{
    CLEANUP(buf_release) struct buf big = BUF_INIT(1 << 20);
    CLEANUP(buf_release) struct buf many = BUF_INIT(1 << 20);
    unsigned id = 0;

    buf_add(&big, BEGIN, 16);
    for (int i = 0; i < 3; i++)
        add_param(&big, 30000);
    cr_expect(
        eq(int, fastcgi_head_check(big.data, big.len, &id), FASTCGI_HEAD_TOO_LONG));
    buf_add(&many, BEGIN, 16);
    for (int i = 0; i < FASTCGI_PARAMS_COUNT; i++)
        buf_add(&many, PARAM, 12);
    cr_expect(eq(int, fastcgi_head_check(many.data, many.len, &id), FASTCGI_HEAD_MORE));
    buf_add(&many, PARAM, 12);
    cr_expect(
        eq(int, fastcgi_head_check(many.data, many.len, &id), FASTCGI_HEAD_TOO_LONG));
}
