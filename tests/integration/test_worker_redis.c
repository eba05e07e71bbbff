/* What hoist-worker does with each error of Redis: what it says, whether it leaves the connection, and that it goes on. */
#include "tests/integration/worker_rig.h"
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

static struct worker_rig rig;
static struct redis_faulty faulty;
static bool is_faulty;

static void down(void)
{
    redis_fixture_resume(&rig.redis);
    rig_down(&rig);
    if (is_faulty)
        redis_faulty_stop(&faulty);
}

TestSuite(worker_redis, .fini = down, .timeout = 120);

static void admin(const char *a, const char *b, const char *c, const char *d)
{
    char *reply = redis_fixture_ask(&rig.redis, a, b, c, d, NULL);

    cr_assert(reply[0] != '-', "%s %s: %s", a, b, reply);
    free(reply);
}

static void expect_works(void)
{
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "after all"});

    cr_expect(rig_wait_state(&rig, &id, "done", 8000));
}

/* --- Answers that no server gives on demand --- */

static const struct {
    const char *label, *answer;
    bool cut;    /* and the connection ends */
    bool leaves; /* the worker connects anew */
} answers[] = {
    {"LOADING", "-LOADING Redis is loading the dataset in memory\r\n", false, false},
    {"BUSY", "-BUSY Redis is busy running a script.\r\n", false, false},
    {"OOM", "-OOM command not allowed when used memory > 'maxmemory'.\r\n", false,
     false},
    {"MISCONF", "-MISCONF Redis is configured to save RDB\r\n", false, false},
    {"NOREPLICAS", "-NOREPLICAS Not enough good replicas to write.\r\n", false, false},
    {"TRYAGAIN", "-TRYAGAIN Multiple keys request during rehashing\r\n", false, false},
    {"ASK", "-ASK 1234 127.0.0.1:1\r\n", false, false},
    {"CLUSTERDOWN", "-CLUSTERDOWN Hash slot not served\r\n", false, false},
    {"NOSCRIPT", "-NOSCRIPT No matching script.\r\n", false, false},
    {"NOPERM", "-NOPERM this user has no permissions\r\n", false, false},
    {"READONLY", "-READONLY You can't write against a replica.\r\n", false, true},
    {"MASTERDOWN", "-MASTERDOWN Link with MASTER is down\r\n", false, true},
    {"UNBLOCKED", "-UNBLOCKED force unblock\r\n", false, true},
    {"MOVED", "-MOVED 1234 127.0.0.1:1\r\n", false, true},
    {"NOAUTH", "-NOAUTH Authentication required.\r\n", false, true},
    {"WRONGPASS", "-WRONGPASS invalid username-password pair\r\n", false, true},
    {"closed", "$100\r\nonly so much", true, true},
};

ParameterizedTestParameters(worker_redis, an_answer_is_told_once_survived_and_forgotten)
{
    static size_t i[sizeof answers / sizeof answers[0]];

    for (size_t k = 0; k < sizeof i / sizeof i[0]; k++)
        i[k] = k;
    return cr_make_param_array(size_t, i, sizeof i / sizeof i[0]);
}

ParameterizedTest(size_t *i, worker_redis,
                  an_answer_is_told_once_survived_and_forgotten)
{
    const char *label = answers[*i].label;
    char url[160];

    rig_up(&rig, "[spool]\nreconcile_seconds = 3600\n");
    redis_faulty_start(&faulty, tmpdir_file(&rig.dir, "faulty"), rig.redis.socket.path);
    is_faulty = true;
    (void)snprintf(url, sizeof url, "unix://%s", faulty.socket.path);
    cr_assert(setenv("HOIST_REDIS_URL", url, 1) == 0);
    struct spawn *w = rig_start(&rig, "a");
    expect_works();

    if (answers[*i].cut)
        redis_faulty_cut(&faulty, answers[*i].answer);
    else
        redis_faulty_say(&faulty, answers[*i].answer);
    cr_expect(WAIT_UNTIL(redis_faulty_answered(&faulty) >= 8, 10000), "%s: %d", label,
              redis_faulty_answered(&faulty));
    if (!answers[*i].leaves)
        cr_expect(le(int, redis_faulty_connections(&faulty), 2), "%s", label);
    else
        cr_expect(WAIT_UNTIL(redis_faulty_connections(&faulty) > 2, 10000), "%s",
                  label);
    cr_expect(WAIT_UNTIL(rig_log_count(w, label) >= 1, 10000), "%s", label);
    cr_expect(le(int, rig_log_count(w, label), 3), "%s: once for each place", label);
    cr_expect(spawn_is_running(w));

    redis_faulty_pass(&faulty);
    expect_works();
}

