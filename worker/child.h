/*
 * child: a program beside the worker, from its start to the end of all that it left in its process group.
 *
 *     child_start -- fork, exec --> running -- it ends, or child_stop: SIGTERM, then SIGKILL --> on_end, once
 *
 * What it gets
 *   - the words it was configured with (no shell), the environment that is given and nothing of ours, "/" as directory;
 *   - a session and process group of its own, no signal blocked or ignored;
 *   - standard input empty, standard output a file of the caller's, standard error a pipe to us; no other descriptor.
 *     A file that it writes, standard output first, ends at file_bytes_max (SIGXFSZ), where a process may set such a limit.
 *
 * Guarantees
 *   - When on_end is called, it has ended, and whatever is left in its group has been sent SIGKILL; a process that left
 *     the group by a session of its own is not followed.
 *   - When this worker dies, however, it is killed by the kernel; other processes of its group are not.
 *   - The last CHILD_ERRORS_MAX bytes of standard error are kept; any amount may be written there.
 *   - It is started when child_start returns: that its program is missing or no program is an error there.
 *
 * Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_CHILD_H
#define HOIST_WORKER_CHILD_H

#include "shared/err.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { CHILD_ERRORS_MAX = 4096 };

struct child;

struct child_end {
    int status;         /* of exit; -1 when a signal ended it */
    int signal;         /* that ended it; 0: none */
    const char *errors; /* the last bytes of its standard error: anything but text */
    size_t errors_len;
};

struct child_options {
    char *const *argv; /* argv[0] is looked for in the PATH of env */
    char *const *env;
    int stdout_fd; /* stays the caller's */
    int64_t file_bytes_max;
    void (*on_end)(const struct child_end *end, void *ctx);
    void *ctx;
};

/*
 * Start it.  argv and env need not outlive the call.  *ret_child is valid until on_end returns.
 * ERR_CONFIG  there is no such program, or it cannot be run
 * ERR_RETRY   no process, no descriptors
 * ERR_NOMEM   memory is short
 */
MUST_CHECK enum err_code child_start(uv_loop_t *loop, const struct child_options *o,
                                     struct child **ret_child, struct err *e);

/* Send SIGTERM to its group, and SIGKILL if it has not ended after kill_ms.  Again: only an earlier SIGKILL counts. */
void child_stop(struct child *c, int64_t kill_ms);

#endif
