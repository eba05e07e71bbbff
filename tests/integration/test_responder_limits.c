/*
 * responder, when something runs out: the disk, descriptors, the publisher's ring, the patience with Redis.
 */
#include "tests/integration/responder_rig.h"

#include "shared/reconcile.h"
#include "tests/support/wait_until.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct tmpdir_file spool_dir;
static bool mounted;

/* Everything but the responder. */
static void up(void)
{
    responder_up();
    (void)spawn_stop(&rig.process, 10000);
    spool_dir = tmpdir_file(&rig.dir, "spool");
}

static void down(void)
{
    redis_fixture_resume(&rig.redis);
    (void)spawn_stop(&rig.process, 10000);
    if (mounted)
        (void)umount2(spool_dir.path, MNT_DETACH);
    responder_down();
}

TestSuite(responder_limits, .init = up, .fini = down, .timeout = 120);

static const struct fcgi_request live = {
    .method = "GET", .uri = "/healthz", .keep = true};

static bool log_has(const char *text)
{
    return spawn_log_has(&rig.process, text);
}

/* Start it after shell commands that set a limit, with a setting. */
static void start(const char *limit, const char *setting)
{
    char script[256];
    const char *argv[] = {"sh", "-c", script, HOIST_FCGI_BIN, rig.config.path, NULL};
    const char *env[] = {setting, NULL};
    struct fcgi_client c;

    (void)snprintf(script, sizeof script, "%s exec \"$0\" --config \"$1\"", limit);
    spawn_start(&rig.process, &(struct spawn_options){
                                  .argv = argv, .env = env, .log_path = rig.log.path});
    if (!WAIT_UNTIL(fcgi_client_try_open(&c, rig.socket.path), 10000)) {
        spawn_show_log(&rig.process);
        cr_fatal("it does not start");
    }
    fcgi_client_close(&c);
}

/* --- The disk --- */

/* 1 MiB does not fit, and nothing is left of it; 5 bytes do. */
static void check_too_much(void)
{
    static char body[1024 * 1024];
    const struct fcgi_request small = PUT("/v1/uploads/small", "hello");
    const struct fcgi_request large = {.method = "PUT",
                                       .uri = "/v1/uploads/large",
                                       .body = body,
                                       .body_len = sizeof body};

    for (int i = 0; i < 3; i++) {
        struct fcgi_response r = responder_ask(&large);
        cr_expect(eq(int, r.status, 507), "%s", r.text);
        cr_expect(strstr(r.text, "\r\nRetry-After: ") != NULL, "%s", r.text);
        fcgi_response_release(&r);
        cr_expect(eq(sz, responder_count("tmp"), 0), "nothing is left of it");
        cr_expect(eq(sz, responder_count("jobs"), 2 * (size_t)i));
        cr_expect(eq(int, responder_status(&small), 202));
        cr_expect(eq(sz, responder_count("jobs"), 2 * (size_t)i + 2));
    }
    cr_expect(spawn_is_running(&rig.process));
}

Test(responder_limits, a_limit_on_file_sizes_is_507_and_kills_nobody)
{
    start("ulimit -f 512;", NULL); /* of 512 bytes */
    check_too_much();
}

/* Who may not mount has only the limit on file sizes to try it with, and says so. */
Test(responder_limits, a_full_disk_is_507_and_leaves_nothing)
{
    (void)mkdir(spool_dir.path, 0700);
    mounted = unshare(CLONE_NEWNS) == 0 &&
              mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
              mount("spool", spool_dir.path, "tmpfs", 0, "size=256k,mode=0700") == 0;
    if (!mounted)
        fprintf(stderr, "no mount: a limit on file sizes stands for the full disk\n");
    start(mounted ? "" : "ulimit -f 512;", NULL);
    check_too_much();
}

/* --- Descriptors --- */

Test(responder_limits, out_of_descriptors_it_pauses_and_recovers)
{
    enum { CLIENTS = 60 };
    static struct fcgi_client clients[CLIENTS];
    const struct fcgi_request put = PUT("/v1/uploads/a", "hello");

    start("ulimit -n 32;", NULL);
    for (int i = 0; i < CLIENTS; i++) { /* twice as many as it can accept */
        fcgi_client_open(&clients[i], rig.socket.path);
        fcgi_client_request(&clients[i], &live);
    }
    cr_expect(WAIT_UNTIL(log_has("accept failed, pausing"), 5000));
    for (int i = 0; i < CLIENTS; i++) {
        struct fcgi_response r = fcgi_client_response(&clients[i], 10000);
        cr_expect(eq(int, r.status, 200), "%d", i);
        fcgi_response_release(&r);
        fcgi_client_close(&clients[i]);
    }
    cr_expect(spawn_is_running(&rig.process));
    cr_expect(WAIT_UNTIL(responder_status(&put) == 202, 5000));
    cr_expect(eq(sz, responder_count("tmp"), 0));
}

/* The status of a request on a connection that is kept. */
static int ask_kept(struct fcgi_client *c, const struct fcgi_request *put)
{
    fcgi_client_request(c, put);
    struct fcgi_response r = fcgi_client_response(c, 5000);
    int status = r.ended ? r.status : -1;
    if (status == 503)
        cr_expect(strstr(r.text, "\r\nRetry-After: ") != NULL, "%s", r.text);
    fcgi_response_release(&r);
    return status;
}

