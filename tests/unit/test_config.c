/*
 * config: what a configuration may say and what becomes of it.  What is refused stands in
 * test_config_refused.c.
 */
#include "shared/config.h"

#include "shared/cleanup.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(config, .timeout = 60);

#define S3_KEYS "access_key = AK\nsecret_key = SK\n"

static void parse(struct config *c, const char *text, char *const *env)
{
    struct err e = ERR_INIT;

    config_init(c);
    cr_assert(eq(int, config_parse(c, "t.ini", text, env, &e), ERR_OK), "%s", e.text);
}

Test(config, nothing_configured_gives_the_documented_defaults)
{
    CLEANUP(config_release) struct config c;

    parse(&c, "", NULL);
    cr_expect(eq(str, c.redis.url, "redis://127.0.0.1:6379"));
    cr_expect(eq(str, c.redis.password, ""));
    cr_expect(eq(i64, c.redis.connect_timeout_ms, 1000));
    cr_expect(eq(i64, c.redis.timeout_ms, 1000));
    cr_expect(eq(str, c.spool.dir, "/var/spool/hoist"));
    cr_expect(eq(int, c.spool.durability, CONFIG_DISK));
    cr_expect(eq(i64, c.spool.reconcile_seconds, 30));
    cr_expect(eq(str, c.http.listen, "/run/hoist/fcgi.sock"));
    cr_expect(eq(i64, c.http.socket_mode, 0660));
    cr_expect(eq(i64, c.http.threads, 4));
    cr_expect(eq(i64, c.http.max_connections, 1024));
    cr_expect(eq(i64, c.http.max_part_header_bytes, 16 * 1024));
    cr_expect(eq(i64, c.http.max_field_bytes, 4 * 1024));
    cr_expect(eq(int, c.http.log_level, LOG_INFO));
    cr_expect(eq(str, c.worker.queues, "*"));
    cr_expect(eq(i64, c.worker.concurrency, 64));
    cr_expect(eq(i64, c.worker.drain_seconds, 30));
    cr_expect(eq(i64, c.worker.lease_ms, 10000));
}

Test(config, a_default_queue_and_a_default_destination_are_there_unasked)
{
    CLEANUP(config_release) struct config c;

    parse(&c, "[queue media]\n[destination x]\nurl=file:///x\n", NULL);
    cr_expect(eq(sz, c.queue_count, 2));
    cr_expect(eq(sz, c.destination_count, 2));
    const struct config_queue *q = config_find_queue(&c, "default", 7);
    cr_assert(ne(ptr, (void *)q, NULL));
    cr_expect(eq(str, q->to, "default"));
    cr_expect(eq(i64, q->priority, 5));
    cr_expect(eq(i64, q->max_attempts, 10));
    cr_expect(eq(i64, q->max_crashes, 3));
    cr_expect(eq(i64, q->max_bytes, INT64_C(5) << 30));
    cr_expect(eq(i64, q->retry_base_ms, 1000));
    cr_expect(eq(i64, q->retry_cap_ms, 300000));
    cr_expect(eq(i64, q->keep_done_seconds, 7 * 86400));
    cr_expect(eq(i64, q->keep_done_count, 100000));
    const struct config_destination *d = config_find_destination(&c, "default", 7);
    cr_assert(ne(ptr, (void *)d, NULL));
    cr_expect(eq(int, d->scheme, CONFIG_FILE));
    cr_expect(eq(str, d->dir, "/var/lib/hoist/objects"));
    cr_expect(eq(int, d->conditional, CONFIG_PROBE));
    cr_expect(eq(int, d->checksum, CONFIG_SHA256));
    cr_expect(eq(str, d->content_type, "application/octet-stream"));
    cr_expect(eq(i64, d->answer_timeout_seconds, 120));
}

Test(config, a_section_without_settings_declares_its_queue)
{
    CLEANUP(config_release) struct config c;

    parse(&c, "[queue media]", NULL);
    cr_assert(ne(ptr, (void *)config_find_queue(&c, "media", 5), NULL));
}

Test(config, names_are_found_by_their_length)
{
    CLEANUP(config_release) struct config c;

    parse(&c, "[queue media]\n", NULL);
    cr_expect(ne(ptr, (void *)config_find_queue(&c, "media.uuid", 5), NULL));
    cr_expect(eq(ptr, (void *)config_find_queue(&c, "media", 4), NULL));
    cr_expect(eq(ptr, (void *)config_find_queue(&c, "mediaX", 6), NULL));
    cr_expect(eq(ptr, (void *)config_find_queue(&c, "", 0), NULL));
    cr_expect(eq(ptr, (void *)config_find_destination(&c, "media", 5), NULL));
}

