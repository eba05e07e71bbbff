/*
 * body_file: what happens to a body's file between the looks at it; those at the file itself are in test_body_file_responder.c.
 * read_ahead: a second thread reads it.
 */
#include "fcgi-app/upload/body_file.h"

#include "fcgi-app/upload/read_ahead.h"

#include "tests/support/spool_sample.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct tmpdir bodies;

static struct tmpdir_file leave(const char *name, const char *text)
{
    return tmpdir_write(&bodies, name, text, strlen(text));
}

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static struct spool_sample spool;
static struct body_files files;

static void files_up(void)
{
    tmpdir_make(&bodies);
    spool_sample_open(&spool);
    files = (struct body_files){bodies.path, strlen(bodies.path), geteuid()};
}

static void files_down(void)
{
    spool_sample_close(&spool);
    tmpdir_remove(&bodies);
}

TestSuite(body_file, .init = files_up, .fini = files_down, .timeout = 60);

static struct body_file open_good(const char *path)
{
    struct body_file f = BODY_FILE_INIT;
    struct err e = ERR_INIT;

    cr_assert(eq(int, body_file_open(&files, path, &f, &e), ERR_OK), "%s", e.text);
    return f;
}

static size_t count_tmp(void)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/tmp", spool.path);
    return tmpdir_count(path, "");
}

static void expect_not_adopted(struct body_file *f, const char *why)
{
    struct spool_foreign foreign = {f->dir_fd, f->name, f->fd};
    struct spool_upload u = SPOOL_UPLOAD_INIT;
    struct err e = ERR_INIT;

    cr_expect(eq(int, spool_adopt(spool.spool, &foreign, &u, &e), ERR_REJECT));
    cr_expect(strstr(e.text, why) != NULL, "no '%s' in %s", why, e.text);
    cr_expect(eq(sz, count_tmp(), 0));
    body_file_release(f);
}

Test(body_file, what_was_put_in_its_place_after_the_look_is_not_taken)
{
    struct body_file f = open_good(leave("1", "hello").path);
    struct tmpdir_file other = leave("2", "other");

    cr_assert(rename(other.path, tmpdir_file(&bodies, "1").path) == 0);
    expect_not_adopted(&f, "it was replaced while it was looked at");

    f = open_good(leave("1", "hello").path);
    cr_assert(unlink(tmpdir_file(&bodies, "1").path) == 0 &&
              symlink("/etc/passwd", tmpdir_file(&bodies, "1").path) == 0);
    expect_not_adopted(&f, "it was replaced while it was looked at");
    cr_expect(is_there("/etc/passwd"));
}

Test(body_file, what_got_a_second_name_after_the_look_is_not_taken)
{
    struct tmpdir_file path = leave("1", "hello");
    struct body_file f = open_good(path.path);

    cr_assert(link(path.path, tmpdir_file(&bodies, "2").path) == 0);
    expect_not_adopted(&f, "it has 2 names");
}

Test(body_file, what_somebody_has_locked_is_not_taken)
{
    struct tmpdir_file path = leave("1", "hello");
    struct body_file f = open_good(path.path);
    int holder = open(path.path, O_RDONLY | O_CLOEXEC);

    cr_assert(holder >= 0 && flock(holder, LOCK_EX) == 0);
    expect_not_adopted(&f, "somebody has locked it");
    (void)close(holder);
}

Test(body_file, what_is_written_to_while_it_is_read_is_noticed)
{
    static const char *const later[] = {"hello, world", "hell", "HELLO"};
    char text[64];
    size_t len = 0;

    for (size_t i = 0; i < COUNT(later); i++) {
        struct err e = ERR_INIT;
        struct tmpdir_file path = leave("1", "hello");
        struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
        cr_assert(utimensat(AT_FDCWD, path.path, old, 0) == 0);
        struct body_file f = open_good(path.path);
        cr_assert(eq(int, body_file_read(&f, text, 5, &len, &e), ERR_OK));
        cr_expect(eq(int, body_file_check_end(&f, 5, &e), ERR_OK), "%s", e.text);
        (void)leave("1", later[i]);
        cr_expect(eq(int, body_file_check_end(&f, 5, &e), ERR_REJECT), "%s", later[i]);
        cr_expect(strstr(e.text, "was written to while it was read") != NULL);
        body_file_release(&f);
    }
}

