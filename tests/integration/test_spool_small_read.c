/*
 * spool: small uploads, whose manifest and bytes stand in one file, as others meet them: read, copied, scanned, swept.
 */
#include "tests/integration/spool_small_rig.h"

#include <sys/stat.h>
#include <time.h>

TestSuite(spool_small_read, .init = up, .fini = down, .timeout = 60);

Test(spool_small_read, what_is_damaged_is_told_and_stays)
{
    struct job j = spool_sample_commit(&spool, "q", "hello", 5), back = JOB_INIT;
    const char *path = spool_sample_job_path(&spool, &j.id, ".job");
    struct err e = ERR_INIT;
    struct stat st;
    bool missing = true;

    refuses(&j.id, 4, "spool long: 5 bytes instead of 4");
    refuses(&j.id, 6, "spool short: 5 bytes instead of 6");
    cr_assert(stat(path, &st) == 0 && truncate(path, st.st_size - 2) == 0);
    refuses(&j.id, 5, "spool short: 3 bytes instead of 5");
    cr_expect(manifest_says(&j.id, 5), "it is whole");
    cr_assert(truncate(path, 100) == 0);
    refuses(&j.id, 5, "spool short: 0 bytes");
    cr_expect(eq(int, spool_read_manifest(spool.spool, &j.id, &back, &missing, &e),
                 ERR_REJECT));
    cr_expect(not(missing));
    cr_assert(truncate(path, 0) == 0);
    cr_expect(eq(int, spool_read_manifest(spool.spool, &j.id, &back, &missing, &e),
                 ERR_REJECT));
    cr_expect(not(missing));
    cr_assert(unlink(path) == 0);
    refuses(&j.id, 5, "spool missing");
    cr_expect(eq(int, spool_read_manifest(spool.spool, &j.id, &back, &missing, &e),
                 ERR_REJECT));
    cr_expect(missing);
    job_release(&j);
}

Test(spool_small_read, a_link_in_its_place_is_not_followed)
{
    struct job j = spool_sample_commit(&spool, "q", "hello", 5);
    const char *path = spool_sample_job_path(&spool, &j.id, ".job");
    const char *other = spool_sample_path(&spool, "other");

    cr_assert(rename(path, other) == 0 && symlink(other, path) == 0);
    refuses(&j.id, 5, "spool missing");
    cr_assert(unlink(path) == 0 && link(other, path) == 0);
    refuses(&j.id, 5, "with its links");
    job_release(&j);
}

/* Converters have it as their standard input. */
Test(spool_small_read, nobody_writes_to_what_was_opened)
{
    struct job j = spool_sample_commit(&spool, "q", "hello", 5);
    struct err e = ERR_INIT;
    char path[64];
    int fd = -1;

    cr_assert(not(spool_open_data(spool.spool, &j.id, 5, &fd, &e)), "%s", e.text);
    cr_expect(eq(int, (int)pwrite(fd, "X", 1, 0), -1));
    cr_expect(eq(int, ftruncate(fd, 0), -1));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = open(path, O_RDWR | O_CLOEXEC);
    cr_expect(again < 0 || pwrite(again, "X", 1, 0) < 0);
    close(again);
    close(fd);
    cr_expect(holds(&j.id, "hello", 5));
    job_release(&j);
}

/* Whatever small_bytes is now: it was made by others. */
Test(spool_small_read, the_largest_and_those_of_another_setting_are_read_and_copied)
{
    struct err e = ERR_INIT;
    char *body = malloc(SPOOL_SMALL_MAX + 1);

    for (size_t i = 0; i <= SPOOL_SMALL_MAX; i++)
        body[i] = (char)(i % 251);
    down();
    spool_sample_open_small(&spool, SPOOL_SMALL_MAX + 1);
    struct job j = spool_sample_commit(&spool, "q", body, SPOOL_SMALL_MAX);
    cr_assert(is_there(&j.id, ".job"));
    struct job larger = spool_sample_commit(&spool, "q", body, SPOOL_SMALL_MAX + 1);
    cr_expect(is_there(&larger.id, ".data"), "no setting makes it more");
    job_release(&larger);
    spool_close(spool.spool);
    const struct spool_options o = {.dir = spool.path, .durable = true};
    cr_assert(not(spool_open(&o, &spool.spool, &e)));
    cr_expect(holds(&j.id, body, SPOOL_SMALL_MAX));
    struct job copy = JOB_INIT;
    bool missing;
    cr_assert(not(spool_read_manifest(spool.spool, &j.id, &copy, &missing, &e)));
    memcpy(copy.id.queue, "docs", sizeof "docs");
    cr_assert(not(spool_clone(spool.spool, &j.id, &copy, NULL, &e)), "%s", e.text);
    cr_expect(is_there(&copy.id, ".data") && is_there(&copy.id, ".json"));
    cr_assert(not(spool_remove(spool.spool, &j.id, &e)));
    cr_expect(not(is_there(&j.id, ".job")));
    cr_expect(holds(&copy.id, body, SPOOL_SMALL_MAX), "it is another file");
    cr_expect(manifest_says(&copy.id, SPOOL_SMALL_MAX));
    job_release(&copy);
    job_release(&j);
    free(body);
}

