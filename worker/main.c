/* hoist-worker: pops jobs and uploads them.  See worker.h for its life, design section 5 for its options. */
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shared/config.h"
#include "shared/digest.h"
#include "shared/log.h"
#include "shared/spool.h"
#include "worker/queue/reconcile_once.h"
#include "worker/top/top.h"
#include "worker/worker.h"

enum { EXIT_LEFT = 2 /* jobs that could not be dealt with */ };

enum mode {
    MODE_RUN,
    MODE_ONCE, /* until nothing is left to do */
    MODE_CHECK,
    MODE_RECONCILE,
    MODE_DRY_RUN, /* of reconcile */
    MODE_SHOW,
    MODE_TOP,
    MODE_HELP,
    MODE_VERSION,
    MODE_WRONG
};

static enum mode parse_options(int argc, char **argv, const char **ret_path)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'k'},
        {"show-config", no_argument, NULL, 's'},  {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},      {"reconcile", no_argument, NULL, 'r'},
        {"dry-run", no_argument, NULL, 'd'},      {"once", no_argument, NULL, 'o'},
        {"top", no_argument, NULL, 't'},          {NULL, 0, NULL, 0}};
    enum mode mode = MODE_RUN;
    bool dry_run = false;

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'c')
            *ret_path = optarg;
        else if (c == 'k')
            mode = MODE_CHECK;
        else if (c == 's')
            mode = MODE_SHOW;
        else if (c == 'r')
            mode = MODE_RECONCILE;
        else if (c == 'd')
            dry_run = true;
        else if (c == 'o')
            mode = MODE_ONCE;
        else if (c == 't')
            mode = MODE_TOP;
        else if (c == 'h')
            return MODE_HELP;
        else
            return c == 'v' ? MODE_VERSION : MODE_WRONG;
    }
    if (optind != argc || (dry_run && mode != MODE_RECONCILE))
        return MODE_WRONG;
    return dry_run ? MODE_DRY_RUN : mode;
}

static void print_usage(FILE *out)
{
    fputs(
        "usage: hoist-worker [--config FILE] [--check | --show-config | --once | "
        "--top]\n"
        "       hoist-worker [--config FILE] --reconcile [--dry-run]\n"
        "       hoist-worker --help | --version\n"
        "Takes jobs from Redis and uploads their files.  SIGTERM drains.\n"
        "--once works until no job is ready any more, showing how far each is, and "
        "exits:\n0 all done, 2 a job failed (it is tried again later) or died.\n"
        "--top shows queues and workers, anew every two seconds, until q; one picture "
        "where\nits output is no terminal.\n"
        "--reconcile compares the spool with Redis once, repairs, tells each step and "
        "exits:\n0 all is well now, 2 something could not be dealt with.  With "
        "--dry-run it only\ntells what it would do.\n\n",
        out);
}

/* Open what the configuration names and, unless it was only to be checked, work. */
static enum err_code run(const struct config *config, enum mode mode, int *ret_status,
                         struct err *e)
{
    struct spool *spool = NULL;
    struct worker *worker = NULL;
    size_t left = 0;

    if (digest_setup(e) != ERR_OK || spool_open_config(config, &spool, e) != ERR_OK)
        return e->code;
    enum err_code code = worker_check(config, e);
    if (code == ERR_OK && (mode == MODE_RUN || mode == MODE_ONCE))
        code = worker_open(config, spool, mode == MODE_ONCE, &worker, e);
    if (code == ERR_OK && (mode == MODE_RECONCILE || mode == MODE_DRY_RUN))
        code = reconcile_once(config, spool, mode == MODE_DRY_RUN, &left, e);
    *ret_status = left > 0 ? EXIT_LEFT : EXIT_SUCCESS;
    if (worker && !worker_run(worker))
        /* Something hangs: leave without waiting for it. */
        _exit(worker_left_jobs(worker) ? EXIT_FAILURE : EXIT_SUCCESS);
    if (worker && !worker_conclude(worker))
        *ret_status = EXIT_LEFT;
    worker_close(worker);
    spool_close(spool);
    return code;
}

/* Bars on a terminal and lines of the log do not go together: what goes wrong is still told. */
static enum log_level level_of(const struct config *config, enum mode mode)
{
    bool drawn = mode == MODE_ONCE && isatty(STDOUT_FILENO) == 1;

    return drawn && config->worker.log_level < LOG_WARN ? LOG_WARN
                                                        : config->worker.log_level;
}

int main(int argc, char **argv)
{
    const char *path = NULL;
    enum mode mode = parse_options(argc, argv, &path);
    struct config config;
    struct err e = ERR_INIT;
    int status = EXIT_SUCCESS;

    if (mode == MODE_WRONG || mode == MODE_HELP) {
        print_usage(mode == MODE_HELP ? stdout : stderr);
        if (mode == MODE_HELP)
            config_help(stdout);
        return mode == MODE_HELP ? EXIT_SUCCESS : 2;
    }
    if (mode == MODE_VERSION) {
        puts("hoist-worker " HOIST_VERSION);
        return EXIT_SUCCESS;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN); /* until the worker listens for it */
    (void)signal(SIGUSR1,
                 SIG_IGN); /* log rotation sends them to all kinds of daemons */
    (void)signal(SIGUSR2, SIG_IGN);
    (void)setenv("UV_THREADPOOL_SIZE", "8", 0); /* copies that may run at once */
    (void)mallopt(M_ARENA_MAX, 2); /* else each of these threads gets its own */
    config_init(&config);
    enum err_code code = config_load(&config, path, environ, &e);
    if (code == ERR_OK && mode == MODE_SHOW) {
        config_show(&config, stdout);
    } else if (code == ERR_OK && mode == MODE_TOP) {
        code = top_run(&config, &e);
    } else if (code == ERR_OK) {
        log_set_level(level_of(&config, mode));
        code = run(&config, mode, &status, &e);
    }
    if (code != ERR_OK)
        log_error("main", "cannot run", LOG_ERR(&e));
    config_release(&config);
    return code == ERR_OK ? status : EXIT_FAILURE;
}
