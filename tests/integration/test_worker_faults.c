/* What hoist-worker does when workers, Redis or leases fail, with s3_faulty holding uploads open at its gate. */
#include "tests/integration/worker_rig.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/support/wait_until.h"

static struct worker_rig rig;

static void down(void)
{
    rig_down(&rig);
}

TestSuite(worker_faults, .fini = down, .timeout = 120);

static struct job_id put_s3(const char *data)
{
    return rig_put(&rig, &(struct rig_job){.data = data, .to = "s3"});
}

/* How many PUTs the store took for the object of a job. */
static int stored(const struct job_id *id)
{
    struct s3_faulty_object o;
    char path[256];

    (void)snprintf(path, sizeof path, "/bucket/pre/%s", id->uuid.text);
    return s3_faulty_object(rig.s3, path, &o) ? o.stored : 0;
}

Test(worker_faults, a_job_arrives_in_s3)
{
    rig_up_s3(&rig, NULL);
    rig_start(&rig, "a");
    struct job_id id = put_s3("to the store");
    char url[256];

    cr_assert(rig_wait_state(&rig, &id, "done", 5000));
    cr_expect(eq(int, stored(&id), 1));
    (void)snprintf(url, sizeof url, "s3://bucket/pre/%s", id.uuid.text);
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "url"), url));
    cr_expect(rig_field(&rig, &id, "etag")[0] != '\0');
    cr_expect(rig_wait_unspooled(&rig, &id, 2000));
}

Test(worker_faults, sigterm_gives_a_running_job_back_with_its_attempt_refunded)
{
    rig_up_s3(&rig, "drain_seconds = 1\n");
    struct spawn *w = rig_start(&rig, "a");
    s3_faulty_close_gate(rig.s3);
    struct job_id id = put_s3("drained");
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 1, 5000));

    cr_expect(spawn_stop(w, 5000), "ends by itself, with status 0");
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "state"), "waiting"));
    cr_expect(eq(i64, rig_number(&rig, &id, "attempts"), 0));
    cr_expect(rig_in_spool(&rig, &id));
    char *score = redis_fixture_ask(&rig.redis, "ZSCORE", "hoist:workers", "a", NULL);
    cr_expect(eq(str, score, ""), "the worker took itself off the list");
    free(score);
}

Test(worker_faults, sigterm_lets_a_running_job_finish_and_takes_no_other)
{
    int status = -1;

    rig_up_s3(&rig, "drain_seconds = 20\n");
    struct spawn *w = rig_start(&rig, "a");
    s3_faulty_close_gate(rig.s3);
    struct job_id id = put_s3("finishes");
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 1, 5000));

    spawn_signal(w, SIGTERM);
    cr_assert(WAIT_UNTIL(rig_log_count(w, "msg=draining") == 1, 2000));
    struct job_id late = put_s3("too late");
    s3_faulty_open_gate(rig.s3);
    cr_assert(spawn_wait(w, 5000, &status));
    cr_expect(eq(int, status, 0));
    cr_expect(rig_wait_state(&rig, &id, "done", 100));
    cr_expect(rig_wait_unspooled(&rig, &id, 100));
    cr_expect(eq(str, (char *)rig_field(&rig, &late, "state"), "waiting"));
}

Test(worker_faults, a_second_sigterm_gives_back_at_once)
{
    int status = 0;

    rig_up_s3(&rig, "drain_seconds = 60\n");
    struct spawn *w = rig_start(&rig, "a");
    s3_faulty_close_gate(rig.s3);
    struct job_id id = put_s3("given back");
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 1, 5000));

    spawn_signal(w, SIGTERM);
    cr_assert(WAIT_UNTIL(rig_log_count(w, "msg=draining") == 1, 2000));
    spawn_signal(w, SIGTERM);
    cr_assert(spawn_wait(w, 2000, &status), "within 2 s");
    cr_expect(eq(int, WEXITSTATUS(status), 0));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "state"), "waiting"));
    cr_expect(eq(i64, rig_number(&rig, &id, "attempts"), 0));
}

