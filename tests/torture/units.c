#include "tests/torture/units.h"
#include "tests/torture/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MOST = 100000, IN_A_ROW = 4, WARM = 2, SHOWN = 3 };

static struct torture_control *control;
static char want[UNIT_TEXT]; /* of the case at hand, without a failure */

/* --- Behind the preload --- */

/* The first time: make the page, and become the same program again with the preload before it. */
static _Noreturn void start_again(char **argv)
{
    char path[] = "/tmp/hoist.units.XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);

    if (fd < 0 || ftruncate(fd, sizeof(struct torture_control)) < 0 || close(fd) < 0 ||
        setenv(TORTURE_VARIABLE, path, 1) < 0 ||
        setenv("LD_PRELOAD", HOIST_PRELOAD, 1) < 0 ||
        setenv("ASAN_OPTIONS",
               "verify_asan_link_order=0:abort_on_error=1:detect_leaks=1:"
               "allocator_may_return_null=1",
               1) < 0 ||
        execv("/proc/self/exe", argv) < 0) {
        perror("torture_units");
    }
    exit(EXIT_FAILURE);
}

static void map_control(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    control =
        fd < 0 ? MAP_FAILED
               : mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (control == MAP_FAILED) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    (void)close(fd);
    (void)unlink(path);
}

struct outcome {
    enum unit_end end;
    int64_t allocations, hits, left; /* left: not freed in the end */
};

/* Fail the n-th allocation and many - 1 after it; n 0: none. */
static struct outcome run(const struct unit_case *c, int64_t n, int64_t many, char *ret)
{
    struct outcome o;

    memset(ret, 0, UNIT_TEXT);
    control->calls = UINT64_C(1) << TORTURE_ALLOC;
    control->action = TORTURE_ERROR;
    control->error = ENOMEM;
    control->n = n;
    control->many = n ? many : 0;
    atomic_store(&control->seen[TORTURE_ALLOC], 0);
    atomic_store(&control->matched, 0);
    atomic_store(&control->hits, 0);
    atomic_store(&control->place_taken, 0);
    int64_t before = atomic_load(&control->live);
    atomic_store(&control->armed, 1);
    o.end = c->run(ret);
    atomic_store(&control->armed, 0);
    o.left = atomic_load(&control->live) - before;
    o.allocations = atomic_load(&control->seen[TORTURE_ALLOC]);
    o.hits = atomic_load(&control->hits);
    return o;
}

struct sums {
    int64_t sites, runs, refused, bad;
};

static void judge(const struct unit_case *c, int64_t n, const struct outcome *o,
                  const char *text, struct sums *s)
{
    const char *what = o->end == UNIT_BLAMED ? "blames its input"
                       : o->end == UNIT_DONE && strcmp(text, want) != 0
                           ? "says it went well, and it did not"
                       : o->left > 0 ? "leaks"
                                     : NULL;

    s->runs++;
    s->refused += o->end == UNIT_REFUSED;
    if (!what)
        return;
    if (++s->bad > SHOWN)
        return;
    printf("BROKEN: %s, allocation %lld: %s: %s\n  at %s\n", c->name, (long long)n,
           what, text, control->place);
}

static void torture(const struct unit_case *c, struct sums *all)
{
    static char got[UNIT_TEXT];
    struct sums s = {0, 0, 0, 0};
    struct outcome clean = {UNIT_DONE, 0, 0, 0};

    for (int i = 0; i < WARM; i++) /* what a library keeps for later is kept now */
        clean = run(c, 0, 0, want);
    if (clean.end != UNIT_DONE || clean.left > 0) {
        printf("BROKEN: %s does not work even without a failure (%lld left): %s\n",
               c->name, (long long)clean.left, want);
        s.bad++;
    }
    for (int64_t many = 1; many <= IN_A_ROW; many += IN_A_ROW - 1) {
        for (int64_t n = 1; n <= MOST; n++) {
            struct outcome o = run(c, n, many, got);
            if (o.hits == 0)
                break;
            s.sites += many == 1;
            if (o.left > 0) /* what stays is a leak where it comes again */
                o = run(c, n, many, got);
            if (clean.left <
                0) /* under ASan strdup is not counted; it looks for leaks itself */
                o.left = 0;
            judge(c, n, &o, got, &s);
        }
    }
    printf("%-28s %6lld %6lld %8lld %6lld\n", c->name, (long long)s.sites,
           (long long)s.runs, (long long)s.refused, (long long)s.bad);
    all->sites += s.sites;
    all->runs += s.runs;
    all->refused += s.refused;
    all->bad += s.bad;
}

int main(int argc, char **argv)
{
    static const struct unit_case *const groups[] = {units_of_shared,
                                                     units_of_programs};
    const char *path = getenv(TORTURE_VARIABLE);
    struct sums all = {0, 0, 0, 0};

    (void)argc;
    if (!path)
        start_again(argv);
    map_control(path);
    printf("%-28s %6s %6s %8s %6s\n", "unit", "sites", "runs", "refused", "bad");
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++)
        for (const struct unit_case *c = groups[g]; c->name; c++)
            torture(c, &all);
    printf("%-28s %6lld %6lld %8lld %6lld\n", "all", (long long)all.sites,
           (long long)all.runs, (long long)all.refused, (long long)all.bad);
    /* A preload that fails nothing would find nothing. */
    return all.bad == 0 && all.sites > 100 ? EXIT_SUCCESS : EXIT_FAILURE;
}
