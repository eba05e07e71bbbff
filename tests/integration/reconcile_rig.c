#include "tests/integration/reconcile_rig.h"

void reconcile_rig_up(const struct reconcile_rig *rig)
{
    struct redis_options o = {.connect_timeout_ms = 5000, .timeout_ms = 10000};
    struct err e = ERR_INIT;

    redis_fixture_start(rig->server);
    spool_sample_open(rig->spool);
    cr_assert(not(redis_target_parse(rig->server->url, &o.target, &e)), "%s", e.text);
    cr_assert(not(redis_open(&o, rig->redis, &e)), "%s", e.text);
    redis_target_release(&o.target);
}

void reconcile_rig_down(const struct reconcile_rig *rig)
{
    redis_close(*rig->redis);
    spool_sample_close(rig->spool);
    redis_fixture_stop(rig->server);
}
