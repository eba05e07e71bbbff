#include "worker/s3/s3_request.h"

#include <stdio.h>
#include <string.h>

#include "shared/cleanup.h"
#include "worker/s3/s3_headers.h"

enum { PATH_MAX_BYTES = 4096, QUERY_ITEMS_MAX = 4, NUMBER_SIZE = 24 };

void s3_request_release(struct s3_request *r)
{
    buf_release(&r->url);
    buf_release(&r->values);
    sigv4_signed_release(&r->signature);
    r->header_count = 0;
}

/* What is asked for, by operation. */
static const struct {
    const char *method;
    bool has_body;
    bool of_bucket; /* the resource is the bucket, not the object */
} operations[] = {
    [S3_PUT] = {"PUT", true, false},
    [S3_HEAD] = {"HEAD", false, false},
    [S3_CREATE_PARTS] = {"POST", false, false},
    [S3_PUT_PART] = {"PUT", true, false},
    [S3_COMPLETE_PARTS] = {"POST", true, false},
    [S3_ABORT_PARTS] = {"DELETE", false, false},
    [S3_LIST_PARTS] = {"GET", false, false},
    [S3_LIST_UPLOADS] = {"GET", false, true},
};

const char *s3_operation_method(enum s3_operation operation)
{
    return operations[operation].method;
}

/* The query of an operation; its texts stay in number and prefix. */
struct query {
    struct sigv4_pair items[QUERY_ITEMS_MAX];
    size_t count;
    char number[NUMBER_SIZE];
    struct buf prefix;
};

static void add_item(struct query *q, const char *name, const char *value)
{
    q->items[q->count++] = (struct sigv4_pair){name, value};
}

static void fill_query(struct query *q, const struct s3_ask *ask)
{
    const char *id = ask->upload_id ? ask->upload_id : "";

    if (ask->operation == S3_PUT || ask->operation == S3_HEAD)
        return;
    (void)snprintf(q->number, sizeof q->number, "%d", ask->number);
    switch (ask->operation) {
    case S3_PUT:
    case S3_HEAD:
    case S3_CREATE_PARTS:
        add_item(q, "uploads", "");
        return;
    case S3_PUT_PART:
        add_item(q, "partNumber", q->number);
        add_item(q, "uploadId", id);
        return;
    case S3_COMPLETE_PARTS:
    case S3_ABORT_PARTS:
        add_item(q, "uploadId", id);
        return;
    case S3_LIST_PARTS:
        add_item(q, "uploadId", id);
        if (ask->number > 0)
            add_item(q, "part-number-marker", q->number);
        return;
    case S3_LIST_UPLOADS:
        add_item(q, "uploads", "");
        s3_address_add_object(&q->prefix, ask->config, ask->job->key);
        add_item(q, "prefix", q->prefix.data);
        return;
    }
}

/* What is signed as the hash of the body. */
static const char *payload_hash(const struct s3_ask *ask)
{
    static const char empty[] =
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    if (!operations[ask->operation].has_body)
        return empty;
    if (ask->endpoint->https)
        return SIGV4_UNSIGNED_PAYLOAD;
    if (ask->body_sha256)
        return ask->body_sha256;
    return ask->operation == S3_PUT ? ask->job->sha256 : SIGV4_UNSIGNED_PAYLOAD;
}

/* Not signed: what stands in between may put itself there. */
static void add_trace(struct s3_request *r, const struct job *j)
{
    if (!j || !j->traceparent)
        return;
    r->headers[r->header_count++] = (struct http_header){"traceparent", j->traceparent};
    if (j->tracestate)
        r->headers[r->header_count++] =
            (struct http_header){"tracestate", j->tracestate};
}

