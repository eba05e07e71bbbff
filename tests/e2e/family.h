/*
 * family: a server of one test with all that it starts: the children of a web server, and the programs that those start.
 *
 *     family_start --fork--> guard --fork, exec--> the server --> its children
 *          '---- pipe -------'
 *
 * The guard waits at the other end of a pipe.  When the test lets go of it, or ends in any way, the server gets SIGTERM, after
 * 10 s SIGKILL; whoever is orphaned in the meantime comes to the guard (a subreaper), which kills it.  One thread.
 */
#ifndef HOIST_TESTS_E2E_FAMILY_H
#define HOIST_TESTS_E2E_FAMILY_H

#include <stdbool.h>
#include <sys/types.h>

struct family {
    pid_t guard; /* 0: none */
    int fd;
};

/* argv[0] is looked up in PATH; env: "NAME=value" laid over the environment, may be NULL; both NULL-terminated.  Output
 * goes to log_path, appended. */
void family_start(struct family *f, const char *const *argv, const char *const *env,
                  const char *log_path);
bool family_is_running(struct family *f); /* false once the server has ended */
void family_stop(struct family *f);       /* and wait until nobody is left */

#endif
