/*
 * spool_sample: a spool in the directory of one test, uploads to put into it, and a look at what stands on disk.
 *
 *     static struct spool_sample spool;
 *     static void up(void) { spool_sample_open(&spool); }
 *     static void down(void) { spool_sample_close(&spool); }
 */
#ifndef HOIST_TESTS_SUPPORT_SPOOL_SAMPLE_H
#define HOIST_TESTS_SUPPORT_SPOOL_SAMPLE_H

#include "shared/spool.h"
#include "tests/support/tmpdir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

struct spool_sample {
    struct tmpdir dir;
    char path[TMPDIR_FILE_MAX + 1]; /* dir/spool */
    struct spool *spool;
};

static inline void spool_sample_open_small(struct spool_sample *s, size_t small_bytes)
{
    struct err e = ERR_INIT;

    tmpdir_make(&s->dir);
    memcpy(s->path, tmpdir_file(&s->dir, "spool").path, sizeof s->path);
    struct spool_options o = {
        .dir = s->path, .durable = true, .small_bytes = small_bytes};
    cr_assert(eq(int, spool_open(&o, &s->spool, &e), ERR_OK), "%s", e.text);
}

/* Data and manifests have files of their own. */
static inline void spool_sample_open(struct spool_sample *s)
{
    spool_sample_open_small(s, 0);
}

static inline void spool_sample_close(struct spool_sample *s)
{
    spool_close(s->spool);
    s->spool = NULL;
    tmpdir_remove(&s->dir);
}

/* "<spool>/<name>", "" for the name of a part alone; valid until the next call but three. */
static inline const char *spool_sample_path(const struct spool_sample *s,
                                            const char *name)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", s->path, name);
    return path;
}

/* "<spool>/jobs/<id><suffix>" */
static inline const char *spool_sample_job_path(const struct spool_sample *s,
                                                const struct job_id *id,
                                                const char *suffix)
{
    char text[ID_JOB_MAX + 1], name[ID_JOB_MAX + 16];

    id_format_job(id, text);
    snprintf(name, sizeof name, "jobs/%s%s", text, suffix);
    return spool_sample_path(s, name);
}

/* How many entries stand in tmp/ or jobs/. */
static inline int spool_sample_count(const struct spool_sample *s, const char *part)
{
    DIR *stream = opendir(spool_sample_path(s, part));
    int count = 0;

    cr_assert(ne(ptr, stream, NULL));
    for (struct dirent *d; (d = readdir(stream));)
        count += d->d_name[0] != '.';
    closedir(stream);
    return count;
}

/* A job that only lacks what commit sets. */
static inline struct job spool_sample_job(const char *queue)
{
    struct job j = JOB_INIT;

    snprintf(j.id.queue, sizeof j.id.queue, "%s", queue);
    j.max_attempts = 10;
    j.to = strdup("default");
    j.key = strdup("a/key");
    return j;
}

/* Write and commit one upload; the caller releases the job. */
static inline struct job spool_sample_commit(const struct spool_sample *s,
                                             const char *queue, const void *data,
                                             size_t len)
{
    struct job j = spool_sample_job(queue);
    struct spool_upload u = SPOOL_UPLOAD_INIT;
    struct err e = ERR_INIT;

    cr_assert(not(spool_begin(s->spool, &u, &e)), "%s", e.text);
    cr_assert(not(spool_write(s->spool, &u, data, len, &e)), "%s", e.text);
    cr_assert(not(spool_commit(s->spool, &u, &j, 1, &e)), "%s", e.text);
    return j;
}

/* A file of this content, made behind the spool's back. */
static inline void spool_sample_plant(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s",
              path);
    close(fd);
}

#endif
