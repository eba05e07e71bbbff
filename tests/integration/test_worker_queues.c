/* hoist-worker with several queues, and with many jobs: who is served, what is found, how many calls it takes. */
#include "tests/integration/worker_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shared/config.h"
#include "tests/support/wait_until.h"

static struct worker_rig rig;

static void down(void)
{
    rig_down(&rig);
}

TestSuite(worker_queues, .fini = down, .timeout = 120);

static int64_t ask(const char *command, const char *key)
{
    return redis_fixture_ask_int(&rig.redis, command, key, NULL);
}

static int compare(const void *a, const void *b)
{
    long long x = *(const long long *)a, y = *(const long long *)b;

    return (x > y) - (x < y);
}

static void put_many(const char *queue, struct job_id *ids, int count)
{
    for (int i = 0; i < count; i++)
        ids[i] = rig_put(&rig, &(struct rig_job){.data = "x", .queue = queue});
}

/* When each of them was started, the first ones first. */
static void starts(const struct job_id *ids, int count, long long *ret)
{
    for (int i = 0; i < count; i++) {
        cr_assert(rig_wait_state(&rig, &ids[i], "done", 20000));
        ret[i] = rig_number(&rig, &ids[i], "started");
    }
    qsort(ret, (size_t)count, sizeof *ret, compare);
}

Test(worker_queues, weights_share_the_slots)
{
    enum { COUNT = 600, SAMPLE = 500 };
    static struct job_id media[COUNT], docs[COUNT];
    static long long media_ms[COUNT], docs_ms[COUNT];
    int before = 0;

    rig_up(&rig, "concurrency = 8\nqueues = media:5, docs:1\n[queue media]\n"
                 "[queue docs]\n");
    put_many("docs", docs, COUNT);
    put_many("media", media, COUNT);
    rig_start(&rig, "a");
    starts(media, COUNT, media_ms);
    starts(docs, COUNT, docs_ms);
    while (before < COUNT && docs_ms[before] <= media_ms[SAMPLE - 1])
        before++;
    fprintf(stderr, "%d of docs beside %d of media\n", before, SAMPLE);
    cr_expect(ge(int, before, SAMPLE / 5 - 15));
    cr_expect(le(int, before, SAMPLE / 5 + 15));
}

Test(worker_queues, the_share_of_an_empty_queue_goes_to_the_others)
{
    enum { COUNT = 200 };
    static struct job_id docs[COUNT];

    rig_up(&rig, "concurrency = 8\nqueues = media:1000, docs:1\n[queue media]\n"
                 "[queue docs]\n");
    rig_start(&rig, "a");
    int64_t begin = wait_now_ms();
    put_many("docs", docs, COUNT);
    for (int i = 0; i < COUNT; i++)
        cr_assert(rig_wait_state(&rig, &docs[i], "done", 5000));
    cr_expect(lt(i64, wait_now_ms() - begin, 4000));
}

Test(worker_queues, a_queue_that_others_add_is_found_and_has_the_settings_of_default)
{
    rig_up(&rig, "queues = *\n");
    struct spawn *w = rig_start(&rig, "a");
    struct job_id first =
        rig_put(&rig, &(struct rig_job){.data = "first", .queue = "added"});
    struct job_id fails = rig_put(
        &rig, &(struct rig_job){.data = "fails", .queue = "added", .to = "nowhere"});
    free(redis_fixture_ask(&rig.redis, "SADD", "hoist:queues", "added", "no queue",
                           "UPPER", NULL));

    cr_assert(rig_wait_state(&rig, &first, "done", 7000));
    cr_assert(rig_wait_state(&rig, &fails, "dead", 7000), "retried as default's are");
    struct job_id second =
        rig_put(&rig, &(struct rig_job){.data = "second", .queue = "added"});
    cr_expect(rig_wait_state(&rig, &second, "done", 6000));
    struct job_id third =
        rig_put(&rig, &(struct rig_job){.data = "third", .queue = "added"});
    cr_expect(rig_wait_state(&rig, &third, "done", 1000), "by now it is waited for");
    cr_expect(eq(int, rig_log_count(w, "found a queue"), 1));
}

Test(worker_queues, a_queue_that_is_not_asked_for_is_left_alone)
{
    rig_up(&rig, "queues = default\n");
    rig_start(&rig, "a");
    free(redis_fixture_ask(&rig.redis, "SADD", "hoist:queues", "added", NULL));
    struct job_id other =
        rig_put(&rig, &(struct rig_job){.data = "x", .queue = "added"});
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "x"});

    cr_assert(rig_wait_state(&rig, &id, "done", 5000));
    cr_expect(WAIT_STAYS(!rig_is_leased(&rig, &other) &&
                             strcmp(rig_field(&rig, &other, "state"), "done") != 0,
                         6000));
}

Test(worker_queues, more_queues_than_there_can_be_are_told_once_and_the_rest_go_on)
{
    char name[16];

    rig_up(&rig, "queues = *\n");
    struct spawn *w = rig_start(&rig, "a");
    for (int i = 0; i < 400; i++) {
        (void)snprintf(name, sizeof name, "q%d", i);
        free(redis_fixture_ask(&rig.redis, "SADD", "hoist:queues", name, NULL));
    }
    cr_expect(WAIT_UNTIL(rig_log_count(w, "too many queues") == 1, 7000));
    cr_expect(eq(int, rig_log_count(w, "found a queue"), CONFIG_QUEUES_MAX - 1));
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "x"});
    cr_expect(rig_wait_state(&rig, &id, "done", 6000));
}

