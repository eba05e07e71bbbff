#include "worker/s3_request.h"

#include <stdio.h>
#include <string.h>

#include "shared/cleanup.h"
#include "shared/digest.h"

enum { PATH_MAX_BYTES = 4096, NAME_FIELD = 64 + sizeof "x-amz-meta-" };

void s3_request_release(struct s3_request *r)
{
    buf_release(&r->url);
    buf_release(&r->values);
    sigv4_signed_release(&r->signature);
    r->header_count = 0;
}

enum err_code s3_endpoint_parse(const struct config_destination *config,
                                struct s3_endpoint *ret, struct err *e)
{
    struct s3_endpoint at = {.https = true};
    const char *s = config->endpoint;

    if (!s || !*s) {
        (void)snprintf(at.authority, sizeof at.authority, "s3.%s.amazonaws.com",
                       config->region);
        *ret = at;
        return ERR_OK;
    }
    if (strncmp(s, "https://", 8) != 0 && strncmp(s, "http://", 7) != 0)
        return err_set(e, ERR_CONFIG, "endpoint: not http:// or https://");
    at.https = s[4] == 's';
    s += at.https ? 8 : 7;
    size_t len = strcspn(s, "/?#");
    const char *standard = at.https ? ":443" : ":80";
    size_t port = strlen(standard);
    if (len == 0 || len >= sizeof at.authority || (s[len] && strcmp(s + len, "/") != 0))
        return err_set(e, ERR_CONFIG, "endpoint: not http(s)://host[:port]");
    if (len > port && memcmp(s + len - port, standard, port) == 0)
        len -= port;
    memcpy(at.authority, s, len);
    *ret = at;
    return ERR_OK;
}

/*
 * Texts of the headers are put one after the other into r->values, which may move while it grows: until all are there a
 * header's name and value are kept as offsets.
 */
struct texts {
    struct s3_request *request;
    struct {
        size_t name, value;
    } at[S3_HEADERS_MAX];
    size_t count;
    size_t meta_bytes; /* what S3 counts as metadata so far */
};

static void add_text(struct texts *t, const char *name, const char *value)
{
    struct buf *b = &t->request->values;

    if (t->count == S3_HEADERS_MAX - SIGV4_ADDED_MAX) {
        b->failed = true;
        return;
    }
    t->at[t->count].name = b->len;
    buf_add(b, name, strlen(name) + 1);
    t->at[t->count++].value = b->len;
    buf_add(b, value, strlen(value) + 1);
}

/* Printable ASCII stays, single blanks inside too; all else, and '%', becomes %XX. */
static void add_meta_value(struct buf *b, const char *s)
{
    for (const char *p = s; *p; p++) {
        bool inner = p > s && p[-1] != ' ' && p[1] && p[1] != ' ';
        if ((*p > ' ' && *p <= '~' && *p != '%') || (*p == ' ' && inner))
            buf_putc(b, *p);
        else
            buf_printf(b, "%%%02X", (unsigned char)*p);
    }
}

static void add_meta(struct texts *t, const char *name, const struct buf *value)
{
    char field[NAME_FIELD + 1];
    size_t bytes = strlen(name) + value->len;

    if (value->failed || t->meta_bytes + bytes > JOB_META_BYTES)
        return;
    t->meta_bytes += bytes;
    (void)snprintf(field, sizeof field, "x-amz-meta-%s", name);
    add_text(t, field, value->data);
}

static void add_metadata(struct texts *t, const struct job *j)
{
    CLEANUP(buf_release) struct buf value = BUF_INIT(JOB_META_BYTES);
    bool has_filename = false;

    for (size_t i = 0; i < j->meta_count; i++) {
        buf_clear(&value);
        add_meta_value(&value, j->meta[i].value);
        add_meta(t, j->meta[i].name, &value);
        has_filename |= strcmp(j->meta[i].name, "filename") == 0;
    }
    if (!j->name || has_filename)
        return;
    buf_clear(&value);
    buf_add_percent(&value, j->name, strlen(j->name));
    add_meta(t, "filename", &value);
}

/* hex, of sum_size bytes, as base64; "" when it is something else. */
static void encode(const char *hex, size_t sum_size, char *ret, size_t ret_size)
{
    uint8_t sum[DIGEST_SHA256_BYTES];

    *ret = '\0';
    if (hex && digest_hex_decode(hex, strlen(hex), sum, sum_size))
        (void)digest_base64_encode(sum, sum_size, ret, ret_size); /* fits */
}

