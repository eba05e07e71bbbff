/*
 * spool: disks that are full, read-only or broken, on real file systems made for the purpose.  What no machine does on
 * demand is in test_spool_faults.c.
 */
#include "tests/integration/spool_mounts.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>

/* ext4's: from now on every call fails as on a disk that is gone; nothing more is written, the journal neither. */
#define EXT4_SHUTDOWN _IOR('X', 125, uint32_t)
enum { EXT4_SHUTDOWN_NOLOGFLUSH = 2 };

static struct spool_sample spool;

static void up(void)
{
    mounts_enter(); /* first: where it skips the test nothing is left behind */
    spool_sample_open(&spool);
}

static void down(void)
{
    spool_sample_close(&spool);
}

TestSuite(spool_disk, .init = up, .fini = down, .timeout = 120);

static char block[64 * 1024];

static struct spool_upload begin(void)
{
    struct spool_upload u = SPOOL_UPLOAD_INIT;
    struct err e = ERR_INIT;

    cr_assert(not(spool_begin(spool.spool, &u, &e)), "%s", e.text);
    return u;
}

/* So many blocks; how it ended. */
static enum err_code write_blocks(struct spool_upload *u, size_t count, struct err *e)
{
    for (size_t i = 0; i < count; i++)
        if (spool_write(spool.spool, u, block, sizeof block, e))
            return e->code;
    return ERR_OK;
}

static void expect_full(enum err_code code, const struct err *e)
{
    cr_expect(eq(int, code, ERR_RETRY), "%s", e->text);
    cr_expect(spool_is_full(e), "%s", e->text);
}

static void expect_empty(void)
{
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 0));
}

static void expect_works(void)
{
    struct err e = ERR_INIT;
    struct job j = spool_sample_commit(&spool, "q", "abc", 3);

    cr_assert(not(spool_remove(spool.spool, &j.id, &e)), "%s", e.text);
    expect_empty();
    job_release(&j);
}

