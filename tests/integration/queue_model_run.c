#include "tests/integration/queue_model_run.h"

#include "tests/integration/queue_harness.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- Comparing answers --- */

static bool differ(struct model_run *run, const char *fmt, ...) PRINTF(2, 3);
static bool differ(struct model_run *run, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(run->why, sizeof run->why, fmt, ap);
    va_end(ap);
    return false;
}

static bool same_jobs(struct model_run *run, const char *what, const struct uuid *got,
                      size_t count, const int *want, int want_count)
{
    if ((int)count != want_count)
        return differ(run, "%zu jobs are %s, not %d", count, what, want_count);
    for (int i = 0; i < want_count; i++) {
        bool found = false;
        for (size_t k = 0; k < count; k++)
            found |= model_job_of(got[k].text) == want[i];
        if (!found)
            return differ(run, "job %d is %s, but was not named", want[i], what);
    }
    return true;
}

static bool same_leases(struct model_run *run, const struct model_op *op,
                        const struct queue_claimed *c, const struct model_reply *r)
{
    if ((int)c->count != r->lease_count)
        return differ(run, "%zu jobs were given, not %d", c->count, r->lease_count);
    for (int i = 0; i < r->lease_count; i++) {
        int job = model_job_of(c->leases[i].id.uuid.text);
        struct model_job *j = &run->model.jobs[r->leases[i]];
        if (job != r->leases[i])
            return differ(run, "job %d was given where %d is the next", job,
                          r->leases[i]);
        if (r->recalled ? c->leases[i].token != j->token
                        : c->leases[i].token <= j->token)
            return differ(run, "job %d has token %" PRId64 " after %" PRId64, job,
                          c->leases[i].token, j->token);
        j->token = c->leases[i].token;
        if (!op->lost)
            run->tokens[op->worker][job] = j->token;
    }
    return true;
}

static bool compare_claimed(struct model_run *run, const struct model_op *op,
                            const struct redis_value *v, const struct model_reply *r)
{
    struct queue_claimed c;
    struct err e = ERR_INIT;

    if (queue_parse_claimed(v, "q", &c, &e) != ERR_OK)
        return differ(run, "%s", e.text);
    run->recalled += r->recalled;
    if ((int)c.answer_count != r->count)
        return differ(run, "%zu ends are answered, not %d", c.answer_count, r->count);
    for (int i = 0; i < r->count; i++) {
        run->answers[op->kind][r->answers[i]]++;
        if (c.answers[i] != r->answers[i])
            return differ(run, "end %d: answer %d, not %d", i, (int)c.answers[i],
                          (int)r->answers[i]);
    }
    if (!same_leases(run, op, &c, r) ||
        !same_jobs(run, "due", c.due, c.due_count, r->due, r->due_count) ||
        !same_jobs(run, "expired", c.expired, c.expired_count, r->expired,
                   r->expired_count))
        return false;
    if ((r->more && !c.more) || (r->no_more && c.more))
        return differ(run, "more is %s", c.more ? "said" : "not said");
    if (r->next_at_most >= 0 && (c.next_ms < 0 || c.next_ms > r->next_at_most))
        return differ(run,
                      "to look again in %" PRId64 " ms, but in %" PRId64
                      " there is something",
                      c.next_ms, r->next_at_most);
    return c.next_ms != 0 || differ(run, "to look again at once, for nothing");
}

static bool compare_answer(struct model_run *run, const struct model_op *op, int i,
                           const struct redis_value *v, const struct model_reply *r)
{
    enum queue_answer got;
    char state[QUEUE_STATE_SIZE];
    struct err e = ERR_INIT;

    if (queue_parse_answer(v, &got, state, &e) != ERR_OK)
        return differ(run, "%s", e.text);
    run->answers[op->kind][r->answers[i]]++;
    if (got != r->answers[i])
        return differ(run, "item %d: answer %d, not %d (%s)", i, (int)got,
                      (int)r->answers[i], state);
    if (got == QUEUE_DUPLICATE && model_job_of(state) != r->holder[i])
        return differ(run, "the key is said to be held by %d, not %d",
                      model_job_of(state), r->holder[i]);
    return true;
}

