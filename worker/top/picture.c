#include "worker/top/picture.h"

#include <string.h>

#include "shared/clock.h"
#include "shared/queue_workers.h"
#include "shared/utf8.h"
#include "shared/worker_jobs.h"

void picture_text(const char *s, size_t len, char *ret, size_t size)
{
    size_t used = 0;

    while (len > 0) {
        uint32_t point = 0;
        size_t n = utf8_decode(s, len, &point);
        bool is_safe = n > 0 && point >= ' ' && (point < 0x7f || point > 0x9f);
        size_t wide = is_safe ? n : 1;
        if (used + wide >= size)
            break;
        memcpy(ret + used, is_safe ? s : "?", wide);
        used += wide;
        n = n > 0 ? n : 1;
        s += n;
        len -= n;
    }
    ret[used] = '\0';
}

/* --- queues --- */

static void take_queue(struct picture_queue *q, const struct redis_value *reply)
{
    struct err e = ERR_INIT;

    q->trouble = "";
    if (redis_value_error(reply, &e) || queue_parse_status(reply, &q->status, &e)) {
        picture_text(e.text, strlen(e.text), q->text, sizeof q->text);
        q->trouble = q->text;
        return;
    }
    queue_parse_minutes(reply, &q->status, &q->minutes);
}

static enum err_code read_queues(struct redis *r, const struct config *config,
                                 struct picture *ret, struct err *e)
{
    struct redis_cmd cmds[CONFIG_QUEUES_MAX];
    struct redis_value *replies[CONFIG_QUEUES_MAX] = {NULL};
    size_t count = config->queue_count;

    for (size_t i = 0; i < CONFIG_QUEUES_MAX; i++)
        redis_cmd_init(&cmds[i]);
    for (size_t i = 0; i < count; i++) {
        queue_status_cmd(&cmds[i], config->queues[i].name);
        ret->queues[i].name = config->queues[i].name;
    }
    enum err_code code = redis_pipeline(r, cmds, count, replies, e);
    for (size_t i = 0; i < count && code == ERR_OK; i++)
        take_queue(&ret->queues[i], replies[i]);
    ret->queue_count = count;
    for (size_t i = 0; i < count; i++) {
        redis_reply_free(replies[i]);
        redis_cmd_release(&cmds[i]);
    }
    return code;
}

/* --- workers --- */

static void take_job(struct picture_job *ret, const struct worker_job *j)
{
    char id[ID_JOB_MAX + 1];
    const char *name = j->name;

    if (!*name) {
        id_format_job(&j->id, id);
        name = id;
    }
    picture_text(name, strlen(name), ret->name, sizeof ret->name);
    picture_text(j->phase, strlen(j->phase), ret->phase, sizeof ret->phase);
    ret->size = j->size;
    ret->sent = j->sent;
    ret->rate = j->rate;
    ret->parts = j->parts < INT32_MAX ? (int)j->parts : INT32_MAX;
    ret->parts_done = j->parts_done < INT32_MAX ? (int)j->parts_done : INT32_MAX;
}

static void text_of(const struct redis_value *about, enum queue_worker_field field,
                    char *ret, size_t size)
{
    size_t len;
    const char *s = redis_value_str(redis_value_at(about, field), &len);

    picture_text(s, len, ret, size);
}

/* False: its hash has expired, it was not heard of for a while. */
static bool take_worker(struct picture_worker *w, const struct queue_workers *all,
                        size_t i)
{
    const struct redis_value *about = all->about[i];
    char alive[8];
    size_t len, at = 0;
    struct worker_job job;

    *w = (struct picture_worker){
        .seen_ms = redis_value_int(redis_value_at(about, QUEUE_WORKER_SEEN)),
        .slots = redis_value_int(redis_value_at(about, QUEUE_WORKER_SLOTS)),
        .busy = redis_value_int(redis_value_at(about, QUEUE_WORKER_RUNNING))};
    if (w->seen_ms <= 0)
        return false;
    w->quiet = queue_worker_is_quiet(redis_value_at(about, QUEUE_WORKER_QUIET));
    w->quiet_ms = redis_value_int(redis_value_at(about, QUEUE_WORKER_QUIET_SINCE));
    const char *name = queue_workers_id(all, i, &len);
    picture_text(name, len, w->id, sizeof w->id);
    text_of(about, QUEUE_WORKER_PAUSED, w->paused, sizeof w->paused);
    text_of(about, QUEUE_WORKER_ALIVE, alive, sizeof alive);
    w->stuck = strcmp(alive, "no") == 0;
    const char *text = redis_value_str(redis_value_at(about, QUEUE_WORKER_JOBS), &len);
    while (w->job_count < PICTURE_JOBS && worker_jobs_next(text, len, &at, &job))
        take_job(&w->jobs[w->job_count++], &job);
    return true;
}

static enum err_code read_workers(struct redis *r, struct picture *ret, struct err *e)
{
    CLEANUP(queue_workers_release) struct queue_workers w = {.ids = NULL};
    size_t i = 0;

    if (queue_workers_read(r, &w, e))
        return e->code;
    for (; i < w.count && ret->worker_count < PICTURE_WORKERS; i++)
        ret->worker_count += take_worker(&ret->workers[ret->worker_count], &w, i);
    ret->more_workers = redis_value_len(w.ids) > i;
    return ERR_OK;
}

enum err_code picture_read(struct redis *r, const struct config *config,
                           struct picture *ret, struct err *e)
{
    *ret = (struct picture){.at_ms = clock_wall_ms()};
    if (read_queues(r, config, ret, e))
        return e->code;
    return read_workers(r, ret, e);
}
