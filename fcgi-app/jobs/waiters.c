#include "fcgi-app/jobs/waiters.h"

#include "fcgi-app/jobs/jobs.h"
#include "fcgi-app/thread.h"
#include "fcgi-app/jobs/waiters_streams.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/queue.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_MS = 50,
    RETRY_MS = 100,
    CHECK_MS = 5000 /* should an event ever be missed */
};

struct waiter {
    struct fastcgi *web; /* owned */
    struct gate_conn *conn;
    const char *cors_origin;                /* of the answer (response.h), within web */
    const char *if_none_match, *preference; /* the same */
    char request_id[RESPONSE_REQUEST_ID_MAX + 1];
    struct job job; /* as known last; owned */
    bool is_new;    /* the request made it */
    int64_t deadline_ms;
    int64_t check_ms; /* look at the record then; 0: now */
};

struct waiters {
    struct app *app;
    struct redis *redis; /* the thread's, like the rest up to lock */
    struct response response;
    struct waiter *list; /* max of them */
    struct pollfd *fds;  /* the same */
    size_t count;
    struct streams streams;
    pthread_t thread;
    size_t max;

    pthread_mutex_t lock; /* for everything below */
    pthread_cond_t changed;
    struct waiter *inbox; /* max of them: parked, not yet seen by the thread */
    size_t inbox_count;
    size_t total; /* inbox and list */
    bool stopping;
};

bool waiters_park(struct waiters *w, struct exchange *x, struct job *job,
                  const struct waiters_wish *wish)
{
    (void)pthread_mutex_lock(&w->lock);
    bool fits = w->total < w->max && !w->stopping;
    if (fits) {
        struct waiter *one = &w->inbox[w->inbox_count++];
        *one = (struct waiter){.web = x->web, .conn = x->conn, .job = *job};
        one->cors_origin = x->response.cors_origin;
        one->if_none_match = x->response.if_none_match;
        one->preference = x->response.preference;
        (void)exchange_request_id(x);
        memcpy(one->request_id, x->response.request_id, sizeof one->request_id);
        one->deadline_ms = clock_mono_ms() + wish->seconds * 1000;
        one->is_new = wish->is_new;
        w->total++;
        (void)pthread_cond_signal(&w->changed);
    }
    (void)pthread_mutex_unlock(&w->lock);
    if (!fits)
        return false;
    *job = (struct job)JOB_INIT;
    x->web = NULL;
    x->parked = true;
    return true;
}

size_t waiters_count(struct waiters *w)
{
    (void)pthread_mutex_lock(&w->lock);
    size_t count = w->total;
    (void)pthread_mutex_unlock(&w->lock);
    return count;
}

/* --- The thread --- */

/* Take new ones in; waits while there is nothing to do.  False: time to end. */
static bool take_in(struct waiters *w)
{
    (void)pthread_mutex_lock(&w->lock);
    while (w->total == 0 && !w->stopping)
        (void)pthread_cond_wait(&w->changed, &w->lock);
    for (size_t i = 0; i < w->inbox_count; i++)
        w->list[w->count++] = w->inbox[i];
    w->inbox_count = 0;
    bool go_on = w->total > 0;
    (void)pthread_mutex_unlock(&w->lock);
    return go_on;
}

static void answer(struct waiters *w, size_t i)
{
    struct waiter *one = &w->list[i];
    w->response.cors_origin = one->cors_origin;
    w->response.if_none_match = one->if_none_match;
    w->response.preference = one->preference;
    memcpy(w->response.request_id, one->request_id, sizeof one->request_id);
    if (one->is_new)
        jobs_answer_new(&w->response, &one->job);
    else
        jobs_answer(&w->response, 200, &one->job);
    /* Its body was read before it was parked. */
    struct exchange_end end = {.gate = w->app->gate,
                               .web = one->web,
                               .conn = one->conn,
                               .response = &w->response,
                               .drain = false,
                               .body_bytes = -1};
    exchange_send(&end);
    fastcgi_free(one->web);
    job_release(&one->job);
    *one = w->list[--w->count];
    (void)pthread_mutex_lock(&w->lock);
    w->total--;
    (void)pthread_mutex_unlock(&w->lock);
}

/* Read the record of one job, after the position in its queue's stream.  What is missing in Redis is accepted and goes
 * on waiting; what cannot be read now is read later. */