/* kill -9 in the middle of an upload: another worker finishes within one lease and a second. */
static void kill_and_take_over(int64_t lease_ms)
{
    struct spawn *a = rig_start(&rig, "a");
    s3_faulty_close_gate(rig.s3);
    struct job_id id = put_s3("taken over");
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 1, 5000));
    rig_start(&rig, "b");
    spawn_kill(a);
    int64_t begin = wait_now_ms();
    s3_faulty_open_gate(rig.s3);

    cr_assert(rig_wait_state(&rig, &id, "done", lease_ms + 5000));
    int64_t took = wait_now_ms() - begin;
    fprintf(stderr, "taken over after %d ms of a lease of %d\n", (int)took,
            (int)lease_ms);
    cr_expect(took <= lease_ms + 1000, "done after %d ms", (int)took);
    cr_expect(eq(int, stored(&id), 1), "one object, one PUT taken");
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "crashes"), "1"));
    cr_expect(rig_wait_unspooled(&rig, &id, 2000));
}

Test(worker_faults, the_job_of_a_killed_worker_is_done_within_a_lease_and_a_second)
{
    rig_up_s3(&rig, "lease_ms = 1500\n");
    kill_and_take_over(1500);
}

Test(worker_faults, the_same_with_the_default_lease)
{
    rig_up_s3(&rig, "lease_ms = 10000\n");
    kill_and_take_over(10000);
}

Test(worker_faults, a_full_worker_takes_back_what_expires_and_readies_what_falls_due)
{
    enum { LEASE_MS = 1500 };
    rig_up_s3(&rig, "lease_ms = 1500\nconcurrency = 1\n");
    struct spawn *a = rig_start(&rig, "a");
    s3_faulty_close_gate(rig.s3);
    struct job_id orphan = put_s3("the dead worker's");
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 1, 5000));
    rig_start(&rig, "b");
    struct job_id kept = put_s3("fills the other");
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 2, 5000));
    struct job_id late =
        rig_put(&rig, &(struct rig_job){.data = "late", .to = "s3", .delay_ms = 1000});
    spawn_kill(a);

    cr_expect(WAIT_UNTIL(rig_number(&rig, &orphan, "crashes") == 1, LEASE_MS + 1000));
    cr_expect(rig_wait_state(&rig, &late, "waiting", 1000));
    cr_expect(rig_is_leased(&rig, &kept));
    cr_expect(not(rig_is_leased(&rig, &orphan)));
    s3_faulty_open_gate(rig.s3);
    cr_expect(rig_wait_state(&rig, &orphan, "done", 5000));
    cr_expect(rig_wait_state(&rig, &late, "done", 5000));
}

Test(worker_faults, a_worker_that_slept_past_its_lease_is_fenced)
{
    rig_up_s3(&rig, NULL);
    struct spawn *a = rig_start(&rig, "a");
    s3_faulty_close_gate(rig.s3);
    struct job_id id = put_s3("fenced");
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 1, 5000));
    spawn_pause(a);
    rig_start(&rig, "b");
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 2, 5000), "b has it now");
    spawn_resume(a);
    cr_expect(WAIT_UNTIL(rig_log_count(a, "lost lease") > 0, 3000));
    cr_expect(rig_in_spool(&rig, &id), "the loser removes nothing");
    s3_faulty_open_gate(rig.s3);

    cr_assert(rig_wait_state(&rig, &id, "done", 5000));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "attempts"), "2"));
    cr_expect(eq(int, stored(&id), 1));
}

Test(worker_faults, a_beat_that_finds_the_lease_gone_stops_the_upload)
{
    rig_up_s3(&rig, "lease_ms = 3000\n");
    struct spawn *w = rig_start(&rig, "a");
    s3_faulty_close_gate(rig.s3);
    struct job_id id = put_s3("taken away");
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 1, 5000));
    /* As if another worker had it: ours keeps beating, so no deadline of its own passes. */
    free(redis_fixture_ask(&rig.redis, "HSET", "hoist:{default}:owner", id.uuid.text,
                           "other:99", NULL));
    cr_expect(WAIT_UNTIL(rig_log_count(w, "lost lease") == 1, 2000));
    cr_expect(rig_in_spool(&rig, &id), "the loser removes nothing");
    cr_expect(rig_is_leased(&rig, &id), "nor reports");
    s3_faulty_open_gate(rig.s3);
}

