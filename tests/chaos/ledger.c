#include "tests/chaos/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "shared/clock.h"

enum { PENDING_MAX = 16 << 20 };

struct ledger {
    int fd;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t synced;
    struct buf pending;     /* lines nobody has written yet */
    struct buf writing;     /* the leader's, without the lock */
    int64_t added, durable; /* lines, ever */
    bool has_leader;        /* somebody writes and syncs */
    struct err failed;      /* the first failure; code ERR_OK: none */
    struct ledger_counts counts;
};

bool ledger_format(struct buf *b, const struct ledger_line *l)
{
    switch (l->kind) {
    case LEDGER_TRY:
    case LEDGER_CUT:
        return buf_printf(b, "%s %" PRId64 " %" PRId64 " %s %" PRId64 "\n",
                          l->kind == LEDGER_TRY ? "try" : "cut", l->n, l->size,
                          l->sha256, l->ms);
    case LEDGER_GOT:
        return buf_printf(b, "got %" PRId64 " %d %s %" PRId64 "\n", l->n, l->status,
                          l->id[0] ? l->id : "-", l->ms);
    case LEDGER_UNK:
        return buf_printf(b, "unk %" PRId64 " %" PRId64 "\n", l->n, l->ms);
    }
    return false;
}

/* Take away a line that a dead writer left unfinished: what it would have said was never synced. */
static enum err_code drop_torn_line(int fd, const char *path, struct err *e)
{
    char tail[LEDGER_LINE_MAX];
    off_t size = lseek(fd, 0, SEEK_END);
    off_t from = size > LEDGER_LINE_MAX ? size - LEDGER_LINE_MAX : 0;

    if (size < 0)
        return err_errno(e, ERR_CONFIG, "ledger: %s", path);
    ssize_t len = pread(fd, tail, sizeof tail, from);
    if (len != size - from)
        return err_errno(e, ERR_CONFIG, "ledger: read %s", path);
    const char *end = memrchr(tail, '\n', (size_t)len);
    if (!end && from > 0)
        return err_set(e, ERR_CONFIG, "ledger: %s is no ledger", path);
    off_t keep = end ? from + (end - tail) + 1 : 0;
    if (keep < size && ftruncate(fd, keep) < 0)
        return err_errno(e, ERR_CONFIG, "ledger: truncate %s", path);
    return ERR_OK;
}

enum err_code ledger_open(const char *path, struct ledger **ret_ledger, struct err *e)
{
    CLEANUP(fd_close)
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_errno(e, ERR_CONFIG, "ledger: open %s", path);
    if (drop_torn_line(fd, path, e) != ERR_OK)
        return e->code;
    struct ledger *l = calloc(1, sizeof *l);
    if (!l)
        return err_set(e, ERR_NOMEM, "ledger: no memory");
    l->fd = TAKE_FD(fd);
    (void)pthread_mutex_init(&l->lock, NULL); /* neither can fail on Linux */
    (void)pthread_cond_init(&l->synced, NULL);
    buf_init(&l->pending, PENDING_MAX);
    buf_init(&l->writing, PENDING_MAX);
    *ret_ledger = l;
    return ERR_OK;
}

void ledger_close(struct ledger *l)
{
    if (!l)
        return;
    (void)close(l->fd); /* all that was promised is synced */
    buf_release(&l->pending);
    buf_release(&l->writing);
    (void)pthread_cond_destroy(&l->synced);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

static enum err_code write_synced(struct ledger *l, struct err *e)
{
    const char *data = l->writing.data;

    for (size_t left = l->writing.len; left > 0;) {
        ssize_t n = write(l->fd, data, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, ERR_CONFIG, "ledger: write");
        data += n;
        left -= (size_t)n;
    }
    if (fdatasync(l->fd) < 0)
        return err_errno(e, ERR_CONFIG, "ledger: sync");
    return ERR_OK;
}

/* With the lock held: write and sync for all who have added lines by now. */
static void lead(struct ledger *l)
{
    struct err e = ERR_INIT;
    struct buf taken = l->pending;
    int64_t upto = l->added;

    l->pending = l->writing;
    l->writing = taken;
    l->has_leader = true;
    (void)pthread_mutex_unlock(&l->lock);
    enum err_code code = write_synced(l, &e);
    (void)pthread_mutex_lock(&l->lock);
    buf_clear(&l->writing);
    l->has_leader = false;
    if (code == ERR_OK) {
        l->durable = upto;
        l->counts.syncs++;
    } else if (l->failed.code == ERR_OK) {
        l->failed = e;
    }
    (void)pthread_cond_broadcast(&l->synced);
}

static void add_lines(struct ledger *l, const struct ledger_line *lines, size_t count)
{
    int64_t now = clock_wall_ms();

    for (size_t i = 0; i < count; i++) {
        struct ledger_line line = lines[i];
        if (line.ms == 0)
            line.ms = now;
        if (!ledger_format(&l->pending, &line))
            (void)err_set(&l->failed, ERR_NOMEM, "ledger: no memory for a line");
    }
    l->added += (int64_t)count;
    l->counts.lines += (int64_t)count;
}

enum err_code ledger_write(struct ledger *l, const struct ledger_line *lines,
                           size_t count, struct err *e)
{
    (void)pthread_mutex_lock(&l->lock);
    if (l->failed.code == ERR_OK)
        add_lines(l, lines, count);
    int64_t mine = l->added;
    while (l->failed.code == ERR_OK && l->durable < mine) {
        if (l->has_leader)
            (void)pthread_cond_wait(&l->synced, &l->lock);
        else
            lead(l);
    }
    struct err failed = l->failed;
    (void)pthread_mutex_unlock(&l->lock);
    if (failed.code != ERR_OK)
        *e = failed;
    return failed.code;
}

struct ledger_counts ledger_counts(struct ledger *l)
{
    (void)pthread_mutex_lock(&l->lock);
    struct ledger_counts counts = l->counts;
    (void)pthread_mutex_unlock(&l->lock);
    return counts;
}
