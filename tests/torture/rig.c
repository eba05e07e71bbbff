#include "tests/torture/rig.h"

#include "tests/support/fcgi_client.h"
#include "tests/support/wait_until.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOG_SIZE = 1 << 20, ARGV_MAX = 32 };

static void die(const char *what, const char *of)
{
    fprintf(stderr, "torture: %s: %s\n", what, of);
    abort();
}

static void map_control(struct rig *rig)
{
    rig->control_file = tmpdir_file(&rig->dir, "control");
    int fd = open(rig->control_file.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof *rig->control) < 0)
        die("cannot make", rig->control_file.path);
    rig->control =
        mmap(NULL, sizeof *rig->control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (rig->control == MAP_FAILED)
        die("cannot map", rig->control_file.path);
}

static void write_config(struct rig *rig)
{
    char text[4096];
    const char *dir = rig->dir.path;

    (void)snprintf(
        text, sizeof text,
        "[redis]\nurl = %s\n[spool]\ndir = %s/spool\nreconcile_seconds = 1\n"
        "[http]\nlisten = %s/f.sock\nthreads = 2\nmax_threads = 8\n"
        "receive_timeout_seconds = 2\nsend_timeout_seconds = 2\n"
        "[destination default]\nurl = file://%s/objects\n"
        "[destination late]\nurl = file://%s/late\n"
        "[destination s3]\nurl = s3://bucket\nendpoint = %s\n"
        "access_key = AKIDEXAMPLE\nsecret_key = secret\n"
        "connect_timeout_seconds = 2\nstall_timeout_seconds = 2\n"
        "answer_timeout_seconds = 2\nconditional = yes\nbreaker_failures = 0\n"
        "[queue default]\nmax_attempts = 10\nretry_base = 20ms\nretry_cap = 50ms\n"
        "[worker]\nlease_ms = 1000\ndrain_seconds = 2\n",
        rig->redis.url, dir, dir, dir, dir, s3_faulty_url(rig->s3));
    rig->config = tmpdir_write(&rig->dir, "hoist.ini", text, strlen(text));
}

void rig_up(struct rig *rig)
{
    struct err e = ERR_INIT;

    redis_fixture_start(&rig->redis);
    tmpdir_make(&rig->dir);
    rig->s3 = s3_faulty_start();
    rig->spool_dir = tmpdir_file(&rig->dir, "spool");
    rig->objects = tmpdir_file(&rig->dir, "objects");
    rig->late = tmpdir_file(&rig->dir, "late");
    rig->socket = tmpdir_file(&rig->dir, "f.sock");
    rig->log = tmpdir_file(&rig->dir, "log");
    map_control(rig);
    write_config(rig);
    struct spool_options options = {.dir = rig->spool_dir.path, .durable = false};
    if (spool_open(&options, &rig->spool, &e) != ERR_OK)
        die("cannot open the spool", e.text);
    struct redis_options r = {.connect_timeout_ms = 2000, .timeout_ms = 2000};
    if (redis_target_parse(rig->redis.url, &r.target, &e) != ERR_OK ||
        redis_open(&r, &rig->client, &e) != ERR_OK)
        die("cannot open redis", e.text);
    redis_target_release(&r.target);
}

void rig_down(struct rig *rig)
{
    redis_close(rig->client);
    spool_close(rig->spool);
    s3_faulty_stop(rig->s3);
    (void)munmap(rig->control, sizeof *rig->control);
    tmpdir_remove(&rig->dir);
    redis_fixture_stop(&rig->redis);
}

static void add(const char *argv[], size_t *count, const char *word)
{
    if (*count == ARGV_MAX - 1)
        die("too many words before", word);
    argv[(*count)++] = word;
    argv[*count] = NULL;
}

void rig_start(struct rig *rig, const struct rig_start *how, struct spawn *ret)
{
    const char *argv[ARGV_MAX] = {NULL}, *env[6] = {NULL};
    char preload[300], control[200], id[64], nofile[32];
    size_t count = 0, vars = 0;

    (void)snprintf(id, sizeof id, "HOIST_WORKER_ID=w%d", ++rig->started);
    env[vars++] = id;
    env[vars++] = "ASAN_OPTIONS=verify_asan_link_order=0:abort_on_error=1:"
                  "detect_leaks=1:allocator_may_return_null=1";
    env[vars++] = "LSAN_OPTIONS=print_suppressions=0";
    if (!how->is_clean) {
        (void)snprintf(preload, sizeof preload, "LD_PRELOAD=%s", rig->preload);
        (void)snprintf(control, sizeof control, TORTURE_VARIABLE "=%s",
                       rig->control_file.path);
        env[vars++] = preload;
        env[vars] = control;
    }
    if (how->nofile > 0) {
        (void)snprintf(nofile, sizeof nofile, "--nofile=%d:", how->nofile);
        add(argv, &count, "prlimit");
        add(argv, &count, nofile);
    }
    for (size_t i = 0; how->prefix && how->prefix[i]; i++)
        add(argv, &count, how->prefix[i]);
    add(argv, &count, how->is_worker ? rig->worker : rig->fcgi);
    add(argv, &count, "--config");
    add(argv, &count, rig->config.path);
    if (truncate(rig->log.path, 0) < 0)
        (void)tmpdir_write(&rig->dir, "log", "", 0);
    spawn_start(ret, &(struct spawn_options){
                         .argv = argv,
                         .env = env,
                         .log_path = how->log_path ? how->log_path : rig->log.path});
}

