#include "worker/credentials_fetch.h"

#include <string.h>
#include <strings.h>

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/config_file.h"
#include "worker/credentials_url.h"

#define IMDS "http://169.254.169.254"
#define IMDS_ROLES "/latest/meta-data/iam/security-credentials/"

enum {
    ADDRESS_MAX = 4096,
    IMDS_TOKEN_MAX = 1024,
    TOKEN_FILE_MAX = 32 * 1024, /* STS takes 20,000 characters */
    TEXT_MAX = 3 * TOKEN_FILE_MAX + 8 * 1024,
    NEAR_CONNECT_MS = 1000,
    NEAR_ANSWER_MS = 2000,
    STS_CONNECT_MS = 5000,
    STS_ANSWER_MS = 10000
};

static const char *value(const struct credentials_fetch *f, const char *name)
{
    return config_env_value(f->source->env, name);
}

static void wipe(struct buf *b)
{
    if (b->cap)
        explicit_bzero(b->data, b->cap);
    buf_clear(b);
}

void credentials_fetch_init(struct credentials_fetch *f, struct http *http,
                            const struct credentials_source *source)
{
    f->http = http;
    f->source = source;
    f->call = NULL;
    buf_init(&f->token, IMDS_TOKEN_MAX);
    buf_init(&f->text, TEXT_MAX);
}

void credentials_fetch_release(struct credentials_fetch *f)
{
    wipe(&f->token);
    wipe(&f->text);
    buf_release(&f->token);
    buf_release(&f->text);
}

bool credentials_fetch_is_under_way(const struct credentials_fetch *f)
{
    return f->call != NULL;
}

void credentials_fetch_cancel(struct credentials_fetch *f)
{
    if (f->call)
        http_cancel(f->call);
}

/* --- the end --- */

static void end(struct credentials_fetch *f, const struct keys *keys,
                const struct err *e)
{
    wipe(&f->token);
    wipe(&f->text);
    f->done(keys, e, f->ctx);
}

static void end_failed(struct credentials_fetch *f, const struct err *e)
{
    end(f, NULL, e);
}

/* What was parsed, unless it has expired. */
static void end_with(struct credentials_fetch *f, enum err_code code, struct keys *keys,
                     struct err *e)
{
    if (code == ERR_OK && keys->expires_ms <= clock_wall_ms())
        code = err_set(e, ERR_RETRY, "the keys that came have expired already");
    end(f, code == ERR_OK ? keys : NULL, e);
    keys_wipe(keys);
}

/* What came to nothing: the network, or a status other than 200. */
static enum err_code judge(const struct http_result *r, const char *what, struct err *e)
{
    if (r->net != RETRY_NET_OK)
        return err_set(e, ERR_RETRY, "%s: %s", what, r->error);
    if (r->response->status != 200)
        return err_set(e, ERR_RETRY, "%s: status %d", what, r->response->status);
    return ERR_OK;
}

/* What came may hold a secret. */
static void forget_answer(const struct http_result *r)
{
    if (r->response->body.cap)
        explicit_bzero(r->response->body.data, r->response->body.cap);
}

static void on_keys(const struct http_result *r, void *ctx)
{
    struct credentials_fetch *f = ctx;
    const struct buf *body = &r->response->body;
    struct err e = ERR_INIT;
    struct keys keys = {.expires_ms = 0};
    enum err_code code = judge(r, "asking for keys", &e);

    f->call = NULL;
    if (code == ERR_OK)
        code = keys_from_json(body->data, body->len, &keys, &e);
    forget_answer(r);
    end_with(f, code, &keys, &e);
}

/* --- IMDS --- */

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
    const char *endpoint = value(f, "AWS_EC2_METADATA_SERVICE_ENDPOINT");

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
        code = judge(r, "IMDS: asking for the role", &e);
    if (code == ERR_OK)
        code = add_imds_url(f, &url, IMDS_ROLES, &e);
    if (code == ERR_OK)
        code = credentials_url_add_role(body->data, body->len, &url, &e);
    if (code == ERR_OK)
        code = ask_imds(f, "GET", url.data, on_keys, &e);
    if (code != ERR_OK)
        end_failed(f, &e);
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
    enum err_code code = judge(r, "IMDS: asking for a token", &e);

    f->call = NULL;
    if (code == ERR_OK)
        code = take_token(f, &r->response->body, &e);
    forget_answer(r);
    if (code == ERR_OK)
        code = add_imds_url(f, &url, IMDS_ROLES, &e);
    if (code == ERR_OK)
        code = ask_imds(f, "GET", url.data, on_role, &e);
    if (code != ERR_OK)
        end_failed(f, &e);
}

