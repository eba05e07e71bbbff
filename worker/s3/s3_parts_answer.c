#include "worker/s3/s3_parts_answer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "worker/s3/s3_error.h"

static bool is_success(const struct http_result *r)
{
    return r->net == RETRY_NET_OK && r->response->status / 100 == 2;
}

static bool is_code(const struct s3_error *error, const char *code)
{
    return strcmp(error->code, code) == 0;
}

/* 404 without a word of why, too: a bucket that is not there has its code. */
static bool is_no_upload(const struct http_result *r, const struct s3_error *error)
{
    return is_code(error, "NoSuchUpload") ||
           (r->net == RETRY_NET_OK && r->response->status == 404 && !error->code[0]);
}

/* True: an answer of success that tells of no error.  Else *ret says what it means; *ret_error what its body says. */
static bool is_good(const char *what, const struct http_result *r, int64_t now_s,
                    struct s3_answer *ret, struct s3_error *ret_error)
{
    const struct buf *body = &r->response->body;

    *ret = (struct s3_answer){.verdict = S3_DONE};
    (void)s3_error_parse(body->data, body->len, ret_error); /* no error is no code */
    if (is_success(r) && !ret_error->is_error)
        return true;
    *ret = s3_answer_classify(what, r, ret_error);
    (void)s3_answer_adapt(ret, r, ret_error, now_s);
    return false;
}

static struct s3_answer fail(enum retry_class class, const char *why)
{
    struct s3_answer a = {.verdict = S3_FAILED, .class = class};

    (void)snprintf(a.error, sizeof a.error, "%s", why);
    return a;
}

/* What nothing can have been stored by: it is tried again. */
static void settle(struct s3_answer *a)
{
    if (a->verdict == S3_FAILED &&
        (a->class == RETRY_RESOLVE || a->class == RETRY_NONE))
        a->class = RETRY_TRANSIENT;
}

struct s3_answer s3_answer_create(const struct http_result *r, int64_t now_s,
                                  char ret_id[static S3_UPLOAD_ID_MAX + 1])
{
    struct s3_error error;
    struct s3_answer a;

    *ret_id = '\0';
    if (!is_good("CreateMultipartUpload", r, now_s, &a, &error)) {
        settle(&a);
        return a;
    }
    if (!s3_created_parse(r->response->body.data, r->response->body.len, ret_id))
        return fail(RETRY_TRANSIENT,
                    "CreateMultipartUpload: the answer names no upload");
    return a;
}

/* NULL: no digest in the answer is another than ours. */
static const char *find_other(const struct http_response *h,
                              const struct s3_part_sums *sums)
{
    struct s3_checksums want;
    char hex[DIGEST_MD5_HEX + 1];
    const char *md5 = s3_etag_md5(h->etag);

    s3_sums_text(sums, &want);
    if (want.sha256[0] && h->checksum_sha256[0] &&
        strcmp(h->checksum_sha256, want.sha256) != 0)
        return "SHA-256";
    if (h->checksum_crc32c[0] && strcmp(h->checksum_crc32c, want.crc32c) != 0)
        return "CRC-32C";
    if (!md5 || !sums->has_md5 || strncmp(h->encryption, "aws:kms", 7) == 0)
        return NULL;
    digest_hex_encode(sums->md5, sizeof sums->md5, hex);
    return strncasecmp(md5, hex, DIGEST_MD5_HEX) == 0 ? NULL : "MD5";
}

struct s3_answer s3_answer_part(const struct http_result *r,
                                const struct s3_part_sums *sums, int64_t now_s)
{
    struct s3_error error;
    struct s3_answer a;

    if (!is_good("UploadPart", r, now_s, &a, &error)) {
        if (is_no_upload(r, &error))
            a.verdict = S3_GONE;
        settle(&a);
        return a;
    }
    if (!r->response->etag[0])
        return fail(RETRY_TRANSIENT, "UploadPart: the answer has no ETag");
    const char *other = find_other(r->response, sums);
    if (other) {
        a = fail(RETRY_TRANSIENT, "");
        (void)snprintf(a.error, sizeof a.error,
                       "UploadPart: the store holds other bytes than were sent (%s)",
                       other);
    }
    return a;
}

/* Whether what the result tells is what was sent. */
static struct s3_answer judge(const struct s3_completed *c,
                              const struct s3_expected *want)
{
    struct http_response told = {.status = 200, .content_length = want->size};
    struct http_result r = {.net = RETRY_NET_OK, .response = &told};
    struct s3_expected of_ours = *want;

    (void)snprintf(told.etag, sizeof told.etag, "%s", c->etag);
    (void)snprintf(told.checksum_sha256, sizeof told.checksum_sha256, "%s",
                   c->checksum_sha256);
    (void)snprintf(told.checksum_crc32c, sizeof told.checksum_crc32c, "%s",
                   c->checksum_crc32c);
    (void)snprintf(told.checksum_type, sizeof told.checksum_type, "%s",
                   c->checksum_type);
    of_ours.only_ours = false; /* the size was not told: only digests count */
    return s3_answer_head(&r, &of_ours);
}

struct s3_answer s3_answer_complete(const struct http_result *r,
                                    const struct s3_expected *want, int64_t now_s,
                                    struct s3_completed *ret)
{
    struct s3_error error;
    struct s3_answer a;

    *ret = (struct s3_completed){.etag = ""};
    if (!is_good("CompleteMultipartUpload", r, now_s, &a, &error)) {
        if (is_code(&error, "InvalidPart") || is_code(&error, "InvalidPartOrder"))
            a.verdict = S3_GONE;
        else if (a.verdict == S3_FAILED &&
                 (a.class == RETRY_RESOLVE || a.class == RETRY_NONE ||
                  r->response->status == 304 || is_no_upload(r, &error)))
            a.verdict = S3_RESOLVE;
        return a;
    }
    a.verdict = S3_RESOLVE;
    a.taken = s3_completed_parse(r->response->body.data, r->response->body.len, ret);
    (void)snprintf(a.error, sizeof a.error,
                   a.taken ? "CompleteMultipartUpload: the answer does not prove what "
                             "was put together"
                           : "CompleteMultipartUpload: status %d, but the answer is "
                             "no result",
                   r->response->status);
    if (!a.taken)
        return a;
    struct s3_answer judged = judge(ret, want);
    if (judged.verdict == S3_DONE && !judged.needs_md5)
        a.verdict = S3_DONE;
    return a;
}

struct s3_answer s3_answer_abort(const struct http_result *r, int64_t now_s)
{
    struct s3_error error;
    struct s3_answer a;

    if (is_good("AbortMultipartUpload", r, now_s, &a, &error))
        return a;
    if (is_no_upload(r, &error) || is_code(&error, "NoSuchBucket"))
        return (struct s3_answer){.verdict = S3_DONE};
    settle(&a);
    return a;
}

struct s3_answer s3_answer_list(const struct http_result *r, int64_t now_s)
{
    struct s3_error error;
    struct s3_answer a;

    if (is_good("ListMultipartUploads", r, now_s, &a, &error))
        return a;
    if (is_code(&error, "NoSuchBucket"))
        return (struct s3_answer){.verdict = S3_DONE}; /* and nothing in it */
    settle(&a);
    return a;
}