static bool is_healthy(struct rig *rig)
{
    struct fcgi_client c;

    if (!fcgi_client_try_open(&c, rig->socket.path))
        return false;
    fcgi_client_request(&c, &(struct fcgi_request){.method = "GET", .uri = "/healthz"});
    struct fcgi_response r = fcgi_client_response(&c, 3000);
    bool yes = r.status == 200 && r.ended;
    fcgi_response_release(&r);
    fcgi_client_close(&c);
    return yes;
}

/* Or at work: a registration that fails is made again after a quarter of a minute. */
static bool is_registered(struct rig *rig)
{
    char id[32];

    if (rig_log_has(rig, "msg=\"redis is ready\""))
        return true;
    (void)snprintf(id, sizeof id, "w%d", rig->started);
    char *score = redis_fixture_ask(&rig->redis, "ZSCORE", "hoist:workers", id, NULL);
    bool there = score[0] != '\0';
    free(score);
    return there;
}

bool rig_is_ready(struct rig *rig, bool is_worker, struct spawn *s, int deadline_ms)
{
    return WAIT_UNTIL((is_worker ? is_registered(rig) : is_healthy(rig)) ||
                          !spawn_is_running(s),
                      deadline_ms) &&
           spawn_is_running(s);
}

void rig_disarm(struct rig *rig)
{
    struct torture_control *c = rig->control;

    atomic_store(&c->armed, 0);
    c->calls = 0;
    c->action = TORTURE_PASS;
    c->n = c->many = c->every = 0;
    for (size_t i = 0; i < TORTURE_CALLS; i++)
        atomic_store(&c->seen[i], 0);
    atomic_store(&c->matched, 0);
    atomic_store(&c->hits, 0);
    atomic_store(&c->place_filled, 0);
    atomic_store(&c->place_taken, 0);
    c->place[0] = '\0';
}

void rig_arm(struct rig *rig)
{
    atomic_store(&rig->control->armed, 1);
}

/* Remove the files of a directory, one level. */
static void clear(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *entry;

    while (d && (entry = readdir(d)))
        if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
            (void)unlinkat(dirfd(d), entry->d_name, 0); /* a directory stays */
    if (d)
        (void)closedir(d);
}

void rig_empty(struct rig *rig)
{
    char path[TMPDIR_FILE_MAX + 8];

    free(redis_fixture_ask(&rig->redis, "FLUSHALL", NULL));
    (void)snprintf(path, sizeof path, "%s/jobs", rig->spool_dir.path);
    clear(path);
    (void)snprintf(path, sizeof path, "%s/tmp", rig->spool_dir.path);
    clear(path);
    clear(rig->objects.path);
    clear(rig->late.path);
    s3_faulty_stop(rig->s3); /* it counts connections, and has a maximum */
    rig->s3 = s3_faulty_start();
    write_config(rig);
}

static size_t count_entries(const char *path)
{
    DIR *d = opendir(path);
    size_t count = 0;

    while (d && readdir(d))
        count++;
    if (d)
        (void)closedir(d);
    return count > 2 ? count - 2 : 0; /* . and .. */
}

size_t rig_count(const struct rig *rig, const char *dir)
{
    char path[TMPDIR_FILE_MAX + 32];

    (void)snprintf(path, sizeof path, "%s/%s", rig->dir.path, dir);
    return count_entries(path);
}

size_t rig_descriptors(const struct spawn *s)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)s->pid);
    return s->pid ? count_entries(path) : 0;
}

bool rig_log_has(const struct rig *rig, const char *text)
{
    char *log = calloc(1, LOG_SIZE);
    int fd = open(rig->log.path, O_RDONLY | O_CLOEXEC);

    if (!log)
        die("no memory for", rig->log.path);
    for (ssize_t n, at = 0; fd >= 0 && at < LOG_SIZE - 1; at += n)
        if ((n = read(fd, log + at, (size_t)(LOG_SIZE - 1 - at))) <= 0)
            break;
    bool has = strstr(log, text) != NULL;
    if (fd >= 0)
        (void)close(fd);
    free(log);
    return has;
}
