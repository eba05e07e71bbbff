/* SIGHUP ends neither program, however early it comes: here while each waits at its start for a Redis that says nothing. */
#include "tests/support/spawn.h"
#include "tests/support/tmpdir.h"
#include "tests/support/wait_until.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { DEADLINE_MS = 20000, TRIES = 20 };

static struct tmpdir dir;
static int silent; /* listens, and never answers */
static struct tmpdir_file conf;

static void up(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char text[1024];

    tmpdir_make(&dir);
    memcpy(a.sun_path, tmpdir_file(&dir, "redis").path, sizeof a.sun_path);
    silent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(silent >= 0 && bind(silent, (const struct sockaddr *)&a, sizeof a) == 0 &&
              listen(silent, 100) == 0);
    int n = snprintf(text, sizeof text,
                     "[redis]\nurl = unix://%s/redis\n[spool]\ndir = %s/spool\n"
                     "[http]\nlisten = %s/fcgi\n"
                     "[destination default]\nurl = file://%s\n",
                     dir.path, dir.path, dir.path, dir.path);
    conf = tmpdir_write(&dir, "conf", text, (size_t)n);
}

static void down(void)
{
    (void)close(silent);
    tmpdir_remove(&dir);
}

TestSuite(signals_early, .init = up, .fini = down, .timeout = 120);

/* Whether SIGHUP is ignored, blocked or caught: `what` of /proc/PID/status says so. */
static bool handles(const struct spawn *s, const char *what)
{
    char path[64], line[256];
    uint64_t mask = 0;

    (void)snprintf(path, sizeof path, "/proc/%ld/status", (long)s->pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, what, strlen(what)) == 0)
            mask = strtoull(line + strlen(what), NULL, 16);
    if (f)
        (void)fclose(f);
    return mask & 1U << (SIGHUP - 1);
}

/* Hang up before it is `ready`; it must come to that all the same, and end as told.  False: it was ready already. */
static bool hang_up(const char *exe, const char *ready)
{
    const char *const argv[] = {exe, "--config", conf.path, NULL};
    struct tmpdir_file log = tmpdir_file(&dir, "log");
    struct spawn s;

    spawn_start(&s, &(struct spawn_options){.argv = argv, .log_path = log.path});
    cr_assert(WAIT_UNTIL(handles(&s, "SigIgn:") || handles(&s, ready), DEADLINE_MS));
    spawn_signal(&s, SIGHUP);
    bool early = !handles(&s, ready);
    cr_expect(WAIT_UNTIL(handles(&s, ready) || !spawn_is_running(&s), DEADLINE_MS));
    cr_expect(spawn_is_running(&s), "SIGHUP has ended it");
    spawn_signal(&s, SIGHUP);
    cr_expect(spawn_stop(&s, DEADLINE_MS), "it did not end as told");
    return early;
}

/* The moment is a short one. */
static void hang_up_early(const char *exe, const char *ready)
{
    for (int tries = 0; tries < TRIES; tries++)
        if (hang_up(exe, ready))
            return;
    cr_assert_fail("never met before it was ready");
}

Test(signals_early, a_responder_that_starts_outlives_sighup)
{
    hang_up_early(HOIST_FCGI_BIN, "SigBlk:");
}

Test(signals_early, a_worker_that_starts_outlives_sighup)
{
    hang_up_early(HOIST_WORKER_BIN, "SigCgt:");
}
