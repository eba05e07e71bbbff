#include "tests/e2e/starts_rig.h"

#include "tests/e2e/steps.h"
#include "tests/support/wait_until.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARGS_MAX = 24, TEXT_SIZE = 16 * 1024 };

#define MODULES "/usr/lib/apache2/modules"

struct starts_rig starts;

/* --- Everything runs as one user, whose the spool is: Apache's, where the test is root --- */

static void give(const char *path)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam("www-data") : NULL;

    if (user)
        cr_assert_eq(lchown(path, user->pw_uid, user->pw_gid), 0, "%s", path);
}

static void make_dir(const char *name)
{
    char path[160];

    (void)snprintf(path, sizeof path, "%s/%s", starts.system.dir.path, name);
    cr_assert_eq(mkdir(path, 0700), 0, "%s", path);
    give(path);
}

/* argv as it is to be run: by setpriv where the test is root. */
static void as_user(const char *const *argv, const char *ret[ARGS_MAX])
{
    static const char *const drop[] = {"setpriv",          "--reuid=www-data",
                                       "--regid=www-data", "--clear-groups",
                                       "--pdeathsig=KILL", "--"};
    size_t n = 0;

    for (size_t i = 0; geteuid() == 0 && i < sizeof drop / sizeof drop[0]; i++)
        ret[n++] = drop[i];
    for (size_t i = 0; argv[i] && n < ARGS_MAX - 1; i++)
        ret[n++] = argv[i];
    ret[n] = NULL;
}

static void start(struct spawn *p, const char *const *argv, const char *log_name)
{
    const char *full[ARGS_MAX];
    struct tmpdir_file log = tmpdir_file(&starts.system.dir, log_name);

    as_user(argv, full);
    spawn_start(p, &(struct spawn_options){.argv = full, .log_path = log.path});
}

/* A starts.program where that user can run it, wherever the build is. */
static void copy_program(const char *from, const char *name)
{
    struct tmpdir_file to = tmpdir_file(&starts.system.dir, name);
    const char *const argv[] = {"cp", from, to.path, NULL};
    struct spawn cp;
    int status = -1;

    spawn_start(&cp, &(struct spawn_options){.argv = argv});
    cr_assert(spawn_wait(&cp, 20000, &status) && status == 0);
    give(to.path);
}

static void write_config(const char *more)
{
    char text[2048];

    (void)snprintf(text, sizeof text,
                   "[redis]\nurl = unix://%s/run/redis.sock\n[spool]\ndir = %s/spool\n"
                   "[http]\nlisten = %s/fcgi.sock\n[queue default]\n"
                   "[queue small]\nmax_bytes = 1K\n"
                   "[destination default]\nurl = file://%s/objects\n%s",
                   starts.system.state, starts.system.state, starts.system.dir.path,
                   starts.system.state, more);
    give(tmpdir_write(&starts.system.dir, "hoist.ini", text, strlen(text)).path);
}

void starts_want_token(void)
{
    write_config(STEPS_AUTH);
}

void starts_up(void)
{
    char socket[160];

    tmpdir_make(&starts.system.dir);
    give(starts.system.dir.path);
    (void)snprintf(starts.system.state, sizeof starts.system.state, "%s/state",
                   starts.system.dir.path);
    (void)snprintf(starts.config, sizeof starts.config, "%s/hoist.ini",
                   starts.system.dir.path);
    (void)snprintf(starts.program, sizeof starts.program, "%s/bin/hoist-fcgi",
                   starts.system.dir.path);
    (void)snprintf(starts.web_log, sizeof starts.web_log, "%s/web.log",
                   starts.system.dir.path);
    give(tmpdir_write(&starts.system.dir, "web.log", "", 0).path);
    (void)snprintf(socket, sizeof socket, "%s/run/redis.sock", starts.system.state);
    for (const char *const *d =
             (const char *const[]){"bin", "tmp", "state", "state/run", NULL};
         *d; d++)
        make_dir(*d);
    copy_program(HOIST_BUILD_DIR "/fcgi-app/hoist-fcgi", "bin/hoist-fcgi");
    copy_program(HOIST_BUILD_DIR "/worker/hoist-worker", "bin/hoist-worker");
    write_config("");
    start(&starts.redis,
          (const char *const[]){"redis-server", "--port", "0", "--unixsocket", socket,
                                "--save", "", "--appendonly", "no", NULL},
          "redis.log");
    cr_assert(WAIT_UNTIL(access(socket, F_OK) == 0, 10000), "redis does not start");
    struct tmpdir_file worker_bin = tmpdir_file(&starts.system.dir, "bin/hoist-worker");
    start(&starts.worker,
          (const char *const[]){worker_bin.path, "--config", starts.config, NULL},
          "worker.log");
}

void starts_down(void)
{
    family_stop(&starts.web);
    if (starts.system.http.easy)
        http_close(&starts.system.http);
    (void)spawn_stop(&starts.worker, 20000);
    (void)spawn_stop(&starts.redis, 10000);
    tmpdir_remove(&starts.system.dir);
}

/* --- The files of deploy/ --- */

static void replace_all(char text[TEXT_SIZE], const char *from, const char *to)
{
    static char copy[TEXT_SIZE];
    char *at = text;

    while ((at = strstr(at, from))) {
        memcpy(copy, text, TEXT_SIZE);
        size_t before = (size_t)(at - text);
        int n =
            snprintf(at, TEXT_SIZE - before, "%s%s", to, copy + before + strlen(from));
        cr_assert((size_t)n < TEXT_SIZE - before);
        at += strlen(to);
    }
}

