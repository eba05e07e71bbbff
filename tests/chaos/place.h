/*
 * place: where a run happens, out of everybody's way.
 *
 *     chaos --fork--> the run: process 1 of its own process and mount namespaces
 *                       |-- nginx, Redis, responders, workers ...
 *                       '-- spool/ on a tmpfs that nobody else sees
 *
 * When the run ends, however it ends, the kernel kills every process in it and unmounts what it had mounted; it is killed
 * itself when chaos is.  Needs root or a kernel that lets users have namespaces; elsewhere the run happens without them:
 * `run` then ends what is left in its process group, and faults of the file system are left out.
 */
#ifndef HOIST_TESTS_CHAOS_PLACE_H
#define HOIST_TESTS_CHAOS_PLACE_H

#include <stdbool.h>
#include <stddef.h>

/* Call first, without threads or children: run(ctx) in the place.  Returns, or exits with, what it returned, or 128 and the
 * number of the signal that ended it.  run is told whether the place is a private one. */
int place_run(int (*run)(bool is_private, void *ctx), void *ctx);

/* In a private place: a tmpfs of so many bytes on an existing directory.  Aborts where that fails. */
void place_mount(const char *dir, size_t bytes);
void place_unmount(const char *dir);
/* Read-only, or writable again.  False while files are open for writing below dir: the kernel refuses then; ask again. */
bool place_remount(const char *dir, bool read_only);

#endif
