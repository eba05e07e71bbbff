#include "fcgi-app/upload/room.h"

#include "fcgi-app/publish/water.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* What was seen of one queue.  The numbers may be of two looks at once: as good as a look between them. */
struct room {
    _Atomic int64_t next_look_ms;
    _Atomic int64_t length, max_length; /* max 0: no limit */
    _Atomic int64_t bytes, max_bytes;
    _Atomic int64_t per_1000_s; /* jobs that end; 0: not known */

    struct drain drain; /* with the lock of rooms */
    int64_t ended;      /* as of the latest look; 0: none */
};

struct rooms {
    const struct config *config;
    pthread_mutex_t lock; /* for redis */
    struct redis *redis;
    struct breaker *breaker;
    struct room of[CONFIG_QUEUES_MAX];
};

enum err_code rooms_open(const struct config *config, const struct redis_options *redis,
                         struct breaker *breaker, struct rooms **ret_rooms,
                         struct err *e)
{
    struct redis_options o = *redis;
    struct rooms *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(e, ERR_NOMEM, "rooms: out of memory");
    o.timeout_ms = o.connect_timeout_ms = ROOM_TIMEOUT_MS;
    r->config = config;
    r->breaker = breaker;
    (void)pthread_mutex_init(&r->lock, NULL);
    if (redis_open(&o, &r->redis, e)) {
        rooms_close(r);
        return e->code;
    }
    *ret_rooms = r;
    return ERR_OK;
}

void rooms_close(struct rooms *r)
{
    if (!r)
        return;
    redis_close(r->redis);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

/* The limits, then what the queue holds. */
static enum err_code ask(struct rooms *r, const char *queue,
                         struct redis_value *replies[2], struct err *e)
{
    struct redis_cmd cmds[2];
    redis_cmd_init(&cmds[0]);
    redis_cmd_init(&cmds[1]);
    redis_cmd_begin(&cmds[0], "HMGET");
    queue_add_key(&cmds[0], queue, "conf");
    redis_cmd_add_str(&cmds[0], "max_length");
    redis_cmd_add_str(&cmds[0], "max_bytes");
    queue_status_cmd(&cmds[1], queue);
    enum err_code code = redis_pipeline(r->redis, cmds, 2, replies, e);
    redis_cmd_release(&cmds[0]);
    redis_cmd_release(&cmds[1]);
    return code;
}

static void note(struct room *room, const struct redis_value *limits,
                 const struct queue_status *s)
{
    int64_t now_ms = clock_mono_ms();
    int64_t ended = s->done_total + s->dead_total + s->cancelled_total;
    drain_note(&room->drain, ended - room->ended, now_ms);
    room->ended = ended;
    atomic_store(&room->per_1000_s, (int64_t)(drain_rate(&room->drain, now_ms) * 1000));
    atomic_store(&room->length,
                 s->ready + s->scheduled + s->running + s->grouped + s->behind);
    atomic_store(&room->bytes, s->bytes);
    atomic_store(&room->max_length, redis_value_int(redis_value_at(limits, 0)));
    atomic_store(&room->max_bytes, redis_value_int(redis_value_at(limits, 1)));
}

static void forget(struct room *room)
{
    atomic_store(&room->max_length, 0);
    atomic_store(&room->max_bytes, 0);
}

static enum err_code ask_and_note(struct rooms *r, struct room *room, const char *queue,
                                  struct err *e)
{
    struct redis_value *replies[2] = {NULL, NULL};
    struct queue_status s;
    enum err_code code = ask(r, queue, replies, e);
    if (code) {
        breaker_fail(r->breaker);
    } else {
        breaker_close(r->breaker);
        code = queue_parse_status(replies[1], &s, e);
    }
    if (!code)
        note(room, replies[0], &s);
    redis_reply_free(replies[0]);
    redis_reply_free(replies[1]);
    return code;
}

static void look(struct rooms *r, struct room *room, const char *queue)
{
    struct err e = ERR_INIT;
    if (breaker_is_open(r->breaker)) {
        forget(room);
        return;
    }
    if (pthread_mutex_trylock(&r->lock) != 0) {
        atomic_store(&room->next_look_ms, 0); /* another queue's look is under way */
        return;
    }
    enum err_code code = ask_and_note(r, room, queue, &e);
    (void)pthread_mutex_unlock(&r->lock);
    if (code) {
        forget(room);
        log_debug("room", "not known", LOG_STR("queue", queue), LOG_ERR(&e));
    }
}

/* Until so many jobs have ended. */
static int seconds_for(const struct room *room, int64_t jobs)
{
    return drain_seconds((double)atomic_load(&room->per_1000_s) / 1000, jobs);
}

/* About how many jobs so many bytes are. */
static int64_t jobs_of(const struct room *room, int64_t bytes)
{
    int64_t length = atomic_load(&room->length), held = atomic_load(&room->bytes);
    int64_t each = length > 0 && held > length ? held / length : 1;
    return bytes / each + 1;
}

int rooms_retry_after(const struct rooms *r, const char *queue)
{
    const struct config_queue *q = config_find_queue(r->config, queue, strlen(queue));
    return q ? seconds_for(&r->of[q - r->config->queues], 1) : DRAIN_DEFAULT_S;
}

static bool is_my_turn(struct room *room)
{
    int64_t now = clock_mono_ms(), next = atomic_load(&room->next_look_ms);
    return now >= next && atomic_compare_exchange_strong(&room->next_look_ms, &next,
                                                         now + ROOM_LOOK_MS);
}

enum problem rooms_check(struct rooms *r, const struct config_queue *queue,
                         int64_t bytes, int *ret_retry_after, struct err *e)
{
    struct room *room = &r->of[queue - r->config->queues];
    if (is_my_turn(room))
        look(r, room, queue->name);
    int64_t max_length = atomic_load(&room->max_length);
    int64_t max_bytes = atomic_load(&room->max_bytes);
    int64_t held = atomic_load(&room->bytes), more = bytes > 0 ? bytes : 0;
    int64_t length = atomic_load(&room->length);
    if (max_length > 0 && length >= max_length) {
        *ret_retry_after = seconds_for(room, length - max_length + 1);
        return problem_set(e, PROBLEM_QUEUE_FULL,
                           "the queue %s holds as many jobs as it may, %lld",
                           queue->name, (long long)max_length);
    }
    if (max_bytes > 0 && more > max_bytes)
        return problem_set(
            e, PROBLEM_TOO_LARGE,
            "the file is larger than the %lld bytes that the queue %s may hold",
            (long long)max_bytes, queue->name);
    if (max_bytes > 0 && (held >= max_bytes || more > max_bytes - held)) {
        *ret_retry_after = seconds_for(room, jobs_of(room, held - max_bytes + more));
        return problem_set(e, PROBLEM_QUEUE_FULL,
                           "the queue %s holds as many bytes as it may, %lld",
                           queue->name, (long long)max_bytes);
    }
    return PROBLEM_NONE;
}
