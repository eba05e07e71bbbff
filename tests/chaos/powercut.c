/* The power-cut rig: what it does stands in disk.h, cuts.h and points.h. */
#include "tests/chaos/cuts.h"
#include "tests/chaos/disk.h"
#include "tests/chaos/place.h"
#include "tests/chaos/points.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_BROKEN = 1, STATUS_WRONG = 2, STATUS_SKIPPED = 77, CUTS_MAX = 100000 };

struct powercut {
    struct cuts_options cuts;
    struct points_options points;
    bool with_cuts, with_points, outside, inside;
};

static const char usage_text[] =
    "usage: tests/chaos/powercut [--cuts N] [--seconds S] [--seed X] [--points]\n"
    "         [--store outside|inside|both] [--build DIR] [--keep] [--verbose]\n"
    "\n"
    "Cuts the power of the disk that holds the spool and Redis' append-only file\n"
    "(appendfsync everysec), at random instants under load; brings hoist back on what\n"
    "the disk held, and checks that everything that was accepted arrives, whole and\n"
    "once.  Status 0: it does; 1: not; 77: this machine cannot do it (it takes root,\n"
    "loop devices and ext4).\n"
    "\n"
    "  --cuts N       10\n"
    "  --seconds S    of load before a cut, at most; 1\n"
    "  --seed X       of the instants, the bodies and the clients; 1\n"
    "  --points       instead: one cut behind each system call of an upload\n"
    "  --answered     with --points: only the instant behind the answer\n"
    "  --store WHERE  the objects are outside of that disk, on it, or half of the\n"
    "                 cuts each (both, the default)\n"
    "  --preload LIB  with --points: LD_PRELOAD of the responder\n"
    "  --build DIR    where the programs are\n"
    "  --keep         ledgers and logs stay\n"
    "  --verbose      a line for each point\n";

static bool parse_number(const char *text, double min, double max, double *ret)
{
    char *end;

    errno = 0;
    *ret = strtod(text, &end);
    return errno == 0 && end != text && *end == '\0' && *ret >= min && *ret <= max;
}

static bool take_store(struct powercut *p, const char *where)
{
    p->outside = strcmp(where, "inside") != 0;
    p->inside = strcmp(where, "outside") != 0;
    return strcmp(where, "both") == 0 || !p->inside || !p->outside;
}

static bool take(struct powercut *p, int option, const char *value)
{
    double number = 0;

    switch (option) {
    case 'c':
        p->with_cuts = true;
        if (!parse_number(value, 1, CUTS_MAX, &number))
            return false;
        p->cuts.cuts = (int)number;
        return true;
    case 's':
        return parse_number(value, 0.2, 60, &p->cuts.seconds);
    case 'x':
        p->cuts.seed = p->points.seed = strtoull(value, NULL, 0);
        return true;
    case 'p':
        p->with_points = true;
        return true;
    case 'a':
        p->points.answered_only = true;
        return true;
    case 'w':
        return take_store(p, value);
    case 'l':
        p->points.preload = value;
        return true;
    case 'b':
        p->cuts.build = p->points.build = value;
        return true;
    case 'k':
        p->cuts.keep = true;
        return true;
    case 'v':
        p->points.verbose = true;
        return true;
    default:
        return false;
    }
}

/* False: *ret_status is what to exit with. */
static bool parse(int argc, char **argv, struct powercut *p, int *ret_status)
{
    static const struct option options[] = {{"cuts", required_argument, NULL, 'c'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {"seed", required_argument, NULL, 'x'},
                                            {"points", no_argument, NULL, 'p'},
                                            {"answered", no_argument, NULL, 'a'},
                                            {"store", required_argument, NULL, 'w'},
                                            {"preload", required_argument, NULL, 'l'},
                                            {"build", required_argument, NULL, 'b'},
                                            {"keep", no_argument, NULL, 'k'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (option == 'h') {
            (void)fputs(usage_text, stdout);
            *ret_status = 0;
            return false;
        }
        if (!take(p, option, optarg)) {
            (void)fputs(usage_text, stderr);
            *ret_status = STATUS_WRONG;
            return false;
        }
    }
    *ret_status = STATUS_WRONG;
    return optind == argc;
}

static int skip(const char *why)
{
    printf("powercut: skipped, nothing was checked: %s\n", why);
    return STATUS_SKIPPED;
}

/* The disk must be what disk.h says, or nothing that follows means anything. */
static int probe(void)
{
    struct tmpdir dir;
    struct err e = ERR_INIT;

    tmpdir_make(&dir);
    enum err_code code = disk_probe(dir.path, &e);
    tmpdir_remove(&dir);
    if (code == ERR_REJECT) {
        printf("powercut: a cut here proves nothing: %s\n", e.text);
        return STATUS_WRONG;
    }
    return code == ERR_OK ? 0 : skip(e.text);
}

static bool run_cuts(const struct powercut *p)
{
    struct cuts_sum sum = {0};
    struct cuts_options o = p->cuts;
    bool fine = true;

    for (int inside = 0; fine && inside < 2; inside++) {
        if (!(inside ? p->inside : p->outside))
            continue;
        o.inside = inside;
        o.cuts = p->cuts.cuts;
        if (p->inside && p->outside)
            o.cuts = inside ? p->cuts.cuts / 2 : p->cuts.cuts - p->cuts.cuts / 2;
        if (o.cuts == 0)
            continue;
        printf("powercut: %d cuts, objects %s the disk that is cut, seed %llu\n",
               o.cuts, inside ? "on" : "outside of", (unsigned long long)o.seed);
        fine = cuts_run(&o, &sum);
        o.seed += (uint64_t)o.cuts;
    }
    printf(
        "powercut: %lld cuts, %lld accepted, %lld in flight, %lld forgotten by Redis, "
        "%lld AOFs repaired; "
        "lost %lld, partial %lld, doubles %lld, orphans %lld\n",
        (long long)sum.cuts, (long long)sum.accepted, (long long)sum.unknown,
        (long long)sum.forgotten, (long long)sum.aof_repairs, (long long)sum.lost,
        (long long)sum.partial, (long long)sum.duplicates, (long long)sum.orphans);
    if (fine)
        printf("powercut: none lost; at 95 %% fewer than %.2g of all cuts lose one "
               "(3/%lld)\n",
               3.0 / (double)sum.cuts, (long long)sum.cuts);
    return fine;
}

/* Process 1 of a place has no default for these; all that it started, and the mounts, go with it. */
static void on_end(int signal)
{
    _exit(128 + signal);
}

static int run(bool is_private, void *ctx)
{
    const struct powercut *p = ctx;

    if (!is_private)
        return skip("no mount and process namespaces of its own");
    (void)signal(SIGINT, on_end);
    (void)signal(SIGTERM, on_end);
    int status = probe();
    if (status != 0)
        return status;
    bool fine = true;
    if (p->with_points)
        fine = points_run(&p->points);
    if (fine && (p->with_cuts || !p->with_points))
        fine = run_cuts(p);
    return fine ? 0 : STATUS_BROKEN;
}

int main(int argc, char **argv)
{
    struct powercut p = {.cuts = {.cuts = 10, .seconds = 1, .seed = 1},
                         .points = {.seed = 1},
                         .outside = true,
                         .inside = true};
    struct err e = ERR_INIT;
    int status;

    if (!parse(argc, argv, &p, &status))
        return status;
    if (!p.cuts.build) {
        (void)fputs("powercut: --build says where the programs are\n", stderr);
        return STATUS_WRONG;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* children share it */
    if (disk_check(&e))
        return skip(e.text);
    return place_run(run, &p);
}
