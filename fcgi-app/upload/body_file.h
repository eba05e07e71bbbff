/*
 * body_file: a body that the web server has left as a file, to be taken over without a copy.
 *
 *     nginx, client_body_in_file_only clean            hoist-fcgi
 *     body_dir/0000000042  --HOIST_BODY_FILE-->  open, check  -->  rename into the spool (spool_adopt)  -->  digest  -->  202
 *            '-- unlinked at the end of the request, unless it is gone: nginx does not mind
 *
 * A client cannot say HOIST_BODY_FILE: what it sends are parameters that begin with HTTP_.  It counts only where [http]
 * body_dir is set, and only for raw bodies.  What it names is taken only if
 *
 *   - it is below body_dir, without symbolic links, "." or ".." on the way (openat2, RESOLVE_BENEATH and so on)
 *   - body_dir, and the directory that it is in, are of [http] body_user, of ourselves or of root, and closed to others
 *   - it is a regular file with one name, of body_user or our own, that nobody else may write
 *   - it is as long as CONTENT_LENGTH says, and still is, unchanged, when it has been read
 *
 * One that is body_user's and not ours is given to us (fchown, which takes CAP_CHOWN).  Where we may not, it can only
 * be copied: is_ours tells.
 *
 * The web server still holds it open, until it has passed on the answer; it has written all it will by then.  Who could open
 * it before it was moved, and is of its user, could write to it later: what has been promised is its SHA-256, which
 * the worker compares.
 *
 * A struct belongs to one thread.
 */
#ifndef HOIST_FCGI_BODY_FILE_H
#define HOIST_FCGI_BODY_FILE_H

#include "shared/config.h"
#include "shared/err.h"
#include "shared/spool.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* The parameter.  "" is none, which is what nginx says of a request without a body. */
#define BODY_FILE_PARAM "HOIST_BODY_FILE"

/* What a configuration says of them. */
struct body_files {
    const char *
        dir; /* absolute, without a '/' at its end; NULL: bodies come by FastCGI alone */
    size_t dir_len;
    uid_t uid; /* who writes them */
};

/* Read [http] body_dir and body_user, make the directory where it is missing, look at it.  ret borrows from c.
 * ERR_CONFIG: no such user; not a directory, or not as above; not on the file system of the spool. */
MUST_CHECK enum err_code body_files_init(const struct config *c, const struct spool *s,
                                         struct body_files *ret, struct err *e);

struct body_file {
    int fd;       /* for reading, at its beginning; -1: none */
    int dir_fd;   /* what it is in */
    char *name;   /* there; owned */
    bool is_ours; /* spool_adopt can take it */
    int64_t size;
    struct stat before; /* when it was opened */
};

#define BODY_FILE_INIT                                                                 \
    {                                                                                  \
        .fd = -1, .dir_fd = -1                                                         \
    }

/* Open and check the file at path.
 * ERR_REJECT  it is not one to be taken: the text says why, for the log
 * ERR_CONFIG  the directory is not as it must be, or the file may not be read
 * ERR_RETRY, ERR_NOMEM  no descriptors; no memory */
MUST_CHECK enum err_code body_file_open(const struct body_files *files,
                                        const char *path, struct body_file *ret,
                                        struct err *e);
void body_file_release(struct body_file *f);

/* Read up to len bytes; *ret_len is 0 at the end alone.  ERR_RETRY: it cannot be read. */
MUST_CHECK enum err_code body_file_read(struct body_file *f, void *data, size_t len,
                                        size_t *ret_len, struct err *e);
/* ERR_REJECT: it has been written to since it was opened, or is longer than what has been read. */
MUST_CHECK enum err_code body_file_check_end(const struct body_file *f, int64_t bytes,
                                             struct err *e);

#endif
