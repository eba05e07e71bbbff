/*
 * dest_harness: run one job through a destination on a loop of the test's own, without Redis or a worker.
 */
#ifndef HOIST_TESTS_INTEGRATION_DEST_HARNESS_H
#define HOIST_TESTS_INTEGRATION_DEST_HARNESS_H

#include "worker/dest/destination.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/digest.h"

struct dest_result {
    struct outcome outcome; /* strings owned; outcome_release */
    int calls;              /* of done */
};

static inline void dest_on_done(struct outcome *o, void *ctx)
{
    struct dest_result *r = ctx;

    r->outcome = *o;
    memset(o, 0, sizeof *o);
    r->calls++;
}

/* A job with these bytes; key as given. */
static inline struct job dest_job(const char *key, const void *data, size_t size)
{
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;

    (void)memcpy(j.id.queue, "default", sizeof "default");
    j.id.uuid = id_new();
    j.size = (int64_t)size;
    j.sha256 = malloc(DIGEST_SHA256_HEX + 1);
    cr_assert(j.sha256 && digest_sha256_hex(data, size, j.sha256, &e) == ERR_OK);
    j.crc32c = malloc(9);
    cr_assert(j.crc32c &&
              snprintf(j.crc32c, 9, "%08" PRIx32, digest_crc32c(0, data, size)) == 8);
    cr_assert(job_set_key(&j, key, strlen(key), &e) == ERR_OK, "%s", e.text);
    cr_assert(job_set_name(&j, "Grüße 1.txt", strlen("Grüße 1.txt"), &e) == ERR_OK);
    return j;
}

/* A descriptor with these bytes. */
static inline int dest_data(const void *data, size_t size)
{
    int fd = memfd_create("spool", MFD_CLOEXEC);

    cr_assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    return fd;
}

/* Run to the end; exactly one done. */
static inline struct dest_result dest_run(uv_loop_t *loop, struct destination *d,
                                          const struct job *j, int fd)
{
    struct dest_result r = {0};
    struct destination_work w = {.job = j, .fd = fd, .done = dest_on_done, .ctx = &r};
    struct destination_run *run = destination_begin(d, &w);

    cr_assert(run && r.calls == 0, "done is never called from inside begin");
    while (r.calls == 0)
        (void)uv_run(loop, UV_RUN_ONCE);
    cr_assert(r.calls == 1);
    return r;
}

#endif
