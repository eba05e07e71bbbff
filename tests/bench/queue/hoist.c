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
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "shared/clock.h"
#include "shared/queue.h"

enum { BATCH = QUEUE_BATCH_MAX, LEASE_MS = 10000, PIPELINE = 100 };

static const char queue_name[] = "default";

struct bench {
    struct redis *redis;
    struct redis_options options;
    int64_t jobs, samples, seconds, concurrency;
    const char *mode;
    struct queue_worker worker;
    uint64_t turn;
};

static void die(const char *what, const struct err *e)
{
    fprintf(stderr, "bench_queue: %s: %s\n", what, e ? e->text : "");
    exit(1);
}

static double seconds_since(int64_t start_us)
{
    return (double)(clock_mono_us() - start_us) / 1e6;
}

static struct redis_value *call(struct bench *b, const struct redis_cmd *c)
{
    struct redis_value *reply = NULL;
    struct err e = ERR_INIT;

    if (redis_call(b->redis, c, &reply, &e) != ERR_OK)
        die("redis", &e);
    return reply;
}

static char *copy(const char *s)
{
    char *c = strdup(s);

    if (!c)
        die("memory", NULL);
    return c;
}

/* What the upload of a photo would leave, its size in the place of its bytes. */
static struct job make_job(void)
{
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    char key[ID_UUID_LEN + 10];

    memcpy(j.id.queue, queue_name, sizeof queue_name);
    j.id.uuid = id_new();
    j.created = clock_wall_ms();
    j.max_attempts = 8;
    j.size = 184320;
    j.source = copy("spool");
    j.sha256 = copy("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    j.to = copy("default");
    j.type = copy("image/jpeg");
    if (job_set_name(&j, "IMG_2041.jpg", 12, &e))
        die("name", &e);
    job_default_key(&j, key);
    j.key = copy(key);
    return j;
}

static struct queue_entry make_entry(void)
{
    struct queue_entry entry;
    struct job j = make_job();

    queue_entry_init(&entry, &j);
    job_release(&j);
    return entry;
}

static void check_enqueued(const struct redis_value *reply, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum queue_answer answer;
        struct err e = ERR_INIT;
        if (queue_parse_answer(redis_value_at(reply, i), &answer, NULL, &e) != ERR_OK)
            die("enqueue", &e);
        if (answer != QUEUE_OK)
            die("enqueue: not OK", NULL);
    }
}

static void enqueue_call(struct bench *b, size_t count)
{
    struct queue_entry entries[BATCH];
    struct redis_cmd c;

    redis_cmd_init(&c);
    for (size_t i = 0; i < count; i++)
        entries[i] = make_entry();
    queue_enqueue_cmd(&c, entries, count);
    struct redis_value *reply = call(b, &c);
    check_enqueued(reply, count);
    redis_reply_free(reply);
    redis_cmd_release(&c);
    for (size_t i = 0; i < count; i++)
        queue_entry_release(&entries[i]);
}

static void enqueue_pipeline(struct bench *b, size_t count)
{
    static struct redis_cmd cmds[PIPELINE];
    struct redis_value *replies[PIPELINE];
    struct err e = ERR_INIT;

    for (size_t i = 0; i < count; i++) {
        struct queue_entry entry = make_entry();
        redis_cmd_init(&cmds[i]);
        queue_enqueue_cmd(&cmds[i], &entry, 1);
        queue_entry_release(&entry);
    }
    if (redis_pipeline(b->redis, cmds, count, replies, &e) != ERR_OK)
        die("redis", &e);
    for (size_t i = 0; i < count; i++) {
        check_enqueued(replies[i], 1);
        redis_reply_free(replies[i]);
        redis_cmd_release(&cmds[i]);
    }
}

static double enqueue_all(struct bench *b, int64_t jobs, const char *mode)
{
    int64_t start = clock_mono_us();
    size_t step = strcmp(mode, "one") == 0 ? 1 : BATCH;

    for (int64_t done = 0; done < jobs;) {
        size_t n = jobs - done < (int64_t)step ? (size_t)(jobs - done) : step;
        if (strcmp(mode, "pipeline") == 0)
            enqueue_pipeline(b, n);
        else
            enqueue_call(b, n);
        done += (int64_t)n;
    }
    return seconds_since(start);
}

