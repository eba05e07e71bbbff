#include "tests/chaos/faults_internal.h"

#include "tests/support/wait_until.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ACTIVE_MAX = 128, AGAIN_MS = 100, SAVE_MS = 4000, HEAL_MS = 30000 };

struct faults {
    struct system *system;
    struct faults_hooks hooks;
    FILE *jsonl;
    struct schedule schedule;
    struct schedule_event next;
    struct fault active[ACTIVE_MAX]; /* begun, not ended */
    size_t active_count;
    int64_t saved_ms; /* when Redis was told to dump itself */
    struct {
        int64_t begun, skipped;
    } counts[FAULTS_COUNT];
    struct schedule_kind kinds[FAULTS_COUNT];
};

const char *faults_name(size_t kind)
{
    return fault_rows[kind].name;
}

const char *faults_what(size_t kind)
{
    return fault_rows[kind].what;
}

/* --- What can be drawn --- */

/* Whether a word of the list is this name; the next word in *list. */
static bool take_word(const char **list, char *ret, size_t size)
{
    size_t n = strcspn(*list, ",");

    if (**list == '\0' || n >= size)
        return false;
    memcpy(ret, *list, n);
    ret[n] = '\0';
    *list += n + ((*list)[n] == ',');
    return true;
}

bool faults_are_known(const char *list)
{
    char word[32];

    while (take_word(&list, word, sizeof word)) {
        const char *name = word + (word[0] == '-');
        bool known = strcmp(word, "all") == 0;
        for (size_t i = 0; i < FAULTS_COUNT && !known; i++)
            known = strcmp(name, fault_rows[i].name) == 0;
        if (!known) {
            fprintf(stderr, "chaos: --faults: there is no %s; --help lists them\n",
                    name);
            return false;
        }
    }
    return *list == '\0';
}

static bool is_wanted(const char *list, const char *name)
{
    char word[32];
    bool wanted = false;

    while (take_word(&list, word, sizeof word)) {
        if (strcmp(word, "all") == 0 || strcmp(word, name) == 0)
            wanted = true;
        else if (word[0] == '-' && strcmp(word + 1, name) == 0)
            wanted = false;
    }
    return wanted;
}

static bool is_possible(const struct fault_row *row, const struct options *o,
                        bool is_private)
{
    return (!row->private_only || is_private) &&
           (!row->store_proxy || o->store != OPTIONS_FILE) &&
           (!row->s3_only || o->store == OPTIONS_S3);
}

static size_t make_kinds(const struct options *o, bool is_private,
                         struct schedule_kind kinds[FAULTS_COUNT])
{
    size_t possible = 0;

    for (size_t i = 0; i < FAULTS_COUNT; i++) {
        const struct fault_row *row = &fault_rows[i];
        int leases_ms = row->leases * (int)o->lease_ms / 100;
        bool drawn = is_wanted(o->faults, row->name) && is_possible(row, o, is_private);
        unsigned targets = row->targets == TARGET_WORKERS      ? (unsigned)o->workers
                           : row->targets == TARGET_RESPONDERS ? SYSTEM_RESPONDERS
                                                               : 1;
        kinds[i] = (struct schedule_kind){.weight = drawn ? row->weight : 0,
                                          .targets = targets,
                                          .least_ms = row->least_ms + leases_ms,
                                          .most_ms = row->most_ms + leases_ms};
        possible += drawn;
    }
    return possible;
}

static void start_schedule(struct schedule *s, const struct options *o, bool is_private,
                           struct schedule_kind kinds[FAULTS_COUNT])
{
    if (make_kinds(o, is_private, kinds) == 0) {
        fprintf(stderr, "chaos: none of these faults can be done here: %s\n",
                o->faults);
        exit(2);
    }
    schedule_init(s, o->seed, o->rate, kinds, FAULTS_COUNT);
}

void faults_print_plan(const struct options *o, bool is_private, FILE *to)
{
    struct schedule_kind kinds[FAULTS_COUNT];
    struct schedule s;
    struct schedule_event e;

    start_schedule(&s, o, is_private, kinds);
    while ((e = schedule_next(&s)).at_ms < (int64_t)o->seconds * 1000)
        fprintf(to, "%7" PRId64 " %-16s %u %d\n", e.at_ms, fault_rows[e.kind].name,
                e.target, e.lasts_ms);
}

/* --- Beginning and ending --- */