Test(responder_limits, an_upload_without_a_descriptor_for_its_file_is_503)
{
    enum { CLIENTS = 60 };
    static struct fcgi_client clients[CLIENTS];
    struct fcgi_request put = PUT("/v1/uploads/a", "hello"),
                        ready = responder_get("/readyz");

    put.keep = ready.keep = true;
    start("ulimit -n 32;", NULL);
    for (int i = 0; i < CLIENTS; i++)
        fcgi_client_open(&clients[i], rig.socket.path);
    cr_assert(WAIT_UNTIL(log_has("accept failed, pausing"), 5000));
    cr_expect(WAIT_UNTIL(ask_kept(&clients[0], &put) == 503, 5000));
    cr_expect(WAIT_UNTIL(ask_kept(&clients[0], &ready) == 503, 5000),
              "nor is it ready");
    cr_expect(WAIT_UNTIL(log_has("the spool cannot be written"), 5000));
    size_t taken = responder_count("jobs");
    for (int i = 1; i < CLIENTS; i++)
        fcgi_client_close(&clients[i]);
    cr_expect(WAIT_UNTIL(ask_kept(&clients[0], &put) == 202, 5000),
              "once they have left it is taken, on the same connection");
    cr_expect(eq(sz, responder_count("jobs"), taken + 2));
    fcgi_client_close(&clients[0]);
    cr_expect(eq(sz, responder_count("tmp"), 0));
}

/* --- Redis --- */

static int64_t ready(void)
{
    return redis_fixture_ask_int(&rig.redis, "ZCARD", "hoist:{default}:ready", NULL);
}

static struct reconcile_stats reconcile(void)
{
    struct spool_options where = {.dir = spool_dir.path};
    struct reconcile_options options = RECONCILE_OPTIONS_INIT;
    struct redis_options o = {REDIS_TARGET_INIT, 1000, 10000};
    struct reconcile_stats stats = {0};
    struct spool *spool = NULL;
    struct redis *redis = NULL;
    struct err e = ERR_INIT;

    options.min_age_ms = 0;
    cr_assert(not(redis_target_parse(rig.redis.url, &o.target, &e)), "%s", e.text);
    cr_assert(not(redis_open(&o, &redis, &e)), "%s", e.text);
    cr_assert(not(spool_open(&where, &spool, &e)), "%s", e.text);
    cr_expect(not(reconcile_run(spool, redis, &options, &stats, &e)), "%s", e.text);
    spool_close(spool);
    redis_close(redis);
    redis_target_release(&o.target);
    return stats;
}

Test(responder_limits, what_the_publisher_has_no_room_for_stays_in_the_spool)
{
    enum { ROOM = 8192, MORE = 58 }; /* ROOM: PUBLISHER_JOBS_MAX */
    struct fcgi_request put = PUT("/v1/uploads/a", "hello");
    struct fcgi_client c;

    start("", "HOIST_SPOOL_DURABILITY=memory");
    redis_fixture_kill(&rig.redis);
    put.keep = true;
    fcgi_client_open(&c, rig.socket.path);
    for (int i = 0; i < ROOM + MORE; i++) {
        fcgi_client_request(&c, &put);
        struct fcgi_response r = fcgi_client_response(&c, 5000);
        cr_assert(eq(int, r.status, 202), "%d: %s", i, r.text);
        fcgi_response_release(&r);
    }
    fcgi_client_close(&c);
    redis_fixture_restart(&rig.redis);
    cr_expect(WAIT_UNTIL(ready() == ROOM, 20000), "%d", (int)ready());
    cr_expect(WAIT_UNTIL(log_has("published=8192 dropped=58"), 5000), "it is counted");
    cr_expect(eq(sz, responder_count("jobs"), 2 * (ROOM + MORE)));
    struct reconcile_stats stats = reconcile();
    cr_expect(eq(sz, stats.enqueued, MORE));
    cr_expect(eq(i64, ready(), ROOM + MORE));
}

Test(responder_limits, while_redis_hangs_uploads_are_taken_and_shown_as_accepted)
{
    enum { UPLOADS = 20 };
    static struct fcgi_client clients[UPLOADS];
    char uris[UPLOADS][128];
    const struct fcgi_request put = PUT("/v1/uploads/a", "hello");

    start("", NULL);
    redis_fixture_pause(&rig.redis);
    int64_t start_ms = wait_now_ms();
    for (int i = 0; i < UPLOADS; i++) {
        fcgi_client_open(&clients[i], rig.socket.path);
        fcgi_client_request(&clients[i], &put);
    }
    for (int i = 0; i < UPLOADS; i++) {
        struct fcgi_response r = fcgi_client_response(&clients[i], 5000);
        cr_assert(eq(int, r.status, 202), "%d: %s", i, r.text);
        (void)snprintf(uris[i], sizeof uris[i], "/v1/jobs/%s", responder_id(&r));
        fcgi_response_release(&r);
        fcgi_client_close(&clients[i]);
    }
    cr_expect(lt(i64, wait_now_ms() - start_ms, 1000), "uploads do not wait for redis");
    start_ms = wait_now_ms();
    for (int i = 0; i < UPLOADS; i++) {
        const struct fcgi_request show = {.method = "GET", .uri = uris[i]};
        struct fcgi_response r = responder_ask(&show);
        cr_expect(eq(int, r.status, 200), "%d: %s", i, r.text);
        cr_expect(strstr(r.body, "\"state\":\"accepted\"") != NULL, "%s", r.text);
        fcgi_response_release(&r);
    }
    cr_expect(lt(i64, wait_now_ms() - start_ms, 2000),
              "nor is each status the price of a time-out");
    redis_fixture_resume(&rig.redis);
    cr_expect(WAIT_UNTIL(ready() == UPLOADS, 10000));
}
