/* Keys that nobody needs any more, and records whose promise was never made. */
#include "shared/spool_keys.h"

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/spool_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EMPTY_AGE_MS = 2 * 60 * 1000 };

/* --- Records without a promise --- */

/* The key that a manifest in tmp/ was made under; false: none, or it is no whole manifest, and then no record was written. */
static bool find_key(struct spool *s, const char *tmp_name, struct job *ret)
{
    CLEANUP(fd_close)
    int fd =
        openat(s->tmp_fd, tmp_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char text[JOB_RECORD_MAX + 1];
    struct err ignored = ERR_INIT;
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text);

    return len > 0 && job_decode_manifest(text, (size_t)len, ret, &ignored) == ERR_OK &&
           ret->idempotency;
}

bool spool_key_forget_of(struct spool *s, const char *tmp_name)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    CLEANUP(buf_release) struct buf text = BUF_INIT(KEY_RECORD_MAX);
    struct spool_key k = SPOOL_KEY_INIT;
    struct key_record r;
    struct err e = ERR_INIT;
    bool busy;

    if (!find_key(s, tmp_name, &j))
        return true;
    if (spool_key_claim(s, j.idempotency, &k, &busy, &e) || busy)
        return false;
    /* It erases a record whose promise was not made; one that was made is kept, and this manifest goes to jobs/. */
    enum err_code code = spool_key_peek(s, &k, &text, &r, &e);
    spool_key_release(s, &k);
    return code == ERR_OK;
}

/* --- Records whose time is over --- */

struct walk {
    struct spool *spool;
    const struct spool_keys_walk *options;
    struct buf text;
    int64_t now_ms;
};

static void look_at_claimed(struct walk *w, struct spool_key *k)
{
    struct key_record r;
    struct err e = ERR_INIT;

    if (spool_key_peek(w->spool, k, &w->text, &r, &e))
        return; /* a later walk sees it again */
    if (r.created == 0)
        k->is_empty = true; /* what is torn is of no use to anybody */
    else if (w->now_ms - r.created >= w->options->age_ms &&
             !spool_key_has_job(w->spool, &r))
        w->options->on_key(w->options->ctx, k, &r);
}

static void look(struct walk *w, int dir_fd, const char *name)
{
    struct spool_key k = SPOOL_KEY_INIT;
    struct err e = ERR_INIT;
    struct stat st;
    bool busy;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return;
    int64_t age_ms =
        w->now_ms - ((int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000);
    if (age_ms < (st.st_size == 0 ? EMPTY_AGE_MS : w->options->age_ms) ||
        spool_key_claim(w->spool, name, &k, &busy, &e) || busy)
        return;
    look_at_claimed(w, &k);
    spool_key_release(w->spool, &k);
}

size_t spool_keys_walk(struct spool *s, const struct spool_keys_walk *o)
{
    struct walk w = {.spool = s,
                     .options = o,
                     .text = BUF_INIT(KEY_RECORD_MAX),
                     .now_ms = clock_wall_ms()};
    char dir[sizeof "keys/00"];
    struct dirent *entry;
    size_t count = 0;

    (void)snprintf(dir, sizeof dir, "keys/%02x", o->dir % SPOOL_KEYS_DIRS);
    CLEANUP(fd_close)
    int fd = openat(s->dir_fd, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : spool_open_stream(fd);
    while (stream && count < o->max && (entry = readdir(stream))) {
        if (strlen(entry->d_name) != DIGEST_SHA256_HEX)
            continue;
        count++;
        look(&w, fd, entry->d_name);
    }
    if (stream)
        (void)closedir(stream);
    buf_release(&w.text);
    return count;
}
