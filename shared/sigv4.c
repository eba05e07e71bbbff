#include "shared/sigv4.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "shared/cleanup.h"
#include "shared/sigv4_canonical.h"

static const char algorithm[] = "AWS4-HMAC-SHA256";

enum { USUAL_BYTES = 700 }; /* of an upload's headers: no text need grow step by step */

/* 1 to max bytes, all of them from `allowed`. */
static bool is_made_of(const char *s, const char *allowed, size_t max)
{
    return s && *s && strnlen(s, max + 1) <= max && s[strspn(s, allowed)] == '\0';
}

/* 1 to max bytes of printable ASCII, without blanks and without `except`. */
static bool is_graphic(const char *s, const char *except, size_t max)
{
    if (!s || !*s || strnlen(s, max + 1) > max || s[strcspn(s, except)])
        return false;
    for (; *s; s++)
        if (*s <= ' ' || *s >= 0x7f)
            return false;
    return true;
}

/* What may stand in a header's value: no control character but the tab, so that no value brings a header along. */
static bool is_value(const char *s)
{
    if (!s)
        return false;
    for (; *s; s++)
        if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
            return false;
    return true;
}

static bool is_payload_hash(const char *s)
{
    return s && (strcmp(s, SIGV4_UNSIGNED_PAYLOAD) == 0 ||
                 (strnlen(s, DIGEST_SHA256_HEX + 1) == DIGEST_SHA256_HEX &&
                  strspn(s, "0123456789abcdef") == DIGEST_SHA256_HEX));
}

static bool has_token(const struct sigv4_key *k)
{
    return k->session_token && *k->session_token;
}

static enum err_code check_key(const struct sigv4_key *k, struct err *e)
{
    static const char words[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    if (!is_graphic(k->access_key, ",", SIGV4_NAME_MAX))
        return err_set(e, ERR_CONFIG, "sigv4: the access key is missing or malformed");
    if (!k->secret_key || !*k->secret_key ||
        strnlen(k->secret_key, SIGV4_NAME_MAX + 1) > SIGV4_NAME_MAX)
        return err_set(e, ERR_CONFIG, "sigv4: the secret key is missing or too long");
    if (has_token(k) && !is_graphic(k->session_token, "", SIGV4_TOKEN_MAX))
        return err_set(e, ERR_CONFIG, "sigv4: the session token is malformed");
    if (!is_made_of(k->region, words, SIGV4_NAME_MAX))
        return err_set(e, ERR_CONFIG, "sigv4: the region is missing or malformed");
    if (!is_made_of(k->service, words, SIGV4_NAME_MAX))
        return err_set(e, ERR_CONFIG, "sigv4: the service is missing or malformed");
    return ERR_OK;
}

static bool is_in(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(name, list[i]) == 0)
            return true;
    return false;
}

static enum err_code check_headers(const struct sigv4_request *r, bool presign,
                                   struct err *e)
{
    static const char *const added[] = {"host", "authorization", "x-amz-date",
                                        "x-amz-content-sha256", "x-amz-security-token"};
    static const char separators[] =
        "\"(),/:;<=>?@[\\]{}"; /* RFC 9110, section 5.6.2 */
    size_t total = 0, reserved = presign ? 2 : sizeof added / sizeof added[0];

    if (r->header_count > SIGV4_PAIRS_MAX)
        return err_set(e, ERR_REJECT, "sigv4: more than %d headers", SIGV4_PAIRS_MAX);
    for (size_t i = 0; i < r->header_count; i++) {
        const struct sigv4_pair *h = &r->headers[i];
        if (!is_graphic(h->name, separators, SIGV4_NAME_MAX) || !is_value(h->value))
            return err_set(e, ERR_REJECT, "sigv4: header %zu is malformed", i + 1);
        if (is_in(h->name, added, reserved))
            return err_set(e, ERR_REJECT, "sigv4: %s is added by the signer", h->name);
        total += strlen(h->name) + strlen(h->value);
    }
    if (total > SIGV4_HEADERS_MAX)
        return err_set(e, ERR_REJECT, "sigv4: headers over %d bytes",
                       SIGV4_HEADERS_MAX);
    return ERR_OK;
}