static bool compare_words(struct model_run *run, const struct model_op *op,
                          const enum queue_answer *got, const struct model_reply *r)
{
    for (int i = 0; i < r->count; i++) {
        run->answers[op->kind][r->answers[i]]++;
        if (got[i] != r->answers[i])
            return differ(run, "job %d: answer %d, not %d", op->jobs[i], (int)got[i],
                          (int)r->answers[i]);
    }
    return true;
}

static bool compare(struct model_run *run, const struct model_op *op,
                    const struct redis_value *v, const struct model_reply *r)
{
    enum queue_answer words[MODEL_ITEMS];
    struct err e = ERR_INIT;

    switch (op->kind) {
    case MODEL_CLAIM:
    case MODEL_FINISH:
    case MODEL_REPEAT:
        return compare_claimed(run, op, v, r);
    case MODEL_BEAT:
        if (queue_parse_beat(v, (size_t)op->count, words, &e) != ERR_OK)
            return differ(run, "%s", e.text);
        return compare_words(run, op, words, r);
    case MODEL_ENQUEUE:
        for (int i = 0; i < op->count; i++)
            if (!compare_answer(run, op, i, redis_value_at(v, (size_t)i), r))
                return false;
        return true;
    case MODEL_STEP:
    case MODEL_EXPIRE:
        return true;
    default:
        return compare_answer(run, op, 0, v, r);
    }
}

/* --- Running --- */

static void send(struct redis_cmd *cmds, size_t n, struct redis_value **replies)
{
    struct err e = ERR_INIT;

    for (size_t i = 0; i < n; i++)
        harness_guard(&cmds[i]);
    cr_assert(redis_pipeline(h.redis, cmds, n, replies, &e) == ERR_OK, "%s", e.text);
}

static void release_all(struct redis_cmd *cmds, struct redis_value **replies, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        redis_reply_free(replies[i]);
        redis_cmd_release(&cmds[i]);
    }
}

/* Marks and records of op's jobs: what start says of each. */
static bool compare_start(struct model_run *run, const struct model_op *op,
                          struct redis_value *const *replies,
                          const struct model_reply *r)
{
    enum queue_answer marks[MODEL_ITEMS], got[MODEL_ITEMS];
    struct err e = ERR_INIT;

    if (queue_parse_marks(replies[0], (size_t)op->count, marks, &e) != ERR_OK)
        return differ(run, "%s", e.text);
    for (int i = 0; i < op->count; i++) {
        struct queue_lease l = model_lease(run, op->worker, op->jobs[i]);
        struct job j = JOB_INIT;
        struct err why = ERR_INIT;
        if (queue_parse_start(marks[i], replies[1 + i], &l, &got[i], &j, &why, &e) !=
            ERR_OK)
            return differ(run, "%s", e.text);
        bool counted = got[i] != QUEUE_OK ||
                       j.attempts == run->model.jobs[op->jobs[i]].attempts + 1;
        job_release(&j);
        if (!counted)
            return differ(run, "job %d: attempts are wrong", op->jobs[i]);
    }
    return compare_words(run, op, got, r);
}

static bool do_start(struct model_run *run, const struct model_op *op)
{
    struct redis_cmd cmds[1 + MODEL_ITEMS];
    struct redis_value *replies[1 + MODEL_ITEMS] = {NULL};
    struct queue_lease leases[MODEL_ITEMS];
    struct model_reply r;
    size_t n = (size_t)op->count + 1;
    struct model_name name = model_worker_name(run, op->worker);

    for (size_t i = 0; i < n; i++)
        redis_cmd_init(&cmds[i]);
    for (int i = 0; i < op->count; i++)
        leases[i] = model_lease(run, op->worker, op->jobs[i]);
    queue_start_cmds(cmds, leases, (size_t)op->count,
                     &(struct queue_worker){name.text, MODEL_LEASE_MS});
    send(cmds, n, replies);
    model_apply(&run->model, op, &r);
    bool right = compare_start(run, op, replies, &r);
    release_all(cmds, replies, n);
    return right;
}

