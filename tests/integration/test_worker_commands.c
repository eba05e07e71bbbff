/* Jobs whose bytes a command writes, in hoist-worker as it ships: what it is given, how it may fail, that it ends. */
#include "tests/integration/worker_rig.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shared/clock.h"
#include "shared/digest.h"
#include "tests/support/wait_until.h"

static struct worker_rig rig;

static void down(void)
{
    rig_down(&rig);
}

TestSuite(worker_commands, .fini = down, .timeout = 120);

/* --- help --- */

/* A job whose bytes [command NAME] is to write. */
static struct job_id put_to(const char *command, const char *to)
{
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    enum queue_answer answer;
    char source[64];

    (void)snprintf(source, sizeof source, "command:%s", command);
    (void)snprintf(j.id.queue, sizeof j.id.queue, "default");
    j.id.uuid = id_format_uuid(INT64_C(1763865000123) * 1000000,
                               (uint64_t)clock_mono_us() << 20 | (uint64_t)getpid());
    j.created = clock_wall_ms();
    j.max_attempts = 3;
    j.source = strdup(source);
    j.schedule = strdup("nightly");
    j.to = strdup(to);
    cr_assert(job_set_name(&j, "out", 3, &e) == ERR_OK, "%s", e.text);
    cr_assert(job_set_key(&j, j.id.uuid.text, ID_UUID_LEN, &e) == ERR_OK, "%s", e.text);
    cr_assert(queue_enqueue(rig.client, &j, &answer, &e) == ERR_OK, "%s", e.text);
    cr_assert(answer == QUEUE_OK);
    struct job_id id = j.id;
    job_release(&j);
    return id;
}

static struct job_id put(const char *command)
{
    return put_to(command, "default");
}

/* How many processes, zombies left out, have HOIST_JOB_ID=<this> in their environment. */
static int processes_of(const struct job_id *id)
{
    char path[300], text[4096], wanted[ID_JOB_MAX + 32];
    DIR *proc = opendir("/proc");
    int count = 0;

    cr_assert(proc != NULL);
    (void)snprintf(wanted, sizeof wanted, "HOIST_JOB_ID=%s.%s", id->queue,
                   id->uuid.text);
    for (struct dirent *d; (d = readdir(proc));) {
        (void)snprintf(path, sizeof path, "/proc/%s/environ", d->d_name);
        int fd = isdigit((unsigned char)d->d_name[0]) ? open(path, O_RDONLY | O_CLOEXEC)
                                                      : -1;
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text); /* a zombie's is empty */
        if (n > 0 && memmem(text, (size_t)n, wanted, strlen(wanted)))
            count++;
        if (fd >= 0)
            (void)close(fd);
    }
    (void)closedir(proc);
    return count;
}

static bool has_object(const struct job_id *id)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", rig.objects.path, id->uuid.text);
    return access(path, F_OK) == 0;
}

/* The job is dead after so many attempts, for a reason that begins so; no object, no process is left. */
static void expect_dead(const struct job_id *id, int attempts, const char *error)
{
    cr_assert(rig_wait_state(&rig, id, "dead", 20000));
    const char *text = rig_field(&rig, id, "error");
    cr_expect(strncmp(text, error, strlen(error)) == 0, "'%s', not '%s'", text, error);
    cr_expect(eq(str, (char *)rig_field(&rig, id, "error_class"), "command"));
    cr_expect(eq(i64, rig_number(&rig, id, "attempts"), attempts));
    cr_expect(not(has_object(id)));
    cr_expect(WAIT_UNTIL(processes_of(id) == 0, 1000));
}

static void expect_output(const struct job_id *id, const char *text)
{
    cr_assert(rig_wait_state(&rig, id, "done", 5000));
    cr_expect(rig_object_is(&rig, id, text), "not '%s'", text);
}

/* --- what comes of it --- */

