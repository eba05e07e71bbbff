#include "tests/chaos/options.h"

#include "tests/chaos/faults.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const stores[] = {
    [OPTIONS_S3] = "s3", [OPTIONS_SINK] = "sink", [OPTIONS_FILE] = "file"};

const char *options_store_name(enum options_store store)
{
    return stores[store];
}

static void print_help(void)
{
    puts("usage: tests/chaos/run [OPTION]...\n\n"
         "A whole hoist in a directory of its own: uploads, faults, and a verdict.  "
         "Status\n"
         "0: every promise was kept; 1: one was not; 2: wrong usage.\n\n"
         "  --seconds S    the storm lasts at least so long (60)\n"
         "  --jobs N       and until so many uploads were accepted (3000)\n"
         "  --kills N      and until so many programs were killed with SIGKILL (60)\n"
         "  --limit S      fail when that is not so after S seconds (10 times "
         "--seconds)\n"
         "  --seed X       the same seed, the same faults, uploads and clients (the "
         "time)\n"
         "  --rate R       faults a second, 12 seconds of each 15 (4)\n"
         "  --faults LIST  of those below, with commas; all; all,-clock: but that one "
         "(all)\n"
         "  --store WHICH  s3 (s3rver), sink (nginx with PUT, for long runs), file "
         "(s3)\n"
         "  --workers N    1 to 8 (3)\n"
         "  --clients N    uploads at the same time (8)\n"
         "  --lease MS     lease of a job (3000)\n"
         "  --build DIR    where the programs are; without it they are built (run, not "
         "chaos)\n"
         "  --spotless     no client that breaks off, and every upload must be "
         "accepted\n"
         "  --plan         only print the faults: time in ms, fault, target, how long "
         "in ms\n"
         "  --keep         keep the directory of a run that went well, too\n"
         "  --help         this\n\nfaults:");
    for (size_t i = 0; i < FAULTS_COUNT; i++)
        printf("  %-16s %s\n", faults_name(i), faults_what(i));
}

static bool parse_number(const char *name, const char *text, double least, double most,
                         double *ret)
{
    char *end;

    errno = 0;
    double value = strtod(text, &end);
    if (errno == 0 && end != text && *end == '\0' && value >= least && value <= most) {
        *ret = value;
        return true;
    }
    fprintf(stderr, "chaos: --%s: a number from %.10g to %.10g is wanted\n", name,
            least, most);
    return false;
}

static bool parse_seed(const char *text, uint64_t *ret)
{
    char *end;

    errno = 0;
    *ret = strtoull(text, &end, 0);
    if (errno == 0 && end != text && *end == '\0')
        return true;
    fprintf(stderr, "chaos: --seed: a number is wanted\n");
    return false;
}

static bool parse_store(const char *text, enum options_store *ret)
{
    for (size_t i = 0; i < sizeof stores / sizeof stores[0]; i++)
        if (strcmp(text, stores[i]) == 0) {
            *ret = (enum options_store)i;
            return true;
        }
    fprintf(stderr, "chaos: --store: one of s3, sink, file is wanted\n");
    return false;
}

enum {
    OPTION_SECONDS = 256,
    OPTION_JOBS,
    OPTION_KILLS,
    OPTION_LIMIT,
    OPTION_RATE,
    OPTION_WORKERS,
    OPTION_CLIENTS,
    OPTION_LEASE,
    OPTION_NUMBERS, /* those above take a number */
    OPTION_SEED,
    OPTION_FAULTS,
    OPTION_STORE,
    OPTION_BUILD,
    OPTION_KEEP,
    OPTION_PLAN,
    OPTION_SPOTLESS,
    OPTION_HELP
};

