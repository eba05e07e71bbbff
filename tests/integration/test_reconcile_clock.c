/* reconcile, when the time of day was wrong while an upload was taken, or is wrong now. */
#include "shared/reconcile.h"
#include "tests/integration/reconcile_rig.h"

#include <sys/syscall.h>
#include <time.h>

#define HOUR_MS INT64_C(3600000)

static struct redis_fixture server;
static struct spool_sample spool;
static struct redis *redis;
static int64_t ahead_ms; /* the time of day, of the real one */

/* Stands in for the C library's. */
int clock_gettime(clockid_t clock, struct timespec *t)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, t);

    if (rc == 0 && clock == CLOCK_REALTIME)
        t->tv_sec += ahead_ms / 1000;
    return rc;
}

static const struct reconcile_rig rig = {&server, &spool, &redis};

static void up(void)
{
    reconcile_rig_up(&rig);
}

static void down(void)
{
    reconcile_rig_down(&rig);
}

TestSuite(reconcile_clock, .init = up, .fini = down, .timeout = 120);

/* How many jobs a pass brings back that Redis has not. */
static size_t brought_back(void)
{
    struct reconcile_options o = RECONCILE_OPTIONS_INIT;
    struct reconcile_stats stats = {0};
    struct err e = ERR_INIT;

    o.min_age_ms = HOUR_MS;
    cr_assert(eq(int, reconcile_run(spool.spool, redis, &o, &stats, &e), ERR_OK), "%s",
              e.text);
    return stats.enqueued;
}

static void commit(void)
{
    struct job j = spool_sample_commit(&spool, "q", "abc", 3);

    job_release(&j);
}

Test(reconcile_clock, a_young_manifest_is_left_to_its_publisher)
{
    commit();
    cr_expect(eq(sz, brought_back(), 0));
}

Test(reconcile_clock, an_upload_of_a_clock_that_was_ahead_does_not_wait_for_that_time)
{
    ahead_ms = 25 * HOUR_MS;
    commit();
    ahead_ms = 0;
    cr_expect(eq(sz, brought_back(), 1));
}

Test(reconcile_clock, a_clock_that_went_back_keeps_nothing_waiting)
{
    commit();
    ahead_ms = -25 * HOUR_MS;
    cr_expect(eq(sz, brought_back(), 1));
}
