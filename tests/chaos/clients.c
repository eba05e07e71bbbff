#include "tests/chaos/clients.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "tests/chaos/clients_internal.h"

uint64_t clients_random(uint64_t *state)
{
    return body_mix((*state)++);
}

static struct timespec moment(int64_t mono_us)
{
    return (struct timespec){.tv_sec = mono_us / 1000000,
                             .tv_nsec = mono_us % 1000000 * 1000};
}

/* With the lock held: wait for a change, at most until then. */
static void wait_until_us(struct clients *c, int64_t mono_us)
{
    struct timespec at = moment(mono_us);

    (void)pthread_cond_timedwait(&c->changed, &c->lock, &at); /* or longer: no matter */
}

bool clients_sleep(struct clients *c, int64_t ms)
{
    int64_t end = clock_mono_us() + ms * 1000;

    (void)pthread_mutex_lock(&c->lock);
    while (!c->stopping && clock_mono_us() < end)
        wait_until_us(c, end);
    bool goes_on = !c->stopping;
    (void)pthread_mutex_unlock(&c->lock);
    return goes_on;
}

/* Wait for a turn, as the rate and a pause want it; false when stopped. */
static bool take_turn(struct clients *c)
{
    int64_t interval = c->options.rate > 0 ? (int64_t)(1e6 / c->options.rate) : 0;

    (void)pthread_mutex_lock(&c->lock);
    while (!c->stopping) {
        int64_t now = clock_mono_us();
        if (c->paused) {
            (void)pthread_cond_wait(&c->changed, &c->lock);
        } else if (interval && c->slot_us > now) {
            wait_until_us(c, c->slot_us);
        } else {
            /* What was missed is made up for, but not more than a second of it. */
            int64_t from = c->slot_us > now - 1000000 ? c->slot_us : now;
            c->slot_us = from + interval;
            c->under_way++;
            break;
        }
    }
    bool goes_on = !c->stopping;
    (void)pthread_mutex_unlock(&c->lock);
    return goes_on;
}

static void end_turn(struct clients *c)
{
    (void)pthread_mutex_lock(&c->lock);
    c->under_way--;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
}

