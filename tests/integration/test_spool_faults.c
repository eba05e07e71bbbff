/*
 * spool: calls to the kernel that fail, one at a time (faulty_calls.h).  What the real parts of a machine can do is in
 * test_spool_disk.c.
 */
#include "shared/spool_keys.h"
#include "tests/integration/faulty_calls.h"
#include "tests/support/spool_sample.h"

#include <errno.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <unistd.h>

static struct spool_sample spool;
static int undone;

static void up(void)
{
    spool_sample_open(&spool);
}

static void down(void)
{
    fail_from(CALL_WRITE, 0, 0, 0);
    spool_sample_close(&spool);
}

TestSuite(spool_faults, .init = up, .fini = down, .timeout = 120);

static void expect_nothing(const char *label)
{
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0), "%s", label);
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 0), "%s", label);
}

/* Begin, expect 100,000 bytes, write 3, commit, with `count` files in one request. */
static enum err_code upload(size_t count, struct err *e)
{
    struct spool_upload u[4] = {SPOOL_UPLOAD_INIT, SPOOL_UPLOAD_INIT, SPOOL_UPLOAD_INIT,
                                SPOOL_UPLOAD_INIT};
    struct job j[4] = {JOB_INIT, JOB_INIT, JOB_INIT, JOB_INIT};
    enum err_code code = ERR_OK;

    *e = (struct err)ERR_INIT;
    for (size_t i = 0; i < count && code == ERR_OK; i++) {
        j[i] = spool_sample_job("q");
        code = spool_begin(spool.spool, &u[i], e);
        if (code == ERR_OK)
            code = spool_expect(spool.spool, &u[i], 100000, e);
        if (code == ERR_OK)
            code = spool_write(spool.spool, &u[i], "abc", 3, e);
    }
    if (code == ERR_OK)
        code = spool_commit(spool.spool, u, j, count, e);
    else
        for (size_t i = 0; i < count; i++)
            spool_abort(spool.spool, &u[i]);
    for (size_t i = 0; i < count; i++) {
        cr_expect(eq(int, u[i].fd, -1));
        job_release(&j[i]);
    }
    return code;
}

/* Each call that an upload of two files makes, the n-th of its kind. */
static const struct {
    const char *label;
    enum call call;
    size_t nth;
    int error;
    enum err_code code;
    bool full;
} faults[] = {
    {"bytes without room", CALL_WRITE, 1, ENOSPC, ERR_RETRY, true},
    {"bytes over the quota", CALL_WRITE, 1, EDQUOT, ERR_RETRY, true},
    {"bytes of too large a file", CALL_WRITE, 2, EFBIG, ERR_RETRY, true},
    {"bytes to a broken disk", CALL_WRITE, 1, EIO, ERR_RETRY, false},
    {"bytes to a read-only disk", CALL_WRITE, 1, EROFS, ERR_CONFIG, false},
    {"manifest without room", CALL_WRITE, 3, ENOSPC, ERR_RETRY, true},
    {"manifest over the quota", CALL_WRITE, 4, EDQUOT, ERR_RETRY, true},
    {"manifest to a broken disk", CALL_WRITE, 4, EIO, ERR_RETRY, false},
    {"room over the quota", CALL_FALLOCATE, 1, EDQUOT, ERR_RETRY, true},
    {"room that is not there", CALL_FALLOCATE, 2, ENOSPC, ERR_RETRY, true},
    {"room on a broken disk", CALL_FALLOCATE, 1, EIO, ERR_RETRY, false},
    {"room on a read-only disk", CALL_FALLOCATE, 1, EROFS, ERR_CONFIG, false},
    {"room that cannot be given back", CALL_FTRUNCATE, 2, EIO, ERR_RETRY, false},
    {"sync of data", CALL_FDATASYNC, 1, EIO, ERR_RETRY, false},
    {"sync of a manifest", CALL_FDATASYNC, 2, EIO, ERR_RETRY, false},
    {"sync of the second data", CALL_FDATASYNC, 3, EIO, ERR_RETRY, false},
    {"sync of the second manifest", CALL_FDATASYNC, 4, EIO, ERR_RETRY, false},
    {"sync without room", CALL_FDATASYNC, 1, ENOSPC, ERR_RETRY, true},
    {"sync over the quota", CALL_FDATASYNC, 4, EDQUOT, ERR_RETRY, true},
    {"sync of a read-only disk", CALL_FDATASYNC, 1, EROFS, ERR_CONFIG, false},
    {"sync of jobs/", CALL_FSYNC, 1, EIO, ERR_RETRY, false},
    {"sync of jobs/ over the quota", CALL_FSYNC, 1, EDQUOT, ERR_RETRY, true},
    {"close of a manifest", CALL_CLOSE, 1, EDQUOT, ERR_RETRY, true},
    {"close of the second manifest", CALL_CLOSE, 2, ENOSPC, ERR_RETRY, true},
    {"move of data", CALL_RENAME, 2, EIO, ERR_RETRY, false},
    {"move of a manifest", CALL_RENAME, 3, ENOSPC, ERR_RETRY, true},
    {"move of the second manifest", CALL_RENAME, 4, EROFS, ERR_CONFIG, false},
};

