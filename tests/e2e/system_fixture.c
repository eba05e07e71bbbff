#include "tests/e2e/system_fixture.h"

#include "shared/cleanup.h"
#include "shared/digest.h"
#include "tests/support/spawn.h"
#include "tests/support/wait_until.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { UP_DEADLINE_MS = 60000, DOWN_DEADLINE_MS = 30000, ENV_MAX = 8, ENV_SIZE = 256 };

struct environment {
    char text[ENV_MAX][ENV_SIZE];
    const char *list[ENV_MAX + 1];
};

static void make_environment(const struct system *s, struct environment *env)
{
    const struct system_options *o = &s->options;
    size_t n = 0;

    memset(env, 0, sizeof *env);
    (void)snprintf(env->text[n++], ENV_SIZE, "HOIST_STATE=%s", s->state);
    (void)snprintf(env->text[n++], ENV_SIZE, "HOIST_LISTEN=%s", s->listen);
    (void)snprintf(env->text[n++], ENV_SIZE, "HOIST_WEB=%s", o->web);
    (void)snprintf(env->text[n++], ENV_SIZE, "HOIST_WORKERS=%d", o->workers);
    (void)snprintf(env->text[n++], ENV_SIZE, "HOIST_BUILD=%s", HOIST_BUILD_DIR);
    if (o->conf)
        (void)snprintf(env->text[n++], ENV_SIZE, "HOIST_CONF=%s/overlay.ini",
                       s->dir.path);
    for (size_t i = 0; i < n; i++)
        env->list[i] = env->text[i];
}

static void run_script(const struct system *s, const char *const *argv, int deadline_ms)
{
    struct environment env;
    struct spawn script;
    char log[128];
    int status = -1;

    make_environment(s, &env);
    (void)snprintf(log, sizeof log, "%s/script.log", s->dir.path);
    spawn_start(&script, &(struct spawn_options){
                             .argv = argv, .env = env.list, .log_path = log});
    bool ended = spawn_wait(&script, deadline_ms, &status);
    if (!ended || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        spawn_show_log(&script);
        spawn_kill(&script);
        cr_assert_fail("%s %s", argv[0], ended ? "failed" : "did not end in time");
    }
}

/* A process of its own group that outlives a crash of the test and then takes the servers down. */
static void start_guard(struct system *s)
{
    struct environment env;
    int ends[2];

    make_environment(s, &env);
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    s->guard = fork();
    cr_assert_geq(s->guard, 0);
    if (s->guard == 0) {
        char byte;
        (void)setsid();
        (void)dup2(ends[0], 3);
        (void)close_range(4, ~0U, 0); /* the pipes of other guards too */
        for (int fd = 0; fd < 3; fd++)
            (void)dup2(open("/dev/null", O_RDWR | O_CLOEXEC), fd);
        while (read(3, &byte, 1) < 0 && errno == EINTR)
            ;
        for (size_t i = 0; env.list[i]; i++)
            (void)putenv(env.text[i]);
        (void)execl(HOIST_SOURCE_DIR "/deploy/down", "down", "--purge", (char *)NULL);
        _exit(127);
    }
    (void)close(ends[0]);
    s->guard_fd = ends[1];
}

static void find_port(struct system *s)
{
    char path[128], line[512];

    (void)snprintf(path, sizeof path, "%s/script.log", s->dir.path);
    FILE *f = fopen(path, "re");
    cr_assert_not_null(f);
    while (fgets(line, sizeof line, f)) {
        const char *at = strstr(line, "http://127.0.0.1:");
        unsigned port;
        if (at && sscanf(at + strlen("http://127.0.0.1:"), "%u", &port) == 1 &&
            port > 0) {
            (void)snprintf(s->listen, sizeof s->listen, "127.0.0.1:%u", port);
            break;
        }
    }
    (void)fclose(f);
    cr_assert_str_neq(s->listen, "127.0.0.1:0", "deploy/up printed no address");
}

/* lighttpd does not say who is at the other end of a unix socket, so that nobody is local there. */
static bool is_on_port(const struct system *s)
{
    return strcmp(s->options.web, "nginx") != 0;
}

void system_up(struct system *s, const struct system_options *o)
{
    memset(s, 0, sizeof *s);
    s->options = *o;
    if (!s->options.web)
        s->options.web = "nginx";
    if (s->options.workers == 0)
        s->options.workers = 1;
    if (s->options.workers < 0)
        s->options.workers = 0;
    tmpdir_make(&s->dir);
    (void)snprintf(s->state, sizeof s->state, "%s/state", s->dir.path);
    if (is_on_port(s))
        (void)snprintf(s->listen, sizeof s->listen, "127.0.0.1:0");
    else
        (void)snprintf(s->listen, sizeof s->listen, "unix:%s/web.sock", s->dir.path);
    if (o->conf)
        (void)tmpdir_write(&s->dir, "overlay.ini", o->conf, strlen(o->conf));
    start_guard(s);
    const char *const up[] = {HOIST_SOURCE_DIR "/deploy/up", "--no-sample", NULL};
    run_script(s, up, UP_DEADLINE_MS);
    if (is_on_port(s))
        find_port(s);
    http_open(&s->http, s->listen);
}

