#include "fcgi-app/jobs/workers_write.h"

#include "shared/clock.h"
#include "shared/queue.h"
#include "shared/worker_jobs.h"

#include <inttypes.h>
#include <string.h>

static bool is_told(const struct redis_value *about, enum queue_worker_field name)
{
    size_t len;
    (void)redis_value_str(redis_value_at(about, name), &len);
    return len > 0;
}

static void add_text(struct buf *b, const char *name, const struct redis_value *about,
                     enum queue_worker_field which)
{
    size_t len;
    const char *s = redis_value_str(redis_value_at(about, which), &len);
    if (len == 0)
        return;
    buf_printf(b, ",\"%s\":", name);
    buf_add_json(b, s, len);
}

static void add_number(struct buf *b, const char *name, const struct redis_value *about,
                       enum queue_worker_field which)
{
    if (is_told(about, which))
        buf_printf(b, ",\"%s\":%" PRId64, name,
                   redis_value_int(redis_value_at(about, which)));
}

static void add_ms(struct buf *b, const char *name, int64_t ms)
{
    if (ms <= 0)
        return;
    buf_printf(b, ",\"%s\":\"", name);
    clock_format_rfc3339(b, ms);
    buf_putc(b, '"');
}

/* The queue, where the client may use it (NULL: may see all); *ret_queue is NULL when it is not configured here. */
static bool may_use(const struct config *config, const struct access *a,
                    const char *name, size_t len, const struct config_queue **ret_queue)
{
    *ret_queue = config_find_queue(config, name, len);
    if (!a || a->queues == UINT64_MAX)
        return true;
    return *ret_queue && access_may_use_queue(a, config, *ret_queue);
}

static void add_queues(struct buf *b, const struct redis_value *about,
                       const struct config *config, const struct access *a)
{
    const char *list =
                   redis_value_str(redis_value_at(about, QUEUE_WORKER_QUEUES), NULL),
               *before = "";
    if (!*list)
        return;
    buf_puts(b, ",\"queues\":[");
    while (*list) {
        const struct config_queue *queue;
        size_t len = strcspn(list, ",");
        if (id_is_queue(list, len) && may_use(config, a, list, len, &queue)) {
            buf_printf(b, "%s\"%.*s\"", before, (int)len, list);
            before = ",";
        }
        list += len + (list[len] == ',');
    }
    buf_putc(b, ']');
}

bool workers_may_steer(const struct redis_value *about, const struct config *config,
                       const struct access *access)
{
    const char *list =
        redis_value_str(redis_value_at(about, QUEUE_WORKER_QUEUES), NULL);
    while (*list) {
        const struct config_queue *queue;
        size_t len = strcspn(list, ",");
        if (!may_use(config, access, list, len, &queue))
            return false;
        list += len + (list[len] == ',');
    }
    return true;
}

/* --- Its jobs --- */

static bool may_see(const struct config *config, const struct access *a,
                    const struct worker_job *j)
{
    const struct config_queue *queue;
    if (!a)
        return true;
    const char *owner = a->policy ? j->policy : j->owner;
    (void)may_use(config, a, j->id.queue, strlen(j->id.queue), &queue);
    return access_may_see_owner(a, config, queue, *owner ? owner : NULL);
}

static void add_job(struct buf *b, const struct worker_job *j)
{
    char id[ID_JOB_MAX + 1];
    id_format_job(&j->id, id);
    buf_printf(b, "{\"id\":\"%s\"", id);
    if (*j->name) {
        buf_puts(b, ",\"name\":");
        buf_add_json(b, j->name, strlen(j->name));
    }
    if (*j->phase)
        buf_printf(b, ",\"phase\":\"%s\"", j->phase);
    buf_printf(b, ",\"size\":%" PRId64 ",\"sent\":%" PRId64 ",\"rate\":%" PRId64,
               j->size, j->sent, j->rate);
    if (j->parts > 0)
        buf_printf(b, ",\"parts\":%" PRId64 ",\"parts_done\":%" PRId64, j->parts,
                   j->parts_done);
    add_ms(b, "started", j->started);
    buf_putc(b, '}');
}

static void add_jobs(struct buf *b, const struct redis_value *about,
                     const struct config *config, const struct access *a)
{
    size_t len, at = 0;
    const char *text = redis_value_str(redis_value_at(about, QUEUE_WORKER_JOBS), &len),
               *before = "";
    struct worker_job j;
    buf_puts(b, ",\"jobs\":[");
    for (size_t n = 0; n < WORKER_JOBS_MAX && worker_jobs_next(text, len, &at, &j);
         n++) {
        if (!may_see(config, a, &j))
            continue;
        buf_puts(b, before);
        add_job(b, &j);
        before = ",";
    }
    buf_putc(b, ']');
}

static void add_quiet(struct buf *b, const struct redis_value *about)
{
    if (!is_told(about, QUEUE_WORKER_QUIET))
        return;
    bool quiet = queue_worker_is_quiet(redis_value_at(about, QUEUE_WORKER_QUIET));
    buf_printf(b, ",\"quiet\":%s", quiet ? "true" : "false");
    add_ms(b, "quiet_since",
           redis_value_int(redis_value_at(about, QUEUE_WORKER_QUIET_SINCE)));
}

void workers_write_one(const char *id, const struct redis_value *about,
                       const struct config *config, const struct access *a,
                       struct buf *b)
{
    buf_puts(b, "{\"id\":");
    buf_add_json(b, id, strlen(id));
    add_text(b, "host", about, QUEUE_WORKER_HOST);
    add_number(b, "pid", about, QUEUE_WORKER_PID);
    add_text(b, "version", about, QUEUE_WORKER_VERSION);
    add_ms(b, "started", redis_value_int(redis_value_at(about, QUEUE_WORKER_STARTED)));
    add_ms(b, "seen", redis_value_int(redis_value_at(about, QUEUE_WORKER_SEEN)));
    if (is_told(about, QUEUE_WORKER_ALIVE))
        buf_printf(
            b, ",\"alive\":%s",
            strcmp(redis_value_str(redis_value_at(about, QUEUE_WORKER_ALIVE), NULL),
                   "no")
                ? "true"
                : "false");
    add_quiet(b, about);
    add_queues(b, about, config, a);
    add_number(b, "slots", about, QUEUE_WORKER_SLOTS);
    add_number(b, "busy", about, QUEUE_WORKER_RUNNING);
    add_text(b, "paused_destinations", about, QUEUE_WORKER_PAUSED);
    add_jobs(b, about, config, a);
    buf_putc(b, '}');
}

bool workers_write(const struct queue_workers *w, const struct config *config,
                   const struct access *access, struct buf *b)
{
    static const char tail[] = "],\"more\":false}";
    bool more = redis_value_len(w->ids) > w->count;
    const char *before = "";
    buf_puts(b, "{\"workers\":[");
    for (size_t i = 0; i < w->count; i++) {
        CLEANUP(buf_release) struct buf one = BUF_INIT(WORKER_BYTES_MAX);
        if (!is_told(w->about[i], QUEUE_WORKER_SEEN))
            continue; /* its hash has expired: it was not heard of for a while */
        workers_write_one(queue_workers_id(w, i, NULL), w->about[i], config, access,
                          &one);
        if (one.failed || b->len + one.len + 1 + sizeof tail > b->max) {
            more = true;
            break;
        }
        buf_puts(b, before);
        buf_add(b, one.data, one.len);
        before = ",";
    }
    buf_printf(b, "],\"more\":%s}", more ? "true" : "false");
    return !b->failed;
}
