/*
 * sandbox: what a program beside the worker may not do, as far as this kernel can see to it.
 *
 *     fork --> sandbox_enter --> exec
 *
 *     landlock   no file is written, made, removed or renamed, and none is opened for writing but /dev/null; reading and
 *                executing is allowed everywhere.  From ABI 6 (Linux 6.12) on no process outside is sent a signal.
 *     seccomp    no socket is made, of any family: no network, no Redis, no system bus; nor an io_uring, which could.  Nothing
 *                leaves its process group, so that killing the group ends all.  Mode, owner, times and attributes of files
 *                stay, and their length: what Landlock does not cover (truncate from ABI 3 on).  No other process is traced.
 *     userns     a user namespace of its own, within which its processes and threads are counted and limited: RLIMIT_NPROC
 *                counts all of a user elsewhere.  Only where processes_max is more than 0.
 *
 * A worker that is root becomes nobody (65534) first: neither a limit of processes nor much of the rest holds root.
 * The parts are independent; what the kernel lacks, or a container forbids, is left out, and the caller is told.
 *
 * Sources: landlock(7), landlock_create_ruleset(2), seccomp(2), user_namespaces(7), the kernel's userspace-api/landlock.rst.
 * Async-signal-safe: between fork and exec nothing may be allocated.  No threads may be there.
 */
#ifndef HOIST_WORKER_SANDBOX_H
#define HOIST_WORKER_SANDBOX_H

#include <stdint.h>

enum {
    SANDBOX_LANDLOCK = 1,
    SANDBOX_SECCOMP = 2,
    SANDBOX_USERNS = 4,
    SANDBOX_TEXT_SIZE = 32
};

/*
 * Give up what a program does not need, for good.  All that sets up descriptors, session and limits must have been done.
 * Returns which parts are in force; those that are wanted are sandbox_wanted.
 */
unsigned sandbox_enter(int64_t processes_max);
unsigned sandbox_wanted(int64_t processes_max);

/* "landlock,seccomp", "none". */
void sandbox_format(unsigned parts, char ret[static SANDBOX_TEXT_SIZE]);

#endif