/* How often a command was called, of all clients. */
static int64_t calls_of(const char *command)
{
    char *stats = redis_fixture_ask(&rig.redis, "INFO", "commandstats", NULL);
    char name[64];

    (void)snprintf(name, sizeof name, "cmdstat_%s:calls=", command);
    const char *at = strstr(stats, name);
    int64_t calls = at ? strtoll(at + strlen(name), NULL, 10) : 0;

    free(stats);
    return calls;
}

static int64_t script_calls(void)
{
    return calls_of("evalsha");
}

Test(worker_queues, a_thousand_small_jobs_take_few_calls)
{
    enum { COUNT = 1000 };
    static struct job_id ids[COUNT];

    rig_up(&rig, "concurrency = 50\n"
                 "[spool]\nreconcile_seconds = 3600\n");
    put_many("default", ids, COUNT);
    int64_t before = script_calls();
    rig_start(&rig, "a");
    cr_assert(WAIT_UNTIL(ask("ZCARD", "hoist:{default}:done") == COUNT, 20000));
    int64_t calls = script_calls() - before, waits = calls_of("bzpopmin");
    fprintf(stderr, "%d jobs: %d scripts, %d waits\n", COUNT, (int)calls, (int)waits);
    /* One by one it would be 2,000.  How many go together depends on how fast they end, compared with Redis. */
    cr_expect(lt(i64, calls, COUNT * 3 / 2));
    cr_expect(lt(i64, waits, 20), "while there is work nobody waits for some");
    cr_expect(eq(i64,
                 redis_fixture_ask_int(&rig.redis, "HGET", "hoist:{default}:stats",
                                       "started", NULL),
                 COUNT));
}

Test(worker_queues, what_comes_together_begins_together_and_ends_go_with_the_next_call)
{
    enum { COUNT = 50 };
    struct job_id ids[COUNT];

    cr_assert(eq(int, setenv("HOIST_REDIS_TIMEOUT_MS", "20000", 1), 0));
    rig_up_s3(&rig, "concurrency = 50\nlease_ms = 60000\n"
                    "[spool]\nreconcile_seconds = 3600\n");
    s3_faulty_close_gate(rig.s3);
    for (int i = 0; i < COUNT; i++)
        ids[i] = rig_put(&rig, &(struct rig_job){.data = "x", .to = "s3"});
    int64_t before = script_calls();
    rig_start(&rig, "a");
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == COUNT, 10000));
    fprintf(stderr, "%d begun: %d scripts\n", COUNT, (int)(script_calls() - before));
    cr_expect(le(i64, script_calls() - before, 6), "claim, start, looks and beats");
    before = script_calls();
    redis_fixture_pause(&rig.redis);
    s3_faulty_open_gate(rig.s3);
    for (int i = 0; i < COUNT; i++) {
        char path[256];
        struct s3_faulty_object o;
        (void)snprintf(path, sizeof path, "/bucket/pre/%s", ids[i].uuid.text);
        cr_assert(WAIT_UNTIL(s3_faulty_object(rig.s3, path, &o), 5000));
    }
    redis_fixture_resume(&rig.redis);
    cr_assert(WAIT_UNTIL(ask("ZCARD", "hoist:{default}:done") == COUNT, 10000));
    int64_t calls = script_calls() - before;
    fprintf(stderr, "%d ends: %d scripts\n", COUNT, (int)calls);
    cr_expect(le(i64, calls, 6), "two finishes, and what beats and looks there were");
}

Test(worker_queues, a_child_whose_parent_is_dead_is_cancelled_and_its_bytes_go_at_once)
{
    rig_up(&rig, "[spool]\nreconcile_seconds = 3600\n");
    struct job_id parent = rig_put(
        &rig, &(struct rig_job){.data = "p", .to = "nowhere", .max_attempts = 1});
    struct job_id child =
        rig_put(&rig, &(struct rig_job){.data = "c", .after = parent.uuid.text});

    rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &parent, "dead", 5000));
    cr_assert(rig_wait_state(&rig, &child, "cancelled", 3000));
    cr_expect(rig_wait_unspooled(&rig, &child, 2000));
    cr_expect(rig_in_spool(&rig, &parent), "the bytes of a dead job are kept");
}

Test(worker_queues, a_job_that_was_asked_to_stop_when_its_worker_died_leaves_no_bytes)
{
    char key[128];

    rig_up_s3(&rig, "[spool]\nreconcile_seconds = 3600\n");
    struct spawn *a = rig_start(&rig, "a");
    s3_faulty_close_gate(rig.s3);
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "x", .to = "s3"});
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 1, 5000));
    spawn_kill(a);
    (void)snprintf(key, sizeof key, "hoist:{default}:job:%s", id.uuid.text);
    free(redis_fixture_ask(&rig.redis, "HSET", key, "cancel", "1", NULL));
    rig_start(&rig, "b");
    cr_expect(rig_wait_state(&rig, &id, "cancelled", 5000));
    cr_expect(rig_wait_unspooled(&rig, &id, 2000));
    s3_faulty_open_gate(rig.s3);
}

Test(worker_queues, a_unique_key_held_until_the_start_is_free_while_the_job_runs)
{
    rig_up_s3(&rig, NULL);
    struct rig_job job = {
        .data = "one", .to = "s3", .unique = "only-one", .unique_until = "start"};
    struct job_id first = rig_put(&rig, &job);

    cr_assert(eq(i64, ask("HLEN", "hoist:{default}:unique"), 1));
    s3_faulty_close_gate(rig.s3);
    rig_start(&rig, "a");
    cr_expect(WAIT_UNTIL(ask("HLEN", "hoist:{default}:unique") == 0, 3000) &&
              rig_is_leased(&rig, &first));
    s3_faulty_open_gate(rig.s3);
    cr_expect(rig_wait_state(&rig, &first, "done", 5000));
}
