#include "worker/dest/dest_http_answer.h"

#include <stdio.h>
#include <string.h>

#include "shared/http_digest.h"

static bool is_success(const struct http_response *h)
{
    return h->has_whole_head && h->status / 100 == 2;
}

static struct dest_http_answer say(enum dest_http_verdict verdict, const char *text)
{
    struct dest_http_answer a = {.verdict = verdict};

    (void)snprintf(a.error, sizeof a.error, "%s", text);
    return a;
}

static struct dest_http_answer classify(const char *method, const struct http_result *r)
{
    const struct http_response *h = r->response;
    struct retry_outcome o = {
        .net = r->net, .body_sent = r->body_sent, .status = h->status};
    struct dest_http_answer a = {.verdict = DEST_HTTP_FAILED,
                                 .class = retry_classify(&o),
                                 .retry_after_ms = http_response_retry_after_ms(h)};

    if (h->status && r->net == RETRY_NET_OK)
        (void)snprintf(a.error, sizeof a.error, "%s: status %d%s", method, h->status,
                       h->status / 100 == 3 ? ", and redirects are not followed" : "");
    else
        (void)snprintf(a.error, sizeof a.error, "%s: %.200s", method, r->error);
    return a;
}

struct dest_http_answer dest_http_answer_send(const struct http_result *r, bool is_post)
{
    const struct http_response *h = r->response;
    struct dest_http_answer a;

    if (is_success(h) && r->body_sent)
        return (struct dest_http_answer){.verdict = DEST_HTTP_DONE};
    a = classify(is_post ? "POST" : "PUT", r);
    if (a.class == RETRY_NONE) { /* success before it had the bytes */
        a.class = RETRY_TRANSIENT;
    } else if (!is_post && (a.class == RETRY_RESOLVE || h->status == 409)) {
        a.verdict = DEST_HTTP_LOOK;
    } else if (a.class == RETRY_RESOLVE) {
        a.class = h->status == 412 ? RETRY_NEVER : RETRY_TRANSIENT;
    }
    return a;
}

bool dest_http_answer_differs(const struct http_response *h,
                              const struct dest_http_expected *want,
                              char ret_sha256[static DIGEST_SHA256_HEX + 1])
{
    if (http_digest_find_sha256(h->repr_digest, ret_sha256))
        return strcmp(ret_sha256, want->sha256) != 0;
    ret_sha256[0] = '\0';
    return h->content_length >= 0 && h->content_length != want->size;
}

struct dest_http_answer dest_http_answer_head(const struct http_result *r,
                                              const struct dest_http_expected *want)
{
    static const char other[] = "key exists with other content";
    const struct http_response *h = r->response;
    char hex[DIGEST_SHA256_HEX + 1];

    if (h->has_whole_head && (h->status == 404 || h->status == 410))
        return say(DEST_HTTP_ABSENT, "it is not there");
    if (h->has_whole_head && (h->status == 405 || h->status == 501))
        return say(DEST_HTTP_BLIND, "the server has no HEAD that could tell");
    if (!is_success(h)) {
        struct dest_http_answer a = classify("HEAD", r);
        if (a.class == RETRY_NONE || a.class == RETRY_RESOLVE || a.class == RETRY_NEVER)
            a.class = RETRY_TRANSIENT; /* it says nothing of the object */
        return a;
    }
    if (want->takes_any)
        return say(DEST_HTTP_DONE, "");
    if (http_digest_find_sha256(h->repr_digest, hex))
        return strcmp(hex, want->sha256) == 0 ? say(DEST_HTTP_DONE, "")
                                              : say(DEST_HTTP_OTHER, other);
    if (h->content_length >= 0 && h->content_length != want->size)
        return say(DEST_HTTP_OTHER, other);
    if (h->content_length < 0 || !want->only_ours)
        return say(DEST_HTTP_UNPROVEN, "something with this key is there and cannot be "
                                       "proven to be these bytes");
    return say(DEST_HTTP_DONE, "");
}
