#include "fcgi-app/metrics/metrics_write.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

static const struct route routes[] = {
    {METHOD_POST, "v1/uploads", 0, NULL},
    {METHOD_GET, "v1/jobs/{}", 0, NULL},
    {METHOD_GET, "", 0, NULL},
};

static struct metrics_view view;
static struct buf out = BUF_INIT(METRICS_TEXT_MAX);
static struct meter meter;

static void up(void)
{
    view = (struct metrics_view){.routes = routes,
                                 .route_count = 3,
                                 .now_ms = 10000,
                                 .marks = {.usage = {.files = -1}},
                                 .handlers = {.listen_queue = -1}};
}

TestSuite(metrics_write, .init = up, .timeout = 60);

static const char *text(void)
{
    struct exposition x = {.out = &out};
    buf_clear(&out);
    view.meter = (struct meter_sum){.parked = 0};
    meter_read(&meter, &view.meter);
    metrics_write(&view, &x);
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

Test(metrics_write, a_request_counts_in_its_route_its_class_and_its_bucket)
{
    meter_note(&meter, 0, 202, 400);
    meter_note(&meter, 0, 202, 20000000);
    meter_note(&meter, 0, 507, 2000);
    meter_note(&meter, 1, 304, 600);
    meter_note_parked(&meter);
    view.waiters = 4;
    view.job_events = 5;
    view.feeds = 6;
    cr_expect(has("hoist_http_requests_total{route=\"/v1/"
                  "uploads\",method=\"POST\",code=\"2xx\"} 2"));
    cr_expect(has("hoist_http_requests_total{route=\"/v1/"
                  "uploads\",method=\"POST\",code=\"4xx\"} 0"));
    cr_expect(has("hoist_http_requests_total{route=\"/v1/"
                  "uploads\",method=\"POST\",code=\"5xx\"} 1"));
    cr_expect(has("hoist_http_requests_total{route=\"/v1/jobs/"
                  "{}\",method=\"GET\",code=\"3xx\"} 1"));
    cr_expect(has("hoist_http_request_duration_seconds_bucket{route=\"/v1/"
                  "uploads\",method=\"POST\",le=\"0.0005\"} 1"));
    cr_expect(has("hoist_http_request_duration_seconds_bucket{route=\"/v1/"
                  "uploads\",method=\"POST\",le=\"10\"} 2"));
    cr_expect(has("hoist_http_request_duration_seconds_bucket{route=\"/v1/"
                  "uploads\",method=\"POST\",le=\"+Inf\"} 3"));
    cr_expect(has("hoist_http_request_duration_seconds_sum{route=\"/v1/"
                  "uploads\",method=\"POST\"} 20.0024"));
    cr_expect(has("hoist_http_waits_total 1"));
    cr_expect(has("hoist_http_waiting 4"));
    cr_expect(has("hoist_http_listeners{kind=\"job\"} 5"));
    cr_expect(has("hoist_http_listeners{kind=\"feed\"} 6"));
    cr_expect_not(strstr(out.data, "route=\"/\""), "what nobody asked for");
}

Test(metrics_write, what_met_no_route_is_other_and_an_impossible_status_a_5xx)
{
    meter_note(&meter, METER_OTHER, 404, 100);
    meter_note(&meter, METER_OTHER + 5, 0, 100);
    meter_note(&meter, METER_OTHER, 600, 100);
    meter_note(&meter, METER_OTHER, 199, 100);
    meter_note(&meter, METER_OTHER, 599, 100);
    meter_note(&meter, METER_OTHER, -1, 100);
    meter_note(&meter, 2, 200, 100);
    cr_expect(has(
        "hoist_http_requests_total{route=\"other\",method=\"other\",code=\"4xx\"} 1"));
    cr_expect(has(
        "hoist_http_requests_total{route=\"other\",method=\"other\",code=\"5xx\"} 5"));
    cr_expect(
        has("hoist_http_requests_total{route=\"/\",method=\"GET\",code=\"2xx\"} 1"));
}

Test(metrics_write, what_several_threads_have_answered_adds_up)
{
    static struct meter other;
    struct meter_sum sum = {.parked = 0};

    meter_note(&meter, 1, 200, 400);
    meter_note(&other, 1, 200, 600);
    meter_note(&other, 1, 404, 700);
    meter_note_parked(&meter);
    meter_note_parked(&other);
    meter_read(&meter, &sum);
    meter_read(&other, &sum);
    cr_expect(eq(u64, histogram_count(&sum.latency_us[1]), 3));
    cr_expect(eq(u64, sum.latency_us[1].sum, 1700));
    cr_expect(eq(u64, sum.classes[1][0], 2));
    cr_expect(eq(u64, sum.classes[1][2], 1));
    cr_expect(eq(u64, sum.parked, 2));
}

/* A request of each bound, which it is below. */
Test(metrics_write, the_buckets_of_requests_are_those_of_the_documentation)
{
    static const struct {
        int64_t us;
        const char *le;
    } rows[] = {{500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},
                {10000, "0.01"},  {25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},
                {250000, "0.25"}, {500000, "0.5"},  {1000000, "1"},   {2500000, "2.5"},
                {10000000, "10"}};
    char line[160];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        meter_note(&meter, 2, 200, rows[i].us);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(line, sizeof line,
                       "hoist_http_request_duration_seconds_bucket{route=\"/\","
                       "method=\"GET\",le=\"%s\"} %zu",
                       rows[i].le, i + 1);
        cr_expect(has(line));
    }
    cr_expect(has("hoist_http_request_duration_seconds_count{route=\"/\","
                  "method=\"GET\"} 13"));
}