Test(worker_faults, a_failing_store_makes_a_job_dead_after_its_attempts)
{
    rig_up_s3(&rig, NULL);
    for (int i = 0; i < 3; i++)
        s3_faulty_push(rig.s3, (struct s3_fault){.kind = S3_FAULT_STATUS,
                                                 .status = 500,
                                                 .code = "InternalError"});
    rig_start(&rig, "a");
    struct job_id id = put_s3("fails");

    cr_assert(rig_wait_state(&rig, &id, "dead", 5000));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "attempts"), "3"));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "error_class"), "transient"));
    cr_expect(strstr(rig_field(&rig, &id, "error"), "InternalError") != NULL);
    cr_expect(rig_in_spool(&rig, &id));
    cr_expect(eq(int, stored(&id), 0));
}

Test(worker_faults, a_store_that_fails_twice_gets_the_job_the_third_time)
{
    rig_up_s3(&rig, NULL);
    for (int i = 0; i < 2; i++)
        s3_faulty_push(rig.s3, (struct s3_fault){.kind = S3_FAULT_STATUS,
                                                 .status = 503,
                                                 .code = "ServiceUnavailable"});
    rig_start(&rig, "a");
    struct job_id id = put_s3("third time");

    cr_assert(rig_wait_state(&rig, &id, "done", 5000));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "attempts"), "3"));
    cr_expect(eq(int, stored(&id), 1));
}

Test(worker_faults, a_job_whose_workers_die_three_times_is_dead)
{
    static const char *const names[] = {"a", "b", "c"};

    rig_up_s3(&rig, NULL);
    struct job_id id = rig_put(
        &rig, &(struct rig_job){.data = "poison", .to = "s3", .max_attempts = 10});
    s3_faulty_close_gate(rig.s3);
    for (int i = 0; i < 3; i++) {
        struct spawn *w = rig_start(&rig, names[i]);
        cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == i + 1, 5000));
        spawn_kill(w);
    }
    rig_start(&rig, "d");
    cr_assert(rig_wait_state(&rig, &id, "dead", 5000));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "crashes"), "3"));
    cr_expect(rig_in_spool(&rig, &id));
    s3_faulty_open_gate(rig.s3);
}

Test(worker_faults, a_running_job_that_is_cancelled_stops_and_its_bytes_go)
{
    struct redis_cmd cmd;
    struct redis_value *reply = NULL;
    enum queue_answer answer = QUEUE_OK;
    struct err e = ERR_INIT;
    char state[QUEUE_STATE_SIZE];

    rig_up_s3(&rig, NULL);
    rig_start(&rig, "a");
    s3_faulty_close_gate(rig.s3);
    struct job_id id = put_s3("stop me");
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 1, 5000));
    redis_cmd_init(&cmd);
    queue_cancel_cmd(&cmd, &id, 60000);
    cr_assert(redis_call(rig.client, &cmd, &reply, &e) == ERR_OK, "%s", e.text);
    cr_assert(queue_parse_answer(reply, &answer, state, &e) == ERR_OK, "%s", e.text);
    cr_expect(eq(int, answer, QUEUE_RUNNING));
    redis_reply_free(reply);
    redis_cmd_release(&cmd);

    cr_assert(rig_wait_state(&rig, &id, "cancelled", 3000));
    cr_expect(rig_wait_unspooled(&rig, &id, 2000));
    s3_faulty_open_gate(rig.s3);
}

Test(worker_faults, redis_dies_and_comes_back_empty_during_an_upload)
{
    rig_up_s3(&rig, "[spool]\nreconcile_seconds = 1\n");
    struct spawn *w = rig_start(&rig, "a");
    s3_faulty_close_gate(rig.s3);
    struct job_id id = put_s3("survives");
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 1, 5000));
    redis_fixture_kill(&rig.redis);
    cr_assert(WAIT_UNTIL(rig_log_count(w, "redis is away") > 0, 3000));
    s3_faulty_open_gate(rig.s3);
    redis_fixture_restart(&rig.redis);

    cr_assert(rig_wait_state(&rig, &id, "done", 10000), "made again from the spool");
    cr_expect(rig_wait_unspooled(&rig, &id, 5000));
    cr_expect(eq(int, stored(&id), 1));
}

