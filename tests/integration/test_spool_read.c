/*
 * spool: whom it opens for, what it takes for a file of its own, how it scans and sweeps.
 */
#include "tests/support/spool_sample.h"

#include "shared/clock.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

static struct spool_sample spool;

static void up(void)
{
    spool_sample_open(&spool);
}

static void down(void)
{
    spool_sample_close(&spool);
}

TestSuite(spool_read, .init = up, .fini = down, .timeout = 120);

/* --- Opening the spool --- */

static void expect_refused(const char *dir, const char *why)
{
    struct spool_options o = {.dir = dir, .durable = true};
    struct spool *s = NULL;
    struct err e = ERR_INIT;

    cr_expect(eq(int, spool_open(&o, &s, &e), ERR_CONFIG), "%s, %s", dir, why);
    cr_expect(strstr(e.text, why) != NULL, "%s: %s", why, e.text);
    cr_expect(eq(ptr, s, NULL));
    spool_close(s);
}

static void expect_opens(const char *dir)
{
    struct spool_options o = {.dir = dir, .durable = true};
    struct spool *s = NULL;
    struct err e = ERR_INIT;

    cr_expect(eq(int, spool_open(&o, &s, &e), ERR_OK), "%s", e.text);
    spool_close(s);
}

Test(spool_read, a_directory_others_can_enter_is_refused)
{
    static const mode_t modes[] = {0755, 0701, 0710, 0770, 0707, 0777, 0600};
    static const char *const parts[] = {"", "tmp", "jobs"};

    expect_opens(spool.path);
    for (size_t p = 0; p < 3; p++) {
        for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
            const char *path = spool_sample_path(&spool, parts[p]);
            char want[64];
            snprintf(want, sizeof want, "has mode %04o; it must be 0700",
                     (unsigned)modes[i]);
            cr_assert(eq(int, chmod(path, modes[i]), 0));
            if (geteuid() != 0 && modes[i] == 0600)
                expect_refused(spool.path, parts[p]); /* EACCES on what is below */
            else
                expect_refused(spool.path, want);
            cr_assert(eq(int, chmod(path, 0700), 0));
        }
    }
    expect_opens(spool.path);
}

Test(spool_read, a_directory_of_another_user_is_refused)
{
    if (geteuid() != 0) {
        expect_refused("/", "belongs to user 0");
        return;
    }
    cr_assert(eq(int, chown(spool.path, 65534, 65534), 0));
    expect_refused(spool.path, "belongs to user 65534; it must belong to user 0");
    cr_assert(eq(int, chown(spool.path, 0, 0), 0));
    cr_assert(eq(int, chown(spool_sample_path(&spool, "jobs"), 65534, 65534), 0));
    expect_refused(spool.path, "jobs/ belongs to user 65534");
}

Test(spool_read, what_is_not_a_directory_is_refused)
{
    spool_sample_plant(spool_sample_path(&spool, "file"), "");
    expect_refused(spool_sample_path(&spool, "file"), "Not a directory");
    expect_refused(spool_sample_path(&spool, "no/parent"), "No such file");
    cr_assert(eq(int, rmdir(spool_sample_path(&spool, "tmp")), 0));
    cr_assert(eq(int, symlink("jobs", spool_sample_path(&spool, "tmp")), 0));
    expect_refused(spool.path, "tmp");
}

Test(spool_read, parts_on_different_file_systems_are_refused)
{
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", spool_sample_path(&spool, "jobs"), "tmpfs", 0,
              "size=64k,mode=0700") != 0)
        cr_skip_test("cannot mount here");
    expect_refused(spool.path, "on different file systems");
    cr_expect(eq(int, umount(spool_sample_path(&spool, "jobs")), 0));
}

/* --- Reading --- */

static void expect_data_refused(const struct job_id *id, int64_t size, const char *why)
{
    struct err e = ERR_INIT;
    int fd = -1;

    cr_expect(eq(int, spool_open_data(spool.spool, id, size, &fd, &e), ERR_REJECT),
              "%s", why);
    cr_expect(strncmp(e.text, why, strlen(why)) == 0, "%s: %s", why, e.text);
    cr_expect(eq(int, fd, -1), "untouched");
}

static void expect_manifest_refused(const struct job_id *id, bool want_missing)
{
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    bool missing = !want_missing;

    cr_expect(
        eq(int, spool_read_manifest(spool.spool, id, &j, &missing, &e), ERR_REJECT));
    cr_expect(eq(int, missing, want_missing), "%s", e.text);
    cr_expect(eq(ptr, j.key, NULL), "untouched");
}

