/*
 * spool: whether it is still where it was, whether something is mounted there, and how much it holds.
 */
#include "tests/integration/spool_mounts.h"

#include "shared/config.h"

#include <sys/statvfs.h>

static struct spool_sample spool;

static void up(void)
{
    spool_sample_open(&spool);
}

static void down(void)
{
    spool_sample_close(&spool);
}

TestSuite(spool_check, .init = up, .fini = down, .timeout = 120);

static void expect_good(const char *when)
{
    struct err e = ERR_INIT;

    cr_expect(eq(int, spool_check(spool.spool, &e), ERR_OK), "%s: %s", when, e.text);
}

static void expect_bad(const char *when, const char *why)
{
    struct err e = ERR_INIT;

    cr_expect(eq(int, spool_check(spool.spool, &e), ERR_CONFIG), "%s: %s", when,
              e.text);
    cr_expect(ne(ptr, strstr(e.text, why), NULL), "%s: %s", when, e.text);
}

/* How many entries there are, of whatever kind. */
static int entries(const char *path)
{
    DIR *stream = opendir(path);
    int count = 0;

    cr_assert(ne(ptr, stream, NULL), "%s", path);
    while (readdir(stream))
        count++;
    closedir(stream);
    return count - 2; /* "." and ".." */
}

/* --- Where it was --- */

Test(spool_check, a_directory_that_was_moved_or_removed_is_told_and_its_return_too)
{
    char aside[512];

    snprintf(aside, sizeof aside, "%s-aside", spool.path);
    expect_good("at first");
    cr_assert(eq(int, rename(spool.path, aside), 0));
    expect_bad("moved", "No such file");
    cr_assert(eq(int, mkdir(spool.path, 0700), 0));
    expect_bad("another in its place", "is not the directory that was opened");
    cr_assert(eq(int, rmdir(spool.path), 0));
    cr_assert(eq(int, rename(aside, spool.path), 0));
    expect_good("put back");
}

Test(spool_check, its_parts_are_looked_at_too)
{
    static const char *const parts[] = {"tmp", "jobs"};

    for (size_t i = 0; i < 2; i++) {
        char part[512], aside[520];
        snprintf(part, sizeof part, "%s", spool_sample_path(&spool, parts[i]));
        snprintf(aside, sizeof aside, "%s-aside", part);
        cr_assert(eq(int, rename(part, aside), 0));
        expect_bad("moved", parts[i]);
        cr_assert(eq(int, mkdir(part, 0700), 0));
        expect_bad("another in its place", "is not the directory that was opened");
        cr_assert(rmdir(part) == 0 && rename(aside, part) == 0);
        expect_good("put back");
    }
}

Test(spool_check, a_mount_over_it_is_told)
{
    struct spool_options o = {.dir = spool.path, .durable = true};
    struct err e = ERR_INIT;

    mounts_enter();
    spool_close(spool.spool); /* its descriptors are of the namespace before */
    cr_assert(not(spool_open(&o, &spool.spool, &e)), "%s", e.text);
    mounts_tmpfs(spool.path, "size=64k,mode=0700");
    expect_bad("mounted over", "is not the directory that was opened");
    cr_assert(eq(int, umount(spool.path), 0));
    expect_good("unmounted again");
    mounts_tmpfs(spool_sample_path(&spool, "jobs"), "size=64k,mode=0700");
    expect_bad("its jobs/ mounted over", "jobs");
    cr_assert(eq(int, umount(spool_sample_path(&spool, "jobs")), 0));
    expect_good("unmounted again");
}

/* --- An unmounted spool never fills the file system below it --- */

Test(spool_check, an_unmounted_spool_is_told_and_nothing_is_written_below_it)
{
    struct spool_upload u = SPOOL_UPLOAD_INIT;
    struct err e = ERR_INIT;

    mounts_enter();
    mounts_spool_on_tmpfs(&spool, "size=1m,mode=0700");
    expect_good("mounted");
    cr_assert(
        eq(int, umount2(spool.path, MNT_DETACH), 0)); /* umount -l: it is in use */
    expect_bad("unmounted", "is not the directory that was opened");
    if (spool_begin(spool.spool, &u, &e) == ERR_OK)
        spool_abort(spool.spool, &u);
    cr_expect(eq(int, entries(spool.path), 0));
    mounts_tmpfs(spool.path, "size=1m,mode=0700");
    expect_bad("another one mounted", "is not the directory that was opened");
    spool_close(spool.spool);
    mounts_open(&spool);
    expect_good("opened anew");
    mounts_drop(&spool);
}

Test(spool_check, the_same_file_system_mounted_again_is_good)
{
    char real[512];

    mounts_enter();
    snprintf(real, sizeof real, "%s", spool.path);
    mounts_point(&spool, "point");
    cr_assert(eq(int, mount(real, spool.path, NULL, MS_BIND, NULL), 0));
    struct spool_options o = {.dir = spool.path, .durable = true};
    struct err e = ERR_INIT;
    cr_assert(not(spool_open(&o, &spool.spool, &e)), "%s", e.text);
    expect_good("mounted");
    cr_assert(eq(int, umount2(spool.path, MNT_DETACH), 0));
    expect_bad("unmounted", "is not the directory that was opened");
    cr_assert(eq(int, mount(real, spool.path, NULL, MS_BIND, NULL), 0));
    expect_good("mounted again");
    mounts_drop(&spool);
}

