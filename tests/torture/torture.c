/*
 * torture: make every call of hoist-fcgi and hoist-worker fail, one at a time.  tests/torture/run --help says how to call
 * it; README.md what it looks for.
 *
 *     rig.h        Redis, spool, objects, the program with the preload before it
 *     scenario.h   one run          ledger.h   what was promised in it, and whether it is kept
 *     plan.h       which runs there are          sweep.h   all of them, and the table
 *     trouble.h    runs of another kind: descriptors used up, signals, nobody reads the log
 */
#include "tests/torture/plan.h"
#include "tests/torture/sweep.h"
#include "tests/torture/trouble.h"

#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int number(const char *text)
{
    char *end = NULL;
    long n = strtol(text, &end, 10);

    if (end == text || *end != '\0' || n < 0 || n > 1000000000) {
        fprintf(stderr, "torture: not a number: %s\n", text);
        exit(2);
    }
    return (int)n;
}

static enum program program(const char *name)
{
    for (int i = 0; i < PROGRAMS; i++)
        if (strcmp(program_names[i], name) == 0)
            return (enum program)i;
    fprintf(stderr, "torture: no program '%s': fcgi, worker, worker-s3\n", name);
    exit(2);
}

static bool is_one_of(const char *const *words, const char *text)
{
    while (*words && strcmp(*words, text) != 0)
        words++;
    return *words != NULL;
}

static bool is_call(const char *text)
{
    for (int i = 0; i < TORTURE_CALLS; i++)
        if (strcmp(plan_call_name((enum torture_call)i), text) == 0)
            return true;
    return false;
}

/* A word that is misspelt would be a run of nothing, which breaks no rule. */
static void check(const struct sweep_options *o)
{
    static const char *const kinds[] = {"syscall", "alloc",  "fd",
                                        "signal",  "strace", NULL};
    static const char *const phases[] = {"start", "run", NULL};
    struct plan plan = {.count = 0};

    if (!is_one_of(kinds, o->kind))
        fprintf(stderr, "torture: no kind '%s'\n", o->kind);
    else if (o->phase && !is_one_of(phases, o->phase))
        fprintf(stderr, "torture: no phase '%s': start, run\n", o->phase);
    else if (o->only && !is_call(o->only))
        fprintf(stderr, "torture: no call '%s'\n", o->only);
    else if (!o->site || plan_parse(&plan, o->site)) {
        plan_release(&plan);
        return;
    }
    exit(2);
}

static struct sweep_options parse(int argc, char **argv)
{
    static const struct option options[] = {{"program", required_argument, NULL, 'p'},
                                            {"kind", required_argument, NULL, 'k'},
                                            {"from", required_argument, NULL, 'f'},
                                            {"all", no_argument, NULL, 'a'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"runs", required_argument, NULL, 'r'},
                                            {"seconds", required_argument, NULL, 't'},
                                            {"only", required_argument, NULL, 'o'},
                                            {"site", required_argument, NULL, 'x'},
                                            {"phase", required_argument, NULL, 'w'},
                                            {NULL, 0, NULL, 0}};
    struct sweep_options o = {.program = PROGRAM_FCGI, .kind = "syscall", .seed = 1};

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'p')
            o.program = program(optarg);
        else if (c == 'k')
            o.kind = optarg;
        else if (c == 'f')
            o.from = (size_t)number(optarg);
        else if (c == 'a')
            o.all = true;
        else if (c == 's')
            o.seed = (unsigned)number(optarg);
        else if (c == 'r')
            o.runs = (size_t)number(optarg);
        else if (c == 't')
            o.seconds = number(optarg);
        else if (c == 'o')
            o.only = optarg;
        else if (c == 'x')
            o.site = optarg;
        else if (c == 'w')
            o.phase = optarg;
        else
            exit(2);
    }
    if (optind != argc) {
        fprintf(stderr, "torture: unexpected: %s\n", argv[optind]);
        exit(2);
    }
    check(&o);
    return o;
}

int main(int argc, char **argv)
{
    struct sweep_options o = parse(argc, argv);
    struct rig rig = {
        .fcgi = HOIST_FCGI_BIN, .worker = HOIST_WORKER_BIN, .preload = HOIST_PRELOAD};
    int bad;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    rig_up(&rig);
    if (strcmp(o.kind, "syscall") == 0 || strcmp(o.kind, "alloc") == 0)
        bad = sweep_run(&rig, &o);
    else
        bad = trouble_run(&rig, &o);
    rig_down(&rig);
    return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