/* Sign, and put all headers together. */
static enum err_code finish(struct s3_request *r, const struct s3_ask *ask,
                            const struct s3_texts *t, struct err *e)
{
    CLEANUP(buf_release) struct buf host = BUF_INIT(512);
    CLEANUP(buf_release) struct buf path = BUF_INIT(PATH_MAX_BYTES);
    struct query query = {.prefix = BUF_INIT(PATH_MAX_BYTES)};
    struct sigv4_pair pairs[S3_HEADERS_MAX];

    if (r->values.failed)
        return err_set(e, ERR_REJECT, "more headers than a request may have");
    const char *key = operations[ask->operation].of_bucket ? NULL : ask->job->key;
    if (!s3_address_locate(ask->config, ask->endpoint, key, &host, &path))
        return err_set(e, ERR_REJECT, "bucket, prefix and key are too long");
    for (size_t i = 0; i < t->count; i++)
        pairs[i] = (struct sigv4_pair){r->values.data + t->at[i].name,
                                       r->values.data + t->at[i].value};
    fill_query(&query, ask);
    struct sigv4_request request = {.method = operations[ask->operation].method,
                                    .host = host.data,
                                    .path = path.data,
                                    .query = query.items,
                                    .query_count = query.count,
                                    .headers = pairs,
                                    .header_count = t->count,
                                    .payload_hash = payload_hash(ask),
                                    .time_s = ask->time_s};
    enum err_code code = sigv4_sign(&r->signature, ask->key, &request, e);
    buf_release(&query.prefix);
    if (code != ERR_OK)
        return code;
    BUF_PUTS(&r->url, ask->endpoint->https ? "https://" : "http://", host.data,
             r->signature.path.data, query.count > 0 ? "?" : "",
             query.count > 0 ? r->signature.query.data : "");
    for (size_t i = 0; i < t->count; i++)
        r->headers[r->header_count++] =
            (struct http_header){pairs[i].name, pairs[i].value};
    for (size_t i = 0; i < r->signature.added_count; i++) {
        const struct sigv4_pair *added = &r->signature.added[i];
        if (strcmp(added->name, "Host") != 0) /* libcurl makes the same of the URL */
            r->headers[r->header_count++] =
                (struct http_header){added->name, added->value};
    }
    add_trace(r, ask->job);
    return r->url.failed ? err_set(e, ERR_REJECT, "the URL is too long") : ERR_OK;
}

enum err_code s3_request_make(struct s3_request *ret, const struct s3_ask *ask,
                              struct err *e)
{
    struct s3_checksums of_job;
    const struct s3_checksums *sums = ask->sums;
    struct s3_texts t = {.request = ret};

    if (!ask->key)
        return err_set(e, ERR_RETRY, "there are no keys to sign with");
    if (!sums) {
        s3_checksums_of(ask->job, &of_job);
        sums = &of_job;
    }
    if (ask->operation == S3_PUT && !sums->sha256[0])
        return err_set(e, ERR_REJECT, "the record holds no SHA-256");
    if (ask->operation == S3_PUT || ask->operation == S3_CREATE_PARTS)
        s3_texts_add_object(&t, ask);
    if (ask->conditional &&
        (ask->operation == S3_PUT || ask->operation == S3_COMPLETE_PARTS))
        s3_texts_add(&t, "If-None-Match", "*");
    if (ask->operation == S3_PUT || ask->operation == S3_PUT_PART)
        s3_texts_add_checksum(&t, ask->checksum, sums);
    bool x_amz = ask->checksum == CONFIG_SHA256 || ask->checksum == CONFIG_CRC32C;
    if (ask->operation == S3_CREATE_PARTS && x_amz)
        s3_texts_add(&t, "x-amz-checksum-algorithm",
                     ask->checksum == CONFIG_CRC32C ? "CRC32C" : "SHA256");
    if (ask->operation == S3_COMPLETE_PARTS)
        s3_texts_add(&t, "Content-Type", "application/xml");
    if (ask->operation == S3_HEAD && x_amz)
        s3_texts_add(&t, "x-amz-checksum-mode", "ENABLED");
    return finish(ret, ask, &t, e);
}
