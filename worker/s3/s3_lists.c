#include "worker/s3/s3_lists.h"

#include <stdlib.h>
#include <string.h>

/* Printable ASCII without blanks, not empty. */
static bool is_id(const char *s)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if (*s <= ' ' || *s > '~')
            return false;
    return true;
}

/* Into a field; "" when it does not fit. */
static void take(struct s3_xml_span text, char *field, size_t size)
{
    if (!s3_xml_copy(text, field, size))
        *field = '\0';
}

/* --- of one upload --- */

static void on_created(size_t depth, struct s3_xml_span name, struct s3_xml_span text,
                       void *ctx)
{
    char *id = ctx;

    if (depth == 2 && s3_xml_is(name, "UploadId") && !*id)
        take(text, id, S3_UPLOAD_ID_MAX + 1);
}

bool s3_created_parse(const char *body, size_t len,
                      char ret_id[static S3_UPLOAD_ID_MAX + 1])
{
    struct s3_xml_visitor v = {.on_text = on_created, .ctx = ret_id};
    struct s3_xml xml;

    *ret_id = '\0';
    if (s3_xml_read(body, len, &v, &xml) && xml.is_complete &&
        strcmp(xml.root, "InitiateMultipartUploadResult") == 0 && is_id(ret_id))
        return true;
    *ret_id = '\0';
    return false;
}

static void on_completed(size_t depth, struct s3_xml_span name, struct s3_xml_span text,
                         void *ctx)
{
    struct s3_completed *c = ctx;

    if (depth != 2)
        return;
    if (s3_xml_is(name, "ETag"))
        take(text, c->etag, sizeof c->etag);
    else if (s3_xml_is(name, "ChecksumSHA256"))
        take(text, c->checksum_sha256, sizeof c->checksum_sha256);
    else if (s3_xml_is(name, "ChecksumCRC32C"))
        take(text, c->checksum_crc32c, sizeof c->checksum_crc32c);
    else if (s3_xml_is(name, "ChecksumType"))
        take(text, c->checksum_type, sizeof c->checksum_type);
}

bool s3_completed_parse(const char *body, size_t len, struct s3_completed *ret)
{
    struct s3_completed found = {.etag = ""};
    struct s3_xml_visitor v = {.on_text = on_completed, .ctx = &found};
    struct s3_xml xml;

    *ret = found;
    if (!s3_xml_read(body, len, &v, &xml) || !xml.is_complete ||
        strcmp(xml.root, "CompleteMultipartUploadResult") != 0)
        return false;
    *ret = found;
    return true;
}

/* --- lists --- */

struct reading {
    const char *entry; /* the element that is one */
    bool inside;
    char key[S3_KEY_MAX + 1], id[S3_UPLOAD_ID_MAX + 1], etag[HTTP_VALUE_SIZE];
    char number[8], size[20];
    s3_upload_fn *upload;
    s3_part_fn *part;
    void *ctx;
    struct s3_list list;
};

static void begin_entry(struct reading *r)
{
    r->inside = true;
    r->key[0] = r->id[0] = r->etag[0] = r->number[0] = r->size[0] = '\0';
}

static void on_list_text(size_t depth, struct s3_xml_span name, struct s3_xml_span text,
                         void *ctx)
{
    struct reading *r = ctx;
    char flag[8];

    if (depth == 2 && s3_xml_is(name, r->entry))
        begin_entry(r);
    else if (depth == 2 && s3_xml_is(name, "IsTruncated"))
        r->list.truncated |=
            s3_xml_copy(text, flag, sizeof flag) && strcmp(flag, "true") == 0;
    if (depth != 3 || !r->inside)
        return;
    if (s3_xml_is(name, "Key"))
        take(text, r->key, sizeof r->key);
    else if (s3_xml_is(name, "UploadId"))
        take(text, r->id, sizeof r->id);
    else if (s3_xml_is(name, "ETag"))
        take(text, r->etag, sizeof r->etag);
    else if (s3_xml_is(name, "PartNumber"))
        take(text, r->number, sizeof r->number);
    else if (s3_xml_is(name, "Size"))
        take(text, r->size, sizeof r->size);
}

/* A number of nothing but digits; -1 for anything else. */
static int64_t number_of(const char *s)
{
    if (!*s || strspn(s, "0123456789") != strlen(s))
        return -1;
    return strtoll(s, NULL, 10); /* at most 19 digits, which is cut to the greatest */
}

static void on_list_end(size_t depth, struct s3_xml_span name, void *ctx)
{
    struct reading *r = ctx;

    if (depth != 2 || !r->inside || !s3_xml_is(name, r->entry))
        return;
    r->inside = false;
    if (r->upload && is_id(r->id) && r->key[0]) {
        r->list.count++;
        r->upload(r->key, r->id, r->ctx);
    }
    int64_t number = number_of(r->number);
    if (r->part && number >= 1 && number <= S3_PARTS_MAX) {
        r->list.count++;
        r->part((int)number, number_of(r->size), r->etag, r->ctx);
    }
}

static bool read_list(const char *body, size_t len, const char *root, struct reading *r,
                      struct s3_list *ret)
{
    struct s3_xml_visitor v = {
        .on_text = on_list_text, .on_end = on_list_end, .ctx = r};
    struct s3_xml xml;
    bool fine = s3_xml_read(body, len, &v, &xml) && strcmp(xml.root, root) == 0;

    *ret = r->list;
    ret->truncated |= !fine || !xml.is_complete;
    return fine;
}

bool s3_uploads_parse(const char *body, size_t len, s3_upload_fn *fn, void *ctx,
                      struct s3_list *ret)
{
    struct reading r = {.entry = "Upload", .upload = fn, .ctx = ctx};

    return read_list(body, len, "ListMultipartUploadsResult", &r, ret);
}

bool s3_parts_parse(const char *body, size_t len, s3_part_fn *fn, void *ctx,
                    struct s3_list *ret)
{
    struct reading r = {.entry = "Part", .part = fn, .ctx = ctx};

    return read_list(body, len, "ListPartsResult", &r, ret);
}
