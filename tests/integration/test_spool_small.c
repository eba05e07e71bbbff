/*
 * spool: small uploads, whose manifest and bytes stand in one file.  This program is linked with --wrap for the calls whose
 * order is the promise: its wrappers note each, and let the one that a test has picked fail.
 */
#include "tests/integration/spool_small_rig.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/uio.h>

TestSuite(spool_small, .init = up, .fini = down, .timeout = 60);

/* --- Calls to the kernel --- */

static struct {
    char calls[64]; /* a letter each */
    size_t count;
    char fails;      /* this call ... */
    int error;       /* ... with this number; 0: */
    size_t short_by; /* writev writes that many bytes less than it should */
} kernel;

static bool fails(char call)
{
    if (kernel.count + 1 < sizeof kernel.calls)
        kernel.calls[kernel.count++] = call;
    errno = kernel.error;
    return call == kernel.fails && kernel.error != 0;
}

static void watch(char call, int error)
{
    memset(&kernel, 0, sizeof kernel);
    kernel.fails = call;
    kernel.error = error;
}

#define WRAPPED(type, name, ...)                                                       \
    type __real_##name(__VA_ARGS__);                                                   \
    type __wrap_##name(__VA_ARGS__);                                                   \
    type __wrap_##name(__VA_ARGS__)

WRAPPED(ssize_t, writev, int fd, const struct iovec *parts, int count)
{
    struct iovec all = {parts[0].iov_base, parts[0].iov_len + parts[1].iov_len};

    if (fails('w'))
        return -1;
    if (kernel.short_by == 0)
        return __real_writev(fd, parts, count);
    size_t len = all.iov_len - kernel.short_by;
    struct iovec less[2] = {parts[0], parts[1]};
    if (len < less[0].iov_len)
        less[0].iov_len = len;
    less[1].iov_len = len - less[0].iov_len;
    return __real_writev(fd, less, 2);
}

WRAPPED(ssize_t, write, int fd, const void *data, size_t len)
{
    return fails('W') ? -1 : __real_write(fd, data, len);
}

WRAPPED(int, fdatasync, int fd)
{
    return fails('s') ? -1 : __real_fdatasync(fd);
}

WRAPPED(int, fsync, int fd)
{
    return fails('d') ? -1 : __real_fsync(fd);
}

WRAPPED(int, renameat, int from_fd, const char *from, int to_fd, const char *to)
{
    return fails('r') ? -1 : __real_renameat(from_fd, from, to_fd, to);
}

WRAPPED(int, memfd_create, const char *name, unsigned flags)
{
    return fails('m') ? -1 : __real_memfd_create(name, flags);
}

/* --- Writing --- */

Test(spool_small, a_small_one_stands_in_one_file_that_is_manifest_and_bytes)
{
    static const char body[] = "line\nother line\n\0end";
    watch(0, 0);
    struct job j = spool_sample_commit(&spool, "q", body, sizeof body);
    char *text = calloc(1, 8192);

    cr_expect(eq(str, kernel.calls, "wsrd"),
              "written, synced, renamed, the directory synced");
    cr_expect(is_there(&j.id, ".job"));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 1));
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    cr_expect(holds(&j.id, body, sizeof body));
    cr_expect(manifest_says(&j.id, sizeof body));
    int fd = open(spool_sample_job_path(&spool, &j.id, ".job"), O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, 8191);
    close(fd);
    const char *end = memchr(text, '\n', (size_t)n);
    cr_assert(end && end[-1] == '}' && text[0] == '{', "%s", text);
    cr_expect(eq(sz, (size_t)(text + n - end - 1), sizeof body));
    cr_expect(memcmp(end + 1, body, sizeof body) == 0);
    free(text);
    job_release(&j);
}

Test(spool_small, what_grows_or_is_announced_as_larger_has_two_files)
{
    static char body[SMALL + 1];
    struct spool_upload u = SPOOL_UPLOAD_INIT;
    struct err e = ERR_INIT;

    memset(body, 'b', sizeof body);
    for (int kind = 0; kind < 3; kind++) {
        size_t len = kind == 2 ? SMALL : SMALL + 1;
        struct job j = spool_sample_job("q");
        cr_assert(not(spool_begin(spool.spool, &u, &e)));
        if (kind > 0)
            cr_assert(not(spool_expect(spool.spool, &u, (int64_t)len, &e)));
        for (size_t at = 0; at < len; at++)
            cr_assert(not(spool_write(spool.spool, &u, body + at, 1, &e)));
        cr_assert(not(spool_commit(spool.spool, &u, &j, 1, &e)), "%s", e.text);
        cr_expect(eq(int, is_there(&j.id, ".job"), kind == 2), "%d", kind);
        cr_expect(eq(int, is_there(&j.id, ".data"), kind != 2), "%d", kind);
        cr_expect(holds(&j.id, body, len));
        cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
        job_release(&j);
    }
}

static enum err_code ready(void *ctx, struct err *e)
{
    (void)e;
    *(int *)ctx = spool_sample_count(&spool, "tmp");
    return ERR_OK;
}