static enum err_code look(struct waiters *w, struct waiter *one, struct err *e)
{
    struct redis_cmd cmds[3];
    struct redis_value *replies[3] = {NULL, NULL, NULL};
    struct job now = JOB_INIT;
    bool missing = false;
    struct job_id id = one->job.id;
    for (size_t i = 0; i < 3; i++)
        redis_cmd_init(&cmds[i]);
    streams_position_cmd(&w->streams, id.queue, &cmds[0]);
    queue_show_cmds(&cmds[1], &id);
    enum err_code code = redis_pipeline(w->redis, cmds, 3, replies, e);
    for (size_t i = 0; i < 3; i++)
        redis_cmd_release(&cmds[i]);
    if (code)
        return code;
    streams_set_position(&w->streams, id.queue, replies[0]);
    struct err ignored = ERR_INIT; /* a damaged record: the last known state stands */
    if (queue_parse_show(replies[1], replies[2], &id, &now, &missing, &ignored) ==
        ERR_OK) {
        job_release(&one->job);
        one->job = now;
    }
    one->check_ms = clock_mono_ms() + CHECK_MS;
    for (size_t i = 0; i < 3; i++)
        redis_reply_free(replies[i]);
    return ERR_OK;
}

static enum err_code look_at_due(struct waiters *w, struct err *e)
{
    int64_t now = clock_mono_ms();
    for (size_t i = w->count; i-- > 0;) {
        struct waiter *one = &w->list[i];
        if (now < one->check_ms)
            continue;
        if (look(w, one, e))
            return e->code;
        if (job_state_is_final(one->job.state))
            answer(w, i);
    }
    return ERR_OK;
}

/* A job ended: look at the record of whoever waits for it. */
static void on_end(void *ctx, const char *queue, const char *uuid)
{
    struct waiters *w = ctx;
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->list[i].job.id.uuid.text, uuid) == 0 &&
            strcmp(w->list[i].job.id.queue, queue) == 0)
            w->list[i].check_ms = 0;
}

static enum err_code read_events(struct waiters *w, struct err *e)
{
    struct redis_cmd c;
    struct redis_value *reply = NULL;
    streams_forget(&w->streams);
    for (size_t i = 0; i < w->count; i++)
        streams_use(&w->streams, w->list[i].job.id.queue);
    redis_cmd_init(&c);
    bool any = streams_read_cmd(&w->streams, BLOCK_MS, &c);
    enum err_code code =
        any ? redis_call_wait(w->redis, &c, BLOCK_MS, &reply, e) : ERR_OK;
    redis_cmd_release(&c);
    if (!code && any)
        streams_parse(&w->streams, reply, on_end, w);
    redis_reply_free(reply);
    return code;
}

/* Answer those whose time is over; close those whose client left (the write fails). */
static void let_go(struct waiters *w)
{
    int64_t now = clock_mono_ms();
    bool all = gate_is_stopping(w->app->gate);
    for (size_t i = 0; i < w->count; i++)
        w->fds[i] = (struct pollfd){gate_conn_fd(w->list[i].conn), POLLRDHUP, 0};
    if (w->count > 0 && poll(w->fds, w->count, 0) < 0)
        return;
    for (size_t i = w->count; i-- > 0;)
        if (all || now >= w->list[i].deadline_ms || w->fds[i].revents)
            answer(w, i);
}

static void *run(void *arg)
{
    struct waiters *w = arg;
    while (take_in(w)) {
        struct err e = ERR_INIT;
        enum err_code code = look_at_due(w, &e);
        if (!code && w->count > 0)
            code = read_events(w, &e);
        if (code) {
            log_debug("waiters", "redis is away", LOG_ERR(&e));
            thread_sleep_ms(RETRY_MS);
        }
        let_go(w);
    }
    return NULL;
}

static void release(struct waiters *w)
{
    redis_close(w->redis);
    response_release(&w->response);
    (void)pthread_cond_destroy(&w->changed);
    (void)pthread_mutex_destroy(&w->lock);
    free(w->list);
    free(w->inbox);
    free(w->fds);
    free(w);
}

enum err_code waiters_start(struct app *app, struct waiters **ret_waiters,
                            struct err *e)
{
    struct waiters *w = calloc(1, sizeof *w);
    if (!w)
        return err_set(e, ERR_NOMEM, "waiters: out of memory");
    w->app = app;
    w->max = (size_t)app->config->http.max_waiters;
    thread_init_lock(&w->lock, &w->changed);
    response_init(&w->response);
    w->response.varies = *app->config->http.cors_origins != '\0';
    w->list = calloc(w->max + 1, sizeof *w->list);
    w->inbox = calloc(w->max + 1, sizeof *w->inbox);
    w->fds = calloc(w->max + 1, sizeof *w->fds);
    enum err_code code = w->list && w->inbox && w->fds
                             ? redis_open(&app->redis, &w->redis, e)
                             : err_set(e, ERR_NOMEM, "waiters: out of memory");
    if (!code)
        code = thread_start(&w->thread, "waiters", run, w, e);
    if (code) {
        release(w);
        return code;
    }
    *ret_waiters = w;
    return ERR_OK;
}

void waiters_stop(struct waiters *w)
{
    if (!w)
        return;
    (void)pthread_mutex_lock(&w->lock);
    w->stopping = true;
    (void)pthread_cond_signal(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
    release(w);
}
