/* flow on a loop: turns, who goes first, who gives up, pauses; time is real, and short. */
#include "worker/flow/flow.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum { TICKETS = 8 };

static uv_loop_t loop;
static struct flows *flows;
static struct config_destination configs[2];
static struct flow *flow;
static struct flow_ticket tickets[TICKETS];
static char
    turns[TICKETS + 1]; /* 'a' + index of those that may go, 'A' + of those held */
static size_t turn_count;
static int changes;

static void on_turn(enum flow_turn turn, void *ctx)
{
    size_t i = (size_t)((struct flow_ticket *)ctx - tickets);

    turns[turn_count++] = (char)((turn == FLOW_GO ? 'a' : 'A') + (int)i);
}

static void on_change(void *ctx)
{
    (void)ctx;
    changes++;
}

static void up(void)
{
    struct err e = ERR_INIT;

    cr_assert(eq(int, uv_loop_init(&loop), 0));
    cr_assert(flows_open(&loop, &flows, &e) == ERR_OK, "%s", e.text);
    for (size_t i = 0; i < 2; i++)
        configs[i] = (struct config_destination){
            .max_requests = 2, .breaker_failures = 3, .breaker_max_seconds = 60};
    memcpy(configs[0].name, "one", 4);
    memcpy(configs[1].name, "two", 4);
    flow = flows_add(flows, &configs[0], "https://store:1/bucket");
    cr_assert(flow != NULL);
    flows_listen(flows, on_change, NULL);
    for (size_t i = 0; i < TICKETS; i++)
        tickets[i] = (struct flow_ticket){.on_turn = on_turn, .ctx = &tickets[i]};
}

static void down(void)
{
    flows_close(flows);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(eq(int, uv_loop_close(&loop), 0));
}

TestSuite(flow, .init = up, .fini = down, .timeout = 60);

static void run(void)
{
    (void)uv_run(&loop, UV_RUN_NOWAIT);
    (void)uv_run(&loop, UV_RUN_NOWAIT);
}

static int ask(size_t i)
{
    return (int)flow_ask(flow, &tickets[i], false);
}

static void tell(size_t i, int status, int64_t retry_after_ms)
{
    flow_told(&tickets[i], &(struct flow_answer){.net = RETRY_NET_OK,
                                                 .status = status,
                                                 .retry_after_ms = retry_after_ms,
                                                 .error = "as told"});
}

Test(flow, gives_turns_in_the_order_of_asking)
{
    cr_expect(eq(int, ask(0), FLOW_GO));
    cr_expect(eq(int, ask(1), FLOW_GO));
    cr_expect(eq(int, ask(2), FLOW_WAIT));
    cr_expect(eq(int, ask(3), FLOW_WAIT));
    cr_expect(eq(int, ask(4), FLOW_WAIT));
    cr_expect(eq(int, (int)flow_ask(flow, &tickets[5], true), FLOW_WAIT));
    run();
    cr_expect(eq(str, turns, ""));
    tell(0, 200, 0);
    cr_expect(eq(str, turns, ""), "never from inside");
    run();
    cr_expect(eq(str, turns, "f"), "what belongs to something begun is first");
    flow_leave(&tickets[2]); /* gives up */
    flow_leave(&tickets[2]);
    tell(1, 500, 0);
    tell(5, 404, 0);
    run();
    cr_expect(eq(str, turns, "fde"));
    cr_expect(eq(sz, flow_figures(flow).under_way, 2));
    cr_expect(eq(sz, flow_figures(flow).waiting, 0));
    flow_leave(&tickets[3]);
    flow_leave(&tickets[4]);
    cr_expect(eq(sz, flow_figures(flow).under_way, 0));
    cr_expect(eq(int, changes, 0));
}

Test(flow, destinations_of_one_host_share_its_limit)
{
    configs[1].max_requests = 1;
    struct flow *two = flows_add(flows, &configs[1], "https://store:1/other");

    cr_expect(ne(ptr, two, flow));
    cr_expect(eq(sz, flow_figures(flow).limit, 1));
    cr_expect(eq(int, ask(0), FLOW_GO));
    cr_expect(eq(int, (int)flow_ask(two, &tickets[1], false), FLOW_WAIT));
    flow_pause(two, 60000, "keys");
    run();
    cr_expect(eq(str, turns, "B"), "and rest each by itself");
    cr_expect(eq(int, flow_gate(flow), FLOW_RUNS));
    flow_leave(&tickets[0]);

    configs[1].name[0] = 'x';
    struct config_destination third = configs[1];
    struct flow *elsewhere = flows_add(flows, &third, "https://store:2");
    cr_expect(eq(int, (int)flow_ask(elsewhere, &tickets[2], false), FLOW_GO));
    cr_expect(eq(sz, flow_figures(flow).under_way, 0));
    flow_leave(&tickets[2]);
}

