#include "tests/support/s3_faulty_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/cleanup.h"

enum { XML_MAX = 8 * 1024 * 1024, BODY_MAX = 4 * 1024 * 1024, LIST_PAGE = 1000 };

#define XML_HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define XML_SPACE " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

/* What an operation came to: an answer of 200 with xml, of 204 where it is empty, or an error. */
struct result {
    int status;
    const char *code; /* of the error; NULL: none */
    struct buf xml;
};

static void add_text(struct buf *b, const char *name, const char *text)
{
    buf_printf(b, "<%s>", name);
    for (; *text; text++)
        if (*text == '&')
            buf_puts(b, "&amp;");
        else if (*text == '<')
            buf_puts(b, "&lt;");
        else if (*text == '>')
            buf_puts(b, "&gt;");
        else if (*text == '"')
            buf_puts(b, "&quot;");
        else
            buf_putc(b, *text);
    buf_printf(b, "</%s>", name);
}

struct key {
    char text[PATH_SIZE];
};

/* Behind "/bucket/", decoded. */
static struct key key_of(const char *path)
{
    const char *slash = *path ? strchr(path + 1, '/') : NULL;
    struct key key = {""};
    size_t used = 0;

    for (const char *p = slash ? slash + 1 : ""; *p; p++) {
        unsigned byte = (unsigned char)*p;
        if (*p == '%' && sscanf(p + 1, "%2x", &byte) == 1)
            p += 2;
        key.text[used++] = (char)byte;
    }
    return key;
}

/* --- with the lock held --- */

static void create(struct s3_faulty *s, const struct request *r, struct result *ret)
{
    const struct upload *u = s3_faulty_new_upload(s, r->path);

    buf_puts(&ret->xml, XML_HEAD "<InitiateMultipartUploadResult" XML_SPACE ">");
    add_text(&ret->xml, "Bucket", "bucket");
    add_text(&ret->xml, "Key", key_of(r->path).text);
    add_text(&ret->xml, "UploadId", u->id);
    buf_puts(&ret->xml, "</InitiateMultipartUploadResult>");
}

static void complete(struct s3_faulty *s, const struct request *r, const char *body,
                     struct result *ret)
{
    struct upload *u = s3_faulty_find_upload(s, r);
    struct s3_faulty_object o;
    char quoted[64];

    if (!u)
        *ret = (struct result){404, "NoSuchUpload", ret->xml};
    else if (r->conditional && s3_faulty_find(s, r->path))
        *ret = (struct result){412, "PreconditionFailed", ret->xml};
    else if ((ret->code = s3_faulty_assemble(s, u, body, &o)))
        ret->status = 400;
    if (ret->code)
        return;
    if (s->traits.random_etags)
        (void)snprintf(o.etag, sizeof o.etag, "%s", S3_FAULTY_RANDOM_ETAG);
    if (r->fault.kind == S3_FAULT_CORRUPT) {
        memset(o.etag, '0', DIGEST_MD5_HEX);
        memset(o.composite, 'A', 4);
        memset(o.sha256, '0', DIGEST_SHA256_HEX);
    }
    s3_faulty_store(s, r->path, &o);
    s3_faulty_end_upload(u);
    (void)snprintf(quoted, sizeof quoted, "\"%s\"", o.etag);
    buf_puts(&ret->xml, XML_HEAD "<CompleteMultipartUploadResult" XML_SPACE ">");
    add_text(&ret->xml, "Key", key_of(r->path).text);
    add_text(&ret->xml, "ETag", quoted);
    if (o.composite[0] && !s->traits.silent_checksums)
        add_text(&ret->xml,
                 o.checksum == S3_FAULTY_SHA256 ? "ChecksumSHA256" : "ChecksumCRC32C",
                 o.composite);
    buf_puts(&ret->xml, "</CompleteMultipartUploadResult>");
}

static void abort_upload(struct s3_faulty *s, const struct request *r,
                         struct result *ret)
{
    struct upload *u = s3_faulty_find_upload(s, r);

    if (u)
        s3_faulty_end_upload(u);
    else
        *ret = (struct result){404, "NoSuchUpload", ret->xml};
}

static int page_of(const struct s3_faulty *s)
{
    return s->traits.page > 0 ? s->traits.page : LIST_PAGE;
}

static void list_parts(struct s3_faulty *s, const struct request *r, struct result *ret)
{
    struct upload *u = s3_faulty_find_upload(s, r);
    int listed = 0, more = 0;

    if (!u) {
        *ret = (struct result){404, "NoSuchUpload", ret->xml};
        return;
    }
    buf_puts(&ret->xml, XML_HEAD "<ListPartsResult" XML_SPACE ">");
    for (int i = 0; i < PARTS_MAX; i++) {
        if (!u->parts[i].data)
            continue;
        if (listed == page_of(s)) {
            more++;
            continue;
        }
        listed++;
        buf_printf(&ret->xml, "<Part><PartNumber>%d</PartNumber><Size>%lld</Size>",
                   i + 1, (long long)u->parts[i].is.size);
        add_text(&ret->xml, "ETag", u->parts[i].etag);
        buf_puts(&ret->xml, "</Part>");
    }
    add_text(&ret->xml, "IsTruncated", more > 0 ? "true" : "false");
    buf_puts(&ret->xml, "</ListPartsResult>");
}

/* In the order in which they were begun: keys of a test that needs theirs are made in it. */
static void list_uploads(struct s3_faulty *s, const struct request *r,
                         struct result *ret)
{
    int listed = 0, more = 0;