Test(body_file, an_adopted_file_is_the_spools_and_no_sweep_takes_it)
{
    struct body_file f = open_good(leave("1", "hello").path);
    struct spool_foreign foreign = {f.dir_fd, f.name, f.fd};
    struct spool_upload u = SPOOL_UPLOAD_INIT;
    struct err e = ERR_INIT;

    cr_assert(eq(int, spool_adopt(spool.spool, &foreign, &u, &e), ERR_OK), "%s",
              e.text);
    cr_expect(eq(sz, spool_sweep(spool.spool, -1, 10), 0));
    cr_expect(eq(sz, count_tmp(), 1));
    cr_expect(eq(int, spool_write(spool.spool, &u, "hello", 5, &e), ERR_OK));
    cr_expect(eq(int, u.size, 5));
    spool_abort(spool.spool, &u);
    cr_expect(eq(sz, count_tmp(), 0));
    body_file_release(&f);
}

/* --- ahead --- */

/* size bytes, no two pieces of which are the same; caller frees. */
static char *make_text(size_t size)
{
    char *text = malloc(size + 1);

    for (size_t i = 0; i < size; i++)
        text[i] = (char)(i % 251 + i / READ_AHEAD_PIECE_BYTES);
    return text;
}

static int open_text(const char *text, size_t size)
{
    struct tmpdir_file path = tmpdir_write(&bodies, "1", text, size);
    int fd = open(path.path, O_RDONLY | O_CLOEXEC);

    cr_assert(fd >= 0);
    return fd;
}

Test(body_file, what_is_read_ahead_comes_whole_and_in_order)
{
    static const size_t sizes[] = {0, 1, READ_AHEAD_PIECE_BYTES,
                                   4 * READ_AHEAD_PIECE_BYTES,
                                   11 * READ_AHEAD_PIECE_BYTES + 5};

    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct err e = ERR_INIT;
        char *text = make_text(sizes[i]);
        int fd = open_text(text, sizes[i]);
        struct read_ahead *a = read_ahead_start(fd);
        size_t at = 0, len = READ_AHEAD_PIECE_BYTES;
        while (len == READ_AHEAD_PIECE_BYTES) {
            const void *data;
            cr_assert(eq(int, read_ahead_next(a, &data, &len, &e), ERR_OK), "%s",
                      e.text);
            cr_assert(len <= sizes[i] - at && memcmp(data, text + at, len) == 0,
                      "%zu bytes at %zu of %zu", len, at, sizes[i]);
            at += len;
        }
        cr_expect(eq(sz, at, sizes[i]));
        read_ahead_stop(a);
        (void)close(fd);
        free(text);
    }
}

Test(body_file, reading_ahead_can_be_given_up_and_is_for_a_few_at_a_time)
{
    char *text = make_text(9 * READ_AHEAD_PIECE_BYTES);
    int fd = open_text(text, 9 * READ_AHEAD_PIECE_BYTES);
    struct read_ahead *all[READ_AHEAD_MAX];
    struct err e = ERR_INIT;
    const void *data;
    size_t len;

    for (size_t i = 0; i < READ_AHEAD_MAX; i++) {
        all[i] = read_ahead_start(fd);
        cr_assert(all[i] != NULL);
    }
    cr_expect(read_ahead_start(fd) == NULL);
    cr_expect(eq(int, read_ahead_next(all[0], &data, &len, &e), ERR_OK));
    for (size_t i = 0; i < READ_AHEAD_MAX; i++)
        read_ahead_stop(all[i]);
    read_ahead_stop(NULL);
    struct read_ahead *again = read_ahead_start(fd);
    cr_expect(again != NULL);
    read_ahead_stop(again);
    (void)close(fd);
    free(text);
}

Test(body_file, what_cannot_be_read_ahead_is_an_error)
{
    int fd = open(bodies.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct read_ahead *a = read_ahead_start(fd);
    struct err e = ERR_INIT;
    const void *data;
    size_t len;

    cr_expect(eq(int, read_ahead_next(a, &data, &len, &e), ERR_RETRY));
    cr_expect(eq(int, e.os_errno, EISDIR));
    read_ahead_stop(a);
    (void)close(fd);
}
