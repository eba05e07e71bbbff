/*
 * child: a program beside the worker, from its start to the end of all that it left in its process group.
 *
 *     child_start -- fork, exec --> running -- it ends, or child_stop: SIGTERM, then SIGKILL --> on_end, once
 *
 * What it gets
 *   - the words it was configured with (no shell), the environment that is given and nothing of ours, "/" as directory;
 *   - a session and process group of its own, no signal blocked or ignored;
 *   - standard input and output of the caller's, or empty, standard error a pipe to us; no other descriptor.
 *     A file that it writes, standard output first, ends at file_bytes_max (SIGXFSZ), where a process may set such a limit.
 *   - limits of memory and processor time for each of its processes, no core file, and a sandbox, where they are asked for.
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

enum { CHILD_ERRORS_MAX = 4096, CHILD_CPU_GRACE_SECONDS = 5 };

enum child_sandbox {
    CHILD_NO_SANDBOX,
    CHILD_SANDBOX,      /* as much of it as the kernel allows: child_parts tells */
    CHILD_SANDBOX_WHOLE /* all of it, or it is not started */
};

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
    int stdin_fd, stdout_fd; /* stay the caller's; stdin_fd -1: empty */
    int64_t file_bytes_max;
    int64_t memory_max; /* bytes of address space; 0: no limit */
    int64_t
        cpu_seconds; /* then SIGXCPU, and CHILD_CPU_GRACE_SECONDS later SIGKILL; 0: no limit */
    enum child_sandbox sandbox;
    int64_t processes_max; /* of a sandbox: processes and threads; 0: no limit */
    void (*on_end)(const struct child_end *end, void *ctx);
    void *ctx;
};

/*
 * Start it.  argv and env need not outlive the call.  *ret_child is valid until on_end returns.
 * ERR_CONFIG  there is no such program, it cannot be run, or a part of the sandbox that it must have is missing
 * ERR_RETRY   no process, no descriptors
 * ERR_NOMEM   memory is short
 */
MUST_CHECK enum err_code child_start(uv_loop_t *loop, const struct child_options *o,
                                     struct child **ret_child, struct err *e);

/* The parts of its sandbox that are in force (sandbox.h). */
unsigned child_parts(const struct child *c);

/* Send SIGTERM to its group, and SIGKILL if it has not ended after kill_ms.  Again: only an earlier SIGKILL counts. */
void child_stop(struct child *c, int64_t kill_ms);

#endif
