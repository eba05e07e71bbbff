#include "worker/queue/scheduler.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log_limit.h"
#include "shared/job_key.h"
#include "shared/stamp.h"
#include "shared/webhooks.h"

enum {
    LOOK_MS = 30 * 1000, /* the local clock may have been set */
    AGAIN_MS = 1000,     /* after Redis was there and would not */
    OBJECT_NAME_MAX = 8 * 1024
};

/* One schedule. */
struct entry {
    struct scheduler *scheduler;
    const struct config_schedule *config;
    struct tz tz;
    int64_t due_ms;  /* Redis' clock: look then */
    int64_t tick_ms; /* that is being dealt with */
    bool busy;       /* commands are under way */
};

struct scheduler {
    const struct worker_env *env;
    uv_timer_t timer;
    int64_t ahead_ms; /* Redis' clock is so far ahead of ours */
    bool stopped, closing, timer_closed;
    size_t pending; /* commands under way */
    struct log_limit said;
    struct entry entries[CONFIG_SCHEDULES_MAX];
    size_t count;
};

static void pump(struct scheduler *s);

/* --- life --- */

static void free_if_idle(struct scheduler *s)
{
    if (!s->timer_closed || s->pending > 0)
        return;
    for (size_t i = 0; i < s->count; i++)
        tz_release(&s->entries[i].tz);
    free(s);
}

/* --- time --- */

static int64_t redis_now_ms(const struct scheduler *s)
{
    return clock_wall_ms() + s->ahead_ms;
}

static void on_timer(uv_timer_t *timer)
{
    pump(timer->data);
}

static void arm_timer(struct scheduler *s)
{
    int64_t now_ms = redis_now_ms(s), first_ms = now_ms + LOOK_MS;

    if (s->stopped || s->count == 0)
        return;
    for (size_t i = 0; i < s->count; i++)
        if (!s->entries[i].busy && s->entries[i].due_ms < first_ms)
            first_ms = s->entries[i].due_ms;
    uv_update_time(s->env->loop);
    (void)uv_timer_start(&s->timer, on_timer,
                         (uint64_t)(first_ms > now_ms ? first_ms - now_ms : 1), 0);
}

/* This tick has been dealt with (0: there is none yet).  Where the next one has come meanwhile, the look is at once. */
static void wait_for_next(struct entry *en)
{
    struct scheduler *s = en->scheduler;
    int64_t after_ms = en->tick_ms > 0 ? en->tick_ms : redis_now_ms(s);

    en->busy = false;
    if (!cron_next(&en->config->plan, &en->tz, after_ms, &en->due_ms))
        en->due_ms = INT64_MAX; /* no more for years */
    arm_timer(s);
}

static void try_again(struct entry *en)
{
    en->busy = false;
    en->due_ms = redis_now_ms(en->scheduler) + AGAIN_MS;
    arm_timer(en->scheduler);
}

static void complain(struct entry *en, const char *text, const struct err *e)
{
    struct scheduler *s = en->scheduler;
    int64_t held;

    if (e->code == ERR_RETRY && !redis_async_is_ready(s->env->redis))
        return; /* its owner tells of it */
    if (log_limit_passes(&s->said, e->text, clock_mono_ms(), &held))
        log_warn("scheduler", text, LOG_STR("schedule", en->config->name), LOG_ERR(e),
                 log_limit_held(held));
}

/* --- commands --- */

static void send_and_release(struct entry *en, struct redis_cmd *cmd,
                             redis_async_fn *fn)
{
    en->scheduler->pending++;
    redis_async_send(en->scheduler->env->redis, cmd, 0, fn, en);
    redis_cmd_release(cmd);
}

/* What every reply begins with.  False: the scheduler is closing, and may be gone now. */
static bool was_answered(struct entry *en)
{
    struct scheduler *s = en->scheduler;
    bool closing = s->closing;

    s->pending--;
    if (closing)
        free_if_idle(s);
    return !closing;
}

static void on_stored(enum err_code code, const struct redis_value *reply,
                      const struct err *e, void *ctx)
{
    struct entry *en = ctx;

    (void)reply;
    if (!was_answered(en))
        return;
    if (code == ERR_OK) {
        wait_for_next(en);
        return;
    }
    complain(en, "the tick could not be noted", e);
    try_again(en);
}

