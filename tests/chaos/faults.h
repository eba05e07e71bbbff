/*
 * faults: what can be broken in a run, and mended again.
 *
 *     schedule --event--> faults_tick --begin--> the system        faults.jsonl: a line for each
 *                             '------- end, when its time is over
 *
 * One row for each kind (faults_table.c).  A fault that cannot be done now (its target is down already) is skipped and
 * counted as such.  What no run does, and why: bits flipped on the way to Redis.  Its protocol has no digest, so that a command
 * with another bit is another command; who fears for that link gives it TLS.  Towards the store they are flipped (store-flip),
 * where digests tell.
 */
#ifndef HOIST_TESTS_CHAOS_FAULTS_H
#define HOIST_TESTS_CHAOS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct options;
struct system;
struct faults;

enum { FAULTS_COUNT = 47 };

const char *faults_name(size_t kind);
const char *faults_what(size_t kind);
/* Whether this is what --faults takes; says so on standard error if not. */
bool faults_are_known(const char *list);

struct faults_hooks {
    /* Redis has forgotten or will forget something. */
    void (*redis_goes_back)(void *ctx);
    void *ctx;
};

/* jsonl: the file to write to.  Aborts when it cannot be written. */
struct faults *faults_open(struct system *s, const char *jsonl,
                           const struct faults_hooks *hooks);
/* Begin and end what is due.  now_ms: since the start of the storm; may_begin: false in its last moments. */
void faults_tick(struct faults *f, int64_t now_ms, bool may_begin);
/* End all. */
void faults_heal(struct faults *f);
/* The table: fault, how often, how often skipped. */
void faults_print(const struct faults *f, FILE *to);
int64_t faults_begun(const struct faults *f);
void faults_close(struct faults *f); /* takes NULL */

/* The list for so many seconds, as it will be for these options. */
void faults_print_plan(const struct options *o, bool is_private, FILE *to);

#endif