Test(config, the_form_of_the_text)
{
    CLEANUP(config_release) struct config c;

    parse(&c,
          "\xef\xbb\xbf# comment\n"
          "; comment\r\n"
          "\n"
          "[spool]   ; why\r\n"
          "  dir = /a b;c#d   ; a comment\r\n"
          "\tdurability:memory\n"
          "[http]\n"
          "   threads=8\n"
          "[spool]\n"
          "reconcile_seconds = 5",
          NULL);
    cr_expect(eq(str, c.spool.dir, "/a b;c#d"));
    cr_expect(eq(int, c.spool.durability, CONFIG_MEMORY));
    cr_expect(eq(i64, c.http.threads, 8));
    cr_expect(eq(i64, c.spool.reconcile_seconds, 5), "a section may be opened again");
}

Test(config, a_line_of_the_greatest_length_is_read_whole)
{
    CLEANUP(config_release) struct config c;
    char text[256] = "[spool]\ndir = /";
    size_t head = strlen("dir = /");

    memset(text + strlen(text), 'x', 197 - head);
    parse(&c, text, NULL);
    cr_expect(eq(sz, strlen(c.spool.dir), 197 - head + 1));
}

/* One setting in each of its ways to be written. */
static const struct {
    const char *text;
    size_t offset;
    int64_t want;
} numbers[] = {
    {"[http]\nmax_field_bytes = 64", offsetof(struct config, http.max_field_bytes), 64},
    {"[http]\nmax_field_bytes = 8k", offsetof(struct config, http.max_field_bytes),
     8192},
    {"[http]\nmax_field_bytes = 1M", offsetof(struct config, http.max_field_bytes),
     1 << 20},
    {"[queue default]\nmax_bytes = 5T", offsetof(struct config, queues[0].max_bytes),
     INT64_C(5) << 40},
    {"[queue default]\nmax_bytes = 0", offsetof(struct config, queues[0].max_bytes), 0},
    {"[redis]\ntimeout_ms = 250", offsetof(struct config, redis.timeout_ms), 250},
    {"[redis]\ntimeout_ms = 250ms", offsetof(struct config, redis.timeout_ms), 250},
    {"[redis]\ntimeout_ms = 2s", offsetof(struct config, redis.timeout_ms), 2000},
    {"[queue default]\nretry_base = 2",
     offsetof(struct config, queues[0].retry_base_ms), 2000},
    {"[queue default]\nretry_base = 2ms",
     offsetof(struct config, queues[0].retry_base_ms), 2},
    {"[worker]\ndrain_seconds = 90", offsetof(struct config, worker.drain_seconds), 90},
    {"[worker]\ndrain_seconds = 2m", offsetof(struct config, worker.drain_seconds),
     120},
    {"[worker]\ndrain_seconds = 2h", offsetof(struct config, worker.drain_seconds),
     7200},
    {"[worker]\ndrain_seconds = 3000ms", offsetof(struct config, worker.drain_seconds),
     3},
    {"[worker]\ndrain_seconds = 0", offsetof(struct config, worker.drain_seconds), 0},
    {"[queue default]\nkeep_done_seconds = 2d",
     offsetof(struct config, queues[0].keep_done_seconds), 172800},
    {"[http]\nsocket_mode = 600", offsetof(struct config, http.socket_mode), 0600},
    {"[worker]\nconcurrency = 1024", offsetof(struct config, worker.concurrency), 1024},
};

Test(config, sizes_durations_and_modes)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        CLEANUP(config_release) struct config c;
        int64_t got;
        parse(&c, numbers[i].text, NULL);
        memcpy(&got, (char *)&c + numbers[i].offset, sizeof got);
        cr_expect(eq(i64, got, numbers[i].want), "%s", numbers[i].text);
    }
}

Test(config, entries_of_worker_queues_with_and_without_weights)
{
    static const struct {
        const char *name;
        int64_t weight;
    } want[] = {{"media", 5}, {"docs", 0}, {"x", 1000}, {"y", -1}, {"z", -1}};
    const char *list = " media:5,docs\t, x:1000 ,,y:1001 z:+1";
    struct config_entry entry;

    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        cr_assert(config_next_entry(&list, &entry), "%s", want[i].name);
        cr_expect(eq(sz, entry.len, strlen(want[i].name)));
        cr_expect(eq(int, strncmp(entry.name, want[i].name, entry.len), 0));
        cr_expect(eq(i64, entry.weight, want[i].weight), "%s", want[i].name);
    }
    cr_expect(not(config_next_entry(&list, &entry)));
}