/* --- What a real server says --- */

static void expect_told_and_mended(struct spawn *w, const char *word,
                                   void (*mend)(void))
{
    bool told = WAIT_UNTIL(rig_log_count(w, word) > 0, 10000);

    if (!told)
        spawn_show_log(w);
    cr_expect(told, "%s is not told", word);
    mend();
    expect_works();
    cr_expect(le(int, rig_log_count(w, word), 3), "%s: once for each place", word);
}

static long connections(void)
{
    char *stats = redis_fixture_ask(&rig.redis, "INFO", "stats", NULL);
    static const char name[] = "total_connections_received:";
    const char *at = strstr(stats, name);

    cr_assert(at != NULL);
    long n = strtol(at + sizeof name - 1, NULL, 10);
    free(stats);
    return n;
}

Test(worker_redis, a_master_that_became_a_replica_is_left_but_not_in_a_tight_loop)
{
    rig_up(&rig, "[spool]\nreconcile_seconds = 3600\n");
    struct spawn *w = rig_start(&rig, "a");

    expect_works();
    admin("REPLICAOF", "127.0.0.1", "1", NULL);
    cr_expect(WAIT_UNTIL(rig_log_count(w, "READONLY") > 0, 10000));
    long before = connections();
    int64_t begun_ms = wait_now_ms();
    /* It comes back again and again, for the name may lead elsewhere now: twelve times by two connections, with pauses
     * that double. */
    cr_expect(WAIT_UNTIL(connections() >= before + 12, 20000));
    int64_t took_ms = wait_now_ms() - begun_ms;
    cr_expect(ge(i64, took_ms, 600), "12 connections in %d ms", (int)took_ms);
    cr_expect(le(int, rig_log_count(w, "READONLY"), 3));
    admin("REPLICAOF", "NO", "ONE", NULL);
    expect_works();
}

static void has_link(void)
{
    admin("REPLICAOF", "NO", "ONE", NULL);
    admin("CONFIG", "SET", "replica-serve-stale-data", "yes");
}

Test(worker_redis, a_replica_without_its_master_is_left)
{
    rig_up(&rig, NULL);
    struct spawn *w = rig_start(&rig, "a");

    admin("CONFIG", "SET", "replica-serve-stale-data", "no");
    admin("CONFIG", "SET", "replica-read-only", "no"); /* else that is what it says */
    admin("REPLICAOF", "127.0.0.1", "1", NULL);
    expect_told_and_mended(w, "MASTERDOWN", has_link);
}

static void no_replicas_wanted(void)
{
    admin("CONFIG", "SET", "min-replicas-to-write", "0");
}

