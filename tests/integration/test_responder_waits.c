/*
 * responder: what a 202 says of the disk, of Redis' replicas and of its append-only file, and that nothing is refused or held
 * up for their sake.
 */
#include "tests/integration/redis_newer.h"
#include "tests/integration/responder_rig.h"
#include "tests/support/wait_until.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct redis_fixture replica;
static struct redis_newer newer;
static struct tmpdir newer_dir;
static bool has_replica, has_newer;

static void down(void)
{
    responder_down();
    if (has_replica) {
        redis_fixture_resume(&replica);
        redis_fixture_stop(&replica);
    }
    if (has_newer) {
        redis_newer_stop(&newer);
        tmpdir_remove(&newer_dir);
    }
}

TestSuite(responder_waits, .fini = down, .timeout = 120);

static bool says(const struct fcgi_request *put, const char *part)
{
    struct fcgi_response r = responder_ask(put);
    cr_expect(eq(int, r.status, 202), "%s", r.text);
    bool yes = strstr(r.body, part) != NULL;
    fcgi_response_release(&r);
    return yes;
}

static const struct fcgi_request put = PUT("/v1/uploads/a", "hello");
static const struct fcgi_request form =
    FORM(FORM_FILE("a", "hello") FORM_FILE("b", "hello") FORM_END);

static struct fcgi_request unique(const char *key)
{
    static char uri[96];
    (void)snprintf(uri, sizeof uri, "/v1/uploads/a?unique=%s", key);
    return (struct fcgi_request){
        .method = "PUT", .uri = uri, .body = "hello", .body_len = 5};
}

/* --- The disk --- */

Test(responder_waits, a_202_says_whether_it_was_synced_and_no_more_unless_asked)
{
    responder_up();
    cr_expect(says(&put, "],\"durable\":\"disk\"}\n"));
    cr_expect(says(&form, "],\"durable\":\"disk\"}\n"));
    cr_assert(spawn_stop(&rig.process, 10000));
    cr_assert(setenv("HOIST_SPOOL_DURABILITY", "memory", 1) == 0);
    responder_start();
    cr_expect(says(&put, "],\"durable\":\"memory\"}\n"));
}

/* --- Replicas --- */

static void master_listens(char ret_port[8])
{
    unsigned seed = (unsigned)getpid();
    for (int i = 0; i < 50; i++) {
        (void)snprintf(ret_port, 8, "%d", 20000 + rand_r(&seed) % 30000);
        char *reply =
            redis_fixture_ask(&rig.redis, "CONFIG", "SET", "port", ret_port, NULL);
        bool bound = strcmp(reply, "OK") == 0;
        free(reply);
        if (bound)
            return;
    }
    cr_fatal("no port is free");
}

static bool is_attached(void)
{
    char *info = redis_fixture_ask(&rig.redis, "INFO", "replication", NULL);
    bool is = strstr(info, "state=online") != NULL;
    free(info);
    return is;
}

static void up_with_replica(const char *wait_ms)
{
    char port[8], settings[96];
    (void)snprintf(settings, sizeof settings,
                   "[redis]\nwait_replicas = 1\nwait_ms = %s\n", wait_ms);
    responder_up_with(settings);
    master_listens(port);
    free(redis_fixture_ask(&rig.redis, "CONFIG", "SET", "repl-diskless-sync-delay", "0",
                           NULL));
    redis_fixture_start(&replica);
    has_replica = true;
    free(redis_fixture_ask(&replica, "REPLICAOF", "127.0.0.1", port, NULL));
    cr_assert(WAIT_UNTIL(is_attached(), 20000));
    cr_assert(WAIT_UNTIL(says(&put, "\"replicas\":1"), 10000));
}

Test(responder_waits, every_kind_of_upload_says_how_many_replicas_have_it)
{
    up_with_replica("2000");
    const struct fcgi_request only = unique("k");
    cr_expect(says(&form, "],\"durable\":\"disk\",\"replicas\":1}\n"));
    struct fcgi_response r = responder_ask(&only);
    cr_expect(strstr(r.body, "\"replicas\":1}") != NULL, "%s", r.text);
    char id[128], key[200];
    (void)snprintf(id, sizeof id, "%s", responder_id(&r));
    (void)snprintf(key, sizeof key, "hoist:{default}:job:%s", strchr(id, '.') + 1);
    cr_expect(eq(i64, redis_fixture_ask_int(&replica, "EXISTS", key, NULL), 1),
              "it has it by then");
    fcgi_response_release(&r);
    cr_expect(eq(int, responder_status(&only), 409), "a duplicate stays one");
}

Test(responder_waits,
     a_replica_that_hangs_costs_the_limit_once_and_then_next_to_nothing)
{
    enum { WAIT_MS = 2000, MORE = 20 };
    up_with_replica("2000");
    redis_fixture_pause(&replica);
    int64_t start_ms = wait_now_ms();
    cr_expect(says(&put, "\"replicas\":0"));
    int64_t first_ms = wait_now_ms() - start_ms;
    cr_expect(first_ms >= WAIT_MS / 2, "it was waited for: %d", (int)first_ms);
    cr_expect(first_ms < WAIT_MS + 1000, "no longer: %d", (int)first_ms);

    start_ms = wait_now_ms();
    for (int i = 0; i < MORE; i++)
        cr_expect(says(&put, "\"replicas\":0"));
    cr_expect(wait_now_ms() - start_ms < 2 * WAIT_MS, "all of them: %d ms",
              (int)(wait_now_ms() - start_ms));
    redis_fixture_resume(&replica);
    cr_expect(WAIT_UNTIL(says(&put, "\"replicas\":1"), 10000));
}