Test(metrics_write, each_number_has_its_own_name)
{
    view.handlers = (struct handlers_figures){.busy = 1,
                                              .idle = 2,
                                              .limit = 3,
                                              .exhausted = 4,
                                              .slow = 5,
                                              .accepted = 6,
                                              .listen_queue = 7};
    view.publisher = (struct publisher_stats){
        .published = 8, .dropped = 9, .refused = 10, .waiting = 11};
    view.marks = (struct marks_figures){.accepted_files = 12,
                                        .accepted_bytes = 13,
                                        .has_usage = true,
                                        .usage = {.bytes = 14,
                                                  .bytes_max = 15,
                                                  .inodes = 16,
                                                  .inodes_max = 17,
                                                  .files = 18,
                                                  .data_bytes = 19}};
    view.redis_up = true;
    view.redis_us = (struct histogram_sum){.buckets = {0, 2, 1}, .sum = 700};
    static const char *const lines[] = {
        "hoist_handlers{state=\"busy\"} 1",
        "hoist_handlers{state=\"idle\"} 2",
        "hoist_handlers_limit 3",
        "hoist_handlers_exhausted_total 4",
        "hoist_http_slow_requests_total 5",
        "hoist_connections_accepted_total 6",
        "hoist_connections_queued 7",
        "hoist_publish_jobs_total{result=\"published\"} 8",
        "hoist_publish_jobs_total{result=\"dropped\"} 9",
        "hoist_publish_jobs_total{result=\"refused\"} 10",
        "hoist_publish_waiting_jobs 11",
        "hoist_publish_limit_jobs 8192",
        "hoist_spool_accepted_files_total 12",
        "hoist_spool_accepted_bytes_total 13",
        "hoist_spool_disk_used_bytes 14",
        "hoist_spool_disk_size_bytes 15",
        "hoist_spool_disk_used_inodes 16",
        "hoist_spool_disk_size_inodes 17",
        "hoist_spool_files 18",
        "hoist_spool_bytes 19",
        "hoist_redis_up 1",
        "hoist_redis_breaker_open 0",
        "hoist_redis_round_trip_seconds_bucket{le=\"0.0001\"} 0",
        "hoist_redis_round_trip_seconds_bucket{le=\"0.00025\"} 2",
        "hoist_redis_round_trip_seconds_bucket{le=\"0.0005\"} 3",
        "hoist_redis_round_trip_seconds_sum 0.0007",
        "hoist_redis_round_trip_seconds_count 3",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        cr_expect(has(lines[i]));
    view.redis_up = false;
    view.breaker_open = true;
    cr_expect(has("hoist_redis_up 0"));
    cr_expect(has("hoist_redis_breaker_open 1"));
}

Test(metrics_write, a_queue_is_told_by_state_and_by_class_of_errors)
{
    view.queue_count = 1;
    view.queues[0] =
        (struct metrics_queue){.name = "media",
                               .status = {.ready = 1,
                                          .scheduled = 2,
                                          .running = 3,
                                          .dead = 4,
                                          .done = 5,
                                          .grouped = 6,
                                          .behind = 7,
                                          .oldest_created = 8500,
                                          .paused = true,
                                          .enqueued_total = 11,
                                          .started_total = 12,
                                          .done_total = 13,
                                          .retried_total = 14,
                                          .cancelled_total = 15,
                                          .crashed_total = 16,
                                          .bytes = 1 << 20},
                               .classes = {.failed = {9}, .dead = {0, 0, 8}}};
    static const char *const lines[] = {
        "hoist_queue_jobs{queue=\"media\",state=\"ready\"} 1",
        "hoist_queue_jobs{queue=\"media\",state=\"scheduled\"} 2",
        "hoist_queue_jobs{queue=\"media\",state=\"running\"} 3",
        "hoist_queue_jobs{queue=\"media\",state=\"dead\"} 4",
        "hoist_queue_jobs{queue=\"media\",state=\"done\"} 5",
        "hoist_queue_jobs{queue=\"media\",state=\"grouped\"} 6",
        "hoist_queue_jobs{queue=\"media\",state=\"behind\"} 7",
        "hoist_queue_oldest_age_seconds{queue=\"media\"} 1.5",
        "hoist_queue_bytes{queue=\"media\"} 1048576",
        "hoist_queue_paused{queue=\"media\"} 1",
        "hoist_jobs_enqueued_total{queue=\"media\"} 11",
        "hoist_jobs_started_total{queue=\"media\"} 12",
        "hoist_jobs_done_total{queue=\"media\"} 13",
        "hoist_jobs_retried_total{queue=\"media\"} 14",
        "hoist_jobs_cancelled_total{queue=\"media\"} 15",
        "hoist_jobs_crashed_total{queue=\"media\"} 16",
        "hoist_jobs_failed_total{queue=\"media\",class=\"transient\"} 9",
        "hoist_jobs_failed_total{queue=\"media\",class=\"other\"} 0",
        "hoist_jobs_dead_total{queue=\"media\",class=\"config\"} 8",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        cr_expect(has(lines[i]));
    view.queues[0].status.oldest_created = 12000; /* of a clock that goes ahead */
    cr_expect(has("hoist_queue_oldest_age_seconds{queue=\"media\"} 0"));
    view.queues[0].status.oldest_created = 0;
    cr_expect(has("hoist_queue_oldest_age_seconds{queue=\"media\"} 0"));
}

Test(metrics_write, what_is_not_known_is_left_out)
{
    cr_expect(has("hoist_redis_up 0"));
    cr_expect_not(strstr(out.data, "hoist_queue_"));
    cr_expect_not(strstr(out.data, "hoist_jobs_"));
    cr_expect_not(strstr(out.data, "hoist_spool_disk_"));
    cr_expect_not(strstr(out.data, "hoist_spool_files"));
    cr_expect_not(strstr(out.data, "hoist_connections_queued"));
    view.marks.has_usage = true;
    view.marks.usage.bytes = 5;
    cr_expect(has("hoist_spool_disk_used_bytes 5"));
    cr_expect_not(strstr(out.data, "inodes"), "this file system does not count them");
    cr_expect_not(strstr(out.data, "hoist_spool_files"), "nobody counts them");
    view.marks.usage.files = 3;
    view.handlers.listen_queue = 0;
    cr_expect(has("hoist_spool_files 3"));
    cr_expect(has("hoist_connections_queued 0"));
}

Test(metrics_write, why_uploads_are_refused_is_one_of_three)
{
    static const struct {
        enum water_what what;
        int unusable, full, redis;
    } rows[] = {{WATER_NOTHING, 0, 0, 0},
                {WATER_UNUSABLE, 1, 0, 0},
                {WATER_INODES, 0, 1, 0},
                {WATER_MAX_FILES, 0, 1, 0},
                {WATER_REDIS, 0, 0, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char lines[200];
        (void)snprintf(lines, sizeof lines,
                       "hoist_spool_refuses{reason=\"unusable\"} %d\n"
                       "hoist_spool_refuses{reason=\"full\"} %d\n"
                       "hoist_spool_refuses{reason=\"redis\"} %d",
                       rows[i].unusable, rows[i].full, rows[i].redis);
        view.marks.what = rows[i].what;
        cr_expect(has(lines), "row %zu", i);
    }
}

/* The longest that can be: all queues and all routes, with long names and large numbers. */
Test(metrics_write, the_most_there_can_be_fits)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyz012345";
    static struct route many[METER_ROUTES_MAX];
    view.routes = many;
    view.route_count = METER_ROUTES_MAX;
    for (size_t i = 0; i < METER_ROUTES_MAX; i++)
        many[i] = (struct route){METHOD_DELETE, "v1/queues/{}/something/{}", 0, NULL};
    for (size_t i = 0; i < METER_ROUTES; i++)
        meter_note(&meter, i, 200, INT64_MAX);
    view.queue_count = CONFIG_QUEUES_MAX;
    for (size_t i = 0; i < CONFIG_QUEUES_MAX; i++) {
        memset(&view.queues[i], 0x3f, sizeof view.queues[i]);
        view.queues[i].name = name;
        view.queues[i].status.paused = true;
    }
    cr_expect(gt(sz, strlen(text()), 300 * 1024));
}
