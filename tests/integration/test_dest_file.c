/* The destination file:, on a real directory. */
#include "worker/dest/dest_file.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/integration/dest_harness.h"
#include "tests/support/tmpdir.h"

static struct tmpdir dir;
static struct tmpdir_file root;
static uv_loop_t loop;
static struct config_destination config = {.name = "f", .scheme = CONFIG_FILE};
static struct destination *dest;

static void open_dest(bool named)
{
    struct err e = ERR_INIT;

    config.dir = root.path;
    cr_assert(dest_file_open(&(struct dest_file_options){.loop = &loop,
                                                         .config = &config,
                                                         .named = named},
                             &dest, &e) == ERR_OK,
              "%s", e.text);
}

static void up(void)
{
    tmpdir_make(&dir);
    root = tmpdir_file(&dir, "objects");
    cr_assert(eq(int, uv_loop_init(&loop), 0));
    open_dest(false);
}

static void down(void)
{
    destination_release(dest);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    tmpdir_remove(&dir);
}

TestSuite(dest_file, .init = up, .fini = down, .timeout = 60);

static struct dest_result deliver(const char *key, const char *data)
{
    struct job j = dest_job(key, data, strlen(data));
    struct dest_result r = dest_run(&loop, dest, &j, dest_data(data, strlen(data)));

    job_release(&j);
    return r;
}

static bool object_is(const char *key, const char *want)
{
    char path[512], data[256];

    (void)snprintf(path, sizeof path, "%s/%s", root.path, key);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, data, sizeof data);
    if (fd >= 0)
        (void)close(fd);
    return n == (ssize_t)strlen(want) && memcmp(data, want, (size_t)n) == 0;
}

/* Entries of the directory of objects, "." and ".." left out. */
static int entries(void)
{
    DIR *d = opendir(root.path);
    int count = -2;

    cr_assert(d != NULL);
    while (readdir(d))
        count++;
    (void)closedir(d);
    return count;
}

Test(dest_file, the_object_is_there_whole_and_alone)
{
    struct dest_result r = deliver("a b.txt", "hello");
    struct stat st;
    char path[512], url[600];

    cr_assert(r.outcome.done, "%s", r.outcome.error);
    cr_expect(object_is("a b.txt", "hello"));
    cr_expect(eq(int, entries(), 1));
    cr_expect(eq(i64, r.outcome.sent, 5));
    (void)snprintf(url, sizeof url, "file://%s/a%%20b.txt", root.path);
    cr_expect(eq(str, r.outcome.url, url));
    (void)snprintf(path, sizeof path, "%s/a b.txt", root.path);
    cr_assert(eq(int, stat(path, &st), 0));
    cr_expect(eq(int, st.st_mode & 0137, 0), "no more than 0640");
    outcome_release(&r.outcome);
}

Test(dest_file, an_empty_file_and_deep_directories_work)
{
    struct dest_result r = deliver("a/b/c/empty", "");

    cr_assert(r.outcome.done, "%s", r.outcome.error);
    cr_expect(object_is("a/b/c/empty", ""));
    outcome_release(&r.outcome);
}

Test(dest_file, the_same_bytes_again_are_a_success_other_bytes_are_not)
{
    struct dest_result first = deliver("k", "one"), again = deliver("k", "one"),
                       other = deliver("k", "two");

    cr_expect(first.outcome.done);
    cr_expect(again.outcome.done);
    cr_expect(not(other.outcome.done));
    cr_expect(eq(int, other.outcome.class, RETRY_NEVER));
    cr_expect(eq(str, other.outcome.error, "key exists with other content"));
    cr_expect(object_is("k", "one"), "what is there stays");
    outcome_release(&first.outcome);
    outcome_release(&again.outcome);
}

