#include "tests/torture/sweep.h"

#include "tests/support/wait_until.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 12, PLACES = 1 << 16, CALM_RUNS = 3 };

/* --- Places --- */

static void note_place(struct sweep *s)
{
    uint64_t hash = 14695981039346656037u;

    if (!atomic_load(&s->rig->control->place_filled))
        return;
    for (const char *p = s->rig->control->place; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    hash |= 1; /* 0 is an empty slot */
    size_t i = hash % PLACES;
    while (s->places[i] != 0 && s->places[i] != hash)
        i = (i + 1) % PLACES;
    if (s->places[i] == 0 && s->place_count < PLACES / 2) {
        s->places[i] = hash;
        s->place_count++;
    }
}

/* --- Runs --- */

static void count_bad(struct sweep *s, struct row *row, const struct verdict *v)
{
    row->crashes += v->crashed > 0;
    row->quits += v->quit > 0;
    row->hangs += v->hung > 0;
    row->wrong += v->wrong > 0;
    row->leaks += v->leaked > 0;
    row->known += (size_t)v->known;
    row->dead += (size_t)v->dead;
    row->refused += (size_t)v->refused;
    s->bad += verdict_is_bad(v);
}

/* Everything that the runs of the batch promised. */
static void settle(struct sweep *s, size_t number)
{
    if (s->batch == 0)
        return;
    struct verdict v = scenario_settle(s->rig, &s->ledger);
    for (size_t i = number + 1 - (size_t)s->batch; verdict_is_bad(&v) && i <= number;
         i++) {
        char text[80];
        plan_format(&s->plan.sites[i], text, sizeof text);
        printf("BAD after, or after others before it: --site %s\n", text);
    }
    count_bad(s, &s->rows[TORTURE_CALLS], &v);
    s->batch = 0;
}

static void say_how_to_repeat(const struct sweep *s, const struct site *site)
{
    char text[80];

    plan_format(site, text, sizeof text);
    printf("BAD %s\n  at %s\n  again: tests/torture/run --program %s --kind %s --site "
           "%s\n\n",
           text, s->rig->control->place, program_names[s->o->program], s->o->kind,
           text);
    (void)fflush(stdout);
}

/* What the promise rests on has failed, and every upload was answered 202. */
static bool is_hushed_up(const struct sweep *s, const struct site *site,
                         const struct verdict *v)
{
    bool counts = site->call == TORTURE_FSYNC || site->call == TORTURE_FDATASYNC ||
                  site->call == TORTURE_RENAME;

    return counts && s->o->program == PROGRAM_FCGI && !site->from_start &&
           site->action == TORTURE_ERROR && site->error != EINTR && v->refused == 0 &&
           atomic_load(&s->rig->control->hits) > 0;
}

static void play(struct sweep *s, size_t number)
{
    const struct site *site = &s->plan.sites[number];
    struct row *row = &s->rows[site->call];

    rig_disarm(s->rig);
    plan_order(site, s->rig->control);
    struct run run = {.rig = s->rig,
                      .ledger = &s->ledger,
                      .program = s->o->program,
                      .number = (int)number,
                      .from_start = site->from_start,
                      .may_die = site->action == TORTURE_KILL,
                      .descriptors = s->descriptors};
    struct verdict v = scenario_play(&run);
    if (is_hushed_up(s, site, &v)) {
        printf("  BROKEN: it failed, and nobody was refused\n");
        v.wrong++;
    }
    row->runs++;
    row->sites += atomic_load(&s->rig->control->hits) > 0;
    note_place(s);
    count_bad(s, row, &v);
    if (verdict_is_bad(&v))
        say_how_to_repeat(s, site);
    s->batch++;
    /* A worker's jobs end within its run, unless it was killed: then the next one must not find them. */
    if (s->batch == BATCH || s->o->program != PROGRAM_FCGI)
        settle(s, number);
}

/* --- The plan: how often a run without a failure calls what --- */

static void take_counts(const struct rig *rig, struct plan_counts *most)
{
    for (size_t i = 0; i < TORTURE_CALLS; i++) {
        int64_t seen = atomic_load(&rig->control->seen[i]);
        if (seen > most->seen[i])
            most->seen[i] = seen;
    }
}

static bool count_phase(struct sweep *s, bool from_start)
{
    struct plan_counts most = {{0}};

    for (int i = 0; i < CALM_RUNS; i++) {
        rig_disarm(s->rig);
        struct run run = {.rig = s->rig,
                          .ledger = &s->ledger,
                          .program = s->o->program,
                          .number = -1 - i,
                          .from_start = from_start};
        struct verdict v = scenario_play(&run);
        if (run.ret_descriptors > s->descriptors)
            s->descriptors = run.ret_descriptors;
        take_counts(s->rig, &most);
        struct verdict after = scenario_settle(s->rig, &s->ledger);
        if (verdict_is_bad(&v) || verdict_is_bad(&after)) {
            printf("a run without a failure is bad\n");
            return false;
        }
    }
    for (size_t i = 0; s->o->only && i < TORTURE_CALLS; i++)
        if (strcmp(s->o->only, plan_call_name((enum torture_call)i)) != 0)
            most.seen[i] = 0;
    if (strcmp(s->o->kind, "alloc") == 0)
        plan_add_allocs(&s->plan, &most, from_start);
    else
        plan_add_syscalls(&s->plan, &most, from_start);
    return true;
}

static bool make_plan(struct sweep *s)
{
    static const char *const phases[] = {"start", "run"};

    for (size_t i = 0; i < 2; i++)
        if ((!s->o->phase || strcmp(s->o->phase, phases[i]) == 0) &&
            !count_phase(s, i == 0))
            return false;
    if (s->o->site && !plan_parse(&s->plan, s->o->site))
        return false;
    if (!s->o->all)
        plan_shuffle(&s->plan, s->o->seed);
    if (s->o->from < s->plan.count)
        return true;
    printf("the plan has %zu runs: none from %zu on\n", s->plan.count, s->o->from);
    return false;
}

/* --- The table --- */

static void print_row(const char *name, const struct row *r)
{
    printf("%-14s %6zu %6zu %8zu %6zu %6zu %6zu %6zu %6zu %6zu %8zu\n", name, r->sites,
           r->runs, r->crashes, r->quits, r->hangs, r->wrong, r->leaks, r->known,
           r->dead, r->refused);
}

static void print_table(const struct sweep *s, int64_t ms)
{
    struct row sum = {0};

    printf("\n%-14s %6s %6s %8s %6s %6s %6s %6s %6s %6s %8s\n", "call", "sites", "runs",
           "crashes", "quits", "hangs", "wrong", "leaks", "known", "dead", "refused");
    for (size_t i = 0; i <= TORTURE_CALLS; i++) {
        const struct row *r = &s->rows[i];
        const size_t *from = &r->sites;
        size_t *to = &sum.sites;
        for (size_t k = 0; k < sizeof sum / sizeof sum.sites; k++)
            to[k] += from[k];
        if (r->runs > 0 || r->wrong > 0)
            print_row(plan_call_name((enum torture_call)i), r);
    }
    print_row("all", &sum);
    printf("%s, %s: %zu of %zu sites of the plan (seed %u), %zu places, %zu bad, "
           "%.0f s\n",
           program_names[s->o->program], s->o->kind, sum.runs, s->plan.count,
           s->o->seed, s->place_count, s->bad, (double)ms / 1000);
}

int sweep_run(struct rig *rig, const struct sweep_options *o)
{
    struct sweep *s = calloc(1, sizeof *s);
    int64_t begin_ms = wait_now_ms(), end_ms = begin_ms + 1000 * (int64_t)o->seconds;

    if (!s || !(s->places = calloc(PLACES, sizeof *s->places)))
        abort();
    s->rig = rig;
    s->o = o;
    int bad = -1;
    if (make_plan(s)) {
        size_t end = o->runs > 0 && o->runs < s->plan.count - o->from
                         ? o->from + o->runs
                         : s->plan.count;
        size_t i = o->from;
        printf("%s, %s: %zu sites in the plan\n", program_names[o->program], o->kind,
               s->plan.count);
        do /* one at least: a table of nothing would break no rule */
            play(s, i++);
        while (i < end && (o->seconds == 0 || wait_now_ms() < end_ms));
        settle(s, i - 1);
        print_table(s, wait_now_ms() - begin_ms);
        bad = (int)s->bad;
    }
    plan_release(&s->plan);
    free(s->places);
    free(s);
    return bad;
}
