#include "tests/chaos/faults_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_stopped(pid_t pid)
{
    char path[64], state = '\0';

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = pid ? fopen(path, "re") : NULL;
    bool known = f && fscanf(f, "%*d (%*[^)]) %c", &state) == 1;
    if (f)
        (void)fclose(f);
    return known && state == 'T';
}

/* One that is stopped is not told: it would obey when it goes on, which nobody expects then. */
static bool say(struct system *s, struct fault *f, const char *command)
{
    (void)snprintf(f->target, sizeof f->target, "redis");
    return !is_stopped(system_program(s, PROGRAM_REDIS, 0)->spawn.pid) &&
           system_redis(s, command, NULL, 0);
}

/* What has an end: one that runs and does not answer may have obeyed, or be about to, and must be told of the end, too. */
static bool order(struct system *s, struct fault *f, const char *command)
{
    pid_t pid = system_program(s, PROGRAM_REDIS, 0)->spawn.pid;

    return say(s, f, command) || (pid && !is_stopped(pid));
}

bool fault_flushall(struct system *s, struct fault *f)
{
    return say(s, f, "FLUSHALL");
}

bool fault_flush_scripts(struct system *s, struct fault *f)
{
    return say(s, f, "SCRIPT FLUSH") && say(s, f, "FUNCTION FLUSH");
}

bool fault_cut_clients(struct system *s, struct fault *f)
{
    return say(s, f, "CLIENT KILL TYPE normal");
}

bool fault_full_redis(struct system *s, struct fault *f)
{
    return order(s, f, "CONFIG SET maxmemory 1");
}

/* A Redis that is down or stopped cannot be told: later. */
bool fault_redis_has_room(struct system *s, struct fault *f)
{
    return say(s, f, "CONFIG SET maxmemory 0");
}

bool fault_readonly_redis(struct system *s, struct fault *f)
{
    return order(s, f, "REPLICAOF 127.0.0.1 1");
}

bool fault_writable_redis(struct system *s, struct fault *f)
{
    return say(s, f, "REPLICAOF NO ONE");
}

/* --- Older data --- */

static bool copy_file(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t n = out < 0 ? -1 : 1;

    while (n > 0)
        n = sendfile(out, in, NULL, 1 << 20);
    if (in >= 0)
        (void)close(in);
    if (out >= 0 && close(out) < 0)
        n = -1;
    return n == 0;
}

static bool write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");

    if (!f)
        return false;
    bool written = fputs(text, f) >= 0;
    return fclose(f) == 0 && written;
}

/* The dump before the last one is kept: a rollback goes back by up to two of these. */
void fault_save_redis(struct system *s)
{
    (void)rename(system_path(s, "redis/dump.rdb"),
                 system_path(s, "redis/older.rdb")); /* there is none at first */
    (void)system_redis(s, "BGSAVE", NULL, 0);        /* the next one will do as well */
}

static void empty_directory(const char *path)
{
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = dir < 0 ? NULL : fdopendir(dir);

    if (!d) {
        if (dir >= 0)
            (void)close(dir);
        return;
    }
    for (struct dirent *entry; (entry = readdir(d));)
        if (entry->d_name[0] != '.')
            (void)unlinkat(dir, entry->d_name, 0); /* what stays is overwritten */
    (void)closedir(d);
}

/* Kill it, and make a dump of earlier the base of its append-only file. */
bool fault_rollback(struct system *s, struct fault *f)
{
    struct program *redis = system_program(s, PROGRAM_REDIS, 0);
    const char *dump =
        system_path(s, f->event.dice & 1 ? "redis/older.rdb" : "redis/dump.rdb");

    (void)snprintf(f->target, sizeof f->target, "redis");
    if (!redis->spawn.pid || access(dump, R_OK) < 0)
        return false;
    system_kill(s, redis);
    empty_directory(system_path(s, "redis/appendonlydir"));
    if (!copy_file(dump,
                   system_path(s, "redis/appendonlydir/appendonly.aof.1.base.rdb")) ||
        !write_text(system_path(s, "redis/appendonlydir/appendonly.aof.1.incr.aof"),
                    "") ||
        !write_text(system_path(s, "redis/appendonlydir/appendonly.aof.manifest"),
                    "file appendonly.aof.1.base.rdb seq 1 type b\n"
                    "file appendonly.aof.1.incr.aof seq 1 type i\n"))
        fprintf(stderr, "chaos: cannot roll Redis back: %s\n", strerror(errno));
    return true;
}