/* What is in use, once the journal has caught up. */
static int64_t bytes_used(void)
{
    struct spool_usage usage;
    struct err e = ERR_INIT;
    int fd = open(spool.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    cr_assert(fd >= 0 && syncfs(fd) == 0 && close(fd) == 0);
    cr_assert(not(spool_measure(spool.spool, false, &usage, &e)), "%s", e.text);
    return usage.bytes;
}

/* --- Room that is announced --- */

static void refuse_before_it_is_sent(void)
{
    struct err e = ERR_INIT;
    int64_t before = bytes_used();
    struct spool_upload u = begin();

    expect_full(spool_expect(spool.spool, &u, 64 << 20, &e), &e);
    spool_abort(spool.spool, &u);
    cr_expect(eq(i64, bytes_used(), before), "what was taken is given back");
    expect_works();
    mounts_drop(&spool);
}

Test(spool_disk, room_that_is_not_there_is_refused_before_it_is_sent)
{
    mounts_spool_on_tmpfs(&spool, "size=1m,mode=0700");
    refuse_before_it_is_sent();
    mounts_spool_on_ext4(&spool, "64");
    refuse_before_it_is_sent();
}

Test(spool_disk, room_that_was_taken_is_there_when_others_find_none)
{
    struct err e = ERR_INIT;

    mounts_spool_on_tmpfs(&spool, "size=1m,mode=0700");
    struct spool_upload announced = begin(), other = begin();
    struct job j = spool_sample_job("q");
    cr_assert(not(spool_expect(spool.spool, &announced, 8 * sizeof block, &e)), "%s",
              e.text);
    expect_full(write_blocks(&other, 16, &e), &e);
    cr_assert(not(write_blocks(&announced, 8, &e)), "%s", e.text);
    spool_abort(spool.spool, &other);
    cr_assert(not(spool_commit(spool.spool, &announced, &j, 1, &e)), "%s", e.text);
    cr_expect(eq(i64, j.size, 8 * (int64_t)sizeof block));
    job_release(&j);
    mounts_drop(&spool);
}

static void nothing_stays_reserved(void)
{
    enum { ANNOUNCED = 512 * 1024, WRITTEN = 5000 };
    struct err e = ERR_INIT;
    struct stat st;
    int64_t before = bytes_used();
    struct spool_upload u = begin(), given_up = begin();
    struct job j = spool_sample_job("q");

    cr_assert(not(spool_expect(spool.spool, &given_up, ANNOUNCED / 2, &e)), "%s",
              e.text);
    cr_assert(not(spool_expect(spool.spool, &u, ANNOUNCED / 2, &e)), "%s", e.text);
    cr_expect(bytes_used() >= before + ANNOUNCED);
    cr_assert(not(spool_write(spool.spool, &u, block, WRITTEN, &e)));
    cr_assert(not(spool_commit(spool.spool, &u, &j, 1, &e)), "%s", e.text);
    spool_abort(spool.spool, &given_up);
    cr_assert(eq(int, stat(spool_sample_job_path(&spool, &j.id, ".data"), &st), 0));
    cr_expect(eq(i64, st.st_size, WRITTEN));
    cr_expect(st.st_blocks * 512 < WRITTEN + 4096, "%jd", (intmax_t)st.st_blocks);
    cr_expect(bytes_used() < before + ANNOUNCED / 2);
    cr_assert(not(spool_remove(spool.spool, &j.id, &e)));
    job_release(&j);
    mounts_drop(&spool);
}

Test(spool_disk, nothing_reserved_beyond_the_size_stays)
{
    mounts_spool_on_tmpfs(&spool, "size=1m,mode=0700");
    nothing_stays_reserved();
    mounts_spool_on_ext4(&spool, "64");
    nothing_stays_reserved();
}

/* --- Full --- */

Test(spool_disk, a_full_ext4_refuses_in_the_middle_of_the_body_and_recovers)
{
    struct err e = ERR_INIT;
    struct spool_usage usage;

    mounts_spool_on_ext4(&spool, "64");
    struct spool_upload u = begin(), small = begin();
    struct job j = spool_sample_job("q");
    cr_assert(not(spool_write(spool.spool, &small, "abc", 3, &e)));
    expect_full(write_blocks(&u, 200, &e), &e);
    cr_assert(not(spool_measure(spool.spool, false, &usage, &e)));
    cr_expect(eq(i64, usage.bytes, usage.bytes_max),
              "nothing is left to others than root");
    spool_abort(spool.spool, &u);
    cr_expect(eq(int, spool_commit(spool.spool, &small, &j, 1, &e), ERR_OK),
              "one that had its room: %s", e.text);
    cr_assert(not(spool_remove(spool.spool, &j.id, &e)));
    expect_works();
    job_release(&j);
    mounts_drop(&spool);
}

Test(spool_disk, an_ext4_without_inodes_refuses_and_recovers)
{
    enum { MOST = 32 };
    struct spool_upload u[MOST];
    struct job j = spool_sample_job("q");
    struct err e = ERR_INIT;
    size_t begun = 0;

    mounts_spool_on_ext4(&spool, "24");
    while (begun < MOST && spool_begin(spool.spool, &u[begun], &e) == ERR_OK)
        begun++;
    cr_assert(begun > 1 && begun < MOST, "%zu", begun);
    expect_full(e.code, &e);
    expect_full(spool_commit(spool.spool, &u[0], &j, 1, &e), &e);
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 0), "its manifest has none");
    for (size_t i = 1; i < begun; i++)
        spool_abort(spool.spool, &u[i]);
    expect_works();
    job_release(&j);
    mounts_drop(&spool);
}

/* --- Read-only --- */

