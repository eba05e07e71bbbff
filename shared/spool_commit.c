#include "shared/spool_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Sharing directory syncs.
 *
 * A thread that has renamed its files puts itself on sync_waiting.  The first one that finds no sync running takes the
 * whole list, syncs once and tells everybody on it how that went; who came later waits for the next round.  So a
 * sync covers exactly those whose renames were done before it began, and its failure fails all of them.
 */
struct spool_waiter {
    struct spool_waiter *next;
    int error; /* errno of the sync, 0 when it went well */
    bool done;
};

/* With sync_lock held; drops it during the sync. */
static void sync_round(struct spool *s)
{
    struct spool_waiter *round = s->sync_waiting;

    s->sync_waiting = NULL;
    s->sync_running = true;
    (void)pthread_mutex_unlock(&s->sync_lock);
    int error = fsync(s->jobs_fd) < 0 ? errno : 0;
    if (error != 0)
        spool_note_sync_error(s);
    (void)pthread_mutex_lock(&s->sync_lock);
    s->sync_running = false;
    while (round) {
        struct spool_waiter *next =
            round->next; /* a waiter that is done may go at once */
        round->error = error;
        round->done = true;
        round = next;
    }
    (void)pthread_cond_broadcast(&s->sync_done);
}

enum err_code spool_sync_jobs(struct spool *s, struct err *e)
{
    struct spool_waiter me = {.done = false};

    if (!s->durable)
        return ERR_OK;
    (void)pthread_mutex_lock(&s->sync_lock);
    me.next = s->sync_waiting;
    s->sync_waiting = &me;
    while (!me.done) {
        if (s->sync_running)
            (void)pthread_cond_wait(&s->sync_done, &s->sync_lock);
        else
            sync_round(s);
    }
    (void)pthread_mutex_unlock(&s->sync_lock);
    if (me.error == 0)
        return ERR_OK;
    errno = me.error;
    return spool_errno(e, "sync jobs/");
}

/* --- One upload --- */

static enum err_code sync_file(struct spool *s, int fd, struct err *e)
{
    if (s->durable && fdatasync(fd) < 0) {
        spool_note_sync_error(s);
        return spool_errno(e, "sync");
    }
    return ERR_OK;
}

/* An error of close is an error of the write behind it (NFS, quotas); what was synced has no more of them. */
enum err_code spool_sync_and_close(struct spool *s, int *fd, struct err *e)
{
    int file = TAKE_FD(*fd);

    if (sync_file(s, file, e)) {
        (void)close(file);
        return e->code;
    }
    if (close(file) < 0 && errno != EINTR) {
        spool_note_sync_error(s);
        return spool_errno(e, "close");
    }
    return ERR_OK;
}

/* The descriptor stays, with its lock, until all is in jobs/; where only a close tells what became of the bytes, it is a
 * second one that is closed. */
static enum err_code sync_data(struct spool *s, struct spool_upload *u, struct err *e)
{
    if (!s->close_tells)
        return sync_file(s, u->fd, e);
    int held = fcntl(u->fd, F_DUPFD_CLOEXEC, 0);
    if (held < 0)
        return spool_errno(e, "duplicate a descriptor");
    enum err_code code = spool_sync_and_close(s, &u->fd, e);
    u->fd = held;
    return code;
}

static enum err_code set_text(char **text, const char *s, struct err *e)
{
    char *copy = strdup(s);

    if (!copy)
        return err_set(e, ERR_NOMEM, "spool: no memory for a job");
    free(*text);
    *text = copy;
    return ERR_OK;
}

enum err_code spool_describe(struct spool_upload *u, struct job *j, struct err *e)
{
    uint8_t sum[DIGEST_SHA256_BYTES];
    char hex[DIGEST_SHA256_HEX + 1], crc[DIGEST_CRC32C_HEX + 1];

    if (spool_sum(u, sum, e))
        return e->code;
    digest_hex_encode(sum, sizeof sum, hex);
    (void)snprintf(crc, sizeof crc, "%08" PRIx32, u->crc32c); /* fits */
    if (set_text(&j->sha256, hex, e) || set_text(&j->crc32c, crc, e) ||
        set_text(&j->source, "spool", e))
        return e->code;
    j->id.uuid = u->uuid;
    j->size = u->size;
    if (j->created == 0)
        j->created = id_uuid_ms(u->uuid.text);
    return ERR_OK;
}

