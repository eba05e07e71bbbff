/*
 * responder, GET /metrics: what it says of what has happened, what that costs Redis, and who may ask.
 */
#include "tests/integration/access_rig.h"
#include "tests/integration/events_rig.h"
#include "tests/support/wait_until.h"

#include "shared/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_metrics, .init = responder_up, .fini = responder_down,
          .timeout = 120);
TestSuite(responder_metrics_all, .fini = responder_down, .timeout = 120);
TestSuite(responder_metrics_access, .fini = responder_down, .timeout = 120);

static const struct fcgi_request ask = {.method = "GET", .uri = "/metrics"};

/* A text that is older than the latest change does not count: it is kept for a second. */
static bool has_soon(const char *line)
{
    char whole[256];
    bool found = false;

    (void)snprintf(whole, sizeof whole, "\n%s\n", line);
    for (int64_t until_ms = clock_mono_ms() + 10000;
         !found && clock_mono_ms() < until_ms;) {
        struct fcgi_response r = responder_ask(&ask);
        found = r.status == 200 && strstr(r.body, whole);
        const char *up = strstr(r.body, "# TYPE hoist_redis_up ");
        cr_expect(up == NULL || !strstr(up + 1, "# TYPE hoist_redis_up "),
                  "told twice");
        if (!found)
            usleep(50000);
        fcgi_response_release(&r);
    }
    if (!found)
        cr_log_error("never: %s", line);
    return found;
}

static int64_t stat_of(const char *command, const char *field)
{
    char name[64], *info = redis_fixture_ask(&rig.redis, "INFO", "commandstats", NULL);

    (void)snprintf(name, sizeof name, "cmdstat_%s:", command);
    const char *at = strstr(info, name);
    at = at ? strstr(at, field) : NULL;
    int64_t n = at ? strtoll(at + strlen(field), NULL, 10) : 0;
    free(info);
    return n;
}

/* Every family that is told stands in the table of deploy/prometheus, for this program; and the other way round, but for
 * what is there only where something is so. */
static void compare_with_table(const char *text, const char *program)
{
    static char table[64 * 1024];
    FILE *f = fopen(HOIST_METRICS_TABLE, "re");
    size_t len = f ? fread(table, 1, sizeof table - 1, f) : 0, rows = 0;

    cr_assert(f && len > 0 && len < sizeof table - 1);
    (void)fclose(f);
    for (const char *at = text; (at = strstr(at, "# TYPE ")); at++) {
        char name[96], type[16], row[160];
        cr_assert(sscanf(at, "# TYPE %95s %15s", name, type) == 2);
        (void)snprintf(row, sizeof row, "\n| `%s` | %s | ", name, type);
        const char *found = strstr(table, row),
                   *mine = found ? strstr(found, program) : NULL;
        cr_expect(mine && mine < strchr(found + 1, '\n'), "%s %s", name, type);
    }
    for (char *at = table; (at = strstr(at, "\n| `hoist_")); rows++) {
        char name[96] = "", told[128], *end = strchr(++at, '\n');
        cr_assert(end && sscanf(at, "| `%95[a-z_]", name) == 1);
        *end = '\0';
        (void)snprintf(told, sizeof told, "# TYPE %s ", name);
        if (strstr(at, program) && !strstr(at, " where "))
            cr_expect(strstr(text, told) != NULL, "%s is not told", name);
        *end = '\n';
    }
    cr_expect(gt(sz, rows, 10));
}

/* promtool check metrics has nothing to say. */
static void check_with_promtool(const char *text)
{
    struct tmpdir_file file = tmpdir_write(&rig.dir, "metrics.txt", text, strlen(text));
    struct tmpdir_file log = tmpdir_file(&rig.dir, "promtool.log");
    struct spawn promtool;
    int status = -1, fd = open(file.path, O_RDONLY | O_CLOEXEC);

    if (!*HOIST_PROMTOOL) {
        cr_log_warn("promtool is not installed: what it would say is not known");
        return;
    }
    spawn_start(&promtool,
                &(struct spawn_options){
                    .argv = (const char *[]){HOIST_PROMTOOL, "check", "metrics", NULL},
                    .stdin_fd = fd,
                    .log_path = log.path});
    (void)close(fd);
    cr_assert(spawn_wait(&promtool, 30000, &status));
    cr_expect(eq(int, status, 0));
    if (status || tmpdir_count(rig.dir.path, "promtool.log") != 1 ||
        spawn_log_has(&promtool, "hoist"))
        spawn_show_log(&promtool);
    cr_expect_not(spawn_log_has(&promtool, "hoist"), "a warning names its metric");
}

