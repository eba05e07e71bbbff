#include <stdio.h>
#include <string.h>

#include "shared/cleanup.h"
#include "shared/queue.h"
#include "tests/chaos/check_internal.h"
#include "tests/chaos/scan.h"

enum { CONNECT_MS = 5000, CALL_MS = 60000, PAGE = 1000, DEAD_MAX = 1 << 20 };

DEFINE_CLEANUP(struct redis *, redis_cleanup, redis_close)
DEFINE_CLEANUP(struct redis_value *, reply_cleanup, redis_reply_free)

static enum err_code connect_to(const char *url, struct redis **ret, struct err *e)
{
    CLEANUP(redis_target_release) struct redis_target target = REDIS_TARGET_INIT;

    if (redis_target_parse(url, &target, e) != ERR_OK)
        return e->code;
    return redis_open(&(struct redis_options){.target = target,
                                              .connect_timeout_ms = CONNECT_MS,
                                              .timeout_ms = CALL_MS},
                      ret, e);
}

/* A plain command of these words, up to NULL. */
static enum err_code ask(struct redis *r, const char *const *words,
                         struct redis_value **ret, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;

    redis_cmd_init(&c);
    redis_cmd_begin(&c, words[0]);
    for (size_t i = 1; words[i]; i++)
        redis_cmd_add_str(&c, words[i]);
    return redis_call(r, &c, ret, e);
}

static enum err_code load_page(struct check *c, struct redis *r, const char *key,
                               int64_t from, size_t *ret_count, struct err *e)
{
    CLEANUP(reply_cleanup) struct redis_value *v = NULL;
    char first[24], last[24];

    (void)snprintf(first, sizeof first, "%lld", (long long)from);
    (void)snprintf(last, sizeof last, "%lld", (long long)from + PAGE - 1);
    if (ask(r, (const char *const[]){"ZRANGE", key, first, last, NULL}, &v, e) !=
        ERR_OK)
        return e->code;
    *ret_count = redis_value_len(v);
    for (size_t i = 0; i < *ret_count; i++)
        if (!map_add(&c->dead, redis_value_str(redis_value_at(v, i), NULL), NULL))
            return err_set(e, ERR_NOMEM, "check: too many dead jobs");
    return ERR_OK;
}

enum err_code check_load_dead(struct check *c, struct err *e)
{
    CLEANUP(redis_cleanup) struct redis *r = NULL;
    char key[64];

    c->dead = (struct map)MAP_INIT(DEAD_MAX);
    if (!c->o->redis_url)
        return ERR_OK;
    if (connect_to(c->o->redis_url, &r, e) != ERR_OK)
        return err_prefix(e, "check");
    for (size_t q = 0; c->o->queues && c->o->queues[q]; q++) {
        size_t count = PAGE;
        (void)snprintf(key, sizeof key, "hoist:{%.32s}:dead", c->o->queues[q]);
        for (int64_t from = 0; count == PAGE; from += PAGE)
            if (load_page(c, r, key, from, &count, e) != ERR_OK)
                return err_prefix(e, "check");
    }
    return ERR_OK;
}

static enum err_code look(struct redis *r, const char *queue, struct queue_status *ret,
                          struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    CLEANUP(reply_cleanup) struct redis_value *v = NULL;

    redis_cmd_init(&c);
    queue_status_cmd(&c, queue);
    if (redis_call(r, &c, &v, e) != ERR_OK)
        return e->code;
    return queue_parse_status(v, ret, e);
}

static int64_t unfinished(const struct queue_status *s)
{
    return s->ready + s->scheduled + s->running + s->grouped + s->behind;
}

static void describe(const struct queue_status *s, const char *queue, char *ret,
                     size_t size)
{
    (void)snprintf(ret, size,
                   "%.32s: %lld ready, %lld scheduled, %lld running, %lld in groups, "
                   "%lld behind others",
                   queue, (long long)s->ready, (long long)s->scheduled,
                   (long long)s->running, (long long)s->grouped, (long long)s->behind);
}