static enum err_code check_query(const struct sigv4_request *r, struct err *e)
{
    static const char *const added[] = {"X-Amz-Algorithm",     "X-Amz-Credential",
                                        "X-Amz-Date",          "X-Amz-Expires",
                                        "X-Amz-SignedHeaders", "X-Amz-Security-Token",
                                        "X-Amz-Signature"};
    size_t total = 0;

    if (r->query_count > SIGV4_PAIRS_MAX)
        return err_set(e, ERR_REJECT, "sigv4: more than %d parameters",
                       SIGV4_PAIRS_MAX);
    for (size_t i = 0; i < r->query_count; i++) {
        const struct sigv4_pair *q = &r->query[i];
        if (!q->name || !*q->name || !q->value)
            return err_set(e, ERR_REJECT, "sigv4: parameter %zu has no name", i + 1);
        if (is_in(q->name, added, sizeof added / sizeof added[0]))
            return err_set(e, ERR_REJECT, "sigv4: %s is added by the signer", q->name);
        total += strlen(q->name) + strlen(q->value);
    }
    if (total > SIGV4_QUERY_MAX)
        return err_set(e, ERR_REJECT, "sigv4: query over %d bytes", SIGV4_QUERY_MAX);
    return ERR_OK;
}

static enum err_code check_request(const struct sigv4_request *r, bool presign,
                                   struct err *e)
{
    if (!is_made_of(r->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", SIGV4_NAME_MAX))
        return err_set(e, ERR_REJECT, "sigv4: the method is malformed");
    if (!is_graphic(r->host, "/?#@,", SIGV4_HOST_MAX))
        return err_set(e, ERR_REJECT, "sigv4: the host is malformed");
    if (!r->path || r->path[0] != '/')
        return err_set(e, ERR_REJECT, "sigv4: the path does not begin with /");
    if (strnlen(r->path, SIGV4_PATH_MAX + 1) > SIGV4_PATH_MAX)
        return err_set(e, ERR_REJECT, "sigv4: path over %d bytes", SIGV4_PATH_MAX);
    if (!is_payload_hash(r->payload_hash))
        return err_set(e, ERR_REJECT, "sigv4: the payload hash is malformed");
    if (check_headers(r, presign, e))
        return e->code;
    return check_query(r, e);
}

static enum err_code format_date(int64_t time_s, char ret_date[17], struct err *e)
{
    static const int64_t last_second = 253402300799; /* of the year 9999 */
    time_t t = (time_t)time_s;
    struct tm tm;

    if (time_s < 0 || time_s > last_second || !gmtime_r(&t, &tm) ||
        strftime(ret_date, 17, "%Y%m%dT%H%M%SZ", &tm) != 16)
        return err_set(e, ERR_REJECT, "sigv4: the time is out of range");
    return ERR_OK;
}

/* The request's headers and those added: in canonical form and order. */
static void collect_headers(struct canonical_items *t, const struct sigv4_signed *s,
                            const struct sigv4_request *r)
{
    for (size_t i = 0; i < r->header_count; i++)
        canonical_add_header(t, r->headers[i].name, r->headers[i].value);
    for (size_t i = 0; i < s->added_count; i++)
        canonical_add_header(t, s->added[i].name, s->added[i].value);
    canonical_sort_headers(t);
}

static void format_scope(struct buf *b, const struct sigv4_signed *s,
                         const struct sigv4_key *k)
{
    buf_add(b, s->date, 8);
    BUF_PUTS(b, "/", k->region, "/", k->service, "/aws4_request");
}

/* The key for this day, region and service: four HMACs, done once a day. */
static enum err_code derive_day_key(struct sigv4_key *k, const char *date,
                                    struct err *e)
{
    const char *const steps[] = {date, k->region, k->service, "aws4_request"};
    char first[4 + SIGV4_NAME_MAX + 1];
    uint8_t key[DIGEST_SHA256_BYTES];
    enum err_code code = ERR_OK;

    if (strncmp(k->day.date, date, 8) == 0)
        return ERR_OK;
    (void)snprintf(first, sizeof first, "AWS4%s", k->secret_key); /* check_key: fits */
    struct digest_span with = {first, strlen(first)};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && code == ERR_OK; i++) {
        struct digest_span step = {steps[i], i == 0 ? 8 : strlen(steps[i])};
        code = digest_hmac_sha256(with, step, key, e);
        with = (struct digest_span){key, sizeof key};
    }
    if (code == ERR_OK) {
        memcpy(k->day.key, key, sizeof key);
        memcpy(k->day.date, date, 8);
        k->day.date[8] = '\0';
    }
    explicit_bzero(first, sizeof first);
    explicit_bzero(key, sizeof key);
    return code;
}

/* What may be signed is bounded so that it always fits: an append that failed found no memory. */
static enum err_code check_memory(const struct sigv4_signed *s, struct err *e)
{
    const struct buf *const all[] = {&s->path,
                                     &s->query,
                                     &s->authorization,
                                     &s->signed_headers,
                                     &s->canonical_request,
                                     &s->string_to_sign};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i]->failed)
            return err_set(e, ERR_NOMEM, "sigv4: no memory");
    return ERR_OK;
}

