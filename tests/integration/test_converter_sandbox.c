/*
 * What holds converters, in hoist-worker as it ships.  What this kernel has is found out here by the same calls; the rest of what
 * each test expects holds everywhere.
 */
#include "tests/integration/converter_rig.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>

#include "tests/support/wait_until.h"

static struct worker_rig rig;
static char place
    [64]; /* a directory that everybody may write to, with a file that everybody may */

static void down(void)
{
    static const char *const names[] = {"file", "script"};
    char path[128];

    rig_down(&rig);
    for (size_t i = 0; i < 2 && *place; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", place, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(place); /* there may be none */
}

TestSuite(converter_sandbox, .fini = down, .timeout = 120);

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0, "%s", path);
}

static void make_place(const char *script)
{
    char path[80];

    (void)snprintf(place, sizeof place, "/tmp/hoist-converter-%d", (int)getpid());
    (void)snprintf(path, sizeof path, "%s/file", place);
    cr_assert(mkdir(place, 0777) == 0 && chmod(place, 0777) == 0);
    write_file(path, "text");
    cr_assert(chmod(path, 0666) == 0);
    if (geteuid() ==
        0) /* its owner is who the converters are, or only that would hold them */
        cr_assert(chown(path, 65534, 65534) == 0);
    (void)snprintf(path, sizeof path, "%s/script", place);
    write_file(path, script);
    cr_assert(chmod(path, 0644) == 0);
}

/* --- what there is --- */

static bool has_landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0,
                   LANDLOCK_CREATE_RULESET_VERSION) >= 1;
}

