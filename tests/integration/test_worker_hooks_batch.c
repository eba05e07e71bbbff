/*
 * The callback of a batch, in hoist-worker as it ships.
 */
#include "tests/integration/hooks_rig.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/support/wait_until.h"

TestSuite(worker_hooks_batch, .fini = down, .timeout = 120);

/* Of those that came, how many tell of this. */
static size_t count_told(const char *event)
{
    struct http_sink_request r;
    size_t n = 0;

    for (size_t i = 0; http_sink_request(sink, i, &r); i++)
        n += strcmp(header(&r, "hoist-event"), event) == 0;
    return n;
}

Test(worker_hooks_batch,
     a_batch_tells_its_own_callback_once_however_and_where_its_jobs_end)
{
    char own[128], other[128], want[256];
    struct uuid batch = id_new();
    struct redis_cmd cmd;

    up("allow = 127.0.0.1\n");
    (void)snprintf(own, sizeof own, "%s/batch?token=hush", http_sink_url(sink));
    (void)snprintf(other, sizeof other, "%s/job", http_sink_url(sink));
    redis_cmd_init(&cmd);
    queue_open_batch_cmd(&cmd, "default", &batch, own, NULL);
    call(&cmd);
    struct job_id ids[3];
    for (int i = 0; i < 3; i++) /* done, dead, and cancelled in another queue */
        ids[i] = rig_put(&rig, &(struct rig_job){.data = "x",
                                                 .queue = i == 2 ? "media" : "default",
                                                 .to = i == 1 ? "nowhere" : "default",
                                                 .max_attempts = 1,
                                                 .delay_ms = i == 2 ? 3600000 : 0,
                                                 .batch = batch.text,
                                                 .batch_callback = own,
                                                 .callback = i == 0 ? other : NULL});
    rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &ids[0], "done", 10000));
    cr_assert(rig_wait_state(&rig, &ids[1], "dead", 10000));
    redis_cmd_init(&cmd);
    queue_batch_cmd(&cmd, "default", &batch, false);
    call(&cmd);
    cr_assert(is_over());
    cr_expect(eq(sz, count_told("batch"), 0), "one of its jobs is to come");
    cancel(&ids[2]);
    cr_assert(WAIT_UNTIL(count_told("batch") == 1, 10000));
    struct http_sink_request r = request(http_sink_count(sink) - 1);
    cr_expect(eq(str, r.path, "/batch?token=hush"));
    cr_expect(is_signed(&r, SECOND));
    (void)snprintf(want, sizeof want,
                   "\"batch\":{\"id\":\"%s\",\"total\":3,\"done\":1,\"dead\":1,"
                   "\"cancelled\":1}}",
                   batch.text);
    cr_expect(has(&r, want));
    cr_expect(eq(ptr, strstr(r.body, "hush"), NULL), "it may be secret");
    struct job_id hook = delivery(&r);
    cr_assert(rig_wait_state(&rig, &hook, "done", 10000));
    cr_expect(is_over());
    cr_expect(eq(sz, count_told("batch"), 1), "once");
    redis_cmd_init(&cmd);
    queue_again_cmd(&cmd, &hook, rig_number(&rig, &hook, "ended"));
    call(&cmd);
    cr_assert(WAIT_UNTIL(count_told("batch") == 2, 10000), "it can be sent again");
    struct http_sink_request again = request(http_sink_count(sink) - 1);
    cr_expect(is_same(&again, &r));
}
