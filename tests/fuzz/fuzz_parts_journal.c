/*
 * fuzz parts_journal: any text is read without harm; what was understood can be written again, and reads the same.
 */
#include "tests/fuzz/fuzz.h"

#include "shared/parts_journal.h"

#include <stdlib.h>
#include <string.h>

static void write_again(const struct parts_journal *j, struct buf *b)
{
    parts_journal_add_head(
        b, &(struct parts_journal_head){j->destination, j->bucket, j->key, j->size,
                                        j->part_size, j->checksum, j->sha256});
    for (size_t i = 0; i < j->upload_count; i++)
        parts_journal_add_upload(b, j->uploads[i].id);
    for (size_t i = 0; i < j->part_count; i++)
        if (j->parts[i].etag)
            parts_journal_add_part(b, j->uploads[j->upload_count - 1].id, (int)i + 1,
                                   &j->parts[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct parts_journal j = PARTS_JOURNAL_INIT, again = PARTS_JOURNAL_INIT;
    struct buf b = BUF_INIT(4 * PARTS_JOURNAL_MAX);
    struct err e = ERR_INIT;

    if (parts_journal_parse((const char *)data, size, &j, &e) != ERR_OK)
        return 0;
    must(j.upload_count <= PARTS_JOURNAL_UPLOADS_MAX &&
         j.part_count <= PARTS_JOURNAL_PARTS_MAX);
    if (j.key) {
        write_again(&j, &b);
        must(!b.failed && parts_journal_parse(b.data, b.len, &again, &e) == ERR_OK);
        must(again.bad == 0 && again.upload_count == j.upload_count &&
             again.part_count == j.part_count && strcmp(again.key, j.key) == 0);
    }
    parts_journal_release(&again);
    parts_journal_release(&j);
    buf_release(&b);
    return 0;
}