/* --- the worker --- */

struct round {
    struct queue_lease leases[BATCH];
    int64_t sizes[BATCH];
    size_t count;
};

static void build_finish(struct bench *b, const struct round *r, size_t want,
                         struct redis_cmd *c)
{
    struct queue_end ends[BATCH];

    if (r->count == 0) {
        queue_claim_cmd(c, queue_name, &b->worker, ++b->turn, want);
        return;
    }
    for (size_t i = 0; i < r->count; i++)
        ends[i] = (struct queue_end){.lease = r->leases[i],
                                     .state = JOB_DONE,
                                     .sent = r->sizes[i],
                                     .size = r->sizes[i],
                                     .attempts = 1};
    struct queue_finish f = {.ends = ends,
                             .count = r->count,
                             .keep_ms = 86400000,
                             .keep_count = 10000,
                             .turn = ++b->turn,
                             .want = want};
    queue_finish_cmd(c, &f, &b->worker);
}

static void read_started(struct redis_value *const *replies, struct round *r)
{
    enum queue_answer marks[BATCH];
    struct err e = ERR_INIT;

    if (queue_parse_marks(replies[0], r->count, marks, &e) != ERR_OK)
        die("start", &e);
    for (size_t i = 0; i < r->count; i++) {
        enum queue_answer answer;
        struct job j = JOB_INIT;
        struct err why = ERR_INIT;
        if (queue_parse_start(marks[i], replies[1 + i], &r->leases[i], &answer, &j,
                              &why, &e) != ERR_OK ||
            answer != QUEUE_OK)
            die("start", &why);
        r->sizes[i] = j.size;
        job_release(&j);
    }
}

static size_t read_claimed(const struct redis_value *reply, size_t finished,
                           struct round *ret)
{
    struct queue_claimed claimed;
    struct err e = ERR_INIT;

    if (queue_parse_claimed(reply, queue_name, &claimed, &e) != ERR_OK)
        die("claim", &e);
    for (size_t i = 0; i < finished; i++)
        if (claimed.answers[i] != QUEUE_OK)
            die("finish: lease lost", NULL);
    memcpy(ret->leases, claimed.leases, claimed.count * sizeof ret->leases[0]);
    ret->count = claimed.count;
    return claimed.count;
}

/* One half of a worker's slots: what it claimed runs, then its ends, the claim of as many and the starts of those claimed
 * before are sent in one write. */
static void drain_half(struct bench *b, size_t slots, int64_t *ret_start_us)
{
    struct round run = {.count = 0}, fresh = {.count = 0}, next = {.count = 0};
    struct redis_cmd *cmds = calloc(2 + BATCH, sizeof *cmds);
    struct redis_value *replies[2 + BATCH];
    struct err e = ERR_INIT;
    int64_t start = 0;

    for (size_t i = 0; i < 2 + BATCH; i++)
        redis_cmd_init(&cmds[i]);
    do {
        size_t count = 1;
        if (fresh.count > 0) {
            queue_start_cmds(&cmds[1], fresh.leases, fresh.count, &b->worker);
            count += 1 + fresh.count;
        }
        build_finish(b, &run, slots, &cmds[0]);
        if (start == 0)
            start = clock_mono_us();
        if (redis_pipeline(b->redis, cmds, count, replies, &e) != ERR_OK)
            die("redis", &e);
        for (size_t i = 0; i < count; i++)
            if (redis_value_error(replies[i], &e) != ERR_OK)
                die("script", &e);
        (void)read_claimed(replies[0], run.count, &next);
        if (count > 1)
            read_started(&replies[1], &fresh);
        run = fresh;
        fresh = next;
        for (size_t i = 0; i < count; i++)
            redis_reply_free(replies[i]);
    } while (run.count + fresh.count > 0);
    for (size_t i = 0; i < 2 + BATCH; i++)
        redis_cmd_release(&cmds[i]);
    free(cmds);
    *ret_start_us = start;
}