Test(spool_small_read, a_copy_of_what_is_not_as_long_as_it_should_be_is_refused)
{
    struct job j = spool_sample_commit(&spool, "q", "hello", 5), copy = JOB_INIT;
    struct err e = ERR_INIT;
    bool missing;

    cr_assert(not(spool_read_manifest(spool.spool, &j.id, &copy, &missing, &e)));
    memcpy(copy.id.queue, "docs", sizeof "docs");
    copy.size = 6;
    cr_expect(eq(int, spool_clone(spool.spool, &j.id, &copy, NULL, &e), ERR_REJECT));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 1));
    job_release(&copy);
    job_release(&j);
}

static enum err_code note_ready(void *ctx, struct err *e)
{
    (void)e;
    *(bool *)ctx = true;
    return ERR_OK;
}

Test(spool_small_read, a_copy_that_is_heard_of_before_its_promise_has_two_files)
{
    struct job j = spool_sample_commit(&spool, "q", "hello", 5), copy = JOB_INIT;
    bool told = false, missing;
    const struct spool_ready ready = {note_ready, NULL, &told};
    struct err e = ERR_INIT;

    cr_assert(not(spool_read_manifest(spool.spool, &j.id, &copy, &missing, &e)));
    memcpy(copy.id.queue, "docs", sizeof "docs");
    cr_assert(not(spool_clone(spool.spool, &j.id, &copy, &ready, &e)), "%s", e.text);
    cr_expect(told);
    cr_expect(is_there(&copy.id, ".data") && is_there(&copy.id, ".json"));
    cr_expect(not(is_there(&copy.id, ".job")));
    cr_assert(not(spool_remove(spool.spool, &j.id, &e)));
    cr_expect(holds(&copy.id, "hello", 5));
    cr_expect(manifest_says(&copy.id, 5));
    job_release(&copy);
    job_release(&j);
}

/* --- All of them --- */

Test(spool_small_read, it_is_scanned_counted_and_removed_as_others_are)
{
    struct job small = spool_sample_commit(&spool, "q", "hello", 5);
    static char body[SMALL + 1];
    struct job large = spool_sample_commit(&spool, "q", body, sizeof body);
    struct spool_scan *scan;
    struct err e = ERR_INIT;
    struct job_id id;
    struct spool_usage usage;
    int seen = 0;

    cr_assert(not(spool_scan_open(spool.spool, &scan, &e)));
    while (spool_scan_next(scan, &id))
        seen += strcmp(id.uuid.text, small.id.uuid.text) == 0 ? 1 : 10;
    spool_scan_close(scan);
    cr_expect(eq(int, seen, 11), "each once");
    cr_assert(not(spool_measure(spool.spool, true, &usage, &e)));
    cr_expect(eq(i64, usage.files, 2));
    cr_expect(ge(i64, usage.data_bytes, 5 + SMALL + 1));
    cr_assert(not(spool_remove(spool.spool, &small.id, &e)));
    cr_assert(not(spool_remove(spool.spool, &small.id, &e)), "gone is no error");
    cr_assert(not(spool_remove(spool.spool, &large.id, &e)));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 0));
    job_release(&small);
    job_release(&large);
}

static void plant_old(const char *name, int64_t age_ms)
{
    const char *path = spool_sample_path(&spool, name);
    struct timespec now, times[2];

    spool_sample_plant(path, "x");
    clock_gettime(CLOCK_REALTIME, &now);
    times[0] = times[1] = (struct timespec){.tv_sec = now.tv_sec - age_ms / 1000};
    cr_assert(eq(int, utimensat(AT_FDCWD, path, times, 0), 0));
}

#define OLD_ID "jobs/q.018cc251-f400-7000-8000-00000000000"
#define YOUNG_ID "jobs/q.ffffffff-ffff-7000-8000-000000000001"

Test(spool_small_read, what_a_crash_leaves_of_one_is_swept_as_in_tmp_and_jobs_never)
{
    const struct spool_sweep_options o = {
        .tmp_age_ms = DAY_MS / 2, .jobs_age_ms = 2 * DAY_MS, .max = 100};

    plant_old(OLD_ID "1.new", DAY_MS);
    plant_old(OLD_ID "2.new", DAY_MS / 4);
    plant_old(YOUNG_ID ".new", DAY_MS);
    plant_old(OLD_ID "3.job", 9 * DAY_MS);
    plant_old(OLD_ID "4.data", DAY_MS);
    cr_expect(eq(sz, spool_sweep_files(spool.spool, &o), 1));
    cr_expect(ne(int, access(spool_sample_path(&spool, OLD_ID "1.new"), F_OK), 0));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 4));
}
