/*
 * system_fixture: a whole hoist of one test's own, started by deploy/up and ended by deploy/down.
 *
 *     struct system s;
 *     system_up(&s, &(struct system_options){.web = "nginx", .workers = 2});   in a directory of its own, below /tmp
 *     ... s.http speaks to the web server, system_redis runs redis-cli, system_pid tells who is who ...
 *     system_down(&s);
 *
 * A guard process waits at the other end of a pipe: when the test ends in any way, a crash and a time-out included,
 * it runs `deploy/down --purge` on what is left.  So no server outlives its test.
 */
#ifndef HOIST_TESTS_E2E_SYSTEM_FIXTURE_H
#define HOIST_TESTS_E2E_SYSTEM_FIXTURE_H

#include "tests/e2e/http_client.h"
#include "tests/support/tmpdir.h"

#include <sys/types.h>

struct system_options {
    const char *web;  /* "nginx" (default), "apache", "lighttpd", "caddy", "haproxy" */
    const char *conf; /* INI text laid over the defaults; may be NULL */
    int workers;      /* default 1; -1: none */
};

struct system {
    struct tmpdir dir; /* everything of this test */
    char state[96];    /* HOIST_STATE */
    char listen[128];  /* where the web server is */
    struct http http;
    struct system_options options;
    pid_t guard;
    int guard_fd;
};

void system_up(struct system *s,
               const struct system_options *o); /* asserts that it came up */
void system_again(struct system *s); /* deploy/up once more: starts what died */
void system_down(struct system *s);

/* Process id of "redis", "web", "fcgi", "worker-1" ...; asserts that it is there. */
pid_t system_pid(const struct system *s, const char *name);
/* kill -9 and wait until it is gone. */
void system_kill(const struct system *s, const char *name);

/* Output of redis-cli with these words, trailing newline dropped. */
void system_redis(const struct system *s, char *ret_out, size_t size,
                  const char *words);

/* Wait until GET /v1/jobs/{id} says one of the final states, at most deadline_ms; asserts that it is want. */
void system_wait_state(struct system *s, const char *id, const char *want,
                       long deadline_ms);

/* How many files there are below a directory of the state, such as "spool/tmp". */
size_t system_count_files(const struct system *s, const char *below);

/* Make a file of size bytes of which each seed gives others; path is below s->dir.path and written to ret_path. */
void system_make_file(const struct system *s, const char *name, size_t size,
                      unsigned seed, char ret_path[256]);
/* SHA-256 of a file as hex; asserts that it can be read. */
void file_sha256(const char *path, char ret_hex[65]);

#endif
