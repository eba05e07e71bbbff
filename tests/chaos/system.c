#include "tests/chaos/system.h"

#include "shared/cleanup.h"
#include "tests/chaos/place.h"
#include "tests/chaos/schedule.h"
#include "tests/support/wait_until.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RESTART_MS = 200, UP_MS = 30000, CHILDREN_MAX = 32, STOP_MS = 20000 };

DEFINE_CLEANUP(redisContext *, context_free, redisFree)
DEFINE_CLEANUP(redisReply *, reply_free, freeReplyObject)

static void die(const char *what)
{
    fprintf(stderr, "chaos: %s: %s\n", what, strerror(errno));
    abort();
}

const char *system_path(const struct system *s, const char *name)
{
    static char paths[4][TMPDIR_PATH_MAX + 64];
    static unsigned next;
    char *path = paths[next++ % 4];

    if (snprintf(path, sizeof paths[0], "%s/%s", s->dir.path, name) >=
        (int)sizeof paths[0])
        die(name);
    return path;
}

/* --- Redis --- */

bool system_redis(const struct system *s, const char *command, char *ret, size_t size)
{
    struct timeval limit = {.tv_sec = 1};
    CLEANUP(context_free)
    redisContext *c =
        redisConnectUnixWithTimeout(system_path(s, "run/redis.sock"), limit);
    CLEANUP(reply_free) redisReply *reply = NULL;

    if (c && !c->err && redisSetTimeout(c, limit) == REDIS_OK)
        reply = redisCommand(c, command); /* ours: it holds no % */
    if (ret && reply && reply->str)
        (void)snprintf(ret, size, "%s", reply->str);
    else if (ret && reply)
        (void)snprintf(ret, size, "%lld", reply->integer);
    else if (ret)
        (void)snprintf(ret, size, "%s", c ? c->errstr : "no memory");
    return reply && reply->type != REDIS_REPLY_ERROR;
}

/* --- Processes --- */

struct program *system_program(struct system *s, enum program_kind kind,
                               unsigned number)
{
    struct program *found[SYSTEM_PROGRAMS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < s->program_count; i++)
        if (s->programs[i].kind == kind)
            found[count++] = &s->programs[i];
    return count ? found[number % count] : NULL;
}

static bool is_child_of(const char *name, pid_t parent)
{
    char path[300], text[512];

    (void)snprintf(path, sizeof path, "/proc/%s/stat", name);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f); /* only read */
    text[n] = '\0';
    /* The name may hold anything; after it ") S 123": the state, and the parent. */
    const char *end = strrchr(text, ')');
    return end && strlen(end) > 4 && strtol(end + 4, NULL, 10) == parent;
}

size_t system_children(const struct program *p, pid_t *ret, size_t max)
{
    DIR *proc = p->spawn.pid ? opendir("/proc") : NULL;
    size_t count = 0;

    for (struct dirent *d; proc && count < max && (d = readdir(proc));)
        if (d->d_name[0] >= '1' && d->d_name[0] <= '9' &&
            is_child_of(d->d_name, p->spawn.pid))
            ret[count++] = (pid_t)strtol(d->d_name, NULL, 10);
    if (proc)
        (void)closedir(proc);
    return count;
}

/* Said in `notes`, unless there are enough of them. */
static void note(struct system *s, const struct program *p, const char *what, int n)
{
    if (s->note_count < SYSTEM_NOTES_MAX)
        (void)snprintf(s->notes[s->note_count], sizeof s->notes[0], "%s %s %d", p->name,
                       what, n);
    s->note_count++;
    fprintf(stderr, "chaos: %s %s %d\n", p->name, what, n);
    spawn_show_log(&p->spawn);
}

/* It has been waited for: what does that mean, and when will it be back. */
static void program_ended(struct system *s, struct program *p)
{
    int status = p->spawn.status;

    /* Of two that were sent, either may have been the end. */
    bool ours = p->asked && WIFSIGNALED(status) &&
                (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGKILL);
    if (WIFSIGNALED(status) && !ours)
        note(s, p, "was ended by signal", WTERMSIG(status));
    else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        s->gave_up++;
    p->start_ms = wait_now_ms() + (int64_t)(schedule_draw(&s->dice) % (RESTART_MS + 1));
}

