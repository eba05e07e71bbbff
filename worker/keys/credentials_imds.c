#include "worker/keys/credentials_fetch_internal.h"

#include <string.h>
#include <strings.h>

#include "shared/cleanup.h"
#include "worker/keys/credentials_url.h"

#define IMDS "http://169.254.169.254"
#define IMDS_ROLES "/latest/meta-data/iam/security-credentials/"

/* A GET below the endpoint, or the PUT of the first step. */
static enum err_code ask_imds(struct credentials_fetch *f, const char *method,
                              const char *url, http_done_fn *done, struct err *e)
{
    bool first = strcmp(method, "PUT") == 0;
    struct http_header header = {first ? "X-aws-ec2-metadata-token-ttl-seconds"
                                       : "X-aws-ec2-metadata-token",
                                 first ? "300" : f->token.data};
    struct http_request r = {.method = method,
                             .url = url,
                             .headers = &header,
                             .header_count = 1,
                             .connect_ms = NEAR_CONNECT_MS,
                             .stall_ms = NEAR_ANSWER_MS,
                             .answer_ms = NEAR_ANSWER_MS,
                             .done = done,
                             .ctx = f};

    f->call = http_send(f->http, &r);
    return f->call ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a request");
}

static enum err_code add_imds_url(const struct credentials_fetch *f, struct buf *b,
                                  const char *path, struct err *e)
{
    const char *endpoint =
        credentials_fetch_value(f, "AWS_EC2_METADATA_SERVICE_ENDPOINT");

    if (f->source->config->imds_endpoint && *f->source->config->imds_endpoint)
        endpoint = f->source->config->imds_endpoint;
    if (!endpoint)
        endpoint = IMDS;
    size_t len = strlen(endpoint);
    while (len > 0 && endpoint[len - 1] == '/')
        len--;
    buf_add(b, endpoint, len);
    buf_puts(b, path);
    return b->failed ? err_set(e, ERR_CONFIG, "the URL of IMDS is too long") : ERR_OK;
}

static void on_role(const struct http_result *r, void *ctx)
{
    CLEANUP(buf_release) struct buf url = BUF_INIT(ADDRESS_MAX);
    struct credentials_fetch *f = ctx;
    const struct buf *body = &r->response->body;
    struct err e = ERR_INIT;
    enum err_code code = ERR_OK;

    f->call = NULL;
    if (r->net == RETRY_NET_OK && r->response->status == 404)
        code = err_set(&e, ERR_RETRY, "IMDS: no role is attached to this machine");
    else
        code = credentials_fetch_judge(r, "IMDS: asking for the role", &e);
    if (code == ERR_OK)
        code = add_imds_url(f, &url, IMDS_ROLES, &e);
    if (code == ERR_OK)
        code = credentials_url_add_role(body->data, body->len, &url, &e);
    if (code == ERR_OK)
        code = ask_imds(f, "GET", url.data, credentials_fetch_on_keys, &e);
    if (code != ERR_OK)
        credentials_fetch_end(f, code, NULL, &e);
}

/* Only what can stand in a header. */
static enum err_code take_token(struct credentials_fetch *f, const struct buf *body,
                                struct err *e)
{
    for (size_t i = 0; i < body->len; i++)
        if (body->data[i] < 0x21 || body->data[i] > 0x7e)
            return err_set(e, ERR_REJECT, "IMDS: what came for a token is none");
    if (body->len == 0 || !buf_add(&f->token, body->data, body->len))
        return err_set(e, ERR_REJECT, "IMDS: what came for a token is none");
    return ERR_OK;
}

static void on_token(const struct http_result *r, void *ctx)
{
    CLEANUP(buf_release) struct buf url = BUF_INIT(ADDRESS_MAX);
    struct credentials_fetch *f = ctx;
    struct err e = ERR_INIT;
    enum err_code code = credentials_fetch_judge(r, "IMDS: asking for a token", &e);

    f->call = NULL;
    if (code == ERR_OK)
        code = take_token(f, &r->response->body, &e);
    credentials_fetch_forget(r);
    if (code == ERR_OK)
        code = add_imds_url(f, &url, IMDS_ROLES, &e);
    if (code == ERR_OK)
        code = ask_imds(f, "GET", url.data, on_role, &e);
    if (code != ERR_OK)
        credentials_fetch_end(f, code, NULL, &e);
}

enum err_code credentials_imds_begin(struct credentials_fetch *f, struct err *e)
{
    CLEANUP(buf_release) struct buf url = BUF_INIT(ADDRESS_MAX);
    const char *disabled = credentials_fetch_value(f, "AWS_EC2_METADATA_DISABLED");

    if (disabled && strcasecmp(disabled, "true") == 0)
        return err_set(e, ERR_CONFIG,
                       "no keys are configured, and AWS_EC2_METADATA_DISABLED is set");
    if (add_imds_url(f, &url, "/latest/api/token", e) != ERR_OK)
        return e->code;
    return ask_imds(f, "PUT", url.data, on_token, e);
}