static void expect_read_only(const struct job_id *there)
{
    struct spool_upload u = SPOOL_UPLOAD_INIT;
    struct err e = ERR_INIT;

    cr_expect(eq(int, spool_begin(spool.spool, &u, &e), ERR_CONFIG), "%s", e.text);
    cr_expect(eq(int, e.os_errno, EROFS));
    cr_expect(not(spool_is_full(&e)));
    e = (struct err)ERR_INIT;
    cr_expect(eq(int, spool_check(spool.spool, &e), ERR_CONFIG), "%s", e.text);
    cr_expect(ne(ptr, strstr(e.text, "Read-only file system"), NULL), "%s", e.text);
    cr_expect(eq(int, spool_remove(spool.spool, there, &e), ERR_CONFIG), "%s", e.text);
}

static void turn_read_only_and_back(const char *type)
{
    struct err e = ERR_INIT;
    struct job j = spool_sample_commit(&spool, "q", "abc", 3);

    cr_expect(not(spool_check(spool.spool, &e)), "%s", e.text);
    cr_assert(eq(int, mount(type, spool.path, type, MS_REMOUNT | MS_RDONLY, NULL), 0));
    expect_read_only(&j.id);
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 2));
    cr_assert(eq(int, mount(type, spool.path, type, MS_REMOUNT, NULL), 0));
    cr_expect(not(spool_check(spool.spool, &e)), "%s", e.text);
    cr_assert(not(spool_remove(spool.spool, &j.id, &e)));
    expect_works();
    job_release(&j);
    mounts_drop(&spool);
}

Test(spool_disk, a_read_only_disk_is_for_an_operator)
{
    mounts_spool_on_tmpfs(&spool, "size=1m,mode=0700");
    turn_read_only_and_back("tmpfs");
    mounts_spool_on_ext4(&spool, "64");
    turn_read_only_and_back("ext4");
}

/* --- Broken --- */

static void break_disk(void)
{
    uint32_t how = EXT4_SHUTDOWN_NOLOGFLUSH;
    int fd = open(spool.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    cr_assert(fd >= 0 && ioctl(fd, EXT4_SHUTDOWN, &how) == 0, "%s", strerror(errno));
    close(fd);
}

Test(spool_disk, a_disk_that_breaks_at_the_sync_refuses_and_has_kept_what_was_promised)
{
    struct job lost = spool_sample_job("q"), back = JOB_INIT;
    struct spool_upload next = SPOOL_UPLOAD_INIT;
    struct err e = ERR_INIT;
    bool missing;

    mounts_spool_on_ext4(&spool, "64");
    struct job kept = spool_sample_commit(&spool, "q", "abc", 3);
    struct spool_upload u = begin();
    cr_assert(not(spool_write(spool.spool, &u, "xyz", 3, &e)));
    break_disk();
    cr_expect(eq(int, spool_commit(spool.spool, &u, &lost, 1, &e), ERR_RETRY));
    cr_expect(eq(int, e.os_errno, EIO), "%s", e.text);
    cr_expect(ne(int, spool_begin(spool.spool, &next, &e), ERR_OK));
    cr_expect(not(spool_is_full(&e)));
    mounts_drop(&spool);

    mounts_ext4(&spool, "ext4.img");
    mounts_open(&spool);
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 2), "what was promised");
    cr_expect(not(spool_read_manifest(spool.spool, &kept.id, &back, &missing, &e)),
              "%s", e.text);
    cr_expect(eq(str, back.crc32c, kept.crc32c));
    job_release(&lost);
    job_release(&kept);
    job_release(&back);
    mounts_drop(&spool);
}

Test(spool_disk, a_disk_that_breaks_during_the_body_refuses)
{
    struct err e = ERR_INIT;

    mounts_spool_on_ext4(&spool, "64");
    struct spool_upload u = begin();
    cr_assert(not(write_blocks(&u, 1, &e)));
    break_disk();
    cr_expect(eq(int, write_blocks(&u, 1, &e), ERR_RETRY));
    cr_expect(eq(int, e.os_errno, EIO), "%s", e.text);
    spool_abort(spool.spool, &u);
    cr_expect(eq(int, u.fd, -1));
    mounts_drop(&spool);
}