Test(responder_metrics_all, it_tells_what_has_happened)
{
    static const struct fcgi_request nothing = {.method = "GET", .uri = "/nothing"};
    static const char *const lines[] = {
        "hoist_http_requests_total{route=\"/v1/"
        "uploads/{}\",method=\"PUT\",code=\"2xx\"} 1",
        "hoist_http_requests_total{route=\"other\",method=\"other\",code=\"4xx\"} 1",
        "hoist_http_request_duration_seconds_count{route=\"/v1/"
        "uploads/{}\",method=\"PUT\"} 1",
        "hoist_spool_accepted_files_total 1",
        "hoist_spool_accepted_bytes_total 5",
        "hoist_publish_jobs_total{result=\"published\"} 1",
        "hoist_publish_waiting_jobs 0",
        "hoist_handlers{state=\"busy\"} 1",
        "hoist_redis_up 1",
        "hoist_redis_breaker_open 0",
        "hoist_spool_refuses{reason=\"full\"} 0",
        "hoist_jobs_enqueued_total{queue=\"media\"} 1",
        "hoist_jobs_dead_total{queue=\"media\",class=\"crashed\"} 2",
        "hoist_queue_paused{queue=\"media\"} 0",
        "hoist_http_waiting 0",
        "hoist_build_info{program=\"hoist-fcgi\",version=\"" HOIST_VERSION "\"} 1",
    };

    responder_up_with("[spool]\nmax_files = 100000\n");
    (void)responder_upload("/v1/uploads/a.txt?queue=media");
    free(redis_fixture_ask(&rig.redis, "HMSET", "hoist:{media}:stats", "dead", "2",
                           "dead_crashed", "2", NULL));
    cr_assert(eq(int, responder_status(&nothing), 404));
    cr_assert(has_soon("hoist_queue_jobs{queue=\"media\",state=\"ready\"} 1"));
    struct fcgi_response r = responder_ask(&ask);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        cr_expect(strstr(r.body, lines[i]) != NULL, "%s", lines[i]);
    cr_expect(
        strstr(r.text, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n") !=
        NULL);
    cr_expect_not(strstr(r.body, "a.txt"));
    check_with_promtool(r.body);
    compare_with_table(r.body, "responder");
    fcgi_response_release(&r);
}

/* The number of a sample without labels. */
static int64_t number_of(const char *name)
{
    char start[96];
    struct fcgi_response r = responder_ask(&ask);
    (void)snprintf(start, sizeof start, "\n%s ", name);
    const char *at = strstr(r.body, start);
    int64_t n = at ? strtoll(at + strlen(start), NULL, 10) : -1;
    fcgi_response_release(&r);
    return n;
}

/* Each look sums up anew: what the one before it saw is not counted once more. */
Test(responder_metrics, it_counts_each_request_once_however_often_it_is_asked)
{
    static const struct fcgi_request queues = {.method = "GET", .uri = "/v1/queues"};
    static const char puts[] = "hoist_http_requests_total{route=\"/v1/uploads/"
                               "{}\",method=\"PUT\",code=\"2xx\"}";
    char line[128];

    for (int i = 0; i < 100; i++)
        cr_assert(eq(int, responder_status(&queues), 200));
    int64_t trips = number_of("hoist_redis_round_trip_seconds_count");
    cr_expect(ge(i64, trips, 100));
    for (int i = 1; i <= 3; i++) {
        (void)responder_upload("/v1/uploads/a.txt?queue=media");
        (void)snprintf(line, sizeof line, "%s %d", puts, i);
        cr_assert(has_soon(line));
    }
    cr_expect(lt(i64, number_of("hoist_redis_round_trip_seconds_count"), 2 * trips));
}

/* Who waits and who listens is no request among the others. */
Test(responder_metrics, those_who_listen_are_counted_by_what_they_listen_to)
{
    static struct event_stream streams[3];
    struct fcgi_client waits;
    const char *id = responder_upload("/v1/uploads/a.txt?queue=media");
    struct fcgi_request job = responder_get(responder_job_uri(id, "/events"));
    struct fcgi_request feed = responder_get("/v1/events");

    job.keep = feed.keep = true;
    events_open(&streams[0], &job);
    events_open(&streams[1], &feed);
    events_open(&streams[2], &feed);
    struct fcgi_request wait = responder_get(responder_job_uri(id, "?wait=60"));
    fcgi_client_open(&waits, rig.socket.path);
    fcgi_client_request(&waits, &wait);
    cr_expect(has_soon("hoist_http_listeners{kind=\"job\"} 1"));
    cr_expect(has_soon("hoist_http_listeners{kind=\"feed\"} 2"));
    cr_expect(has_soon("hoist_http_waiting 1"));
    cr_expect(has_soon("hoist_http_waits_total 4"));
    struct fcgi_response r = responder_ask(&ask);
    cr_expect_not(strstr(r.body, "route=\"/v1/events\""));
    fcgi_response_release(&r);
    fcgi_client_close(&waits);
    for (size_t i = 0; i < 3; i++)
        events_close(&streams[i]);
    cr_expect(has_soon("hoist_http_listeners{kind=\"job\"} 0"));
    cr_expect(has_soon("hoist_http_listeners{kind=\"feed\"} 0"));
}

/* All of it but what Redis knows. */
Test(responder_metrics, it_is_told_while_redis_is_away)
{
    redis_fixture_kill(&rig.redis);
    cr_assert(has_soon("hoist_redis_up 0"));
    struct fcgi_response r = responder_ask(&ask);
    cr_expect(eq(int, r.status, 200));
    cr_expect_not(strstr(r.body, "hoist_queue_"));
    cr_expect(strstr(r.body, "hoist_publish_waiting_jobs 0") != NULL);
    fcgi_response_release(&r);
    cr_expect(has_soon("hoist_redis_breaker_open 1"));
    redis_fixture_restart(&rig.redis);
    cr_expect(has_soon("hoist_redis_up 1"));
}

/* So many jobs as the lines of a busy system hold; the bench of tests/bench/metrics has a million. */
Test(responder_metrics, it_costs_redis_one_short_call_a_queue_and_second)
{
    enum { SCRAPES = 50, QUEUES = 2 };
    static const char *const lines[] = {"ready", "later", "leased", "dead", "done"};
    static const char fill[] =
        "local name, from = ARGV[1], tonumber(ARGV[2]) for i = 0, 9 do local m = {} "
        "for k = 1, 1000 do local n = from + i * 1000 + k; m[2 * k - 1] = n; "
        "m[2 * k] = string.format('01930000-0000-7000-8000-%012x', n) end "
        "redis.call('ZADD', 'hoist:{media}:' .. name, unpack(m)) end";

    cr_assert(has_soon("hoist_redis_up 1")); /* Redis knows the script now */
    for (size_t i = 0; i < 25;
         i++) { /* no call is a long one, however busy the machine */
        char from[16];
        (void)snprintf(from, sizeof from, "%zu", i / 5 * 10000);
        free(
            redis_fixture_ask(&rig.redis, "EVAL", fill, "0", lines[i % 5], from, NULL));
    }
    cr_assert(has_soon("hoist_queue_jobs{queue=\"media\",state=\"ready\"} 50000"));
    int64_t calls = stat_of("evalsha", "calls="), us = stat_of("evalsha", "usec=");
    int64_t reads = stat_of("zcard", "calls="), begin_ms = clock_mono_ms();
    for (int i = 0; i < SCRAPES; i++)
        cr_assert(eq(int, responder_status(&ask), 200));
    int64_t looks = (clock_mono_ms() - begin_ms) / 1000 + 1;
    calls = stat_of("evalsha", "calls=") - calls;
    us = stat_of("evalsha", "usec=") - us;
    cr_expect(le(i64, calls, QUEUES * looks), "%lld looks", (long long)looks);
    cr_expect(le(i64, stat_of("zcard", "calls=") - reads, 7 * QUEUES * looks));
    cr_expect(le(i64, us, calls * 50000), "%lld us, %lld calls", (long long)us,
              (long long)calls);
    cr_expect(has_soon("hoist_queue_jobs{queue=\"media\",state=\"done\"} 50000"));
    cr_expect(gt(i64, stat_of("evalsha", "calls="), 0));
}

Test(responder_metrics_access, it_is_for_whoever_has_the_scope)
{
    access_up_with("scopes = metrics\n");
    cr_expect(eq(int, access_status(NULL, "GET", "/metrics"), 401));
    cr_expect(eq(int, access_status("tester", "GET", "/metrics"), 200));
    cr_expect(eq(int, access_status("tester", "GET", "/v1/queues"), 403));
    cr_expect(eq(int, access_status("tester", "GET", "/status"), 403));
    cr_expect(eq(int, access_status("alice", "GET", "/metrics"), 200), "read");
    cr_expect(eq(int, access_status("reader", "GET", "/metrics"), 200));
    cr_expect(eq(int, access_status("boss", "GET", "/metrics"), 200));
    cr_expect(eq(int, access_status("bob", "GET", "/metrics"), 403),
              "it tells of queues that are not his");
}

Test(responder_metrics_access, without_tokens_it_is_for_this_machine)
{
    const struct fcgi_request far = {
        .method = "GET", .uri = "/metrics", .remote_addr = "192.0.2.1"};
    responder_up();
    cr_expect(eq(int, responder_status(&ask), 200));
    cr_expect(eq(int, responder_status(&far), 403));
}
