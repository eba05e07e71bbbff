/* What hoist-worker does when a store is down, slow to take requests, or asks to be left alone. */
#include "tests/integration/worker_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shared/clock.h"
#include "tests/support/wait_until.h"

static struct worker_rig rig;

static void down(void)
{
    rig_down(&rig);
}

TestSuite(worker_flow, .fini = down, .timeout = 60);

static int ask(const char *command, const char *key)
{
    return (int)redis_fixture_ask_int(&rig.redis, command, key, NULL);
}

/* Calls of clients: commands that scripts make are in the statistics, too, and not among these. */
static int64_t calls(void)
{
    static const char *const names[] = {
        "cmdstat_evalsha:", "cmdstat_hgetall:", "cmdstat_bzpopmin:", "cmdstat_expire:",
        "cmdstat_smembers:"};
    char *info = redis_fixture_ask(&rig.redis, "INFO", "commandstats", NULL);
    int64_t n = 0;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *at = strstr(info, names[i]);
        n += at ? strtoll(strchr(at, '=') + 1, NULL, 10) : 0;
    }
    free(info);
    return n;
}

/* What the worker says of destinations that rest; the caller frees. */
static char *paused(void)
{
    return redis_fixture_ask(&rig.redis, "HGET", "hoist:worker:a",
                             "paused_destinations", NULL);
}

static bool is_paused(const char *text)
{
    char *is = paused();
    bool same = *text ? strstr(is, text) != NULL : !*is;

    free(is);
    return same;
}

static struct job_id put_to(const char *to, const char *queue)
{
    return rig_put(
        &rig,
        &(struct rig_job){.data = "x", .to = to, .queue = queue, .max_attempts = 10});
}

static int64_t attempts_of(const struct job_id *ids, int count)
{
    int64_t sum = 0;

    for (int i = 0; i < count; i++)
        sum += rig_number(&rig, &ids[i], "attempts");
    return sum;
}

#define TO_S3 "[queue default]\nto = s3\n"

Test(worker_flow, a_store_that_is_down_costs_few_attempts_and_hardly_a_command)
{
    enum { COUNT = 200 };
    static struct job_id ids[COUNT];

    rig_up_s3(&rig, "concurrency = 8\nlease_ms = 10000\n" TO_S3);
    s3_faulty_down(rig.s3);
    for (int i = 0; i < COUNT; i++)
        ids[i] = put_to("s3", "default");
    struct spawn *w = rig_start(&rig, "a");
    cr_assert(WAIT_UNTIL(is_paused("s3 ("), 10000));
    int64_t before = calls(), began = clock_mono_ms();
    cr_assert(WAIT_UNTIL(clock_mono_ms() - began >= 3000, 10000));
    int64_t cost = calls() - before;
    fprintf(stderr, "3 s down: %d calls, %d attempts\n", (int)cost,
            (int)attempts_of(ids, COUNT));
    cr_expect(lt(i64, cost, 100));
    /* Those that found out, and were under way then. */
    cr_expect(le(i64, attempts_of(ids, COUNT), 16));
    cr_expect(lt(int, rig_log_count(w, "destination rests: nothing"), 2), "said once");
    cr_expect(eq(int, ask("ZCARD", "hoist:{default}:dead"), 0));

    s3_faulty_up(rig.s3);
    cr_assert(WAIT_UNTIL(ask("ZCARD", "hoist:{default}:done") == COUNT, 30000));
    cr_expect(eq(int, s3_faulty_objects(rig.s3), COUNT));
    cr_expect(le(i64, attempts_of(ids, COUNT), COUNT + 16), "%d",
              (int)attempts_of(ids, COUNT));
    cr_expect(WAIT_UNTIL(is_paused(""), 5000));
}
