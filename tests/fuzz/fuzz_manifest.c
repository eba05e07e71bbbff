/*
 * fuzz manifest: any text, as it is and with a right checksum put behind it (which no fuzzer would find), is either a
 * job or refused.  A job that was taken can be written, and reads back as the same text.
 */
#include "tests/fuzz/fuzz.h"

#include "shared/digest.h"
#include "shared/job.h"

#include <stdlib.h>
#include <string.h>

static void take(const char *text, size_t len)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    CLEANUP(job_release) struct job again = JOB_INIT;
    CLEANUP(buf_release) struct buf first = BUF_INIT(JOB_RECORD_MAX);
    CLEANUP(buf_release) struct buf second = BUF_INIT(JOB_RECORD_MAX);
    CLEANUP(buf_release) struct buf status = BUF_INIT(JOB_RECORD_MAX);
    struct err e = ERR_INIT;

    if (job_decode_manifest(text, len, &j, &e) != ERR_OK) {
        must(e.code == ERR_REJECT && strncmp(e.text, "job: ", 5) == 0 && !j.key);
        return;
    }
    must(job_check(&j, &e) == ERR_OK && job_key_is_safe(j.key, strlen(j.key)));
    must(job_add_status(&status, &j));
    must(job_encode_manifest(&j, &first, &e) == ERR_OK);
    CLEANUP(job_release) struct job back = JOB_INIT;
    must(job_decode_manifest(first.data, first.len, &back, &e) == ERR_OK);
    must(job_copy(&back, &again, &e) == ERR_OK);
    must(job_encode_manifest(&again, &second, &e) == ERR_OK);
    must(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release) struct buf sealed = BUF_INIT(4 * JOB_RECORD_MAX);
    char hex[DIGEST_SHA256_HEX + 1];
    struct err e = ERR_INIT;

    take((const char *)data, size);
    must(digest_sha256_hex(data, size, hex, &e) == ERR_OK);
    buf_add(&sealed, data, size);
    if (buf_printf(&sealed, ",\"checksum\":\"%s\"}\n", hex))
        take(sealed.data, sealed.len);
    return 0;
}
