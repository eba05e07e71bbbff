#include "shared/parts_journal.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static const struct parts_journal_head head = {.destination = "s3",
                                               .bucket = "bucket",
                                               .key = "pre/a key",
                                               .size = 41943040,
                                               .part_size = 8388608,
                                               .checksum = "crc32c",
                                               .sha256 = ""};

static struct buf text;
static struct parts_journal j;

static void up(void)
{
    buf_init(&text, PARTS_JOURNAL_MAX);
    j = (struct parts_journal)PARTS_JOURNAL_INIT;
    parts_journal_add_head(&text, &head);
    parts_journal_add_create(&text);
}

static void down(void)
{
    parts_journal_release(&j);
    buf_release(&text);
}

TestSuite(parts_journal, .init = up, .fini = down, .timeout = 60);

static void add_part(const char *id, int number, const char *etag)
{
    struct parts_journal_part part = {.etag = (char *)etag, .crc32c = 0x12345678};

    parts_journal_add_part(&text, id, number, &part);
}

static void parse(size_t len)
{
    struct err e = ERR_INIT;

    parts_journal_release(&j);
    cr_assert(parts_journal_parse(text.data, len, &j, &e) == ERR_OK, "%s", e.text);
}

Test(parts_journal, what_is_written_is_read)
{
    parts_journal_add_upload(&text, "up/1+x&=<1>");
    add_part("up/1+x&=<1>", 3, "\"a b%\"");
    parse(text.len);
    cr_expect(eq(sz, j.bad, 0));
    cr_expect(parts_journal_is_of(&j, &head));
    cr_expect(not(parts_journal_is_unsure(&j)));
    cr_assert(parts_journal_current(&j) != NULL);
    cr_expect(eq(str, parts_journal_current(&j)->id, "up/1+x&=<1>"));
    cr_assert(eq(sz, j.part_count, 3));
    cr_expect(eq(str, j.parts[2].etag, "\"a b%\""));
    cr_expect(eq(u32, j.parts[2].crc32c, 0x12345678));
    cr_expect(j.parts[0].etag == NULL);
}

Test(parts_journal, a_crash_may_cut_it_anywhere)
{
    parts_journal_add_upload(&text, "id");
    add_part("id", 1, "\"e\"");
    for (size_t len = 0; len <= text.len; len++) {
        parse(len);
        cr_expect(eq(sz, j.bad, 0), "%zu: an end that is missing is no bad line", len);
        cr_expect(j.upload_count <= j.creates, "%zu", len);
    }
}

Test(parts_journal, an_intent_without_an_id_leaves_it_unsure_until_it_was_refused)
{
    parse(text.len);
    cr_expect(parts_journal_is_unsure(&j));
    cr_expect(parts_journal_current(&j) == NULL);
    parts_journal_add_refused(&text);
    parse(text.len);
    cr_expect(not(parts_journal_is_unsure(&j)));
}

Test(parts_journal, parts_are_those_of_the_latest_upload)
{
    parts_journal_add_upload(&text, "one");
    add_part("one", 1, "\"1\"");
    parts_journal_add_create(&text);
    parts_journal_add_upload(&text, "two");
    add_part("one", 2, "\"late\""); /* of an owner that lost its lease */
    add_part("two", 3, "\"3\"");
    parse(text.len);
    cr_expect(eq(str, parts_journal_current(&j)->id, "two"));
    cr_expect(eq(sz, j.part_count, 3));
    cr_expect(j.parts[0].etag == NULL && j.parts[1].etag == NULL);
    parts_journal_add_gone(&text, "two");
    parse(text.len);
    cr_expect(parts_journal_current(&j) == NULL);
    cr_expect(eq(int, j.uploads[0].gone, 0));
    cr_expect(eq(int, j.uploads[1].gone, 1));
}

Test(parts_journal, a_line_that_was_changed_is_a_bad_one)
{
    parts_journal_add_upload(&text, "one");
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.data[i] == '\n')
            continue;
        text.data[i] ^= 0x01;
        parse(text.len);
        cr_expect(j.bad > 0 && parts_journal_is_unsure(&j), "byte %zu", i);
        text.data[i] ^= 0x01;
    }
}

Test(parts_journal, another_objects_head_is_a_bad_line)
{
    struct parts_journal_head other = head;

    other.part_size++;
    parts_journal_add_head(&text, &head);
    parse(text.len);
    cr_expect(eq(sz, j.bad, 0), "the same twice is of two that began at once");
    parts_journal_add_head(&text, &other);
    parse(text.len);
    cr_expect(eq(sz, j.bad, 1));
    cr_expect(not(parts_journal_is_of(&j, &other)));
}
