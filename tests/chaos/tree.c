#include "tests/chaos/tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cleanup.h"

DEFINE_CLEANUP(DIR *, dir_close, closedir)

struct walk {
    tree_seen *seen;
    void *ctx;
    size_t root_len;
    bool over;
    char path[TREE_PATH_MAX + 1];
};

DEFINE_CLEANUP(struct walk *, walk_cleanup, free)

static enum err_code walk_dir(struct walk *w, size_t len, int depth, struct err *e);

/* w->path[0 .. len) is it. */
static enum err_code visit(struct walk *w, size_t len, int depth, struct err *e)
{
    struct stat st;

    if (lstat(w->path, &st) < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return ERR_OK;
        return err_errno(e, ERR_CONFIG, "%s", w->path);
    }
    if (S_ISDIR(st.st_mode))
        return walk_dir(w, len, depth, e);
    if (!S_ISREG(st.st_mode))
        return ERR_OK;
    const char *slash = strrchr(w->path, '/');
    struct tree_file f = {.path = w->path,
                          .below = len > w->root_len ? w->path + w->root_len + 1 : "",
                          .name = slash ? slash + 1 : w->path,
                          .stat = &st};
    w->over = !w->seen(w->ctx, &f);
    return ERR_OK;
}

static enum err_code walk_dir(struct walk *w, size_t len, int depth, struct err *e)
{
    CLEANUP(dir_close) DIR *dir = opendir(w->path);

    if (!dir && (errno == ENOENT || errno == ENOTDIR))
        return ERR_OK;
    if (!dir || depth > TREE_DEPTH_MAX)
        return dir ? err_set(e, ERR_CONFIG, "%s: too deep", w->path)
                   : err_errno(e, ERR_CONFIG, "open %s", w->path);
    while (!w->over) {
        errno = 0;
        const struct dirent *d = readdir(dir);
        if (!d)
            return errno ? err_errno(e, ERR_CONFIG, "read %s", w->path) : ERR_OK;
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        int n = snprintf(w->path + len, sizeof w->path - len, "/%s", d->d_name);
        if ((size_t)n >= sizeof w->path - len)
            return err_set(e, ERR_CONFIG, "%s: too long", w->path);
        enum err_code code = visit(w, len + (size_t)n, depth + 1, e);
        w->path[len] = '\0';
        if (code != ERR_OK)
            return code;
    }
    return ERR_OK;
}

enum err_code tree_walk(const char *root, tree_seen *seen, void *ctx, struct err *e)
{
    CLEANUP(walk_cleanup) struct walk *w = malloc(sizeof *w);
    size_t len = strlen(root);

    if (!w)
        return err_set(e, ERR_NOMEM, "walk %s: no memory", root);
    if (len == 0 || len >= sizeof w->path)
        return err_set(e, ERR_CONFIG, "walk: no path");
    w->seen = seen;
    w->ctx = ctx;
    w->root_len = len;
    w->over = false;
    memcpy(w->path, root, len + 1);
    return visit(w, len, 0, e);
}
