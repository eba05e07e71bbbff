#include "worker/metrics/metrics_text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

static struct config config;
static struct tally tally;
static struct histogram redis_us;
static struct metrics_look look;
static struct buf out = BUF_INIT(METRICS_TEXT_MAX);

static void up(void)
{
    struct err e = ERR_INIT;
    char *env[] = {NULL};
    config_init(&config);
    cr_assert(config_parse(&config, "test",
                           "[destination s3]\nurl = file:///a\n"
                           "[destination default]\nurl = file:///b\n",
                           env, &e) == ERR_OK,
              "%s", e.text);
    tally_init(&tally, &config);
    look = (struct metrics_look){
        .config = &config, .tally = &tally, .redis_us = &redis_us};
}

static void down(void)
{
    config_release(&config);
}

TestSuite(metrics_text, .init = up, .fini = down, .timeout = 60);

static const char *text(void)
{
    struct exposition x = {.out = &out};
    buf_clear(&out);
    metrics_text_write(&look, &x);
    cr_assert_not(out.failed);
    return out.data;
}

static bool has(const char *line)
{
    size_t len = strlen(line);
    const char *at = text();
    while ((at = strstr(at, line)) &&
           ((at > out.data && at[-1] != '\n') || at[len] != '\n'))
        at++;
    if (!at)
        cr_log_error("no line: %s", line);
    return at != NULL;
}

Test(metrics_text, an_upload_counts_for_its_destination)
{
    tally_upload(&tally, "s3", 1500, 2048);
    tally_end(&tally, "s3", TALLY_DONE);
    tally_end(&tally, "s3", TALLY_DEAD);
    tally_end(&tally, "default", TALLY_RELEASED);
    cr_expect(has("hoist_uploads_total{destination=\"s3\",result=\"done\"} 1"));
    cr_expect(has("hoist_uploads_total{destination=\"s3\",result=\"failed\"} 0"));
    cr_expect(has("hoist_uploads_total{destination=\"s3\",result=\"dead\"} 1"));
    cr_expect(
        has("hoist_uploads_total{destination=\"default\",result=\"released\"} 1"));
    cr_expect(
        has("hoist_upload_duration_seconds_bucket{destination=\"s3\",le=\"1\"} 0"));
    cr_expect(
        has("hoist_upload_duration_seconds_bucket{destination=\"s3\",le=\"2.5\"} 1"));
    cr_expect(has("hoist_upload_duration_seconds_sum{destination=\"s3\"} 1.5"));
    cr_expect(has("hoist_upload_size_bytes_bucket{destination=\"s3\",le=\"1024\"} 0"));
    cr_expect(has("hoist_upload_size_bytes_sum{destination=\"s3\"} 2048"));
    cr_expect(has("hoist_upload_size_bytes_count{destination=\"default\"} 0"));
    cr_expect_not(strstr(out.data, "\"several\""));
    cr_expect_not(strstr(out.data, "\"other\""));
}

Test(metrics_text, names_that_are_not_configured_make_no_series_of_their_own)
{
    tally_end(&tally, "s3,default", TALLY_DONE);
    tally_end(&tally, "gone", TALLY_FAILED);
    tally_end(&tally, NULL, TALLY_RELEASED);
    cr_expect(has("hoist_uploads_total{destination=\"several\",result=\"done\"} 1"));
    cr_expect(has("hoist_uploads_total{destination=\"other\",result=\"failed\"} 1"));
    cr_expect(has("hoist_uploads_total{destination=\"other\",result=\"released\"} 1"));
    cr_expect_not(strstr(out.data, "gone"));
}

Test(metrics_text, repairs_add_up_and_problems_are_those_of_the_latest_pass)
{
    const struct reconcile_stats first = {.scanned = 9,
                                          .enqueued = 2,
                                          .removed = 1,
                                          .swept = 4,
                                          .damaged = 1,
                                          .failed = 1},
                                 second = {.scanned = 5, .enqueued = 1},
                                 broken = {.scanned = 1, .enqueued = 1, .damaged = 7};
    tally_pass(&tally, true, &first, 1000500);
    tally_pass(&tally, true, &second, 2000500);
    tally_pass(&tally, false, &broken, 3000500);
    cr_expect(has("hoist_reconcile_passes_total{result=\"done\"} 2"));
    cr_expect(has("hoist_reconcile_passes_total{result=\"failed\"} 1"));
    cr_expect(has("hoist_reconcile_repairs_total{repair=\"enqueued\"} 4"));
    cr_expect(has("hoist_reconcile_repairs_total{repair=\"removed\"} 1"));
    cr_expect(has("hoist_reconcile_repairs_total{repair=\"swept\"} 4"));
    cr_expect(has("hoist_reconcile_problems{problem=\"damaged\"} 0"));
    cr_expect(has("hoist_reconcile_spool_jobs 5"));
    cr_expect(has("hoist_reconcile_last_pass_timestamp_seconds 2000.5"));
}

Test(metrics_text, a_destination_is_in_one_state)
{
    look.flows[0] = (struct metrics_flow){
        .is_there = true, .gate = FLOW_RESTS, .requests = {3, 2, 16}};
    cr_expect(has("hoist_destination_state{destination=\"s3\",state=\"runs\"} 0"));
    cr_expect(has("hoist_destination_state{destination=\"s3\",state=\"probes\"} 0"));
    cr_expect(has("hoist_destination_state{destination=\"s3\",state=\"rests\"} 1"));
    cr_expect(has("hoist_destination_state{destination=\"default\",state=\"runs\"} 1"));
    cr_expect(
        has("hoist_destination_requests{destination=\"s3\",state=\"under_way\"} 3"));
    cr_expect(
        has("hoist_destination_requests{destination=\"s3\",state=\"waiting\"} 2"));
    cr_expect(has("hoist_destination_requests_limit{destination=\"s3\"} 16"));
    cr_expect_not(strstr(out.data, "requests_limit{destination=\"default\""));
}

Test(metrics_text, leases_and_redis)
{
    tally_lost(&tally);
    tally_late(&tally);
    tally_late(&tally);
    tally_reaped(&tally);
    tally_lost(NULL); /* where nobody counts */
    tally_end(NULL, "s3", TALLY_DONE);
    histogram_note(&redis_us, &histogram_redis_us, 300);
    look.redis_up = look.is_alive = true;
    look.redis_pending = 7;
    look.slots = 64;
    look.quiet = true;
    look.busy = 3;
    cr_expect(has("hoist_leases_lost_total 1"));
    cr_expect(has("hoist_leases_late_total 2"));
    cr_expect(has("hoist_leases_reaped_total 1"));
    cr_expect(has("hoist_redis_round_trip_seconds_bucket{le=\"0.00025\"} 0"));
    cr_expect(has("hoist_redis_round_trip_seconds_bucket{le=\"0.0005\"} 1"));
    cr_expect(has("hoist_redis_pending_commands 7"));
    cr_expect(has("hoist_worker_alive 1"));
    cr_expect(has("hoist_worker_quiet 1"));
    cr_expect(has("hoist_worker_slots 64"));
    cr_expect(has("hoist_worker_slots_busy 3"));
}
