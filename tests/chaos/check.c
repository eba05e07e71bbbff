#include "tests/chaos/check.h"

#include <stdio.h>
#include <string.h>

#include "shared/cleanup.h"
#include "tests/chaos/check_internal.h"
#include "tests/chaos/scan.h"
#include "tests/chaos/tree.h"

bool check_wants(struct check *c, int invariant)
{
    bool wanted = !(c->o->off & CHECK_OFF(invariant));

    if (wanted)
        c->r->invariants[invariant].checked = true;
    return wanted;
}

void check_offend(struct check *c, int invariant, const char *fmt, ...)
{
    struct check_finding *f = &c->r->invariants[invariant];
    char text[CHECK_OFFENDER_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap); /* cut where it is too long */
    va_end(ap);
    if (!f->checked)
        return;
    if (f->violations < CHECK_OFFENDERS)
        memcpy(f->offenders[f->violations], text, sizeof text);
    f->violations++;
}

/* What was counted while the run was on: so many, of which some have a name. */
static void take_over(struct check *c, int invariant, int64_t count,
                      const char *examples, size_t stride, size_t most)
{
    for (int64_t i = 0; i < count; i++) {
        const char *text = (size_t)i < most ? examples + (size_t)i * stride : "";
        check_offend(c, invariant, "%.190s", text);
        if (i >= CHECK_OFFENDERS) {
            c->r->invariants[invariant].violations += count - i - 1;
            return;
        }
    }
}

static void check_watched(struct check *c)
{
    const struct watch_counts *w = c->o->watched;
    const struct poller_counts *p = c->o->polled;

    if (w && w->events > 0 && check_wants(c, 8))
        take_over(c, 8, w->out_of_turn, w->turn_examples[0], WATCH_EXAMPLE_MAX,
                  WATCH_EXAMPLES);
    if (w && w->looks > 0 && check_wants(c, 10))
        take_over(c, 10, w->unbalanced, w->balance_examples[0], WATCH_EXAMPLE_MAX,
                  WATCH_EXAMPLES);
    if (p && p->done > 0 && check_wants(c, 9))
        take_over(c, 9, p->untrue + p->backwards, p->examples[0], POLLER_EXAMPLE_MAX,
                  POLLER_EXAMPLES);
}

static void check_parts(struct check *c)
{
    if (check_wants(c, 7) && c->walked.open_parts > 0)
        check_offend(c, 7, "%lld uploads in parts are open, as %s",
                     (long long)c->walked.open_parts, c->walked.open_part);
}

void check_found_secret(void *ctx, const char *path, const char *needle, int64_t at)
{
    (void)needle; /* not to be printed again */
    check_offend(ctx, 12, "%.150s: byte %lld", path, (long long)at);
}

static enum err_code check_secrets(struct check *c, struct err *e)
{
    const struct check_options *o = c->o;

    if (!o->secrets || (!o->logs && !o->redis_url) || !check_wants(c, 12))
        return ERR_OK;
    if (o->logs && scan_files(o->logs, o->secrets, check_found_secret, c, e) != ERR_OK)
        return e->code;
    return o->redis_url ? check_dump(c, e) : ERR_OK;
}

static void check_processes(struct check *c)
{
    const struct check_options *o = c->o;
    char text[CHECK_OFFENDER_MAX];

    if (!o->before || !o->after || o->process_count == 0 || !check_wants(c, 13))
        return;
    for (size_t i = 0; i < o->process_count && i < PROCS_MAX; i++) {
        const struct procs_sample *before = NULL;
        for (size_t k = 0; k < o->process_count && k < PROCS_MAX; k++)
            if (strcmp(o->before[k].name, o->after[i].name) == 0)
                before = &o->before[k];
        if (!before)
            check_offend(c, 13, "%s: no sample after the warm-up", o->after[i].name);
        else if (!procs_is_settled(before, &o->after[i], &o->slack, text, sizeof text))
            check_offend(c, 13, "%s", text);
    }
}

/* --- I14 --- */

static void found_report(void *ctx, const char *path, const char *needle, int64_t at)
{
    check_offend(ctx, 14, "%.120s: byte %lld: %s", path, (long long)at, needle);
}

static bool see_core(void *ctx, const struct tree_file *f)
{
    if (strcmp(f->name, "core") == 0 || strncmp(f->name, "core.", 5) == 0)
        check_offend(ctx, 14, "%.150s", f->path);
    return true;
}

static enum err_code check_crashes(struct check *c, struct err *e)
{
    static const char *const reports[] = {"AddressSanitizer",
                                          "LeakSanitizer",
                                          "ThreadSanitizer",
                                          "UndefinedBehaviorSanitizer",
                                          "runtime error:",
                                          ": Assertion `",
                                          "*** stack smashing detected ***",
                                          "*** buffer overflow detected ***",
                                          "double free or corruption",
                                          "malloc(): ",
                                          "free(): invalid",
                                          "corrupted size vs. prev_size",
                                          NULL};
    const struct check_options *o = c->o;

    if ((!o->logs && !o->cores && !o->crash) || !check_wants(c, 14))
        return ERR_OK;
    if (o->crashes > 0)
        check_offend(c, 14, "%lld crashes, the first: %.120s", (long long)o->crashes,
                     o->crash ? o->crash : "");
    if (o->logs && scan_files(o->logs, reports, found_report, c, e) != ERR_OK)
        return e->code;
    return o->cores ? tree_walk(o->cores, see_core, c, e) : ERR_OK;
}

/* --- all --- */

static enum err_code check_all(struct check *c, struct err *e)
{
    /* Objects mark I1 to I4 and the slow ones of I6. */
    if (c->o->settle_ms > 0)
        (void)check_wants(c, 6);
    if (check_load_dead(c, e) != ERR_OK || check_objects(c, e) != ERR_OK ||
        check_spool(c, e) != ERR_OK)
        return e->code;
    check_parts(c);
    if (c->o->redis_url && check_queues(c, e) != ERR_OK)
        return e->code;
    check_watched(c);
    check_processes(c);
    if (check_secrets(c, e) != ERR_OK)
        return e->code;
    return check_crashes(c, e);
}

enum err_code check_run(const struct check_options *o, struct check_result *ret,
                        struct err *e)
{
    struct check_result r = {.accepted = o->ledger->accepted,
                             .unknown = o->ledger->unknown,
                             .refused = o->ledger->refused,
                             .broken = o->ledger->broken,
                             .kills = o->kills};
    struct check c = {.o = o, .r = &r};

    enum err_code code = check_all(&c, e);
    map_release(&c.dead);
    if (code == ERR_OK)
        *ret = r;
    return code;
}

bool check_passed(const struct check_result *r)
{
    for (int i = 1; i <= CHECK_INVARIANTS; i++)
        if (r->invariants[i].violations > 0)
            return false;
    return r->accepted > 0;
}