static void *run(void *ctx)
{
    struct clients *all = ctx;
    struct client c = {.clients = all, .fd = -1, .answer = BUF_INIT(WIRE_ANSWER_MAX)};
    bool more = true;

    c.chunk = malloc(SEND_CHUNK);
    while (c.chunk && more && take_turn(all)) {
        more = clients_work(&c);
        end_turn(all);
    }
    if (c.fd >= 0)
        (void)close(c.fd); /* idle */
    free(c.chunk);
    buf_release(&c.answer);
    (void)pthread_mutex_lock(&all->lock);
    all->running--;
    (void)pthread_cond_broadcast(&all->changed);
    (void)pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* --- life cycle --- */

static enum err_code take_options(struct clients *c, const struct clients_options *from,
                                  struct err *e)
{
    static const int usual[CLIENTS_KINDS] = {40, 15, 10, 20, 3, 5, 3, 4};
    struct clients_options *o = &c->options;

    *o = *from;
    o->timeout_ms = o->timeout_ms ? o->timeout_ms : 10000;
    o->slow_ms = o->slow_ms ? o->slow_ms : 2000;
    o->backoff_max_ms = o->backoff_max_ms ? o->backoff_max_ms : 1000;
    for (int i = 0; i < CLIENTS_KINDS; i++)
        c->weight_sum += o->weights[i];
    if (c->weight_sum == 0)
        for (int i = 0; i < CLIENTS_KINDS; i++)
            c->weight_sum += o->weights[i] = usual[i];
    if (!wire_parse_address(o->address, &c->address))
        return err_set(e, ERR_CONFIG, "clients: no address: %s", o->address);
    if (o->threads < 1 || o->threads > CLIENTS_THREADS_MAX)
        return err_set(e, ERR_CONFIG, "clients: 1 to %d threads", CLIENTS_THREADS_MAX);
    if (o->first < 0 || o->count < 0 || o->first + o->count > LEDGER_ENTRIES_MAX)
        return err_set(e, ERR_CONFIG, "clients: numbers up to %d",
                       LEDGER_ENTRIES_MAX - 1);
    if (o->plan.max_bytes != 0 &&
        (o->plan.max_bytes < BODY_MIN || o->plan.max_bytes > BODY_NUMBER_MAX))
        return err_set(e, ERR_CONFIG, "clients: uploads of at least %d bytes",
                       BODY_MIN);
    return ERR_OK;
}

static enum err_code start_threads(struct clients *c, struct err *e)
{
    c->threads = calloc((size_t)c->options.threads, sizeof *c->threads);
    if (!c->threads)
        return err_set(e, ERR_NOMEM, "clients: no memory");
    (void)pthread_mutex_lock(&c->lock);
    enum err_code code = ERR_OK;
    for (; c->started < c->options.threads && code == ERR_OK; c->started++) {
        if (pthread_create(&c->threads[c->started], NULL, run, c) != 0)
            code = err_set(e, ERR_RETRY, "clients: no more threads");
        else
            c->running++;
        if (code != ERR_OK)
            break;
    }
    (void)pthread_mutex_unlock(&c->lock);
    return code;
}

enum err_code clients_start(const struct clients_options *o,
                            struct clients **ret_clients, struct err *e)
{
    pthread_condattr_t attr;
    struct clients *c = calloc(1, sizeof *c);

    if (!c)
        return err_set(e, ERR_NOMEM, "clients: no memory");
    (void)pthread_mutex_init(&c->lock, NULL); /* none of these can fail on Linux */
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&c->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    c->answers_fd = -1;
    enum err_code code = take_options(c, o, e);
    c->next_n = o->first;
    if (code == ERR_OK)
        code = latency_new(1000, &c->latency, e);
    if (code == ERR_OK && o->answers_path) {
        c->answers_fd =
            open(o->answers_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (c->answers_fd < 0)
            code = err_errno(e, ERR_CONFIG, "clients: open %s", o->answers_path);
    }
    if (code == ERR_OK)
        code = start_threads(c, e);
    if (code != ERR_OK) {
        clients_free(c);
        return code;
    }
    *ret_clients = c;
    return ERR_OK;
}

bool clients_wait(struct clients *c, int64_t deadline_ms)
{
    int64_t end = clock_mono_us() + deadline_ms * 1000;

    (void)pthread_mutex_lock(&c->lock);
    while (c->running > 0 && clock_mono_us() < end)
        wait_until_us(c, end);
    bool done = c->running == 0;
    (void)pthread_mutex_unlock(&c->lock);
    return done;
}

void clients_stop(struct clients *c)
{
    (void)pthread_mutex_lock(&c->lock);
    bool join = !c->joined;
    c->joined = c->stopping = true;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
    for (int i = 0; join && i < c->started; i++)
        (void)pthread_join(c->threads[i], NULL);
}

void clients_free(struct clients *c)
{
    if (!c)
        return;
    clients_stop(c);
    if (c->answers_fd >= 0)
        (void)close(c->answers_fd); /* for a search, not a record */
    latency_free(c->latency);
    (void)pthread_cond_destroy(&c->changed);
    (void)pthread_mutex_destroy(&c->lock);
    free(c->threads);
    free(c);
}

/* --- use --- */

bool clients_pause(struct clients *c, int64_t deadline_ms)
{
    int64_t end = clock_mono_us() + deadline_ms * 1000;

    (void)pthread_mutex_lock(&c->lock);
    c->paused = true;
    while (c->under_way > 0 && clock_mono_us() < end)
        wait_until_us(c, end);
    bool quiet = c->under_way == 0;
    (void)pthread_mutex_unlock(&c->lock);
    return quiet;
}

void clients_resume(struct clients *c)
{
    (void)pthread_mutex_lock(&c->lock);
    c->paused = false;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
}

struct clients_counts clients_counts(struct clients *c)
{
    (void)pthread_mutex_lock(&c->lock);
    struct clients_counts counts = c->counts;
    (void)pthread_mutex_unlock(&c->lock);
    return counts;
}

enum err_code clients_error(struct clients *c, struct err *e)
{
    (void)pthread_mutex_lock(&c->lock);
    struct err failed = c->failed;
    (void)pthread_mutex_unlock(&c->lock);
    if (failed.code != ERR_OK)
        *e = failed;
    return failed.code;
}

struct latency *clients_latency(struct clients *c)
{
    return c->latency;
}

bool clients_draw_job(struct clients *c, char ret_id[static ID_JOB_MAX + 1],
                      int64_t *ret_n)
{
    (void)pthread_mutex_lock(&c->lock);
    size_t known = c->recent_count < RECENT ? c->recent_count : RECENT;
    if (known > 0) {
        const struct recent *r = &c->recent[body_mix(c->draws++) % known];
        memcpy(ret_id, r->id, sizeof r->id);
        *ret_n = r->n;
    }
    (void)pthread_mutex_unlock(&c->lock);
    return known > 0;
}
