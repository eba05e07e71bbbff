#include "tests/chaos/poller.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/job.h"
#include "tests/chaos/map.h"
#include "tests/chaos/wire.h"

enum {
    JOBS_MAX = 1 << 20,
    TIMEOUT_MS = 2000,
    GRACE_STEP_MS = 10,
    ANSWERS_MAX = 16 << 20
};

struct poller {
    struct poller_options options; /* defaults filled in; read only */
    struct wire_address address;
    pthread_t thread;
    int fd;            /* the thread's; -1: not connected */
    struct buf answer; /* the thread's */
    int answers_fd;
    int64_t answers_bytes; /* the thread's */
    bool joined;

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    bool stopping;
    struct map done;   /* ids of jobs that were */
    int64_t forgotten; /* how often */
    struct poller_counts counts;
};

/* False when it was stopped meanwhile. */
static bool pause_ms(struct poller *p, int64_t ms)
{
    int64_t end = clock_mono_ms() + ms;
    struct timespec at = {.tv_sec = end / 1000, .tv_nsec = end % 1000 * 1000000};

    (void)pthread_mutex_lock(&p->lock);
    while (!p->stopping && clock_mono_ms() < end)
        (void)pthread_cond_timedwait(&p->changed, &p->lock, &at);
    bool goes_on = !p->stopping;
    (void)pthread_mutex_unlock(&p->lock);
    return goes_on;
}

/* --- asking --- */

static void hang_up(struct poller *p)
{
    if (p->fd >= 0)
        (void)close(p->fd); /* nothing of it is wanted any more */
    p->fd = -1;
}

static void keep_answer(struct poller *p)
{
    if (p->answers_fd < 0 || p->answers_bytes >= ANSWERS_MAX)
        return;
    p->answers_bytes += (int64_t)p->answer.len;
    if (write(p->answers_fd, p->answer.data, p->answer.len) < 0)
        return; /* what could not be kept is not searched */
}

/* The status of a job: 200 with its state and key; else nothing was learnt. */
static bool ask(struct poller *p, const char *id, enum job_state *ret_state,
                char *ret_key, size_t size)
{
    char text[ID_JOB_MAX + 64], word[16];
    int64_t deadline = clock_mono_ms() + p->options.timeout_ms;
    struct wire_answer a;

    if (p->fd >= 0 && !wire_is_idle(p->fd))
        hang_up(p);
    if (p->fd < 0)
        p->fd = wire_connect(&p->address, deadline);
    if (p->fd < 0)
        return false;
    int len = snprintf(text, sizeof text,
                       "GET /v1/jobs/%s HTTP/1.1\r\nHost: localhost\r\n\r\n", id);
    if (wire_send(p->fd, text, (size_t)len, deadline) == WIRE_BROKEN ||
        wire_read_answer(p->fd, &p->answer, deadline, &a) != WIRE_OK) {
        hang_up(p);
        return false;
    }
    if (a.close)
        hang_up(p);
    keep_answer(p);
    const char *body = p->answer.data + a.head_len;
    return a.status == 200 && wire_json_string(body, "state", word, sizeof word) &&
           job_state_parse(word, strlen(word), ret_state) &&
           wire_json_string(body, "key", ret_key, size);
}

/* --- judging --- */

/* With the lock held. */
static void offend(struct poller *p, int64_t *counter, const char *id, const char *what)
{
    int64_t told = p->counts.untrue + p->counts.backwards;

    if (told < POLLER_EXAMPLES)
        (void)snprintf(p->counts.examples[told], POLLER_EXAMPLE_MAX, "%s: %s", id,
                       what);
    (*counter)++;
}

/* Whether the object of key is upload n, whole; what it is else. */
static bool is_there(struct poller *p, const char *key, int64_t n,
                     const char **ret_what)
{
    static const char *const words[] = {
        [STORE_MISSING] = "done, and no object",
        [STORE_FOREIGN] = "done, and the object foreign",
        [STORE_PARTIAL] = "done, and the object partial",
        [STORE_WHOLE] = "done, and the object another upload's"};
    struct store_content c;
    struct err e = ERR_INIT;
    char full[STORE_PATH_MAX + 1];

    (void)snprintf(full, sizeof full, "%s%s", p->options.key_prefix, key);
    if (store_read_key(p->options.store, full, &c, &e) != ERR_OK) {
        *ret_what = "done, and the object cannot be read";
        return false;
    }
    *ret_what = words[c.state];
    return c.state == STORE_WHOLE && c.body.seed == body_of(&p->options.plan, n).seed;
}

