/*
 * s3_meta: metadata as it travels, and how much of it there may be.
 */
#include "shared/s3_meta.h"

#include "shared/cleanup.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(s3_meta, .timeout = 60);

static const struct {
    const char *value, *wire;
} rows[] = {
    {"plain", "plain"},           {"a b", "a b"},
    {" a  b ", "%20a%20%20b%20"}, {"100%", "100%25"},
    {"Zo\xc3\xab", "Zo%C3%AB"},   {"", ""},
};

Test(s3_meta, values_are_ascii_and_counted_as_they_travel)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CLEANUP(buf_release) struct buf b = BUF_INIT(256);

        s3_meta_add_value(&b, rows[i].value);
        cr_expect(eq(str, b.data, (char *)rows[i].wire));
        cr_expect(eq(sz, s3_meta_bytes("n", rows[i].value), 12 + strlen(rows[i].wire)));
    }
}

/* 2 KiB of ASCII, or a third of it in other letters. */
static enum err_code check(const char *letter, size_t count)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    CLEANUP(buf_release) struct buf b = BUF_INIT(4096);
    struct err e = ERR_INIT;

    for (size_t i = 0; i < count; i++)
        buf_puts(&b, letter);
    cr_assert(not(job_add_meta(&j, "n", 1, b.data, b.len, &e)), "%s", e.text);
    return s3_meta_check(&j, &e);
}

Test(s3_meta, more_than_a_request_takes_is_refused)
{
    cr_expect(eq(int, check("a", S3_META_BYTES - 12), ERR_OK));
    cr_expect(eq(int, check("a", S3_META_BYTES - 11), ERR_REJECT));
    cr_expect(eq(int, check("%", (S3_META_BYTES - 12) / 3), ERR_OK));
    cr_expect(eq(int, check("%", (S3_META_BYTES - 12) / 3 + 1), ERR_REJECT));
    cr_expect(eq(int, check("\xc3\xab", (S3_META_BYTES - 12) / 6), ERR_OK));
    cr_expect(eq(int, check("\xc3\xab", (S3_META_BYTES - 12) / 6 + 1), ERR_REJECT));
}
