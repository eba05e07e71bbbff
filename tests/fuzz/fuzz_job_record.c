/*
 * fuzz job_record: lines "name=value" as the fields of a hash that came back from Redis, in which anybody may have written.
 * Each is taken or refused by name; a record that is whole can be told to clients as JSON of one line, and written into a
 * manifest and read back.
 */
#include "tests/fuzz/fuzz.h"

#include "shared/job.h"

#include <stdlib.h>
#include <string.h>

/* False: a field is impossible. */
static bool decode(struct job *j, const char *at, const char *end)
{
    while (at < end) {
        struct err e = ERR_INIT;
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop ? stop : end) - at);
        const char *equals = memchr(at, '=', len);
        if (equals) {
            CLEANUP(str_free) char *name = strndup(at, (size_t)(equals - at));
            must(name != NULL);
            if (job_decode_field(j, name, equals + 1, (size_t)(at + len - equals - 1),
                                 &e) != ERR_OK) {
                must(e.code == ERR_REJECT && e.text[0]);
                return false;
            }
        }
        at += len + 1;
    }
    return true;
}

static void check_status(const struct job *j)
{
    CLEANUP(buf_release) struct buf status = BUF_INIT(4 * JOB_RECORD_MAX);
    struct job_link link = {"https://b.example/k?X-Amz-Signature=0", 1};

    must(job_add_status_linked(&status, j, &link));
    for (size_t i = 0; i < status.len; i++)
        must((unsigned char)status.data[i] >= ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(job_release) struct job j = JOB_INIT, back = JOB_INIT;
    CLEANUP(buf_release) struct buf text = BUF_INIT(2 * JOB_RECORD_MAX);
    struct err e = ERR_INIT;

    (void)memcpy(j.id.queue, "q", 2);
    (void)memcpy(j.id.uuid.text, "01890a5d-ac96-774b-bcce-b302099a8057",
                 sizeof j.id.uuid.text);
    if (!decode(&j, (const char *)data, (const char *)data + size))
        return 0;
    must(job_decode_rest(&j, &e) == ERR_OK);
    if (job_check(&j, &e) != ERR_OK) {
        must(e.code == ERR_REJECT);
        return 0;
    }
    check_status(&j);
    if (job_encode_manifest(&j, &text, &e) == ERR_OK)
        must(job_decode_manifest(text.data, text.len, &back, &e) == ERR_OK);
    return 0;
}