Test(spool_faults, whatever_call_fails_the_request_is_refused_and_leaves_nothing)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct err e;
        fail_from(faults[i].call, faults[i].nth, 1, faults[i].error);
        cr_expect(eq(int, upload(2, &e), faults[i].code), "%s: %s", faults[i].label,
                  e.text);
        cr_expect(eq(int, fault.error, e.os_errno), "%s: %s", faults[i].label, e.text);
        cr_expect(eq(int, spool_is_full(&e), faults[i].full), "%s", faults[i].label);
        expect_nothing(faults[i].label);
        fail_from(CALL_WRITE, 0, 0, 0);
        cr_expect(eq(int, upload(1, &e), ERR_OK), "after %s: %s", faults[i].label,
                  e.text);
        cr_assert(eq(int, spool_sample_count(&spool, "jobs"), 2));
        struct spool_scan *scan = NULL;
        struct job_id id;
        cr_assert(not(spool_scan_open(spool.spool, &scan, &e)));
        cr_assert(spool_scan_next(scan, &id));
        spool_scan_close(scan);
        cr_assert(not(spool_remove(spool.spool, &id, &e)));
    }
}

/* Success of a second try would prove nothing: the pages that were not written may be clean by then. */
Test(spool_faults, a_sync_that_failed_is_never_tried_again)
{
    static const struct {
        enum call call;
        size_t nth, others; /* how many of the other kind there may be */
    } syncs[] = {{CALL_FDATASYNC, 1, 0}, {CALL_FDATASYNC, 2, 0}, {CALL_FSYNC, 1, 0}};

    for (size_t i = 0; i < sizeof syncs / sizeof syncs[0]; i++) {
        struct err e;
        fail_from(syncs[i].call, syncs[i].nth, 1, EIO);
        cr_expect(eq(int, upload(1, &e), ERR_RETRY), "%zu", i);
        cr_expect(eq(sz, fault.seen[syncs[i].call], syncs[i].nth), "row %zu", i);
        cr_expect(eq(sz, fault.again, 0), "row %zu", i);
        if (syncs[i].call == CALL_FDATASYNC)
            cr_expect(eq(sz, fault.seen[CALL_FSYNC], 0), "row %zu", i);
        expect_nothing("sync");
    }
}

Test(spool_faults, room_that_a_file_system_cannot_take_is_no_error)
{
    static const int errors[] = {EOPNOTSUPP, ENOSYS};

    for (size_t i = 0; i < 2; i++) {
        struct err e;
        fail_from(CALL_FALLOCATE, 1, 1, errors[i]);
        cr_expect(eq(int, upload(1, &e), ERR_OK), "%s", e.text);
        cr_expect(eq(sz, fault.seen[CALL_FTRUNCATE], 0),
                  "there is nothing to give back");
    }
}