/* Note the tick: always, or only where none is. */
static void store(struct entry *en, const char *command)
{
    struct redis_cmd cmd;

    redis_cmd_init(&cmd);
    redis_cmd_begin(&cmd, command);
    queue_add_key(&cmd, en->config->queue, "schedules");
    redis_cmd_add_str(&cmd, en->config->name);
    redis_cmd_add_int(&cmd, en->tick_ms);
    send_and_release(en, &cmd, on_stored);
}

static void on_registered(enum err_code code, const struct redis_value *reply,
                          const struct err *e, void *ctx)
{
    (void)code; /* the next tick does it again */
    (void)reply;
    (void)e;
    (void)was_answered(ctx);
}

static void enqueued(struct entry *en, enum queue_answer answer, int64_t late_ms)
{
    struct err why = ERR_INIT;

    if (answer == QUEUE_FULL) {
        err_set(&why, ERR_RETRY, "the queue is full");
        complain(en, "not enqueued yet", &why);
        try_again(en);
        return;
    }
    if (answer == QUEUE_BAD) {
        err_set(&why, ERR_REJECT, "something that is no job has its key");
        complain(en, "left out", &why);
    }
    if (answer == QUEUE_OK)
        log_info("scheduler", "enqueued", LOG_STR("schedule", en->config->name),
                 LOG_STR("queue", en->config->queue), LOG_INT("late_ms", late_ms));
    store(en, "HSET");
}

static void on_enqueued(enum err_code code, const struct redis_value *reply,
                        const struct err *e, void *ctx)
{
    struct entry *en = ctx;
    enum queue_answer answer = QUEUE_BAD;
    struct err parse = ERR_INIT;

    if (!was_answered(en))
        return;
    if (code == ERR_OK) {
        code = queue_parse_answer(redis_value_at(reply, 0), &answer, NULL, &parse);
        e = &parse;
    }
    if (code == ERR_OK) {
        enqueued(en, answer, redis_now_ms(en->scheduler) - en->tick_ms);
        return;
    }
    complain(en, "not enqueued", e);
    try_again(en);
}

/* --- the job --- */

static enum err_code copy_text(const char *text, char **ret, struct err *e)
{
    *ret = strdup(text);
    return *ret ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a job");
}

static enum err_code set_names(const struct config *config,
                               const struct config_schedule *c, struct job *j,
                               struct err *e)
{
    CLEANUP(buf_release) struct buf name = BUF_INIT(OBJECT_NAME_MAX);
    CLEANUP(buf_release) struct buf key = BUF_INIT(OBJECT_NAME_MAX);
    struct stamp at = {.ms = id_uuid_ms(j->id.uuid.text), .id = j->id.uuid};

    if (stamp_expand(*c->object_name ? c->object_name : c->name, &at, &name, e) ||
        job_set_name(j, name.data, name.len, e))
        return e->code;
    if (*c->key &&
        (stamp_expand(c->key, &at, &key, e) || job_set_key(j, key.data, key.len, e)))
        return e->code;
    return job_key_fill(config, j, e);
}

static enum err_code make_job(const struct entry *en, struct job *j, struct err *e)
{
    const struct scheduler *s = en->scheduler;
    const struct config_schedule *c = en->config;
    const char *type =
        config_find_command(s->env->config, c->command, strlen(c->command))->type;

    (void)memccpy(j->id.queue, c->queue, '\0', sizeof j->id.queue);
    j->created = redis_now_ms(s);
    j->priority = c->priority;
    j->max_attempts = env_queue(s->env, c->queue)->max_attempts;
    if (id_of_tick(c->name, en->tick_ms, &j->id.uuid, e) ||
        copy_text(c->source, &j->source, e) || copy_text(c->to, &j->to, e) ||
        copy_text(c->name, &j->schedule, e) || set_names(s->env->config, c, j, e) ||
        webhooks_assign(s->env->config, j, e))
        return e->code;
    return *type ? job_set_type(j, type, strlen(type), e) : ERR_OK;
}

