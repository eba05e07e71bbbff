#include "worker/s3/s3_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "worker/s3/s3_error.h"
#include "worker/s3/s3_quirks.h"
#include "worker/s3/s3_sums.h"

/* What the digests in an answer say. */
enum proof {
    PROOF_SAME,
    PROOF_OTHER,
    PROOF_NONE,     /* no digest we could compare */
    PROOF_NEEDS_MD5 /* an MD5 is there, ours is not known */
};

/* The 32 hex digits of an ETag that is an MD5; NULL for any other. */
static const char *md5_in_etag(const struct http_response *r)
{
    return strncmp(r->encryption, "aws:kms", 7) == 0 ? NULL : s3_etag_md5(r->etag);
}

/* Of an object made of parts: whether a checksum of checksums is that of ours, of as many, and another. */
static enum proof compare_composite(const char *told, const char *want)
{
    const char *count = strrchr(told, '-'), *wanted = strrchr(want, '-');

    if (!count || !wanted || strcmp(count, wanted) != 0)
        return PROOF_NONE;
    return strcmp(told, want) == 0 ? PROOF_SAME : PROOF_OTHER;
}

static bool is_same_etag(const char *told, const char *want)
{
    size_t len = strlen(want);

    told += *told == '"';
    return len > 0 && strncasecmp(told, want, len) == 0 &&
           (!told[len] || strcmp(told + len, "\"") == 0);
}

static enum proof compare_parts(const struct http_response *r,
                                const struct s3_expected *want, bool ours)
{
    if (!want->parts)
        return PROOF_NONE;
    enum proof sha256 = compare_composite(r->checksum_sha256, want->parts->sha256);
    enum proof crc32c = compare_composite(r->checksum_crc32c, want->parts->crc32c);
    if (want->taken && (sha256 == PROOF_OTHER || crc32c == PROOF_OTHER))
        return PROOF_OTHER;
    if (sha256 == PROOF_SAME || (crc32c == PROOF_SAME && ours) ||
        is_same_etag(r->etag, want->parts->etag))
        return PROOF_SAME;
    return PROOF_NONE;
}

/* What a checksum in the answer says.  That of an object made in parts is not one of its bytes. */
static enum proof compare_checksum(const struct http_response *r, const char *told,
                                   const char *want)
{
    if (!*told || !*want || strchr(told, '-') ||
        strcmp(r->checksum_type, "COMPOSITE") == 0)
        return PROOF_NONE;
    return strcmp(told, want) == 0 ? PROOF_SAME : PROOF_OTHER;
}

/* ours: nobody but us can have made the object. */
static enum proof compare(const struct http_response *r, const struct s3_expected *want,
                          bool ours)
{
    enum proof sha256 = compare_checksum(r, r->checksum_sha256, want->sha256_base64);
    enum proof crc32c = compare_checksum(r, r->checksum_crc32c, want->crc32c_base64);
    const char *md5 = md5_in_etag(r);

    if (sha256 == PROOF_OTHER || crc32c == PROOF_OTHER)
        return PROOF_OTHER;
    if (sha256 == PROOF_SAME || (crc32c == PROOF_SAME && (ours || !md5)))
        return PROOF_SAME;
    if (!md5)
        return compare_parts(r, want, ours);
    if (!want->md5_hex[0])
        return PROOF_NEEDS_MD5;
    return strncasecmp(md5, want->md5_hex, 32) == 0 ? PROOF_SAME : PROOF_OTHER;
}

static void describe(struct s3_answer *a, const char *method,
                     const struct http_result *r, const struct s3_error *error)
{
    const struct http_response *h = r->response;

    if (error->code[0])
        (void)snprintf(a->error, sizeof a->error, "%s: %d %.48s: %.160s", method,
                       h->status, error->code, error->message);
    else if (h->status && r->net == RETRY_NET_OK)
        (void)snprintf(a->error, sizeof a->error, "%s: status %d%s%s", method,
                       h->status, h->region[0] ? ", the bucket is in region " : "",
                       h->region);
    else
        (void)snprintf(a->error, sizeof a->error, "%s: %.200s", method, r->error);
}