static void do_configure(struct model_run *run, const struct model_op *op)
{
    struct redis_cmd cmds[2];
    struct redis_value *replies[2] = {NULL};
    struct model_reply r;

    redis_cmd_init(&cmds[0]);
    redis_cmd_init(&cmds[1]);
    queue_configure_cmds(cmds, "q", model_conf_names[op->number],
                         model_conf_text((enum model_conf)op->number, op->value));
    send(cmds, 2, replies);
    model_apply(&run->model, op, &r);
    release_all(cmds, replies, 2);
}

/* Everything that is one command, or with `pops` one before it. */
static bool do_one(struct model_run *run, const struct model_op *op)
{
    struct redis_cmd cmds[2];
    struct redis_value *replies[2] = {NULL};
    struct model_reply r;
    size_t n = 0;
    struct err e = ERR_INIT;

    redis_cmd_init(&cmds[0]);
    redis_cmd_init(&cmds[1]);
    if (op->kind == MODEL_CLAIM && op->pops) {
        redis_cmd_begin(&cmds[n], "ZPOPMIN");
        queue_add_key(&cmds[n++], "q", "wake");
    }
    model_build(&cmds[n++], run, op);
    model_apply(&run->model, op, &r);
    if (r.skipped) {
        release_all(cmds, replies, 2);
        return true;
    }
    send(cmds, n, replies);
    bool right = redis_value_error(replies[n - 1], &e) == ERR_OK
                     ? compare(run, op, replies[n - 1], &r)
                     : differ(run, "%s", e.text);
    release_all(cmds, replies, 2);
    return right;
}

static bool do_op(struct model_run *run, const struct model_op *op)
{
    struct model_op resolved = *op;
    struct model_reply r;

    if (!model_resolve(&run->model, &resolved) ||
        (op->kind == MODEL_REPEAT && !run->model.workers[op->worker].has_last))
        return true;
    switch (op->kind) {
    case MODEL_START:
        return do_start(run, &resolved);
    case MODEL_CONFIGURE:
        do_configure(run, &resolved);
        return true;
    case MODEL_CRASH:
        model_apply(&run->model, &resolved, &r);
        memset(run->tokens[op->worker], 0, sizeof run->tokens[op->worker]);
        return true;
    default:
        return do_one(run, &resolved);
    }
}

static void begin(struct model_run *run)
{
    struct redis_cmd cmds[2];
    struct redis_value *replies[2] = {NULL};

    model_init(&run->model);
    memset(run->tokens, 0, sizeof run->tokens);
    redis_cmd_init(&cmds[0]);
    redis_cmd_init(&cmds[1]);
    redis_cmd_begin(&cmds[0], "FLUSHALL");
    model_set_clock(&cmds[1], run->model.now);
    send(cmds, 2, replies);
    release_all(cmds, replies, 2);
}

size_t model_run(struct model_run *run, struct model_op *ops, size_t count,
                 struct model_random *random)
{
    begin(run);
    for (size_t i = 0; i < count; i++) {
        if (random)
            ops[i] = model_make(&run->model, random);
        bool looks = i % (size_t)run->look_every == 0 || i == count - 1;
        if (!do_op(run, &ops[i]) || (looks && !model_look(run)))
            return i;
    }
    return count;
}

bool model_fails(const struct model_op *ops, size_t count, void *run)
{
    struct model_run *r = run;

    r->look_every = 1;
    return model_run(r, (struct model_op *)ops, count, NULL) < count;
}
