#include "tests/bench/queue/hoist.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

static void read_claimed(const struct redis_value *reply, size_t finished,
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
}

/* One half of a worker's slots: what it claimed runs, then its ends, the claim of as many and the starts of those claimed
 * before are sent in one write. */
struct half {
    struct bench bench;
    size_t slots;
    atomic_llong *left; /* jobs still to be claimed, of both halves */
    int64_t start_us, end_us, done;
    struct redis_cmd cmds[2 + BATCH];
    struct redis_value *replies[2 + BATCH];
    pthread_t thread;
};

static void exchange(struct half *h, size_t count)
{
    struct err e = ERR_INIT;

    if (redis_pipeline(h->bench.redis, h->cmds, count, h->replies, &e) != ERR_OK)
        die("redis", &e);
    for (size_t i = 0; i < count; i++)
        if (redis_value_error(h->replies[i], &e) != ERR_OK)
            die("script", &e);
}

static size_t next_want(struct half *h)
{
    long long left = atomic_fetch_sub(h->left, (long long)h->slots);

    return left >= (long long)h->slots ? h->slots : left > 0 ? (size_t)left : 0;
}

static void *run_half(void *arg)
{
    struct half *h = arg;
    struct round run = {.count = 0}, fresh = {.count = 0}, next = {.count = 0};

    for (size_t i = 0; i < 2 + BATCH; i++)
        redis_cmd_init(&h->cmds[i]);
    h->start_us = clock_mono_us();
    do {
        size_t count = 1;
        if (fresh.count > 0) {
            queue_start_cmds(&h->cmds[1], fresh.leases, fresh.count, &h->bench.worker);
            count += 1 + fresh.count;
        }
        build_finish(&h->bench, &run, next_want(h), &h->cmds[0]);
        exchange(h, count);
        read_claimed(h->replies[0], run.count, &next);
        h->done += (int64_t)run.count;
        if (count > 1)
            read_started(&h->replies[1], &fresh);
        run = fresh;
        fresh = next;
        for (size_t i = 0; i < count; i++)
            redis_reply_free(h->replies[i]);
    } while (run.count + fresh.count > 0);
    h->end_us = clock_mono_us();
    for (size_t i = 0; i < 2 + BATCH; i++)
        redis_cmd_release(&h->cmds[i]);
    return NULL;
}

/* Two threads, each with half of the slots and a connection of its own: one reads replies while Redis works for the
 * other. */
double drain(struct bench *b, int64_t most, int64_t *ret_done)
{
    static struct half halves[2];
    atomic_llong left = most;
    struct err e = ERR_INIT;
    size_t slots = b->concurrency / 2 < 1 ? 1 : (size_t)b->concurrency / 2;
    int64_t first = INT64_MAX, last = 0;

    *ret_done = 0;
    for (int i = 0; i < 2; i++) {
        halves[i] = (struct half){
            .bench = *b, .slots = slots > BATCH ? BATCH : slots, .left = &left};
        halves[i].bench.worker.id = i == 0 ? "bench-0" : "bench-1";
        halves[i].bench.turn = (uint64_t)clock_mono_us();
        if (redis_open(&b->options, &halves[i].bench.redis, &e) != ERR_OK)
            die("redis", &e);
        if (pthread_create(&halves[i].thread, NULL, run_half, &halves[i]) != 0)
            die("thread", NULL);
    }
    for (int i = 0; i < 2; i++) {
        (void)pthread_join(halves[i].thread, NULL);
        first = halves[i].start_us < first ? halves[i].start_us : first;
        last = halves[i].end_us > last ? halves[i].end_us : last;
        *ret_done += halves[i].done;
        redis_close(halves[i].bench.redis);
    }
    return (double)(last - first) / 1e6;
}

/* --- from enqueue to start --- */

/* What the producer and the worker, two processes, share. */
struct board {
    atomic_size_t waiting; /* about to wait for sample number waiting - 1 */
    int64_t started_us[SAMPLES_MAX];
};

/* Wait for the marker, claim, start: what runs then counts; end it, and wait for the next. */
static int64_t run_one(struct bench *b)
{
    struct round run = {.count = 0};
    struct redis_cmd cmds[2];
    struct redis_value *replies[2];
    const char *queue = queue_name;
    struct err e = ERR_INIT;

    redis_cmd_init(&cmds[0]);
    redis_cmd_init(&cmds[1]);
    while (run.count == 0) {
        queue_wait_cmd(&cmds[0], &queue, 1, WAIT_S);
        redis_reply_free(call(b, &cmds[0]));
        queue_claim_cmd(&cmds[0], queue_name, &b->worker, ++b->turn, 1);
        struct redis_value *reply = call(b, &cmds[0]);
        read_claimed(reply, 0, &run);
        redis_reply_free(reply);
    }
    queue_start_cmds(cmds, run.leases, 1, &b->worker);
    if (redis_pipeline(b->redis, cmds, 2, replies, &e) != ERR_OK)
        die("redis", &e);
    read_started(replies, &run);
    int64_t started_us = clock_mono_us();
    redis_reply_free(replies[0]);
    redis_reply_free(replies[1]);
    build_finish(b, &run, 0, &cmds[0]);
    redis_reply_free(call(b, &cmds[0]));
    redis_cmd_release(&cmds[0]);
    redis_cmd_release(&cmds[1]);
    return started_us;
}

_Noreturn static void run_sleeper(const struct bench *from, struct board *board,
                                  size_t count, pid_t parent)
{
    struct bench b = *from;
    struct err e = ERR_INIT;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || redis_open(&b.options, &b.redis, &e) != ERR_OK)
        _exit(1);
    for (size_t i = 0; i < count; i++) {
        atomic_store(&board->waiting, i + 1);
        board->started_us[i] = run_one(&b);
    }
    _exit(0);
}

void measure_idle(struct bench *b, double *ret_ms, size_t count)
{
    static int64_t sent_us[SAMPLES_MAX];
    const struct timespec gap = {.tv_nsec = 20000000}; /* what makes it idle */
    struct board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t parent = getpid();
    pid_t worker = board == MAP_FAILED || count > SAMPLES_MAX ? -1 : fork();
    int status;

    if (worker < 0)
        die("idle: no worker, or too many samples", NULL);
    if (worker == 0)
        run_sleeper(b, board, count, parent);
    for (size_t i = 0; i < count; i++) {
        while (atomic_load(&board->waiting) < i + 1)
            (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        (void)nanosleep(&gap, NULL);
        sent_us[i] = clock_mono_us();
        (void)enqueue_all(b, 1, "one");
    }
    (void)waitpid(worker, &status, 0);
    for (size_t i = 0; i < count; i++)
        ret_ms[i] = (double)(board->started_us[i] - sent_us[i]) / 1000.0;
    (void)munmap(board, sizeof *board);
}
