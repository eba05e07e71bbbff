/*
 * log: one line for one call, whatever stands in the values; cut at its maximum; never more than what the level asks.
 * Standard error of the test is a pipe while it logs.
 */
#include "shared/log.h"

#include "shared/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

enum { LINE_MAX_BYTES = 4096, TS_LEN = 28 };

static int read_end = -1, real_stderr = -1;

static void catch_stderr(void)
{
    int ends[2];

    cr_assert(eq(int, pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0));
    real_stderr = dup(STDERR_FILENO);
    cr_assert(ge(int, dup2(ends[1], STDERR_FILENO), 0));
    cr_assert(eq(int, fcntl(STDERR_FILENO, F_SETFL, 0), 0)); /* a write may block */
    close(ends[1]);
    read_end = ends[0];
}

static void give_stderr_back(void)
{
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(read_end);
}

TestSuite(log, .timeout = 60, .init = catch_stderr, .fini = give_stderr_back);

/* What one read finds, NUL-terminated; "" for nothing.  The size of one write is what a reader gets at once only
 * when nothing else was written, which is what most tests want to know. */
static const char *caught(void)
{
    static char text[3 * LINE_MAX_BYTES];
    ssize_t n = read(read_end, text, sizeof text - 1);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

/* The line without its time. */
static char *caught_after_ts(void)
{
    const char *line = caught();

    cr_assert(gt(sz, strlen(line), TS_LEN), "'%s'", line);
    return (char *)line + TS_LEN;
}

Test(log, a_line_has_time_level_place_words_and_fields)
{
    int64_t from = clock_wall_ms(), ms = 0;

    log_info("job", "finished", LOG_STR("id", "media.0193"), LOG_INT("ms", 12));
    const char *line = caught();
    cr_expect(eq(int, strncmp(line, "ts=", 3), 0));
    cr_expect(clock_parse_rfc3339(line + 3, 24, &ms));
    cr_expect(ge(i64, ms, from));
    cr_expect(le(i64, ms, clock_wall_ms()));
    cr_expect(eq(str, (char *)line + TS_LEN,
                 "level=info at=job msg=finished id=media.0193 ms=12\n"));
}

Test(log, a_line_needs_no_fields)
{
    log_error("main", "out of memory");
    cr_expect(
        eq(str, caught_after_ts(), "level=error at=main msg=\"out of memory\"\n"));
}

Test(log, an_error_is_a_field)
{
    struct err e = ERR_INIT;

    err_set(&e, ERR_RETRY, "redis: away");
    log_warn("queue", "push", LOG_ERR(&e));
    cr_expect(eq(str, caught_after_ts(),
                 "level=warn at=queue msg=push error=\"redis: away\"\n"));
}

static struct log_request tell_request(void *ctx)
{
    return (struct log_request){ctx, "00-ab-cd-01"};
}

static struct log_request tell_no_trace(void *ctx)
{
    return (struct log_request){ctx, NULL};
}

Test(log, a_line_of_a_request_says_which)
{
    char id[] = "abc 1";

    log_set_request(tell_request, id);
    log_info("a", "b", LOG_INT("n", 1));
    cr_expect(eq(str, caught_after_ts(),
                 "level=info at=a msg=b n=1 request=\"abc 1\" "
                 "traceparent=00-ab-cd-01\n"));
    log_set_request(tell_no_trace, id);
    log_info("a", "b");
    cr_expect(eq(str, caught_after_ts(), "level=info at=a msg=b request=\"abc 1\"\n"));
    log_set_request(NULL, NULL);
    log_info("a", "b");
    cr_expect(eq(str, caught_after_ts(), "level=info at=a msg=b\n"));
}

Test(log, a_field_that_may_be_missing_is_left_out)
{
    log_info("a", "b", LOG_MAY("c", NULL), LOG_MAY("d", "e"), LOG_INT("n", 1));
    cr_expect(eq(str, caught_after_ts(), "level=info at=a msg=b d=e n=1\n"));
}

static const struct {
    const char *label, *value, *shown;
} values[] = {
    {"plain", "a-b_c.d:e/f@g+h,i%j*~", "a-b_c.d:e/f@g+h,i%j*~"},
    {"empty", "", "\"\""},
    {"blank", "a b", "\"a b\""},
    {"equals", "a=b", "\"a=b\""},
    {"quote", "say \"x\"", "\"say \\\"x\\\"\""},
    {"backslash", "a\\n", "\"a\\\\n\""},
    {"forged line", "x\nts=1 level=error", "\"x\\nts=1 level=error\""},
    {"carriage return", "x\ry", "\"x\\x0dy\""},
    {"terminal", "\x1b[2J\x07", "\"\\x1b[2J\\x07\""},
    {"delete", "\x7f", "\"\\x7f\""},
    {"UTF-8", "\xc3\xbc", "\"\\xc3\\xbc\""},
    {"C1 control", "\xc2\x9b", "\"\\xc2\\x9b\""},
    {"not UTF-8", "\xff", "\"\\xff\""},
};

ParameterizedTestParameters(log, a_value_stays_in_its_quotes)
{
    static size_t i[sizeof values / sizeof values[0]];
    for (size_t k = 0; k < sizeof i / sizeof i[0]; k++)
        i[k] = k;
    return cr_make_param_array(size_t, i, sizeof i / sizeof i[0]);
}

ParameterizedTest(size_t *i, log, a_value_stays_in_its_quotes, .init = catch_stderr,
                  .fini = give_stderr_back)
{
    char want[200];

    log_info("t", "m", LOG_STR("v", values[*i].value));
    snprintf(want, sizeof want, "level=info at=t msg=m v=%s\n", values[*i].shown);
    cr_expect(eq(str, caught_after_ts(), want), "%s", values[*i].label);
}

Test(log, a_null_value_is_empty_text_and_numbers_have_64_bits)
{
    log_info("t", "m", LOG_STR("v", (const char *)NULL), LOG_INT("min", INT64_MIN),
             LOG_INT("max", INT64_MAX));
    cr_expect(eq(str, caught_after_ts(),
                 "level=info at=t msg=m v=\"\" min=-9223372036854775808 "
                 "max=9223372036854775807\n"));
}

Test(log, a_long_line_is_cut_with_a_mark_and_never_within_an_escape)
{
    static const char fills[] = {'x', ' ', '\n', '\x01'};
    static char value[2 * LINE_MAX_BYTES];

    for (size_t i = 0; i < sizeof fills; i++) {
        memset(value, fills[i], sizeof value - 1);
        log_info("t", "m", LOG_STR("v", value), LOG_INT("n", 1));
        const char *line = caught();
        size_t len = strlen(line);
        cr_expect(le(sz, len, LINE_MAX_BYTES), "fill %zu", i);
        cr_expect(ge(sz, len, LINE_MAX_BYTES - 8), "fill %zu", i);
        cr_expect(eq(str, (char *)line + len - 4, "\xe2\x80\xa6\n"), "fill %zu", i);
        cr_expect(eq(ptr, strchr(line, '\n'), (char *)line + len - 1), "one line");
        const char *before = line + len - 4 -
                             (fills[i] == '\x01' ? 4
                              : fills[i] == '\n' ? 2
                                                 : 1);
        cr_expect(eq(int, *before, fills[i] < ' ' ? '\\' : fills[i]), "fill %zu", i);
    }
}

Test(log, levels_below_the_set_one_are_silent)
{
    log_debug("t", "not yet");
    cr_expect(eq(str, (char *)caught(), ""));
    log_set_level(LOG_DEBUG);
    cr_expect(log_is_on(LOG_DEBUG));
    log_debug("t", "now");
    cr_expect(eq(str, caught_after_ts(), "level=debug at=t msg=now\n"));
    log_set_level(LOG_ERROR);
    cr_expect(not(log_is_on(LOG_WARN)));
    log_warn("t", "no");
    cr_expect(eq(str, (char *)caught(), ""));
    log_error("t", "yes");
    cr_expect(eq(str, caught_after_ts(), "level=error at=t msg=yes\n"));
}

Test(log, words_are_levels)
{
    static const char *const words[] = {"debug", "info", "warn", "error"};
    enum log_level level = LOG_ERROR;

    for (int i = 0; i < 4; i++) {
        cr_expect(log_parse_level(words[i], &level), "%s", words[i]);
        cr_expect(eq(int, level, i), "%s", words[i]);
    }
    level = LOG_WARN;
    cr_expect(not(log_parse_level("verbose", &level)));
    cr_expect(not(log_parse_level("INFO", &level)));
    cr_expect(not(log_parse_level("", &level)));
    cr_expect(eq(int, level, LOG_WARN));
}

Test(log, errno_is_kept_where_the_line_is_taken_and_where_it_is_not)
{
    errno = ENOENT;
    log_info("t", "taken");
    cr_expect(eq(int, errno, ENOENT));
    close(STDERR_FILENO);
    log_info("t", "lost");
    cr_expect(eq(int, errno, ENOENT));
}

Test(log, a_full_standard_error_loses_lines_but_stops_nobody)
{
    size_t lines = 0;

    for (int i = 0; i < 4096; i++) /* more than the pipe's 64 KiB take */
        log_info("t", "m", LOG_INT("i", i));
    for (const char *text = caught(); *text; text = caught())
        for (; *text; text++)
            lines += *text == '\n';
    cr_expect(gt(sz, lines, 100));
    cr_expect(lt(sz, lines, 4096));
    log_info("t", "m");
    char want[64];
    (void)snprintf(want, sizeof want, " lines_lost=%zu\n", 4096 - lines);
    cr_expect(strstr(caught(), want) != NULL);
}
