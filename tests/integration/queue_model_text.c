#include "tests/integration/queue_model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text {
    char *at;
    size_t left;
};

static void add(struct text *t, const char *fmt, ...) PRINTF(2, 3);
static void add(struct text *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(t->at, t->left, fmt, ap);
    va_end(ap);
    size_t used = n < 0 ? 0 : (size_t)n < t->left ? (size_t)n : t->left - 1;
    t->at += used;
    t->left -= used;
}

/* --- An operation --- */

static void print_spec(struct text *t, const struct model_spec *s)
{
    add(t, " job %d", s->job);
    if (s->priority)
        add(t, " priority %d", s->priority);
    if (s->delay_ms)
        add(t, " delay %" PRId64, s->delay_ms);
    if (s->group >= 0)
        add(t, " group %s", model_groups[s->group]);
    if (s->parent >= 0)
        add(t, " after %d%s", s->parent, s->run_anyway ? " (runs anyway)" : "");
    if (s->key >= 0)
        add(t, " unique %s%s", model_keys[s->key],
            s->until_start ? " until start" : "");
    if (s->key >= 0 && s->unique_ms)
        add(t, " for %" PRId64, s->unique_ms);
    if (s->batch >= 0)
        add(t, " batch %d", s->batch);
    add(t, " bytes %" PRId64 ";", s->bytes);
}

static void print_jobs(struct text *t, const struct model_op *op)
{
    bool one =
        op->kind != MODEL_START && op->kind != MODEL_BEAT && op->kind != MODEL_FINISH;

    for (int i = 0; i < op->count && (i == 0 || !one); i++)
        add(t, " %d%s", op->jobs[i],
            op->kind == MODEL_FINISH && op->number >> i & 1 ? " (cancelled)" : "");
}

static const struct {
    const char *verb;
    bool worker, jobs, want, loses;
} kinds[MODEL_KINDS] = {
    [MODEL_ENQUEUE] = {"enqueue", false, false, false, false},
    [MODEL_CLAIM] = {"claim", true, false, true, true},
    [MODEL_FINISH] = {"finish", true, true, true, true},
    [MODEL_REPEAT] = {"the same again", true, false, false, true},
    [MODEL_START] = {"start", true, true, false, false},
    [MODEL_BEGUN_KEY] = {"begun", true, true, false, false},
    [MODEL_BEAT] = {"beat", true, true, false, false},
    [MODEL_FAIL] = {"fail", true, true, false, false},
    [MODEL_RELEASE] = {"release", true, true, false, false},
    [MODEL_PROMOTE] = {"promote", false, true, false, false},
    [MODEL_REAP] = {"reap", false, true, false, false},
    [MODEL_CANCEL] = {"cancel", false, true, false, false},
    [MODEL_RETRY] = {"retry", false, true, false, false},
    [MODEL_AGAIN] = {"again", false, true, false, false},
    [MODEL_REPRIORITIZE] = {"reprioritize", false, true, false, false},
    [MODEL_CONFIGURE] = {"configure", false, false, false, false},
    [MODEL_BATCH] = {"batch", false, false, false, false},
    [MODEL_STEP] = {"time passes:", false, false, false, false},
    [MODEL_CRASH] = {"crash", true, false, false, false},
    [MODEL_EXPIRE] = {"the record expires of", false, true, false, false},
};

void model_print(const struct model_op *op, char *ret_line, size_t size)
{
    struct text t = {ret_line, size};

    if (kinds[op->kind].worker)
        add(&t, "worker %d: ", op->worker);
    add(&t, "%s", kinds[op->kind].verb);
    if (op->kind == MODEL_ENQUEUE)
        for (int i = 0; i < op->count; i++)
            print_spec(&t, &op->specs[i]);
    if (kinds[op->kind].jobs)
        print_jobs(&t, op);
    if (kinds[op->kind].want)
        add(&t, ", wants %d%s", op->want,
            op->kind == MODEL_CLAIM && op->pops ? " (woken)" : "");
    if (kinds[op->kind].loses && op->lost)
        add(&t, "; the reply is lost");
    if (op->kind == MODEL_CONFIGURE) {
        const char *text = model_conf_text((enum model_conf)op->number, op->value);
        add(&t, " %s = %s", model_conf_names[op->number], text ? text : "(none)");
    } else if (op->kind == MODEL_BATCH) {
        add(&t, " %d %s", op->number, op->value ? "open" : "close");
    } else if (op->kind == MODEL_PROMOTE) {
        add(&t, "%s", op->value ? " now" : "");
    } else if (op->kind == MODEL_REPRIORITIZE) {
        add(&t, " to %d", op->number);
    } else if (op->kind == MODEL_FAIL && op->ms < 0) {
        add(&t, " for good");
    } else if (op->kind == MODEL_FAIL || op->kind == MODEL_RELEASE ||
               op->kind == MODEL_STEP) {
        add(&t, " %" PRId64 " ms", op->ms);
    }
}

/* --- The table --- */

