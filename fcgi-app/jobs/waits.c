#include "fcgi-app/jobs/waits.h"

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/redis_check.h"

void waits_init(struct waits *w, const struct config *config)
{
    w->config = &config->redis;
    w->max_waiting =
        config->http.max_threads > 2 ? (int)config->http.max_threads / 2 : 1;
    atomic_store(&w->waiting, 0);
    atomic_store(&w->short_until_ms, 0);
}

bool waits_is_wanted(const struct waits *w)
{
    return w->config->wait_replicas > 0 || w->config->wait_aof;
}

bool waits_begin(struct waits *w)
{
    if (atomic_fetch_add(&w->waiting, 1) < w->max_waiting)
        return true;
    atomic_fetch_sub(&w->waiting, 1);
    return false;
}

void waits_end(struct waits *w)
{
    atomic_fetch_sub(&w->waiting, 1);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t waits_budget_ms(struct waits *w, int64_t now_ms)
{
    int64_t whole = w->config->wait_ms * 4 / 5;
    int64_t until_ms = atomic_load(&w->short_until_ms);
    if (until_ms == 0)
        return whole > 0 ? whole : 1;
    bool is_probe = now_ms >= until_ms &&
                    atomic_compare_exchange_strong(&w->short_until_ms, &until_ms,
                                                   now_ms + WAITS_SHORT_MS);
    int64_t ms = smaller(whole, is_probe ? WAITS_PROBE_MS : WAITS_GLANCE_MS);
    return ms > 0 ? ms : 1;
}

void waits_note(struct waits *w, bool is_whole, int64_t now_ms)
{
    atomic_store(&w->short_until_ms, is_whole ? 0 : now_ms + WAITS_SHORT_MS);
}

/* The reply of a command that waits at most ms; NULL, with ERR_OK: the server will not do that. */
static enum err_code ask(struct redis *r, struct redis_cmd *c, int64_t ms,
                         struct redis_value **ret_reply, struct err *e)
{
    redis_cmd_add_int(c, ms > 0 ? ms : 1); /* 0 would be for ever */
    enum err_code code = redis_call_wait(r, c, (int)ms, ret_reply, e);
    redis_cmd_release(c);
    if (code != ERR_REJECT)
        return code;
    log_debug("waits", "refused", LOG_ERR(e));
    return ERR_OK;
}

static enum err_code ask_replicas(struct redis *r, int64_t count, int64_t ms,
                                  int64_t *ret, struct err *e)
{
    struct redis_cmd c;
    struct redis_value *reply = NULL;
    redis_cmd_init(&c);
    redis_cmd_begin(&c, "WAIT");
    redis_cmd_add_int(&c, count);
    enum err_code code = ask(r, &c, ms, &reply, e);
    if (!code)
        *ret = redis_value_int(reply);
    redis_reply_free(reply);
    return code;
}

/* The replicas' files do not matter: what they have is what WAIT tells. */
static enum err_code ask_aof(struct redis *r, int64_t ms, bool *ret, struct err *e)
{
    struct redis_cmd c;
    struct redis_value *reply = NULL;
    redis_cmd_init(&c);
    redis_cmd_begin(&c, "WAITAOF");
    redis_cmd_add_int(&c, 1);
    redis_cmd_add_int(&c, 0);
    enum err_code code = ask(r, &c, ms, &reply, e);
    if (!code)
        *ret = redis_value_int(redis_value_at(reply, 0)) > 0;
    redis_reply_free(reply);
    return code;
}

static bool knows_aof(const struct redis *r)
{
    const struct redis_facts *f = redis_facts(r);
    return f->major > 7 || (f->major == 7 && f->minor >= 2);
}

enum err_code waits_ask(struct waits *w, struct redis *r, int64_t connection,
                        struct waits_answer *ret, struct err *e)
{
    const struct config_redis *c = w->config;
    struct waits_answer a = {.replicas = 0};
    int64_t start_ms = clock_mono_ms(), budget_ms = waits_budget_ms(w, start_ms);
    enum err_code code = ERR_OK;
    bool wants_aof = c->wait_aof && knows_aof(r);
    if (c->wait_replicas > 0)
        code = ask_replicas(r, c->wait_replicas, budget_ms, &a.replicas, e);
    int64_t left_ms = budget_ms - (clock_mono_ms() - start_ms);
    if (!code && wants_aof)
        code = ask_aof(r, left_ms > 0 ? left_ms : 1, &a.aof, e);
    if (redis_connections(r) != connection) /* a new one has written nothing */
        a = (struct waits_answer){.replicas = 0};
    waits_note(w, a.replicas >= c->wait_replicas && a.aof == wants_aof,
               clock_mono_ms());
    *ret = a;
    return code;
}