static void enqueue(struct entry *en)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct redis_cmd cmd;
    struct err e = ERR_INIT;

    if (make_job(en, &j, &e) != ERR_OK) {
        complain(en, "no job could be made", &e);
        try_again(en);
        return;
    }
    redis_cmd_init(&cmd);
    queue_register_queue_cmd(&cmd, en->config->queue);
    send_and_release(en, &cmd, on_registered);
    redis_cmd_init(&cmd);
    queue_enqueue_one_cmd(&cmd, &j);
    send_and_release(en, &cmd, on_enqueued);
}

/* --- looking --- */

static void on_time(enum err_code code, const struct redis_value *reply,
                    const struct err *e, void *ctx)
{
    struct entry *en = ctx;

    (void)e; /* what follows fails, too, and tells */
    if (!was_answered(en) || code != ERR_OK || redis_value_len(reply) != 2)
        return;
    en->scheduler->ahead_ms = redis_value_int(redis_value_at(reply, 0)) * 1000 +
                              redis_value_int(redis_value_at(reply, 1)) / 1000 -
                              clock_wall_ms();
}

static void on_last(enum err_code code, const struct redis_value *reply,
                    const struct err *e, void *ctx)
{
    struct entry *en = ctx;
    struct scheduler *s = en->scheduler;

    if (!was_answered(en))
        return;
    if (code != ERR_OK) {
        complain(en, "the last tick could not be read", e);
        try_again(en);
        return;
    }
    bool came = !s->stopped &&
                cron_last(&en->config->plan, &en->tz, redis_now_ms(s), &en->tick_ms);
    if (came && redis_value_type(reply) == REDIS_NIL)
        store(en, "HSETNX");
    else if (came && redis_value_int(reply) < en->tick_ms)
        enqueue(en);
    else
        wait_for_next(en);
}

static void look(struct entry *en)
{
    struct redis_cmd cmd;

    en->busy = true;
    en->tick_ms = 0;
    redis_cmd_init(&cmd);
    redis_cmd_begin(&cmd, "TIME");
    send_and_release(en, &cmd, on_time);
    redis_cmd_init(&cmd);
    redis_cmd_begin(&cmd, "HGET");
    queue_add_key(&cmd, en->config->queue, "schedules");
    redis_cmd_add_str(&cmd, en->config->name);
    send_and_release(en, &cmd, on_last);
}

static void pump(struct scheduler *s)
{
    int64_t now_ms = redis_now_ms(s);

    if (s->stopped || !redis_async_is_ready(s->env->redis))
        return; /* scheduler_resume goes on */
    for (size_t i = 0; i < s->count; i++)
        if (!s->entries[i].busy && s->entries[i].due_ms <= now_ms)
            look(&s->entries[i]);
    arm_timer(s);
}

void scheduler_resume(struct scheduler *s)
{
    for (size_t i = 0; i < s->count; i++)
        s->entries[i].due_ms = 0;
    pump(s);
}

void scheduler_stop(struct scheduler *s)
{
    s->stopped = true;
    (void)uv_timer_stop(&s->timer);
}

enum err_code scheduler_open(const struct worker_env *env, struct scheduler **ret,
                             struct err *e)
{
    const struct config *config = env->config;
    struct scheduler *s = calloc(1, sizeof *s);

    if (!s)
        return err_set(e, ERR_NOMEM, "no memory for schedules");
    s->env = env;
    for (; s->count < config->schedule_count; s->count++) {
        struct entry *en = &s->entries[s->count];
        en->scheduler = s;
        en->config = &config->schedules[s->count];
        if (tz_load(en->config->time_zone, &en->tz, e) != ERR_OK) {
            s->timer_closed = true; /* it never was open */
            free_if_idle(s);
            return err_prefix(e, "[schedule %s]", en->config->name);
        }
    }
    s->timer.data = s;
    (void)uv_timer_init(env->loop, &s->timer); /* cannot fail */
    *ret = s;
    return ERR_OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct scheduler *s = handle->data;

    s->timer_closed = true;
    free_if_idle(s);
}

void scheduler_close(struct scheduler *s)
{
    if (!s)
        return;
    s->stopped = true;
    s->closing = true;
    uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}
