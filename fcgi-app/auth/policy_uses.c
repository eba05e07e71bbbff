#include "fcgi-app/auth/policy_uses.h"

#include "fcgi-app/auth/policy_marks.h"
#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <string.h>

/* NULL: it may be used again and again. */
static const struct policy *once(const struct exchange *x)
{
    const struct policy *p = x->access.policy;
    return p && *p->nonce ? p : NULL;
}

static enum problem used(struct err *e)
{
    return problem_set(e, PROBLEM_POLICY_USED, "the policy was good for one upload");
}

static void begin_command(struct redis_cmd *c, const char *command,
                          const struct policy *p)
{
    redis_cmd_begin(c, command);
    redis_cmd_add_format(c, "hoist:policy:%s", p->id);
}

enum problem policy_uses_look(struct exchange *x, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    const struct policy *p = once(x);
    struct redis_value *reply = NULL;
    struct err ignored = ERR_INIT;
    redis_cmd_init(&c);
    /* What has a key may be a repetition, which is answered as it was. */
    if (!p || x->request.headers[REQUEST_IDEMPOTENCY_KEY])
        return PROBLEM_NONE;
    if (policy_marks_has(&x->app->config->spool, p))
        return used(e);
    begin_command(&c, "EXISTS", p);
    bool known = !exchange_ask(x, &c, 1, &reply, &ignored) &&
                 redis_value_type(reply) == REDIS_INTEGER && redis_value_int(reply) > 0;
    redis_reply_free(reply);
    return known ? used(e) : PROBLEM_NONE;
}

/* Whether somebody else has told Redis first.  An answer that was lost may have been of our own SET: the value tells. */
static bool is_taken_elsewhere(struct exchange *x, const struct policy *p)
{
    struct redis_cmd cmds[2];
    struct redis_value *replies[2] = {NULL, NULL};
    const char *uuid = x->batch.jobs[0].id.uuid.text;
    struct err ignored = ERR_INIT;
    size_t len = 0;
    redis_cmd_init(&cmds[0]);
    redis_cmd_init(&cmds[1]);
    begin_command(&cmds[0], "SET", p);
    redis_cmd_add_str(&cmds[0], uuid);
    redis_cmd_add_str(&cmds[0], "NX");
    redis_cmd_add_str(&cmds[0], "EXAT");
    redis_cmd_add_int(&cmds[0], p->expires + POLICY_MARKS_KEEP);
    begin_command(&cmds[1], "GET", p);
    bool elsewhere = false;
    if (!exchange_ask(x, cmds, 2, replies, &ignored)) {
        const char *holder = redis_value_str(replies[1], &len);
        bool known = redis_value_type(replies[1]) == REDIS_STRING;
        x->policy_noted =
            known && len == strlen(uuid) && memcmp(holder, uuid, len) == 0;
        elsewhere = known && !x->policy_noted;
    } else {
        log_debug("policy", "redis does not remember it", LOG_ERR(&ignored));
    }
    for (size_t i = 0; i < 2; i++) {
        redis_reply_free(replies[i]);
        redis_cmd_release(&cmds[i]);
    }
    return elsewhere;
}

enum problem policy_uses_take(struct exchange *x, struct err *e)
{
    const struct policy *p = once(x);
    const struct config_spool *spool = &x->app->config->spool;
    bool is_used;
    if (!p)
        return PROBLEM_NONE;
    if (policy_marks_make(spool, p, &is_used, e))
        return batch_spool_problem(e);
    if (is_used)
        return used(e);
    /* The mark stays in either case: it has been used. */
    return is_taken_elsewhere(x, p) ? used(e) : PROBLEM_NONE;
}

void policy_uses_drop(struct exchange *x)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    const struct policy *p = once(x);
    struct redis_value *reply = NULL;
    struct err ignored = ERR_INIT;
    redis_cmd_init(&c);
    if (!p)
        return;
    begin_command(&c, "DEL", p);
    if (x->policy_noted && exchange_ask(x, &c, 1, &reply, &ignored))
        log_debug("policy", "redis goes on remembering it", LOG_ERR(&ignored));
    redis_reply_free(reply);
    policy_marks_remove(&x->app->config->spool, p);
}