struct half {
    struct bench bench;
    size_t slots;
    int64_t start_us;
    pthread_t thread;
};

static void *run_half(void *arg)
{
    struct half *h = arg;

    drain_half(&h->bench, h->slots, &h->start_us);
    return NULL;
}

/* Two threads, each with half of the slots and a connection of its own: one reads replies while Redis works for the
 * other. */
static double drain(struct bench *b)
{
    static struct half halves[2];
    struct err e = ERR_INIT;
    size_t slots = b->concurrency / 2 < 1 ? 1 : (size_t)b->concurrency / 2;
    int64_t first = INT64_MAX;

    for (int i = 0; i < 2; i++) {
        halves[i] = (struct half){.bench = *b, .slots = slots > BATCH ? BATCH : slots};
        halves[i].bench.worker.id = i == 0 ? "bench-0" : "bench-1";
        if (redis_open(&b->options, &halves[i].bench.redis, &e) != ERR_OK)
            die("redis", &e);
        if (pthread_create(&halves[i].thread, NULL, run_half, &halves[i]) != 0)
            die("thread", NULL);
    }
    for (int i = 0; i < 2; i++) {
        (void)pthread_join(halves[i].thread, NULL);
        if (halves[i].start_us < first)
            first = halves[i].start_us;
        redis_close(halves[i].bench.redis);
    }
    return seconds_since(first);
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

static void run_enqueue(struct bench *b)
{
    printf("{\"jobs\":%" PRId64 ",\"seconds\":%.6f}\n", b->jobs,
           enqueue_all(b, b->jobs, b->mode));
}

static void run_drain(struct bench *b)
{
    double s = drain(b);

    printf("{\"jobs\":%" PRId64 ",\"seconds\":%.6f,\"rss_kib\":%ld}\n", b->jobs, s,
           rss_kib());
}

static void run_memory(struct bench *b)
{
    int64_t before = info(b, "memory", "used_memory");

    (void)enqueue_all(b, b->jobs, "bulk");
    printf("{\"bytes_per_job\":%.1f}\n",
           (double)(info(b, "memory", "used_memory") - before) / (double)b->jobs);
}

int main(int argc, char **argv)
{
    struct bench b = {.worker = {.id = "bench", .lease_ms = LEASE_MS},
                      .jobs = 100000,
                      .samples = 300,
                      .seconds = 5,
                      .concurrency = 200,
                      .mode = "bulk"};
    const char *command = "";
    struct redis_options o = {.connect_timeout_ms = 5000, .timeout_ms = 30000};
    struct err e = ERR_INIT;

    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (argv[i][0] != '-') {
            command = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--redis") == 0) {
            char url[512];
            (void)snprintf(url, sizeof url, "unix://%s", value);
            if (redis_target_parse(url, &o.target, &e) != ERR_OK)
                die("url", &e);
        } else if (strcmp(argv[i], "--jobs") == 0) {
            b.jobs = strtoll(value, NULL, 10);
        } else if (strcmp(argv[i], "--samples") == 0) {
            b.samples = strtoll(value, NULL, 10);
        } else if (strcmp(argv[i], "--seconds") == 0) {
            b.seconds = strtoll(value, NULL, 10);
        } else if (strcmp(argv[i], "--concurrency") == 0) {
            b.concurrency = strtoll(value, NULL, 10);
        } else if (strcmp(argv[i], "--mode") == 0) {
            b.mode = value;
        } else {
            die("unknown option", NULL);
        }
        i++;
    }
    b.options = o;
    if (redis_open(&o, &b.redis, &e) != ERR_OK)
        die("redis", &e);
    if (strcmp(command, "enqueue") == 0)
        run_enqueue(&b);
    else if (strcmp(command, "drain") == 0)
        run_drain(&b);
    else if (strcmp(command, "memory") == 0)
        run_memory(&b);
    redis_close(b.redis);
    redis_target_release(&o.target);
    return 0;
}