Test(spool_small, with_company_or_somebody_to_be_told_it_has_two_files)
{
    struct spool_upload u[2] = {SPOOL_UPLOAD_INIT, SPOOL_UPLOAD_INIT};
    struct job j[2] = {spool_sample_job("q"), spool_sample_job("q")};
    struct err e = ERR_INIT;
    int seen = 0;
    const struct spool_ready told = {ready, NULL, &seen};

    for (size_t i = 0; i < 2; i++) {
        cr_assert(not(spool_begin(spool.spool, &u[i], &e)));
        cr_assert(not(spool_write(spool.spool, &u[i], "abc", 3, &e)));
    }
    cr_assert(not(spool_commit(spool.spool, u, j, 2, &e)), "%s", e.text);
    for (size_t i = 0; i < 2; i++) {
        cr_expect(is_there(&j[i].id, ".data") && is_there(&j[i].id, ".json"));
        cr_expect(holds(&j[i].id, "abc", 3));
    }
    cr_assert(not(spool_begin(spool.spool, &u[0], &e)));
    cr_assert(not(spool_write(spool.spool, &u[0], "abc", 3, &e)));
    const struct spool_set set = {u, j, 1, &told};
    cr_assert(not(spool_commit_set(spool.spool, &set, &e)), "%s", e.text);
    cr_expect(eq(int, seen, 2), "data and manifest wait in tmp/");
    cr_expect(is_there(&j[0].id, ".data") && is_there(&j[0].id, ".json"));
    for (size_t i = 0; i < 2; i++)
        job_release(&j[i]);
}

Test(spool_small, an_empty_one_and_one_that_is_given_up)
{
    struct spool_upload u = SPOOL_UPLOAD_INIT;
    struct err e = ERR_INIT;
    struct job j = spool_sample_commit(&spool, "q", "", 0);

    cr_expect(holds(&j.id, "", 0));
    cr_assert(not(spool_begin(spool.spool, &u, &e)));
    cr_assert(not(spool_write(spool.spool, &u, "abc", 3, &e)));
    spool_abort(spool.spool, &u);
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 1));
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    job_release(&j);
}

Test(spool_small, a_write_that_is_cut_short_goes_on)
{
    enum { LEN = 80 };
    static char body[LEN];

    memset(body, 'b', sizeof body);
    for (size_t by = 1; by < 900; by += 79) { /* within the bytes, then the manifest */
        watch(0, 0);
        kernel.short_by = by < 300 ? by : 300;
        struct job j = spool_sample_commit(&spool, "q", body, LEN);
        cr_expect(strncmp(kernel.calls, "wW", 2) == 0, "%s", kernel.calls);
        cr_expect(holds(&j.id, body, LEN), "%zu", by);
        cr_expect(manifest_says(&j.id, LEN));
        job_release(&j);
    }
}

Test(spool_small, when_a_call_fails_nothing_is_promised_and_nothing_stays)
{
    static const char calls[] = "wsrd";

    for (const char *call = calls; *call; call++) {
        struct spool_upload u = SPOOL_UPLOAD_INIT;
        struct job j = spool_sample_job("q");
        struct err e = ERR_INIT;
        cr_assert(not(spool_begin(spool.spool, &u, &e)));
        cr_assert(not(spool_write(spool.spool, &u, "abc", 3, &e)));
        watch(*call, ENOSPC);
        cr_expect(eq(int, spool_commit(spool.spool, &u, &j, 1, &e), ERR_RETRY));
        cr_expect(spool_is_full(&e), "%c: %s", *call, e.text);
        cr_expect(eq(chr, kernel.calls[kernel.count - 1], *call),
                  "%s: no sync is tried again", kernel.calls);
        watch(0, 0);
        cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 0), "%c", *call);
        cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0), "%c", *call);
        cr_expect(eq(int, u.fd, -1));
        job_release(&j);
    }
}

Test(spool_small, what_was_swept_meanwhile_may_be_sent_again)
{
    struct spool_upload u = SPOOL_UPLOAD_INIT;
    struct job j = spool_sample_job("q");
    struct err e = ERR_INIT;

    cr_assert(not(spool_begin(spool.spool, &u, &e)));
    watch('r', ENOENT);
    cr_expect(eq(int, spool_commit(spool.spool, &u, &j, 1, &e), ERR_RETRY), "%s",
              e.text);
    job_release(&j);
}

Test(spool_small, syncs_that_fail_are_counted)
{
    struct err e = ERR_INIT;

    for (int i = 0; i < SPOOL_SYNC_ERRORS; i++) {
        struct spool_upload u = SPOOL_UPLOAD_INIT;
        struct job j = spool_sample_job("q");
        cr_assert(not(spool_begin(spool.spool, &u, &e)), "%d: %s", i, e.text);
        watch(i % 2 ? 'd' : 's', EIO);
        cr_expect(eq(int, spool_commit(spool.spool, &u, &j, 1, &e), ERR_RETRY));
        job_release(&j);
    }
    watch(0, 0);
    struct spool_upload u = SPOOL_UPLOAD_INIT;
    cr_expect(eq(int, spool_begin(spool.spool, &u, &e), ERR_RETRY));
}

Test(spool_small, no_descriptor_for_its_copy_is_a_matter_of_time)
{
    struct job j = spool_sample_commit(&spool, "q", "hello", 5);
    struct err e = ERR_INIT;
    int fd = -1;

    watch('m', EMFILE);
    cr_expect(eq(int, spool_open_data(spool.spool, &j.id, 5, &fd, &e), ERR_RETRY));
    watch(0, 0);
    cr_expect(holds(&j.id, "hello", 5));
    job_release(&j);
}
