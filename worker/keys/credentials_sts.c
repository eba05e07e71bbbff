#include "worker/keys/credentials_fetch_internal.h"

#include <string.h>

#include "shared/cleanup.h"

enum { TOKEN_MAX = 32 * 1024, CONNECT_MS = 5000, ANSWER_MS = 10000 };

/* An ErrorResponse says more than its status does. */
static enum err_code read_answer(const struct http_result *r, struct keys *keys,
                                 struct err *e)
{
    const struct buf *body = &r->response->body;
    enum err_code code = credentials_fetch_judge(r, "STS", e);

    if (code == ERR_OK || (r->net == RETRY_NET_OK && r->response->status == 400))
        code = keys_from_sts(body->data, body->len, keys, e);
    if (code == ERR_OK && r->response->status != 200)
        code = err_set(e, ERR_RETRY, "STS: status %d", r->response->status);
    return code;
}

static void on_answer(const struct http_result *r, void *ctx)
{
    struct credentials_fetch *f = ctx;
    struct keys keys = {.expires_ms = 0};
    struct err e = ERR_INIT;
    enum err_code code = read_answer(r, &keys, &e);

    f->call = NULL;
    credentials_fetch_forget(r);
    credentials_fetch_end(f, code, &keys, &e);
}

static void add_field(struct buf *b, const char *name, const char *value, size_t len)
{
    buf_puts_all(b, (const char *const[]){b->len ? "&" : "", name, "=", NULL});
    buf_add_percent(b, value, len);
}

/* The form that asks, with the token in it. */
static enum err_code build_form(struct credentials_fetch *f, struct err *e)
{
    CLEANUP(buf_release) struct buf token = BUF_INIT(TOKEN_MAX);
    const char *file = credentials_fetch_value(f, "AWS_WEB_IDENTITY_TOKEN_FILE");
    const char *role = credentials_fetch_value(f, "AWS_ROLE_ARN");
    const char *session = credentials_fetch_value(f, "AWS_ROLE_SESSION_NAME");
    struct buf *b = &f->text;
    enum err_code code = credentials_fetch_read_token(file, &token, e);

    if (!session)
        session = "hoist";
    if (code == ERR_OK) {
        buf_puts(b, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15");
        add_field(b, "RoleArn", role, strlen(role));
        add_field(b, "RoleSessionName", session, strlen(session));
        add_field(b, "WebIdentityToken", token.data, token.len);
        if (b->failed)
            code = err_set(e, ERR_CONFIG, "what STS is to be asked is too long");
    }
    if (token.cap)
        explicit_bzero(token.data, token.cap);
    return code;
}

/* The endpoint, with a slash at its end; *ret_given: it is not Amazon's own. */
static enum err_code build_url(const struct credentials_fetch *f, struct buf *b,
                               bool *ret_given, struct err *e)
{
    const struct config_destination *config = f->source->config;
    const char *endpoint = credentials_fetch_value(f, "AWS_ENDPOINT_URL_STS");

    if (config->sts_endpoint && *config->sts_endpoint)
        endpoint = config->sts_endpoint;
    *ret_given = endpoint != NULL;
    if (!endpoint)
        buf_puts_all(b, (const char *const[]){"https://sts.", config->region,
                                              ".amazonaws.com", NULL});
    else
        buf_puts(b, endpoint);
    if (!b->len || b->data[b->len - 1] != '/')
        buf_putc(b, '/');
    return b->failed ? err_set(e, ERR_CONFIG, "the URL of STS is too long") : ERR_OK;
}

enum err_code credentials_sts_begin(struct credentials_fetch *f, struct err *e)
{
    CLEANUP(buf_release) struct buf url = BUF_INIT(ADDRESS_MAX);
    bool given;

    if (build_url(f, &url, &given, e) != ERR_OK || build_form(f, e) != ERR_OK)
        return e->code;
    struct http_header header = {"Content-Type", "application/x-www-form-urlencoded"};
    struct http_body body = {
        .fd = -1, .data = f->text.data, .len = (int64_t)f->text.len};
    /* The certificates of a private store are those of its STS, too. */
    struct http_request r = {.method = "POST",
                             .url = url.data,
                             .headers = &header,
                             .header_count = 1,
                             .body = &body,
                             .connect_ms = CONNECT_MS,
                             .stall_ms = ANSWER_MS,
                             .answer_ms = ANSWER_MS,
                             .ca_file = given ? f->source->config->ca_file : NULL,
                             .done = on_answer,
                             .ctx = f};
    f->call = http_send(f->http, &r);
    return f->call ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a request");
}
