/* Files without a name, for bytes that nobody was promised. */
#include "shared/spool_internal.h"

#include "shared/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Where the file system knows no nameless files: one with a name, for a moment. */
static enum err_code create_and_unlink(struct spool *s, int *ret_fd, struct err *e)
{
    const struct uuid uuid = id_new();
    char name[SPOOL_TMP_NAME];

    spool_tmp_name(&uuid, ".data", name);
    int fd = openat(s->tmp_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    0600);
    if (fd < 0)
        return spool_errno(e, "create a file in tmp/");
    if (unlinkat(s->tmp_fd, name, 0) < 0) {
        spool_errno(e, "unlink a file in tmp/");
        (void)close(fd); /* empty */
        return e->code;
    }
    *ret_fd = fd;
    return ERR_OK;
}

enum err_code spool_open_unnamed(struct spool *s, int *ret_fd, struct err *e)
{
    int fd = openat(s->tmp_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT))
        return create_and_unlink(s, ret_fd, e);
    if (fd < 0)
        return spool_errno(e, "create a nameless file in tmp/");
    *ret_fd = fd;
    return ERR_OK;
}
