/*
 * starts_rig: a Redis, a worker and a spool, and web servers that start hoist-fcgi themselves, from the very files of deploy/
 * with the paths of the test put in.
 *
 * What a web server starts runs as its user, who has to own the spool and so to run the workers, too.  So where the test is root
 * all of it runs as www-data, which Apache cannot do without; else as whoever runs the test.
 */
#ifndef HOIST_TESTS_E2E_STARTS_RIG_H
#define HOIST_TESTS_E2E_STARTS_RIG_H

#include "tests/e2e/family.h"
#include "tests/e2e/system_fixture.h"
#include "tests/support/spawn.h"

struct starts_rig {
    struct system
        system; /* its dir, state, listen and http, for steps.h; deploy/up is not run */
    struct spawn redis, worker;
    struct family web; /* whatever starts hoist-fcgi */
    char config[160], program[160], web_log[160];
};

extern struct starts_rig starts;

void starts_up(void);
void starts_down(void);

/* Programs that start from now on serve who has the token, and nobody else: until then, who is on this machine. */
void starts_want_token(void);

/* Apache with this file of deploy/ behind these lines, which load what it needs; it answers when they return. */
void starts_apache(const char *file, const char *more);
/* The same anew, without the one line that begins with this text (a newline before it); NULL: all of it. */
void starts_apache_again(const char *without);
void starts_lighttpd(const char *file);
/* Something else that starts it. */
void starts_run(const char *const *argv, const char *const *env);

#endif