Test(worker_commands, what_it_writes_becomes_the_object_and_its_size_and_sum_the_jobs)
{
    char sum[DIGEST_SHA256_HEX + 1], path[512];
    struct err e = ERR_INIT;

    rig_up(&rig, "[command hello]\nrun = printf 'hel%s' lo\n");
    rig_start(&rig, "a");
    struct job_id id = put("hello");

    cr_expect(eq(str, (char *)rig_field(&rig, &id, "bytes"), ""));
    expect_output(&id, "hello");
    cr_assert(digest_sha256_hex("hello", 5, sum, &e) == ERR_OK);
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "sha256"), sum));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "bytes"), "5"));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "sent"), "5"));
    cr_expect(eq(i64,
                 redis_fixture_ask_int(&rig.redis, "HGET", "hoist:{default}:stats",
                                       "bytes", NULL),
                 0));
    (void)snprintf(path, sizeof path, "%s/tmp", rig.spool_dir.path);
    cr_expect(ne(int, rmdir(path), -1), "nothing is left in tmp/");
}

Test(worker_commands, nothing_is_a_file_too_and_s3_gets_megabytes)
{
    struct s3_faulty_object o;
    char path[128];

    rig_up_s3(&rig, "[command none]\nrun = true\n"
                    "[command much]\nrun = head -c 5000000 /dev/zero\n");
    rig_start(&rig, "a");
    struct job_id none = put("none"), much = put_to("much", "s3");

    expect_output(&none, "");
    cr_expect(eq(str, (char *)rig_field(&rig, &none, "bytes"), "0"));
    cr_assert(rig_wait_state(&rig, &much, "done", 10000));
    (void)snprintf(path, sizeof path, "/bucket/pre/%s", much.uuid.text);
    cr_assert(s3_faulty_object(rig.s3, path, &o));
    cr_expect(eq(i64, o.size, 5000000));
    cr_expect(eq(str, o.sha256, (char *)rig_field(&rig, &much, "sha256")));
}

/* --- what it is given --- */

Test(worker_commands, its_environment_is_its_own)
{
    char text[512];

    rig_up(&rig, "[command env]\nrun = env\n");
    rig_start(&rig, "a");
    struct job_id id = put("env");

    (void)snprintf(text, sizeof text,
                   "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
                   "HOME=/\nLANG=C\nHOIST_JOB_ID=default.%s\nHOIST_SCHEDULE=nightly\n"
                   "HOIST_TICK=2025-11-23T02:30:00.123Z\n",
                   id.uuid.text);
    expect_output(&id, text);
}

