/* What hoist-fcgi does with each error of Redis: uploads are taken, it is told once, and made good afterwards. */
#include "tests/integration/responder_rig.h"
#include "tests/support/redis_faulty.h"
#include "tests/support/wait_until.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>

static struct redis_faulty faulty;
static struct tmpdir dir;

static void up(void)
{
    char url[160];

    tmpdir_make(&dir);
    struct tmpdir_file socket = tmpdir_file(&dir, "faulty");
    (void)snprintf(url, sizeof url, "unix://%s", socket.path);
    cr_assert(setenv("HOIST_REDIS_URL", url, 1) == 0);
    responder_up();
    redis_faulty_start(&faulty, socket, rig.redis.socket.path);
}

static void down(void)
{
    redis_fixture_resume(&rig.redis);
    responder_down();
    redis_faulty_stop(&faulty);
    tmpdir_remove(&dir);
}

TestSuite(responder_redis, .init = up, .fini = down, .timeout = 120);

static int log_count(const char *text)
{
    char line[4200];
    int count = 0;
    FILE *f = fopen(rig.log.path, "re");

    cr_assert(f != NULL);
    while (fgets(line, sizeof line, f))
        count += !strstr(line, "level=debug") && strstr(line, text);
    (void)fclose(f);
    return count;
}

static void admin(const char *a, const char *b, const char *c, const char *d)
{
    char *reply = redis_fixture_ask(&rig.redis, a, b, c, d, NULL);

    cr_assert(reply[0] != '-', "%s %s: %s", a, b, reply);
    free(reply);
}

/* An upload is taken and shown as accepted; its id. */
static void put(char ret_id[128])
{
    const struct fcgi_request upload = PUT("/v1/uploads/a", "hello");
    struct fcgi_response r = responder_ask(&upload);

    cr_assert(eq(int, r.status, 202), "%s", r.text);
    (void)snprintf(ret_id, 128, "%s", responder_id(&r));
    fcgi_response_release(&r);
}

static void expect_accepted(const char *id)
{
    const struct fcgi_request show = {.method = "GET",
                                      .uri = responder_job_uri(id, "")};
    struct fcgi_response r = responder_ask(&show);

    cr_expect(eq(int, r.status, 200), "%s", r.text);
    cr_expect(strstr(r.body, "\"state\":\"accepted\"") != NULL, "%s", r.body);
    fcgi_response_release(&r);
}

static bool is_published(const char *id)
{
    char key[256];
    const char *dot = strchr(id, '.');

    (void)snprintf(key, sizeof key, "hoist:{%.*s}:job:%s", (int)(dot - id), id,
                   dot + 1);
    return redis_fixture_ask_int(&rig.redis, "EXISTS", key, NULL) == 1;
}

static bool ready_says(const char *text)
{
    const struct fcgi_request ready = {.method = "GET", .uri = "/readyz"};
    struct fcgi_response r = responder_ask(&ready);
    bool says = r.status == 200 && strstr(r.body, text) != NULL;

    fcgi_response_release(&r);
    return says;
}

/* --- Answers that no server gives on demand --- */

static const struct {
    const char *label, *answer, *ready;
    bool cut;
} answers[] = {
    {"LOADING", "-LOADING Redis is loading the dataset in memory\r\n", "down", false},
    {"BUSY", "-BUSY Redis is busy running a script.\r\n", "down", false},
    {"OOM", "-OOM command not allowed when used memory > 'maxmemory'.\r\n", "down",
     false},
    {"MISCONF", "-MISCONF Redis is configured to save RDB\r\n", "down", false},
    {"NOREPLICAS", "-NOREPLICAS Not enough good replicas to write.\r\n", "down", false},
    {"TRYAGAIN", "-TRYAGAIN Multiple keys request during rehashing\r\n", "down", false},
    {"ASK", "-ASK 1234 127.0.0.1:1\r\n", "down", false},
    {"MOVED", "-MOVED 1234 127.0.0.1:1\r\n", "down", false},
    {"CLUSTERDOWN", "-CLUSTERDOWN Hash slot not served\r\n", "down", false},
    {"MASTERDOWN", "-MASTERDOWN Link with MASTER is down\r\n", "down", false},
    {"READONLY", "-READONLY You can't write against a replica.\r\n", "down", false},
    {"UNBLOCKED", "-UNBLOCKED force unblock\r\n", "down", false},
    {"NOSCRIPT", "-NOSCRIPT No matching script.\r\n", "down", false},
    {"NOPERM", "-NOPERM this user has no permissions\r\n", "refused", false},
    {"NOAUTH", "-NOAUTH Authentication required.\r\n", "refused", false},
    {"WRONGPASS", "-WRONGPASS invalid username-password pair\r\n", "refused", false},
    {"closed", "$100\r\nonly so much", "down", true},
};

ParameterizedTestParameters(responder_redis, an_answer_is_told_once_and_made_good)
{
    static size_t i[sizeof answers / sizeof answers[0]];

    for (size_t k = 0; k < sizeof i / sizeof i[0]; k++)
        i[k] = k;
    return cr_make_param_array(size_t, i, sizeof i / sizeof i[0]);
}

