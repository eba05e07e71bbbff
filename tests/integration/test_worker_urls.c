/*
 * Jobs whose bytes are at a URL, in hoist-worker as it ships: what becomes an object, and what never does.
 */
#include "tests/integration/worker_rig.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shared/clock.h"
#include "shared/digest.h"
#include "tests/support/url_server.h"
#include "tests/support/wait_until.h"

enum { MANY = 3 * 1000 * 1000 };

#define ON "[fetch]\nenabled = yes\nallow = 127.0.0.1\n"
#define SWIFT "[spool]\nreconcile_seconds = 1\n"

static struct worker_rig rig;
static struct url_server server;

static const struct url_page pages[] = {
    {.path = "/a", .size = 100, .fields = "Content-Type: image/png\r\n"},
    {.path = "/empty", .size = 0},
    {.path = "/many", .size = MANY, .ranges = true, .cut = 1000000, .cuts = 1},
    {.path = "/chunked", .size = 50000, .chunked = true},
    {.path = "/short", .size = 100, .length = "101"},
    {.path = "/long", .size = 101, .length = "100"},
    {.path = "/open_end", .size = 5000, .chunked = true, .cut = 4000, .cuts = 999},
    {.path = "/gone", .status = "410 Gone"},
    {.path = "/forbidden", .status = "403 Forbidden"},
    {.path = "/to_metadata",
     .status = "302 Found",
     .location = "http://169.254.169.254/latest/"},
    {.path = "/drip", .size = 100000, .drip_ms = 20},
    {.path = NULL},
};

static void up(const char *settings)
{
    url_server_start(&server, pages);
    rig_up(&rig, settings);
}

static void down(void)
{
    rig_down(&rig);
    url_server_stop(&server);
}

TestSuite(worker_urls, .fini = down, .timeout = 120);

/* --- help --- */

static struct job new_job(const char *host, const char *path)
{
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    char url[256];

    (void)snprintf(url, sizeof url, "http://%s:%d%s", host, server.port, path);
    (void)snprintf(j.id.queue, sizeof j.id.queue, "default");
    j.id.uuid = id_new();
    j.created = clock_wall_ms();
    j.max_attempts = 3;
    j.source = strdup("url");
    j.source_url = strdup(url);
    j.to = strdup("default");
    cr_assert(job_set_name(&j, "x", 1, &e) == ERR_OK);
    cr_assert(job_set_key(&j, j.id.uuid.text, ID_UUID_LEN, &e) == ERR_OK);
    return j;
}

/* Its manifest, and the job in the queue. */
static struct job_id put_job(struct job *j)
{
    struct err e = ERR_INIT;
    enum queue_answer answer;
    struct job_id id = j->id;

    cr_assert(spool_promise(rig.spool, j, &e) == ERR_OK, "%s", e.text);
    cr_assert(queue_enqueue(rig.client, j, &answer, &e) == ERR_OK, "%s", e.text);
    cr_assert(answer == QUEUE_OK);
    job_release(j);
    return id;
}

static struct job_id put(const char *path)
{
    struct job j = new_job("127.0.0.1", path);

    return put_job(&j);
}

/* How many files there are below the destination. */
static int count_objects(void)
{
    DIR *dir = opendir(rig.objects.path);
    int count = 0;

    for (struct dirent *d; dir && (d = readdir(dir));)
        count += d->d_name[0] != '.';
    if (dir)
        (void)closedir(dir);
    return count;
}

static bool object_is_pattern(const struct job_id *id, size_t size)
{
    char path[512], *data = malloc(size + 1);
    bool same;

    (void)snprintf(path, sizeof path, "%s/%s", rig.objects.path, id->uuid.text);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;
    size_t len = 0;
    while (fd >= 0 && (n = read(fd, data + len, size + 1 - len)) > 0)
        len += (size_t)n;
    same = fd >= 0 && len == size;
    for (size_t i = 0; same && i < size; i++)
        same = data[i] == url_server_byte(i);
    if (fd >= 0)
        (void)close(fd);
    free(data);
    return same;
}