Test(config, booleans)
{
    static const char *const words[] = {"no",  "YES", "false", "True",
                                        "off", "on",  "0",     "1"};

    for (int i = 0; i < 8; i++) {
        CLEANUP(config_release) struct config c;
        char text[64];
        snprintf(text, sizeof text, "[destination default]\nconditional = %s\n",
                 words[i]);
        parse(&c, text, NULL);
        cr_expect(eq(int, c.destinations[0].conditional, i % 2), "%s", words[i]);
    }
}

/* One mark alone is enough. */
Test(config, a_low_mark_follows_its_high_one)
{
    static const struct {
        const char *high, *low;
        int64_t want;
    } rows[] = {{"", "", 90},
                {"high_water=80", "", 75},
                {"high_water=100", "", 95},
                {"high_water=6", "", 1},
                {"high_water=3", "", 1},
                {"high_water=1", "low_water=0", 1},
                {"high_water=80", "low_water=10", 10},
                {"high_water=80", "low_water=80", 80}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CLEANUP(config_release) struct config c;
        char text[128];
        snprintf(text, sizeof text, "[redis]\n%s\n%s\n[spool]\n%s\n%s\n",
                 i ? rows[i].high : "high_water=95", rows[i].low, rows[i].high,
                 rows[i].low);
        parse(&c, text, NULL);
        cr_expect(eq(i64, c.spool.low_water, rows[i].want), "%s", text);
        cr_expect(eq(i64, c.redis.low_water, rows[i].want), "%s", text);
    }
}

/* It was yes or no once. */
Test(config, checksums)
{
    static const struct {
        const char *word;
        enum config_checksum want;
    } rows[] = {
        {"sha256", CONFIG_SHA256},  {"crc32c", CONFIG_CRC32C},
        {"no", CONFIG_NO_CHECKSUM}, {"yes", CONFIG_SHA256},
        {"True", CONFIG_SHA256},    {"off", CONFIG_NO_CHECKSUM},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CLEANUP(config_release) struct config c;
        char text[64];
        snprintf(text, sizeof text, "[destination default]\nchecksum = %s\n",
                 rows[i].word);
        parse(&c, text, NULL);
        cr_expect(eq(int, c.destinations[0].checksum, rows[i].want), "%s",
                  rows[i].word);
    }
}

static const struct {
    const char *label, *settings, *bucket, *prefix, *endpoint;
    enum config_style style;
} s3[] = {
    {"Amazon", "url=s3://ups", "ups", "", "https://s3.us-east-1.amazonaws.com",
     CONFIG_VIRTUAL_STYLE},
    {"another region", "url=s3://ups\nregion=eu-west-1", "ups", "",
     "https://s3.eu-west-1.amazonaws.com", CONFIG_VIRTUAL_STYLE},
    {"own endpoint", "url=s3://ups\nendpoint=http://127.0.0.1:9000", "ups", "",
     "http://127.0.0.1:9000", CONFIG_PATH_STYLE},
    {"IPv6", "url=s3://ups\nendpoint=https://[::1]:9000", "ups", "",
     "https://[::1]:9000", CONFIG_PATH_STYLE},
    {"style asked for", "url=s3://ups\nstyle=path", "ups", "",
     "https://s3.us-east-1.amazonaws.com", CONFIG_PATH_STYLE},
    {"virtual asked for", "url=s3://ups\nendpoint=http://s3.test\nstyle=virtual", "ups",
     "", "http://s3.test", CONFIG_VIRTUAL_STYLE},
    {"a bucket with dots", "url=s3://my.up", "my.up", "",
     "https://s3.us-east-1.amazonaws.com", CONFIG_PATH_STYLE},
    {"prefix", "url=s3://ups/a/b-c", "ups", "a/b-c",
     "https://s3.us-east-1.amazonaws.com", CONFIG_VIRTUAL_STYLE},
    {"prefix with slashes around", "url=s3://ups//a/b//", "ups", "a/b",
     "https://s3.us-east-1.amazonaws.com", CONFIG_VIRTUAL_STYLE},
    {"bucket with a slash", "url=s3://ups/", "ups", "",
     "https://s3.us-east-1.amazonaws.com", CONFIG_VIRTUAL_STYLE},
};

