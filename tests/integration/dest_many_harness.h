/*
 * dest_many_harness: the destinations a, b (directories), h (PUT) and p (POST, both at an http_sink), opened as the worker does,
 * on a loop of the test's own.  `up` and `down` are the fixture.
 */
#ifndef HOIST_TESTS_INTEGRATION_DEST_MANY_HARNESS_H
#define HOIST_TESTS_INTEGRATION_DEST_MANY_HARNESS_H

#include "worker/dest/destinations.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/integration/dest_harness.h"
#include "tests/support/http_sink.h"
#include "tests/support/tmpdir.h"

#define BODY "the bytes of the object"

static struct http_sink *sink;
static struct tmpdir dir;
static struct config config;
static struct spool *spool;
static uv_loop_t loop;
static struct worker_env env;
static struct destinations *destinations;

static inline void up(void)
{
    struct err e = ERR_INIT;
    char text[2048];

    sink = http_sink_start();
    tmpdir_make(&dir);
    (void)snprintf(text, sizeof text,
                   "[destination a]\nurl = file://%s/a\n[destination b]\nurl = "
                   "file://%s/b\n[destination h]\nurl = %s/in\n[destination p]\nurl = "
                   "%s/hook\nmethod = POST\n[destination default]\nurl = file://%s/d\n",
                   dir.path, dir.path, http_sink_url(sink), http_sink_url(sink),
                   dir.path);
    config_init(&config);
    cr_assert(config_parse(&config, "t.ini", text, NULL, &e) == ERR_OK, "%s", e.text);
    struct tmpdir_file at = tmpdir_file(&dir, "spool");
    cr_assert(spool_open(&(struct spool_options){.dir = at.path}, &spool, &e) == ERR_OK,
              "%s", e.text);
    cr_assert(eq(int, uv_loop_init(&loop), 0));
    env = (struct worker_env){.loop = &loop, .config = &config, .spool = spool};
    cr_assert(destinations_open(&env, &destinations, &e) == ERR_OK, "%s", e.text);
}

static inline void down(void)
{
    destinations_close(destinations);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(eq(int, uv_loop_close(&loop), 0), "nothing stays open");
    spool_close(spool);
    config_release(&config);
    tmpdir_remove(&dir);
    http_sink_stop(sink);
}

static inline struct job job_to(const char *to)
{
    struct job j = dest_job("k", BODY, strlen(BODY));

    j.to = strdup(to);
    return j;
}

static inline struct destination *find(const struct job *j)
{
    struct destination *d = destinations_route(destinations, j);

    cr_assert(d != NULL, "%s", j->to);
    return d;
}

static inline struct dest_result deliver(const struct job *j)
{
    return dest_run(&loop, find(j), j, dest_data(BODY, strlen(BODY)));
}

/* Whether dir/in/k holds the bytes. */
static inline bool is_in(const char *in)
{
    char path[512], text[64] = "";

    (void)snprintf(path, sizeof path, "%s/%s/k", dir.path, in);
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    size_t len = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    return len == strlen(BODY) && strcmp(text, BODY) == 0;
}

#endif
