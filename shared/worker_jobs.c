#include "shared/worker_jobs.h"

#include "shared/text_line.h"

#include <inttypes.h>
#include <string.h>

enum { NUMBERS = 6 };

static void set(char *ret, size_t max, const char *s)
{
    size_t len = s ? strlen(s) : 0;

    ret[0] = '\0';
    if (len > 0 && len <= max)
        memcpy(ret, s, len + 1);
}

void worker_job_describe(const struct job *j, struct worker_job *ret)
{
    *ret = (struct worker_job){.id = j->id, .size = j->size};
    set(ret->owner, ID_QUEUE_MAX, j->owner);
    set(ret->policy, ID_QUEUE_MAX, j->policy);
    set(ret->name, JOB_NAME_MAX, j->name);
}

static const char *word(const char *s)
{
    return *s ? s : "-";
}

void worker_jobs_add(struct buf *b, const struct worker_job *j)
{
    char id[ID_JOB_MAX + 1];

    id_format_job(&j->id, id);
    BUF_PUTS(b, id, " ", word(j->owner), " ", word(j->policy), " ", word(j->phase));
    buf_printf(b, " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64, j->size,
               j->sent, j->rate, j->parts, j->parts_done);
    buf_printf(b, " %" PRId64 " %s\n", j->started, j->name);
}

/* "-": none. */
static bool take_word(const struct job_text *w, char *ret, size_t max)
{
    ret[0] = '\0';
    if (w->len == 1 && w->s[0] == '-')
        return true;
    if (w->len > max || !job_text_is_word(w->s, w->len))
        return false;
    memcpy(ret, w->s, w->len);
    ret[w->len] = '\0';
    return true;
}

static bool take_line(const char *s, const char *end, struct worker_job *ret)
{
    int64_t *const numbers[NUMBERS] = {&ret->size,  &ret->sent,       &ret->rate,
                                       &ret->parts, &ret->parts_done, &ret->started};
    struct job_text w;

    if (!text_line_word(&s, end, &w) || !id_parse_job(w.s, w.len, &ret->id) ||
        !text_line_word(&s, end, &w) || !take_word(&w, ret->owner, ID_QUEUE_MAX) ||
        !text_line_word(&s, end, &w) || !take_word(&w, ret->policy, ID_QUEUE_MAX) ||
        !text_line_word(&s, end, &w) ||
        !take_word(&w, ret->phase, WORKER_JOB_PHASE_MAX))
        return false;
    for (size_t i = 0; i < NUMBERS; i++)
        if (!text_line_number(&s, end, numbers[i]))
            return false;
    size_t len = (size_t)(end - s);
    if (len > 0 && !job_text_is_name(s, len))
        return false;
    memcpy(ret->name, s, len);
    ret->name[len] = '\0';
    return true;
}

bool worker_jobs_next(const char *text, size_t len, size_t *at, struct worker_job *ret)
{
    const char *line, *end;

    while (text_line_next(text, len, at, &line, &end))
        if (take_line(line, end, ret))
            return true;
    return false;
}
