/*
 * fuzz text_line: lines, words and numbers of any text lie one behind the other within it, and nothing of a whole line is lost;
 * of the same text as the attempts of a job a story is told that is JSON.
 */
#include "tests/fuzz/json.h"

#include "shared/cleanup.h"
#include "shared/job_tries.h"
#include "shared/text_line.h"

#include <inttypes.h>
#include <stdio.h>

/* The words of a line, up to its rest. */
static void check_words(const char *s, const char *end)
{
    struct job_text word;
    const char *start = s;

    while (text_line_word(&s, end, &word)) {
        char copy[64];
        const char *number_at = start;
        int64_t n;
        must(word.s == start && word.len > 0 && s == word.s + word.len + 1 && s <= end);
        must(!memchr(word.s, ' ', word.len) && word.s[word.len] == ' ');
        if (text_line_number(&number_at, end, &n)) {
            must(n >= 0 && number_at == s);
            int len = snprintf(copy, sizeof copy, "%0*" PRId64, (int)word.len, n);
            must((size_t)len == word.len && memcmp(copy, word.s, word.len) == 0);
        }
        start = s;
    }
    must(s == start);
}

static void check_tries(const char *text, size_t len)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    CLEANUP(buf_release) struct buf b = BUF_INIT(16 * JOB_RECORD_MAX);
    struct job_try t;
    size_t at = 0;

    while (job_tries_next(text, len, &at, &t)) {
        must(at <= len && t.number >= 0 && t.started >= 0 && t.ended >= 0);
        must(t.worker_len > 0 && t.class_len > 0);
        must(t.error >= text && t.error + t.error_len < text + len);
    }
    if (!job_tries_is_text(text, len))
        return;
    j.source = strdup("spool");
    j.sha256 = strdup("00");
    j.to = strdup("out");
    j.key = strdup("k");
    j.tries = strndup(text, len);
    must(j.source && j.sha256 && j.to && j.key && j.tries);
    j.created = j.started = 1;
    j.state = JOB_RUNNING;
    must(!job_add_story(&b, &j) || json_is_valid(b.data));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *line, *end;
    size_t at = 0, before = 0;

    while (text_line_next(text, size, &at, &line, &end)) {
        must(line == text + before && end >= line && *end == '\n');
        must(at == (size_t)(end - text) + 1 && at <= size);
        must(!memchr(line, '\n', (size_t)(end - line)));
        check_words(line, end);
        before = at;
    }
    must(at == before && !memchr(text + at, '\n', size - at));
    check_tries(text, size);
    return 0;
}
