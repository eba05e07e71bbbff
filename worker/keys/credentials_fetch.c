#include "worker/keys/credentials_fetch_internal.h"

#include <string.h>

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/config_file.h"
#include "worker/keys/credentials_url.h"

enum {
    IMDS_TOKEN_MAX = 1024,
    TOKEN_FILE_MAX = 32 * 1024,              /* STS takes 20,000 characters */
    TEXT_MAX = 3 * TOKEN_FILE_MAX + 8 * 1024 /* a form with such a token */
};

const char *credentials_fetch_value(const struct credentials_fetch *f, const char *name)
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

void credentials_fetch_end(struct credentials_fetch *f, enum err_code code,
                           struct keys *keys, struct err *e)
{
    if (code == ERR_OK && keys->expires_ms <= clock_wall_ms())
        code = err_set(e, ERR_RETRY, "the keys that came have expired already");
    wipe(&f->token);
    wipe(&f->text);
    f->done(code == ERR_OK ? keys : NULL, e, f->ctx); /* f may be gone now */
    if (keys)
        keys_wipe(keys);
}

enum err_code credentials_fetch_judge(const struct http_result *r, const char *what,
                                      struct err *e)
{
    if (r->net != RETRY_NET_OK)
        return err_set(e, ERR_RETRY, "%s: %s", what, r->error);
    if (r->response->status != 200)
        return err_set(e, ERR_RETRY, "%s: status %d", what, r->response->status);
    return ERR_OK;
}

void credentials_fetch_forget(const struct http_result *r)
{
    if (r->response->body.cap)
        explicit_bzero(r->response->body.data, r->response->body.cap);
}

void credentials_fetch_on_keys(const struct http_result *r, void *ctx)
{
    struct credentials_fetch *f = ctx;
    const struct buf *body = &r->response->body;
    struct err e = ERR_INIT;
    struct keys keys = {.expires_ms = 0};
    enum err_code code = credentials_fetch_judge(r, "asking for keys", &e);

    f->call = NULL;
    if (code == ERR_OK)
        code = keys_from_json(body->data, body->len, &keys, &e);
    credentials_fetch_forget(r);
    credentials_fetch_end(f, code, &keys, &e);
}

/* --- container --- */

/* A file with a token, mounted by who runs the container: its permissions are not ours to judge. */
enum err_code credentials_fetch_read_token(const char *path, struct buf *ret,
                                           struct err *e)
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
                             .done = credentials_fetch_on_keys,
                             .ctx = f};

    f->call = http_send(f->http, &r);
    return f->call ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a request");
}

static enum err_code begin_container(struct credentials_fetch *f, struct err *e)
{
    CLEANUP(buf_release) struct buf url = BUF_INIT(ADDRESS_MAX);
    const char *file =
        credentials_fetch_value(f, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = credentials_fetch_value(f, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    enum err_code code = credentials_url_container(
        credentials_fetch_value(f, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        credentials_fetch_value(f, "AWS_CONTAINER_CREDENTIALS_FULL_URI"), &url, e);

    if (code == ERR_OK && file)
        code = credentials_fetch_read_token(file, &f->text, e);
    else if (code == ERR_OK && token && !buf_puts(&f->text, token))
        code = err_set(e, ERR_CONFIG, "AWS_CONTAINER_AUTHORIZATION_TOKEN is too long");
    if (code == ERR_OK && strpbrk(f->text.data, "\r\n"))
        code =
            err_set(e, ERR_CONFIG, "AWS_CONTAINER_AUTHORIZATION_TOKEN has a line end");
    if (code == ERR_OK)
        code = send_container(f, url.data, f->text.data, e);
    return code;
}

static enum err_code begin(struct credentials_fetch *f, struct err *e)
{
    if (f->source->kind == CONFIG_KEYS_CONTAINER)
        return begin_container(f, e);
    if (f->source->kind == CONFIG_KEYS_IMDS)
        return credentials_imds_begin(f, e);
    return credentials_sts_begin(f, e);
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
