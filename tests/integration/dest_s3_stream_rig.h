/*
 * dest_s3_stream_rig: jobs whose bytes are a fake stream's, on the destination of dest_s3_harness.h.
 */
#ifndef HOIST_TESTS_INTEGRATION_DEST_S3_STREAM_RIG_H
#define HOIST_TESTS_INTEGRATION_DEST_S3_STREAM_RIG_H

#include "tests/integration/dest_s3_harness.h"

#include <stdio.h>

#include "shared/convert.h"
#include "tests/integration/stream_fake.h"

struct rig {
    struct stream_fake fake;
    struct dest_result result;
    struct job job;
    char path[256];
    struct destination_work work;
    struct destination_run *run;
};

/* A job of this key; NULL: that of what converters make of it, which is nobody else's. */
static inline void rig_job(struct rig *r, const char *key)
{
    struct err e = ERR_INIT;
    char own[CONVERT_KEY_SIZE];

    *r = (struct rig){.run = NULL};
    r->job = dest_job(key ? key : "x", "the upload", 10);
    cr_assert(job_set_type(&r->job, "image/png", 9, &e) == ERR_OK);
    if (!key) {
        r->job.convert = strdup("thumb");
        cr_assert(convert_key(&r->job, ".png", own, &e) == ERR_OK);
        cr_assert(job_set_key(&r->job, own, strlen(own), &e) == ERR_OK);
    }
    (void)snprintf(r->path, sizeof r->path, "/bucket/pre/%s", r->job.key);
    r->work = (struct destination_work){
        .job = &r->job, .fd = -1, .done = dest_on_done, .ctx = &r->result};
}

static inline void rig_begin(struct rig *r, int64_t size, int64_t burst,
                             enum fake_end end)
{
    stream_fake_open(&r->fake, &loop, size, burst, end);
    r->work.stream = &r->fake.base;
    r->run = destination_begin(dest, &r->work);
    cr_assert(r->run != NULL && r->result.calls == 0);
}

static inline void rig_wait(struct rig *r)
{
    while (r->result.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
}

static inline void rig_close(struct rig *r)
{
    stream_fake_close(&r->fake);
    job_release(&r->job);
    outcome_release(&r->result.outcome);
}

static inline struct s3_faulty_object rig_object(struct rig *r)
{
    struct s3_faulty_object o = {0};

    cr_assert(s3_faulty_object(s3, r->path, &o), "%s", r->path);
    return o;
}

/* The object is what was read, and the outcome says so. */
static inline void rig_expect_arrived(struct rig *r)
{
    cr_assert(r->result.outcome.done, "%s", r->result.outcome.error);
    struct s3_faulty_object o = rig_object(r);
    cr_expect(eq(i64, o.size, r->fake.size));
    cr_expect(eq(str, o.sha256, stream_fake_sha256(&r->fake)));
    cr_expect(eq(i64, r->result.outcome.sent, r->fake.size));
    cr_expect(eq(str, r->result.outcome.sha256, stream_fake_sha256(&r->fake)));
    cr_expect(r->result.outcome.url && r->result.outcome.etag);
    cr_expect(eq(int, o.stored, 1));
    cr_expect(eq(int, r->fake.stops, 0));
}

/* Nothing was made, and nothing is left of it. */
static inline void rig_expect_nothing(struct rig *r)
{
    struct s3_faulty_object o;

    cr_expect(not(r->result.outcome.done));
    cr_expect(not(s3_faulty_object(s3, r->path, &o)));
    cr_expect(eq(int, s3_faulty_unfinished(s3), 0));
}

#endif