static void expect_refused(const char *dir, const char *why)
{
    struct spool_options o = {.dir = dir, .durable = true, .own_filesystem = true};
    struct spool *s = NULL;
    struct err e = ERR_INIT;

    cr_expect(eq(int, spool_open(&o, &s, &e), ERR_CONFIG), "%s", dir);
    cr_expect(ne(ptr, strstr(e.text, why), NULL), "%s", e.text);
    cr_expect(eq(ptr, s, NULL));
    spool_close(s);
}

Test(spool_check, where_something_must_be_mounted_and_nothing_is_nothing_is_made)
{
    const char *missing = spool_sample_path(&spool, "missing");
    const char *plain = spool_sample_path(&spool, "plain");

    cr_assert(eq(int, mkdir(plain, 0700), 0));
    expect_refused(plain, "no file system is mounted at");
    expect_refused(plain, "mount it, or set [spool] own_filesystem = no");
    cr_expect(eq(int, entries(plain), 0));
    expect_refused(missing, "it must be a mount point");
    cr_expect(eq(int, access(missing, F_OK), -1));
    mounts_enter();
    mounts_tmpfs(plain, "size=64k,mode=0700");
    struct spool_options o = {.dir = plain, .durable = true, .own_filesystem = true};
    struct spool *s = NULL;
    struct err e = ERR_INIT;
    cr_expect(eq(int, spool_open(&o, &s, &e), ERR_OK), "%s", e.text);
    cr_expect(eq(int, spool_check(s, &e), ERR_OK), "%s", e.text);
    spool_close(s);
    cr_expect(eq(int, umount(plain), 0));
}

Test(spool_check, the_setting_own_filesystem_is_heeded)
{
    struct config c;
    struct spool *s = NULL;
    struct err e = ERR_INIT;

    config_init(&c);
    c.spool.dir = strdup(spool.path);
    c.spool.durability = CONFIG_DISK;
    cr_expect(eq(int, spool_open_config(&c, &s, &e), ERR_OK), "%s", e.text);
    spool_close(s);
    s = NULL;
    c.spool.own_filesystem = true;
    cr_expect(eq(int, spool_open_config(&c, &s, &e), ERR_CONFIG));
    cr_expect(ne(ptr, strstr(e.text, "own_filesystem = no"), NULL), "%s", e.text);
    spool_close(s);
    config_release(&c);
}

/* --- How much --- */

static struct spool_usage measure(bool count)
{
    struct spool_usage usage = {0};
    struct err e = ERR_INIT;

    cr_assert(eq(int, spool_measure(spool.spool, count, &usage, &e), ERR_OK), "%s",
              e.text);
    return usage;
}

Test(spool_check, the_measure_is_of_the_file_system)
{
    static char block[100 * 1024];

    mounts_enter();
    mounts_spool_on_tmpfs(&spool, "size=1m,nr_inodes=64,mode=0700");
    struct spool_usage before = measure(false);
    cr_expect(eq(i64, before.bytes_max, 1 << 20));
    cr_expect(eq(i64, before.inodes_max, 64));
    cr_expect(before.files == -1 && before.data_bytes == -1);
    struct job j = spool_sample_commit(&spool, "q", block, sizeof block);
    struct spool_usage after = measure(false);
    cr_expect(eq(i64, after.bytes - before.bytes, (int64_t)sizeof block + 4096),
              "data, and a page of manifest");
    cr_expect(eq(i64, after.inodes - before.inodes, 2));
    job_release(&j);
    mounts_drop(&spool);
}

Test(spool_check, what_is_kept_for_root_counts_as_used)
{
    struct statvfs v;

    mounts_enter();
    mounts_spool_on_ext4(&spool, "64");
    struct spool_usage usage = measure(false);
    cr_assert(eq(int, statvfs(spool.path, &v), 0));
    cr_assert(v.f_bfree > v.f_bavail, "there is something kept");
    cr_expect(eq(i64, usage.bytes_max - usage.bytes,
                 (int64_t)v.f_bavail * (int64_t)v.f_frsize));
    cr_expect(eq(i64, usage.bytes_max, (int64_t)v.f_blocks * (int64_t)v.f_frsize));
    cr_expect(eq(i64, usage.inodes_max, 64));
    cr_expect(eq(i64, usage.inodes, 64 - (int64_t)v.f_favail));
    mounts_drop(&spool);
}

Test(spool_check, counted_are_data_files_and_nothing_else)
{
    struct job j[3];

    struct spool_usage usage = measure(true);
    cr_expect(eq(i64, usage.files, 0));
    cr_expect(eq(i64, usage.data_bytes, 0));
    for (size_t i = 0; i < 3; i++)
        j[i] = spool_sample_commit(&spool, i ? "one" : "two", "abcdef", 2 * (i + 1));
    spool_sample_plant(spool_sample_path(&spool, "jobs/strange.data"), "not ours");
    spool_sample_plant(spool_sample_path(&spool, "tmp/x.data"), "not yet");
    usage = measure(true);
    cr_expect(eq(i64, usage.files, 3));
    cr_expect(eq(i64, usage.data_bytes, 2 + 4 + 6));
    cr_expect(usage.bytes > 0 && usage.bytes <= usage.bytes_max);
    cr_assert(eq(int, unlink(spool_sample_job_path(&spool, &j[0].id, ".json")), 0));
    usage = measure(true);
    cr_expect(eq(i64, usage.files, 3), "bytes are bytes, with a manifest or without");
    for (size_t i = 0; i < 3; i++)
        job_release(&j[i]);
}