Test(responder_waits, those_who_wait_hold_up_nobody_else)
{
    enum { WAITING = 12 }; /* three times as many as there are threads at first */
    struct fcgi_client c[WAITING];
    const struct fcgi_request live = responder_get("/healthz");
    up_with_replica("9000");
    redis_fixture_pause(&replica);
    for (int i = 0; i < WAITING; i++) {
        fcgi_client_open(&c[i], rig.socket.path);
        fcgi_client_request(&c[i], &put);
    }
    cr_expect(WAIT_UNTIL(responder_count("jobs") >= 2 * WAITING, 5000), "%zu",
              responder_count("jobs"));
    int64_t start_ms = wait_now_ms();
    cr_expect(eq(int, responder_status(&live), 200));
    cr_expect(wait_now_ms() - start_ms < 3000, "while they wait");
    redis_fixture_resume(&replica);
    for (int i = 0; i < WAITING; i++) {
        struct fcgi_response r = fcgi_client_response(&c[i], 12000);
        cr_expect(eq(int, r.status, 202), "%d: %s", i, r.text);
        fcgi_response_release(&r);
        fcgi_client_close(&c[i]);
    }
}

Test(responder_waits, without_redis_it_says_none_at_once)
{
    enum { MORE = 5 };
    const struct fcgi_request only = unique("k");
    responder_up_with("[redis]\nwait_replicas = 1\nwait_aof = yes\nwait_ms = 2000\n"
                      "timeout_ms = 300\n");
    (void)responder_upload("/v1/uploads/before"); /* it has been well */
    redis_fixture_pause(&rig.redis);
    int64_t start_ms = wait_now_ms();
    cr_expect(says(&put, "],\"durable\":\"disk\",\"replicas\":0,\"aof\":false}\n"));
    cr_expect(wait_now_ms() - start_ms < 1500, "until it is known to be away");
    start_ms = wait_now_ms();
    for (int i = 0; i < MORE; i++)
        cr_expect(says(&put, "\"replicas\":0,\"aof\":false}"));
    cr_expect(says(&only, "\"replicas\":0,\"aof\":false}"));
    cr_expect(wait_now_ms() - start_ms < 2000, "then at once");
    redis_fixture_resume(&rig.redis);
}

/* --- The append-only file --- */

static void up_behind(const char *answer)
{
    char url[TMPDIR_FILE_MAX + 16];
    tmpdir_make(&newer_dir);
    struct tmpdir_file socket = tmpdir_file(&newer_dir, "newer");
    (void)snprintf(url, sizeof url, "unix://%s", socket.path);
    cr_assert(setenv("HOIST_REDIS_URL", url, 1) == 0);
    responder_up_with("[redis]\nwait_aof = yes\nwait_ms = 2000\n");
    redis_newer_start(&newer, socket, rig.redis.socket.path, answer);
    has_newer = true;
}

Test(responder_waits, a_server_that_synced_its_file_is_believed)
{
    up_behind("*2\r\n:1\r\n:0\r\n");
    cr_expect(WAIT_UNTIL(says(&put, "],\"durable\":\"disk\",\"aof\":true}\n"), 5000));
    cr_expect(says(&form, "\"aof\":true}"));
    cr_expect(atomic_load(&newer.asked) >= 2);
}

static const struct {
    const char *label, *answer;
} not_synced[] = {
    {"in time", "*2\r\n:0\r\n:0\r\n"},
    {"at all", "-ERR WAITAOF cannot be used when numlocal is set but appendonly is "
               "disabled.\r\n"},
    {"a number", ":1\r\n"},
    {"an empty array", "*0\r\n"},
};

Test(responder_waits, a_server_that_did_not_sync_is_said_so)
{
    up_behind(not_synced[0].answer);
    for (size_t i = 0; i < sizeof not_synced / sizeof not_synced[0]; i++) {
        int before = atomic_load(&newer.asked);
        atomic_store(&newer.answer, not_synced[i].answer);
        cr_expect(WAIT_UNTIL(says(&put, "],\"durable\":\"disk\",\"aof\":false}\n") &&
                                 atomic_load(&newer.asked) > before,
                             5000),
                  "not synced %s", not_synced[i].label);
    }
}

Test(responder_waits, an_older_server_is_not_asked)
{
    responder_up_with("[redis]\nwait_aof = yes\nwait_ms = 2000\n");
    cr_expect(says(&put, "\"aof\":false}"), "nor is its file on");
    char *known = redis_fixture_ask(&rig.redis, "COMMAND", "INFO", "waitaof", NULL);
    char *errors = redis_fixture_ask(&rig.redis, "INFO", "errorstats", NULL);
    cr_expect(known[0] || !strstr(errors, "errorstat_ERR:"), "%s", errors);
    free(known);
    free(errors);
}