Test(worker_commands, so_are_its_session_directory_signals_and_descriptors)
{
    rig_up(&rig, "[command fds]\nrun = ls /proc/self/fd\n"
                 "[command cwd]\nrun = pwd\n"
                 "[command in]\nrun = sh -c 'cat; echo end'\n"
                 "[command group]\nrun = awk '{ print ($1 == $5), ($1 == $6) }' "
                 "/proc/self/stat\n"
                 "[command signals]\nrun = grep -E 'Sig(Blk|Ign)' /proc/self/status\n");
    rig_start(&rig, "a");
    struct job_id fds = put("fds"), cwd = put("cwd"), in = put("in"),
                  group = put("group"), signals = put("signals");

    expect_output(&fds, "0\n1\n2\n3\n"); /* 3 is that of ls */
    expect_output(&cwd, "/\n");
    expect_output(&in, "end\n");
    expect_output(&group, "1 1\n");
    expect_output(&signals, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

/* --- how it fails --- */

Test(worker_commands, a_status_other_than_0_is_a_failure_whatever_it_wrote)
{
    rig_up(&rig,
           "[command bad]\nrun = sh -c 'echo half; echo \"no such db\" >&2; exit 3'\n"
           "[command late]\nrun = sh -c 'echo half; exit 1'\n");
    struct spawn *w = rig_start(&rig, "a");
    struct job_id bad = put("bad"), late = put("late");

    expect_dead(&bad, 3, "ended with status 3: no such db");
    expect_dead(&late, 3, "ended with status 1");
    cr_expect(WAIT_UNTIL(rig_log_count(w, "msg=dead") == 2, 5000));
}

Test(worker_commands, the_end_of_what_it_wrote_on_standard_error_is_kept_as_text)
{
    char key[128];

    rig_up(&rig,
           "[command loud]\nrun = sh -c 'echo first >&2; head -c 300000 /dev/zero | tr "
           "\"\\\\0\" x >&2; printf \"\\\\033[31m \\\\377 two\\\\nlast\\\\n\" >&2; "
           "exit 1'\n");
    rig_start(&rig, "a");
    struct job_id id = put("loud");

    expect_dead(&id, 3, "ended with status 1: xxxxx");
    (void)snprintf(key, sizeof key, "hoist:{default}:job:%s", id.uuid.text);
    char *error = redis_fixture_ask(&rig.redis, "HGET", key, "error", NULL);
    size_t len = strlen(error);
    cr_expect(len > 4000 && len <= JOB_ERROR_MAX, "%zu", len);
    cr_expect(eq(ptr, strstr(error, "first"), NULL), "4 KiB are the most");
    cr_assert(len > 40);
    cr_expect(eq(str, error + len - 16, "x [31m two; last"), "%s", error + len - 40);
    free(error);
}

Test(worker_commands, a_program_that_is_not_there_or_not_configured_is_a_failure)
{
    rig_up(&rig, "[command gone]\nrun = /nonexistent/program x\n"
                 "[command dir]\nrun = /tmp\n");
    rig_start(&rig, "a");
    struct job_id gone = put("gone"), dir = put("dir"), none = put("none");

    expect_dead(&gone, 3, "cannot run '/nonexistent/program': No such file");
    expect_dead(&dir, 3, "cannot run '/tmp': Permission denied");
    expect_dead(&none, 3, "there is no [command none] here");
}

Test(worker_commands, one_that_kills_itself_is_a_failure)
{
    rig_up(&rig, "[command dies]\nrun = sh -c 'echo half; kill -9 $$'\n");
    rig_start(&rig, "a");
    struct job_id id = put("dies");

    expect_dead(&id, 3, "was ended by signal 9 (Killed)");
}

Test(worker_commands, one_that_hangs_is_ended_with_all_its_children)
{
    rig_up(&rig, "[command hangs]\nrun = sh -c 'sleep 1000 & sleep 1000'\n"
                 "time_limit = 300ms\n");
    rig_start(&rig, "a");
    struct job_id id = put("hangs");

    cr_assert(WAIT_UNTIL(processes_of(&id) == 3, 5000), "%d", processes_of(&id));
    expect_dead(&id, 3, "ran longer than its time_limit of 300 ms");
}

Test(worker_commands, one_that_will_not_end_is_killed_five_seconds_later)
{
    rig_up(&rig,
           "[command deaf]\nrun = sh -c 'trap \"\" TERM; echo $$; while :; do sleep "
           "0.1; done'\ntime_limit = 100ms\n");
    rig_start(&rig, "a");
    int64_t begin = wait_now_ms();
    struct job_id id = put("deaf");
    char key[128];

    (void)snprintf(key, sizeof key, "hoist:{default}:job:%s", id.uuid.text);
    (void)redis_fixture_ask_int(&rig.redis, "HSET", key, "max_attempts", "1", NULL);
    expect_dead(&id, 1, "ran longer than its time_limit of 100 ms");
    int64_t took = wait_now_ms() - begin;
    cr_expect(took >= 5000 && took < 9000, "%d ms", (int)took);
}

Test(worker_commands,
     one_that_writes_more_than_it_may_is_a_failure_whether_it_minds_or_not)
{
    rig_up(
        &rig,
        "[command yes]\nrun = yes\nmax_bytes = 100000\n"
        "[command fits]\nrun = head -c 1000 /dev/zero\nmax_bytes = 1000\n"
        "[command over]\nrun = head -c 1001 /dev/zero\nmax_bytes = 1000\n"
        "[command deaf]\nrun = sh -c 'trap \"\" XFSZ; head -c 9999 /dev/zero; exit 0'\n"
        "max_bytes = 1000\n");
    rig_start(&rig, "a");
    struct job_id yes = put("yes"), fits = put("fits"), over = put("over"),
                  deaf = put("deaf");

    expect_dead(&yes, 3, "wrote more than its max_bytes, 100000");
    expect_dead(&over, 3, "wrote more than its max_bytes, 1000");
    expect_dead(&deaf, 3, "wrote more than its max_bytes, 1000");
    cr_assert(rig_wait_state(&rig, &fits, "done", 5000));
    cr_expect(eq(str, (char *)rig_field(&rig, &fits, "bytes"), "1000"));
}

/* --- that it ends --- */

Test(worker_commands, what_it_leaves_behind_in_its_group_dies_with_it)
{
    rig_up(&rig, "[command forks]\nrun = sh -c 'sleep 1000 & echo done'\n");
    rig_start(&rig, "a");
    struct job_id id = put("forks");

    expect_output(&id, "done\n");
    cr_expect(WAIT_UNTIL(processes_of(&id) == 0, 2000));
}

static const char sleeper[] =
    "[command sleeps]\nrun = sh -c 'sleep 1000 & sleep 1000'\n";

static struct job_id put_sleeper(void)
{
    struct job_id id = put("sleeps");

    cr_assert(WAIT_UNTIL(processes_of(&id) == 3, 5000), "%d", processes_of(&id));
    return id;
}

Test(worker_commands, cancelling_ends_it)
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
    cr_expect(WAIT_UNTIL(processes_of(&id) == 0, 1000));
}

Test(worker_commands, a_drain_ends_it_and_gives_the_job_back)
{
    char settings[256];

    (void)snprintf(settings, sizeof settings, "drain_seconds = 0\n%s", sleeper);
    rig_up(&rig, settings);
    struct spawn *w = rig_start(&rig, "a");
    struct job_id id = put_sleeper();

    cr_expect(spawn_stop(w, 5000));
    cr_expect(WAIT_UNTIL(processes_of(&id) == 0, 1000));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "state"), "waiting"));
    cr_expect(eq(i64, rig_number(&rig, &id, "attempts"), 0));
}