ParameterizedTest(size_t *i, responder_redis, an_answer_is_told_once_and_made_good)
{
    const char *label = answers[*i].label;
    char id[2][128], ready[32];

    if (answers[*i].cut)
        redis_faulty_cut(&faulty, answers[*i].answer);
    else
        redis_faulty_say(&faulty, answers[*i].answer);
    for (size_t k = 0; k < 2; k++) {
        put(id[k]);
        expect_accepted(id[k]);
    }
    cr_expect(WAIT_UNTIL(redis_faulty_answered(&faulty) >= 8, 20000), "%s", label);
    (void)snprintf(ready, sizeof ready, "\"redis\":\"%s\"", answers[*i].ready);
    cr_expect(WAIT_UNTIL(ready_says(ready), 3000), "%s: %s", label, ready);
    cr_expect(eq(int, log_count(label), 1), "%s", label);

    redis_faulty_pass(&faulty);
    for (size_t k = 0; k < 2; k++)
        cr_expect(WAIT_UNTIL(is_published(id[k]), 8000), "%s", label);
    cr_expect(WAIT_UNTIL(ready_says("\"redis\":\"up\""), 3000));
}

/* --- What a real server says --- */

/* It is told, and later the upload is published. */
static void expect_told_and_mended(const char *id, const char *word, void (*mend)(void))
{
    cr_expect(WAIT_UNTIL(log_count(word) > 0, 10000), "%s is not told", word);
    mend();
    cr_expect(WAIT_UNTIL(is_published(id), 8000), "%s", word);
    cr_expect(eq(int, log_count(word), 1), "%s", word);
}

static void more_memory(void)
{
    admin("CONFIG", "SET", "maxmemory", "0");
}

Test(responder_redis, a_full_server_is_told_and_the_upload_waits_in_the_spool)
{
    char id[128];

    admin("CONFIG", "SET", "maxmemory", "1");
    put(id);
    expect_told_and_mended(id, "OOM", more_memory);
}

static void master_again(void)
{
    admin("REPLICAOF", "NO", "ONE", NULL);
}

Test(responder_redis, a_master_that_became_a_replica_is_told_and_looked_up_again)
{
    char id[128];

    admin("REPLICAOF", "127.0.0.1", "1", NULL);
    put(id);
    cr_expect(WAIT_UNTIL(redis_faulty_connections(&faulty) >= 3, 10000),
              "each try is a new connection");
    expect_told_and_mended(id, "READONLY", master_again);
}

static void no_replicas_wanted(void)
{
    admin("CONFIG", "SET", "min-replicas-to-write", "0");
}

Test(responder_redis, a_master_without_its_replicas_is_told)
{
    char id[128];

    admin("CONFIG", "SET", "min-replicas-to-write", "1");
    put(id);
    expect_told_and_mended(id, "NOREPLICAS", no_replicas_wanted);
}

static bool last_save_is(const char *status)
{
    char *info = redis_fixture_ask(&rig.redis, "INFO", "persistence", NULL);
    char want[64];

    (void)snprintf(want, sizeof want, "rdb_last_bgsave_status:%s", status);
    bool is = strstr(info, want) && strstr(info, "rdb_bgsave_in_progress:0");
    free(info);
    return is;
}

static void can_save(void)
{
    cr_assert(rmdir(tmpdir_file(&rig.redis.dir, "dump.rdb").path) == 0);
    admin("BGSAVE", NULL, NULL, NULL);
    cr_assert(WAIT_UNTIL(last_save_is("ok"), 5000));
}

Test(responder_redis, a_server_that_cannot_save_is_told)
{
    char id[128];

    cr_assert(mkdir(tmpdir_file(&rig.redis.dir, "dump.rdb").path, 0700) == 0);
    admin("CONFIG", "SET", "save", "3600 1");
    admin("BGSAVE", NULL, NULL, NULL);
    cr_assert(WAIT_UNTIL(last_save_is("err"), 5000));
    put(id);
    expect_told_and_mended(id, "MISCONF", can_save);
}

/* --- A server that evicts --- */

Test(responder_redis,
     a_server_that_comes_late_and_evicts_gets_nothing_until_it_is_mended)
{
    char id[128];

    admin("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    redis_faulty_pass(&faulty); /* closes what was connected to it before */
    admin("FLUSHALL", NULL, NULL, NULL);
    put(id);
    expect_accepted(id);
    cr_expect(
        WAIT_UNTIL(ready_says("\"redis\":\"refused\",\"redis_error\":\"redis: the "
                              "server\\u0027s maxmemory-policy is allkeys-lru") ||
                       ready_says("maxmemory-policy is allkeys-lru"),
                   5000));
    cr_expect(WAIT_UNTIL(redis_faulty_connections(&faulty) >= 5, 10000), "it goes on");
    cr_expect(eq(int, log_count("level=error at=publisher"), 1), "once");
    char *n = redis_fixture_ask(&rig.redis, "DBSIZE", NULL);
    cr_expect(eq(str, n, "0"), "nothing was written");
    free(n);
    admin("CONFIG", "SET", "maxmemory-policy", "noeviction");
    cr_expect(WAIT_UNTIL(is_published(id), 8000));
    cr_expect(WAIT_UNTIL(ready_says("{\"spool\":\"ok\",\"redis\":\"up\"}\n"), 3000));
}

Test(responder_redis, a_server_that_hangs_is_told_as_away_and_never_mixes_answers)
{
    char id[128];

    cr_assert(WAIT_UNTIL(ready_says("\"redis\":\"up\""), 5000));
    redis_fixture_pause(&rig.redis);
    put(id);
    expect_accepted(id);
    cr_expect(WAIT_UNTIL(log_count("redis is away") > 0, 5000));
    cr_expect(WAIT_UNTIL(redis_faulty_connections(&faulty) >= 3, 15000),
              "each time-out ends its connection");
    cr_expect(ready_says("\"redis\":\"down\",\"redis_error\":\""));
    cr_expect(le(int, log_count("redis is away"), 3));
    redis_fixture_resume(&rig.redis);
    cr_expect(WAIT_UNTIL(is_published(id), 8000));
}
