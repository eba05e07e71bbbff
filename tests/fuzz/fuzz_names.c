/*
 * fuzz names: any bytes as a file name, as a Content-Disposition that brings one, as a header line of a part, and as the
 * Content-Type that brings a boundary.  What comes of a file name can stand in a record, on a page and behind a '/'.
 */
#include "tests/fuzz/fuzz.h"

#include "fcgi-app/upload/multipart_header.h"
#include "shared/cleanup.h"
#include "shared/job.h"
#include "shared/utf8.h"

#include <stdlib.h>
#include <string.h>

/* job.h, job_set_name. */
static void check_characters(const char *name)
{
    size_t len = strlen(name);

    must(len >= 1 && len <= JOB_NAME_MAX && !strpbrk(name, "/\\"));
    must(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
    for (size_t at = 0, n; at < len; at += n) {
        uint32_t point = 0;
        n = utf8_decode(name + at, len - at, &point);
        must(n > 0 && point >= ' ' && !(point >= 0x7f && point <= 0x9f));
        must(point != 0x061c && point != 0x200e && point != 0x200f);
        must(!(point >= 0x2028 && point <= 0x202e) &&
             !(point >= 0x2066 && point <= 0x2069));
    }
}

/* A name once made safe is safe, and stays as it is. */
static void check_name(const char *s, size_t len)
{
    CLEANUP(job_release) struct job j = JOB_INIT, again = JOB_INIT;
    struct err e = ERR_INIT;

    must(job_set_name(&j, s, len, &e) == ERR_OK);
    check_characters(j.name);
    must(job_set_name(&again, j.name, strlen(j.name), &e) == ERR_OK);
    must(strcmp(j.name, again.name) == 0);
}

static void check_part(const char *line, size_t len)
{
    struct multipart_part part = {
        .name = BUF_INIT(len), .filename = BUF_INIT(len), .type = BUF_INIT(len)};
    unsigned seen = 0, before;

    if (!multipart_header_parse(line, len, &part, &seen)) {
        before = seen;
        must(part.name.len <= len && !memchr(part.name.data, '\0', part.name.len));
        must(!before || multipart_header_parse(line, len, &part, &seen) != NULL);
    }
    buf_release(&part.name);
    buf_release(&part.filename);
    buf_release(&part.type);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_release) struct buf name = BUF_INIT(size);
    CLEANUP(str_free) char *s = malloc(size ? size : 1); /* of its size */
    const char *boundary;
    size_t len;
    struct err e = ERR_INIT;

    must(s != NULL);
    memcpy(s, data, size);
    check_name(s, size);
    if (multipart_header_filename(s, size, &name))
        check_name(name.data, name.len);
    if (size > 0)
        check_part(s, size);
    if (multipart_parse_boundary(s, size, &boundary, &len, &e) == ERR_OK)
        must(len >= 1 && len <= MULTIPART_BOUNDARY_MAX && boundary > s &&
             boundary + len <= s + size);
    return 0;
}
