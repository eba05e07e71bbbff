/*
 * dest_s3_harness: one destination s3: at an s3_faulty, on a loop of the test's own.  `up` and `down` are the fixture.
 */
#ifndef HOIST_TESTS_INTEGRATION_DEST_S3_HARNESS_H
#define HOIST_TESTS_INTEGRATION_DEST_S3_HARNESS_H

#include "worker/s3/dest_s3.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/integration/dest_harness.h"
#include "tests/support/s3_faulty.h"

#define BODY "the bytes of the object"
#define PATH "/bucket/pre/a%20key"

static struct s3_faulty *s3;
static uv_loop_t loop;
static struct http *http;
static struct destination *dest;
static struct config_destination config;
static struct spool *spool; /* NULL but in tests that open one */

static inline void open_dest(void)
{
    struct err e = ERR_INIT;

    cr_assert(dest_s3_open(
                  &(struct dest_s3_options){
                      .loop = &loop, .http = http, .spool = spool, .config = &config},
                  &dest, &e) == ERR_OK,
              "%s", e.text);
}

/* Without what was learnt of the store, and without connections to it. */
static inline void open_afresh(void)
{
    struct err e = ERR_INIT;

    destination_release(dest);
    http_close(http);
    cr_assert(http_open(&loop, &http, &e) == ERR_OK, "%s", e.text);
    open_dest();
}

static inline void up(void)
{
    struct err e = ERR_INIT;

    s3 = s3_faulty_start();
    cr_assert(eq(int, uv_loop_init(&loop), 0));
    cr_assert(http_open(&loop, &http, &e) == ERR_OK, "%s", e.text);
    config = (struct config_destination){.name = "s3",
                                         .scheme = CONFIG_S3,
                                         .endpoint = (char *)s3_faulty_url(s3),
                                         .region = "us-east-1",
                                         .style = CONFIG_PATH_STYLE,
                                         .bucket = "bucket",
                                         .prefix = "pre",
                                         .access_key = "AKIDEXAMPLE",
                                         .secret_key = "secret",
                                         .conditional = true,
                                         .checksum = CONFIG_SHA256,
                                         .content_type = "application/octet-stream",
                                         .multipart_threshold = INT64_MAX,
                                         .part_concurrency = 4,
                                         .connect_timeout_seconds = 1,
                                         .stall_timeout_seconds = 1,
                                         .answer_timeout_seconds = 1};
    open_dest();
}

static inline void down(void)
{
    destination_release(dest);
    http_close(http);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(eq(int, uv_loop_close(&loop), 0), "nothing stays open");
    s3_faulty_stop(s3);
}

static inline struct dest_result deliver(const char *data)
{
    struct job j = dest_job("a key", data, strlen(data));
    struct dest_result r = dest_run(&loop, dest, &j, dest_data(data, strlen(data)));

    job_release(&j);
    return r;
}

static inline int stored(void)
{
    struct s3_faulty_object o;

    return s3_faulty_object(s3, PATH, &o) ? o.stored : 0;
}

#endif
