/*
 * credentials_harness: the keys of one destination, on a loop of the test's own, from metadata_fake.  `up` and `down` are the
 * fixture; a test fills config and env in, then calls open_keys.
 */
#ifndef HOIST_TESTS_INTEGRATION_CREDENTIALS_HARNESS_H
#define HOIST_TESTS_INTEGRATION_CREDENTIALS_HARNESS_H

#include "worker/keys/credentials.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

#include "shared/clock.h"
#include "tests/support/metadata_fake.h"
#include "tests/support/tmpdir.h"

enum { ENV_MAX = 8, DEADLINE_MS = 20000 };

static struct metadata_fake *fake;
static struct tmpdir dir;
static uv_loop_t loop;
static struct http *http;
static struct config_destination config;
static char env_texts[ENV_MAX][512];
static char *env[ENV_MAX + 1];
static size_t env_count;
static struct credentials *keys;
static uv_timer_t tick; /* so that a turn of the loop ends soon */

static inline void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static inline void up(void)
{
    struct err e = ERR_INIT;

    fake = metadata_fake_start();
    tmpdir_make(&dir);
    cr_assert(eq(int, uv_loop_init(&loop), 0));
    (void)uv_timer_init(&loop, &tick);
    (void)uv_timer_start(&tick, on_tick, 5, 5);
    cr_assert(http_open(&loop, &http, &e) == ERR_OK, "%s", e.text);
    config =
        (struct config_destination){.name = "s3",
                                    .scheme = CONFIG_S3,
                                    .credentials = CONFIG_KEYS_IMDS,
                                    .region = "eu-central-1",
                                    .imds_endpoint = (char *)metadata_fake_url(fake)};
}

static inline void down(void)
{
    credentials_close(keys);
    http_close(http);
    uv_close((uv_handle_t *)&tick, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(eq(int, uv_loop_close(&loop), 0), "nothing stays open");
    metadata_fake_stop(fake);
    tmpdir_remove(&dir);
}

/* NAME=value; before open_keys. */
static inline void set_env(const char *name, const char *value)
{
    cr_assert(env_count < ENV_MAX);
    (void)snprintf(env_texts[env_count], sizeof env_texts[0], "%s=%s", name, value);
    env[env_count] = env_texts[env_count];
    env_count++;
}

static inline void open_keys(void)
{
    struct credentials_options o = {
        .loop = &loop, .http = http, .config = &config, .env = env};
    struct err e = ERR_INIT;

    cr_assert(credentials_open(&o, &keys, &e) == ERR_OK, "%s", e.text);
}

static inline void on_told(void *ctx)
{
    ++*(int *)ctx;
}

/* Wait until it is known whether there are keys: the access key, or "". */
static inline const char *await_key(void)
{
    int told = 0;
    struct credentials_wait w = {.done = on_told, .ctx = &told};

    credentials_await(keys, &w);
    cr_assert(eq(int, told, 0), "never from inside");
    while (!told)
        (void)uv_run(&loop, UV_RUN_ONCE);
    struct sigv4_key *key = credentials_key(keys);
    return key ? key->access_key : "";
}

/* Turn the loop until the access key is this one. */
static inline bool becomes(const char *access_key)
{
    int64_t until = clock_mono_ms() + DEADLINE_MS;

    while (clock_mono_ms() < until) {
        struct sigv4_key *key = credentials_key(keys);
        if (key && strcmp(key->access_key, access_key) == 0)
            return true;
        (void)uv_run(&loop, UV_RUN_ONCE);
    }
    return false;
}

static inline int asked(enum metadata_request kind)
{
    return metadata_fake_count(fake, kind);
}

#endif
