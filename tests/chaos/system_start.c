#include "tests/chaos/system.h"

#include "tests/support/wait_until.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE_SIZE = 512 };

/* A server that was killed has left its socket, which is in the way of the next one. */
static void forget_socket(struct system *s, const char *name)
{
    (void)unlink(system_path(s, name)); /* nginx says so if it is still there */
}

static void start_nginx(struct system *s, struct program *p)
{
    char conf[LINE_SIZE], socket[40];
    const char *const argv[] = {"nginx",     "-e", "stderr", "-p",
                                s->dir.path, "-c", conf,     NULL};

    (void)snprintf(conf, sizeof conf, "%s/etc/%s.conf", s->dir.path, p->name);
    (void)snprintf(socket, sizeof socket, "run/%s.sock", p->name);
    forget_socket(s, socket);
    char log[LINE_SIZE];
    (void)snprintf(log, sizeof log, "%s/log/%s.log", s->dir.path, p->name);
    spawn_start(&p->spawn, &(struct spawn_options){.argv = argv, .log_path = log});
}

static void start_s3rver(struct system *s, struct program *p)
{
    char dir[LINE_SIZE], port[16], sick[LINE_SIZE], log[LINE_SIZE];
    static const char script[] = HOIST_SOURCE_DIR "/tests/e2e/node/s3server.js";
    const char *const argv[] = {"node", script,        dir,  "uploads",
                                port,   SYSTEM_SECRET, sick, NULL};

    (void)snprintf(dir, sizeof dir, "%s/s3", s->dir.path);
    (void)snprintf(port, sizeof port, "%d", s->store_port);
    (void)snprintf(sick, sizeof sick, "%s/run/store-sick", s->dir.path);
    (void)snprintf(log, sizeof log, "%s/log/store.log", s->dir.path);
    spawn_start(&p->spawn, &(struct spawn_options){.argv = argv,
                                                   .log_path = log,
                                                   .stdin_fd = s->store_stdin[0]});
}

static void start_redis(struct system *s, struct program *p)
{
    char conf[LINE_SIZE], log[LINE_SIZE];
    const char *const argv[] = {"redis-server", conf, NULL};

    (void)snprintf(conf, sizeof conf, "%s/etc/redis.conf", s->dir.path);
    (void)snprintf(log, sizeof log, "%s/log/redis.log", s->dir.path);
    spawn_start(&p->spawn, &(struct spawn_options){.argv = argv, .log_path = log});
}

/* The clock is preloaded before the sanitizer's library. */
static const char sanitizers[] = "ASAN_OPTIONS=abort_on_error=1:detect_leaks=1:"
                                 "verify_asan_link_order=0";

/* A responder or a worker. */
static void start_ours(struct system *s, struct program *p)
{
    bool worker = p->kind == PROGRAM_WORKER;
    char exe[LINE_SIZE], conf[LINE_SIZE], log[LINE_SIZE], clock[LINE_SIZE];
    const char *const argv[] = {exe, "--config", conf, NULL};
    static const char preload[] = "LD_PRELOAD=" CHAOS_CLOCK_LIBRARY;
    const char *const env[] = {preload, clock, sanitizers,
                               "UBSAN_OPTIONS=print_stacktrace=1", NULL};

    (void)snprintf(exe, sizeof exe, "%s/%s", s->options->build,
                   worker ? "worker/hoist-worker" : "fcgi-app/hoist-fcgi");
    (void)snprintf(conf, sizeof conf, "%s/etc/%s.ini", s->dir.path,
                   worker ? p->name : "responder");
    (void)snprintf(log, sizeof log, "%s/log/%s.log", s->dir.path, p->name);
    (void)snprintf(clock, sizeof clock, "HOIST_CHAOS_CLOCK=%s/run/clock", s->dir.path);
    spawn_start(&p->spawn,
                &(struct spawn_options){.argv = argv,
                                        .env = env,
                                        .dir = s->dir.path,
                                        .log_path = log,
                                        .stdin_fd = worker ? 0 : s->fcgi_fd});
}

void system_start(struct system *s, struct program *p)
{
    p->asked = 0;
    p->start_ms = 0;
    p->starts++;
    p->started_ms = wait_now_ms();
    switch (p->kind) {
    case PROGRAM_REDIS:
        start_redis(s, p);
        break;
    case PROGRAM_STORE:
        if (s->options->store == OPTIONS_S3)
            start_s3rver(s, p);
        else
            start_nginx(s, p);
        break;
    case PROGRAM_WEB:
        start_nginx(s, p);
        break;
    case PROGRAM_RESPONDER:
    case PROGRAM_WORKER:
    case PROGRAM_KINDS:
        start_ours(s, p);
        break;
    }
}

/* Whether somebody listens on a socket of the run. */
static bool listens(const struct system *s, const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s/%s", s->dir.path, name);
    bool yes = fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof a) == 0;
    if (fd >= 0)
        (void)close(fd);
    return yes;
}

/* s3rver says where it listens once it does. */
static bool read_port(struct system *s)
{
    FILE *log = fopen(system_path(s, "log/store.log"), "re");
    char line[64] = "";

    if (!log)
        return false;
    if (fgets(line, sizeof line, log) && strncmp(line, "PORT ", 5) == 0)
        s->store_port = (int)strtol(line + 5, NULL, 10);
    (void)fclose(log); /* only read */
    return s->store_port > 0;
}

bool system_answers(struct system *s, const struct program *p)
{
    switch (p->kind) {
    case PROGRAM_REDIS:
        return system_redis(s, "PING", NULL, 0);
    case PROGRAM_STORE:
        return s->options->store == OPTIONS_S3 ? read_port(s)
                                               : listens(s, "run/store.sock");
    case PROGRAM_WEB:
        return listens(s, "run/web.sock");
    case PROGRAM_RESPONDER:
    case PROGRAM_WORKER:
    case PROGRAM_KINDS:
        break;
    }
    return p->spawn.pid != 0;
}
