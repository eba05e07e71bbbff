#include "shared/log.h"

#include "shared/buf.h"
#include "shared/clock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* 4,096 bytes are what a pipe takes in one piece (PIPE_BUF), so that lines of two processes never mix. */
enum { LINE_BYTES = 4096 };

static const char cut_mark[] = "…";

static const char *const level_words[] = {"debug", "info", "warn", "error"};
enum { LEVELS = sizeof level_words / sizeof level_words[0] };

static _Thread_local struct log_request (*request_of)(void *ctx);
static _Thread_local void *request_ctx;

void log_set_request(struct log_request (*get)(void *ctx), void *ctx)
{
    request_of = get;
    request_ctx = ctx;
}

static atomic_int lowest_level = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&lowest_level, (int)level, memory_order_relaxed);
}

bool log_is_on(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&lowest_level, memory_order_relaxed);
}

bool log_parse_level(const char *word, enum log_level *ret_level)
{
    for (int i = 0; i < LEVELS; i++) {
        if (strcmp(word, level_words[i]) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static bool is_plain(const char *s)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789-._~:/@+,%*";

    return *s && s[strspn(s, plain)] == '\0';
}

/* Escapes are ASCII alone: UTF-8 too has characters that move a cursor or turn the reading direction. */
static void add_escaped(struct buf *b, unsigned char c)
{
    if (c == '"' || c == '\\')
        buf_printf(b, "\\%c", c);
    else if (c == '\n')
        buf_puts(b, "\\n");
    else if (c < 0x20 || c >= 0x7f)
        buf_printf(b, "\\x%02x", c);
    else
        buf_putc(b, (char)c);
}

static void add_text(struct buf *b, const char *s)
{
    if (is_plain(s) && strlen(s) <= b->max - b->len) {
        buf_puts(b, s);
        return;
    }
    buf_putc(b, '"');
    for (; *s && !b->failed; s++)
        add_escaped(b, (unsigned char)*s);
    buf_putc(b, '"');
}

static void add_pair(struct buf *b, const char *key, const char *text)
{
    buf_printf(b, " %s=", key);
    add_text(b, text);
}

/* Of the threads of this program: what poll promises one of them is not taken by another. */
static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_llong lost; /* lines, since the last one that was taken */

/* One write, so that the line stays in one piece.  What standard error does not take at once is lost, on purpose: a reader
 * that hangs, or a disk that is full, must not hold up the program.  (A pipe that can be written to takes PIPE_BUF.) */
static bool write_line(const char *line, size_t len)
{
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t n = -1;

    (void)pthread_mutex_lock(&write_lock);
    if (poll(&room, 1, 0) == 1 && room.revents & POLLOUT)
        do
            n = write(STDERR_FILENO, line, len);
        while (n < 0 && errno == EINTR);
    (void)pthread_mutex_unlock(&write_lock);
    return n == (ssize_t)len;
}

static void add_field(struct buf *b, const struct log_field *f)
{
    if (*f->key == '\0')
        return;
    if (f->text)
        add_pair(b, f->key, f->text);
    else
        buf_printf(b, " %s=%lld", f->key, (long long)f->number);
}

static void add_request(struct buf *b)
{
    if (!request_of)
        return;
    const struct log_request r = request_of(request_ctx);
    add_pair(b, "request", r.id);
    if (r.traceparent)
        add_pair(b, "traceparent", r.traceparent);
}

void log_line(enum log_level level, const char *at, const char *msg, ...)
{
    int saved = errno;
    char line[LINE_BYTES];
    /* A buf over the stack: its maximum keeps it from growing, and leaves room for the mark and the line's end. */
    size_t max = sizeof line - sizeof cut_mark - 1;
    struct buf b = {line, 0, sizeof line, max, false, false};
    va_list ap;

    if (!log_is_on(level))
        return;
    buf_puts(&b, "ts=");
    clock_format_rfc3339(&b, clock_wall_ms());
    add_pair(&b, "level", (size_t)level < LEVELS ? level_words[level] : "error");
    add_pair(&b, "at", at);
    add_pair(&b, "msg", msg);
    va_start(ap, msg);
    for (;;) {
        struct log_field f = va_arg(ap, struct log_field);
        if (!f.key)
            break;
        add_field(&b, &f);
    }
    va_end(ap);
    add_request(&b);
    long long missing = atomic_exchange(&lost, 0);
    if (missing > 0)
        buf_printf(&b, " lines_lost=%lld", missing);
    size_t len = b.len;
    if (b.failed) {
        memcpy(line + len, cut_mark, sizeof cut_mark - 1);
        len += sizeof cut_mark - 1;
    }
    line[len++] = '\n';
    if (!write_line(line, len))
        (void)atomic_fetch_add(&lost, missing + 1);
    errno = saved;
}