Test(config, what_follows_from_an_s3_url)
{
    for (size_t i = 0; i < sizeof s3 / sizeof s3[0]; i++) {
        CLEANUP(config_release) struct config c;
        char text[300];
        snprintf(text, sizeof text, "[destination x]\n" S3_KEYS "%s\n", s3[i].settings);
        parse(&c, text, NULL);
        const struct config_destination *d = &c.destinations[0];
        cr_expect(eq(int, d->scheme, CONFIG_S3), "%s", s3[i].label);
        cr_expect(eq(str, d->bucket, (char *)s3[i].bucket), "%s", s3[i].label);
        cr_expect(eq(str, d->prefix, (char *)s3[i].prefix), "%s", s3[i].label);
        cr_expect(eq(str, d->endpoint, (char *)s3[i].endpoint), "%s", s3[i].label);
        cr_expect(eq(int, d->style, s3[i].style), "%s", s3[i].label);
    }
}

Test(config, a_directory_loses_the_slashes_at_its_end)
{
    CLEANUP(config_release) struct config c;

    parse(&c,
          "[destination default]\nurl=file:///a/b//\n[destination r]\nurl=file:///\n",
          NULL);
    cr_expect(eq(str, c.destinations[0].dir, "/a/b"));
    cr_expect(eq(str, c.destinations[1].dir, "/"));
}

Test(config, the_environment_wins_over_the_file)
{
    CLEANUP(config_release) struct config c;
    char *env[] = {"PATH=/bin",
                   "HOIST_SPOOL_DIR=/env",
                   "HOIST_QUEUE_BIG_FILES_MAX_BYTES=9G",
                   "HOIST_DESTINATION_DEFAULT_URL=file:///env",
                   "HOIST_HTTP_THREADS=",
                   "HOIST_SPOOL_DIR_X=/no",
                   NULL};

    parse(&c,
          "[spool]\ndir=/file\n[queue big-files]\nmax_bytes=1G\n[http]\nthreads=7\n",
          env);
    cr_expect(eq(str, c.spool.dir, "/env"));
    cr_expect(eq(i64, c.queues[0].max_bytes, INT64_C(9) << 30));
    cr_expect(eq(str, c.destinations[0].dir, "/env"));
    cr_expect(eq(i64, c.http.threads, 7), "an empty variable counts as not set");
}

Test(config, variables_of_scripts_and_of_undeclared_sections_are_left_alone)
{
    CLEANUP(config_release) struct config c;
    char *env[] = {"HOIST_STATE=x",   "HOIST_LISTEN=y",     "HOIST_WEB=nginx",
                   "HOIST_WORKERS=3", "HOIST_CONF=/c",      "HOIST_BUILD=b",
                   "HOIST_=",         "HOIST_QUEUE_X_TO=y", NULL};

    parse(&c, "", env);
    cr_expect(eq(sz, c.queue_count, 1));
}

Test(config, keys_of_s3_may_come_from_the_environment_alone)
{
    CLEANUP(config_release) struct config c;
    char *env[] = {"HOIST_DESTINATION_DEFAULT_URL=s3://bucket",
                   "HOIST_DESTINATION_DEFAULT_ACCESS_KEY=AK",
                   "HOIST_DESTINATION_DEFAULT_SECRET_KEY=S K", NULL};

    parse(&c, "", env);
    cr_expect(eq(str, c.destinations[0].access_key, "AK"));
    cr_expect(eq(str, c.destinations[0].secret_key, "S K"));
}

Test(config, a_secret_of_the_environment_replaces_a_file_of_the_file)
{
    CLEANUP(config_release) struct config c;
    char *env[] = {"HOIST_REDIS_PASSWORD=from-env", NULL};

    parse(&c, "[redis]\npassword_file = /does/not/exist\n", env);
    cr_expect(eq(str, c.redis.password, "from-env"));
}

Test(config, a_failed_parse_keeps_what_was_there)
{
    CLEANUP(config_release) struct config c;
    struct err e = ERR_INIT;

    parse(&c, "[spool]\ndir=/old\n", NULL);
    cr_expect(eq(int, config_parse(&c, "t.ini", "[spool]\ndir=/new\ndir=x\n", NULL, &e),
                 ERR_CONFIG));
    cr_expect(eq(str, c.spool.dir, "/old"));
    cr_expect(
        eq(int, config_parse(&c, "t.ini", "[spool]\ndir=/new\n", NULL, &e), ERR_OK));
    cr_expect(eq(str, c.spool.dir, "/new"));
}
