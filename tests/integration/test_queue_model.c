/*
 * The queue against a model: random sequences of all operations with steps of time, crashes of workers and lost replies, on
 * a real Redis.  HOIST_MODEL_OPERATIONS says how many operations in all, HOIST_MODEL_SEED where to begin: what a failure
 * prints, to see it again.
 */
#include "tests/integration/queue_harness.h"
#include "tests/integration/queue_model_run.h"
#include "tests/integration/queue_model_shrink.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEQUENCE = 250, OPERATIONS = 100000, LOOK_EVERY = 6 };

TestSuite(queue_model, .timeout = 900);

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

/* --- Shrinking, on sequences that need no Redis --- */

/* It takes an enqueue of job 3, and later a cancel of it, to fail. */
static bool fails_like_that(const struct model_op *ops, size_t count, void *ctx)
{
    bool enqueued = false;

    ++*(int *)ctx;
    for (size_t i = 0; i < count; i++) {
        for (int k = 0; ops[i].kind == MODEL_ENQUEUE && k < ops[i].count; k++)
            enqueued |= ops[i].specs[k].job == 3;
        if (enqueued && ops[i].kind == MODEL_CANCEL && ops[i].jobs[0] == 3)
            return true;
    }
    return false;
}

Test(queue_model, a_failing_sequence_is_shrunk_to_its_shortest)
{
    static struct model_op ops[SEQUENCE];
    static struct model m;
    struct model_random random = {88172645463325252u};
    struct model_reply reply;
    int tries = 0;

    model_init(&m);
    for (size_t i = 0; i < SEQUENCE; i++) {
        ops[i] = model_make(&m, &random);
        if (model_resolve(&m, &ops[i]))
            model_apply(&m, &ops[i], &reply);
    }
    ops[SEQUENCE - 1].kind = MODEL_CANCEL;
    ops[SEQUENCE - 1].jobs[0] = 3;
    cr_assert(fails_like_that(ops, SEQUENCE, &tries));
    size_t n = model_shrink(ops, SEQUENCE, fails_like_that, &tries);
    cr_assert(n == 2, "%zu", n);
    cr_expect(ops[0].kind == MODEL_ENQUEUE && ops[1].kind == MODEL_CANCEL);
    cr_expect(ops[0].count == 1 && ops[0].specs[0].job == 3);
    cr_expect(ops[0].specs[0].group == -1 && ops[0].specs[0].delay_ms == 0);
    cr_expect(tries < 2000, "%d", tries);
}

/* --- The sequences --- */

static void show(struct model_run *run, struct model_op *ops, size_t count,
                 uint64_t seed)
{
    char line[1024], why[MODEL_WHY_MAX];

    memcpy(why, run->why, sizeof why);
    if (model_fails(ops, count, run)) {
        count = model_shrink(ops, count, model_fails, run);
        (void)model_fails(ops, count, run);
        memcpy(why, run->why, sizeof why);
    }
    fprintf(stderr, "HOIST_MODEL_SEED=%llu; the shortest that fails:\n",
            (unsigned long long)seed);
    for (size_t i = 0; i < count; i++) {
        model_print(&ops[i], line, sizeof line);
        fprintf(stderr, "%3zu  %s\n", i + 1, line);
    }
    cr_assert(false, "seed %llu: %s", (unsigned long long)seed, why);
}

/* That the sequences came everywhere: answers that a long run gives to each kind of operation. */
static void check_answers(const struct model_run *run)
{
    static const struct {
        enum model_kind kind;
        enum queue_answer answer;
    } all[] = {
        {MODEL_ENQUEUE, QUEUE_OK},
        {MODEL_ENQUEUE, QUEUE_EXISTS},
        {MODEL_ENQUEUE, QUEUE_DUPLICATE},
        {MODEL_ENQUEUE, QUEUE_FULL},
        {MODEL_FINISH, QUEUE_OK},
        {MODEL_FINISH, QUEUE_LOST},
        {MODEL_REPEAT, QUEUE_OK},
        {MODEL_REPEAT, QUEUE_LOST},
        {MODEL_START, QUEUE_OK},
        {MODEL_START, QUEUE_LOST},
        {MODEL_START, QUEUE_CANCELLED},
        {MODEL_BEGUN_KEY, QUEUE_OK},
        {MODEL_BEAT, QUEUE_OK},
        {MODEL_BEAT, QUEUE_LOST},
        {MODEL_BEAT, QUEUE_CANCELLED},
        {MODEL_FAIL, QUEUE_OK},
        {MODEL_FAIL, QUEUE_CONFLICT},
        {MODEL_FAIL, QUEUE_CANCELLED},
        {MODEL_FAIL, QUEUE_LOST},
        {MODEL_RELEASE, QUEUE_OK},
        {MODEL_RELEASE, QUEUE_LOST},
        {MODEL_PROMOTE, QUEUE_OK},
        {MODEL_PROMOTE, QUEUE_CONFLICT},
        {MODEL_PROMOTE, QUEUE_MISSING},
        {MODEL_REAP, QUEUE_OK},
        {MODEL_REAP, QUEUE_CONFLICT},
        {MODEL_REAP, QUEUE_MISSING},
        {MODEL_CANCEL, QUEUE_OK},
        {MODEL_CANCEL, QUEUE_RUNNING},
        {MODEL_CANCEL, QUEUE_CONFLICT},
        {MODEL_CANCEL, QUEUE_MISSING},
        {MODEL_RETRY, QUEUE_OK},
        {MODEL_RETRY, QUEUE_CONFLICT},
        {MODEL_AGAIN, QUEUE_OK},
        {MODEL_AGAIN, QUEUE_CONFLICT},
        {MODEL_REPRIORITIZE, QUEUE_OK},
        {MODEL_REPRIORITIZE, QUEUE_CONFLICT},
        {MODEL_BATCH, QUEUE_OK},
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        cr_expect(run->answers[all[i].kind][all[i].answer] >= 20,
                  "operation %d was answered %d only %ld times", (int)all[i].kind,
                  (int)all[i].answer, run->answers[all[i].kind][all[i].answer]);
    cr_expect(run->recalled > 100, "%ld", run->recalled);
}

Test(queue_model, random_sequences_of_all_operations_agree_with_the_model,
     .init = harness_up, .fini = harness_down)
{
    static struct model_op ops[SEQUENCE];
    static struct model_run run;
    uint64_t total = number_of("HOIST_MODEL_OPERATIONS", OPERATIONS);
    uint64_t seed = number_of("HOIST_MODEL_SEED", 1);

    for (uint64_t done = 0; done < total; done += SEQUENCE, seed++) {
        struct model_random random = {(seed + 1) * UINT64_C(0x9e3779b97f4a7c15)};
        run.look_every = LOOK_EVERY;
        size_t agreed = model_run(&run, ops, SEQUENCE, &random);
        if (agreed < SEQUENCE)
            show(&run, ops, agreed + 1, seed);
    }
    if (total >= OPERATIONS)
        check_answers(&run);
    fprintf(stderr, "%llu operations\n", (unsigned long long)total);
}