static enum err_code begin_imds(struct credentials_fetch *f, struct err *e)
{
    CLEANUP(buf_release) struct buf url = BUF_INIT(ADDRESS_MAX);
    const char *disabled = value(f, "AWS_EC2_METADATA_DISABLED");

    if (disabled && strcasecmp(disabled, "true") == 0)
        return err_set(e, ERR_CONFIG,
                       "no keys are configured, and AWS_EC2_METADATA_DISABLED is set");
    if (add_imds_url(f, &url, "/latest/api/token", e) != ERR_OK)
        return e->code;
    return ask_imds(f, "PUT", url.data, on_token, e);
}

/* --- container --- */

/* A file with a token, mounted by who runs the container: its permissions are not ours to judge. */
static enum err_code read_token(const char *path, struct buf *ret, struct err *e)
{
    mode_t mode;

    if (config_file_read(path, ret, &mode, e) != ERR_OK)
        return e->code;
    while (ret->len > 0 && strchr("\r\n", ret->data[ret->len - 1]))
        ret->data[--ret->len] = '\0';
    for (size_t i = 0; i < ret->len; i++)
        if (ret->data[i] < 0x20 || ret->data[i] > 0x7e)
            return err_set(e, ERR_CONFIG, "%.120s: is not one line of text", path);
    return ret->len ? ERR_OK : err_set(e, ERR_CONFIG, "%.120s: is empty", path);
}

static enum err_code send_container(struct credentials_fetch *f, const char *url,
                                    const char *token, struct err *e)
{
    struct http_header header = {"Authorization", token};
    struct http_request r = {.method = "GET",
                             .url = url,
                             .headers = &header,
                             .header_count = *token ? 1 : 0,
                             .connect_ms = NEAR_CONNECT_MS,
                             .stall_ms = NEAR_ANSWER_MS,
                             .answer_ms = NEAR_ANSWER_MS,
                             .done = on_keys,
                             .ctx = f};

    f->call = http_send(f->http, &r);
    return f->call ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a request");
}

static enum err_code begin_container(struct credentials_fetch *f, struct err *e)
{
    CLEANUP(buf_release) struct buf url = BUF_INIT(ADDRESS_MAX);
    const char *file = value(f, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = value(f, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    enum err_code code = credentials_url_container(
        value(f, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        value(f, "AWS_CONTAINER_CREDENTIALS_FULL_URI"), &url, e);

    if (code == ERR_OK && file)
        code = read_token(file, &f->text, e);
    else if (code == ERR_OK && token && !buf_puts(&f->text, token))
        code = err_set(e, ERR_CONFIG, "AWS_CONTAINER_AUTHORIZATION_TOKEN is too long");
    if (code == ERR_OK && strpbrk(f->text.data, "\r\n"))
        code = err_set(e, ERR_CONFIG,
                       "AWS_CONTAINER_AUTHORIZATION_TOKEN has a line "
                       "end");
    if (code == ERR_OK)
        code = send_container(f, url.data, f->text.data, e);
    return code;
}

static enum err_code begin(struct credentials_fetch *f, struct err *e)
{
    if (f->source->kind == CONFIG_KEYS_CONTAINER)
        return begin_container(f, e);
    if (f->source->kind == CONFIG_KEYS_IMDS)
        return begin_imds(f, e);
    return err_set(e, ERR_CONFIG, "web_identity is not to be had yet");
}

enum err_code credentials_fetch_begin(struct credentials_fetch *f, struct err *e)
{
    enum err_code code = begin(f, e);

    if (code != ERR_OK) {
        wipe(&f->token);
        wipe(&f->text);
    }
    return code;
}
