/*
 * gate_stress: the whole responder (gate, handlers, publisher, waiters) in this process, on a unix socket, and clients in
 * threads that use it in every way, well and badly, while it is told to stop in the middle; again and again on one spool.
 *
 *     PUT on kept connections      each its own answer, in order
 *     PUT and GET on fresh ones    one answer, then closed
 *     slow                         half a body, a pause, the rest: handlers grow and shrink
 *     broken                       half a head, half a body, and gone: no job
 *     rejected                     413 before the body is read, which is sent all the same: LINGER
 *     waiting                      ?wait= parked, its job cancelled on another connection
 *
 * A request that could be sent to its end gets exactly one answer, also when the end of the server falls into it; and what
 * was accepted is in the spool and in Redis, once, and nothing else is.
 * Plain main() for ThreadSanitizer, which Criterion does not work with.  Usage: gate_stress
 */
#include "fcgi-app/fastcgi/listen.h"
#include "fcgi-app/server.h"
#include "tests/support/fcgi_client.h"
#include "tests/support/redis_fixture.h"
#include "tests/support/tmpdir.h"
#include "tests/support/wait_until.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CLIENTS = 14,
    CYCLES = 12,
    ANSWERS = 300,
    KEPT = 20,
    ANSWER_MS = 20000,
    SLOW_MS = 150
};

struct stress {
    struct redis_fixture redis;
    struct tmpdir dir;
    struct tmpdir_file socket, spool_dir;
    size_t enough; /* answers after which the server is told to stop */
    atomic_size_t answers, accepted, cancelled, errors;
    atomic_bool stopping;
};

struct client {
    struct stress *stress;
    void (*act)(struct client *c);
    unsigned number, round;
    bool over; /* nobody listens any more */
    pthread_t thread;
};

static void fail(struct client *c, const char *what, const char *got)
{
    fprintf(stderr, "gate_stress: client %u, round %u: %s: %s\n", c->number, c->round,
            what, got);
    atomic_fetch_add(&c->stress->errors, 1);
}

static bool open_one(struct client *c, struct fcgi_client *ret)
{
    if (fcgi_client_try_open(ret, c->stress->socket.path))
        return true;
    c->over = true;
    if (!atomic_load(&c->stress->stopping))
        fail(c, "connect", "nobody listens");
    return false;
}

/* The answer of a request that was sent.  One that could not be sent to its end, as the server stopped, may have none, or
 * be told so; one whose body came late on a busy machine is told so, too: 503. */
static bool is_right(struct client *c, struct fcgi_client *f, struct fcgi_response r,
                     int status, const char *part)
{
    bool stopping = atomic_load(&c->stress->stopping);
    bool whole = !stopping || (!f->send_failed && r.status != 503);
    if (r.ended)
        atomic_fetch_add(&c->stress->answers, 1);
    if (!r.ended && whole)
        fail(c, "no answer", r.text);
    else if (whole && (r.status != status || !strstr(r.text, part)))
        fail(c, "another answer", r.text);
    bool ok = r.ended && r.status == status;
    if (ok && status == 202)
        atomic_fetch_add(&c->stress->accepted, 1);
    fcgi_response_release(&r);
    return ok;
}

static bool answered(struct client *c, struct fcgi_client *f, int status,
                     const char *part)
{
    return is_right(c, f, fcgi_client_response(f, ANSWER_MS), status, part);
}

/* The answer to a request that needs Redis, which on a busy machine may take longer than it is waited for: asked again then,
 * on a new connection, until ANSWER_MS are over. */
static bool answered_by_redis(struct client *c, struct fcgi_client *f,
                              const struct fcgi_request *q, const char *part)
{
    int64_t end_ms = wait_now_ms() + ANSWER_MS;
    struct fcgi_response r = fcgi_client_response(f, ANSWER_MS);

    while (r.ended && r.status == 503 && wait_now_ms() < end_ms) {
        struct fcgi_client again;
        if (!open_one(c, &again))
            break;
        fcgi_response_release(&r);
        fcgi_client_close(f);
        *f = again;
        fcgi_client_request(f, q);
        r = fcgi_client_response(f, ANSWER_MS);
    }
    return is_right(c, f, r, 200, part);
}

static void expect_closed(struct client *c, struct fcgi_client *f)
{
    if (!fcgi_client_is_closed(f, ANSWER_MS))
        fail(c, "after the answer", "not closed, or more came");
    fcgi_client_close(f);
}

static void put(struct fcgi_client *f, const char *uri, bool keep)
{
    fcgi_client_request(f, &(struct fcgi_request){.method = "PUT",
                                                  .uri = uri,
                                                  .body = "some bytes",
                                                  .body_len = 10,
                                                  .keep = keep});
}

/* --- What clients do --- */

