/*
 * spawn: a child process that does not outlive its test.
 *
 *     struct spawn s;
 *     spawn_start(&s, &(struct spawn_options){.argv = (const char *[]){"hoist-worker", "--version", NULL},
 *                                             .log_path = log.path});
 *     int status;
 *     if (!spawn_wait(&s, 2000, &status)) ...
 *     spawn_stop(&s, 5000);
 *
 * The child gets SIGKILL when the test's process dies, however that comes about.  Its standard input is /dev/null
 * unless given, standard output and error go to the log, every other descriptor must be CLOEXEC.  Signals are at
 * their defaults in it.  A failure to start aborts the test with a message.  One thread at a time.
 */
#ifndef HOIST_TESTS_SUPPORT_SPAWN_H
#define HOIST_TESTS_SUPPORT_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

struct spawn_options {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
    /* "NAME=value" laid over the environment, NULL-terminated; may be NULL. */
    const char *const *env;
    const char *dir;      /* working directory; NULL: the test's own */
    const char *log_path; /* appended to; NULL: the test's standard error */
    int stdin_fd;         /* becomes descriptor 0; 0 (as unset) and -1: /dev/null */
};

struct spawn {
    pid_t pid;  /* 0: not running, and waited for */
    int status; /* as of waitpid, once ended */
    char log_path[256];
};

/* Returns when the program runs (exec succeeded). */
void spawn_start(struct spawn *s, const struct spawn_options *o);
/* Wait for its end; false when it still runs after so many ms.  ret_status may be NULL. */
bool spawn_wait(struct spawn *s, int deadline_ms, int *ret_status);
bool spawn_is_running(struct spawn *s);

/* Send a signal; nothing when it has ended. */
void spawn_signal(struct spawn *s, int signal);
/* SIGSTOP, and wait until it has stopped; SIGCONT. */
void spawn_pause(struct spawn *s);
void spawn_resume(struct spawn *s);
/* SIGKILL and wait. */
void spawn_kill(struct spawn *s);
/* SIGTERM, wait so long, SIGKILL if need be.  True when it ended with status 0 by itself.  Twice is once. */
bool spawn_stop(struct spawn *s, int deadline_ms);

/* Whether a line of the log holds text.  Without a log it aborts. */
bool spawn_log_has(const struct spawn *s, const char *text);
/* The last 8 KiB of the log to standard error, for a test that fails. */
void spawn_show_log(const struct spawn *s);

#endif
