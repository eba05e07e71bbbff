/*
 * fastcgi: a body is the same through whatever window it is read, wherever its records begin; and what a connection is good for
 * after it.  Over a socketpair.
 */
#include "fcgi-app/fastcgi/fastcgi.h"

#include "shared/buf.h"
#include "shared/cleanup.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct {
    int web, responder;
    struct fastcgi *f;
} rig;

static void up(void)
{
    int ends[2], room = 1 << 20;
    struct timeval soon = {.tv_usec = 50000};

    cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    rig.web = ends[0];
    rig.responder = ends[1];
    (void)setsockopt(rig.web, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    cr_assert(setsockopt(rig.responder, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon) ==
              0);
    rig.f = fastcgi_new(1);
    cr_assert(rig.f != NULL);
}

static void down(void)
{
    (void)close(rig.web);
    (void)close(rig.responder);
    fastcgi_free(rig.f);
}

TestSuite(fastcgi, .init = up, .fini = down, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define HEAD                                                                           \
    "\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0"                                                \
    "\1\4\0\1\0\4\0\0\1\1A1"                                                           \
    "\1\4\0\1\0\0\0\0"
#define END "\1\5\0\1\0\0\0\0"

static void add_stdin(struct buf *b, const char *data, size_t len, size_t padding)
{
    const unsigned char header[] = {1,
                                    5,
                                    0,
                                    1,
                                    (unsigned char)(len >> 8),
                                    (unsigned char)len,
                                    (unsigned char)padding,
                                    0};

    buf_add(b, header, sizeof header);
    buf_add(b, data, len);
    for (size_t i = 0; i < padding; i++)
        buf_putc(b, '?');
}

static void send_all(const void *bytes, size_t len)
{
    cr_assert(send(rig.web, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len);
}

static void begin(const void *bytes, size_t len)
{
    struct err e = ERR_INIT;

    send_all(bytes, len);
    fastcgi_begin(rig.f, rig.responder);
    cr_assert(eq(int, fastcgi_look(rig.f, &e), FASTCGI_REQUEST), "%s", e.text);
    cr_expect(eq(str, fastcgi_params(rig.f)[0], "A=1"));
}

static void forget_answer(void)
{
    char rest[4096];

    while (recv(rig.web, rest, sizeof rest, MSG_DONTWAIT) > 0)
        continue;
}

/* Records of many sizes, in one go: more than one window of any reader, and less than a socket holds. */
static void make_body(struct buf *wire, const char *data, size_t len, unsigned seed)
{
    size_t at = 0;

    buf_clear(wire);
    buf_add(wire, HEAD, sizeof HEAD - 1);
    while (at < len) {
        seed = seed * 1103515245U + 12345U;
        size_t size =
            (seed >> 16) % 4 == 0 ? 1 + (seed >> 8) % 7 : 1 + (seed >> 5) % 9000;
        size_t n = size < len - at ? size : len - at;
        add_stdin(wire, data + at, n, (seed >> 20) % 3 * 100);
        at += n;
    }
    buf_add(wire, END, sizeof END - 1);
}

Test(fastcgi, a_body_is_the_same_through_every_window)
{
    static char data[90000], got[sizeof data + 1];
    static const size_t windows[] = {1, 7, 100, 4095, 4096, 4097, 20000, 65536, 90001};
    CLEANUP(buf_release) struct buf wire = BUF_INIT(1 << 20);

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 31 + i / 251);
    for (unsigned round = 0; round < 2 * COUNT(windows); round++) {
        size_t window = windows[round / 2], sum = 0, n;
        make_body(&wire, data, sizeof data, round);
        begin(wire.data, wire.len);
        memset(got, 0, sizeof got);
        while ((n = round % 2 ? fastcgi_read(rig.f, got + sum, window)
                              : fastcgi_read_some(rig.f, got + sum, window)) > 0) {
            cr_assert(n <= window);
            sum += n;
            cr_assert(sum <= sizeof data);
            window = sizeof got - sum < window ? sizeof got - sum : window;
        }
        cr_expect(eq(sz, sum, sizeof data));
        cr_expect(memcmp(got, data, sizeof data) == 0, "round %u", round);
        cr_expect(fastcgi_body_is_complete(rig.f));
        cr_expect(eq(int, fastcgi_end(rig.f, true, -1), FASTCGI_KEEP));
        forget_answer();
    }
}

/* What comes with the head, read without waiting; what a reader asks for beyond the end. */
static const struct {
    const char *label, *rest;
    size_t len;
    enum fastcgi_end end;
} ends[] = {
#define ROW(label, rest, end)                                                          \
    {                                                                                  \
        label, rest, sizeof(rest) - 1, end                                             \
    }
    ROW("complete", END, FASTCGI_KEEP),
    ROW("complete, small body unread", "\1\5\0\1\0\2\1\0hi?" END, FASTCGI_KEEP),
    ROW("nothing came", "", FASTCGI_LINGER),
    ROW("its end did not come", "\1\5\0\1\0\2\1\0hi?", FASTCGI_LINGER),
    ROW("the padding of its end did not come", "\1\5\0\1\0\0\2\0?", FASTCGI_LINGER),
    ROW("more came than it", END "\1\1\0", FASTCGI_CLOSE),
    ROW("another one came too early", END "\1\1\0\2\0\10\0\0\0\1\1\0\0\0\0\0",
        FASTCGI_KEEP),
    ROW("aborted", "\1\2\0\1\0\0\0\0", FASTCGI_CLOSE),
    ROW("out of step", "hello, world", FASTCGI_CLOSE),
};

Test(fastcgi, a_connection_is_kept_only_after_the_whole_of_a_request)
{
    for (size_t i = 0; i < COUNT(ends); i++) {
        char wire[256];
        memcpy(wire, HEAD, sizeof HEAD - 1);
        memcpy(wire + sizeof HEAD - 1, ends[i].rest, ends[i].len);
        begin(wire, sizeof HEAD - 1 + ends[i].len);
        cr_expect(eq(int, fastcgi_end(rig.f, false, -1), ends[i].end), "%s",
                  ends[i].label);
        forget_answer();
    }
}

Test(fastcgi, what_does_not_come_ends_in_time_and_is_not_complete)
{
    char got[10];

    begin(HEAD "\1\5\0\1\0\5\0\0abc", sizeof HEAD - 1 + 11);
    cr_expect(eq(sz, fastcgi_read(rig.f, got, sizeof got), 3));
    cr_expect(not(fastcgi_body_is_complete(rig.f)));
    cr_expect(eq(sz, fastcgi_read_some(rig.f, got, sizeof got), 0));
    cr_expect(eq(int, fastcgi_end(rig.f, true, -1), FASTCGI_CLOSE));
}

/* The records of an answer: its bytes, one empty STDOUT, END_REQUEST. */
static size_t read_answer(char *ret, size_t max, int *ret_ends)
{
    unsigned char h[8], content[65536 + 256];
    size_t sum = 0;

    *ret_ends = 0;
    while (recv(rig.web, h, sizeof h, MSG_DONTWAIT) == sizeof h) {
        size_t len = (size_t)h[4] << 8 | h[5];
        cr_assert(len == 0 || recv(rig.web, content, len + h[6], MSG_WAITALL) ==
                                  (ssize_t)len + h[6]);
        cr_assert(h[1] != 6 || sum + len <= max);
        if (h[1] == 6)
            memcpy(ret + sum, content, len);
        sum += h[1] == 6 ? len : 0;
        *ret_ends += h[1] == 3 || (h[1] == 6 && len == 0);
    }
    return sum;
}

Test(fastcgi, an_answer_of_any_size_written_in_any_pieces_is_the_same)
{
    static char text[150000], got[sizeof text];
    static const size_t sizes[] = {0, 1, 8143, 8144, 8145, 8192, 65535, 65536, 150000};
    static const size_t pieces[] = {150000, 8144, 1000};
    int room = 1 << 20, ended;

    (void)setsockopt(rig.responder, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 7 + i / 1000);
    for (size_t i = 0; i < COUNT(sizes) * COUNT(pieces); i++) {
        size_t size = sizes[i / COUNT(pieces)], piece = pieces[i % COUNT(pieces)];
        begin(HEAD END, sizeof HEAD END - 1);
        for (size_t at = 0; at < size; at += piece)
            fastcgi_write(rig.f, text + at, size - at < piece ? size - at : piece);
        cr_expect(eq(int, fastcgi_end(rig.f, true, 0), FASTCGI_KEEP));
        cr_expect(eq(sz, read_answer(got, sizeof got, &ended), size));
        cr_expect(memcmp(got, text, size) == 0, "%zu by %zu", size, piece);
        cr_expect(eq(int, ended, 2), "%zu by %zu", size, piece);
    }
}