Test(spool_read, data_opens_when_it_is_ours_and_of_the_right_size)
{
    struct job j = spool_sample_commit(&spool, "q", "abc", 3);
    const char *path = spool_sample_job_path(&spool, &j.id, ".data");
    struct err e = ERR_INIT;
    char text[8];
    int fd = -1;

    cr_assert(not(spool_open_data(spool.spool, &j.id, 3, &fd, &e)), "%s", e.text);
    cr_expect(read(fd, text, sizeof text) == 3 && memcmp(text, "abc", 3) == 0);
    cr_expect(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    close(fd);
    expect_data_refused(&j.id, 4, "spool short: 3 bytes instead of 4");
    expect_data_refused(&j.id, 2, "spool long: 3 bytes instead of 2");
    cr_assert(eq(int, unlink(path), 0));
    expect_data_refused(&j.id, 3, "spool missing");
    job_release(&j);
}

Test(spool_read, planted_files_are_not_taken_for_data)
{
    struct job j = spool_sample_commit(&spool, "q", "abc", 3);
    char path[512], other[512];

    snprintf(path, sizeof path, "%s", spool_sample_job_path(&spool, &j.id, ".data"));
    snprintf(other, sizeof other, "%s", spool_sample_path(&spool, "other"));
    cr_assert(eq(int, link(path, other), 0));
    for (int i = 0; i < 15; i++) { /* a job that was moved again and again has a few */
        char name[32];
        snprintf(name, sizeof name, "link-%d", i);
        cr_assert(eq(int, link(path, spool_sample_path(&spool, name)), 0));
    }
    expect_data_refused(&j.id, 3, "spool missing");
    cr_assert(eq(int, unlink(path), 0));
    cr_assert(eq(int, symlink(other, path), 0));
    expect_data_refused(&j.id, 3, "spool missing"); /* a symbolic link to it */
    cr_assert(eq(int, unlink(path), 0));
    cr_assert(eq(int, mkfifo(path, 0600), 0));
    expect_data_refused(&j.id, 0, "spool missing"); /* does not block either */
    cr_assert(eq(int, unlink(path), 0));
    cr_assert(eq(int, mkdir(path, 0700), 0));
    expect_data_refused(&j.id, 3, "spool missing");
    if (geteuid() == 0) {
        cr_assert(eq(int, rmdir(path), 0));
        spool_sample_plant(path, "abc");
        cr_assert(eq(int, chown(path, 65534, 65534), 0));
        expect_data_refused(&j.id, 3, "spool missing"); /* another user's */
    }
    job_release(&j);
}

Test(spool_read, a_manifest_that_is_not_ours_is_refused)
{
    struct job j = spool_sample_commit(&spool, "q", "abc", 3);
    struct job other = spool_sample_commit(&spool, "q", "abc", 3);
    char path[512], from[512];
    static char big[JOB_RECORD_MAX + 100];

    snprintf(path, sizeof path, "%s", spool_sample_job_path(&spool, &j.id, ".json"));
    snprintf(from, sizeof from, "%s",
             spool_sample_job_path(&spool, &other.id, ".json"));
    cr_assert(eq(int, rename(from, path), 0));
    expect_manifest_refused(&j.id, false); /* another job's */
    expect_manifest_refused(&other.id, true);
    cr_assert(eq(int, unlink(path), 0));
    expect_manifest_refused(&j.id, true);
    cr_assert(eq(int, symlink("/etc/passwd", path), 0));
    expect_manifest_refused(&j.id, false);
    cr_assert(eq(int, unlink(path), 0));
    spool_sample_plant(path, "");
    expect_manifest_refused(&j.id, false);
    cr_assert(eq(int, unlink(path), 0));
    memset(big, 'x', sizeof big - 1);
    spool_sample_plant(path, big);
    expect_manifest_refused(&j.id, false);
    job_release(&j);
    job_release(&other);
}

Test(spool_read, remove_takes_both_files_and_is_idempotent)
{
    struct job j = spool_sample_commit(&spool, "q", "abc", 3);
    struct job stays = spool_sample_commit(&spool, "q", "abc", 3);
    struct err e = ERR_INIT;

    cr_expect(not(spool_remove(spool.spool, &j.id, &e)), "%s", e.text);
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 2));
    cr_expect(not(spool_remove(spool.spool, &j.id, &e)), "%s", e.text);
    cr_expect(
        eq(int, access(spool_sample_job_path(&spool, &stays.id, ".data"), F_OK), 0));
    job_release(&j);
    job_release(&stays);
}

/* --- Scan and sweep --- */

