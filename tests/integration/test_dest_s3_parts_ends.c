/* Uploads in parts that are told to stop where nothing but them is under way: each is delivered once, and what it uses stays. */
#include "tests/integration/dest_s3_parts_harness.h"

#include <semaphore.h>

#include "worker/flow/flow.h"
#include "worker/s3/dest_s3_internal.h"

TestSuite(dest_s3_parts_ends, .init = parts_up, .fini = parts_down, .timeout = 60);

static struct dest_result result;
static struct destination_run *run;

static void begin(void)
{
    struct destination_work w = {.job = &parts_job,
                                 .fd = dest_data(parts_bytes, SIZE),
                                 .done = dest_on_done,
                                 .ctx = &result};

    run = destination_begin(dest, &w);
    cr_assert(run != NULL);
}

static void finish(void)
{
    while (result.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(eq(int, result.calls, 1));
    cr_expect(result.outcome.aborted, "%s", result.outcome.error);
    outcome_release(&result.outcome);
}

static void run_until_asked(enum s3_op op)
{
    while (s3_faulty_count_of(s3, op) == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
}

/* The store has forgotten the upload; before the new one begins the old one is aborted, which the store does not answer. */
Test(dest_s3_parts_ends, stopped_while_it_is_about_to_begin_anew)
{
    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_STATUS,
                                         .status = 404,
                                         .code = "NoSuchUpload",
                                         .op = S3_OP_PART,
                                         .part = PARTS});
    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_HANG, .op = S3_OP_ABORT});
    begin();
    run_until_asked(S3_OP_ABORT);
    destination_abort(dest, run);
    finish();
    cr_expect(eq(int, s3_faulty_count_of(s3, S3_OP_CREATE), 1));
    cr_expect(eq(int, journals(), 1), "for who comes next");
}

/* The store knows no condition: the request that goes without would replace what is there. */
Test(dest_s3_parts_ends, where_conditions_are_not_known_a_chosen_key_is_looked_up)
{
    s3_faulty_set_traits(s3, (struct s3_faulty_traits){.no_conditions = true});
    s3_faulty_put(s3, PATH, "of somebody else", 16);
    struct dest_result r = deliver_parts();
    cr_expect(eq(int, r.outcome.class, RETRY_NEVER), "%s", r.outcome.error);
    cr_expect(eq(str, r.outcome.error, "key exists with other content"));
    cr_expect(eq(int, stored(), 1), "it is not overwritten");
    cr_expect(eq(int, s3_faulty_unfinished(s3), 0));
    outcome_release(&r.outcome);
}

/* --- no budget for what would be sent again --- */

static void drain(uv_timer_t *timer)
{
    while (flow_may_retry(timer->data))
        ;
}

Test(dest_s3_parts_ends, without_budget_a_part_that_fails_is_the_end_of_the_attempt)
{
    static uv_timer_t timer; /* parts_down() turns the loop until it is closed */
    struct flows *flows = NULL;
    struct err e = ERR_INIT;

    cr_assert(flows_open(&loop, &flows, &e) == ERR_OK, "%s", e.text);
    config.max_requests = 8;
    dest->flow = flows_add(flows, &config, config.endpoint);
    for (int i = 0; i < 3 * PARTS; i++)
        s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_STATUS,
                                             .status = 500,
                                             .code = "InternalError",
                                             .op = S3_OP_PART});
    (void)uv_timer_init(&loop, &timer);
    timer.data = dest->flow;
    drain(&timer);
    (void)uv_timer_start(&timer, drain, 1, 1);
    struct dest_result r = deliver_parts();
    cr_expect(not(r.outcome.done));
    cr_expect(eq(int, r.outcome.class, RETRY_TRANSIENT), "%s", r.outcome.error);
    outcome_release(&r.outcome);
    /* With budget each is sent up to four times; a tenth of a second buys one. */
    cr_expect(lt(int, s3_faulty_count_of(s3, S3_OP_PART), PARTS + 4));
    uv_close((uv_handle_t *)&timer, NULL);
    dest->flow = NULL;
    flows_close(flows);
}

/* --- a pool that is busy --- */

enum { POOL = 4 }; /* libuv's threads */

static uv_work_t blockers[POOL];
static sem_t gate;

static void block(uv_work_t *work)
{
    (void)work;
    while (sem_wait(&gate) != 0)
        ;
}

static void unblocked(uv_work_t *work, int status)
{
    (void)work;
    (void)status;
}

/* An object of the same size is there, of which the store tells nothing but the MD5: the file is hashed on the pool. */
Test(dest_s3_parts_ends, stopped_while_its_file_is_hashed_for_a_comparison)
{
    char *other = calloc(1, SIZE);

    cr_assert(other != NULL);
    s3_faulty_set_traits(s3, (struct s3_faulty_traits){.silent_checksums = true});
    s3_faulty_put(s3, PATH, other, SIZE);
    free(other);
    config.part_concurrency = PARTS;
    s3_faulty_close_gate(s3);
    begin();
    while (s3_faulty_waiting(s3) < PARTS) /* all else is still to come */
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_assert(eq(int, sem_init(&gate, 0, 0), 0));
    for (int i = 0; i < POOL; i++)
        (void)uv_queue_work(&loop, &blockers[i], block, unblocked);
    s3_faulty_open_gate(s3);
    while (!run->is_hashing) /* it waits behind these, as writes of the journal may */
        (void)uv_run(&loop, UV_RUN_ONCE);
    destination_abort(dest, run);
    for (int i = 0; i < 100; i++)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    cr_expect(eq(int, result.calls, 0), "the pool has its file and its memory");
    for (int i = 0; i < POOL; i++)
        (void)sem_post(&gate);
    finish();
    (void)sem_destroy(&gate);
}
