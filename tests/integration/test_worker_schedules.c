/* Periodic jobs, made by hoist-workers as they ship: one run a tick, however many there are and whatever was missed. */
#include "tests/integration/worker_rig.h"

#include <inttypes.h>
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

TestSuite(worker_schedules, .fini = down, .timeout = 120);

#define COMMAND "[command tick]\nrun = sh -c 'printf %s \"$HOIST_TICK\"'\n"
#define SCHEDULES "hoist:{default}:schedules"
enum { HOUR_MS = 3600 * 1000, JOBS_MAX = 64 };

/* --- help --- */

static int by_uuid(const void *a, const void *b)
{
    return strcmp(((const struct job_id *)a)->uuid.text,
                  ((const struct job_id *)b)->uuid.text);
}

/* The ids of all jobs of a queue, oldest first. */
static size_t list_jobs(const char *queue, struct job_id ret_ids[static JOBS_MAX])
{
    char pattern[64];
    size_t count = 0;

    (void)snprintf(pattern, sizeof pattern, "hoist:{%s}:job:*", queue);
    char *keys = redis_fixture_ask(&rig.redis, "KEYS", pattern, NULL);
    char *rest = keys;
    for (char *key; (key = strsep(&rest, "\n"));) {
        if (!*key)
            continue;
        cr_assert(count < JOBS_MAX);
        struct job_id *id = &ret_ids[count++];
        (void)snprintf(id->queue, sizeof id->queue, "%s", queue);
        (void)snprintf(id->uuid.text, sizeof id->uuid.text, "%s",
                       strrchr(key, ':') + 1);
    }
    free(keys);
    qsort(ret_ids, count, sizeof ret_ids[0], by_uuid);
    return count;
}

static size_t count_jobs(void)
{
    static struct job_id ids[JOBS_MAX];

    return list_jobs("default", ids);
}

/* A number in a hash; 0: there is none. */
static int64_t number_in(const char *key, const char *field)
{
    char *text = redis_fixture_ask(&rig.redis, "HGET", key, field, NULL);
    int64_t n = strtoll(text, NULL, 10);

    free(text);
    return n;
}

static int64_t enqueued_total(void)
{
    return number_in("hoist:{default}:stats", "enqueued");
}

/* The last tick that Redis knows; 0: none. */
static int64_t last_tick(const char *schedule)
{
    return number_in(SCHEDULES, schedule);
}

static void set_last_tick(const char *schedule, int64_t ms)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRId64, ms);
    (void)redis_fixture_ask_int(&rig.redis, "HSET", SCHEDULES, schedule, text, NULL);
}

/* The hour that has begun; not in its last seconds, so that a test does not see the next. */
static int64_t this_hour_ms(void)
{
    cr_assert(WAIT_UNTIL(clock_wall_ms() % HOUR_MS < HOUR_MS - 10000, 20000));
    return clock_wall_ms() / HOUR_MS * HOUR_MS;
}

/* --- one run a tick --- */

Test(worker_schedules, three_workers_make_exactly_one_job_of_each_tick)
{
    static struct job_id ids[JOBS_MAX];
    static const char *const names[] = {"a", "b", "c"};

    rig_up(&rig, COMMAND "[schedule s]\nevery = 1s\nsource = command:tick\n");
    for (size_t i = 0; i < 3; i++)
        rig_start(&rig, names[i]);
    cr_assert(WAIT_UNTIL(count_jobs() >= 5, 15000), "%zu", count_jobs());
    for (size_t i = 0; i < 3; i++)
        cr_expect(spawn_stop(&rig.workers[i], 5000));
    size_t count = list_jobs("default", ids);
    cr_expect(eq(i64, enqueued_total(), (int64_t)count));
    cr_expect(eq(i64, last_tick("s"), id_uuid_ms(ids[count - 1].uuid.text)));
    for (size_t i = 0; i < count; i++) {
        int64_t tick_ms = id_uuid_ms(ids[i].uuid.text);
        cr_expect(eq(i64, tick_ms % 1000, 0));
        cr_expect(i == 0 || tick_ms == id_uuid_ms(ids[i - 1].uuid.text) + 1000,
                  "no tick is left out");
        CLEANUP(buf_release) struct buf text = BUF_INIT(64);
        clock_format_rfc3339(&text, tick_ms);
        if (strcmp(rig_field(&rig, &ids[i], "state"), "done") == 0)
            cr_expect(rig_object_is(&rig, &ids[i], text.data), "%s", text.data);
        else
            cr_expect(eq(sz, i, count - 1), "all but the last had their time");
        cr_expect(eq(str, (char *)rig_field(&rig, &ids[i], "schedule"), "s"));
    }
}

