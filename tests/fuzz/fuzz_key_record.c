/*
 * fuzz key_record: any bytes, as they are and with a right seal behind them, are a record or none; one that is reads within its
 * bytes, has as many ids as it says, and is written again as it was.
 */
#include "tests/fuzz/fuzz.h"

#include "shared/cleanup.h"
#include "shared/key_record.h"

#include <stdlib.h>
#include <string.h>

enum { IDS = 16 };

static void write_again(const struct key_record *r, const struct job_id *ids)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(KEY_RECORD_MAX);
    struct key_record again;
    struct err e = ERR_INIT;

    must(key_record_format(r, ids, &b, &e) == ERR_OK);
    must(key_record_parse(b.data, b.len, &again));
    must(again.created == r->created && again.id_count == r->id_count);
    must(again.body_len == r->body_len &&
         memcmp(again.body, r->body, r->body_len) == 0);
    must(strcmp(again.print, r->print) == 0);
}

static void take(const char *text, size_t len)
{
    struct job_id ids[IDS];
    struct key_record r;
    size_t at = 0, count = 0;

    if (!key_record_parse(text, len, &r))
        return;
    must(r.created > 0 && r.id_count >= 1 && r.id_count <= KEY_RECORD_IDS_MAX);
    must(strlen(r.print) == DIGEST_SHA256_HEX);
    must(r.body >= text && r.body + r.body_len <= text + len);
    while (key_record_next(&r, &at, &ids[count % IDS]))
        must(++count <= r.id_count);
    if (count == r.id_count && count <= IDS)
        write_again(&r, ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release) struct buf sealed = BUF_INIT(2 * size + 256);
    char hex[DIGEST_SHA256_HEX + 1];
    struct err e = ERR_INIT;

    take((const char *)data, size);
    must(digest_sha256_hex(data, size, hex, &e) == ERR_OK);
    buf_add(&sealed, data, size);
    if (buf_printf(&sealed, "seal %s\n", hex))
        take(sealed.data, sealed.len);
    return 0;
}