static void expect_done(const struct job_id *id, size_t size)
{
    cr_assert(rig_wait_state(&rig, id, "done", 20000), "%s",
              rig_field(&rig, id, "error"));
    cr_expect(object_is_pattern(id, size));
    cr_expect(eq(i64, rig_number(&rig, id, "bytes"), (int64_t)size));
    cr_expect(eq(i64, rig_number(&rig, id, "sent"), (int64_t)size));
    cr_expect(eq(sz, strlen(rig_field(&rig, id, "sha256")), DIGEST_SHA256_HEX));
    cr_expect(rig_wait_unspooled(&rig, id, 5000), "its manifest stays");
}

static void expect_dead(const struct job_id *id, int attempts, const char *error)
{
    cr_assert(rig_wait_state(&rig, id, "dead", 20000));
    const char *text = rig_field(&rig, id, "error");
    cr_expect(strstr(text, error) != NULL, "'%s', not '%s'", text, error);
    cr_expect(eq(str, (char *)rig_field(&rig, id, "error_class"), "fetch"));
    cr_expect(eq(i64, rig_number(&rig, id, "attempts"), attempts));
    cr_expect(not(rig_wait_unspooled(&rig, id, 0)), "its manifest is kept");
}

/* --- what comes of it --- */

Test(worker_urls, what_is_there_becomes_the_object_and_its_size_and_sum_the_jobs)
{
    up(ON);
    rig_start(&rig, "a");
    struct job_id id = put("/a"), empty = put("/empty"), chunked = put("/chunked");
    expect_done(&id, 100);
    expect_done(&empty, 0);
    expect_done(&chunked, 50000);
}

Test(worker_urls, what_broke_off_goes_on_within_the_attempt)
{
    up(ON);
    rig_start(&rig, "a");
    struct job_id id = put("/many");
    expect_done(&id, MANY);
    cr_expect(eq(i64, rig_number(&rig, &id, "attempts"), 1));
}

Test(worker_urls, a_server_that_lies_about_its_length_gives_no_object)
{
    up(ON);
    rig_start(&rig, "a");
    struct job_id less = put("/short"), more = put("/long"),
                  open_end = put("/open_end");
    expect_dead(&less, 3, "broke off after 100 bytes");
    expect_dead(&more, 3, "more than the 100 bytes");
    expect_dead(&open_end, 3, "broke off after 4000 bytes");
    cr_expect(eq(int, count_objects(), 0));
}

Test(worker_urls, what_is_gone_or_not_allowed_is_tried_once)
{
    up("[fetch]\nenabled = yes\nallow = 127.0.0.1\ndeny = localhost\n");
    rig_start(&rig, "a");
    struct job named = new_job("localhost", "/a");
    struct job_id gone = put("/gone"), far = put("/to_metadata"),
                  denied = put_job(&named);
    expect_dead(&gone, 1, "the server answered 410");
    expect_dead(&far, 1, "not allowed: its address is that of a metadata service");
    expect_dead(&denied, 1, "not allowed: it is on the deny list");
    cr_expect(eq(int, count_objects(), 0));
}

Test(worker_urls, a_name_that_points_inside_is_not_connected_to)
{
    up("[fetch]\nenabled = yes\n");
    rig_start(&rig, "a");
    struct job named = new_job("localhost", "/a");
    struct job_id id = put_job(&named);
    expect_dead(&id, 1, "not allowed: its address is not of the public Internet");
    cr_expect(eq(int, atomic_load(&server.requests), 0));
}

Test(worker_urls, what_an_operator_can_mend_waits_for_it)
{
    up("");
    rig_start(&rig, "a");
    struct job_id id = put("/a");
    cr_assert(WAIT_UNTIL(strstr(rig_field(&rig, &id, "error"), "not enabled") != NULL,
                         10000));
    cr_expect(eq(int, atomic_load(&server.requests), 0));
}

