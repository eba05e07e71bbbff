/*
 * bench_upload_fill SPOOL REDIS FILES: each file of the directory FILES is accepted as an upload, without syncs, and put
 * into the queue default of the Redis at that unix socket.
 */
#include "shared/cleanup.h"
#include "shared/job.h"
#include "shared/job_set.h"
#include "shared/queue.h"
#include "shared/redis_resolve.h"
#include "shared/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1024 * 1024 };

static char chunk[CHUNK];

static enum err_code copy(struct spool *s, struct spool_upload *u, int fd,
                          struct err *e)
{
    ssize_t n;

    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        if (spool_write(s, u, chunk, (size_t)n, e) != ERR_OK)
            return e->code;
    return n == 0 ? ERR_OK : err_errno(e, ERR_RETRY, "read");
}

static enum err_code describe(struct job *j, const struct spool_upload *u,
                              struct err *e)
{
    char key[ID_UUID_LEN + 10];

    (void)snprintf(j->id.queue, sizeof j->id.queue, "default");
    j->id.uuid = u->uuid;
    j->max_attempts = 10;
    j->to = strdup("default");
    if (!j->to)
        return err_set(e, ERR_NOMEM, "no memory");
    job_default_key(j, key);
    return job_set_key(j, key, strlen(key), e);
}

static enum err_code add_one(struct spool *s, struct redis *r, int fd, struct err *e)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct spool_upload u = SPOOL_UPLOAD_INIT;
    enum queue_answer answer;

    if (spool_begin(s, &u, e) != ERR_OK)
        return e->code;
    if (copy(s, &u, fd, e) != ERR_OK || describe(&j, &u, e) != ERR_OK ||
        spool_commit(s, &u, &j, 1, e) != ERR_OK) {
        spool_abort(s, &u);
        return e->code;
    }
    return queue_enqueue(r, &j, &answer, e);
}

static enum err_code add_all(struct spool *s, struct redis *r, DIR *files,
                             struct err *e)
{
    for (struct dirent *entry; (entry = readdir(files));) {
        if (entry->d_name[0] == '.')
            continue;
        CLEANUP(fd_close)
        int fd = openat(dirfd(files), entry->d_name, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return err_errno(e, ERR_RETRY, "open %s", entry->d_name);
        if (add_one(s, r, fd, e) != ERR_OK)
            return e->code;
    }
    return ERR_OK;
}

int main(int argc, char **argv)
{
    struct redis_options o = {
        .target = REDIS_TARGET_INIT, .connect_timeout_ms = 5000, .timeout_ms = 5000};
    struct spool *s = NULL;
    struct redis *r = NULL;
    struct err e = ERR_INIT;
    char url[256];

    if (argc != 4) {
        fprintf(stderr, "usage: bench_upload_fill SPOOL REDIS FILES\n");
        return 2;
    }
    (void)snprintf(url, sizeof url, "unix://%s", argv[2]);
    DIR *files = opendir(argv[3]);
    enum err_code code = files ? ERR_OK : err_errno(&e, ERR_CONFIG, "open %s", argv[3]);
    if (code == ERR_OK)
        code = spool_open(&(struct spool_options){.dir = argv[1]}, &s, &e);
    if (code == ERR_OK)
        code = redis_target_parse(url, &o.target, &e);
    if (code == ERR_OK)
        code = redis_open(&o, &r, &e);
    if (code == ERR_OK)
        code = add_all(s, r, files, &e);
    redis_close(r);
    redis_target_release(&o.target);
    spool_close(s);
    if (files)
        (void)closedir(files);
    if (code != ERR_OK)
        fprintf(stderr, "bench_upload_fill: %s\n", e.text);
    return code == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