struct s3_answer s3_answer_classify(const char *method, const struct http_result *r,
                                    const struct s3_error *error)
{
    struct retry_outcome o = {.net = r->net,
                              .body_sent = r->body_sent,
                              .status = r->response->status,
                              .code = error->code};
    struct s3_answer a = {.verdict = S3_FAILED,
                          .class = retry_classify(&o),
                          .retry_after_ms = http_response_retry_after_ms(r->response)};

    describe(&a, method, r, error);
    return a;
}

static bool is_success(const struct http_result *r)
{
    return r->net == RETRY_NET_OK && r->response->status / 100 == 2;
}

bool s3_answer_adapt(struct s3_answer *a, const struct http_result *r,
                     const struct s3_error *error, int64_t now_s)
{
    const struct http_response *h = r->response;
    int64_t date_s = 0;

    if (s3_quirks_unsupported(h, error)) {
        a->verdict = S3_PLAINER;
        return true;
    }
    if (strcmp(error->code, "RequestTimeTooSkewed") != 0 ||
        !http_response_date(h, &date_s) ||
        llabs((long long)date_s - now_s) > S3_SKEW_MAX_S)
        return false;
    a->verdict = S3_SKEWED;
    a->skew_s = date_s - now_s;
    return true;
}

struct s3_answer s3_answer_put(const struct http_result *r,
                               const struct s3_expected *want, int64_t now_s)
{
    const struct http_response *h = r->response;
    struct s3_error error = {.code = ""};

    (void)s3_error_parse(h->body.data, h->body.len, &error); /* no error is no code */
    if (is_success(r) && !error.is_error) {
        struct s3_answer a = {.verdict = S3_DONE, .taken = true};
        if (compare(h, want, true) != PROOF_SAME) {
            a.verdict = S3_RESOLVE;
            (void)snprintf(
                a.error, sizeof a.error,
                "PUT: status %d, but the answer does not prove what was stored",
                h->status);
        }
        return a;
    }
    struct s3_answer a = s3_answer_classify("PUT", r, &error);
    if (!s3_answer_adapt(&a, r, &error, now_s) &&
        (a.class == RETRY_RESOLVE || h->status == 304 || a.class == RETRY_NONE))
        a.verdict = S3_RESOLVE; /* 304: what early MinIO says for 412 */
    return a;
}

struct s3_answer s3_answer_head(const struct http_result *r,
                                const struct s3_expected *want)
{
    const struct http_response *h = r->response;
    struct s3_error none = {.code = ""};

    if (r->net == RETRY_NET_OK && h->status == 404)
        return (struct s3_answer){.verdict = S3_ABSENT};
    if (!is_success(r)) {
        struct s3_answer a = s3_answer_classify("HEAD", r, &none);
        if (a.class == RETRY_NONE || a.class == RETRY_RESOLVE || a.class == RETRY_NEVER)
            a.class = RETRY_TRANSIENT; /* it says nothing of the object */
        return a;
    }
    struct s3_answer a = {.verdict = S3_DONE};
    enum proof proof = compare(h, want, want->only_ours);
    a.needs_md5 = proof == PROOF_NEEDS_MD5;
    if (h->content_length != want->size || proof == PROOF_OTHER) {
        a.verdict = S3_OTHER;
        a.needs_md5 = false;
        (void)snprintf(a.error, sizeof a.error, "key exists with other content");
    } else if (proof == PROOF_NONE && !want->only_ours) {
        a.verdict = S3_UNPROVEN;
        (void)snprintf(a.error, sizeof a.error,
                       "an object with this key is there and cannot be proven to be "
                       "these bytes");
    }
    return a;
}
