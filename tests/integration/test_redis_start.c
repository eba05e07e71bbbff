/* Both programs at the start: a Redis that throws waiting jobs away, or is too old, is refused by name. */
#include "tests/support/fake_server.h"
#include "tests/support/redis_fixture.h"
#include "tests/support/spawn.h"
#include "tests/support/wait_until.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct tmpdir dir;
static struct redis_fixture redis;
static struct spawn program;
static struct tmpdir_file program_log;

static void up(void)
{
    tmpdir_make(&dir);
    program_log = tmpdir_file(&dir, "log");
}

static void down(void)
{
    spawn_kill(&program);
    redis_fixture_stop(&redis);
    tmpdir_remove(&dir);
}

TestSuite(redis_start, .init = up, .fini = down, .timeout = 120);

static const char *const programs[] = {HOIST_FCGI_BIN, HOIST_WORKER_BIN};

static void start(const char *path, const char *url)
{
    char text[1024];

    (void)snprintf(text, sizeof text,
                   "[redis]\nurl = %s\n[spool]\ndir = %s/spool\n"
                   "[http]\nlisten = %s/f.sock\n[worker]\nid = a\n"
                   "[destination default]\nurl = file://%s/objects\n",
                   url, dir.path, dir.path, dir.path);
    struct tmpdir_file config = tmpdir_write(&dir, "hoist.ini", text, strlen(text));
    (void)tmpdir_write(&dir, "log", "", 0);
    const char *argv[] = {path, "--config", config.path, NULL};
    spawn_start(&program,
                &(struct spawn_options){.argv = argv, .log_path = program_log.path});
}

static bool log_has(const char *text)
{
    return spawn_log_has(&program, text);
}

static void expect_refused(const char *path, const char *url, const char *const *says)
{
    int status = 0;

    start(path, url);
    cr_assert(spawn_wait(&program, 10000, &status), "%s goes on", path);
    bool ended = WIFEXITED(status) && WEXITSTATUS(status) == 1;
    cr_expect(ended, "%s: %d", path, status);
    for (; *says; says++)
        if (!log_has(*says)) {
            spawn_show_log(&program);
            cr_expect(false, "%s does not say '%s'", path, *says);
        }
}

static void set(const char *name, const char *value)
{
    free(redis_fixture_ask(&redis, "CONFIG", "SET", name, value, NULL));
}

Test(redis_start, a_server_that_evicts_is_refused_by_name)
{
    static const char *const now[] = {"level=error", "maxmemory-policy is allkeys-lru",
                                      "maxmemory is set (104857600 bytes)",
                                      "set maxmemory-policy to noeviction", NULL};
    static const char *const later[] = {"maxmemory-policy is allkeys-random",
                                        "maxmemory is not set yet",
                                        "set maxmemory-policy to noeviction", NULL};

    redis_fixture_start(&redis);
    set("maxmemory-policy", "allkeys-lru");
    set("maxmemory", "100mb");
    for (size_t i = 0; i < 2; i++)
        expect_refused(programs[i], redis.url, now);
    set("maxmemory-policy", "allkeys-random");
    set("maxmemory", "0");
    for (size_t i = 0; i < 2; i++)
        expect_refused(programs[i], redis.url, later);
}

Test(redis_start, where_config_is_barred_it_is_refused_too)
{
    static const char *const says[] = {"maxmemory-policy is allkeys-lfu", NULL};

    redis_fixture_start(&redis);
    set("maxmemory-policy", "allkeys-lfu");
    free(redis_fixture_ask(&redis, "ACL", "SETUSER", "default", "-config", NULL));
    for (size_t i = 0; i < 2; i++)
        expect_refused(programs[i], redis.url, says);
}

Test(redis_start, a_server_too_old_is_refused_by_its_version)
{
    static const struct fake_reply replies[] = {
        {.bytes = "$22\r\nredis_version:6.0.16\r\n\r\n", .len = 29}, {0}};
    static const char *const says[] = {"version is 6.0", "Redis 6.2 or later", NULL};
    struct fake_server fake = {.replies = replies};
    char url[160];

    fake.socket = tmpdir_file(&dir, "fake");
    fake_server_start(&fake);
    (void)snprintf(url, sizeof url, "unix://%s", fake.socket.path);
    for (size_t i = 0; i < 2; i++)
        expect_refused(programs[i], url, says);
    fake_server_stop(&fake);
}

Test(redis_start, one_that_evicts_only_what_has_ended_is_told_and_used)
{
    redis_fixture_start(&redis);
    set("maxmemory-policy", "volatile-lru");
    for (size_t i = 0; i < 2; i++) {
        start(programs[i], redis.url);
        cr_expect(WAIT_UNTIL(log_has("redis may forget ended jobs early"), 5000));
        cr_expect(log_has("maxmemory_policy=volatile-lru"));
        cr_expect(spawn_is_running(&program));
        spawn_kill(&program);
    }
}

Test(redis_start, an_absent_server_and_a_wrong_password_do_not_stop_the_start)
{
    char url[160];

    redis_fixture_start(&redis);
    set("requirepass", "x");
    (void)snprintf(url, sizeof url, "unix://%s/none.sock", dir.path);
    for (size_t i = 0; i < 4; i++) {
        start(programs[i % 2], i < 2 ? url : redis.url);
        cr_expect(WAIT_UNTIL(log_has(i < 2 ? "redis is away" : "redis cannot be used"),
                             5000));
        cr_expect(log_has(i < 2 ? "level=warn" : "NOAUTH"));
        cr_expect(spawn_is_running(&program));
        spawn_kill(&program);
    }
}