static struct program *find_pid(struct system *s, pid_t pid)
{
    for (size_t i = 0; i < s->program_count; i++)
        if (s->programs[i].spawn.pid == pid)
            return &s->programs[i];
    return NULL;
}

/* Wait for all that has ended: programs, and what they left to us. */
static void reap(struct system *s)
{
    siginfo_t info;

    for (;;) {
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
            return;
        struct program *p = find_pid(s, info.si_pid);
        if (!p)
            (void)waitpid(info.si_pid, NULL, 0);
        else if (spawn_wait(&p->spawn, 1000, NULL))
            program_ended(s, p);
    }
}

void system_tick(struct system *s)
{
    reap(s);
    for (size_t i = 0; i < s->program_count; i++) {
        struct program *p = &s->programs[i];
        if (!p->spawn.pid && !p->held && wait_now_ms() >= p->start_ms)
            system_start(s, p);
    }
}

void system_signal(struct program *p, int signal)
{
    if (signal == SIGTERM || signal == SIGQUIT || signal == SIGKILL)
        p->asked = signal;
    spawn_signal(&p->spawn,
                 signal); /* one that has ended and was not waited for takes it */
}

void system_kill(struct system *s, struct program *p)
{
    pid_t children[CHILDREN_MAX];

    if (!p->spawn.pid)
        return;
    /* Stopped first, so that it makes no new ones. */
    spawn_signal(&p->spawn, SIGSTOP);
    size_t count = system_children(p, children, CHILDREN_MAX);
    for (size_t i = 0; i < count; i++)
        (void)kill(children[i], SIGKILL); /* it may have ended just now */
    p->asked = SIGKILL;
    spawn_kill(&p->spawn);
    s->kills++;
    program_ended(s, p);
}

/* --- Up and down --- */

static void add_programs(struct system *s, enum program_kind kind, const char *name,
                         int count)
{
    for (int i = 1; i <= count; i++) {
        struct program *p = &s->programs[s->program_count++];
        *p = (struct program){.kind = kind, .number = (unsigned)i};
        if (kind == PROGRAM_RESPONDER || kind == PROGRAM_WORKER)
            (void)snprintf(p->name, sizeof p->name, "%s-%d", name, i);
        else
            (void)snprintf(p->name, sizeof p->name, "%s", name);
    }
}