void system_again(struct system *s)
{
    const char *const up[] = {HOIST_SOURCE_DIR "/deploy/up", "--no-sample", NULL};

    run_script(s, up, UP_DEADLINE_MS);
}

void system_down(struct system *s)
{
    int status = -1;

    if (s->guard <= 0)
        return;
    http_close(&s->http);
    (void)close(s->guard_fd);
    bool ended =
        WAIT_UNTIL(waitpid(s->guard, &status, WNOHANG) == s->guard, DOWN_DEADLINE_MS);
    s->guard = 0;
    cr_expect(ended && WIFEXITED(status) && WEXITSTATUS(status) == 0,
              "deploy/down --purge failed");
    tmpdir_remove(&s->dir);
}

pid_t system_pid(const struct system *s, const char *name)
{
    char path[160];
    long pid = 0;

    (void)snprintf(path, sizeof path, "%s/run/%s.pid", s->state, name);
    FILE *f = fopen(path, "re");
    cr_assert_not_null(f, "%s: %s", path, strerror(errno));
    cr_assert_eq(fscanf(f, "%ld", &pid), 1);
    (void)fclose(f);
    cr_assert_gt(pid, 1);
    return (pid_t)pid;
}

void system_kill(const struct system *s, const char *name)
{
    pid_t pid = system_pid(s, name);

    cr_assert_eq(kill(pid, SIGKILL), 0);
    cr_assert(WAIT_UNTIL(kill(pid, 0) != 0 && errno == ESRCH, 5000), "%s lives on",
              name);
}

void system_redis(const struct system *s, char *ret_out, size_t size, const char *words)
{
    char command[512];

    (void)snprintf(command, sizeof command, "exec redis-cli -s %s/run/redis.sock %s",
                   s->state, words);
    FILE *p = popen(command, "re");
    cr_assert_not_null(p);
    size_t n = fread(ret_out, 1, size - 1, p);
    ret_out[n] = '\0';
    while (n > 0 && ret_out[n - 1] == '\n')
        ret_out[--n] = '\0';
    cr_assert_eq(pclose(p), 0, "redis-cli %s: %s", words, ret_out);
}

void system_wait_state(struct system *s, const char *id, const char *want,
                       long deadline_ms)
{
    char path[160], state[32] = "", last[1024] = "";
    int64_t end = wait_now_ms() + deadline_ms;

    do {
        struct http_answer a = HTTP_ANSWER_INIT;
        (void)snprintf(path, sizeof path, "/v1/jobs/%s?wait=1", id);
        http_send(&s->http, &(struct http_request){.method = "GET", .path = path}, &a);
        if (a.status == 200)
            (void)http_json_get(a.body.data, "state", state, sizeof state);
        (void)snprintf(last, sizeof last, "%ld %s%s", a.status, a.body.data, a.error);
        http_answer_release(&a);
        if (strcmp(state, want) == 0)
            return;
    } while (wait_now_ms() < end && strcmp(state, "done") != 0 &&
             strcmp(state, "dead") != 0 && strcmp(state, "cancelled") != 0);
    cr_assert_fail("job %s did not become %s: %s", id, want, last);
}

static size_t files_found;

static int count_file(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)path, (void)st, (void)ftw;
    files_found += type == FTW_F;
    return 0;
}

size_t system_count_files(const struct system *s, const char *below)
{
    char path[192];

    (void)snprintf(path, sizeof path, "%s/%s", s->state, below);
    files_found = 0;
    (void)nftw(path, count_file, 8,
               FTW_PHYS); /* a directory that is not there has no files */
    return files_found;
}

void system_make_file(const struct system *s, const char *name, size_t size,
                      unsigned seed, char ret_path[256])
{
    static uint32_t block[16384];
    uint32_t x = seed * 2654435761U + 1;

    (void)snprintf(ret_path, 256, "%s/%s", s->dir.path, name);
    FILE *f = fopen(ret_path, "we");
    cr_assert_not_null(f);
    for (size_t left = size; left > 0;) {
        for (size_t i = 0; i < sizeof block / sizeof block[0]; i++) {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            block[i] = x;
        }
        size_t n = left < sizeof block ? left : sizeof block;
        cr_assert_eq(fwrite(block, 1, n, f), n);
        left -= n;
    }
    cr_assert_eq(fclose(f), 0);
}

void file_sha256(const char *path, char ret_hex[65])
{
    CLEANUP(digest_sha256_release) struct digest_sha256 d = DIGEST_SHA256_INIT;
    static unsigned char chunk[1 << 18];
    unsigned char sum[DIGEST_SHA256_BYTES];
    struct err e = ERR_INIT;
    size_t n;
    FILE *f = fopen(path, "re");

    cr_assert_not_null(f, "%s: %s", path, strerror(errno));
    cr_assert_eq(digest_sha256_init(&d, &e), ERR_OK);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        digest_sha256_update(&d, chunk, n);
    (void)fclose(f);
    cr_assert_eq(digest_sha256_final(&d, sum, &e), ERR_OK);
    digest_hex_encode(sum, sizeof sum, ret_hex);
}