void s3_checksums_of(const struct job *j, struct s3_checksums *ret)
{
    encode(j->sha256, DIGEST_SHA256_BYTES, ret->sha256, sizeof ret->sha256);
    encode(j->crc32c, DIGEST_CRC32C_BYTES, ret->crc32c, sizeof ret->crc32c);
}

static void add_checksum(struct texts *t, enum config_checksum which,
                         const struct s3_checksums *sums)
{
    if (which == CONFIG_CRC32C && sums->crc32c[0])
        add_text(t, "x-amz-checksum-crc32c", sums->crc32c);
    else if (which != CONFIG_NO_CHECKSUM)
        add_text(t, "x-amz-checksum-sha256", sums->sha256);
}

/* host and raw path of the object. */
static bool locate(const struct s3_ask *ask, struct buf *host, struct buf *path)
{
    const struct config_destination *c = ask->config;

    if (c->style == CONFIG_VIRTUAL_STYLE) {
        buf_printf(host, "%s.", c->bucket);
    } else {
        buf_printf(path, "/%s", c->bucket);
    }
    buf_puts(host, ask->endpoint->authority);
    if (c->prefix && *c->prefix)
        buf_printf(path, "/%s", c->prefix);
    buf_printf(path, "/%s", ask->job->key);
    return !host->failed && !path->failed;
}

/* Sign, and put all headers together. */
static enum err_code finish(struct s3_request *r, const struct s3_ask *ask,
                            const struct texts *t, const char *method, struct err *e)
{
    CLEANUP(buf_release) struct buf host = BUF_INIT(512);
    CLEANUP(buf_release) struct buf path = BUF_INIT(PATH_MAX_BYTES);
    struct sigv4_pair pairs[S3_HEADERS_MAX];
    bool put = strcmp(method, "PUT") == 0;
    const char *empty =
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    if (r->values.failed)
        return err_set(e, ERR_REJECT, "more headers than a request may have");
    if (!locate(ask, &host, &path))
        return err_set(e, ERR_REJECT, "bucket, prefix and key are too long");
    for (size_t i = 0; i < t->count; i++)
        pairs[i] = (struct sigv4_pair){r->values.data + t->at[i].name,
                                       r->values.data + t->at[i].value};
    struct sigv4_request request = {.method = method,
                                    .host = host.data,
                                    .path = path.data,
                                    .headers = pairs,
                                    .header_count = t->count,
                                    .payload_hash = !put ? empty
                                                    : ask->endpoint->https
                                                        ? SIGV4_UNSIGNED_PAYLOAD
                                                        : ask->job->sha256,
                                    .time_s = ask->time_s};
    if (sigv4_sign(&r->signature, ask->key, &request, e) != ERR_OK)
        return e->code;
    buf_printf(&r->url, "%s://%s%s", ask->endpoint->https ? "https" : "http", host.data,
               r->signature.path.data);
    for (size_t i = 0; i < t->count; i++)
        r->headers[r->header_count++] =
            (struct http_header){pairs[i].name, pairs[i].value};
    for (size_t i = 0; i < r->signature.added_count; i++) {
        const struct sigv4_pair *added = &r->signature.added[i];
        if (strcmp(added->name, "Host") != 0) /* libcurl makes the same of the URL */
            r->headers[r->header_count++] =
                (struct http_header){added->name, added->value};
    }
    return r->url.failed ? err_set(e, ERR_REJECT, "the URL is too long") : ERR_OK;
}

enum err_code s3_request_put(struct s3_request *ret, const struct s3_ask *ask,
                             struct err *e)
{
    const struct job *j = ask->job;
    const char *type = j->type && *j->type ? j->type : ask->config->content_type;
    struct s3_checksums sums;
    struct texts t = {.request = ret};

    s3_checksums_of(j, &sums);
    if (!sums.sha256[0])
        return err_set(e, ERR_REJECT, "the record holds no SHA-256");
    if (type && *type)
        add_text(&t, "Content-Type", type);
    if (ask->conditional)
        add_text(&t, "If-None-Match", "*");
    add_checksum(&t, ask->checksum, &sums);
    add_metadata(&t, j);
    return finish(ret, ask, &t, "PUT", e);
}

enum err_code s3_request_head(struct s3_request *ret, const struct s3_ask *ask,
                              struct err *e)
{
    struct texts t = {.request = ret};

    if (ask->checksum != CONFIG_NO_CHECKSUM)
        add_text(&t, "x-amz-checksum-mode", "ENABLED");
    return finish(ret, ask, &t, "HEAD", e);
}