static void keep_on(struct client *c)
{
    struct fcgi_client f;
    char uri[64], name[64];
    bool goes = open_one(c, &f);
    for (unsigned i = 0; goes && i < KEPT; i++) {
        (void)snprintf(uri, sizeof uri, "/v1/uploads/k%u-%u-%u.", c->number, c->round,
                       i);
        (void)snprintf(name, sizeof name, "\"name\":\"k%u-%u-%u.\"", c->number,
                       c->round, i);
        put(&f, uri, true);
        goes = answered(c, &f, 202, name);
    }
    fcgi_client_close(&f);
}

static void ask_once(struct client *c)
{
    struct fcgi_client f;
    if (!open_one(c, &f))
        return;
    if (c->round % 2)
        put(&f, "/v1/uploads/once", false);
    else
        fcgi_client_request(&f,
                            &(struct fcgi_request){.method = "GET", .uri = "/healthz"});
    (void)answered(c, &f, c->round % 2 ? 202 : 200, "");
    expect_closed(c, &f);
}

static void dawdle(struct client *c)
{
    struct fcgi_client f;
    if (!open_one(c, &f))
        return;
    fcgi_client_head(&f, &(struct fcgi_request){.method = "PUT",
                                                .uri = "/v1/uploads/slow",
                                                .content_length = "10"});
    fcgi_client_record(&f, FCGI_STDIN, "slow ", 5);
    struct pollfd early = {.fd = f.fd, .events = POLLIN};
    if (poll(&early, 1, SLOW_MS) != 0 && !f.send_failed)
        fail(c, "slow", "answered, or closed, before it was sent");
    fcgi_client_record(&f, FCGI_STDIN, "snail", 5);
    fcgi_client_record(&f, FCGI_STDIN, NULL, 0);
    (void)answered(c, &f, 202, "");
    expect_closed(c, &f);
}

static void break_off(struct client *c)
{
    static const char head[] =
        "\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0\1\4\0\1\0\50\0\0\16\3REQUEST_METHODPUT";
    struct fcgi_client f;
    if (!open_one(c, &f))
        return;
    if (c->round % 2) {
        fcgi_client_raw(&f, head, 1 + c->round * 7 % (sizeof head - 1));
    } else {
        fcgi_client_head(&f, &(struct fcgi_request){.method = "PUT",
                                                    .uri = "/v1/uploads/broken",
                                                    .content_length = "10"});
        fcgi_client_record(&f, FCGI_STDIN, "bro", 3);
    }
    fcgi_client_close(&f);
}

static void send_too_much(struct client *c)
{
    static const char body[200000];
    struct fcgi_client f;
    if (!open_one(c, &f))
        return;
    fcgi_client_head(&f, &(struct fcgi_request){.method = "PUT",
                                                .uri = "/v1/uploads/large?queue=small",
                                                .content_length = "200000",
                                                .keep = true});
    bool head_sent = !f.send_failed;
    fcgi_client_body(&f, body, sizeof body);
    fcgi_client_record(&f, FCGI_STDIN, NULL, 0);
    f.send_failed = !head_sent; /* the head alone is enough for an answer */
    if (answered(c, &f, 413, ""))
        (void)shutdown(f.fd, SHUT_WR);
    expect_closed(c, &f);
}

static void cancel(struct client *c, const char *uri)
{
    struct fcgi_client f;
    if (!open_one(c, &f))
        return;
    const struct fcgi_request q = {.method = "DELETE", .uri = uri};
    fcgi_client_request(&f, &q);
    if (answered_by_redis(c, &f, &q, "\"state\":\"cancelled\""))
        atomic_fetch_add(&c->stress->cancelled, 1);
    expect_closed(c, &f);
}

static void wait_for_job(struct client *c)
{
    struct fcgi_client f;
    char uri[128] = "", wait[160];
    if (!open_one(c, &f))
        return;
    put(&f, "/v1/uploads/waits", true);
    struct fcgi_response r = fcgi_client_response(&f, ANSWER_MS);
    const char *id = r.status == 202 ? strstr(r.text, "\"id\":\"") : NULL;
    if (id) {
        atomic_fetch_add(&c->stress->accepted, 1);
        (void)snprintf(uri, sizeof uri, "/v1/jobs/%.*s", (int)strcspn(id + 6, "\""),
                       id + 6);
        (void)snprintf(wait, sizeof wait, "%s?wait=10", uri);
        const struct fcgi_request q = {.method = "GET", .uri = wait};
        fcgi_client_request(&f, &q);
        cancel(c, uri);
        (void)answered_by_redis(c, &f, &q, "\"state\":");
    } else if (!f.send_failed || !atomic_load(&c->stress->stopping)) {
        fail(c, "upload", r.text);
    }
    fcgi_response_release(&r);
    fcgi_client_close(&f);
}

static void *run_client(void *arg)
{
    struct client *c = arg;
    while (!c->over) {
        c->act(c);
        c->round++;
    }
    return NULL;
}

/* --- The run --- */

static bool enough(struct stress *s)
{
    return atomic_load(&s->answers) >= s->enough || atomic_load(&s->errors) > 0;
}

