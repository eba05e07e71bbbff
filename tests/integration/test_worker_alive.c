/* What a worker tells of itself while Redis gives no answer: to the log, to Redis, to its supervisor and in a file. */
#include "tests/integration/worker_rig.h"
#include "tests/support/wait_until.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum { LIMIT_MS = 15000, TICK_MS = 2500 };

static struct worker_rig rig;
static struct tmpdir dir;
static struct tmpdir_file alive_file;
static int supervisor = -1;

/* What NOTIFY_SOCKET leads to, and the path of alive_file. */
static void up(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    tmpdir_make(&dir);
    alive_file = tmpdir_file(&dir, "alive");
    memcpy(at.sun_path, tmpdir_file(&dir, "notify").path, sizeof at.sun_path);
    supervisor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert(supervisor >= 0);
    cr_assert(bind(supervisor, (struct sockaddr *)&at, sizeof at) == 0);
    cr_assert(setenv("NOTIFY_SOCKET", at.sun_path, 1) == 0);
    cr_assert(setenv("HOIST_WORKER_ALIVE_FILE", alive_file.path, 1) == 0);
}

static void down(void)
{
    redis_fixture_resume(&rig.redis);
    rig_down(&rig);
    (void)close(supervisor);
    tmpdir_remove(&dir);
}

TestSuite(worker_alive, .init = up, .fini = down, .timeout = 120);

/* How many messages have come since the last call that begin so; all are taken. */
static int heard(const char *begin)
{
    char text[256];
    int count = 0;

    for (ssize_t n; (n = recv(supervisor, text, sizeof text - 1, 0)) >= 0;) {
        text[n] = '\0';
        count += strncmp(text, begin, strlen(begin)) == 0;
    }
    return count;
}

static bool is_there(void)
{
    return access(alive_file.path, F_OK) == 0;
}

static bool registered_as(const char *alive)
{
    char *reply =
        redis_fixture_ask(&rig.redis, "HGET", "hoist:worker:a", "alive", NULL);
    bool is = strcmp(reply, alive) == 0;

    free(reply);
    return is;
}

static int64_t touched_ns(void)
{
    struct stat st;

    return stat(alive_file.path, &st) == 0
               ? st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec
               : 0;
}

Test(worker_alive, while_it_works_it_says_so_and_at_the_end_takes_it_back)
{
    rig_up(&rig, NULL);
    struct spawn *w = rig_start(&rig, "a");

    cr_expect(eq(int, heard("READY=1"), 1));
    cr_expect(is_there());
    cr_expect(WAIT_UNTIL(registered_as("yes"), 2000));
    cr_expect(redis_fixture_ask_int(&rig.redis, "PTTL", "hoist:worker:a", NULL) > 0,
              "it still expires");
    int64_t first_ns = touched_ns();
    cr_expect(WAIT_UNTIL(heard("WATCHDOG=1") > 0, 2 * TICK_MS));
    cr_expect(WAIT_UNTIL(touched_ns() > first_ns, 2 * TICK_MS));
    cr_expect(spawn_stop(w, 5000));
    cr_expect(not(is_there()));
    cr_expect(eq(int, heard("STOPPING=1"), 1));
}

Test(worker_alive, when_redis_hangs_it_is_not_alive_after_15_s_and_is_when_it_is_back)
{
    rig_up(&rig, NULL);
    struct spawn *w = rig_start(&rig, "a");
    int64_t begun_ms = wait_now_ms();

    redis_fixture_pause(&rig.redis);
    cr_assert(
        WAIT_UNTIL(rig_log_count(w, "msg=\"not alive") > 0, LIMIT_MS + 3 * TICK_MS));
    int64_t took_ms = wait_now_ms() - begun_ms;
    cr_expect(ge(i64, took_ms, LIMIT_MS - 6000), "%d ms", (int)took_ms);
    cr_expect(not(is_there()));
    (void)heard("");
    /* Silence cannot be waited for: two ticks without a word are enough. */
    cr_expect(WAIT_STAYS(heard("WATCHDOG=1") == 0, 2 * TICK_MS));
    cr_expect(eq(int, rig_log_count(w, "not alive"), 1), "said once");

    redis_fixture_resume(&rig.redis);
    cr_expect(WAIT_UNTIL(rig_log_count(w, "alive again") == 1, 10000));
    cr_expect(WAIT_UNTIL(is_there(), 2 * TICK_MS));
    cr_expect(WAIT_UNTIL(heard("WATCHDOG=1") > 0, 2 * TICK_MS));
    cr_expect(registered_as("yes"));
    cr_expect(le(int, rig_log_count(w, "redis is away"), 6), "not once a second");
}

Test(worker_alive, where_redis_takes_it_the_registration_says_it)
{
    rig_up(&rig, NULL);
    struct spawn *w = rig_start(&rig, "a");

    free(redis_fixture_ask(&rig.redis, "ACL", "SETUSER", "default", "-evalsha",
                           "-bzpopmin", NULL));
    cr_expect(WAIT_UNTIL(registered_as("no"), LIMIT_MS + 3 * TICK_MS + 5000));
    cr_expect(eq(int, rig_log_count(w, "not alive"), 1));
    free(redis_fixture_ask(&rig.redis, "ACL", "SETUSER", "default", "+@all", NULL));
    cr_expect(WAIT_UNTIL(registered_as("yes"), 10000));
}

/* With so many queues each is looked at only every 30 s, and a full worker does not wait for work. */
#define MANY_QUEUES                                                                    \
    "[queue a]\n[queue b]\n[queue c]\n[queue d]\n[queue e]\n[queue f]\n[queue g]\n"    \
    "[queue h]\n[queue i]\n[queue j]\n"

Test(worker_alive, a_worker_with_nothing_but_long_uploads_is_alive)
{
    rig_up_s3(&rig, "concurrency = 1\nlease_ms = 120000\n" MANY_QUEUES);
    struct spawn *w = rig_start(&rig, "a");

    s3_faulty_close_gate(rig.s3);
    (void)rig_put(&rig, &(struct rig_job){.data = "long", .to = "s3"});
    cr_assert(WAIT_UNTIL(s3_faulty_waiting(rig.s3) == 1, 5000));
    int64_t until_ms = wait_now_ms() + LIMIT_MS + 2 * TICK_MS;
    (void)heard("");
    while (wait_now_ms() < until_ms)
        cr_assert(WAIT_UNTIL(heard("WATCHDOG=1") > 0, 2 * TICK_MS));
    cr_expect(eq(int, rig_log_count(w, "not alive"), 0));
    s3_faulty_open_gate(rig.s3);
}