Test(worker_schedules, one_that_is_seen_for_the_first_time_waits_for_its_next_tick)
{
    rig_up(&rig, COMMAND "[schedule s]\nevery = 1h\nsource = command:tick\n");
    int64_t hour_ms = this_hour_ms();
    struct spawn *w = rig_start(&rig, "a");

    cr_assert(WAIT_UNTIL(last_tick("s") == hour_ms, 5000));
    cr_expect(spawn_stop(w, 5000));
    cr_expect(eq(i64, enqueued_total(), 0));
}

Test(worker_schedules, after_ten_ticks_without_a_worker_the_latest_runs_alone)
{
    static struct job_id ids[JOBS_MAX];

    rig_up(&rig, COMMAND "[schedule s]\nevery = 1h\nsource = command:tick\n"
                         "[schedule t]\ncron = 0 * * * *\nsource = command:tick\n");
    int64_t hour_ms = this_hour_ms();
    set_last_tick("s", hour_ms - 10 * HOUR_MS);
    set_last_tick("t", hour_ms);
    rig_start(&rig, "a");
    rig_start(&rig, "b");
    cr_assert(WAIT_UNTIL(last_tick("s") == hour_ms, 5000));
    cr_assert(eq(sz, list_jobs("default", ids), 1));
    cr_expect(eq(i64, id_uuid_ms(ids[0].uuid.text), hour_ms));
    cr_expect(rig_wait_state(&rig, &ids[0], "done", 5000));
    cr_expect(eq(i64, enqueued_total(), 1));
}

Test(worker_schedules, a_crash_before_the_tick_was_noted_repeats_nothing)
{
    rig_up(&rig, COMMAND "[schedule s]\nevery = 1h\nsource = command:tick\n");
    int64_t hour_ms = this_hour_ms();
    set_last_tick("s", hour_ms - HOUR_MS);
    struct spawn *w = rig_start(&rig, "a");
    cr_assert(WAIT_UNTIL(last_tick("s") == hour_ms, 5000));
    cr_assert(spawn_stop(w, 5000));

    set_last_tick("s", hour_ms - HOUR_MS); /* enqueued, and not noted */
    rig_start(&rig, "b");
    cr_assert(WAIT_UNTIL(last_tick("s") == hour_ms, 5000));
    cr_expect(eq(i64, enqueued_total(), 1));
    cr_expect(eq(sz, count_jobs(), 1));
}

Test(worker_schedules, a_tick_is_looked_at_again_when_redis_is_back)
{
    rig_up(&rig, COMMAND "[schedule s]\nevery = 1h\nsource = command:tick\n");
    int64_t hour_ms = this_hour_ms();
    rig_start(&rig, "a");
    cr_assert(WAIT_UNTIL(last_tick("s") == hour_ms, 5000));

    redis_fixture_kill(&rig.redis);
    redis_fixture_restart(&rig.redis);
    cr_assert(WAIT_UNTIL(last_tick("s") == hour_ms, 5000), "empty: noted anew");
    cr_expect(eq(i64, enqueued_total(), 0));
    set_last_tick("s", hour_ms - HOUR_MS);
    (void)redis_fixture_ask_int(&rig.redis, "CLIENT", "KILL", "TYPE", "normal", NULL);
    cr_assert(WAIT_UNTIL(last_tick("s") == hour_ms, 5000));
    cr_expect(eq(i64, enqueued_total(), 1));
}