static int64_t place_of(const struct model_job *j)
{
    switch (j->place) {
    case MODEL_READY:
        return j->place_seq;
    case MODEL_GROUPED:
        return j->seq;
    case MODEL_BEHIND:
        return j->spec.parent;
    default:
        return j->at;
    }
}

/* The jobs of a place in order: by priority and place in ready and grouped, else by time; then by number. */
static bool is_before(const struct model_job *a, const struct model_job *b)
{
    bool line = a->place == MODEL_READY || a->place == MODEL_GROUPED;
    int64_t at_a = place_of(a), at_b = place_of(b);

    if (a->place == MODEL_GROUPED && a->spec.group != b->spec.group)
        return a->spec.group < b->spec.group;
    if (line && a->spec.priority != b->spec.priority)
        return a->spec.priority < b->spec.priority;
    if (at_a != at_b)
        return at_a < at_b;
    return a->spec.job < b->spec.job;
}

static bool is_in(const struct model_job *j, const char *line)
{
    static const struct {
        const char *line;
        unsigned places;
    } lines[] = {
        {"ready", 1u << MODEL_READY},
        {"grouped", 1u << MODEL_GROUPED},
        {"behind", 1u << MODEL_BEHIND},
        {"later", 1u << MODEL_LATER},
        {"dead", 1u << MODEL_DEAD},
        {"leased", 1u << MODEL_CLAIMED | 1u << MODEL_BEGUN},
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (strcmp(lines[i].line, line) == 0)
            return lines[i].places >> j->place & 1;
    return j->in_done;
}

static void add_line(struct text *t, const struct model *m, const char *line)
{
    int sorted[MODEL_JOBS], n = 0;
    bool timed = strcmp(line, "ready") != 0 && strcmp(line, "grouped") != 0 &&
                 strcmp(line, "behind") != 0;

    for (int i = 0; i < m->job_count; i++) {
        if (!is_in(&m->jobs[i], line))
            continue;
        int at = n++;
        for (; at > 0 && is_before(&m->jobs[i], &m->jobs[sorted[at - 1]]); at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = i;
    }
    add(t, "%s", line);
    for (int i = 0; i < n; i++) {
        add(t, " %d", sorted[i]);
        if (timed)
            add(t, "@%" PRId64, m->jobs[sorted[i]].at);
    }
    add(t, "\n");
}

static const char *state_of(const struct model_job *j)
{
    switch (j->place) {
    case MODEL_DEAD:
        return "dead";
    case MODEL_DONE:
        return "done";
    case MODEL_CANCELLED:
        return "cancelled";
    default:
        return j->says_running     ? "running"
               : j->says_scheduled ? "scheduled"
                                   : "waiting";
    }
}

static void add_job(struct text *t, const struct model_job *j)
{
    bool leased = j->place == MODEL_CLAIMED || j->place == MODEL_BEGUN;

    if (j->place == MODEL_NOWHERE || !j->has_record)
        return;
    add(t, "job %d %s %d %d %d %d", j->spec.job, state_of(j), j->spec.priority,
        j->attempts, j->crashes, j->cancel);
    if (leased)
        add(t, " w%d-%d:%" PRId64, j->worker, j->life, j->token);
    if (j->place == MODEL_BEGUN)
        add(t, ":%" PRId64, j->began);
    if (j->has_slot)
        add(t, " slot %s", model_groups[j->spec.group]);
    add(t, "\n");
}

static void add_ties(struct text *t, const struct model *m)
{
    add(t, "groups");
    for (int i = 0; i < MODEL_GROUPS; i++)
        add(t, " %d", m->slots[i]);
    add(t, "\nunique");
    for (int i = 0; i < MODEL_KEYS; i++)
        add(t, " %d", m->holder[i]);
    add(t, "\nbatches");
    for (int i = 0; i < MODEL_BATCHES; i++) {
        const struct model_batch *b = &m->batches[i];
        if (b->known)
            add(t,
                " open=%" PRId64 " total=%" PRId64 " done=%" PRId64 " dead=%" PRId64
                " cancelled=%" PRId64 "%s",
                b->open, b->total, b->done, b->dead, b->cancelled,
                b->told ? " told=1" : "");
        add(t, ";");
    }
    add(t, "\n");
}

void model_describe(const struct model *m, char ret_text[static MODEL_TEXT_MAX])
{
    static const char *const lines[] = {"ready",  "grouped", "behind", "later",
                                        "leased", "dead",    "done"};
    struct text t = {ret_text, MODEL_TEXT_MAX};

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        add_line(&t, m, lines[i]);
    add_ties(&t, m);
    add(&t,
        "stats %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
        " %" PRId64 " %" PRId64 " %" PRId64 "\n",
        m->enqueued, m->done, m->failed, m->retried, m->dead, m->cancelled, m->crashed,
        m->started, m->bytes);
    add(&t, "law 0 0 0 0 0\n");
    for (int i = 0; i < m->job_count; i++)
        add_job(&t, &m->jobs[i]);
}
