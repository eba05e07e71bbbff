#include "tests/integration/queue_model_shrink.h"

#include <stdlib.h>
#include <string.h>

struct shrink {
    struct model_op *ops;
    size_t count;
    model_fails_fn *fails;
    void *ctx;
};

/* Without n operations from `from` on, if that still fails. */
static bool leave_out(struct shrink *s, size_t from, size_t n)
{
    struct model_op *rest = malloc(s->count * sizeof *rest);
    size_t after = s->count - from - n;

    memcpy(rest, s->ops, from * sizeof *rest);
    memcpy(rest + from, s->ops + from + n, after * sizeof *rest);
    bool still = s->fails(rest, from + after, s->ctx);
    if (still) {
        s->count = from + after;
        memcpy(s->ops, rest, s->count * sizeof *rest);
    }
    free(rest);
    return still;
}

/* From the end on: what comes last is needed least by the others. */
static bool leave_out_runs(struct shrink *s, size_t n)
{
    bool any = false;

    for (size_t at = s->count; at > 0;) {
        at = at > n ? at - n : 0;
        size_t left = s->count - at;
        any |= left > 0 && leave_out(s, at, n < left ? n : left);
    }
    return any;
}

/* Another form of ops[at], if that still fails. */
static bool try_form(struct shrink *s, size_t at, const struct model_op *form)
{
    struct model_op before = s->ops[at];

    s->ops[at] = *form;
    if (s->fails(s->ops, s->count, s->ctx))
        return true;
    s->ops[at] = before;
    return false;
}

static bool drop_items(struct shrink *s, size_t at)
{
    bool any = false;

    for (int i = s->ops[at].count - 1; i >= 0 && s->ops[at].count > 1; i--) {
        struct model_op form = s->ops[at];
        form.count--;
        for (int k = i; k < form.count; k++) {
            form.jobs[k] = form.jobs[k + 1];
            form.specs[k] = form.specs[k + 1];
        }
        any |= try_form(s, at, &form);
    }
    return any;
}

/* What item i of an enqueue has besides its number, one after the other. */
static bool loosen(struct shrink *s, size_t at, int i)
{
    bool any = false;

    for (int tie = 0; tie < 6; tie++) {
        struct model_op form = s->ops[at];
        struct model_spec *spec = &form.specs[i];
        int *const ties[] = {&spec->group, &spec->parent, &spec->key, &spec->batch};
        bool is_loose = tie < 4    ? *ties[tie] < 0
                        : tie == 4 ? spec->priority == 0
                                   : spec->delay_ms == 0;
        if (is_loose)
            continue;
        if (tie < 4)
            *ties[tie] = -1;
        else if (tie == 4)
            spec->priority = 0;
        else
            spec->delay_ms = 0;
        any |= try_form(s, at, &form);
    }
    return any;
}

static bool simplify(struct shrink *s)
{
    bool any = false;

    for (size_t at = 0; at < s->count; at++) {
        any |= drop_items(s, at);
        if (s->ops[at].kind == MODEL_ENQUEUE)
            for (int i = 0; i < s->ops[at].count; i++)
                any |= loosen(s, at, i);
        struct model_op form = s->ops[at];
        form.lost = form.pops = false;
        if (s->ops[at].lost || s->ops[at].pops)
            any |= try_form(s, at, &form);
    }
    return any;
}

size_t model_shrink(struct model_op *ops, size_t count, model_fails_fn *fails,
                    void *ctx)
{
    struct shrink s = {ops, count, fails, ctx};

    for (bool again = true; again;) {
        again = false;
        for (size_t n = s.count / 2; n > 0; n /= 2)
            again |= leave_out_runs(&s, n);
        again |= simplify(&s);
    }
    return s.count;
}