Test(spool_faults, a_signal_is_no_error)
{
    static const enum call calls[] = {CALL_WRITE, CALL_FALLOCATE, CALL_FTRUNCATE,
                                      CALL_CLOSE};

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct err e;
        fail_from(calls[i], 1, calls[i] == CALL_CLOSE ? 1 : 3, EINTR);
        cr_expect(eq(int, upload(1, &e), ERR_OK), "%zu: %s", i, e.text);
    }
}

Test(spool_faults, what_was_announced_exactly_costs_nothing_more_at_commit)
{
    struct err e = ERR_INIT;
    char block[8192] = {0};
    /* announced, written, given back */
    static const size_t cases[][3] = {
        {8192, 8192, 0}, {8192, 8000, 0}, {8000, 8192, 0}, {1, 0, 1},   {8192, 4096, 1},
        {8192, 4097, 0}, {4097, 4096, 1}, {0, 10, 0},      {100, 0, 1}, {4096, 1, 0}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct spool_upload u;
        struct job j = spool_sample_job("q");
        int fd = -1;
        fail_from(CALL_WRITE, 0, 0, 0);
        cr_assert(not(spool_begin(spool.spool, &u, &e)));
        cr_assert(not(spool_expect(spool.spool, &u, (int64_t)cases[i][0], &e)));
        cr_assert(not(spool_write(spool.spool, &u, block, cases[i][1], &e)));
        cr_assert(not(spool_commit(spool.spool, &u, &j, 1, &e)), "%s", e.text);
        cr_expect(eq(sz, fault.seen[CALL_FTRUNCATE], cases[i][2]), "row %zu", i);
        cr_expect(
            not(spool_open_data(spool.spool, &j.id, (int64_t)cases[i][1], &fd, &e)),
            "row %zu: %s", i, e.text);
        fd_close(&fd);
        job_release(&j);
    }
}

/* --- Syncs that go on failing --- */

static void fail_syncs(size_t times)
{
    struct err e;

    for (size_t i = 0; i < times; i++) {
        fail_from(CALL_FSYNC, 1, 1, EIO);
        cr_assert(eq(int, upload(1, &e), ERR_RETRY));
    }
    fail_from(CALL_WRITE, 0, 0, 0);
}

Test(spool_faults, after_three_in_a_row_no_upload_is_begun_until_a_probe_succeeds)
{
    struct err e = ERR_INIT;
    struct spool_upload u = SPOOL_UPLOAD_INIT;

    fail_syncs(SPOOL_SYNC_ERRORS);
    cr_expect(eq(int, spool_begin(spool.spool, &u, &e), ERR_RETRY));
    cr_expect(not(spool_is_full(&e)));
    cr_expect(ne(ptr, strstr(e.text, "Input/output error"), NULL), "%s", e.text);
    cr_expect(eq(int, u.fd, -1));
    for (size_t i = 0; i < 4; i++) { /* the probe fails at each of its calls */
        static const enum call calls[] = {CALL_FDATASYNC, CALL_FSYNC, CALL_RENAME,
                                          CALL_WRITE};
        e = (struct err)ERR_INIT;
        fail_from(calls[i], 1, 1, EIO);
        cr_expect(eq(int, spool_check(spool.spool, &e), ERR_RETRY), "%s", e.text);
        cr_expect(ne(ptr, strstr(e.text, "probe"), NULL), "%s", e.text);
        fail_from(CALL_WRITE, 0, 0, 0);
        cr_expect(eq(int, spool_begin(spool.spool, &u, &e), ERR_RETRY));
        expect_nothing("a probe that failed");
    }
    cr_expect(eq(int, spool_check(spool.spool, &e), ERR_OK), "%s", e.text);
    cr_expect(fault.seen[CALL_FDATASYNC] == 1 && fault.seen[CALL_FSYNC] == 1);
    expect_nothing("a probe");
    cr_expect(eq(int, upload(1, &e), ERR_OK), "%s", e.text);
}

