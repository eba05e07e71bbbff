/* A look at an object: whether it is there with the job's bytes, without delivering anything. */
#include "tests/integration/dest_s3_harness.h"

#include <sys/stat.h>

#include "tests/support/tmpdir.h"
#include "worker/dest/dest_file.h"

static struct tmpdir dir;
static struct tmpdir_file root;
static struct config_destination file_config = {.name = "f", .scheme = CONFIG_FILE};
static struct destination *file;

static void both_up(void)
{
    struct err e = ERR_INIT;

    up();
    tmpdir_make(&dir);
    root = tmpdir_file(&dir, "objects");
    file_config.dir = root.path;
    cr_assert(dest_file_open(
                  &(struct dest_file_options){.loop = &loop, .config = &file_config},
                  &file, &e) == ERR_OK,
              "%s", e.text);
}

static void both_down(void)
{
    destination_release(file);
    down();
    tmpdir_remove(&dir);
}

TestSuite(dest_look, .init = both_up, .fini = both_down, .timeout = 60);

static struct dest_result look_at(struct destination *d, const struct job *j, int fd)
{
    struct dest_result r = {0};
    struct destination_work w = {
        .job = j, .fd = fd, .only_look = true, .done = dest_on_done, .ctx = &r};
    struct destination_run *run = destination_begin(d, &w);

    cr_assert(run && r.calls == 0, "done is never called from inside begin");
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    return r;
}

static void expect_done(struct dest_result r, const char *url)
{
    cr_assert(r.outcome.done, "%s", r.outcome.error);
    cr_expect(not(r.outcome.absent));
    cr_expect(eq(str, r.outcome.url, (char *)url));
    outcome_release(&r.outcome);
}

static void expect_absent(struct dest_result r)
{
    cr_expect(r.outcome.absent, "%s", r.outcome.error);
    cr_expect(not(r.outcome.done));
    cr_expect(r.outcome.class == RETRY_NONE, "to be absent is no failure");
    outcome_release(&r.outcome);
}

static void expect_failure(struct dest_result r, enum retry_class class,
                           const char *text)
{
    cr_expect(not(r.outcome.done));
    cr_expect(not(r.outcome.absent));
    cr_expect(eq(int, (int)r.outcome.class, (int)class));
    cr_expect(strstr(r.outcome.error, text) != NULL, "'%s' in '%s'", text,
              r.outcome.error);
    outcome_release(&r.outcome);
}

/* --- file: --- */

Test(dest_look, a_file_with_the_right_bytes_is_there)
{
    struct job j = dest_job("a/b", BODY, strlen(BODY));
    struct dest_result put = dest_run(&loop, file, &j, dest_data(BODY, strlen(BODY)));

    expect_done(look_at(file, &j, -1), put.outcome.url);
    outcome_release(&put.outcome);
    job_release(&j);
}

Test(dest_look, a_look_makes_nothing_where_nothing_is)
{
    struct job deep = dest_job("a/b/c", BODY, strlen(BODY));
    struct job flat = dest_job("c", BODY, strlen(BODY));
    struct tmpdir_file made = tmpdir_file(&dir, "objects/a");
    struct stat st;

    expect_absent(look_at(file, &deep, -1));
    expect_absent(look_at(file, &flat, -1));
    cr_expect(stat(made.path, &st) < 0, "no directory was made");
    job_release(&deep);
    job_release(&flat);
}

Test(dest_look, a_file_with_other_bytes_is_a_failure_that_stays)
{
    struct job other = dest_job("a/b", "THE BYTES OF THE OBJECT", strlen(BODY));
    struct job j = dest_job("a/b", BODY, strlen(BODY));
    struct job longer = dest_job("a/b", BODY BODY, 2 * strlen(BODY));
    struct dest_result put = dest_run(
        &loop, file, &other, dest_data("THE BYTES OF THE OBJECT", strlen(BODY)));

    cr_assert(put.outcome.done);
    expect_failure(look_at(file, &j, -1), RETRY_NEVER, "other content");
    expect_failure(look_at(file, &longer, -1), RETRY_NEVER, "other content");
    outcome_release(&put.outcome);
    job_release(&other);
    job_release(&j);
    job_release(&longer);
}

