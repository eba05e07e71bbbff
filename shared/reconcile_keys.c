/* Idempotency keys whose jobs nobody knows any more. */
#include "shared/queue_known.h"
#include "shared/reconcile_internal.h"
#include "shared/spool_keys.h"

enum { LOOKS_MAX = 10000 };

struct keys {
    struct pass *pass;
    enum err_code code; /* of Redis */
    struct err err;
};

static enum err_code ask(struct pass *p, const struct key_record *r, bool *ret_known,
                         struct err *e)
{
    reconcile_drop_pipeline(p);
    queue_known_cmd(&p->cmds[p->cmd_count++], r);
    if (reconcile_send(p, e) || redis_value_error(p->replies[0], e))
        return e->code;
    *ret_known = redis_value_int(p->replies[0]) > 0;
    return ERR_OK;
}

static void on_key(void *ctx, struct spool_key *k, const struct key_record *r)
{
    struct keys *all = ctx;
    struct pass *p = all->pass;
    struct err e = ERR_INIT;
    bool known = true;

    if (all->code || reconcile_is_stopped(p))
        return;
    all->code = ask(p, r, &known, &all->err);
    if (all->code || known)
        return;
    p->stats.keys++;
    if (spool_key_forget(p->spool, k, &e))
        p->stats.keys--; /* the next round sees it again */
}

enum err_code reconcile_keys(struct pass *p, struct err *e)
{
    const struct reconcile_options *o = p->options;
    struct keys all = {.pass = p};
    struct spool_keys_walk w = {
        .age_ms = o->key_age_ms, .max = LOOKS_MAX, .on_key = on_key, .ctx = &all};

    for (unsigned i = 0; i < RECONCILE_KEY_DIRS && o->key_age_ms > 0 && !o->dry_run &&
                         w.max > 0 && !all.code && !reconcile_is_stopped(p);
         i++) {
        w.dir = (o->key_dir + i) % SPOOL_KEYS_DIRS;
        w.max -= spool_keys_walk(p->spool, &w);
    }
    if (all.code)
        *e = all.err;
    return all.code;
}
