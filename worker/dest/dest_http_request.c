#include "worker/dest/dest_http_request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shared/cleanup.h"
#include "shared/digest.h"
#include "shared/http_digest.h"

/* Header texts by their places in values, which moves while it grows. */
struct texts {
    struct buf *values;
    size_t name[DEST_HTTP_HEADERS_MAX], value[DEST_HTTP_HEADERS_MAX];
    size_t count;
};

void dest_http_request_release(struct dest_http_request *r)
{
    buf_release(&r->url);
    buf_release(&r->values);
    r->header_count = 0;
}

static void begin(struct texts *t, const char *name)
{
    t->name[t->count] = t->values->len;
    buf_add(t->values, name, strlen(name) + 1);
    t->value[t->count++] = t->values->len;
}

static void end(struct texts *t)
{
    buf_putc(t->values, '\0');
}

static void add(struct texts *t, const char *name, const char *value)
{
    begin(t, name);
    buf_puts(t->values, value);
    end(t);
}

static void add_encoded(struct texts *t, const char *name, const char *value)
{
    begin(t, name);
    buf_add_percent(t->values, value, strlen(value));
    end(t);
}

/* A key, its slashes kept. */
static void add_key(struct buf *b, const char *key)
{
    for (const char *s = key; *s;) {
        size_t len = strcspn(s, "/");
        buf_add_percent(b, s, len);
        s += len;
        if (*s == '/')
            buf_putc(b, *s++);
    }
}

static bool is_post(const struct dest_http_ask *ask)
{
    return ask->config->method == CONFIG_POST;
}

static const char *method(const struct dest_http_ask *ask)
{
    return ask->is_head ? "HEAD" : is_post(ask) ? "POST" : "PUT";
}

/* Where the path begins in http(s)://host/path; its end when there is none. */
static size_t path_at(const struct buf *url)
{
    const char *host = strstr(url->data, "://") + 3;

    return (size_t)(host - url->data) + strcspn(host, "/");
}

static void make_url(const struct dest_http_ask *ask, struct buf *url)
{
    if (!is_post(ask)) {
        buf_printf(url, "%s/", ask->config->base);
        add_key(url, ask->job->key);
        return;
    }
    buf_puts(url, ask->config->url);
    if (path_at(url) == url->len)
        buf_putc(url, '/');
}

static void add_job(struct texts *t, const struct dest_http_ask *ask)
{
    const struct job *j = ask->job;
    char id[ID_JOB_MAX + 1], digest[HTTP_DIGEST_FIELD_SIZE];
    char name[sizeof "X-Hoist-Meta-" + 64];

    id_format_job(&j->id, id);
    http_digest_format_hex(j->sha256, digest);
    add(t, "Content-Type", j->type && *j->type ? j->type : ask->config->content_type);
    add(t, "X-Hoist-Job", id);
    add(t, "Idempotency-Key", id);
    if (digest[0])
        add(t, "Repr-Digest", digest);
    if (j->traceparent)
        add(t, "traceparent", j->traceparent);
    if (j->traceparent && j->tracestate)
        add(t, "tracestate", j->tracestate);
    if (j->name)
        add_encoded(t, "X-Hoist-Name", j->name);
    for (size_t i = 0; i < j->meta_count; i++) {
        (void)snprintf(name, sizeof name, "X-Hoist-Meta-%s",
                       j->meta[i].name); /* fits */
        add_encoded(t, name, j->meta[i].value);
    }
    if (is_post(ask)) {
        begin(t, "X-Hoist-Key");
        add_key(t->values, j->key);
        end(t);
    } else if (ask->config->conditional) {
        add(t, "If-None-Match", "*");
    }
}

static enum err_code add_signature(struct texts *t, const struct dest_http_ask *ask,
                                   const struct buf *url, struct err *e)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT(16 * 1024);
    const char *secret = ask->config->hmac_secret;
    char of_nothing[DIGEST_SHA256_HEX + 1], hex[DIGEST_SHA256_HEX + 1];
    uint8_t mac[DIGEST_SHA256_BYTES];
    const char *sha256 = ask->job->sha256;

    if (ask->is_head) {
        if (digest_sha256_hex("", 0, of_nothing, e) != ERR_OK)
            return e->code;
        sha256 = of_nothing;
    }
    if (!sha256)
        return err_set(e, ERR_REJECT, "a body of unknown SHA-256 cannot be signed");
    buf_printf(&text, "%" PRId64 ".%s.%s.%s", ask->time_s, method(ask),
               url->data + path_at(url), sha256);
    if (text.failed)
        return err_set(e, ERR_NOMEM, "no memory for a signature");
    if (digest_hmac_sha256((struct digest_span){secret, strlen(secret)},
                           (struct digest_span){text.data, text.len}, mac, e) != ERR_OK)
        return e->code;
    digest_hex_encode(mac, sizeof mac, hex);
    begin(t, "Hoist-Signature");
    buf_printf(t->values, "t=%" PRId64 ",v1=%s", ask->time_s, hex);
    end(t);
    return ERR_OK;
}

static void add_token(struct texts *t, const char *token)
{
    begin(t, "Authorization");
    buf_puts(t->values, "Bearer ");
    buf_puts(t->values, token);
    end(t);
}

static bool is_given(const char *text)
{
    return text && *text;
}

enum err_code dest_http_request_make(struct dest_http_request *ret,
                                     const struct dest_http_ask *ask, struct err *e)
{
    struct texts t = {.values = &ret->values};

    make_url(ask, &ret->url);
    if (ret->url.failed)
        return err_set(e, ERR_REJECT, "the URL is too long");
    if (!ask->is_head)
        add_job(&t, ask);
    if (is_given(ask->config->bearer_token))
        add_token(&t, ask->config->bearer_token);
    if (is_given(ask->config->hmac_secret) &&
        add_signature(&t, ask, &ret->url, e) != ERR_OK)
        return e->code;
    if (ret->values.failed)
        return err_set(e, ERR_REJECT, "more headers than a request may have");
    for (size_t i = 0; i < t.count; i++)
        ret->headers[i] = (struct http_header){ret->values.data + t.name[i],
                                               ret->values.data + t.value[i]};
    ret->header_count = t.count;
    return ERR_OK;
}