/* Let the clients go, and end the server in the middle of them. */
static void *conduct(void *arg)
{
    static void (*const acts[])(struct client *) = {
        keep_on, ask_once, dawdle, break_off, send_too_much, wait_for_job, keep_on};
    static struct client clients[CLIENTS];
    struct stress *s = arg;
    size_t started = 0;

    for (; started < CLIENTS; started++) {
        struct client *c = &clients[started];
        *c = (struct client){.stress = s, .number = (unsigned)started};
        c->act = acts[started % (sizeof acts / sizeof acts[0])];
        if (pthread_create(&c->thread, NULL, run_client, c) != 0)
            break;
    }
    if (!WAIT_UNTIL(enough(s), 90000) || started < CLIENTS) {
        fprintf(stderr, "gate_stress: it does not get on\n");
        atomic_fetch_add(&s->errors, 1);
    }
    atomic_store(&s->stopping, true);
    (void)kill(getpid(), SIGTERM);
    for (size_t i = 0; i < started; i++)
        (void)pthread_join(clients[i].thread, NULL);
    return NULL;
}

static void check(struct stress *s)
{
    size_t want = atomic_load(&s->accepted) - atomic_load(&s->cancelled);
    struct tmpdir_file jobs = tmpdir_file(&s->dir, "spool/jobs");
    struct tmpdir_file tmp = tmpdir_file(&s->dir, "spool/tmp");
    size_t manifests =
               tmpdir_count(jobs.path, ".json") + tmpdir_count(jobs.path, ".job"),
           rest = tmpdir_count(tmp.path, "");
    int64_t queued =
        redis_fixture_ask_int(&s->redis, "ZCARD", "hoist:{default}:ready", NULL);

    printf("gate_stress: %zu answers, %zu accepted, %zu cancelled, %zu manifests, %lld "
           "queued, %zu errors\n",
           atomic_load(&s->answers), atomic_load(&s->accepted),
           atomic_load(&s->cancelled), manifests, (long long)queued,
           atomic_load(&s->errors));
    if (manifests != want || queued != (int64_t)want || rest != 0 ||
        access(s->socket.path, F_OK) == 0)
        atomic_fetch_add(&s->errors, 1);
}

static enum err_code configure(struct stress *s, struct config *config, struct err *e)
{
    char text[1024];
    (void)snprintf(
        text, sizeof text,
        "[redis]\nurl = %s\n[spool]\ndir = %s\n[http]\nlisten = %s\n"
        "threads = 3\nmax_threads = 8\nmax_connections = 12\nmax_waiters = 2\n"
        "[queue small]\nmax_bytes = 1000\n"
        "[destination default]\nurl = file://%s/objects\n",
        s->redis.url, s->spool_dir.path, s->socket.path, s->dir.path);
    return config_parse(config, "stress", text, NULL, e);
}

/* A server from its start to its end, which falls into the middle of what the clients do. */
static enum err_code serve(struct stress *s, const struct config *config,
                           struct spool *spool, struct err *e)
{
    struct listener listener = LISTENER_INIT;
    pthread_t conductor;

    atomic_store(&s->stopping, false);
    s->enough = atomic_load(&s->answers) + ANSWERS;
    enum err_code code = listener_open(&config->http, &listener, e);
    if (!code && pthread_create(&conductor, NULL, conduct, s) != 0)
        code = err_set(e, ERR_NOMEM, "no thread");
    if (code)
        return code;
    code = server_run(config, spool, &listener, e);
    listener_close(&listener);
    (void)pthread_join(conductor, NULL);
    check(s);
    return code;
}

static enum err_code run(struct stress *s, struct err *e)
{
    CLEANUP(config_release) struct config config;
    struct spool_options options = {.dir = s->spool_dir.path};
    struct spool *spool = NULL;

    config_init(&config);
    enum err_code code = configure(s, &config, e);
    if (!code)
        code = spool_open(&options, &spool, e);
    for (int i = 0; i < CYCLES && !code && atomic_load(&s->errors) == 0; i++)
        code = serve(s, &config, spool, e);
    spool_close(spool);
    return code;
}

int main(void)
{
    static struct stress s;
    struct err e = ERR_INIT;
    sigset_t term;

    /* The server's signals are blocked in every thread, as it wants to read them. */
    (void)sigemptyset(&term);
    (void)sigaddset(&term, SIGTERM);
    log_set_level(LOG_ERROR);
    redis_fixture_start(&s.redis);
    tmpdir_make(&s.dir);
    s.socket = tmpdir_file(&s.dir, "f.sock");
    s.spool_dir = tmpdir_file(&s.dir, "spool");
    (void)pthread_sigmask(SIG_BLOCK, &term, NULL);
    enum err_code code = run(&s, &e);
    if (code)
        fprintf(stderr, "gate_stress: %s\n", e.text);
    redis_fixture_stop(&s.redis);
    tmpdir_remove(&s.dir);
    return code || atomic_load(&s.errors) > 0 ? 1 : 0;
}