static void judge_done(struct poller *p, const char *id, const char *key, int64_t n)
{
    int64_t end = clock_mono_ms() + p->options.grace_ms;
    const char *what;

    bool there = is_there(p, key, n, &what);
    while (!there && clock_mono_ms() < end && pause_ms(p, GRACE_STEP_MS))
        there = is_there(p, key, n, &what);
    (void)pthread_mutex_lock(&p->lock);
    p->counts.done++;
    if (!there)
        offend(p, &p->counts.untrue, id, what);
    (void)map_add(&p->done, id, NULL); /* full: this one is not remembered */
    (void)pthread_mutex_unlock(&p->lock);
}

/* A job that is on disk, and of which Redis cannot be asked, may be further than that: no step back. */
static void judge_undone(struct poller *p, const char *id, enum job_state state,
                         int64_t forgotten)
{
    char what[48];

    (void)snprintf(what, sizeof what, "was done, is %s", job_state_name(state));
    (void)pthread_mutex_lock(&p->lock);
    if (state != JOB_ACCEPTED && p->forgotten == forgotten && map_find(&p->done, id))
        offend(p, &p->counts.backwards, id, what);
    (void)pthread_mutex_unlock(&p->lock);
}

static void poll_one(struct poller *p)
{
    char id[ID_JOB_MAX + 1], key[JOB_KEY_MAX + 1];
    enum job_state state;
    int64_t n;

    if (!clients_draw_job(p->options.clients, id, &n))
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->counts.asked++;
    int64_t forgotten = p->forgotten;
    (void)pthread_mutex_unlock(&p->lock);
    if (!ask(p, id, &state, key, sizeof key))
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->counts.answered++;
    (void)pthread_mutex_unlock(&p->lock);
    if (state == JOB_DONE)
        judge_done(p, id, key, n);
    else
        judge_undone(p, id, state, forgotten);
}

static void *run(void *ctx)
{
    struct poller *p = ctx;
    int64_t interval = (int64_t)(1000 / p->options.rate);

    while (pause_ms(p, interval > 0 ? interval : 1))
        poll_one(p);
    return NULL;
}

/* --- life cycle --- */

static enum err_code prepare(struct poller *p, const struct poller_options *from,
                             struct err *e)
{
    struct poller_options *o = &p->options;

    *o = *from;
    o->rate = o->rate > 0 ? o->rate : 50;
    o->timeout_ms = o->timeout_ms ? o->timeout_ms : TIMEOUT_MS;
    o->key_prefix = o->key_prefix ? o->key_prefix : "";
    if (!wire_parse_address(o->address, &p->address))
        return err_set(e, ERR_CONFIG, "poller: no address: %s", o->address);
    if (o->answers_path) {
        p->answers_fd =
            open(o->answers_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (p->answers_fd < 0)
            return err_errno(e, ERR_CONFIG, "poller: open %s", o->answers_path);
    }
    return ERR_OK;
}

static void release(struct poller *p)
{
    hang_up(p);
    if (p->answers_fd >= 0)
        (void)close(p->answers_fd); /* for a search, not a record */
    buf_release(&p->answer);
    map_release(&p->done);
    (void)pthread_cond_destroy(&p->changed);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

enum err_code poller_start(const struct poller_options *o, struct poller **ret_poller,
                           struct err *e)
{
    pthread_condattr_t attr;
    struct poller *p = calloc(1, sizeof *p);

    if (!p)
        return err_set(e, ERR_NOMEM, "poller: no memory");
    p->fd = p->answers_fd = -1;
    buf_init(&p->answer, WIRE_ANSWER_MAX);
    p->done = (struct map)MAP_INIT(JOBS_MAX);
    (void)pthread_mutex_init(&p->lock, NULL); /* none of these can fail on Linux */
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&p->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    enum err_code code = prepare(p, o, e);
    if (code == ERR_OK && pthread_create(&p->thread, NULL, run, p) != 0)
        code = err_set(e, ERR_RETRY, "poller: no thread");
    if (code != ERR_OK) {
        release(p);
        return code;
    }
    *ret_poller = p;
    return ERR_OK;
}

void poller_stop(struct poller *p)
{
    (void)pthread_mutex_lock(&p->lock);
    bool join = !p->joined;
    p->joined = p->stopping = true;
    (void)pthread_cond_broadcast(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
    if (join)
        (void)pthread_join(p->thread, NULL);
}

void poller_free(struct poller *p)
{
    if (!p)
        return;
    poller_stop(p);
    release(p);
}

void poller_forget(struct poller *p)
{
    (void)pthread_mutex_lock(&p->lock);
    map_release(&p->done);
    p->forgotten++;
    (void)pthread_mutex_unlock(&p->lock);
}

struct poller_counts poller_counts(struct poller *p)
{
    (void)pthread_mutex_lock(&p->lock);
    struct poller_counts counts = p->counts;
    (void)pthread_mutex_unlock(&p->lock);
    return counts;
}
