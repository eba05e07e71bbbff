/* The verdict on a rig. */
#include "tests/chaos/rig.h"

#include "tests/support/wait_until.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const queues[] = {"default", NULL};

static bool is_settled(struct rig *r, char *ret_text, size_t size)
{
    if (!check_is_quiet(r->redis_url, queues, ret_text, size))
        return false;
    int64_t spooled = rig_spooled(r);
    (void)snprintf(ret_text, size, "%lld jobs in the spool", (long long)spooled);
    return spooled == 0;
}

bool rig_settle(struct rig *r, int deadline_ms, char *ret_text, size_t size)
{
    return WAIT_UNTIL(is_settled(r, ret_text, size), deadline_ms);
}

static void must(enum err_code code, const struct err *e)
{
    if (code == ERR_OK)
        return;
    fprintf(stderr, "rig: it cannot be judged: %s\n", e->text);
    abort();
}

struct check_result rig_judge(struct rig *r, const char *ledger_path, int64_t kills)
{
    struct ledger_record record = LEDGER_RECORD_INIT;
    struct check_result result;
    struct store store;
    struct err e = ERR_INIT;

    must(ledger_read(ledger_path, &record, &e), &e);
    must(store_init(&store, STORE_FILES, r->objects.path, NULL, &e), &e);
    const char *logs[] = {r->log.path, NULL};
    struct check_options o = {
        .ledger = &record,
        .store = &store,
        .spool_dir = r->spool.path,
        .redis_url = r->redis_url,
        .queues = queues,
        .logs = logs,
        /* What a cut leaves of uploads that nobody was promised, and of
                                 files whose removal was under way, is swept after a day. */
        .off = CHECK_OFF(5),
        .kills = kills};
    must(check_run(&o, &result, &e), &e);
    ledger_record_release(&record);
    return result;
}
