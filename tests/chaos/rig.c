#include "tests/chaos/rig.h"

#include "shared/cleanup.h"
#include "shared/queue.h"
#include "shared/spool.h"
#include "tests/support/wait_until.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { UP_MS = 10000, REDIS_MS = 2000, CONFIG_MAX = 4096 };

static void die(const char *what)
{
    fprintf(stderr, "rig: %s: %s\n", what, strerror(errno));
    abort();
}

/* --- Files --- */

static void write_config(struct rig *r)
{
    const struct rig_options *o = &r->options;
    char text[CONFIG_MAX], to[512];

    if (o->endpoint)
        (void)snprintf(to, sizeof to,
                       "url = s3://bucket\nendpoint = %s\naccess_key = AKIDEXAMPLE\n"
                       "secret_key = secret\nconnect_timeout_seconds = 2\n"
                       "stall_timeout_seconds = 5\nanswer_timeout_seconds = 30\n"
                       "conditional = yes\n",
                       o->endpoint);
    else
        (void)snprintf(to, sizeof to, "url = file://%s\n", r->objects.path);
    int len = snprintf(
        text, sizeof text,
        "[redis]\nurl = %s\n[spool]\ndir = %s\nreconcile_seconds = %d\n"
        "[http]\nlisten = %s\nsocket_mode = 0666\n"
        "[destination default]\n%s[queue default]\nretry_base = 20ms\n"
        "retry_cap = 200ms\nmax_attempts = 1000\n[worker]\nlease_ms = %lld\n",
        r->redis_url, r->spool.path, o->reconcile_seconds ? o->reconcile_seconds : 1,
        r->fcgi_socket.path, to, (long long)(o->lease_ms ? o->lease_ms : 10000));
    if (len < 0 || len >= CONFIG_MAX)
        die("hoist.ini is too long");
    r->config = tmpdir_write(&r->dir, "hoist.ini", text, (size_t)len);
}

static void write_nginx(struct rig *r)
{
    static const char *const params[] = {
        "REQUEST_METHOD $request_method", "REQUEST_URI $request_uri",
        "QUERY_STRING $query_string",     "CONTENT_TYPE $content_type",
        "CONTENT_LENGTH $content_length", "SERVER_PROTOCOL $server_protocol",
        "SERVER_NAME $server_name",       "REMOTE_ADDR $remote_addr"};
    char text[CONFIG_MAX];

    int len =
        snprintf(text, sizeof text,
                 "daemon off;\nmaster_process off;\nuser root;\npid %s/nginx.pid;\n"
                 "error_log stderr crit;\nevents { worker_connections 256; }\n"
                 "http {\naccess_log off;\nclient_body_temp_path %s/body;\n"
                 "fastcgi_temp_path %s/fastcgi;\nproxy_temp_path %s/proxy;\n"
                 "scgi_temp_path %s/scgi;\nuwsgi_temp_path %s/uwsgi;\n"
                 "server {\nlisten unix:%s;\nlocation / {\nfastcgi_pass unix:%s;\n"
                 "client_max_body_size 0;\nfastcgi_request_buffering off;\n"
                 "fastcgi_next_upstream off;\n",
                 r->dir.path, r->dir.path, r->dir.path, r->dir.path, r->dir.path,
                 r->dir.path, r->web.path, r->fcgi_socket.path);
    for (size_t i = 0; i < sizeof params / sizeof params[0]; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, "fastcgi_param %s;\n",
                        params[i]);
    len += snprintf(text + len, sizeof text - (size_t)len, "}\n}\n}\n");
    (void)tmpdir_write(&r->dir, "nginx.conf", text, (size_t)len);
}

static struct tmpdir_file path_of(const struct rig *r, const char *given,
                                  const char *name)
{
    struct tmpdir_file f = tmpdir_file(&r->dir, name);

    if (given && snprintf(f.path, sizeof f.path, "%s", given) >= (int)sizeof f.path)
        die("a path is too long");
    return f;
}