Test(worker_faults, a_short_hang_of_redis_loses_nothing_and_the_outcome_is_told_later)
{
    rig_up_s3(&rig, "lease_ms = 10000\n");
    struct spawn *w = rig_start(&rig, "a");
    s3_faulty_close_gate(rig.s3);
    struct job_id id = put_s3("told later");
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 1, 5000));
    redis_fixture_pause(&rig.redis);
    s3_faulty_open_gate(rig.s3);
    cr_assert(WAIT_UNTIL(rig_log_count(w, "redis is away") > 0, 8000));
    redis_fixture_resume(&rig.redis);

    cr_assert(rig_wait_state(&rig, &id, "done", 8000));
    cr_expect(rig_wait_unspooled(&rig, &id, 5000));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "attempts"), "1"));
    cr_expect(eq(int, stored(&id), 1));
    /* The finish that Redis held while it hung was carried out; asked again, it says so. */
    cr_expect(eq(int, rig_log_count(w, "msg=done"), 1));
    cr_expect(eq(int, rig_log_count(w, "lost lease"), 0));
}

Test(worker_faults, a_worker_that_could_not_give_its_jobs_back_ends_with_status_1)
{
    int status = 0;
    char line[128];

    rig_up_s3(&rig, "lease_ms = 10000\ndrain_seconds = 60\n");
    struct spawn *w = rig_start(&rig, "a");
    s3_faulty_close_gate(rig.s3);
    struct job_id id = put_s3("left behind");
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 1, 5000));
    redis_fixture_pause(&rig.redis);

    spawn_signal(w, SIGTERM);
    cr_assert(WAIT_UNTIL(rig_log_count(w, "msg=draining") == 1, 2000));
    spawn_signal(w, SIGTERM);
    cr_assert(spawn_wait(w, 5000, &status));
    redis_fixture_resume(&rig.redis);
    cr_expect(eq(int, !!WIFEXITED(status), 1));
    cr_expect(eq(int, WEXITSTATUS(status), 1));
    (void)snprintf(line, sizeof line, "will run out\" id=default.%s", id.uuid.text);
    cr_expect(eq(int, rig_log_count(w, line), 1));
    cr_expect(rig_in_spool(&rig, &id));
}

Test(worker_faults, an_upload_stops_when_its_lease_can_not_be_renewed)
{
    rig_up_s3(&rig, NULL);
    struct spawn *w = rig_start(&rig, "a");
    s3_faulty_close_gate(rig.s3);
    struct job_id id = put_s3("given up");
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 1, 5000));
    redis_fixture_pause(&rig.redis);
    cr_assert(WAIT_UNTIL(rig_log_count(w, "could not be renewed") == 1, 3000));
    s3_faulty_open_gate(rig.s3);
    redis_fixture_resume(&rig.redis);

    cr_assert(rig_wait_state(&rig, &id, "done", 8000));
    cr_expect(rig_wait_unspooled(&rig, &id, 5000));
    cr_expect(eq(i64, rig_number(&rig, &id, "crashes"), 0),
              "a job that was given back is no crash");
}

static long resident_kib(const struct spawn *w)
{
    char path[64], line[256];
    long peak = -1;

    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)w->pid);
    FILE *f = fopen(path, "r");
    cr_assert(f != NULL);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, "VmHWM:", 6) == 0)
            peak = strtol(line + 6, NULL, 10);
    (void)fclose(f);
    return peak;
}

Test(worker_faults, memory_stays_small_while_large_files_pass)
{
    rig_up_s3(&rig, NULL);
    struct spawn *w = rig_start(&rig, "a");
    struct job_id to_s3 =
        rig_put(&rig, &(struct rig_job){.size = 128 << 20, .to = "s3"});
    struct job_id to_file = rig_put(&rig, &(struct rig_job){.size = 128 << 20});

    cr_assert(rig_wait_state(&rig, &to_s3, "done", 30000));
    cr_assert(rig_wait_state(&rig, &to_file, "done", 30000));
    long peak = resident_kib(w);
    fprintf(stderr, "peak resident: %ld KiB\n", peak);
#if !defined(__SANITIZE_ADDRESS__)
    cr_expect(lt(long, peak, 24L * 1024));
#endif
}
