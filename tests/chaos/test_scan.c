#include "tests/chaos/scan.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/tmpdir.h"

static struct tmpdir dir;

static void up(void)
{
    tmpdir_make(&dir);
}

static void down(void)
{
    tmpdir_remove(&dir);
}

TestSuite(scan, .init = up, .fini = down, .timeout = 60);

struct found {
    int count;
    char path[256], needle[64];
    int64_t at;
};

static void on_found(void *ctx, const char *path, const char *needle, int64_t at)
{
    struct found *f = ctx;

    f->count++;
    f->at = at;
    (void)snprintf(f->path, sizeof f->path, "%s", path);
    (void)snprintf(f->needle, sizeof f->needle, "%s", needle);
}

static struct found find(const char *needle)
{
    const char *const paths[] = {dir.path, "/nonexistent/file", NULL};
    const char *const needles[] = {"", "absent", needle, NULL};
    struct found f = {0};
    struct err e = ERR_INIT;

    cr_assert(eq(int, scan_files(paths, needles, on_found, &f, &e), ERR_OK), "%s",
              e.text);
    return f;
}

Test(scan, finds_a_text_in_a_file_below)
{
    cr_assert(not(mkdir(tmpdir_file(&dir, "d").path, 0700)));
    (void)tmpdir_write(&dir, "d/log", "\0one two three", 14);
    struct found f = find("two");
    cr_expect(eq(int, f.count, 1));
    cr_expect(eq(i64, f.at, 5));
    cr_expect(eq(str, f.path, tmpdir_file(&dir, "d/log").path));
    cr_expect(eq(str, f.needle, "two"));
    cr_expect(eq(int, find("four").count, 0));
}

Test(scan, finds_it_wherever_the_chunks_end)
{
    enum { SIZE = 700000 };
    char *bytes = calloc(1, SIZE);

    cr_assert(ne(ptr, bytes, NULL));
    /* 256 KiB are read at a time. */
    for (int64_t at = (256 << 10) - 7; at <= (256 << 10) + 1; at++) {
        memset(bytes, 'a', SIZE);
        memcpy(bytes + at, "secret", 6);
        (void)tmpdir_write(&dir, "log", bytes, SIZE);
        struct found f = find("secret");
        cr_assert(eq(int, f.count, 1));
        cr_assert(eq(i64, f.at, at));
    }
    memcpy(bytes + SIZE - 6, "secret", 6);
    (void)tmpdir_write(&dir, "log", bytes, SIZE);
    cr_expect(eq(int, find("secret").count, 1)); /* once for each file */
    free(bytes);
}

Test(scan, too_long_a_text_is_refused)
{
    char needle[SCAN_NEEDLE_MAX + 2];
    const char *const paths[] = {dir.path, NULL}, *const needles[] = {needle, NULL};
    struct found f = {0};
    struct err e = ERR_INIT;

    memset(needle, 'x', sizeof needle);
    needle[sizeof needle - 1] = '\0';
    cr_expect(eq(int, scan_files(paths, needles, on_found, &f, &e), ERR_CONFIG));
}