static enum err_code finish_data(struct spool *s, struct spool_upload *u, struct job *j,
                                 struct err *e)
{
    if (spool_describe(u, j, e) || (u->is_small && spool_unfold(s, u, e)) ||
        spool_give_back(s, u, e))
        return e->code;
    return sync_data(s, u, e);
}

enum err_code spool_write_manifest(struct spool *s, const struct job *j,
                                   struct buf *text, struct err *e)
{
    char name[SPOOL_TMP_NAME];
    CLEANUP(fd_close) int fd = -1;

    if (job_encode_manifest(j, text, e))
        return e->code;
    spool_tmp_name(&j->id.uuid, ".json", name);
    if (spool_create(s->tmp_fd, name, &fd, e) ||
        spool_write_all(fd, text->data, text->len, e))
        return e->code;
    return spool_sync_and_close(s, &fd, e);
}

/* --- All of a request --- */

static enum err_code write_all(struct spool *s, struct spool_upload *uploads,
                               struct job *jobs, size_t count, struct err *e)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT(JOB_RECORD_MAX);

    if (!buf_reserve(&text, SPOOL_MANIFEST_USUAL))
        return err_set(e, ERR_NOMEM, "spool: no memory for a manifest");
    for (size_t i = 0; i < count; i++)
        if (finish_data(s, &uploads[i], &jobs[i], e) ||
            spool_write_manifest(s, &jobs[i], &text, e))
            return e->code;
    return ERR_OK;
}

static enum err_code rename_all(struct spool *s, const struct job *jobs, size_t count,
                                const char *suffix, struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        char from[SPOOL_TMP_NAME], to[SPOOL_JOB_NAME];
        spool_tmp_name(&jobs[i].id.uuid, suffix, from);
        spool_job_name(&jobs[i].id, suffix, to);
        if (renameat(s->tmp_fd, from, s->jobs_fd, to) < 0)
            return spool_errno(e, "move a file to jobs/");
    }
    return ERR_OK;
}

static enum err_code publish_all(struct spool *s, const struct job *jobs, size_t count,
                                 struct err *e)
{
    if (rename_all(s, jobs, count, ".data", e) ||
        rename_all(s, jobs, count, ".json", e))
        return e->code;
    return spool_sync_jobs(s, e);
}

/* Take renamed files back, manifests first, as in every removal.  The ids have been checked by then. */
static void unpublish_all(struct spool *s, const struct job *jobs, size_t count)
{
    static const char *const suffixes[] = {".json", ".data"};

    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < count; i++) {
            char name[SPOOL_JOB_NAME];
            spool_job_name(&jobs[i].id, suffixes[k], name);
            (void)unlinkat(s->jobs_fd, name, 0); /* may not have got there */
        }
    }
}

/* Remove what is left in tmp/ (a file that stays is swept) and forget the uploads. */
static void abort_all(struct spool *s, struct spool_upload *uploads, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[SPOOL_TMP_NAME];
        spool_tmp_name(&uploads[i].uuid, ".json", name);
        (void)unlinkat(s->tmp_fd, name, 0);
        spool_abort(s, &uploads[i]);
    }
}

static enum err_code commit_small(struct spool *s, struct spool_upload *u,
                                  struct job *j, struct err *e)
{
    if (spool_describe(u, j, e) || spool_promise_small(s, j, &u->small, e)) {
        spool_abort(s, u);
        return e->code;
    }
    spool_forget(s, u);
    return ERR_OK;
}

enum err_code spool_commit_set(struct spool *s, const struct spool_set *set,
                               struct err *e)
{
    const struct spool_ready *ready = set->ready;

    if (set->count == 1 && set->uploads[0].is_small && !ready)
        return commit_small(s, &set->uploads[0], &set->jobs[0], e);
    if (write_all(s, set->uploads, set->jobs, set->count, e) ||
        (ready && ready->ready(ready->ctx, e))) {
        abort_all(s, set->uploads, set->count);
        return e->code;
    }
    if (publish_all(s, set->jobs, set->count, e)) {
        if (ready)
            ready->undo(ready->ctx);
        unpublish_all(s, set->jobs, set->count);
        abort_all(s, set->uploads, set->count);
        return e->code;
    }
    spool_note_synced(s);
    for (size_t i = 0; i < set->count; i++)
        spool_forget(s, &set->uploads[i]);
    return ERR_OK;
}

enum err_code spool_commit(struct spool *s, struct spool_upload *uploads,
                           struct job *jobs, size_t count, struct err *e)
{
    return spool_commit_set(
        s, &(struct spool_set){.uploads = uploads, .jobs = jobs, .count = count}, e);
}