Test(dest_look, where_the_directory_is_not_mounted_nothing_can_be_told)
{
    struct job j = dest_job("b", BODY, strlen(BODY));

    cr_assert(rmdir(root.path) == 0);
    expect_failure(look_at(file, &j, -1), RETRY_CONFIG, "destination directory");
    job_release(&j);
}

/* --- s3: --- */

Test(dest_look, an_object_with_the_right_checksum_is_there)
{
    struct job j = dest_job("a key", BODY, strlen(BODY));
    struct dest_result put = dest_run(&loop, dest, &j, dest_data(BODY, strlen(BODY)));
    struct dest_result seen = look_at(dest, &j, -1);

    cr_expect(eq(str, seen.outcome.etag, put.outcome.etag));
    expect_done(seen, "s3://bucket/pre/a key");
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 1), "the look put nothing");
    outcome_release(&put.outcome);
    job_release(&j);
}

Test(dest_look, an_object_that_is_not_in_the_store_is_absent)
{
    struct job j = dest_job("a key", BODY, strlen(BODY));

    expect_absent(look_at(dest, &j, -1));
    cr_expect(eq(int, s3_faulty_count(s3, "PUT"), 0));
    cr_expect(eq(int, s3_faulty_count(s3, "HEAD"), 1));
    job_release(&j);
}

Test(dest_look, another_object_is_a_failure_that_stays)
{
    struct job j = dest_job("a key", BODY, strlen(BODY));

    s3_faulty_put(s3, PATH, "short", 5);
    expect_failure(look_at(dest, &j, -1), RETRY_NEVER, "other content");
    job_release(&j);
}

Test(dest_look, a_store_that_is_away_cannot_tell)
{
    struct job j = dest_job("a key", BODY, strlen(BODY));

    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_STATUS, .status = 503});
    expect_failure(look_at(dest, &j, -1), RETRY_TRANSIENT, "503");
    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_HANG});
    expect_failure(look_at(dest, &j, -1), RETRY_TRANSIENT, "HEAD");
    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_STATUS, .status = 403});
    expect_failure(look_at(dest, &j, -1), RETRY_CONFIG, "403");
    job_release(&j);
}

/* The MD5 of the store says nothing to one who has no bytes; a key that begins with the job's UUID is nobody else's. */
Test(dest_look, where_only_an_md5_is_told_the_bytes_or_a_key_of_its_own_decide)
{
    struct job chosen = dest_job("a key", BODY, strlen(BODY));
    struct job own = dest_job("x", BODY, strlen(BODY));
    struct err e = ERR_INIT;
    char key[64], path[96];

    s3_faulty_set_traits(s3, (struct s3_faulty_traits){.no_checksums = true});
    (void)snprintf(key, sizeof key, "%s/x", own.id.uuid.text);
    (void)snprintf(path, sizeof path, "/bucket/pre/%s", key);
    cr_assert(job_set_key(&own, key, strlen(key), &e) == ERR_OK);
    s3_faulty_put(s3, PATH, BODY, (int64_t)strlen(BODY));
    s3_faulty_put(s3, path, BODY, (int64_t)strlen(BODY));

    expect_failure(look_at(dest, &chosen, -1), RETRY_NEVER, "without the bytes");
    expect_done(look_at(dest, &chosen, dest_data(BODY, strlen(BODY))),
                "s3://bucket/pre/a key");
    struct dest_result r = look_at(dest, &own, -1);
    cr_expect(r.outcome.done, "%s", r.outcome.error);
    outcome_release(&r.outcome);
    s3_faulty_put(s3, PATH, "THE BYTES OF THE OBJECT", (int64_t)strlen(BODY));
    expect_failure(look_at(dest, &chosen, dest_data(BODY, strlen(BODY))), RETRY_NEVER,
                   "other content");
    job_release(&chosen);
    job_release(&own);
}

Test(dest_look, a_look_that_is_aborted_is_neither_done_nor_absent)
{
    struct job j = dest_job("a key", BODY, strlen(BODY));
    struct dest_result r = {0};

    s3_faulty_push(s3, (struct s3_fault){.kind = S3_FAULT_HANG});
    struct destination_run *run = destination_begin(
        dest,
        &(struct destination_work){
            .job = &j, .fd = -1, .only_look = true, .done = dest_on_done, .ctx = &r});
    cr_assert(run != NULL);
    destination_abort(dest, run);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(r.outcome.aborted && !r.outcome.done && !r.outcome.absent);
    outcome_release(&r.outcome);
    job_release(&j);
}
