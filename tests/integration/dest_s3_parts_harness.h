/*
 * dest_s3_parts_harness: dest_s3_harness with a spool of its own for journals, and one job whose bytes make PARTS parts, the
 * last of them smaller.
 */
#ifndef HOIST_TESTS_INTEGRATION_DEST_S3_PARTS_HARNESS_H
#define HOIST_TESTS_INTEGRATION_DEST_S3_PARTS_HARNESS_H

#include "tests/integration/dest_s3_harness.h"

#include "shared/spool_parts.h"
#include "tests/support/tmpdir.h"

enum { PART = 100 * 1000, PARTS = 6, SIZE = (PARTS - 1) * PART + 1234 };

static char *parts_bytes;
static struct job parts_job;
static struct tmpdir parts_dir;

static inline void open_spool(void)
{
    struct err e = ERR_INIT;
    struct tmpdir_file dir = tmpdir_file(&parts_dir, "spool");

    cr_assert(spool_open(&(struct spool_options){.dir = dir.path}, &spool, &e) ==
                  ERR_OK,
              "%s", e.text);
}

static inline void parts_up(void)
{
    up();
    tmpdir_make(&parts_dir);
    open_spool();
    config.multipart_threshold = PART;
    config.part_size = PART;
    open_afresh();
    parts_bytes = malloc(SIZE);
    cr_assert(parts_bytes != NULL);
    for (int i = 0; i < SIZE; i++)
        parts_bytes[i] = (char)(i * 7 + i / 251);
    parts_job = dest_job("a key", parts_bytes, SIZE);
}

static inline void parts_down(void)
{
    job_release(&parts_job);
    free(parts_bytes);
    down();
    spool_close(spool);
    tmpdir_remove(&parts_dir);
}

static inline struct dest_result deliver_parts(void)
{
    return dest_run(&loop, dest, &parts_job, dest_data(parts_bytes, SIZE));
}

/* How many there are. */
static inline int journals(void)
{
    struct spool_parts_id ids[16];
    size_t count = 0;
    struct err e = ERR_INIT;

    cr_assert(spool_parts_list(spool, NULL, ids, 16, &count, &e) == ERR_OK, "%s",
              e.text);
    return (int)count;
}

#endif
