#include "worker/queue/turns.h"

#include <assert.h>

#include "shared/clock.h"
#include "worker/queue/removal.h"

void turns_init(struct turns *t, const struct worker_env *env, const char *queue,
                void (*on_reply)(const struct turns_reply *reply, void *ctx), void *ctx)
{
    *t = (struct turns){.env = env,
                        .queue = queue,
                        .on_reply = on_reply,
                        .ctx = ctx,
                        .turn = (uint64_t)clock_wall_ms() * 1000};
    redis_cmd_init(&t->call.cmd);
}

void turns_release(struct turns *t)
{
    assert(t->state != TURNS_UNDER_WAY);
    redis_cmd_release(&t->call.cmd);
}

void turns_end(struct turns *t, struct transfer *ended)
{
    ended->next_end = NULL;
    if (t->last)
        t->last->next_end = ended;
    else
        t->first = ended;
    t->last = ended;
    t->gathered++;
}

/* --- replies --- */

/* The call is over: its ends are told what Redis said of them. */
static void settle(struct turns *t, const struct turns_reply *reply)
{
    size_t count = t->call.count;

    t->state = TURNS_FREE;
    t->call.count = 0;
    redis_cmd_clear(&t->call.cmd);
    removals_gather(t->env->removals);
    for (size_t i = 0; i < count; i++) {
        if (reply->claimed && i < reply->claimed->answer_count)
            transfer_ended(t->call.ends[i], reply->claimed->answers[i],
                           t->call.last_sent_ms);
        else
            transfer_end_refused(t->call.ends[i], reply->err);
    }
    removals_begin(t->env->removals);
}

static void on_answer(enum err_code code, const struct redis_value *value,
                      const struct err *e, void *ctx)
{
    struct turns *t = ctx;
    struct queue_claimed claimed;
    struct err parse = ERR_INIT;

    if (code == ERR_OK) {
        code = queue_parse_claimed(value, t->queue, &claimed, &parse);
        e = &parse;
    }
    if (code == ERR_CONFIG)
        code = ERR_RETRY; /* it will be put right, and then the answer is wanted */
    struct turns_reply reply = {.code = code,
                                .err = e,
                                .want = t->call.want,
                                .sent_ms = t->call.sent_ms,
                                .repeated = t->call.repeated,
                                .claimed = code == ERR_OK ? &claimed : NULL};
    if (code == ERR_RETRY)
        t->state = TURNS_UNHEARD;
    else
        settle(t, &reply);
    t->on_reply(&reply, t->ctx);
}

/* --- sending --- */

static void gather(struct turns *t, struct queue_end *ends)
{
    size_t count = 0;

    for (; t->first && count < QUEUE_BATCH_MAX; count++) {
        struct transfer *ended = t->first;
        t->first = ended->next_end;
        t->call.ends[count] = ended;
        transfer_describe_end(ended, &ends[count]);
    }
    if (!t->first)
        t->last = NULL;
    t->gathered -= count;
    t->call.count = count;
}

static void transmit(struct turns *t)
{
    t->state = TURNS_UNDER_WAY;
    t->call.last_sent_ms = clock_boot_ms();
    redis_async_send(t->env->redis, &t->call.cmd, 0, on_answer, t);
}

void turns_send(struct turns *t, size_t want)
{
    const struct config_queue *q = env_queue(t->env, t->queue);
    struct queue_end ends[QUEUE_BATCH_MAX];

    assert(t->state == TURNS_FREE);
    t->call.want = want < QUEUE_BATCH_MAX ? want : QUEUE_BATCH_MAX;
    t->call.sent_ms = clock_boot_ms();
    t->call.repeated = false;
    t->turn++;
    gather(t, ends);
    struct queue_finish f = {.ends = ends,
                             .count = t->call.count,
                             .keep_ms = q->keep_done_seconds * 1000,
                             .keep_count = q->keep_done_count,
                             .turn = t->turn,
                             .want = t->call.want};
    if (f.count > 0)
        queue_finish_cmd(&t->call.cmd, &f, &t->env->self);
    else
        queue_claim_cmd(&t->call.cmd, t->queue, &t->env->self, t->turn, t->call.want);
    transmit(t);
}

void turns_repeat(struct turns *t)
{
    assert(t->state == TURNS_UNHEARD);
    t->call.repeated = true;
    transmit(t);
}

bool turns_forget(struct turns *t)
{
    if (t->state != TURNS_UNHEARD || t->call.count > 0)
        return false;
    t->state = TURNS_FREE;
    redis_cmd_clear(&t->call.cmd);
    return true;
}
