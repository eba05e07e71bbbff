#include "worker/top/picture.h"

#include <string.h>

#include "shared/clock.h"
#include "shared/utf8.h"
#include "shared/worker_jobs.h"

static const char *const fields[] = {"seen",    "alive", "slots",
                                     "running", "jobs",  "paused_destinations"};
enum { SEEN, ALIVE, SLOTS, RUNNING, JOBS, PAUSED, FIELDS };
_Static_assert(sizeof fields / sizeof fields[0] == FIELDS, "one name each");

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

static void text_of(const struct redis_value *about, int field, char *ret, size_t size)
{
    size_t len;
    const char *s = redis_value_str(redis_value_at(about, (size_t)field), &len);

    picture_text(s, len, ret, size);
}

/* False: its hash has expired, it was not heard of for a while. */
static bool take_worker(struct picture_worker *w, const struct redis_value *id,
                        const struct redis_value *about)
{
    char alive[8];
    size_t len, at = 0;
    struct worker_job job;

    *w = (struct picture_worker){
        .seen_ms = redis_value_int(redis_value_at(about, SEEN)),
        .slots = redis_value_int(redis_value_at(about, SLOTS)),
        .busy = redis_value_int(redis_value_at(about, RUNNING))};
    if (w->seen_ms <= 0)
        return false;
    const char *name = redis_value_str(id, &len);
    picture_text(name, len, w->id, sizeof w->id);
    text_of(about, PAUSED, w->paused, sizeof w->paused);
    text_of(about, ALIVE, alive, sizeof alive);
    w->stuck = strcmp(alive, "no") == 0;
    const char *text = redis_value_str(redis_value_at(about, JOBS), &len);
    while (w->job_count < PICTURE_JOBS && worker_jobs_next(text, len, &at, &job))
        take_job(&w->jobs[w->job_count++], &job);
    return true;
}

static enum err_code read_about(struct redis *r, const struct redis_value *ids,
                                struct picture *ret, struct err *e)
{
    struct redis_cmd cmds[PICTURE_WORKERS];
    struct redis_value *replies[PICTURE_WORKERS] = {NULL};
    size_t count = redis_value_len(ids);

    ret->more_workers = count > PICTURE_WORKERS;
    if (ret->more_workers)
        count = PICTURE_WORKERS;
    if (count == 0)
        return ERR_OK;
    for (size_t i = 0; i < count; i++) {
        redis_cmd_init(&cmds[i]);
        redis_cmd_begin(&cmds[i], "HMGET");
        redis_cmd_add_format(&cmds[i], "hoist:worker:%s",
                             redis_value_str(redis_value_at(ids, i), NULL));
        for (size_t k = 0; k < FIELDS; k++)
            redis_cmd_add_str(&cmds[i], fields[k]);
    }
    enum err_code code = redis_pipeline(r, cmds, count, replies, e);
    for (size_t i = 0; i < count; i++) {
        if (code == ERR_OK && take_worker(&ret->workers[ret->worker_count],
                                          redis_value_at(ids, i), replies[i]))
            ret->worker_count++;
        redis_reply_free(replies[i]);
        redis_cmd_release(&cmds[i]);
    }
    return code;
}

static enum err_code read_workers(struct redis *r, struct picture *ret, struct err *e)
{
    struct redis_value *ids = NULL;
    struct redis_cmd c;

    redis_cmd_init(&c);
    redis_cmd_begin(&c, "ZREVRANGE");
    redis_cmd_add_str(&c, "hoist:workers");
    redis_cmd_add_int(&c, 0);
    redis_cmd_add_int(&c, PICTURE_WORKERS); /* one more: whether there is one */
    enum err_code code = redis_call(r, &c, &ids, e);
    redis_cmd_release(&c);
    if (code == ERR_OK)
        code = read_about(r, ids, ret, e);
    redis_reply_free(ids);
    return code;
}

enum err_code picture_read(struct redis *r, const struct config *config,
                           struct picture *ret, struct err *e)
{
    *ret = (struct picture){.at_ms = clock_wall_ms()};
    if (read_queues(r, config, ret, e))
        return e->code;
    return read_workers(r, ret, e);
}