Test(dest_file, bytes_that_are_not_the_manifests_never_become_an_object)
{
    struct job j = dest_job("k", "right", 5);
    struct dest_result r = dest_run(&loop, dest, &j, dest_data("wrong", 5));

    cr_expect(not(r.outcome.done));
    cr_expect(eq(int, r.outcome.class, RETRY_NEVER));
    cr_expect(strstr(r.outcome.error, "spool corrupt") != NULL);
    cr_expect(eq(int, entries(), 0));
    r = dest_run(&loop, dest, &j, dest_data("rig", 3));
    cr_expect(strstr(r.outcome.error, "spool short") != NULL);
    cr_expect(eq(int, entries(), 0));
    job_release(&j);
}

Test(dest_file, a_symbolic_link_on_the_way_is_not_followed)
{
    struct tmpdir_file outside = tmpdir_file(&dir, "outside");
    char path[512];

    cr_assert(eq(int, mkdir(outside.path, 0700), 0));
    (void)snprintf(path, sizeof path, "%s/link", root.path);
    cr_assert(eq(int, symlink(outside.path, path), 0));
    struct dest_result r = deliver("link/object", "x");
    cr_expect(not(r.outcome.done));
    cr_expect(eq(int, r.outcome.class, RETRY_NEVER));
    r = deliver("link", "x"); /* and the name itself */
    cr_expect(not(r.outcome.done));
    (void)snprintf(path, sizeof path, "%s/object", outside.path);
    cr_expect(ne(int, access(path, F_OK), 0));
}

Test(dest_file, a_directory_that_has_gone_is_a_matter_of_configuration)
{
    cr_assert(eq(int, rmdir(root.path), 0));
    struct dest_result r = deliver("k", "x");

    cr_expect(not(r.outcome.done));
    cr_expect(eq(int, r.outcome.class, RETRY_CONFIG));
    cr_expect(ne(int, access(root.path, F_OK), 0), "it is not made again");
}

Test(dest_file, without_nameless_files_a_temporary_name_does)
{
    destination_release(dest);
    open_dest(true);
    struct dest_result r = deliver("k", "named");

    cr_assert(r.outcome.done, "%s", r.outcome.error);
    cr_expect(object_is("k", "named"));
    cr_expect(eq(int, entries(), 1), "the temporary name has gone");
    outcome_release(&r.outcome);
    struct job j = dest_job("l", "right", 5);
    r = dest_run(&loop, dest, &j, dest_data("wrong", 5));
    cr_expect(not(r.outcome.done));
    cr_expect(eq(int, entries(), 1), "also after a failure");

    /* What a killed attempt of this job left behind is replaced. */
    char path[512];
    (void)snprintf(path, sizeof path, "%s/.%s.tmp", root.path, j.id.uuid.text);
    FILE *f = fopen(path, "w");
    cr_assert(f && fputs("half", f) >= 0 && fclose(f) == 0);
    r = dest_run(&loop, dest, &j, dest_data("right", 5));
    cr_expect(r.outcome.done, "%s", r.outcome.error);
    cr_expect(object_is("l", "right"));
    cr_expect(eq(int, entries(), 2));
    outcome_release(&r.outcome);
    job_release(&j);
}

Test(dest_file, an_abort_stops_it_and_leaves_nothing)
{
    enum { SIZE = 64 << 20 };
    char *data = calloc(1, SIZE);
    struct job j = dest_job("k", data, SIZE);
    struct dest_result r = {0};
    struct destination_work w = {
        .job = &j, .fd = dest_data(data, SIZE), .done = dest_on_done, .ctx = &r};

    struct destination_run *run = destination_begin(dest, &w);
    cr_assert(run != NULL);
    while (destination_sent(dest, run) == 0 && r.calls == 0)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    destination_abort(dest, run);
    while (r.calls == 0)
        (void)uv_run(&loop, UV_RUN_ONCE);
    cr_expect(r.outcome.aborted);
    cr_expect(not(r.outcome.done));
    cr_expect(lt(i64, r.outcome.sent, SIZE));
    cr_expect(eq(int, entries(), 0));
    job_release(&j);
    free(data);
}