static const struct option names[] = {
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"jobs", required_argument, NULL, OPTION_JOBS},
    {"kills", required_argument, NULL, OPTION_KILLS},
    {"limit", required_argument, NULL, OPTION_LIMIT},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"workers", required_argument, NULL, OPTION_WORKERS},
    {"clients", required_argument, NULL, OPTION_CLIENTS},
    {"lease", required_argument, NULL, OPTION_LEASE},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"faults", required_argument, NULL, OPTION_FAULTS},
    {"store", required_argument, NULL, OPTION_STORE},
    {"build", required_argument, NULL, OPTION_BUILD},
    {"spotless", no_argument, NULL, OPTION_SPOTLESS},
    {"plan", no_argument, NULL, OPTION_PLAN},
    {"keep", no_argument, NULL, OPTION_KEEP},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static const struct {
    double least, most;
} ranges[] = {[0] = {1, 86400},
              [OPTION_JOBS - OPTION_SECONDS] = {1, 4000000},
              [OPTION_KILLS - OPTION_SECONDS] = {0, 1000000},
              [OPTION_LIMIT - OPTION_SECONDS] = {1, 864000},
              [OPTION_RATE - OPTION_SECONDS] = {0.01, 100},
              [OPTION_WORKERS - OPTION_SECONDS] = {1, OPTIONS_WORKERS_MAX},
              [OPTION_CLIENTS - OPTION_SECONDS] = {1, 64},
              [OPTION_LEASE - OPTION_SECONDS] = {1000, 60000}};

static void take_number(struct options *o, int option, double value)
{
    int *const ints[] = {[0] = &o->seconds,
                         [OPTION_JOBS - OPTION_SECONDS] = &o->jobs,
                         [OPTION_KILLS - OPTION_SECONDS] = &o->kills,
                         [OPTION_LIMIT - OPTION_SECONDS] = &o->limit_seconds,
                         [OPTION_RATE - OPTION_SECONDS] = NULL,
                         [OPTION_WORKERS - OPTION_SECONDS] = &o->workers,
                         [OPTION_CLIENTS - OPTION_SECONDS] = &o->clients,
                         [OPTION_LEASE - OPTION_SECONDS] = NULL};

    if (option == OPTION_RATE)
        o->rate = value;
    else if (option == OPTION_LEASE)
        o->lease_ms = (int64_t)value;
    else
        *ints[option - OPTION_SECONDS] = (int)value;
}

static bool take_word(struct options *o, int option, const char *text)
{
    switch (option) {
    case OPTION_SEED:
        return parse_seed(text, &o->seed);
    case OPTION_FAULTS:
        o->faults = text;
        return faults_are_known(text);
    case OPTION_STORE:
        return parse_store(text, &o->store);
    case OPTION_BUILD:
        o->build = text;
        return true;
    case OPTION_KEEP:
        o->keep = true;
        return true;
    case OPTION_SPOTLESS:
        o->spotless = true;
        return true;
    case OPTION_PLAN:
        o->plan = true;
        return true;
    default:
        return false; /* getopt has said what was wrong */
    }
}

bool options_parse(int argc, char **argv, struct options *ret, int *ret_status)
{
    struct options o = {.seconds = 60,
                        .jobs = 3000,
                        .kills = 60,
                        .rate = 4,
                        .seed = (uint64_t)time(NULL),
                        .faults = "all",
                        .store = OPTIONS_S3,
                        .workers = 3,
                        .clients = 8,
                        .lease_ms = 3000,
                        .build = HOIST_BUILD_DIR};
    double value;
    int option, at = 0;

    *ret_status = 2;
    while ((option = getopt_long(argc, argv, "", names, &at)) != -1) {
        if (option == OPTION_HELP) {
            print_help();
            *ret_status = 0;
            return false;
        }
        if (option >= OPTION_SECONDS && option < OPTION_NUMBERS) {
            size_t i = (size_t)(option - OPTION_SECONDS);
            if (!parse_number(names[at].name, optarg, ranges[i].least, ranges[i].most,
                              &value))
                return false;
            take_number(&o, option, value);
        } else if (!take_word(&o, option, optarg)) {
            return false;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "chaos: unexpected argument: %s\n", argv[optind]);
        return false;
    }
    if (o.limit_seconds == 0)
        o.limit_seconds = o.seconds * 10;
    *ret = o;
    return true;
}
