/*
 * system: the programs of one run, started, signalled, and brought back when they have died.
 *
 *     clients -> web (nginx) -> responder-1, responder-2 -> spool/, Redis
 *                    store (s3rver or nginx with PUT) <- worker-1 ... worker-N <-'
 *
 * Everything is below one directory and on unix sockets; only what a proxy stands before (proxy.h) has a TCP port, of the
 * kernel's choice.  The responders' listening socket belongs to this program and is passed to each of them as descriptor
 * 0 (fcgi-app/fastcgi/listen.h), so that it is there while they come and go.
 *
 * What has ended is started again by system_tick, 0 to 200 ms later, unless a fault holds it.  All calls come from the one
 * thread that called system_open: children die with the thread that started them (spawn.h).
 */
#ifndef HOIST_TESTS_CHAOS_SYSTEM_H
#define HOIST_TESTS_CHAOS_SYSTEM_H

#include "tests/chaos/options.h"
#include "tests/chaos/proxy.h"
#include "tests/support/spawn.h"
#include "tests/support/tmpdir.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SYSTEM_RESPONDERS = 2,
    SYSTEM_PROGRAMS_MAX = OPTIONS_WORKERS_MAX + SYSTEM_RESPONDERS + 3,
    SYSTEM_NOTES_MAX = 32,
    SYSTEM_SPOOL_BYTES = 256 << 20
};

/* Of the store: what must not be found anywhere (I12). */
#define SYSTEM_SECRET "chaos-NOBODY-may-see-this-0123456789"

enum program_kind {
    PROGRAM_REDIS,
    PROGRAM_STORE,
    PROGRAM_RESPONDER,
    PROGRAM_WORKER,
    PROGRAM_WEB,
    PROGRAM_KINDS
};

struct program {
    enum program_kind kind;
    unsigned number; /* from 1 within its kind */
    char name[24];   /* "worker-1" */
    struct spawn spawn;
    bool held;        /* not to be started again */
    int64_t start_ms; /* it is down and is to be started then (monotonic) */
    int asked; /* the last signal of ours that ends programs; 0: none since it was started */
    unsigned starts;
    int64_t started_ms; /* the last time (monotonic) */
};

struct system {
    const struct options *options;
    bool is_private; /* place.h */
    struct tmpdir dir;
    struct program programs[SYSTEM_PROGRAMS_MAX];
    size_t program_count;
    struct proxy *redis_proxy[OPTIONS_WORKERS_MAX]; /* of each worker */
    struct proxy *store_proxy;                      /* NULL: a directory needs none */
    int fcgi_fd, store_stdin[2], store_port;
    int64_t
        *clock_ns; /* what the wall clock of responders and workers is ahead, mapped */
    uint64_t dice;
    unsigned kills;   /* programs that we ended with SIGKILL */
    unsigned gave_up; /* programs that ended by themselves with a status of failure */
    /* What must not happen: programs that crashed. */
    char notes[SYSTEM_NOTES_MAX][128];
    size_t note_count;
};

/* Start all of it and wait until an upload would be taken.  Aborts, and shows a log, when that does not happen. */
void system_open(struct system *s, const struct options *o, bool is_private);
/* Look after the programs: to be called every few ms. */
void system_tick(struct system *s);
/* Ask the web server, responders and workers (in this order), then the store and Redis too, to stop, and wait; what does
 * not end is killed and noted.  Nothing is started again from then on. */
void system_stop_ours(struct system *s);
void system_stop(struct system *s);
/* After system_stop; removes the directory unless it is to be kept. */
void system_close(struct system *s, bool keep);

/* The number-th (from 0, modulo how many there are) program of a kind. */
struct program *system_program(struct system *s, enum program_kind kind,
                               unsigned number);
/* Its children: the processes of nginx that do the work.  At most max of them. */
size_t system_children(const struct program *p, pid_t *ret, size_t max);
/* SIGKILL for it and its children; it is waited for. */
void system_kill(struct system *s, struct program *p);
/* A signal that makes it end, or do something; nothing when it is down. */
void system_signal(struct program *p, int signal);

/* dir/name; of static storage, valid until the fourth call after. */
const char *system_path(const struct system *s, const char *name);

/* One command to Redis, directly, words divided by blanks, with a second at most.  False: no answer, or an error; the
 * text says which.  ret may be NULL. */
bool system_redis(const struct system *s, const char *command, char *ret, size_t size);

/* system_conf.c: the files that the programs read. */
void system_write_files(struct system *s);
/* system_start.c: the command line of a program. */
void system_start(struct system *s, struct program *p);
/* Whether it does what it is for.  Cheap. */
bool system_answers(struct system *s, const struct program *p);

#endif