Test(spool_faults, one_good_commit_in_between_starts_the_count_anew)
{
    struct err e = ERR_INIT;

    fail_syncs(SPOOL_SYNC_ERRORS - 1);
    cr_expect(eq(int, upload(1, &e), ERR_OK), "%s", e.text);
    fail_syncs(SPOOL_SYNC_ERRORS - 1);
    cr_expect(eq(int, upload(1, &e), ERR_OK), "%s", e.text);
    fail_from(CALL_WRITE, 0, 0, 0);
    cr_expect(eq(int, spool_check(spool.spool, &e), ERR_OK), "%s", e.text);
    cr_expect(eq(sz, fault.seen[CALL_FDATASYNC], 0), "no probe without need");
}

Test(spool_faults, a_clone_is_a_commit_like_others)
{
    struct err e = ERR_INIT;
    struct job old = spool_sample_commit(&spool, "q", "abc", 3), new = JOB_INIT;

    cr_assert(not(job_copy(&old, &new, &e)));
    fail_from(CALL_FSYNC, 1, 1, EIO);
    cr_expect(eq(int, spool_clone(spool.spool, &old.id, &new, NULL, &e), ERR_RETRY));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 2), "the old one's");
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    fail_syncs(SPOOL_SYNC_ERRORS - 2);
    cr_expect(eq(int, spool_clone(spool.spool, &old.id, &new, NULL, &e), ERR_OK), "%s",
              e.text);
    fail_syncs(SPOOL_SYNC_ERRORS - 1);
    cr_expect(eq(int, upload(1, &e), ERR_OK), "%s", e.text);
    job_release(&old);
    job_release(&new);
}

static enum err_code be_ready(void *ctx, struct err *e)
{
    (void)ctx;
    (void)e;
    return ERR_OK;
}

/* Of a clone, whose data must stand when it is undone. */
static void count_undone(void *ctx)
{
    const struct job *new = ctx;

    undone++;
    cr_expect(access(spool_sample_job_path(&spool, &new->id, ".data"), F_OK) == 0);
}

Test(spool_faults, a_clone_that_was_ready_and_is_not_promised_is_undone_first)
{
    struct err e = ERR_INIT;
    struct job old = spool_sample_commit(&spool, "q", "abc", 3), new = JOB_INIT;
    const struct spool_ready ready = {be_ready, count_undone, &new};
    static const enum call calls[] = {CALL_FSYNC, CALL_RENAME};

    cr_assert(not(job_copy(&old, &new, &e)));
    for (int i = 0; i < 2; i++) {
        fail_from(calls[i], 1, 1, EIO);
        cr_expect(
            eq(int, spool_clone(spool.spool, &old.id, &new, &ready, &e), ERR_RETRY));
        cr_expect(eq(int, undone, i + 1));
        cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 2), "the old one's");
        cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    }
    job_release(&old);
    job_release(&new);
}

Test(spool_faults, a_clone_of_one_file_syncs_what_it_copies)
{
    struct err e = ERR_INIT;
    struct job new = JOB_INIT;
    const struct spool_ready ready = {be_ready, count_undone, &new};

    spool_sample_close(&spool);
    spool_sample_open_small(&spool, 16);
    struct job old = spool_sample_commit(&spool, "q", "abc", 3);
    cr_assert(not(job_copy(&old, &new, &e)));
    fail_from(CALL_WRITE, 0, 0, 0);
    cr_expect(eq(int, spool_clone(spool.spool, &old.id, &new, &ready, &e), ERR_OK));
    cr_expect(fault.seen[CALL_FDATASYNC] == 2 && fault.seen[CALL_FSYNC] == 1);
    for (size_t nth = 1; nth <= 2; nth++) {
        fail_from(CALL_FDATASYNC, nth, 1, EIO);
        cr_expect(
            eq(int, spool_clone(spool.spool, &old.id, &new, &ready, &e), ERR_RETRY));
        cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 3), "no file more");
    }
    job_release(&old);
    job_release(&new);
}

