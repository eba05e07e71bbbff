#include "fcgi-app/jobs/job_parts.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define MIB INT64_C(1048576)

static struct buf text, shown;
static struct parts_journal p;

static void up(void)
{
    buf_init(&text, PARTS_JOURNAL_MAX);
    buf_init(&shown, 128 * 1024);
    p = (struct parts_journal)PARTS_JOURNAL_INIT;
}

static void down(void)
{
    parts_journal_release(&p);
    buf_release(&text);
    buf_release(&shown);
}

TestSuite(job_parts, .init = up, .fini = down, .timeout = 60);

static void begin(int64_t size, int64_t part_size)
{
    parts_journal_add_head(&text, &(struct parts_journal_head){.destination = "s3",
                                                               .bucket = "bucket",
                                                               .key = "key",
                                                               .size = size,
                                                               .part_size = part_size,
                                                               .checksum = "crc32c",
                                                               .sha256 = ""});
    parts_journal_add_create(&text);
    parts_journal_add_upload(&text, "secret-id");
}

static void add(int number)
{
    struct parts_journal_part part = {.etag = (char *)"\"e\"", .crc32c = 1};

    parts_journal_add_part(&text, "secret-id", number, &part);
}

/* What is shown of it. */
static const char *show(size_t most)
{
    struct err e = ERR_INIT;

    parts_journal_release(&p);
    cr_assert(parts_journal_parse(text.data, text.len, &p, &e) == ERR_OK, "%s", e.text);
    buf_clear(&shown);
    job_parts_format(&shown, &p, most);
    cr_assert(not(shown.failed));
    return shown.data;
}

static size_t count(const char *what)
{
    size_t n = 0;

    for (const char *at = shown.data; (at = strstr(at, what)); at++)
        n++;
    return n;
}

Test(job_parts, each_part_has_its_number_size_and_whether_the_store_has_it)
{
    begin(20 * MIB, 8 * MIB);
    add(1);
    add(3);
    cr_expect(eq(str, (char *)show(100),
                 "{\"to\":\"s3\",\"size\":20971520,\"part_size\":8388608,\"total\":3,"
                 "\"done\":2,\"done_bytes\":12582912,\"parts\":["
                 "{\"number\":1,\"size\":8388608,\"state\":\"done\",\"etag\":\"\\\"e"
                 "\\\"\"},{\"number\":2,\"size\":8388608,\"state\":\"missing\"},"
                 "{\"number\":3,\"size\":4194304,\"state\":\"done\",\"etag\":\"\\\"e"
                 "\\\"\"}]}"));
}

Test(job_parts, of_ten_thousand_those_around_the_first_that_is_missing_are_shown)
{
    char first[32], last[32];
    static const struct {
        int done;
        int from, to;
    } rows[] = {{0, 1, 100},         {49, 1, 100},       {50, 1, 100},
                {51, 2, 101},        {6000, 5951, 6050}, {9999, 9901, 10000},
                {10000, 9901, 10000}};

    begin(10000 * 8 * MIB, 8 * MIB);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int n = i > 0 ? rows[i - 1].done + 1 : 1; n <= rows[i].done; n++)
            add(n);
        (void)show(100);
        cr_expect(eq(sz, count("\"number\":"), 100), "%d", rows[i].done);
        (void)snprintf(first, sizeof first, "[{\"number\":%d,", rows[i].from);
        (void)snprintf(last, sizeof last, "{\"number\":%d,", rows[i].to);
        cr_expect(eq(sz, count(first), 1), "%d: %.200s", rows[i].done, shown.data);
        cr_expect(eq(sz, count(last), 1), "%d", rows[i].done);
        cr_expect(eq(sz, count("\"total\":10000,"), 1), "%d", rows[i].done);
    }
    cr_expect(eq(sz, count("\"done\":10000,\"done_bytes\":83886080000,"), 1));
    (void)show(0);
    cr_expect(eq(sz, count("\"parts\":[]}"), 1), "the totals alone");
}

Test(job_parts, of_a_size_that_is_not_known_there_are_no_sizes)
{
    begin(-1, 0);
    cr_expect(eq(str, (char *)show(100), "{\"to\":\"s3\",\"done\":0,\"parts\":[]}"));
    add(2);
    cr_expect(eq(str, (char *)show(100),
                 "{\"to\":\"s3\",\"done\":1,\"parts\":[{\"number\":1,\"state\":"
                 "\"missing\"},{\"number\":2,\"state\":\"done\",\"etag\":\"\\\"e"
                 "\\\"\"}]}"));
}

Test(job_parts, what_the_journal_says_of_parts_behind_the_end_is_not_counted)
{
    begin(8 * MIB, 8 * MIB);
    add(1);
    add(7);
    (void)show(100);
    cr_expect(eq(sz, count("\"total\":1,\"done\":1,\"done_bytes\":8388608,"), 1));
    cr_expect(eq(sz, count("\"number\":"), 1));
}

Test(job_parts, the_id_of_the_upload_is_not_told)
{
    begin(8 * MIB, 8 * MIB);
    add(1);
    (void)show(100);
    cr_expect(eq(sz, count("secret"), 0));
    cr_expect(eq(sz, count("bucket"), 0));
}
