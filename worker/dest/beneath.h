/*
 * beneath: open and create directories below a root without ever leaving it.
 *
 *     root/ a / b / object       one openat(O_NOFOLLOW) per segment; no "..", no symbolic link, no absolute path
 *
 * A segment that is a symbolic link or no directory is an error, whoever put it there.  What is created is 0755 and
 * durable: each parent is synced before anything is put below it (also when the directory was there already: its
 * creator may not have come to its own sync).
 * Thread-safe: no state.
 */
#ifndef HOIST_WORKER_BENEATH_H
#define HOIST_WORKER_BENEATH_H

#include "shared/err.h"

/*
 * Open the directory that is to hold path (relative, job_key_is_safe), creating what is missing.  *ret_name points at
 * the last segment inside path.
 * ERR_OK      *ret_fd is the directory, the caller's to close
 * ERR_REJECT  a segment is a link or a file, or path is not a safe key
 * ERR_CONFIG  no rights, or a read-only file system
 * ERR_RETRY   anything else: no space, no descriptors, an I/O error
 */
MUST_CHECK enum err_code beneath_open_parent(int root_fd, const char *path, int *ret_fd,
                                             const char **ret_name, struct err *e);

/* The same without creating anything; where a directory is missing, *ret_fd is -1 and *ret_name NULL. */
MUST_CHECK enum err_code beneath_find_parent(int root_fd, const char *path, int *ret_fd,
                                             const char **ret_name, struct err *e);

/* How an errno of the file system is classed: EACCES, EPERM, EROFS -> ERR_CONFIG, ELOOP, ENOTDIR, ENAMETOOLONG,
 * EISDIR -> ERR_REJECT, all else ERR_RETRY. */
enum err_code beneath_class(int error);

#endif