/* From the canonical path, query and headers to s->signature. */
static enum err_code compute_signature(struct sigv4_signed *s, struct sigv4_key *k,
                                       const struct sigv4_request *r,
                                       const struct canonical_items *headers,
                                       struct err *e)
{
    char hash[DIGEST_SHA256_HEX + 1];
    uint8_t mac[DIGEST_SHA256_BYTES];
    struct buf *c = &s->canonical_request, *t = &s->string_to_sign;

    (void)buf_reserve(c, USUAL_BYTES); /* at once: what is missing is seen below */
    BUF_PUTS(c, r->method, "\n", s->path.data, "\n", s->query.data, "\n");
    canonical_format_headers(c, headers);
    BUF_PUTS(c, "\n", s->signed_headers.data, "\n", r->payload_hash);
    if (check_memory(s, e) || digest_sha256_hex(c->data, c->len, hash, e))
        return e->code;
    BUF_PUTS(t, algorithm, "\n", s->date, "\n");
    format_scope(t, s, k);
    BUF_PUTS(t, "\n", hash);
    if (check_memory(s, e) || derive_day_key(k, s->date, e))
        return e->code;
    struct digest_span key = {k->day.key, sizeof k->day.key};
    if (digest_hmac_sha256(key, (struct digest_span){t->data, t->len}, mac, e))
        return e->code;
    digest_hex_encode(mac, sizeof mac, s->signature);
    return ERR_OK;
}

static void add_header(struct sigv4_signed *s, const char *name, const char *value)
{
    s->added[s->added_count++] = (struct sigv4_pair){name, value};
}

/* Check everything and make s ready: empty, with its date and the Host header. */
static enum err_code begin(struct sigv4_signed *s, const struct sigv4_key *k,
                           const struct sigv4_request *r, bool presign, struct err *e)
{
    buf_clear(&s->path);
    buf_clear(&s->query);
    buf_clear(&s->authorization);
    buf_clear(&s->signed_headers);
    buf_clear(&s->canonical_request);
    buf_clear(&s->string_to_sign);
    s->added_count = 0;
    if (check_key(k, e) || check_request(r, presign, e) ||
        format_date(r->time_s, s->date, e))
        return e->code;
    add_header(s, "Host", r->host);
    return ERR_OK;
}

/* Write s->path and s->query; `query` holds the signer's own parameters, the request's join them here. */
static enum err_code format_parts(struct sigv4_signed *s, const struct sigv4_request *r,
                                  const struct canonical_items *headers,
                                  struct canonical_items *query, struct err *e)
{
    for (size_t i = 0; i < r->query_count; i++)
        canonical_add_parameter(query, r->query[i].name, r->query[i].value);
    if (headers->text.failed || query->text.failed)
        return err_set(e, ERR_NOMEM, "sigv4: no memory");
    canonical_sort_parameters(query);
    canonical_format_path(&s->path, r->path);
    canonical_format_query(&s->query, query);
    return check_memory(s, e);
}

