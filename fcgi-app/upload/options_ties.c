#include "fcgi-app/upload/options_ties.h"

#include "shared/job_set.h"

#include <stdlib.h>
#include <string.h>

static enum problem wrong(struct err *e, const char *name, const char *allowed)
{
    return problem_set(e, PROBLEM_BAD_VALUE, "%s: %s", name, allowed);
}

static enum problem set(struct options *o, const char *name,
                        const struct request_text *v, const char *allowed,
                        struct err *e)
{
    enum err_code code = job_set_asked(&o->job, name, v->s, v->len, e);
    if (code == ERR_OK)
        return PROBLEM_NONE;
    return code == ERR_REJECT ? wrong(e, name, allowed) : PROBLEM_INTERNAL;
}

static bool is(const struct request_text *v, const char *word)
{
    return v->len == strlen(word) && memcmp(v->s, word, v->len) == 0;
}

enum problem options_set_group(struct options *o, const struct request_text *v,
                               struct err *e)
{
    return set(o, "group", v,
               "1 to 64 letters, digits, '.', '_' or '-' are allowed, a letter or "
               "digit first",
               e);
}

enum problem options_set_after(struct options *o, const struct request_text *v,
                               struct err *e)
{
    struct job_id id;
    if (!id_parse_job(v->s, v->len, &id))
        return wrong(e, "after", "the id of a job is wanted, QUEUE.UUID");
    struct request_text uuid = {id.uuid.text, ID_UUID_LEN};
    memcpy(o->after_queue, id.queue, sizeof o->after_queue);
    return set(o, "after", &uuid, "the id of a job is wanted, QUEUE.UUID", e);
}

/* A word of two, of which the usual one is not written into records. */
static enum problem set_word(struct options *o, char **field, const char *name,
                             const struct request_text *v,
                             const char *const words[2] /* usual, other */,
                             struct err *e)
{
    if (!is(v, words[0]) && !is(v, words[1]))
        return problem_set(e, PROBLEM_BAD_VALUE, "%s: %s or %s is allowed", name,
                           words[0], words[1]);
    if (is(v, words[1]))
        return set(o, name, v, words[1], e);
    free(*field);
    *field = NULL;
    return PROBLEM_NONE;
}

enum problem options_set_after_failure(struct options *o, const struct request_text *v,
                                       struct err *e)
{
    o->after_failure_given = true;
    return set_word(o, &o->job.after_failure, "after_failure", v,
                    (const char *const[]){"cancel", "run"}, e);
}

enum problem options_set_unique(struct options *o, const struct request_text *v,
                                struct err *e)
{
    return set(o, "unique", v, "1 to 128 graphic ASCII characters are allowed", e);
}

enum problem options_set_unique_until(struct options *o, const struct request_text *v,
                                      struct err *e)
{
    o->unique_until_given = true;
    return set_word(o, &o->job.unique_until, "unique_until", v,
                    (const char *const[]){"done", "start"}, e);
}

enum problem options_set_unique_window(struct options *o, const struct request_text *v,
                                       struct err *e)
{
    int64_t seconds;
    if (!options_parse_number(v, OPTIONS_AHEAD_MAX_MS / 1000, &seconds))
        return wrong(e, "unique_window", "whole seconds up to a year are allowed");
    o->job.unique_ms = seconds * 1000;
    return PROBLEM_NONE;
}

enum problem options_set_batch(struct options *o, const struct request_text *v,
                               struct err *e)
{
    return set(o, "batch", v, "the uuid of a batch is wanted, as POST /v1/batches gave",
               e);
}

enum problem options_check_ties(const struct options *o, struct err *e)
{
    const struct job *j = &o->job;
    if (j->after && strcmp(o->after_queue, o->queue->name) != 0)
        return problem_set(e, PROBLEM_BAD_VALUE,
                           "after: a job of the same queue is wanted, %s",
                           o->queue->name);
    if (o->after_failure_given && !j->after)
        return wrong(e, "after_failure", "only together with after");
    if ((o->unique_until_given || j->unique_ms > 0) && !j->unique)
        return wrong(e, o->unique_until_given ? "unique_until" : "unique_window",
                     "only together with unique");
    if (j->unique_ms > 0 && j->unique_until)
        return wrong(e, "unique_window", "not together with unique_until=start");
    return PROBLEM_NONE;
}