static void write_down(struct faults *f, int64_t now_ms, const struct fault *fault,
                       const char *what)
{
    fprintf(f->jsonl,
            "{\"ms\":%" PRId64 ",\"planned_ms\":%" PRId64
            ",\"fault\":\"%s\",\"target\":\"%s\",\"lasts_ms\":%d,\"what\":\"%s\"}\n",
            now_ms, fault->event.at_ms, fault->row->name, fault->target,
            fault->event.lasts_ms, what);
    if (fflush(f->jsonl) != 0) {
        perror("chaos: faults.jsonl");
        abort();
    }
}

static void goes_back(struct faults *f, const struct fault_row *row)
{
    if (row->back)
        f->hooks.redis_goes_back(f->hooks.ctx);
}

static void begin(struct faults *f, const struct schedule_event *e, int64_t now_ms)
{
    const struct fault_row *row = &fault_rows[e->kind];
    struct fault fault = {.row = row, .event = *e, .until_ms = now_ms + e->lasts_ms};

    goes_back(f, row);
    bool begun = f->active_count < ACTIVE_MAX && row->begin(f->system, &fault);
    goes_back(f, row);
    f->counts[e->kind].begun += begun;
    f->counts[e->kind].skipped += !begun;
    write_down(f, now_ms, &fault, begun ? "begun" : "skipped");
    if (begun && row->end)
        f->active[f->active_count++] = fault;
}

/* What cannot be ended now stays in the list. */
static void end_due(struct faults *f, int64_t now_ms)
{
    size_t kept = 0;

    for (size_t i = 0; i < f->active_count; i++) {
        struct fault fault = f->active[i];
        if (now_ms >= fault.until_ms && fault.row->end(f->system, &fault)) {
            write_down(f, now_ms, &fault, "ended");
            continue;
        }
        if (now_ms >= fault.until_ms)
            fault.until_ms = now_ms + AGAIN_MS;
        f->active[kept++] = fault;
    }
    f->active_count = kept;
}

struct faults *faults_open(struct system *s, const char *jsonl,
                           const struct faults_hooks *hooks)
{
    struct faults *f = calloc(1, sizeof *f);

    if (!f || !(f->jsonl = fopen(jsonl, "we"))) {
        perror("chaos: faults.jsonl");
        abort();
    }
    f->system = s;
    f->hooks = *hooks;
    start_schedule(&f->schedule, s->options, s->is_private, f->kinds);
    f->next = schedule_next(&f->schedule);
    fault_save_redis(s);
    return f;
}

void faults_tick(struct faults *f, int64_t now_ms, bool may_begin)
{
    end_due(f, now_ms);
    /* One a call: between two of them the programs are looked after. */
    if (may_begin && now_ms >= f->next.at_ms) {
        begin(f, &f->next, now_ms);
        f->next = schedule_next(&f->schedule);
    }
    if (now_ms - f->saved_ms >= SAVE_MS) {
        fault_save_redis(f->system);
        f->saved_ms = now_ms;
    }
}

void faults_heal(struct faults *f)
{
    int64_t end_ms = wait_now_ms() + HEAL_MS;

    for (size_t i = 0; i < f->active_count; i++)
        f->active[i].until_ms = 0;
    while (f->active_count > 0 && wait_now_ms() < end_ms) {
        end_due(f, INT64_MAX - AGAIN_MS);
        for (size_t i = 0; i < f->active_count; i++)
            f->active[i].until_ms = 0;
        system_tick(f->system);
        wait_a_moment();
    }
    for (size_t i = 0; i < f->active_count; i++)
        fprintf(stderr, "chaos: %s of %s cannot be ended\n", f->active[i].row->name,
                f->active[i].target);
}

void faults_print(const struct faults *f, FILE *to)
{
    int column = 0;

    fputs("faults, how often (skipped: the target was down)\n", to);
    for (size_t i = 0; i < FAULTS_COUNT; i++) {
        if (f->counts[i].begun + f->counts[i].skipped == 0)
            continue;
        int n =
            fprintf(to, "  %-15s %4" PRId64, fault_rows[i].name, f->counts[i].begun);
        if (f->counts[i].skipped)
            n += fprintf(to, " (%" PRId64 ")", f->counts[i].skipped);
        column = (column + 1) % 3;
        fprintf(to, "%*s", column ? 30 - n : 1, column ? "" : "\n");
    }
    fputs(column ? "\n" : "", to);
}

int64_t faults_begun(const struct faults *f)
{
    int64_t n = 0;

    for (size_t i = 0; i < FAULTS_COUNT; i++)
        n += f->counts[i].begun;
    return n;
}

void faults_close(struct faults *f)
{
    if (!f)
        return;
    (void)fclose(f->jsonl); /* flushed after each line */
    free(f);
}
