/* Quotas as Redis keeps them. */
#include "fcgi-app/http/exchange.h"
#include "fcgi-app/auth/quota_internal.h"
#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/queue.h"
#include "shared/queue_quota.h"
#include "shared/spool.h"

#include <string.h>

enum {
    LOOK_MAX = 100,
    YOUNG_MS = 60000 /* its record may still be on its way to Redis */
};

DEFINE_CLEANUP(struct redis_value *, reply_cleanup, redis_reply_free)

static void add_id(struct redis_cmd *c, const struct job_id *id)
{
    char text[ID_JOB_MAX + 1];
    id_format_job(id, text);
    redis_cmd_add_str(c, text);
}

/* One command whose reply matters only when it is an error. */
static enum err_code tell(struct exchange *x, const struct redis_cmd *c, struct err *e)
{
    CLEANUP(reply_cleanup) struct redis_value *reply = NULL;
    enum err_code code = exchange_ask(x, c, 1, &reply, e);
    return code ? code : redis_value_error(reply, e);
}

/* --- Which of them have ended --- */

struct look {
    struct job_id ids[LOOK_MAX];
    int64_t since_ms[LOOK_MAX];
    bool ended[LOOK_MAX];
    size_t count, ended_count;
};

/* {JOBS, count, id, score, ...}.  What is no id was put there by hand, and does not count. */
static void read_look(const struct redis_value *reply, struct look *ret)
{
    ret->count = ret->ended_count = 0;
    for (size_t i = 2; i + 1 < redis_value_len(reply) && ret->count < LOOK_MAX;
         i += 2) {
        size_t len;
        const char *id = redis_value_str(redis_value_at(reply, i), &len);
        if (!id_parse_job(id, len, &ret->ids[ret->count]))
            continue;
        ret->since_ms[ret->count] = redis_value_int(redis_value_at(reply, i + 1));
        ret->count++;
    }
}

static bool has_ended(struct exchange *x, const struct look *l, size_t i,
                      const struct redis_value *state)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    enum job_state s;
    size_t len;
    bool missing = false;
    const char *word = redis_value_str(state, &len);
    if (len > 0)
        return job_state_parse(word, len, &s) && job_state_is_final(s);
    if (redis_value_type(state) != REDIS_NIL ||
        clock_wall_ms() - l->since_ms[i] < YOUNG_MS)
        return false;
    return spool_read_manifest(x->app->spool, &l->ids[i], &j, &missing, &e) && missing;
}

static enum err_code find_ended(struct exchange *x, struct look *l, struct err *e)
{
    struct redis_cmd cmds[LOOK_MAX];
    struct redis_value *replies[LOOK_MAX] = {NULL};
    for (size_t i = 0; i < l->count; i++) {
        redis_cmd_init(&cmds[i]);
        redis_cmd_begin(&cmds[i], "HGET");
        queue_add_job_key(&cmds[i], &l->ids[i]);
        redis_cmd_add_str(&cmds[i], "state");
    }
    enum err_code code = exchange_ask(x, cmds, l->count, replies, e);
    for (size_t i = 0; i < l->count; i++) {
        l->ended[i] = code == ERR_OK && has_ended(x, l, i, replies[i]);
        l->ended_count += l->ended[i];
        redis_cmd_release(&cmds[i]);
        redis_reply_free(replies[i]);
    }
    return code;
}

/* Those that have ended leave, the others are looked at last from now on. */
static enum err_code note_look(struct exchange *x, const struct look *l, struct err *e)
{
    struct redis_cmd cmds[2];
    enum err_code code = ERR_OK;
    redis_cmd_init(&cmds[0]);
    redis_cmd_init(&cmds[1]);
    redis_cmd_begin(&cmds[0], "ZREM");
    redis_cmd_begin(&cmds[1], "ZADD");
    queue_quota_add_key(&cmds[0], x->access.auth->name, "jobs");
    queue_quota_add_key(&cmds[1], x->access.auth->name, "jobs");
    redis_cmd_add_str(&cmds[1], "XX");
    for (size_t i = 0; i < l->count; i++) {
        if (!l->ended[i])
            redis_cmd_add_int(&cmds[1], clock_wall_ms());
        add_id(&cmds[l->ended[i] ? 0 : 1], &l->ids[i]);
    }
    if (l->ended_count > 0)
        code = tell(x, &cmds[0], e);
    if (!code && l->ended_count < l->count)
        code = tell(x, &cmds[1], e);
    redis_cmd_release(&cmds[0]);
    redis_cmd_release(&cmds[1]);
    return code;
}

/* --- Asking --- */