/* Its text after head, with the paths of this test. */
static void write_web(const char *head, const char *file)
{
    static char text[TEXT_SIZE];
    char path[256], bin[160];
    size_t n = (size_t)snprintf(text, sizeof text, "%s\n", head);

    (void)snprintf(path, sizeof path, "%s/deploy/%s", HOIST_SOURCE_DIR, file);
    (void)snprintf(bin, sizeof bin, "%s/bin", starts.system.dir.path);
    FILE *f = fopen(path, "re");
    cr_assert_not_null(f, "%s", path);
    n += fread(text + n, 1, sizeof text - 1 - n, f);
    text[n] = '\0';
    (void)fclose(f);
    cr_assert_not_null(strstr(text, "/usr/bin/hoist-fcgi"));
    replace_all(text, "/usr/bin", bin);
    replace_all(text, "/etc/hoist/hoist.ini", starts.config);
    give(tmpdir_write(&starts.system.dir, "web.conf", text, strlen(text)).path);
}

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert(bind(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
              getsockname(fd, (struct sockaddr *)&a, &len) == 0);
    (void)close(fd);
    return ntohs(a.sin_port);
}

static bool answers(void)
{
    struct http_answer a = HTTP_ANSWER_INIT;

    http_send(&starts.system.http,
              &(struct http_request){.method = "GET", .path = "/healthz"}, &a);
    bool yes = a.status == 200;
    http_answer_release(&a);
    return yes || !family_is_running(&starts.web);
}

static void show_log(void)
{
    struct spawn of_web = {.pid = 0};

    (void)snprintf(of_web.log_path, sizeof of_web.log_path, "%s", starts.web_log);
    spawn_show_log(&of_web);
}

/* False: it ended, as when somebody else had the port first. */
static bool start_web(const char *const *argv)
{
    const char *full[ARGS_MAX];

    as_user(argv, full);
    family_start(&starts.web, full, NULL, starts.web_log);
    if (starts.system.http.easy)
        http_close(&starts.system.http);
    http_open(&starts.system.http, starts.system.listen);
    return WAIT_UNTIL(answers(), 20000) && family_is_running(&starts.web);
}

/* head(): what stands before the file of deploy/, for this port. */
static void start_on_port(const char *file, const char *const *argv,
                          void (*head)(char *ret, size_t size, int port),
                          const char *more)
{
    char text[2048];
    bool runs = false;

    for (int tries = 0; tries < 3 && !runs; tries++) {
        int port = free_port();
        head(text, sizeof text, port);
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof text - len, "%s", more);
        (void)snprintf(starts.system.listen, sizeof starts.system.listen,
                       "127.0.0.1:%d", port);
        write_web(text, file);
        runs = start_web(argv);
    }
    if (!runs)
        show_log();
    cr_assert(runs, "%s does not start with deploy/%s", argv[0], file);
}

static void apache_head(char *ret, size_t size, int port)
{
    const char *dir = starts.system.dir.path;

    (void)snprintf(
        ret, size,
        "ServerRoot %s\nDefaultRuntimeDir %s/tmp\nMutex file:%s/tmp default\n"
        "PidFile %s/web.pid\nErrorLog %s\nServerName hoist\n"
        "Listen 127.0.0.1:%d\n"
        "LoadModule mpm_event_module " MODULES "/mod_mpm_event.so\n"
        "LoadModule authz_core_module " MODULES "/mod_authz_core.so\n"
        "LoadModule alias_module " MODULES "/mod_alias.so\n"
        "LoadModule env_module " MODULES "/mod_env.so\n",
        dir, dir, dir, dir, starts.web_log, port);
}

static void lighttpd_head(char *ret, size_t size, int port)
{
    const char *dir = starts.system.dir.path;

    (void)snprintf(ret, size,
                   "server.modules = ( )\nserver.document-root = \"%s/tmp\"\n"
                   "server.upload-dirs = ( \"%s/tmp\" )\n"
                   "server.bind = \"127.0.0.1\"\nserver.port = %d\n",
                   dir, dir, port);
}

void starts_apache(const char *file, const char *more)
{
    struct tmpdir_file conf = tmpdir_file(&starts.system.dir, "web.conf");
    const char *const argv[] = {"apache2", "-f", conf.path, "-D", "FOREGROUND", NULL};

    start_on_port(file, argv, apache_head, more);
}

void starts_lighttpd(const char *file)
{
    struct tmpdir_file conf = tmpdir_file(&starts.system.dir, "web.conf");
    const char *const argv[] = {"lighttpd", "-D", "-f", conf.path, NULL};

    start_on_port(file, argv, lighttpd_head, "");
}

/* Of web.conf. */
static void remove_line(const char *text)
{
    static char all[TEXT_SIZE];
    struct tmpdir_file conf = tmpdir_file(&starts.system.dir, "web.conf");
    FILE *f = fopen(conf.path, "re");

    cr_assert_not_null(f);
    all[fread(all, 1, sizeof all - 1, f)] = '\0';
    (void)fclose(f);
    char *at = strstr(all, text);
    cr_assert_not_null(at, "there is no%s", text);
    char *end = strchr(at + 1, '\n');
    cr_assert_not_null(end);
    memmove(at, end, strlen(end) + 1);
    give(tmpdir_write(&starts.system.dir, "web.conf", all, strlen(all)).path);
}

void starts_apache_again(const char *without)
{
    struct tmpdir_file conf = tmpdir_file(&starts.system.dir, "web.conf");
    const char *const argv[] = {"apache2", "-f", conf.path, "-D", "FOREGROUND", NULL};

    family_stop(&starts.web);
    if (without)
        remove_line(without);
    cr_assert(start_web(argv));
}

void starts_run(const char *const *argv, const char *const *env)
{
    const char *full[ARGS_MAX];

    as_user(argv, full);
    family_start(&starts.web, full, env, starts.web_log);
}