void rig_init(struct rig *r, const struct rig_options *o)
{
    *r = (struct rig){.options = *o};
    tmpdir_make(&r->dir);
    r->spool = path_of(r, o->spool, "spool");
    r->objects = path_of(r, o->objects, "objects");
    r->web = tmpdir_file(&r->dir, "web.sock");
    r->fcgi_socket = tmpdir_file(&r->dir, "f.sock");
    r->redis_socket = tmpdir_file(&r->dir, "r.sock");
    r->log = tmpdir_file(&r->dir, "log");
    (void)snprintf(r->redis_url, sizeof r->redis_url, "unix://%s",
                   r->redis_socket.path);
    (void)snprintf(r->address, sizeof r->address, "unix:%s", r->web.path);
    write_config(r);
    write_nginx(r);
}

void rig_release(struct rig *r, bool keep)
{
    rig_kill(r);
    spawn_kill(&r->nginx);
    if (!keep)
        tmpdir_remove(&r->dir);
}

/* --- Programs --- */

static bool listens(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    CLEANUP(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(a.sun_path, path, strlen(path) + 1); /* a tmpdir_file fits */
    return fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof a) == 0;
}

/* False: it does not come up. */
static bool try_start(struct rig *r, struct spawn *s, const char *const *argv,
                      const char *socket, const char *preload)
{
    char setting[512];
    const char *env[] = {setting, NULL};

    if (preload)
        (void)snprintf(setting, sizeof setting, "LD_PRELOAD=%s", preload);
    if (socket)
        (void)unlink(socket); /* of the one that was killed */
    spawn_start(s, &(struct spawn_options){.argv = argv,
                                           .log_path = r->log.path,
                                           .env = preload ? env : NULL});
    return !socket || (WAIT_UNTIL(listens(socket) || !spawn_is_running(s), UP_MS) &&
                       listens(socket));
}

static void start(struct rig *r, struct spawn *s, const char *const *argv,
                  const char *socket, const char *preload)
{
    if (try_start(r, s, argv, socket, preload))
        return;
    spawn_show_log(s);
    die(argv[0]);
}

static bool pongs(struct rig *r)
{
    char text[16];

    return rig_ask(r, "PING", NULL, text, sizeof text) && strcmp(text, "PONG") == 0;
}

static struct redis *open_client(const char *url)
{
    struct redis_options o = {.connect_timeout_ms = REDIS_MS, .timeout_ms = REDIS_MS};
    struct redis *client = NULL;
    struct err e = ERR_INIT;

    if (redis_target_parse(url, &o.target, &e) || redis_open(&o, &client, &e)) {
        fprintf(stderr, "rig: %s\n", e.text);
        abort();
    }
    redis_target_release(&o.target);
    return client;
}

/* What Redis says is to be done about an append-only file it does not understand. */
static void repair_aof(struct rig *r)
{
    char manifest[TMPDIR_FILE_MAX + 64];
    struct tmpdir_file yes = tmpdir_write(&r->dir, "yes", "y\ny\n", 4);
    const char *argv[] = {"redis-check-aof", "--fix", manifest, NULL};
    struct spawn fix;
    int status = -1;

    (void)snprintf(manifest, sizeof manifest,
                   "%s/appendonlydir/appendonly.aof.manifest", r->options.redis_dir);
    CLEANUP(fd_close) int in = open(yes.path, O_RDONLY | O_CLOEXEC);
    spawn_start(&fix, &(struct spawn_options){
                          .argv = argv, .log_path = r->log.path, .stdin_fd = in});
    if (!spawn_wait(&fix, UP_MS, &status) || status != 0) {
        spawn_show_log(&fix);
        die("redis-check-aof --fix");
    }
    r->aof_repairs++;
}

static bool redis_comes_up(struct rig *r, const char *const *argv)
{
    return try_start(r, &r->redis, argv, r->redis_socket.path, NULL) &&
           WAIT_UNTIL(pongs(r) || !spawn_is_running(&r->redis), UP_MS) && pongs(r);
}

void rig_start_redis(struct rig *r)
{
    const char *dir = r->options.redis_dir;
    const char *argv[] = {"redis-server",
                          "--port",
                          "0",
                          "--unixsocket",
                          r->redis_socket.path,
                          "--save",
                          "",
                          "--appendonly",
                          dir ? "yes" : "no",
                          "--appendfsync",
                          "everysec",
                          "--dir",
                          dir ? dir : r->dir.path,
                          NULL};

    r->client = open_client(r->redis_url);
    if (redis_comes_up(r, argv))
        return;
    if (dir) {
        spawn_kill(&r->redis);
        repair_aof(r);
        if (redis_comes_up(r, argv))
            return;
    }
    spawn_show_log(&r->redis);
    die("redis-server");
}

