#include "tests/chaos/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "tests/chaos/tree.h"

enum { SCAN_CHUNK = 256 * 1024 };

struct scan {
    const char *needles[SCAN_NEEDLES_MAX];
    size_t lens[SCAN_NEEDLES_MAX];
    size_t count;
    scan_found *found;
    void *ctx;
    char *chunk; /* SCAN_NEEDLE_MAX + SCAN_CHUNK bytes; owned */
    struct err *e;
};

/* chunk holds len bytes of the file, the first of them its byte number `at`. */
static void look(const struct scan *s, const char *path, size_t len, int64_t at,
                 bool told[SCAN_NEEDLES_MAX])
{
    for (size_t i = 0; i < s->count; i++) {
        if (told[i])
            continue;
        const char *hit = memmem(s->chunk, len, s->needles[i], s->lens[i]);
        if (!hit)
            continue;
        told[i] = true;
        s->found(s->ctx, path, s->needles[i], at + (hit - s->chunk));
    }
}

static bool scan_file(void *ctx, const struct tree_file *f)
{
    struct scan *s = ctx;
    bool told[SCAN_NEEDLES_MAX] = {false};
    size_t kept = 0;
    int64_t at = 0; /* of what is read next */
    CLEANUP(fd_close)
    int fd = open(f->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return true;
    for (;;) {
        ssize_t n = fd < 0 ? -1 : read(fd, s->chunk + kept, SCAN_CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            (void)err_errno(s->e, ERR_CONFIG, "scan: read %s", f->path);
            return false;
        }
        if (n == 0)
            return true;
        size_t len = kept + (size_t)n;
        look(s, f->path, len, at - (int64_t)kept, told);
        at += n;
        /* What may be the beginning of a needle is looked at again with what follows. */
        kept = len < SCAN_NEEDLE_MAX ? len : SCAN_NEEDLE_MAX;
        memmove(s->chunk, s->chunk + len - kept, kept);
    }
}

enum err_code scan_files(const char *const *paths, const char *const *needles,
                         scan_found *found, void *ctx, struct err *e)
{
    struct err failed = ERR_INIT;
    struct scan s = {.found = found, .ctx = ctx, .e = &failed};

    for (size_t i = 0; needles[i]; i++) {
        size_t len = strlen(needles[i]);
        if (len > SCAN_NEEDLE_MAX || s.count == SCAN_NEEDLES_MAX)
            return err_set(e, ERR_CONFIG, "scan: at most %d texts of %d bytes",
                           SCAN_NEEDLES_MAX, SCAN_NEEDLE_MAX);
        s.needles[s.count] = needles[i];
        s.lens[s.count] = len;
        s.count += len > 0;
    }
    CLEANUP(str_free) char *chunk = malloc(SCAN_NEEDLE_MAX + SCAN_CHUNK);
    if (!chunk)
        return err_set(e, ERR_NOMEM, "scan: no memory");
    s.chunk = chunk;
    for (size_t i = 0; s.count > 0 && paths[i]; i++) {
        if (tree_walk(paths[i], scan_file, &s, &failed) != ERR_OK ||
            failed.code != ERR_OK) {
            *e = failed;
            return failed.code;
        }
    }
    return ERR_OK;
}