Test(worker_redis, a_master_without_its_replicas_is_asked_again)
{
    rig_up(&rig, NULL);
    struct spawn *w = rig_start(&rig, "a");

    admin("CONFIG", "SET", "min-replicas-to-write", "1");
    expect_told_and_mended(w, "NOREPLICAS", no_replicas_wanted);
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

static struct tmpdir_file in_the_way(void)
{
    return tmpdir_file(&rig.redis.dir, "dump.rdb");
}

static void can_save(void)
{
    cr_assert(rmdir(in_the_way().path) == 0);
    admin("BGSAVE", NULL, NULL, NULL);
    cr_assert(WAIT_UNTIL(last_save_is("ok"), 5000));
}

Test(worker_redis, a_server_that_cannot_save_is_asked_again)
{
    rig_up(&rig, NULL);
    struct spawn *w = rig_start(&rig, "a");

    cr_assert(mkdir(in_the_way().path, 0700) == 0);
    admin("CONFIG", "SET", "save", "3600 1");
    admin("BGSAVE", NULL, NULL, NULL);
    cr_assert(WAIT_UNTIL(last_save_is("err"), 5000));
    expect_told_and_mended(w, "MISCONF", can_save);
}

static void script_ends(void)
{
    char *reply = NULL;

    admin("SCRIPT", "KILL", NULL, NULL);
    cr_assert(WAIT_UNTIL((free(reply), reply = redis_fixture_ask(&rig.redis, "GET", "x",
                                                                 NULL))[0] != '-',
                         5000));
    free(reply);
}

Test(worker_redis, a_server_busy_with_a_script_is_asked_again)
{
    struct spawn cli;

    rig_up(&rig, NULL);
    struct spawn *w = rig_start(&rig, "a");
    admin("CONFIG", "SET", "busy-reply-threshold", "50");
    spawn_start(&cli,
                &(struct spawn_options){
                    .argv = (const char *[]){"redis-cli", "-s", rig.redis.socket.path,
                                             "EVAL", "while true do end", "0", NULL}});
    expect_told_and_mended(w, "BUSY", script_ends);
    spawn_kill(&cli);
}

Test(worker_redis, a_server_that_loads_is_waited_for)
{
    static const char *const slow[] = {
        "--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"};

    rig_up(&rig, NULL);
    struct spawn *w = rig_start(&rig, "a");
    for (int i = 0; i < 100; i++) {
        char key[16];
        (void)snprintf(key, sizeof key, "k%d", i);
        admin("SETRANGE", key, "1100", "x");
    }
    admin("CONFIG", "SET", "rdbcompression", "no");
    admin("SAVE", NULL, NULL, NULL);
    memcpy(rig.redis.extra, slow, sizeof slow);
    redis_fixture_restart(&rig.redis); /* returns when it has loaded, after 2 s */
    cr_expect(ge(int, rig_log_count(w, "LOADING"), 1));
    cr_expect(le(int, rig_log_count(w, "LOADING"), 3));
    expect_works();
}

static bool waits(char ret_id[32])
{
    char *list = redis_fixture_ask(&rig.redis, "CLIENT", "LIST", NULL);
    char *at = strstr(list, "cmd=bzpopmin");
    bool is = at != NULL;

    if (is) {
        while (at > list && at[-1] != '\n')
            at--;
        (void)snprintf(ret_id, 32, "%.*s", (int)strcspn(at + 3, " "), at + 3);
    }
    free(list);
    return is;
}

Test(worker_redis, a_wait_that_is_broken_off_is_begun_again_at_once)
{
    char id[32] = "", again[32] = "";

    rig_up(&rig, "lease_ms = 60000\n");
    rig_start(&rig, "a");
    cr_assert(WAIT_UNTIL(waits(id), 5000));
    admin("CLIENT", "UNBLOCK", id, "ERROR");
    cr_expect(WAIT_UNTIL(waits(again) && strcmp(id, again) != 0, 2000),
              "on a new connection, before any look by time");
    expect_works();
}

Test(worker_redis, at_maxmemory_the_jobs_that_are_there_are_done)
{
    rig_up(&rig, NULL);
    struct spawn *w = rig_start(&rig, "a");
    struct job_id id =
        rig_put(&rig, &(struct rig_job){.data = "due soon", .delay_ms = 1000});

    admin("CONFIG", "SET", "maxmemory", "1");
    cr_expect(rig_wait_state(&rig, &id, "done", 5000));
    cr_expect(spawn_is_running(w));
    admin("CONFIG", "SET", "maxmemory", "0");
    expect_works();
}

static void may_claim(void)
{
    admin("ACL", "SETUSER", "default", "+@all");
}

Test(worker_redis, rights_that_are_taken_away_are_told_and_waited_for)
{
    rig_up(&rig, NULL);
    struct spawn *w = rig_start(&rig, "a");

    admin("ACL", "SETUSER", "default", "-evalsha");
    expect_told_and_mended(w, "NOPERM", may_claim);
}
