/*
 * dest_http_harness: one destination http: at an http_sink, on a loop of the test's own.  `up` and `down` are the fixture.
 */
#ifndef HOIST_TESTS_INTEGRATION_DEST_HTTP_HARNESS_H
#define HOIST_TESTS_INTEGRATION_DEST_HTTP_HARNESS_H

#include "worker/dest/dest_http.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shared/clock.h"
#include "tests/integration/dest_harness.h"
#include "tests/support/http_sink.h"

#define BODY "the bytes of the object"

static struct http_sink *sink;
static uv_loop_t loop;
static struct http *http;
static struct destination *dest;
static struct config_destination config;
static char base[128];

static inline void up(void)
{
    struct err e = ERR_INIT;

    sink = http_sink_start();
    cr_assert(eq(int, uv_loop_init(&loop), 0));
    cr_assert(http_open(&loop, &http, &e) == ERR_OK, "%s", e.text);
    (void)snprintf(base, sizeof base, "%s/in", http_sink_url(sink));
    config = (struct config_destination){.name = "h",
                                         .scheme = CONFIG_HTTP,
                                         .url = base,
                                         .base = base,
                                         .conditional = true,
                                         .content_type = "application/octet-stream",
                                         .connect_timeout_seconds = 5,
                                         .stall_timeout_seconds = 5,
                                         .answer_timeout_seconds = 5};
    cr_assert(
        dest_http_open(
            &(struct dest_http_options){.loop = &loop, .http = http, .config = &config},
            &dest, &e) == ERR_OK,
        "%s", e.text);
}

static inline void down(void)
{
    destination_release(dest);
    http_close(http);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(eq(int, uv_loop_close(&loop), 0), "nothing stays open");
    http_sink_stop(sink);
}

static inline struct dest_result deliver_as(const char *key, const void *data,
                                            size_t size)
{
    struct job j = dest_job(key, data, size);
    struct err e = ERR_INIT;

    cr_assert(job_set_type(&j, "text/plain", 10, &e) == ERR_OK);
    cr_assert(job_add_meta(&j, "where", 5, "Köln", strlen("Köln"), &e) == ERR_OK);
    struct dest_result r = dest_run(&loop, dest, &j, dest_data(data, size));
    job_release(&j);
    return r;
}

static inline struct dest_result deliver(void)
{
    return deliver_as("a dir/a key.txt", BODY, strlen(BODY));
}

/* The same with the key of a job that asked for none. */
static inline struct dest_result deliver_default_key(void)
{
    struct job j = dest_job("k", BODY, strlen(BODY));
    struct err e = ERR_INIT;

    cr_assert(job_set_key(&j, j.id.uuid.text, ID_UUID_LEN, &e) == ERR_OK);
    struct dest_result r = dest_run(&loop, dest, &j, dest_data(BODY, strlen(BODY)));
    job_release(&j);
    return r;
}

static inline struct http_sink_request request(size_t index)
{
    struct http_sink_request r;

    cr_assert(http_sink_request(sink, index, &r), "request %zu came", index);
    return r;
}

static inline void expect_header(const struct http_sink_request *r, const char *name,
                                 const char *value)
{
    char text[512] = "(did not come)";

    (void)http_sink_header(r, name, text, sizeof text);
    cr_expect(eq(str, text, (char *)value), "%s", name);
}

static inline void expect_failure(struct dest_result r, const char *class,
                                  const char *text)
{
    cr_assert(not(r.outcome.done));
    cr_assert(not(r.outcome.aborted));
    cr_expect(eq(str, (char *)r.outcome.error_class, (char *)class), "%s",
              r.outcome.error);
    cr_expect(strstr(r.outcome.error, text) != NULL, "%s", r.outcome.error);
    outcome_release(&r.outcome);
}

static inline void expect_done(struct dest_result r)
{
    cr_expect(r.outcome.done, "%s", r.outcome.error);
    cr_expect(eq(i64, r.outcome.sent, strlen(BODY)));
    outcome_release(&r.outcome);
}

#endif