Test(worker_schedules, a_full_queue_is_asked_again_and_the_tick_is_not_lost)
{
    rig_up(&rig, COMMAND "[schedule s]\nevery = 1h\nsource = command:tick\n");
    int64_t hour_ms = this_hour_ms();
    set_last_tick("s", hour_ms - HOUR_MS);
    (void)redis_fixture_ask_int(&rig.redis, "HSET", "hoist:{default}:conf",
                                "max_length", "1", "paused", "1", NULL);
    rig_put(&rig, &(struct rig_job){.data = "first"});
    struct spawn *w = rig_start(&rig, "a");
    cr_assert(WAIT_UNTIL(rig_log_count(w, "the queue is full") == 1, 5000));
    cr_expect(eq(i64, last_tick("s"), hour_ms - HOUR_MS));
    (void)redis_fixture_ask_int(&rig.redis, "DEL", "hoist:{default}:conf", NULL);
    cr_assert(WAIT_UNTIL(last_tick("s") == hour_ms, 5000));
    cr_expect(eq(i64, enqueued_total(), 2));
}

/* --- what the job is --- */

Test(worker_schedules, the_job_is_as_it_was_configured)
{
    static struct job_id ids[JOBS_MAX];
    char key[128];

    rig_up(&rig,
           "queues = default\n" COMMAND "type = text/plain\n"
           "[queue other]\npriority = 3\nmax_attempts = 7\n"
           "[destination far]\nurl = file:///tmp\n"
           "[schedule s]\nqueue = other\nto = far\nevery = 1h\nsource = command:tick\n"
           "name = at-{hh}.TXT\nkey = a/{yyyy}{mm}{dd}/{hh}{mi}{ss}\n");
    int64_t hour_ms = this_hour_ms();
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, hour_ms - HOUR_MS);
    (void)redis_fixture_ask_int(&rig.redis, "HSET", "hoist:{other}:schedules", "s",
                                text, NULL);
    rig_start(&rig, "a"); /* which does not work on that queue */
    cr_assert(WAIT_UNTIL(list_jobs("other", ids) == 1, 5000));
    const struct job_id *id = &ids[0];
    CLEANUP(buf_release) struct buf at = BUF_INIT(64);
    clock_format_rfc3339(&at, hour_ms);
    (void)snprintf(key, sizeof key, "a/%.4s%.2s%.2s/%.2s0000", at.data, at.data + 5,
                   at.data + 8, at.data + 11);
    cr_expect(eq(str, (char *)rig_field(&rig, id, "key"), key));
    (void)snprintf(key, sizeof key, "at-%.2s.TXT", at.data + 11);
    cr_expect(eq(str, (char *)rig_field(&rig, id, "name"), key));
    cr_expect(eq(str, (char *)rig_field(&rig, id, "to"), "far"));
    cr_expect(eq(str, (char *)rig_field(&rig, id, "type"), "text/plain"));
    cr_expect(eq(str, (char *)rig_field(&rig, id, "priority"), "3"));
    cr_expect(eq(str, (char *)rig_field(&rig, id, "max_attempts"), "7"));
    cr_expect(eq(str, (char *)rig_field(&rig, id, "source"), "command:tick"));
    cr_expect(WAIT_UNTIL(redis_fixture_ask_int(&rig.redis, "SISMEMBER", "hoist:queues",
                                               "other", NULL) == 1,
                         2000));
}

/* --- what it costs --- */

Test(worker_schedules, between_two_ticks_redis_is_not_asked)
{
    rig_up(&rig, COMMAND "[schedule s]\nevery = 1h\nsource = command:tick\n");
    int64_t hour_ms = this_hour_ms();
    rig_start(&rig, "a");
    cr_assert(WAIT_UNTIL(last_tick("s") == hour_ms, 5000));
    cr_expect(WAIT_UNTIL(redis_fixture_ask_int(&rig.redis, "OBJECT", "IDLETIME",
                                               SCHEDULES, NULL) >= 3,
                         8000),
              "nobody looked for three seconds");
}