static void build(struct redis_cmd *c, const struct config_auth *a,
                  const struct quota_want *w, int64_t more_bytes)
{
    queue_quota_begin(c, a->name);
    redis_cmd_add_int(c, a->jobs_in_flight);
    redis_cmd_add_int(c, a->bytes_per_day);
    redis_cmd_add_int(c, (int64_t)(w->id_count > 0 ? w->id_count : 1));
    redis_cmd_add_int(c, w->bytes);
    redis_cmd_add_int(c, more_bytes);
    for (size_t i = 0; i < w->id_count && i < LOOK_MAX; i++)
        add_id(c, &w->jobs[i].id);
}

/* Of a form with very many files the script takes the first hundred. */
static enum err_code add_rest(struct exchange *x, const struct quota_want *w,
                              struct err *e)
{
    for (size_t i = LOOK_MAX; i < w->id_count; i++)
        if (x->access.auth->jobs_in_flight > 0 &&
            quota_add(x, x->access.auth, &w->jobs[i].id, e))
            return e->code;
    return ERR_OK;
}

static enum err_code ask_once(struct exchange *x, const struct quota_want *w,
                              int64_t more_bytes, struct redis_value **ret,
                              struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    redis_cmd_init(&c);
    build(&c, x->access.auth, w, more_bytes);
    enum err_code code = exchange_ask(x, &c, 1, ret, e);
    return code ? code : redis_value_error(*ret, e);
}

static void read_said(const struct redis_value *reply, struct quota_said *ret)
{
    size_t len;
    const char *word = redis_value_str(redis_value_at(reply, 0), &len);
    int64_t n = redis_value_int(redis_value_at(reply, 1));
    *ret = (struct quota_said){.what = QUOTA_SAID_OK, .jobs = n};
    if (strcmp(word, "JOBS") == 0)
        ret->what = QUOTA_SAID_JOBS;
    else
        ret->bytes = redis_value_int(redis_value_at(reply, 2));
    if (strcmp(word, "BYTES") != 0)
        return;
    ret->what = QUOTA_SAID_BYTES;
    ret->seconds = n;
}

static enum err_code tell_pending(struct exchange *x, const struct quota_pending *p,
                                  struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    redis_cmd_init(&c);
    if (p->count == 0 || x->access.auth->jobs_in_flight == 0)
        return ERR_OK;
    redis_cmd_begin(&c, "ZADD");
    queue_quota_add_key(&c, x->access.auth->name, "jobs");
    for (size_t i = 0; i < p->count; i++) {
        redis_cmd_add_int(&c, clock_wall_ms());
        redis_cmd_add_str(&c, p->ids[i]);
    }
    return tell(x, &c, e);
}

enum err_code quota_ask(struct exchange *x, const struct quota_want *w,
                        const struct quota_pending *p, struct quota_said *ret,
                        struct err *e)
{
    int64_t more_bytes = p->bytes;
    if (tell_pending(x, p, e))
        return e->code;
    for (int i = 0;; i++) {
        CLEANUP(reply_cleanup) struct redis_value *reply = NULL;
        struct look look;
        if (ask_once(x, w, more_bytes, &reply, e))
            /* After the first time the bytes are told, and what came out stands. */
            return i == 0 ? e->code : ERR_OK;
        more_bytes = 0;
        read_said(reply, ret);
        if (ret->what == QUOTA_SAID_OK)
            return add_rest(x, w, e);
        if (ret->what != QUOTA_SAID_JOBS || i == QUOTA_LOOKS)
            return ERR_OK;
        read_look(reply, &look);
        if (look.count == 0 || find_ended(x, &look, e) || note_look(x, &look, e))
            return ERR_OK;
        /* All there are, and none of them has ended. */
        if (look.ended_count == 0 && (int64_t)look.count >= ret->jobs)
            return ERR_OK;
    }
}

enum err_code quota_return(struct exchange *x, struct err *e)
{
    const struct config_auth *a = x->access.auth;
    const struct batch *b = &x->batch;
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    redis_cmd_init(&c);
    if (a->bytes_per_day > 0) {
        redis_cmd_begin(&c, "HINCRBY");
        queue_quota_add_key(&c, a->name, "day");
        redis_cmd_add_str(&c, "bytes");
        redis_cmd_add_int(&c, -x->quota.bytes);
        if (tell(x, &c, e))
            return e->code;
        redis_cmd_clear(&c);
    }
    if (a->jobs_in_flight == 0)
        return ERR_OK;
    redis_cmd_begin(&c, "ZREM");
    queue_quota_add_key(&c, a->name, "jobs");
    for (size_t i = 0; i < b->count; i++)
        add_id(&c, &b->jobs[i].id);
    return tell(x, &c, e);
}

enum err_code quota_add(struct exchange *x, const struct config_auth *a,
                        const struct job_id *id, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    redis_cmd_init(&c);
    redis_cmd_begin(&c, "ZADD");
    queue_quota_add_key(&c, a->name, "jobs");
    redis_cmd_add_int(&c, clock_wall_ms());
    add_id(&c, id);
    return tell(x, &c, e);
}