Test(flow, holds_those_that_wait_when_it_rests)
{
    struct buf text = BUF_INIT(256);

    for (size_t i = 0; i < 5; i++)
        (void)ask(i);
    flow_pause(flow, 60000, "no keys");
    cr_expect(eq(int, flow_gate(flow), FLOW_RESTS));
    run();
    cr_expect(eq(str, turns, "CDE"));
    cr_expect(eq(int, changes, 1));
    cr_expect(eq(int, ask(5), FLOW_HOLD));
    flows_describe(flows, &text);
    cr_expect(eq(str, text.data, "one (no keys)"));
    buf_release(&text);
    tell(0, 200, 0);
    tell(1, 200, 0);
    flow_pause(flow, 0, "");
    run();
    cr_expect(eq(int, changes, 2));
    cr_expect(eq(int, ask(5), FLOW_GO));
    flow_leave(&tickets[5]);
}

Test(flow, a_pause_ends_by_itself)
{
    flow_pause(flow, 20, "a moment");
    run();
    cr_assert(eq(int, changes, 1));
    while (changes < 2)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(eq(int, flow_gate(flow), FLOW_RUNS));
    cr_expect(eq(i64, flow_rest_ms(flow), 0));
}

Test(flow, failures_hold_jobs_back_and_one_probes)
{
    struct flow_job job, other;

    cr_expect(eq(i64, flow_job_begin(flow, &job), 0));
    for (size_t i = 0; i < 3; i++) {
        cr_expect(eq(i64, flow_job_excused_ms(&job, RETRY_TRANSIENT), 0));
        cr_assert(eq(int, ask(i), FLOW_GO));
        tell(i, 500, 0);
    }
    cr_expect(gt(i64, flow_job_excused_ms(&job, RETRY_TRANSIENT), 0));
    cr_expect(eq(i64, flow_job_excused_ms(&job, RETRY_NEVER), 0),
              "it is the job's own");
    flow_job_end(&job);
    int64_t hold = flow_job_begin(flow, &job);
    cr_expect(gt(i64, hold, 0));
    cr_expect(le(i64, hold, 1000));
    while (flow_gate(flow) != FLOW_PROBES)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(eq(i64, flow_job_begin(flow, &job), 0));
    cr_expect(eq(int, flow_gate(flow), FLOW_RESTS));
    cr_expect(gt(i64, flow_job_begin(flow, &other), 0), "one at a time");
    cr_assert(eq(int, ask(0), FLOW_GO));
    tell(0, 403, 0);
    flow_job_end(&job);
    cr_expect(eq(int, flow_gate(flow), FLOW_RUNS), "it answers");
}

Test(flow, a_probe_that_tells_nothing_makes_room_for_another)
{
    struct flow_job job;

    for (size_t i = 0; i < 3; i++) {
        (void)ask(i);
        tell(i, 500, 0);
    }
    while (flow_gate(flow) != FLOW_PROBES)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_assert(eq(i64, flow_job_begin(flow, &job), 0));
    flow_job_end(&job); /* cancelled, say */
    flow_job_end(&job);
    cr_expect(eq(int, flow_gate(flow), FLOW_PROBES));
}

Test(flow, a_time_that_the_store_names_is_kept_up_to_five_minutes)
{
    (void)ask(0);
    (void)ask(1);
    tell(0, 503, 3600 * 1000);
    cr_expect(gt(i64, flow_rest_ms(flow), FLOW_RETRY_AFTER_MAX_MS - 10000));
    cr_expect(le(i64, flow_rest_ms(flow), FLOW_RETRY_AFTER_MAX_MS));
    tell(1, 503, 1000);
    cr_expect(gt(i64, flow_rest_ms(flow), 10000), "the longest counts");
    cr_expect(eq(int, ask(2), FLOW_HOLD));
}

Test(flow, without_one_everything_goes)
{
    struct flow_job job;

    cr_expect(eq(int, (int)flow_ask(NULL, &tickets[0], false), FLOW_GO));
    tell(0, 500, 1000);
    flow_leave(&tickets[0]);
    cr_expect(eq(i64, flow_job_begin(NULL, &job), 0));
    cr_expect(eq(i64, flow_job_excused_ms(&job, RETRY_TRANSIENT), 0));
    flow_job_end(&job);
    cr_expect(flow_may_retry(NULL));
    cr_expect(eq(ptr, flows_add(NULL, &configs[0], "http://x"), NULL));
}