static void make_directories(struct system *s)
{
    static const char *const names[] = {"run",   "etc",     "log",         "tmp",
                                        "redis", "objects", "objects-tmp", "s3",
                                        "disk",  "ledger"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (mkdir(system_path(s, names[i]), 0700) < 0)
            die(names[i]);
    if (s->is_private)
        place_mount(system_path(s, "disk"), SYSTEM_SPOOL_BYTES);
}

static void make_clock(struct system *s)
{
    int fd = open(system_path(s, "run/clock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || ftruncate(fd, sizeof *s->clock_ns) < 0)
        die("clock");
    s->clock_ns =
        mmap(NULL, sizeof *s->clock_ns, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (s->clock_ns == MAP_FAILED)
        die("clock");
    (void)close(fd);
}

static void make_listener(struct system *s)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s/run/fcgi.sock", s->dir.path);
    s->fcgi_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fcgi_fd < 0 || bind(s->fcgi_fd, (const struct sockaddr *)&a, sizeof a) < 0 ||
        listen(s->fcgi_fd, 1024) < 0)
        die("run/fcgi.sock");
}

static struct proxy *make_proxy(const char *target)
{
    struct proxy *p = NULL;
    struct err e = ERR_INIT;

    if (proxy_open("127.0.0.1:0", target, &p, &e) != ERR_OK) {
        fprintf(stderr, "chaos: proxy: %s\n", e.text);
        abort();
    }
    return p;
}

static void await(struct system *s, struct program *p)
{
    if (WAIT_UNTIL(system_answers(s, p), UP_MS))
        return;
    spawn_show_log(&p->spawn);
    fprintf(stderr, "chaos: %s does not answer\n", p->name);
    abort();
}

/* A store first: where it listens is in the settings. */
static void start_store(struct system *s)
{
    char target[TMPDIR_PATH_MAX + 32];

    if (s->options->store == OPTIONS_FILE)
        return;
    struct program *p = system_program(s, PROGRAM_STORE, 0);
    if (s->options->store == OPTIONS_S3) {
        system_start(s, p);
        await(s, p);
        (void)snprintf(target, sizeof target, "127.0.0.1:%d", s->store_port);
    } else {
        (void)snprintf(target, sizeof target, "unix:%s/run/store.sock", s->dir.path);
    }
    s->store_proxy = make_proxy(target);
}

void system_open(struct system *s, const struct options *o, bool is_private)
{
    char target[TMPDIR_PATH_MAX + 32];

    *s = (struct system){
        .options = o, .is_private = is_private, .fcgi_fd = -1, .dice = ~o->seed};
    tmpdir_make(&s->dir);
    make_directories(s);
    make_clock(s);
    make_listener(s);
    if (pipe2(s->store_stdin, O_CLOEXEC) < 0)
        die("pipe");
    add_programs(s, PROGRAM_REDIS, "redis", 1);
    add_programs(s, PROGRAM_STORE, "store", o->store != OPTIONS_FILE);
    add_programs(s, PROGRAM_RESPONDER, "responder", SYSTEM_RESPONDERS);
    add_programs(s, PROGRAM_WORKER, "worker", o->workers);
    add_programs(s, PROGRAM_WEB, "web", 1);
    start_store(s);
    (void)snprintf(target, sizeof target, "unix:%s/run/redis.sock", s->dir.path);
    for (int i = 0; i < o->workers; i++)
        s->redis_proxy[i] = make_proxy(target);
    system_write_files(s);
    for (size_t i = 0; i < s->program_count; i++)
        if (!s->programs[i].spawn.pid) {
            system_start(s, &s->programs[i]);
            await(s, &s->programs[i]);
        }
}

static void stop_program(struct system *s, struct program *p)
{
    if (!p->spawn.pid)
        return;
    system_signal(p, SIGTERM);
    if (spawn_wait(&p->spawn, STOP_MS, NULL)) {
        program_ended(s, p);
        return;
    }
    note(s, p, "does not stop, after ms:", STOP_MS);
    system_kill(s, p);
}

static void stop_kind(struct system *s, enum program_kind kind)
{
    for (size_t i = 0; i < s->program_count; i++)
        if (s->programs[i].kind == kind)
            stop_program(s, &s->programs[i]);
}

void system_stop_ours(struct system *s)
{
    for (size_t i = 0; i < s->program_count; i++)
        s->programs[i].held = true;
    stop_kind(s, PROGRAM_WEB);
    stop_kind(s, PROGRAM_RESPONDER);
    stop_kind(s, PROGRAM_WORKER);
    reap(s);
}

void system_stop(struct system *s)
{
    system_stop_ours(s);
    stop_kind(s, PROGRAM_STORE);
    stop_kind(s, PROGRAM_REDIS);
    reap(s);
}

/* What is on the private disk is gone with the place: a copy for whoever wants to look. */
static void keep_disk(const struct system *s)
{
    char from[TMPDIR_FILE_MAX], to[TMPDIR_FILE_MAX];
    const char *const argv[] = {"cp", "-a", from, to, NULL};
    struct spawn copy;

    (void)snprintf(from, sizeof from, "%s/disk/spool", s->dir.path);
    (void)snprintf(to, sizeof to, "%s/spool", s->dir.path);
    spawn_start(&copy, &(struct spawn_options){.argv = argv});
    if (!spawn_wait(&copy, STOP_MS, NULL))
        spawn_kill(&copy);
}

void system_close(struct system *s, bool keep)
{
    for (int i = 0; i < OPTIONS_WORKERS_MAX; i++)
        proxy_close(s->redis_proxy[i]);
    proxy_close(s->store_proxy);
    (void)close(s->fcgi_fd);
    (void)close(s->store_stdin[0]);
    (void)close(s->store_stdin[1]);
    (void)munmap(s->clock_ns, sizeof *s->clock_ns);
    if (keep && s->is_private)
        keep_disk(s);
    if (s->is_private)
        place_unmount(system_path(s, "disk"));
    if (!keep)
        tmpdir_remove(&s->dir);
}
