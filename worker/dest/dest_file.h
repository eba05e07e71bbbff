/*
 * dest_file: the destination file:///dir.  The object of key a/b is dir/a/b.
 *
 *     spool data --read, hash, write--> nameless file in the object's directory --sync--> link to its name --sync-->
 *
 * Guarantees (besides those of destination.h)
 *   - The object appears whole and synced, or not at all: the bytes go to a file without a name (O_TMPFILE), or, where
 *     the file system has none (NFS), to `.<uuid>.tmp` beside the object; linking it to its name is what makes it,
 *     and fails when the name is taken.
 *   - No debris: a nameless file vanishes with its worker; a named one is removed at the end of its run, or by the
 *     next attempt of the same job.
 *   - done is told after data and directory entries are synced.
 *   - Nothing below dir is reached through a symbolic link.
 * Objects are 0640, directories 0755, both less the umask.  dir itself is made (0755, its parent must exist) when the
 * destination is opened, and never again: a disk that is not mounted is an error, not an empty directory.
 *
 * A run copies on libuv's thread pool, 128 KiB at a time, and looks between chunks whether it was aborted.
 *
 * Failures: no rights, read-only or missing dir -> class config; another file of that name, a link in the path,
 * a digest that does not fit -> dead; all else (no space, I/O error) -> transient.
 */
#ifndef HOIST_WORKER_DEST_FILE_H
#define HOIST_WORKER_DEST_FILE_H

#include "worker/dest/destination.h"

struct dest_file_options {
    uv_loop_t *loop;
    const struct config_destination *config; /* CONFIG_FILE; outlives the destination */
    bool only_looks;                         /* dir is not made */
    bool named; /* always use `.<uuid>.tmp`, as where O_TMPFILE is missing */
};

/* ERR_NOMEM; or ERR_CONFIG: dir cannot be made or opened, *ret is set all the same and jobs will be tried. */
MUST_CHECK enum err_code dest_file_open(const struct dest_file_options *o,
                                        struct destination **ret, struct err *e);

#endif