void rig_start_fcgi(struct rig *r, const char *preload)
{
    char program[512];
    const char *argv[] = {program, "--config", r->config.path, NULL};

    (void)snprintf(program, sizeof program, "%s/fcgi-app/hoist-fcgi", r->options.build);
    start(r, &r->fcgi, argv, r->fcgi_socket.path, preload);
}

void rig_start_nginx(struct rig *r)
{
    struct tmpdir_file conf = tmpdir_file(&r->dir, "nginx.conf");
    const char *argv[] = {"nginx",     "-e", "stderr",  "-p",
                          r->dir.path, "-c", conf.path, NULL};

    start(r, &r->nginx, argv, r->web.path, NULL);
}

void rig_start_worker(struct rig *r, unsigned which)
{
    char program[512];
    const char *argv[] = {program, "--config", r->config.path, NULL};

    (void)snprintf(program, sizeof program, "%s/worker/hoist-worker", r->options.build);
    start(r, &r->workers[which], argv, NULL, NULL);
}

void rig_kill(struct rig *r)
{
    struct spawn *all[] = {&r->fcgi, &r->redis, &r->workers[0], &r->workers[1]};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        spawn_signal(all[i], SIGKILL);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        spawn_kill(all[i]);
    redis_close(r->client);
    r->client = NULL;
}

/* --- Looking --- */

bool rig_ask(struct rig *r, const char *command, int64_t *ret_number, char *ret_text,
             size_t size)
{
    struct redis_value *reply = NULL;
    struct redis_cmd c;
    struct err e = ERR_INIT;
    const char *word = command;
    bool first = true;

    redis_cmd_init(&c);
    while (*word) {
        size_t len = strcspn(word, " ");
        char text[512];
        (void)snprintf(text, sizeof text, "%.*s", (int)len, word);
        if (first)
            redis_cmd_begin(&c, text);
        else
            redis_cmd_add_str(&c, text);
        first = false;
        word += len + (word[len] == ' ');
    }
    enum err_code code = redis_call(r->client, &c, &reply, &e);
    if (code == ERR_OK && ret_number)
        *ret_number = redis_value_int(reply);
    if (ret_text)
        (void)snprintf(ret_text, size, "%s",
                       code == ERR_OK ? redis_value_str(reply, NULL) : e.text);
    redis_reply_free(reply);
    redis_cmd_release(&c);
    return code == ERR_OK;
}

/* Walk jobs/; what jobs there are is said to each, which may be NULL.  Returns how many, -1: jobs/ cannot be read. */
static int64_t walk(const struct rig *r,
                    bool (*each)(void *ctx, const struct job_id *id), void *ctx)
{
    struct spool_options o = {.dir = r->spool.path, .durable = false};
    struct spool *spool = NULL;
    struct spool_scan *scan = NULL;
    struct err e = ERR_INIT;
    struct job_id id;
    int64_t count = 0;

    if (spool_open(&o, &spool, &e) || spool_scan_open(spool, &scan, &e)) {
        spool_close(spool);
        return -1;
    }
    while (spool_scan_next(scan, &id) && (!each || each(ctx, &id)))
        count++;
    spool_scan_close(scan);
    spool_close(spool);
    return count;
}

int64_t rig_spooled(const struct rig *r)
{
    return walk(r, NULL, NULL);
}

struct asking {
    struct rig *rig;
    int64_t unknown;
};

static bool ask_one(void *ctx, const struct job_id *id)
{
    struct asking *a = ctx;
    char command[ID_JOB_MAX + 64];
    int64_t known = 0;

    (void)snprintf(command, sizeof command, "EXISTS hoist:{%s}:job:%s", id->queue,
                   id->uuid.text);
    if (!rig_ask(a->rig, command, &known, NULL, 0)) {
        a->unknown = -1;
        return false;
    }
    a->unknown += known == 0;
    return true;
}

int64_t rig_unknown_to_redis(struct rig *r)
{
    struct asking a = {.rig = r};

    return walk(r, ask_one, &a) < 0 ? -1 : a.unknown;
}
