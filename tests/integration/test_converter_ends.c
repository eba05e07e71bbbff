/* Conversions that are stopped in the middle: nothing is left of them but the job. */
#include "tests/integration/converter_rig.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
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

TestSuite(converter_ends, .fini = down, .timeout = 120);

static const char sleeper[] =
    "[converter sleeps]\nrun = sh -c 'cat; sleep 1000 & sleep 1000'\n"
    "[converter cat]\nrun = cat\n";

/* A job that has written something and sleeps; four processes. */
static struct job_id put_sleeper(void)
{
    struct job_id id = converter_put(&rig, "hello", "sleeps,cat");

    cr_assert(WAIT_UNTIL(converter_processes_of(&id) == 4, 5000), "%d",
              converter_processes_of(&id));
    return id;
}

/* Nothing is in the directory of objects, hidden files included. */
static bool is_empty(void)
{
    DIR *d = opendir(rig.objects.path);
    size_t count = 0;

    cr_assert(d != NULL);
    while (readdir(d))
        count++;
    (void)closedir(d);
    return count == 2;
}

Test(converter_ends, cancelling_ends_it)
{
    struct redis_cmd c;
    struct redis_value *reply;
    struct err e = ERR_INIT;

    rig_up(&rig, sleeper);
    rig_start(&rig, "a");
    struct job_id id = put_sleeper();
    redis_cmd_init(&c);
    queue_cancel_cmd(&c, &id, 60000);
    cr_assert(redis_call(rig.client, &c, &reply, &e) == ERR_OK, "%s", e.text);
    redis_reply_free(reply);
    redis_cmd_release(&c);
    cr_assert(rig_wait_state(&rig, &id, "cancelled", 5000));
    cr_expect(WAIT_UNTIL(converter_processes_of(&id) == 0, 2000));
    cr_expect(is_empty());
}

Test(converter_ends, a_drain_ends_it_and_gives_the_job_back)
{
    char settings[512];

    (void)snprintf(settings, sizeof settings, "drain_seconds = 0\n%s", sleeper);
    rig_up(&rig, settings);
    struct spawn *w = rig_start(&rig, "a");
    struct job_id id = put_sleeper();

    cr_expect(spawn_stop(w, 5000));
    cr_expect(WAIT_UNTIL(converter_processes_of(&id) == 0, 2000));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "state"), "waiting"));
    cr_expect(eq(i64, rig_number(&rig, &id, "attempts"), 0));
    cr_expect(rig_in_spool(&rig, &id));
    cr_expect(is_empty());
}

Test(converter_ends, a_drain_ends_even_one_that_does_not_want_to)
{
    rig_up(&rig, "drain_seconds = 0\n[converter deaf]\nrun = sh -c 'trap \"\" TERM; "
                 "while :; do sleep 0.1; done'\n");
    struct spawn *w = rig_start(&rig, "a");
    struct job_id id = converter_put(&rig, "x", "deaf");

    cr_assert(WAIT_UNTIL(converter_processes_of(&id) > 0, 5000));
    cr_expect(spawn_stop(w, 5000));
    cr_expect(WAIT_UNTIL(converter_processes_of(&id) == 0, 2000));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "state"), "waiting"));
}

Test(converter_ends, a_lost_lease_ends_it_without_a_word)
{
    rig_up(&rig, sleeper);
    struct spawn *w = rig_start(&rig, "a");
    struct job_id id = put_sleeper();

    (void)redis_fixture_ask_int(&rig.redis, "HSET", "hoist:{default}:owner",
                                id.uuid.text, "other:1", NULL);
    cr_expect(WAIT_UNTIL(converter_processes_of(&id) == 0, 5000));
    cr_expect(WAIT_UNTIL(rig_log_count(w, "lost lease") == 1, 2000));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "error"), ""));
    cr_expect(is_empty());
}

Test(converter_ends, a_worker_that_is_killed_takes_them_along_and_another_runs_it_again)
{
    rig_up(&rig, "[converter sleeps]\nrun = sleep 1000\n[converter cat]\nrun = cat\n");
    struct spawn *w = rig_start(&rig, "a");
    struct job_id id =
        rig_put(&rig, &(struct rig_job){.data = "x", .convert = "cat,sleeps,cat"});

    cr_assert(WAIT_UNTIL(converter_processes_of(&id) == 2, 5000), "%d",
              converter_processes_of(&id)); /* the first one has read all */
    spawn_kill(w);
    cr_expect(WAIT_UNTIL(converter_processes_of(&id) == 0, 2000));
    rig_start(&rig, "b");
    cr_expect(WAIT_UNTIL(converter_processes_of(&id) == 2, 5000));
    cr_expect(eq(i64, rig_number(&rig, &id, "crashes"), 1));
    cr_expect(is_empty());
}

Test(converter_ends, a_job_that_was_done_before_redis_forgot_it_is_done_by_its_object)
{
    char key[128], path[512];

    rig_up(&rig, "[converter random]\nrun = head -c 100 /dev/urandom\n");
    rig_start(&rig, "a");
    struct job_id id =
        rig_put(&rig, &(struct rig_job){.data = "hello", .convert = "random"});
    cr_assert(rig_wait_state(&rig, &id, "done", 10000));
    cr_assert(rig_wait_unspooled(&rig, &id, 5000));
    (void)snprintf(key, sizeof key, "hoist:{default}:job:%s", id.uuid.text);
    (void)redis_fixture_ask_int(&rig.redis, "HDEL", key, "ended", "url", NULL);
    (void)redis_fixture_ask_int(&rig.redis, "HSET", key, "state", "waiting", NULL);
    (void)redis_fixture_ask_int(&rig.redis, "ZREM", "hoist:{default}:done",
                                id.uuid.text, NULL);
    (void)redis_fixture_ask_int(&rig.redis, "ZADD", "hoist:{default}:ready", "1",
                                id.uuid.text, NULL);
    (void)redis_fixture_ask_int(&rig.redis, "ZADD", "hoist:{default}:wake", "0", "0",
                                NULL);

    cr_assert(rig_wait_state(&rig, &id, "done", 10000), "%s",
              rig_field(&rig, &id, "error"));
    (void)snprintf(path, sizeof path, "file://%s/%s", rig.objects.path, id.uuid.text);
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "url"), path));
}
