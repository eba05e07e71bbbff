/*
 * fuzz s3_xml: what a store answers, by each of its readers: any bytes are read or refused, and what is told keeps to its limits.
 */
#include "tests/fuzz/fuzz.h"

#include "worker/s3/s3_error.h"
#include "worker/s3/s3_lists.h"

#include <stdlib.h>
#include <string.h>

static void on_upload(const char *key, const char *id, void *ctx)
{
    ++*(size_t *)ctx;
    must(*key && *id && strlen(id) <= S3_UPLOAD_ID_MAX && strlen(key) <= S3_KEY_MAX);
}

static void on_part(int number, int64_t size, const char *etag, void *ctx)
{
    ++*(size_t *)ctx;
    must(number >= 1 && number <= S3_PARTS_MAX && size >= -1 &&
         strlen(etag) < HTTP_VALUE_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *body = (const char *)data;
    char id[S3_UPLOAD_ID_MAX + 1];
    struct s3_completed completed;
    struct s3_error error;
    struct s3_list list;
    size_t told = 0;

    must(!s3_created_parse(body, size, id) == (*id == '\0'));
    bool is_completed = s3_completed_parse(body, size, &completed);
    bool is_xml = s3_error_parse(body, size, &error);
    must(!is_completed || (is_xml && !error.is_error && error.is_complete));
    (void)s3_uploads_parse(body, size, on_upload, &told, &list);
    must(list.count == told);
    told = 0;
    (void)s3_parts_parse(body, size, on_part, &told, &list);
    must(list.count == told);
    return 0;
}
