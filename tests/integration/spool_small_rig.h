/*
 * spool_small_rig: a spool with small uploads, and what stands there.
 */
#ifndef HOIST_TESTS_INTEGRATION_SPOOL_SMALL_RIG_H
#define HOIST_TESTS_INTEGRATION_SPOOL_SMALL_RIG_H

#include "tests/support/spool_sample.h"

enum { SMALL = 100, DAY_MS = 24 * 3600 * 1000 };

static struct spool_sample spool;

static inline void up(void)
{
    spool_sample_open_small(&spool, SMALL);
}

static inline void down(void)
{
    spool_sample_close(&spool);
}

static inline bool is_there(const struct job_id *id, const char *suffix)
{
    return access(spool_sample_job_path(&spool, id, suffix), F_OK) == 0;
}

/* The bytes of a job, as a worker reads them. */
static inline bool holds(const struct job_id *id, const char *want, size_t len)
{
    struct err e = ERR_INIT;
    char *got = malloc(len + 2);
    int fd = -1;

    cr_assert(not(spool_open_data(spool.spool, id, (int64_t)len, &fd, &e)), "%s",
              e.text);
    ssize_t n = read(fd, got, len + 1);
    close(fd);
    bool same = n == (ssize_t)len && memcmp(got, want, len) == 0;
    free(got);
    return same;
}

static inline bool manifest_says(const struct job_id *id, int64_t size)
{
    struct err e = ERR_INIT;
    struct job j = JOB_INIT;
    bool missing;

    cr_assert(not(spool_read_manifest(spool.spool, id, &j, &missing, &e)), "%s",
              e.text);
    bool yes = j.size == size && strcmp(j.key, "a/key") == 0;
    job_release(&j);
    return yes;
}

static inline void refuses(const struct job_id *id, int64_t size, const char *why)
{
    struct err e = ERR_INIT;
    int fd = -1;

    cr_expect(eq(int, spool_open_data(spool.spool, id, size, &fd, &e), ERR_REJECT),
              "%s", e.text);
    cr_expect(strstr(e.text, why) != NULL, "%s", e.text);
    cr_expect(eq(int, fd, -1));
}

#endif