static bool has_seccomp(void)
{
    unsigned action = SECCOMP_RET_ERRNO;

    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

/* As nobody where we are root, as the worker's child is. */
static bool has_userns(void)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        _exit((geteuid() == 0 && setresuid(65534, 65534, 65534) < 0) ||
              unshare(CLONE_NEWUSER) < 0);
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static void expected(char *ret, size_t size)
{
    (void)snprintf(ret, size, "%s%s%s", has_landlock() ? ",landlock" : "",
                   has_seccomp() ? ",seccomp" : "", has_userns() ? ",userns" : "");
    if (!*ret)
        (void)snprintf(ret, size, ",none");
}

/* --- */

Test(converter_sandbox, the_job_says_what_was_in_force_done_or_not)
{
    char want[64];

    rig_up(&rig, "[converter cat]\nrun = cat\n[converter bad]\nrun = false\n"
                 "[converter free]\nrun = cat\nsandbox = no\n");
    rig_start(&rig, "a");
    expected(want, sizeof want);
    struct job_id cat = converter_put(&rig, "x", "cat"),
                  two = converter_put(&rig, "x", "cat,cat"),
                  bad = converter_put(&rig, "x", "bad"),
                  mixed = converter_put(&rig, "x", "cat,free"),
                  gone = converter_put(&rig, "x", "gone");

    converter_expect(&rig, &cat, "x");
    cr_expect(eq(str, (char *)rig_field(&rig, &cat, "sandbox"), want + 1));
    converter_expect(&rig, &two, "x");
    cr_expect(eq(str, (char *)rig_field(&rig, &two, "sandbox"), want + 1));
    converter_expect_dead(&rig, &bad, "converter", "bad ended with status 1");
    cr_expect(eq(str, (char *)rig_field(&rig, &bad, "sandbox"), want + 1));
    converter_expect(&rig, &mixed, "x");
    cr_expect(eq(str, (char *)rig_field(&rig, &mixed, "sandbox"), "none"));
    converter_expect_dead(&rig, &gone, "config", "there is no [converter gone]");
    cr_expect(eq(str, (char *)rig_field(&rig, &gone, "sandbox"), ""));
}

Test(converter_sandbox, require_is_the_whole_of_it_or_nothing)
{
    rig_up(&rig,
           "[converter cat]\nrun = cat\nsandbox = require\n"
           "[converter uncounted]\nrun = cat\nsandbox = require\nprocesses_max = 0\n");
    rig_start(&rig, "a");
    struct job_id cat = converter_put(&rig, "x", "cat"),
                  uncounted = converter_put(&rig, "x", "uncounted");

    if (has_landlock() && has_seccomp() && has_userns())
        converter_expect(&rig, &cat, "x");
    else
        converter_expect_dead(&rig, &cat, "config",
                              "cat: its sandbox cannot be had whole here: no ");
    if (has_landlock() && has_seccomp())
        converter_expect(&rig, &uncounted, "x");
    else
        converter_expect_dead(&rig, &uncounted, "config",
                              "uncounted: its sandbox cannot be had whole here: no ");
}

/* Try to change things in the place, and write what worked. */
static const char writes[] = "cd $HOIST_META_PLACE\n"
                             "echo x 2>&- >>file && echo append\n"
                             "true 2>&- >file && echo empty\n"
                             "truncate -s 9 file && echo truncate\n"
                             "mkdir new && echo mkdir\n"
                             "echo x 2>&- >other && echo create\n"
                             "ln file link && echo link\n"
                             "mv file moved && echo rename; mv moved file\n"
                             "rm -f other link; rmdir new\n"
                             "echo x >/dev/null && echo null\n";
static const char modes[] = "cd $HOIST_META_PLACE\n"
                            "chmod 600 file && echo mode\n"
                            "touch -c -d 2001-01-01 file && echo time\n"
                            "echo end\n";
#define RUN_IT "run = sh -c '. $HOIST_META_PLACE/script'\n"

static struct job_id put_at_place(const char *convert)
{
    return rig_put(&rig, &(struct rig_job){.data = "x",
                                           .convert = convert,
                                           .meta = {"place", place},
                                           .max_attempts = 1});
}

Test(converter_sandbox, no_file_is_written_made_or_moved)
{
    make_place(writes);
    rig_up(&rig, "[converter held]\n" RUN_IT "[converter free]\nsandbox = no\n" RUN_IT);
    rig_start(&rig, "a");
    struct job_id held = put_at_place("held");

    cr_assert(rig_wait_state(&rig, &held, "done", 10000), "%s",
              rig_field(&rig, &held, "error"));
    if (converter_had(&rig, &held, "landlock"))
        converter_expect(&rig, &held, "null\n");
    else
        cr_expect(not(has_landlock()));
    struct job_id free = put_at_place("free");
    converter_expect(&rig, &free,
                     "append\nempty\ntruncate\nmkdir\ncreate\nlink\nrename\nnull\n");
}

Test(converter_sandbox, what_a_file_is_beside_its_bytes_stays_too)
{
    make_place(modes);
    rig_up(&rig, "[converter held]\n" RUN_IT "[converter free]\nsandbox = no\n" RUN_IT);
    rig_start(&rig, "a");
    struct job_id held = put_at_place("held"), free = put_at_place("free");

    cr_assert(rig_wait_state(&rig, &held, "done", 10000));
    if (converter_had(&rig, &held, "seccomp"))
        converter_expect(&rig, &held, "end\n");
    else
        cr_expect(not(has_seccomp()));
    cr_assert(rig_wait_state(&rig, &free, "done", 10000));
    cr_expect(not(rig_object_is(&rig, &free, "end\n")));
}

Test(converter_sandbox, there_is_no_network_and_no_socket_of_any_kind)
{
    rig_up(&rig,
           "[converter tcp]\nrun = bash -c 'exec 3<>/dev/tcp/127.0.0.1/9 && echo open; "
           "echo end'\n"
           "[converter v6]\nrun = bash -c 'exec 3<>/dev/udp/::1/9 && echo open; echo "
           "end'\n"
           "[converter udp]\nrun = bash -c 'exec 3<>/dev/udp/127.0.0.1/9 && echo open; "
           "echo end'\n"
           "[converter free]\nsandbox = no\n"
           "run = bash -c 'exec 3<>/dev/udp/127.0.0.1/9 && echo open; echo end'\n"
           "[converter ask]\nrun = sh -c 'redis-cli -s $HOIST_META_SOCKET PING || echo "
           "no'\n"
           "[converter askfree]\nsandbox = no\n"
           "run = sh -c 'redis-cli -s $HOIST_META_SOCKET PING || echo no'\n");
    rig_start(&rig, "a");
    static const char *const names[] = {"tcp", "udp", "v6"};
    for (size_t i = 0; i < 3; i++) {
        struct job_id id = converter_put(&rig, "x", names[i]);
        cr_assert(rig_wait_state(&rig, &id, "done", 10000), "%s", names[i]);
        if (converter_had(&rig, &id, "seccomp"))
            converter_expect(&rig, &id, "end\n");
        else
            cr_expect(not(has_seccomp()));
    }
    struct job_id udp = converter_put(&rig, "x", "free");
    converter_expect(&rig, &udp, "open\nend\n");
    struct rig_job job = {
        .data = "x", .convert = "ask", .meta = {"socket", rig.redis.socket.path}};
    struct job_id ask = rig_put(&rig, &job);
    job.convert = "askfree";
    struct job_id askfree = rig_put(&rig, &job);
    cr_assert(rig_wait_state(&rig, &ask, "done", 10000));
    if (converter_had(&rig, &ask, "seccomp"))
        converter_expect(&rig, &ask, "no\n");
    converter_expect(&rig, &askfree, "PONG\n");
}

Test(converter_sandbox, nothing_leaves_its_process_group)
{
    rig_up(&rig, "[converter daemon]\n"
                 "run = sh -c 'setsid sleep 1000 & sleep 0.2; echo done'\n");
    rig_start(&rig, "a");
    struct job_id id = converter_put(&rig, "x", "daemon");

    converter_expect(&rig, &id, "done\n");
    if (converter_had(&rig, &id, "seccomp"))
        cr_expect(WAIT_UNTIL(converter_processes_of(&id) == 0, 2000));
    else
        cr_expect(not(has_seccomp()));
}

Test(converter_sandbox, one_that_forks_without_end_gets_no_further_than_it_may)
{
    rig_up(&rig, "[converter forks]\nprocesses_max = 10\ntime_limit = 5s\n"
                 "run = sh -c 'i=0; while [ $i -lt 20 ]; do sleep 1000 & i=$((i+1)); "
                 "done; echo all'\n"
                 "[converter few]\nprocesses_max = 30\n"
                 "run = sh -c 'i=0; while [ $i -lt 20 ]; do sleep 1000 & i=$((i+1)); "
                 "done; echo all'\n");
    rig_start(&rig, "a");
    struct job_id few[4];

    for (size_t i = 0; i < 4; i++) /* each is counted by itself */
        few[i] = converter_put(&rig, "x", "few");
    struct job_id id = converter_put(&rig, "x", "forks");
    for (size_t i = 0; i < 4; i++)
        converter_expect(&rig, &few[i], "all\n");
    if (has_userns())
        converter_expect_dead(&rig, &id, "converter", "forks ended with status ");
    else
        converter_expect(&rig, &id, "all\n");
    cr_expect(WAIT_UNTIL(converter_processes_of(&id) == 0, 2000));
}

Test(converter_sandbox, root_is_nobody_there_and_gains_nothing)
{
    char want[64];

    rig_up(&rig,
           "[converter who]\nrun = sh -c 'id -u; grep -E \"^(CapEff|NoNewPrivs)\" "
           "/proc/self/status; ulimit -c'\n");
    rig_start(&rig, "a");
    struct job_id id = converter_put(&rig, "x", "who");

    (void)snprintf(want, sizeof want,
                   "%d\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n0\n",
                   geteuid() == 0 ? 65534 : (int)geteuid());
    cr_assert(rig_wait_state(&rig, &id, "done", 10000));
    if (converter_had(&rig, &id, "userns") && geteuid() != 0)
        (void)snprintf(want, sizeof want,
                       "65534\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n0\n");
    converter_expect(&rig, &id, want);
}
