/*
 * bench_queue: hoist's side of tests/bench/queue/run: producers and a worker with jobs that do nothing, on the queue's own
 * commands (shared/queue.h) and with all it guarantees: a lease and a token for each job, its attempt counted before it
 * runs, its end written before its lease goes, counters and events, every call repeatable.
 *
 *   bench_queue --redis SOCKET enqueue --jobs N --mode one|bulk|pipeline
 *   bench_queue --redis SOCKET drain --jobs N [--concurrency C]
 *   bench_queue --redis SOCKET idle --samples N
 *   bench_queue --redis SOCKET memory --jobs N
 *   bench_queue --redis SOCKET quiet --seconds S
 *   bench_queue --redis SOCKET depth --jobs N
 *
 * Each prints one JSON object.  Not a test: asserts nothing but that all jobs went through.
 */
#include "tests/bench/queue/hoist.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

const char queue_name[sizeof "default"] = "default";

_Noreturn void die(const char *what, const struct err *e)
{
    fprintf(stderr, "bench_queue: %s: %s\n", what, e ? e->text : "");
    exit(1);
}

double seconds_since(int64_t start_us)
{
    return (double)(clock_mono_us() - start_us) / 1e6;
}

struct redis_value *call(struct bench *b, const struct redis_cmd *c)
{
    struct redis_value *reply = NULL;
    struct err e = ERR_INIT;

    if (redis_call(b->redis, c, &reply, &e) != ERR_OK)
        die("redis", &e);
    return reply;
}

static long rss_kib(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

static int64_t info(struct bench *b, const char *section, const char *name)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    redis_cmd_begin(&c, "INFO");
    redis_cmd_add_str(&c, section);
    struct redis_value *reply = call(b, &c);
    const char *at = strstr(redis_value_str(reply, NULL), name);
    int64_t n = at ? strtoll(at + strlen(name) + 1, NULL, 10) : 0;
    redis_reply_free(reply);
    redis_cmd_release(&c);
    return n;
}

static void configure(struct bench *b, const char *name, const char *value)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    redis_cmd_begin(&c, "CONFIG");
    redis_cmd_add_str(&c, "SET");
    redis_cmd_add_str(&c, name);
    redis_cmd_add_str(&c, value);
    redis_reply_free(call(b, &c));
    redis_cmd_release(&c);
}

static void flush(struct bench *b)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    redis_cmd_begin(&c, "FLUSHALL");
    redis_reply_free(call(b, &c));
    redis_cmd_release(&c);
}

static int64_t slowlog_len(struct bench *b)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    redis_cmd_begin(&c, "SLOWLOG");
    redis_cmd_add_str(&c, "LEN");
    struct redis_value *reply = call(b, &c);
    int64_t n = redis_value_int(reply);
    redis_reply_free(reply);
    redis_cmd_release(&c);
    return n;
}

static void run_enqueue(struct bench *b)
{
    printf("{\"jobs\":%" PRId64 ",\"seconds\":%.6f}\n", b->jobs,
           enqueue_all(b, b->jobs, b->mode));
}

static void run_drain(struct bench *b)
{
    int64_t done = 0;
    double s = drain(b, b->jobs, &done);

    printf("{\"jobs\":%" PRId64 ",\"seconds\":%.6f,\"rss_kib\":%ld}\n", done, s,
           rss_kib());
}

static void run_memory(struct bench *b)
{
    (void)enqueue_all(b, 1, "bulk"); /* the script is loaded */
    int64_t before = info(b, "memory", "used_memory");
    (void)enqueue_all(b, b->jobs, "bulk");
    printf("{\"bytes_per_job\":%.1f}\n",
           (double)(info(b, "memory", "used_memory") - before) / (double)b->jobs);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void run_idle(struct bench *b)
{
    size_t n = (size_t)b->samples;
    double *ms = calloc(n, sizeof *ms);

    if (!ms || n == 0)
        die("samples", NULL);
    measure_idle(b, ms, n);
    qsort(ms, n, sizeof *ms, by_size);
    printf("{\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n", ms[n / 2], ms[(n * 99) / 100]);
    free(ms);
}

/* Drain rates with a short backlog (1,000 jobs again and again) and with a long one (the first of its jobs, as many), and
 * how many calls took Redis longer than 5 ms meanwhile. */
static void run_depth(struct bench *b)
{
    enum { SHORT = 1000, TIMES = 100 };
    int64_t done = 0, short_done = 0;
    double short_s = 0, long_s = 0;

    configure(b, "slowlog-log-slower-than", "5000");
    for (int i = 0; i < TIMES; i++) {
        (void)enqueue_all(b, SHORT, "bulk");
        short_s += drain(b, SHORT, &done);
        short_done += done;
    }
    flush(b); /* the records of those that have ended */
    (void)enqueue_all(b, b->jobs, "bulk");
    long_s = drain(b, (int64_t)SHORT * TIMES, &done);
    printf("{\"rate_at_1000\":%.0f,\"rate_at_n\":%.0f,\"slowlog_over_5ms\":%" PRId64
           "}\n",
           (double)short_done / short_s, (double)done / long_s, slowlog_len(b));
}

static const struct {
    const char *name;
    void (*run)(struct bench *b);
} commands[] = {{"enqueue", run_enqueue}, {"drain", run_drain}, {"idle", run_idle},
                {"memory", run_memory},   {"quiet", run_quiet}, {"depth", run_depth}};

static bool run_command(struct bench *b, const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0) {
            commands[i].run(b);
            return true;
        }
    return false;
}

/* One option and its value. */
static void set_option(struct bench *b, const char *name, const char *value)
{
    struct err e = ERR_INIT;
    char url[512];

    if (strcmp(name, "--redis") == 0) {
        (void)snprintf(url, sizeof url, "unix://%s", value);
        if (redis_target_parse(url, &b->options.target, &e) != ERR_OK)
            die("--redis", &e);
    } else if (strcmp(name, "--mode") == 0) {
        b->mode = value;
    } else if (strcmp(name, "--jobs") == 0) {
        b->jobs = strtoll(value, NULL, 10);
    } else if (strcmp(name, "--samples") == 0) {
        b->samples = strtoll(value, NULL, 10);
    } else if (strcmp(name, "--seconds") == 0) {
        b->seconds = strtoll(value, NULL, 10);
    } else if (strcmp(name, "--concurrency") == 0) {
        b->concurrency = strtoll(value, NULL, 10);
    } else {
        die("unknown option", NULL);
    }
}

int main(int argc, char **argv)
{
    struct bench b = {.worker = {.id = "bench", .lease_ms = LEASE_MS},
                      .options = {.connect_timeout_ms = 5000, .timeout_ms = 30000},
                      .jobs = 100000,
                      .samples = 300,
                      .seconds = 5,
                      .concurrency = 2 * BATCH,
                      .mode = "bulk"};
    const char *command = "";
    struct err e = ERR_INIT;

    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-')
            command = argv[i];
        else if (i + 1 < argc)
            set_option(&b, argv[i], argv[i + 1]), i++;
        else
            die("an option without a value", NULL);
    }
    if (redis_open(&b.options, &b.redis, &e) != ERR_OK)
        die("redis", &e);
    bool known = run_command(&b, command);
    redis_close(b.redis);
    redis_target_release(&b.options.target);
    if (!known)
        die("a command: enqueue, drain, idle, memory, quiet or depth", NULL);
    return 0;
}
