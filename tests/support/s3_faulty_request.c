#include "tests/support/s3_faulty_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void take_digests(const char *head, struct request *r)
{
    static const char *const names[] = {"", "x-amz-checksum-sha256",
                                        "x-amz-checksum-crc32c"};
    const char *value;

    for (int i = S3_FAULTY_SHA256; i <= S3_FAULTY_CRC32C; i++)
        if ((value = s3_faulty_header(head, names[i]))) {
            r->checksum = (enum s3_faulty_checksum)i;
            (void)sscanf(value, "%63s", r->named);
        }
    value = s3_faulty_header(head, "x-amz-content-sha256");
    if (value && strspn(value, "0123456789abcdef") == 64)
        memcpy(r->payload, value, 64);
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The value of `name` in a query, decoded; false: it is not there. */
static bool take_query(const char *query, const char *name, char *ret, size_t size)
{
    size_t len = strlen(name), used = 0;

    for (const char *p = query; p; p = strchr(p, '&')) {
        p += *p == '&';
        if (strncmp(p, name, len) != 0 || !strchr("=&", p[len]))
            continue;
        p += len + (p[len] == '=');
        while (*p && *p != '&' && used + 1 < size) {
            bool escaped = *p == '%' && hex(p[1]) >= 0 && hex(p[2]) >= 0;
            ret[used++] = (char)(escaped ? hex(p[1]) * 16 + hex(p[2]) : *p);
            p += escaped ? 3 : 1;
        }
        ret[used] = '\0';
        return true;
    }
    return false;
}

static enum s3_op find_op(const char *method, const char *query, struct request *r)
{
    char number[16] = "", none[8];
    bool of_upload = take_query(query, "uploadId", r->upload_id, sizeof r->upload_id);
    bool uploads = take_query(query, "uploads", none, sizeof none);

    (void)take_query(query, "prefix", r->prefix, sizeof r->prefix);
    if (take_query(query, "partNumber", number, sizeof number))
        r->part = (int)strtol(number, NULL, 10);
    if (strcmp(method, "PUT") == 0)
        return of_upload ? S3_OP_PART : S3_OP_PUT;
    if (strcmp(method, "HEAD") == 0)
        return S3_OP_HEAD;
    if (strcmp(method, "POST") == 0 && (uploads || of_upload))
        return uploads ? S3_OP_CREATE : S3_OP_COMPLETE;
    if (strcmp(method, "DELETE") == 0 && of_upload)
        return S3_OP_ABORT;
    if (strcmp(method, "GET") == 0 && (uploads || of_upload))
        return uploads ? S3_OP_LIST_UPLOADS : S3_OP_LIST_PARTS;
    return S3_OP_OTHER;
}

static void parse(struct connection *c, struct request *r)
{
    const char *length = s3_faulty_header(c->head, "content-length");
    const char *expect = s3_faulty_header(c->head, "expect");
    const char *algorithm = s3_faulty_header(c->head, "x-amz-checksum-algorithm");
    char method[16] = "", target[2 * PATH_SIZE] = "";

    *r = (struct request){.method = 2, .op = S3_OP_OTHER};
    if (sscanf(c->head, "%15s %1023s", method, target) == 2) {
        char *query = strchr(target, '?');
        if (query)
            *query++ = '\0';
        r->method = s3_faulty_method(method);
        r->op = find_op(method, query, r);
        (void)snprintf(r->path, sizeof r->path, "%.*s", PATH_SIZE - 1, target);
    }
    if (algorithm)
        r->algorithm = strncasecmp(algorithm, "CRC32C", 6) == 0 ? S3_FAULTY_CRC32C
                                                                : S3_FAULTY_SHA256;
    r->length = length ? strtoll(length, NULL, 10) : 0;
    r->conditional = s3_faulty_header(c->head, "if-none-match") != NULL;
    r->mode = s3_faulty_header(c->head, "x-amz-checksum-mode") != NULL;
    take_digests(c->head, r);
    r->expect = expect && strncasecmp(expect, "100-continue", 12) == 0;
}

/* With the lock held: the first fault that waits for such a request. */
static void take_fault(struct s3_faulty *s, struct request *r)
{
    for (size_t i = 0; i < s->fault_count; i++) {
        const struct s3_fault *f = &s->faults[i];
        if (s->fault_used[i] || (f->op != S3_OP_ANY && f->op != r->op) ||
            (f->part > 0 && f->part != r->part))
            continue;
        s->fault_used[i] = true;
        r->fault = *f;
        return;
    }
}

void s3_faulty_take_request(struct connection *c, struct request *r)
{
    struct s3_faulty *s = c->store;

    parse(c, r);
    pthread_mutex_lock(&s->lock);
    s->counts[r->method]++;
    s->op_counts[r->op]++;
    (void)snprintf(s->heads[r->method], sizeof s->heads[0], "%s", c->head);
    (void)snprintf(s->op_heads[r->op], sizeof s->op_heads[0], "%s", c->head);
    take_fault(s, r);
    pthread_mutex_unlock(&s->lock);
}
