/*
 * bench multipart: how fast forms are taken apart, against copying them; nothing is hashed or stored.
 *
 *     build/dev/tests/bench/multipart/bench_multipart [MIB]
 *
 * One row for each kind of body, each of MIB MiB (256), fed in chunks as the responder does; the best of five runs, by
 * processor time.
 */
#include "fcgi-app/upload/multipart.h"

#include "shared/cleanup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHUNK = 64 * 1024, RUNS = 5, PART = 4096 };

#define BROWSER "----WebKitFormBoundaryABCDEFGHIJKLMNOP"
#define SAME "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* Data of one part that is `fill` again and again; NULL: random bytes; parts of part_bytes. */
static const struct {
    const char *name, *boundary, *fill;
    size_t part_bytes; /* 0: one part */
} bodies[] = {
    {"one file, random bytes", BROWSER, NULL, 0},
    {"one file, boundary of one letter", "B", NULL, 0},
    {"files of 4 KiB", BROWSER, NULL, PART},
    {"lines of text", BROWSER,
     "The quick brown fox jumps over the lazy dog, and so on.\r\n", 0},
    {"CR and nothing else", BROWSER, "\r", 0},
    {"CRLF and nothing else", BROWSER, "\r\n", 0},
    {"CRLF and two dashes", BROWSER, "\r\n--", 0},
    {"all of a delimiter but its end", BROWSER,
     "\r\n------WebKitFormBoundaryABCDEFGHIJKLMNO", 0},
    {"the end of a delimiter", BROWSER, "OP", 0},
    {"a boundary of one letter 70 times", SAME, "a", 0},
    {"that, and a CR now and then", SAME,
     "\r\n--aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0},
};

static void add_data(struct buf *b, const char *fill, size_t len)
{
    size_t n = fill ? strlen(fill) : 0;
    for (size_t i = 0; i < len; i++)
        if (!buf_putc(b, fill ? fill[i % n] : (char)(random() & 255)))
            abort();
}

static void make_body(size_t row, size_t bytes, struct buf *b)
{
    size_t part = bodies[row].part_bytes ? bodies[row].part_bytes : bytes;
    while (b->len < bytes) {
        buf_printf(
            b,
            "--%s\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n"
            "Content-Type: image/png\r\n\r\n",
            bodies[row].boundary);
        add_data(b, bodies[row].fill, part);
        buf_puts(b, "\r\n");
    }
    buf_printf(b, "--%s--\r\n", bodies[row].boundary);
}

/* Bytes of data that came out, so that nothing is left out by the compiler. */
static size_t parse(size_t row, const struct buf *body)
{
    static const struct multipart_limits limits = {.parts = 10000000,
                                                   .header_bytes = 16384,
                                                   .headers = 16,
                                                   .outside_bytes = 65536};
    struct multipart m;
    enum multipart_event event = MULTIPART_MORE;
    size_t data = 0;
    multipart_init(&m, bodies[row].boundary, strlen(bodies[row].boundary), &limits);
    for (size_t at = 0; at < body->len; at += CHUNK) {
        multipart_feed(&m, body->data + at,
                       CHUNK < body->len - at ? CHUNK : body->len - at);
        while ((event = multipart_next(&m)) != MULTIPART_MORE) {
            if (event == MULTIPART_BAD) {
                (void)fprintf(stderr, "%s: %s\n", bodies[row].name, m.error);
                exit(1);
            }
            data += event == MULTIPART_DATA ? m.data_len : 0;
        }
    }
    if (!multipart_is_complete(&m))
        abort();
    multipart_release(&m);
    return data;
}

static size_t copy(const struct buf *body)
{
    static char chunk[CHUNK];
    size_t sum = 0;
    for (size_t at = 0; at < body->len; at += CHUNK) {
        size_t n = CHUNK < body->len - at ? CHUNK : body->len - at;
        memcpy(chunk, body->data + at, n);
        __asm__ volatile("" ::"r"(chunk) : "memory"); /* it counts as read */
        sum += n;
    }
    return sum;
}

/* Of this thread, so that what else the machine does matters less. */
static int64_t cpu_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void measure(size_t row, size_t bytes)
{
    CLEANUP(buf_release) struct buf body = BUF_INIT(2 * bytes + 65536);
    double best_parse = 0, best_copy = 0;
    make_body(row, bytes, &body);
    for (int i = 0; i < RUNS; i++) {
        int64_t begun = cpu_us();
        (void)parse(row, &body);
        int64_t parsed = cpu_us();
        (void)copy(&body);
        double mb = (double)body.len;
        double p = mb / (double)(parsed - begun);
        double c = mb / (double)(cpu_us() - parsed);
        best_parse = p > best_parse ? p : best_parse;
        best_copy = c > best_copy ? c : best_copy;
    }
    printf("%-36s %8.0f MB/s   memcpy %8.0f MB/s\n", bodies[row].name, best_parse,
           best_copy);
}

int main(int argc, char **argv)
{
    size_t mib = argc > 1 ? strtoul(argv[1], NULL, 10) : 256;
    for (size_t row = 0; row < sizeof bodies / sizeof bodies[0]; row++)
        measure(row, mib << 20);
    return 0;
}
