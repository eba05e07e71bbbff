/*
 * publish_ring: what goes together in one call, what is opened before it and closed behind it, and what does not fit.
 */
#include "fcgi-app/publish/publish_ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(publish_ring, .timeout = 60);

static struct publish_ring ring;
static struct uuid batch;

static void up(void)
{
    struct err e = ERR_INIT;
    cr_assert(eq(int, publish_ring_init(&ring, &e), ERR_OK));
    batch = id_new();
}

static void down(void)
{
    publish_ring_release(&ring);
}

static struct job job_in(const char *queue)
{
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    snprintf(j.id.queue, sizeof j.id.queue, "%s", queue);
    j.id.uuid = id_new();
    j.created = 1;
    j.max_attempts = 1;
    j.source = strdup("spool");
    j.sha256 =
        strdup("0000000000000000000000000000000000000000000000000000000000000000");
    j.to = strdup("default");
    cr_assert(eq(int, job_set_key(&j, "k", 1, &e), ERR_OK));
    return j;
}

enum { MOST = 150 };

/* Add count jobs of one request, all in queue but the last, which is in last_queue. */
static bool add(const char *queue, const char *last_queue, size_t count,
                const struct uuid *own_batch)
{
    static struct job jobs[MOST];
    static struct publish_slot slots[MOST];
    for (size_t i = 0; i < count; i++)
        jobs[i] = job_in(i + 1 < count ? queue : last_queue);
    cr_assert(publish_slots_init(slots, jobs, count, own_batch));
    bool added = publish_ring_add(&ring, slots, count);
    if (!added)
        publish_slots_release(slots, count);
    for (size_t i = 0; i < count; i++)
        job_release(&jobs[i]);
    return added;
}

/* How many the next call carries; they are dropped. */
static size_t next(void)
{
    size_t n = publish_ring_next(&ring);
    struct redis_cmd call;
    redis_cmd_init(&call);
    publish_ring_build(&ring, n, &call);
    cr_expect(not(call.failed));
    redis_cmd_release(&call);
    publish_ring_drop(&ring, n, publish_ring_clear(&ring, n));
    return n;
}

Test(publish_ring, single_jobs_of_one_queue_share_a_call, .init = up, .fini = down)
{
    for (int i = 0; i < 120; i++)
        cr_assert(add("a", "a", 1, &batch));
    cr_assert(add("b", "b", 1, &batch));
    cr_expect(eq(sz, next(), 100));
    cr_expect(eq(sz, next(), 20));
    cr_expect(eq(sz, next(), 1), "another queue");
    cr_expect(eq(sz, ring.count, 0));
    cr_expect(eq(sz, ring.bytes, 0));
}

Test(publish_ring, the_jobs_of_a_request_are_never_parted, .init = up, .fini = down)
{
    cr_assert(add("a", "a", 1, NULL));
    cr_assert(add("a", "a", 98, &batch));
    cr_assert(add("a", "a", 3, &batch));
    cr_assert(add("a", "a", 100, &batch));
    cr_expect(eq(sz, next(), 99), "102 do not go into one");
    cr_expect(eq(sz, next(), 3));
    cr_expect(publish_ring_open(&ring) == NULL);
    cr_expect(eq(sz, next(), 100));
}

Test(publish_ring, where_the_ring_begins_anew_they_are_not_parted_either, .init = up,
     .fini = down)
{
    for (size_t i = 0; i < PUBLISH_RING_MAX - 2; i++)
        cr_assert(add("a", "a", 1, NULL));
    while (ring.count > 100)
        (void)next();
    size_t left = ring.count;
    cr_assert(add("b", "b", 5, &batch));
    cr_expect(gt(sz, ring.head + ring.count, PUBLISH_RING_MAX));
    cr_expect(eq(sz, next(), left));
    cr_expect(eq(sz, next(), 5));
    cr_expect(eq(sz, ring.head, 0), "and empty it begins at its first slot again");
}

Test(publish_ring, several_queues_are_put_between_open_and_close, .init = up,
     .fini = down)
{
    cr_assert(add("a", "a", 1, NULL));
    cr_assert(add("a", "b", 3, &batch));
    cr_assert(add("b", "b", 1, NULL));
    cr_expect(eq(sz, next(), 1), "nothing goes with what is to be opened first");
    cr_expect(publish_ring_open(&ring) != NULL);
    cr_expect(publish_ring_close(&ring, 2) == NULL);
    cr_expect(eq(sz, next(), 2));
    cr_expect(publish_ring_open(&ring) == NULL);
    cr_expect(publish_ring_close(&ring, 1) != NULL);
    cr_expect(eq(sz, next(), 1), "nothing goes behind what is to be closed");
    cr_expect(eq(sz, next(), 1));
}

Test(publish_ring, more_than_one_call_carries_is_opened_and_closed, .init = up,
     .fini = down)
{
    cr_assert(add("a", "a", MOST, &batch));
    cr_expect(publish_ring_open(&ring) != NULL);
    cr_expect(eq(sz, next(), 100));
    cr_expect(publish_ring_close(&ring, 50) != NULL);
    cr_expect(eq(sz, next(), 50));
}

Test(publish_ring, a_batch_of_the_clients_is_neither_opened_nor_closed, .init = up,
     .fini = down)
{
    cr_assert(add("a", "b", 3, NULL));
    cr_expect(publish_ring_open(&ring) == NULL);
    cr_expect(eq(sz, next(), 2));
    cr_expect(publish_ring_close(&ring, 1) == NULL);
}

Test(publish_ring, a_request_fits_whole_or_not_at_all, .init = up, .fini = down)
{
    for (size_t i = 0; i < PUBLISH_RING_MAX - 2; i++)
        cr_assert(add("a", "a", 1, NULL));
    cr_expect(not(add("a", "a", 3, &batch)));
    cr_expect(eq(sz, ring.count, PUBLISH_RING_MAX - 2));
    cr_expect(add("a", "a", 2, &batch));
    cr_expect(not(add("a", "a", 1, NULL)));
}