enum err_code check_queues(struct check *c, struct err *e)
{
    CLEANUP(redis_cleanup) struct redis *r = NULL;
    bool ended = check_wants(c, 6);
    bool balanced = check_wants(c, 10);

    if (connect_to(c->o->redis_url, &r, e) != ERR_OK)
        return err_prefix(e, "check");
    for (size_t q = 0; c->o->queues && c->o->queues[q]; q++) {
        struct queue_status s = {0};
        char text[CHECK_OFFENDER_MAX];
        if (look(r, c->o->queues[q], &s, e) != ERR_OK)
            return err_prefix(e, "check");
        describe(&s, c->o->queues[q], text, sizeof text);
        if (ended && unfinished(&s) > 0)
            check_offend(c, 6, "%s", text);
        int64_t sum = unfinished(&s) + s.dead + s.done_total + s.cancelled_total;
        if (balanced && sum != s.enqueued_total)
            check_offend(c, 10,
                         "at the end, %s; %lld dead, %lld done, %lld cancelled of "
                         "%lld enqueued",
                         text, (long long)s.dead, (long long)s.done_total,
                         (long long)s.cancelled_total, (long long)s.enqueued_total);
    }
    return ERR_OK;
}

bool check_is_quiet(const char *redis_url, const char *const *queues, char *ret_text,
                    size_t size)
{
    CLEANUP(redis_cleanup) struct redis *r = NULL;
    struct err e = ERR_INIT;

    if (connect_to(redis_url, &r, &e) != ERR_OK) {
        (void)snprintf(ret_text, size, "%s", e.text);
        return false;
    }
    for (size_t q = 0; queues[q]; q++) {
        struct queue_status s = {0};
        if (look(r, queues[q], &s, &e) != ERR_OK) {
            (void)snprintf(ret_text, size, "%s", e.text);
            return false;
        }
        if (unfinished(&s) > 0) {
            describe(&s, queues[q], ret_text, size);
            return false;
        }
    }
    return true;
}

/* --- the dump --- */

/* A setting of the server; its text is cut to size. */
static enum err_code setting(struct redis *r, const char *name, char *ret, size_t size,
                             struct err *e)
{
    CLEANUP(reply_cleanup) struct redis_value *v = NULL;

    if (ask(r, (const char *const[]){"CONFIG", "GET", name, NULL}, &v, e) != ERR_OK)
        return e->code;
    (void)snprintf(ret, size, "%s", redis_value_str(redis_value_at(v, 1), NULL));
    return ERR_OK;
}

static enum err_code set_compression(struct redis *r, const char *value, struct err *e)
{
    CLEANUP(reply_cleanup) struct redis_value *v = NULL;

    return ask(r, (const char *const[]){"CONFIG", "SET", "rdbcompression", value, NULL},
               &v, e);
}

static enum err_code save(struct redis *r, struct err *e)
{
    CLEANUP(reply_cleanup) struct redis_value *v = NULL;

    return ask(r, (const char *const[]){"SAVE", NULL}, &v, e);
}

enum err_code check_dump(struct check *c, struct err *e)
{
    CLEANUP(redis_cleanup) struct redis *r = NULL;
    char dir[512], file[256], compression[8], path[1024];

    /* Compressed, a secret would not be found. */
    if (connect_to(c->o->redis_url, &r, e) != ERR_OK ||
        setting(r, "dir", dir, sizeof dir, e) != ERR_OK ||
        setting(r, "dbfilename", file, sizeof file, e) != ERR_OK ||
        setting(r, "rdbcompression", compression, sizeof compression, e) != ERR_OK ||
        set_compression(r, "no", e) != ERR_OK || save(r, e) != ERR_OK ||
        set_compression(r, compression, e) != ERR_OK)
        return err_prefix(e, "check: dump");
    (void)snprintf(path, sizeof path, "%s/%s", dir, file);
    return scan_files((const char *const[]){path, NULL}, c->o->secrets,
                      check_found_secret, c, e);
}