static struct spool_key claim_key(void)
{
    static const char name[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct spool_key k = SPOOL_KEY_INIT;
    struct err e = ERR_INIT;
    bool busy;

    cr_assert(not(spool_key_claim(spool.spool, name, &k, &busy, &e)), "%s", e.text);
    return k;
}

Test(spool_faults, the_record_of_a_key_is_told_once_its_job_is_synced)
{
    struct job j = spool_sample_commit(&spool, "q", "abc", 3);
    struct buf text = BUF_INIT(KEY_RECORD_MAX);
    struct key_record r = {.created = 1, .id_count = 1, .body = "{}", .body_len = 2};
    struct err e = ERR_INIT;
    struct spool_key k = claim_key();

    memset(r.print, 'b', DIGEST_SHA256_HEX);
    cr_assert(not(key_record_format(&r, &j.id, &text, &e)), "%s", e.text);
    cr_assert(not(spool_key_store(spool.spool, &k, text.data, text.len, &e)));
    spool_key_release(spool.spool, &k);
    k = claim_key();
    fail_from(CALL_FSYNC, 1, 1, EIO);
    cr_expect(eq(int, spool_key_read(spool.spool, &k, &text, &r, &e), ERR_RETRY));
    fail_from(CALL_WRITE, 0, 0, 0);
    cr_expect(eq(int, spool_key_read(spool.spool, &k, &text, &r, &e), ERR_OK));
    cr_expect(eq(int, spool_key_peek(spool.spool, &k, &text, &r, &e), ERR_OK));
    cr_expect(r.created == 1 && fault.seen[CALL_FSYNC] == 1, "the second tells nobody");
    spool_key_release(spool.spool, &k);
    buf_release(&text);
    job_release(&j);
}

Test(spool_faults, a_full_disk_at_the_sync_is_no_broken_disk)
{
    struct err e = ERR_INIT;

    for (size_t i = 0; i < 2 * SPOOL_SYNC_ERRORS; i++) {
        fail_from(CALL_FDATASYNC, 1, 1, i % 2 ? ENOSPC : EDQUOT);
        cr_expect(eq(int, upload(1, &e), ERR_RETRY));
        cr_expect(spool_is_full(&e), "%s", e.text);
    }
    cr_expect(eq(int, upload(1, &e), ERR_OK), "%s", e.text);
}

Test(spool_faults, without_durability_nothing_is_synced_and_a_close_still_counts)
{
    struct spool_options o = {.dir = spool.path, .durable = false};
    struct err e = ERR_INIT;

    spool_close(spool.spool);
    spool.spool = NULL;
    faulty_file_system =
        NFS_SUPER_MAGIC; /* that of data counts, too: the first of three */
    cr_assert(not(spool_open(&o, &spool.spool, &e)), "%s", e.text);
    for (size_t i = 0; i < SPOOL_SYNC_ERRORS; i++) {
        fail_from(CALL_CLOSE, 1 + i % 2, 1, EIO);
        cr_expect(eq(int, upload(1, &e), ERR_RETRY));
        expect_nothing("close");
        cr_expect(fault.seen[CALL_FDATASYNC] == 0 && fault.seen[CALL_FSYNC] == 0);
    }
    fail_from(CALL_WRITE, 0, 0, 0);
    cr_expect(eq(int, upload(1, &e), ERR_RETRY), "no more");
    cr_expect(eq(int, spool_check(spool.spool, &e), ERR_OK), "%s", e.text);
    fail_from(CALL_WRITE, 0, 0, 0);
    cr_expect(eq(int, upload(1, &e), ERR_OK), "%s", e.text);
    cr_expect(fault.seen[CALL_FDATASYNC] == 0 && fault.seen[CALL_FSYNC] == 0);
    cr_expect(eq(sz, fault.seen[CALL_CLOSE], 3));
}