Test(worker_urls, a_promise_that_redis_has_forgotten_is_kept)
{
    up(ON SWIFT);
    struct job_id id = put("/a");
    free(redis_fixture_ask(&rig.redis, "FLUSHALL", NULL));
    rig_start(&rig, "a");
    expect_done(&id, 100);
}

Test(worker_urls, a_manifest_that_outlived_its_end_goes_once_the_object_was_seen)
{
    struct err e = ERR_INIT;
    char key[128];

    up(ON SWIFT);
    rig_start(&rig, "a");
    struct job j = new_job("127.0.0.1", "/a"), again = JOB_INIT;
    cr_assert(job_copy(&j, &again, &e) == ERR_OK);
    struct job_id id = put_job(&j);
    expect_done(&id, 100);
    cr_assert(spool_promise(rig.spool, &again, &e) == ERR_OK, "%s", e.text);
    (void)snprintf(key, sizeof key, "hoist:{default}:job:%s", id.uuid.text);
    free(redis_fixture_ask(&rig.redis, "HSET", key, "ended", "5", NULL)); /* long ago */
    cr_expect(rig_wait_unspooled(&rig, &id, 15000));
    cr_expect(eq(int, atomic_load(&server.requests), 1), "nothing was fetched again");
    job_release(&again);
}

#define CONVERTERS                                                                     \
    "[converter same]\nrun = cat\ntype = text/plain\n[converter first]\n"              \
    "run = head -c 10\n[converter fails]\nrun = false\n"

static struct job_id put_converted(const char *path, const char *convert)
{
    struct job j = new_job("127.0.0.1", path);

    j.convert = strdup(convert);
    return put_job(&j);
}

Test(worker_urls, what_is_fetched_goes_through_converters)
{
    up(ON CONVERTERS);
    rig_start(&rig, "a");
    struct job_id same = put_converted("/many", "same,same");
    struct job_id first = put_converted("/chunked", "first");
    expect_done(&same, MANY);
    expect_done(&first, 10);
}

Test(worker_urls, what_converters_make_of_a_lie_is_no_object)
{
    up(ON CONVERTERS);
    rig_start(&rig, "a");
    struct job_id less = put_converted("/open_end", "same");
    struct job_id early = put_converted("/open_end", "first");
    struct job_id fails = put_converted("/a", "fails");
    cr_assert(rig_wait_state(&rig, &less, "dead", 20000));
    cr_assert(rig_wait_state(&rig, &early, "dead", 20000));
    cr_assert(rig_wait_state(&rig, &fails, "dead", 20000));
    cr_expect(strstr(rig_field(&rig, &less, "error"), "broke off after 4000") != NULL,
              "%s", rig_field(&rig, &less, "error"));
    cr_expect(strstr(rig_field(&rig, &early, "error"), "broke off after 4000") != NULL,
              "%s", rig_field(&rig, &early, "error"));
    cr_expect(eq(str, (char *)rig_field(&rig, &fails, "error_class"), "converter"));
    cr_expect(eq(int, count_objects(), 0));
}

Test(worker_urls, one_that_is_cancelled_stops_fetching)
{
    struct redis_cmd cmd;
    struct redis_value *reply = NULL;
    struct err e = ERR_INIT;

    up(ON);
    rig_start(&rig, "a");
    struct job_id id = put("/drip");
    cr_assert(WAIT_UNTIL(atomic_load(&server.requests) == 1, 10000));
    redis_cmd_init(&cmd);
    queue_cancel_cmd(&cmd, &id, 60000);
    cr_assert(redis_pipeline(rig.client, &cmd, 1, &reply, &e) == ERR_OK, "%s", e.text);
    redis_reply_free(reply);
    redis_cmd_release(&cmd);
    cr_expect(rig_wait_state(&rig, &id, "cancelled", 15000));
    cr_expect(rig_wait_unspooled(&rig, &id, 5000));
    cr_expect(eq(int, count_objects(), 0));
}