    buf_puts(&ret->xml, XML_HEAD "<ListMultipartUploadsResult" XML_SPACE ">");
    for (size_t i = 0; i < s->upload_count; i++) {
        const struct upload *u = &s->uploads[i];
        struct key key = key_of(u->path);
        if (!u->open || strncmp(key.text, r->prefix, strlen(r->prefix)) != 0)
            continue;
        if (listed == page_of(s)) {
            more++;
            continue;
        }
        listed++;
        buf_puts(&ret->xml, "<Upload>");
        add_text(&ret->xml, "Key", key.text);
        add_text(&ret->xml, "UploadId", u->id);
        buf_puts(&ret->xml, "</Upload>");
    }
    add_text(&ret->xml, "IsTruncated", more > 0 ? "true" : "false");
    buf_puts(&ret->xml, "</ListMultipartUploadsResult>");
}

/* --- one request --- */

static void perform(struct s3_faulty *s, const struct request *r, const char *body,
                    struct result *ret)
{
    pthread_mutex_lock(&s->lock);
    if ((s->traits.no_parts && r->op == S3_OP_CREATE) ||
        (s->traits.no_checksums && r->algorithm) ||
        (s->traits.no_conditions && r->conditional))
        *ret = (struct result){501, "NotImplemented", ret->xml};
    else if (r->op == S3_OP_CREATE)
        create(s, r, ret);
    else if (r->op == S3_OP_COMPLETE)
        complete(s, r, body, ret);
    else if (r->op == S3_OP_ABORT)
        abort_upload(s, r, ret);
    else if (r->op == S3_OP_LIST_PARTS)
        list_parts(s, r, ret);
    else
        list_uploads(s, r, ret);
    pthread_mutex_unlock(&s->lock);
}

static void answer_body(struct connection *c, int status, const char *before,
                        const char *body)
{
    char head[160];

    (void)snprintf(head, sizeof head,
                   "HTTP/1.1 %d OK\r\nContent-Type: application/xml\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   status, strlen(before) + strlen(body), before);
    if (s3_faulty_send(c, head))
        (void)s3_faulty_send(c, body);
}

static bool answer(struct connection *c, const struct request *r,
                   const struct result *result)
{
    bool spaces = r->fault.kind == S3_FAULT_SPACES;

    if (r->fault.kind == S3_FAULT_BODY)
        answer_body(c, 200, "", r->fault.code);
    else if (result->code)
        s3_faulty_answer_error(c, result->status, result->code, NULL, true);
    else if (result->xml.len == 0)
        answer_body(c, 204, "", "");
    else
        answer_body(c, 200, spaces ? " \r\n   \n" : "", result->xml.data);
    return true;
}

/* Faults that keep it from being done.  False: close the connection. */
static bool refuse(struct connection *c, const struct request *r, bool *ret_refused)
{
    *ret_refused = true;
    switch (r->fault.kind) {
    case S3_FAULT_STATUS:
    case S3_FAULT_EARLY_STATUS:
        s3_faulty_answer_error(c, r->fault.status, r->fault.code, r->fault.headers,
                               true);
        return r->fault.kind == S3_FAULT_STATUS;
    case S3_FAULT_ERROR_IN_200:
        s3_faulty_answer_error(c, 200, r->fault.code, r->fault.headers, true);
        return true;
    case S3_FAULT_LOST_BODY:
        return false;
    case S3_FAULT_GARBAGE:
        (void)s3_faulty_send(c, "\x16\x03\x01 this is no answer\r\n\r\n");
        return false;
    default:
        *ret_refused = false;
        return true;
    }
}

static bool act(struct connection *c, const struct request *r, const char *body)
{
    CLEANUP(buf_release) struct buf xml = BUF_INIT(XML_MAX);
    struct result result = {.status = 200, .xml = xml};
    bool on = true;

    if (r->fault.kind == S3_FAULT_GATE_IN_BODY)
        s3_faulty_pass_gate(c->store);
    perform(c->store, r, body, &result);
    if (r->fault.kind == S3_FAULT_HANG)
        s3_faulty_hang(c->store);
    if (r->fault.kind == S3_FAULT_HALF_ANSWER)
        (void)s3_faulty_send(c, "HTTP/1.1 20");
    on = r->fault.kind != S3_FAULT_HANG && r->fault.kind != S3_FAULT_HALF_ANSWER &&
         r->fault.kind != S3_FAULT_LOST_ANSWER && answer(c, r, &result);
    xml = result.xml;
    return on;
}

bool s3_faulty_serve_op(struct connection *c, const struct request *r)
{
    struct s3_faulty_hashes h;
    struct s3_faulty_object ignored;
    bool refused, on;

    if (r->fault.kind == S3_FAULT_EARLY_STATUS)
        return refuse(c, r, &refused);
    if (r->length > BODY_MAX ||
        (r->expect && !s3_faulty_send(c, "HTTP/1.1 100 Continue\r\n\r\n")))
        return false;
    char *body = calloc(1, (size_t)r->length + 1);
    if (!body)
        s3_faulty_die("memory");
    s3_faulty_hash_begin(&h);
    h.keep = body;
    on = s3_faulty_read_body(c, r->length, &h) == r->length;
    s3_faulty_hash_end(&h, &ignored);
    if (on) {
        on = refuse(c, r, &refused);
        if (!refused)
            on = act(c, r, body);
    }
    free(body);
    return on;
}