Test(worker_commands, a_drain_ends_even_one_that_does_not_want_to)
{
    rig_up(&rig,
           "drain_seconds = 0\n[command deaf]\nrun = sh -c 'trap \"\" TERM; while :; "
           "do sleep 0.1; done'\n");
    struct spawn *w = rig_start(&rig, "a");
    struct job_id id = put("deaf");

    cr_assert(WAIT_UNTIL(processes_of(&id) > 0, 5000));
    cr_expect(spawn_stop(w, 5000));
    cr_expect(WAIT_UNTIL(processes_of(&id) == 0, 1000));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "state"), "waiting"));
}

Test(worker_commands, a_lost_lease_ends_it_without_a_word)
{
    rig_up(&rig, sleeper);
    struct spawn *w = rig_start(&rig, "a");
    struct job_id id = put_sleeper();

    (void)redis_fixture_ask_int(&rig.redis, "HSET", "hoist:{default}:owner",
                                id.uuid.text, "other:1", NULL);
    cr_expect(WAIT_UNTIL(processes_of(&id) == 0, 5000));
    cr_expect(WAIT_UNTIL(rig_log_count(w, "lost lease") == 1, 2000));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "error"), ""));
}

Test(worker_commands, a_worker_that_is_killed_takes_it_along_and_another_runs_it_again)
{
    rig_up(&rig, "[command sleeps]\nrun = sleep 1000\n");
    struct spawn *w = rig_start(&rig, "a");
    struct job_id id = put("sleeps");

    cr_assert(WAIT_UNTIL(processes_of(&id) == 1, 5000));
    spawn_kill(w);
    cr_expect(WAIT_UNTIL(processes_of(&id) == 0, 2000));
    rig_start(&rig, "b");
    cr_expect(WAIT_UNTIL(processes_of(&id) == 1, 5000));
    cr_expect(eq(i64, rig_number(&rig, &id, "crashes"), 1));
}
