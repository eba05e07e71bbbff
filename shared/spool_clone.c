/* Manifests that come without an upload: a second one for the same bytes, one for bytes that are yet to be fetched. */
#include "shared/spool_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of a .job, whose bytes have no name of their own: a link would bring its manifest along.  fd is a copy of them. */
static enum err_code copy_data(struct spool *s, int fd, const char *name, int64_t size,
                               struct err *e)
{
    CLEANUP(buf_release) struct buf bytes = BUF_INIT(SPOOL_SMALL_MAX);
    CLEANUP(fd_close) int to = -1;
    char *room = buf_reserve(&bytes, (size_t)size);
    size_t len;

    if (!room)
        return err_set(e, ERR_NOMEM, "spool: no memory for a copy");
    if (spool_read_all(fd, room, (size_t)size, &len, e) ||
        spool_create(s->jobs_fd, name, &to, e))
        return e->code;
    if (spool_write_all(to, room, len, e) == ERR_OK &&
        spool_sync_and_close(s, &to, e) == ERR_OK)
        return ERR_OK;
    (void)unlinkat(s->jobs_fd, name, 0); /* what stays is swept */
    return e->code;
}

/* The data is looked at as a worker would, and made young, so that no sweep takes the new name for debris. */
static enum err_code link_data(struct spool *s, const struct job_id *from,
                               const struct job *j, struct err *e)
{
    char old[SPOOL_JOB_NAME], new[SPOOL_JOB_NAME];
    CLEANUP(fd_close) int fd = -1;

    if (spool_open_data(s, from, j->size, &fd, e))
        return e->code;
    spool_job_name(from, ".data", old);
    spool_job_name(&j->id, ".data", new);
    struct stat st;
    if (fstat(fd, &st) == 0 && st.st_nlink >= SPOOL_DATA_LINKS_MAX)
        return err_set(e, ERR_RETRY, "spool: %s has %d names already", old,
                       SPOOL_DATA_LINKS_MAX);
    if (futimens(fd, NULL) < 0)
        return spool_errno(e, "touch a file in jobs/");
    if (linkat(s->jobs_fd, old, s->jobs_fd, new, 0) == 0)
        return ERR_OK;
    return errno == ENOENT && j->size <= SPOOL_SMALL_MAX
               ? copy_data(s, fd, new, j->size, e)
               : spool_errno(e, "link a file in jobs/");
}

static enum err_code publish_manifest(struct spool *s, const struct job *j,
                                      const struct spool_ready *ready, struct err *e)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT(JOB_RECORD_MAX);
    char tmp[SPOOL_TMP_NAME], name[SPOOL_JOB_NAME];

    spool_tmp_name(&j->id.uuid, ".json", tmp);
    spool_job_name(&j->id, ".json", name);
    enum err_code code = spool_write_manifest(s, j, &text, e);
    if (code == ERR_OK && ready)
        code = ready->ready(ready->ctx, e);
    bool is_ready = code == ERR_OK;
    if (code == ERR_OK && renameat(s->tmp_fd, tmp, s->jobs_fd, name) < 0)
        code = spool_errno(e, "move a file to jobs/");
    if (code == ERR_OK)
        code = spool_sync_jobs(s, e);
    if (code == ERR_OK)
        return ERR_OK;
    if (ready && is_ready)
        ready->undo(ready->ctx);
    (void)unlinkat(s->tmp_fd, tmp, 0); /* what stays is swept */
    return code;
}

static void take_back(struct spool *s, const struct job_id *id)
{
    struct err ignored = ERR_INIT;
    enum err_code removed = spool_remove(s, id, &ignored);

    (void)
        removed; /* data alone is swept; a manifest that stays is one more job of the same bytes */
}

enum err_code spool_promise_ready(struct spool *s, struct job *j,
                                  const struct spool_ready *ready, struct err *e)
{
    if (j->id.uuid.text[0] == '\0')
        j->id.uuid = id_new();
    if (j->created == 0)
        j->created = id_uuid_ms(j->id.uuid.text);
    if (spool_refuse_unsynced(s, e))
        return e->code;
    if (publish_manifest(s, j, ready, e)) {
        take_back(s, &j->id);
        return e->code;
    }
    spool_note_synced(s);
    return ERR_OK;
}

enum err_code spool_promise(struct spool *s, struct job *j, struct err *e)
{
    return spool_promise_ready(s, j, NULL, e);
}

/* Under a name of its own until it stands in jobs/, and nothing there is ever taken back: it may be another's. */
enum err_code spool_promise_shared(struct spool *s, const struct job *j, struct err *e)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT(JOB_RECORD_MAX);
    CLEANUP(fd_close) int fd = -1;
    char tmp[SPOOL_TMP_NAME], name[SPOOL_JOB_NAME];
    struct uuid own = id_new();

    spool_tmp_name(&own, ".json", tmp);
    spool_job_name(&j->id, ".json", name);
    if (spool_refuse_unsynced(s, e) || job_encode_manifest(j, &text, e) ||
        spool_create(s->tmp_fd, tmp, &fd, e))
        return e->code;
    enum err_code code = spool_write_all(fd, text.data, text.len, e);
    if (code == ERR_OK)
        code = spool_sync_and_close(s, &fd, e);
    if (code == ERR_OK && renameat(s->tmp_fd, tmp, s->jobs_fd, name) < 0)
        code = spool_errno(e, "move a file to jobs/");
    if (code != ERR_OK)
        (void)unlinkat(s->tmp_fd, tmp, 0); /* what stays is swept */
    else
        code = spool_sync_jobs(s, e);
    if (code == ERR_OK)
        spool_note_synced(s);
    return code;
}

enum err_code spool_clone(struct spool *s, const struct job_id *from, struct job *j,
                          const struct spool_ready *ready, struct err *e)
{
    j->id.uuid = id_new();
    if (link_data(s, from, j, e))
        return e->code;
    if (publish_manifest(s, j, ready, e)) {
        take_back(s, &j->id);
        return e->code;
    }
    spool_note_synced(s);
    return ERR_OK;
}
