#include "shared/job_tries.h"

#include "shared/clock.h"
#include "shared/text_line.h"

#include <inttypes.h>
#include <string.h>

bool job_tries_is_text(const char *s, size_t len)
{
    return memchr(s, '\0', len) == NULL;
}

/* --- Reading --- */

static bool take_line(const char *s, const char *end, struct job_try *ret)
{
    struct job_text worker, class;

    if (!text_line_number(&s, end, &ret->number) ||
        !text_line_number(&s, end, &ret->started) ||
        !text_line_number(&s, end, &ret->ended) || !text_line_word(&s, end, &worker) ||
        !text_line_word(&s, end, &class))
        return false;
    ret->worker = worker.s;
    ret->worker_len = worker.len;
    ret->error_class = class.s;
    ret->class_len = class.len;
    ret->error = s;
    ret->error_len = (size_t)(end - s);
    return true;
}

bool job_tries_next(const char *text, size_t len, size_t *at, struct job_try *ret)
{
    const char *line, *end;

    while (text_line_next(text, len, at, &line, &end))
        if (take_line(line, end, ret))
            return true;
    return false;
}

/* --- Writing --- */

static void add_text(struct buf *b, const char *name, const char *s, size_t len)
{
    buf_printf(b, ",\"%s\":", name);
    buf_add_json(b, s, len);
}

static void add_time(struct buf *b, const char *name, int64_t ms)
{
    if (ms <= 0)
        return;
    buf_printf(b, ",\"%s\":\"", name);
    clock_format_rfc3339(b, ms);
    buf_putc(b, '"');
}

static void add_failed(struct buf *b, const struct job_try *t)
{
    buf_printf(b, "{\"attempt\":%" PRId64 ",\"state\":\"failed\"", t->number);
    add_text(b, "worker", t->worker, t->worker_len);
    add_time(b, "started", t->started);
    add_time(b, "ended", t->ended);
    buf_puts(b, ",\"error\":{\"class\":");
    buf_add_json(b, t->error_class, t->class_len);
    add_text(b, "text", t->error, t->error_len);
    buf_puts(b, "}}");
}

/* The attempt that the record itself tells of: it runs, or did not fail. */
static bool has_own(const struct job *j, int64_t last_started)
{
    bool is_told =
        j->state == JOB_RUNNING || j->state == JOB_DONE || j->state == JOB_CANCELLED;

    return is_told && j->started > 0 && j->started != last_started;
}

static void add_own(struct buf *b, const struct job *j)
{
    buf_printf(b, "{\"attempt\":%" PRId64 ",\"state\":\"%s\"", j->attempts,
               job_state_name(j->state));
    if (j->worker)
        add_text(b, "worker", j->worker, strlen(j->worker));
    add_time(b, "started", j->started);
    if (j->state != JOB_RUNNING)
        add_time(b, "ended", j->ended);
    buf_putc(b, '}');
}

static void add_tries(struct buf *b, const struct job *j)
{
    size_t at = 0, len = j->tries ? strlen(j->tries) : 0;
    const char *before = ",\"tries\":[";
    struct job_try t = {.started = 0};

    while (job_tries_next(j->tries, len, &at, &t)) {
        buf_puts(b, before);
        add_failed(b, &t);
        before = ",";
    }
    if (has_own(j, t.started)) {
        buf_puts(b, before);
        add_own(b, j);
        before = ",";
    }
    if (*before == ',' && before[1] == '\0')
        buf_putc(b, ']');
}

static void add_meta(struct buf *b, const struct job *j)
{
    for (size_t i = 0; i < j->meta_count; i++) {
        buf_puts(b, i == 0 ? ",\"meta\":{" : ",");
        buf_add_json(b, j->meta[i].name, strlen(j->meta[i].name));
        buf_putc(b, ':');
        buf_add_json(b, j->meta[i].value, strlen(j->meta[i].value));
    }
    if (j->meta_count > 0)
        buf_putc(b, '}');
}

bool job_add_story(struct buf *b, const struct job *j)
{
    if (!job_add_status(b, j))
        return false;
    b->len--; /* the brace, which comes again */
    add_tries(b, j);
    add_meta(b, j);
    if (j->source && !job_is_spooled(j))
        add_text(b, "source", j->source, strlen(j->source));
    if (j->crashes > 0)
        buf_printf(b, ",\"crashes\":%" PRId64, j->crashes);
    return buf_putc(b, '}');
}