enum err_code sigv4_sign(struct sigv4_signed *s, struct sigv4_key *k,
                         const struct sigv4_request *r, struct err *e)
{
    CLEANUP(canonical_items_release)
    struct canonical_items headers = CANONICAL_ITEMS_INIT, query = CANONICAL_ITEMS_INIT;

    if (begin(s, k, r, false, e))
        return e->code;
    add_header(s, "x-amz-date", s->date);
    if (strcmp(k->service, "s3") == 0)
        add_header(s, "x-amz-content-sha256", r->payload_hash);
    if (has_token(k))
        add_header(s, "x-amz-security-token", k->session_token);
    (void)buf_reserve(&headers.text, USUAL_BYTES);
    collect_headers(&headers, s, r);
    canonical_format_names(&s->signed_headers, &headers);
    if (format_parts(s, r, &headers, &query, e) ||
        compute_signature(s, k, r, &headers, e))
        return e->code;
    struct buf *a = &s->authorization;
    BUF_PUTS(a, algorithm, " Credential=", k->access_key, "/");
    format_scope(a, s, k);
    BUF_PUTS(a, ", SignedHeaders=", s->signed_headers.data,
             ", Signature=", s->signature);
    add_header(s, "Authorization", a->data);
    return check_memory(s, e);
}

enum err_code sigv4_presign(struct sigv4_signed *s, struct sigv4_key *k,
                            const struct sigv4_request *r, int64_t expires_s,
                            struct err *e)
{
    CLEANUP(canonical_items_release)
    struct canonical_items headers = CANONICAL_ITEMS_INIT, query = CANONICAL_ITEMS_INIT;
    CLEANUP(buf_release) struct buf credential = BUF_INIT(SIGV4_TEXT_MAX);
    char expires[16];

    if (expires_s < 1 || expires_s > SIGV4_EXPIRES_MAX_S)
        return err_set(e, ERR_REJECT, "sigv4: a presigned URL lives 1 to %d seconds",
                       SIGV4_EXPIRES_MAX_S);
    if (begin(s, k, r, true, e))
        return e->code;
    collect_headers(&headers, s, r);
    canonical_format_names(&s->signed_headers, &headers);
    buf_printf(&credential, "%s/", k->access_key);
    format_scope(&credential, s, k);
    if (credential.failed)
        return err_set(e, ERR_NOMEM, "sigv4: no memory");
    (void)snprintf(expires, sizeof expires, "%d", (int)expires_s);
    canonical_add_parameter(&query, "X-Amz-Algorithm", algorithm);
    canonical_add_parameter(&query, "X-Amz-Credential", credential.data);
    canonical_add_parameter(&query, "X-Amz-Date", s->date);
    canonical_add_parameter(&query, "X-Amz-Expires", expires);
    canonical_add_parameter(&query, "X-Amz-SignedHeaders", s->signed_headers.data);
    if (has_token(k))
        canonical_add_parameter(&query, "X-Amz-Security-Token", k->session_token);
    if (format_parts(s, r, &headers, &query, e) ||
        compute_signature(s, k, r, &headers, e))
        return e->code;
    buf_printf(&s->query, "&X-Amz-Signature=%s", s->signature);
    return check_memory(s, e);
}

void sigv4_signed_release(struct sigv4_signed *s)
{
    buf_release(&s->path);
    buf_release(&s->query);
    buf_release(&s->authorization);
    buf_release(&s->signed_headers);
    buf_release(&s->canonical_request);
    buf_release(&s->string_to_sign);
    s->added_count = 0;
}

void sigv4_key_wipe(struct sigv4_key *k)
{
    explicit_bzero(&k->day, sizeof k->day);
}