Test(spool_read, scan_finds_every_manifest_once_and_nothing_else)
{
    enum { COUNT = 40 };
    static const char *const strange[] = {
        "jobs/x.json",
        "jobs/.json",
        "jobs/q.json",
        "jobs/README",
        "jobs/Q.0193c0de-7a1b-7c3d-9e4f-0123456789ab.json",
        "jobs/q.0193c0de-7a1b-7c3d-9e4f-0123456789ab.json.old",
        "jobs/q.0193c0de-7a1b-7c3d-9e4f-0123456789ab.data",
        "jobs/q.0193c0de-7a1b-4c3d-9e4f-0123456789ab.json"};
    struct job_id ids[COUNT], found;
    size_t times[COUNT] = {0}, all = 0;
    struct spool_scan *scan = NULL;
    struct err e = ERR_INIT;

    for (size_t i = 0; i < COUNT; i++) {
        struct job j = spool_sample_commit(&spool, i % 2 ? "one" : "two-2", "", 0);
        ids[i] = j.id;
        job_release(&j);
    }
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++)
        spool_sample_plant(spool_sample_path(&spool, strange[i]), "");
    cr_assert(not(spool_scan_open(spool.spool, &scan, &e)));
    while (spool_scan_next(scan, &found)) {
        all++;
        for (size_t i = 0; i < COUNT; i++)
            times[i] += strcmp(ids[i].uuid.text, found.uuid.text) == 0 &&
                        strcmp(ids[i].queue, found.queue) == 0;
    }
    cr_expect(not(spool_scan_error(scan, &e)));
    spool_scan_close(scan);
    spool_scan_close(NULL);
    cr_expect(eq(sz, all, COUNT));
    for (size_t i = 0; i < COUNT; i++)
        cr_expect(eq(sz, times[i], 1));
}

/* Make a file look last written so long ago. */
static void age(const char *path, int64_t ms)
{
    int64_t then = clock_wall_ms() - ms;
    struct timespec times[2] = {{then / 1000, 0}, {then / 1000, 0}};

    cr_assert(eq(int, utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0));
}

enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS };
/* Ids of 2024 and of the year 10889: the sweep looks at the file's time as well as at the id's. */
#define OLD_ID "q.018cc251-f400-7000-8000-000000000001"
#define OLD_ID_2 "q.018cc251-f400-7000-8000-000000000002"
#define OLD_ID_3 "q.018cc251-f400-7000-8000-000000000003"
#define YOUNG_ID "q.ffffffff-ffff-7000-8000-000000000001"

static const struct {
    const char *name;
    int64_t age_ms;
    bool stays;
} debris[] = {
    {"tmp/a.data", 2 * DAY_MS, false},
    {"tmp/a.json", 2 * DAY_MS, false},
    {"tmp/strange", 2 * DAY_MS, false},
    {"tmp/b.data", HOUR_MS, true},
    {"tmp/future.data", -HOUR_MS, true},
    {"jobs/" OLD_ID ".data", 2 * DAY_MS, false},
    {"jobs/" OLD_ID_2 ".data", 2 * DAY_MS, true}, /* has its manifest */
    {"jobs/" OLD_ID_2 ".json", 2 * DAY_MS, true},
    {"jobs/" OLD_ID_3 ".data", HOUR_MS, true},
    {"jobs/" YOUNG_ID ".data", 2 * DAY_MS, true},
    {"jobs/strange", 2 * DAY_MS, true},
};

Test(spool_read, sweep_takes_old_debris_and_only_that)
{
    for (size_t i = 0; i < sizeof debris / sizeof debris[0]; i++) {
        const char *path = spool_sample_path(&spool, debris[i].name);
        spool_sample_plant(path, "x");
        age(path, debris[i].age_ms);
    }
    cr_expect(eq(sz, spool_sweep(spool.spool, DAY_MS, 0), 0));
    cr_expect(eq(sz, spool_sweep(spool.spool, DAY_MS, 1), 1), "at most so many");
    cr_expect(eq(sz, spool_sweep(spool.spool, DAY_MS, 100), 3));
    cr_expect(eq(sz, spool_sweep(spool.spool, DAY_MS, 100), 0));
    for (size_t i = 0; i < sizeof debris / sizeof debris[0]; i++)
        cr_expect(eq(int, access(spool_sample_path(&spool, debris[i].name), F_OK) == 0,
                     debris[i].stays),
                  "%s", debris[i].name);
}

Test(spool_read, sweep_does_not_follow_links_nor_remove_directories)
{
    const char *outside = spool_sample_path(&spool, "outside");
    const char *link_path = spool_sample_path(&spool, "tmp/link");

    spool_sample_plant(outside, "x");
    age(outside, 2 * DAY_MS);
    cr_assert(eq(int, symlink(outside, link_path), 0));
    cr_expect(eq(sz, spool_sweep(spool.spool, DAY_MS, 9), 0), "a young link");
    age(link_path, 2 * DAY_MS);
    cr_assert(eq(int, mkdir(spool_sample_path(&spool, "tmp/dir"), 0700), 0));
    age(spool_sample_path(&spool, "tmp/dir"), 2 * DAY_MS);
    cr_expect(eq(sz, spool_sweep(spool.spool, DAY_MS, 9), 1));
    cr_expect(eq(int, access(outside, F_OK), 0));
}
