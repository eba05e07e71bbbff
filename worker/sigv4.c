#include "worker/sigv4.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "shared/cleanup.h"

static const char algorithm[] = "AWS4-HMAC-SHA256";

/* Names and values in their canonical form, one after the other in `text`, each closed by a NUL; `item` says where.
 * Offsets, because text moves when it grows. */
struct items {
    struct buf text;
    struct {
        size_t name, value;
    } item[SIGV4_PAIRS_MAX];
    size_t count;
    bool is_full;
};

#define ITEMS_INIT                                                                     \
    {                                                                                  \
        .text = BUF_INIT(SIGV4_TEXT_MAX)                                               \
    }

static void items_release(struct items *t)
{
    buf_release(&t->text);
}

static const char *item_name(const struct items *t, size_t i)
{
    return t->text.data + t->item[i].name;
}

static const char *item_value(const struct items *t, size_t i)
{
    return t->text.data + t->item[i].value;
}

/* Lower-case the name; trim the value and fold its blanks. */
static void put_header(struct buf *b, const char *name, const char *value, size_t *at)
{
    for (const char *p = name; *p; p++)
        buf_putc(b, *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p);
    buf_putc(b, '\0');
    *at = b->len;
    const char *p = value + strspn(value, " \t");
    while (*p) {
        size_t word = strcspn(p, " \t");
        buf_add(b, p, word);
        p += word;
        p += strspn(p, " \t");
        if (*p)
            buf_putc(b, ' ');
    }
}

static void put_parameter(struct buf *b, const char *name, const char *value,
                          size_t *at)
{
    buf_add_percent(b, name, strlen(name));
    buf_putc(b, '\0');
    *at = b->len;
    buf_add_percent(b, value, strlen(value));
}

typedef void put_function(struct buf *, const char *, const char *, size_t *);

static void items_add(struct items *t, put_function *put, const char *name,
                      const char *value)
{
    if (t->count == SIGV4_PAIRS_MAX) {
        t->is_full = true;
        return;
    }
    t->item[t->count].name = t->text.len;
    put(&t->text, name, value, &t->item[t->count].value);
    buf_putc(&t->text, '\0');
    t->count++;
}

/* Sort by name and, for a query, by value; what is equal keeps its order.  Never by "name=value" as one string:
 * '-' sorts before '=' and ':', so that "a-b" would come before "a". */
static void items_sort(struct items *t, bool by_value)
{
    for (size_t i = 1; i < t->count; i++) {
        for (size_t k = i; k > 0; k--) {
            int order = strcmp(item_name(t, k - 1), item_name(t, k));
            if (order == 0 && by_value)
                order = strcmp(item_value(t, k - 1), item_value(t, k));
            if (order <= 0)
                break;
            size_t name = t->item[k].name, value = t->item[k].value;
            t->item[k] = t->item[k - 1];
            t->item[k - 1].name = name;
            t->item[k - 1].value = value;
        }
    }
}

static bool is_word(const char *s)
{
    if (!s || !*s)
        return false;
    for (; *s; s++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_",
                    *s))
            return false;
    return true;
}

/* Printable ASCII without blanks, and without `except`. */
static bool is_graphic(const char *s, char except)
{
    if (!s || !*s)
        return false;
    for (; *s; s++)
        if (*s <= ' ' || *s >= 0x7f || *s == except)
            return false;
    return true;
}

/* What may stand in a header's value: no control character but the tab, so that nobody adds a header of his own. */
static bool is_value(const char *s)
{
    if (!s)
        return false;
    for (; *s; s++)
        if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
            return false;
    return true;
}

/* A header's name: the token of RFC 9110, section 5.6.2. */
static bool is_token(const char *s)
{
    if (!s || !*s)
        return false;
    for (; *s; s++)
        if (*s <= ' ' || *s >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", *s))
            return false;
    return true;
}

static bool is_payload_hash(const char *s)
{
    if (!s)
        return false;
    return strcmp(s, SIGV4_UNSIGNED_PAYLOAD) == 0 ||
           (strlen(s) == DIGEST_SHA256_HEX &&
            strspn(s, "0123456789abcdef") == DIGEST_SHA256_HEX);
}

static bool has_token(const struct sigv4_key *k)
{
    return k->session_token && *k->session_token;
}

static enum err_code check_key(const struct sigv4_key *k, struct err *e)
{
    if (!is_graphic(k->access_key, ','))
        return err_set(e, ERR_CONFIG, "sigv4: the access key is missing or malformed");
    if (!k->secret_key || !*k->secret_key || strlen(k->secret_key) > SIGV4_SECRET_MAX)
        return err_set(e, ERR_CONFIG, "sigv4: the secret key is missing or too long");
    if (has_token(k) && !is_graphic(k->session_token, '\0'))
        return err_set(e, ERR_CONFIG, "sigv4: the session token is malformed");
    if (!is_word(k->region) || !is_word(k->service))
        return err_set(e, ERR_CONFIG, "sigv4: the region is missing or malformed");
    return ERR_OK;
}

static bool is_in(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(name, list[i]) == 0)
            return true;
    return false;
}

static enum err_code check_pairs(const struct sigv4_request *r, bool presign,
                                 struct err *e)
{
    static const char *const headers[] = {"host", "authorization", "x-amz-date",
                                          "x-amz-content-sha256",
                                          "x-amz-security-token"};
    static const char *const parameters[] = {
        "X-Amz-Algorithm", "X-Amz-Credential",    "X-Amz-Date",
        "X-Amz-Expires",   "X-Amz-SignedHeaders", "X-Amz-Security-Token",
        "X-Amz-Signature"};
    size_t reserved = presign ? 2 : sizeof headers / sizeof headers[0];

    for (size_t i = 0; i < r->header_count; i++) {
        const struct sigv4_pair *h = &r->headers[i];
        if (!is_token(h->name) || !is_value(h->value))
            return err_set(e, ERR_REJECT, "sigv4: header %zu is malformed", i + 1);
        if (is_in(h->name, headers, reserved))
            return err_set(e, ERR_REJECT, "sigv4: %s is added by the signer", h->name);
    }
    for (size_t i = 0; i < r->query_count; i++) {
        const struct sigv4_pair *q = &r->query[i];
        if (!q->name || !*q->name || !q->value)
            return err_set(e, ERR_REJECT, "sigv4: query parameter %zu is empty", i + 1);
        if (is_in(q->name, parameters, sizeof parameters / sizeof parameters[0]))
            return err_set(e, ERR_REJECT, "sigv4: %s is added by the signer", q->name);
    }
    return ERR_OK;
}

static enum err_code check_request(const struct sigv4_request *r, bool presign,
                                   struct err *e)
{
    if (!r->method || !*r->method ||
        r->method[strspn(r->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")])
        return err_set(e, ERR_REJECT, "sigv4: the method is malformed");
    if (!is_graphic(r->host, '/'))
        return err_set(e, ERR_REJECT, "sigv4: the host is malformed");
    if (!r->path || r->path[0] != '/')
        return err_set(e, ERR_REJECT, "sigv4: the path does not begin with /");
    if (!is_payload_hash(r->payload_hash))
        return err_set(e, ERR_REJECT, "sigv4: the payload hash is malformed");
    return check_pairs(r, presign, e);
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

/* The request's headers, Host, and, unless presigned, the x-amz- ones; in canonical form and order. */
static void collect_headers(struct items *t, const struct sigv4_signed *s,
                            const struct sigv4_request *r)
{
    for (size_t i = 0; i < r->header_count; i++)
        items_add(t, put_header, r->headers[i].name, r->headers[i].value);
    for (size_t i = 0; i < s->added_count; i++)
        items_add(t, put_header, s->added[i].name, s->added[i].value);
    items_sort(t, false);
}

static void format_signed_headers(struct buf *b, const struct items *t)
{
    for (size_t i = 0; i < t->count; i++) {
        if (i > 0 && strcmp(item_name(t, i - 1), item_name(t, i)) == 0)
            continue;
        if (i > 0)
            buf_putc(b, ';');
        buf_puts(b, item_name(t, i));
    }
}

static void format_headers(struct buf *b, const struct items *t)
{
    for (size_t i = 0; i < t->count; i++) {
        bool repeated = i > 0 && strcmp(item_name(t, i - 1), item_name(t, i)) == 0;
        if (i > 0 && !repeated)
            buf_putc(b, '\n');
        if (!repeated)
            buf_puts(b, item_name(t, i));
        buf_putc(b, repeated ? ',' : ':');
        buf_puts(b, item_value(t, i));
    }
    buf_putc(b, '\n');
}

static void format_query(struct buf *b, struct items *t)
{
    items_sort(t, true);
    for (size_t i = 0; i < t->count; i++)
        buf_printf(b, "%s%s=%s", i ? "&" : "", item_name(t, i), item_value(t, i));
}

static void format_path(struct buf *b, const char *path)
{
    for (const char *p = path; *p;) {
        size_t segment = strcspn(p, "/");
        buf_add_percent(b, p, segment);
        p += segment;
        if (*p == '/') {
            buf_putc(b, '/');
            p++;
        }
    }
}

static void format_scope(struct buf *b, const struct sigv4_signed *s,
                         const struct sigv4_key *k)
{
    buf_add(b, s->date, 8);
    buf_printf(b, "/%s/%s/aws4_request", k->region, k->service);
}

/* The key for this day, region and service: four HMACs, done once a day. */
static enum err_code derive_day_key(struct sigv4_key *k, const char *date,
                                    struct err *e)
{
    const char *const steps[] = {date, k->region, k->service, "aws4_request"};
    char first[4 + SIGV4_SECRET_MAX + 1];
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

/* An append that did not fit: too much to sign, or no memory. */
static enum err_code check_bufs(const struct sigv4_signed *s, struct err *e)
{
    const struct buf *const all[] = {&s->path,
                                     &s->query,
                                     &s->authorization,
                                     &s->signed_headers,
                                     &s->canonical_request,
                                     &s->string_to_sign};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i]->failed)
            return err_set(e, ERR_REJECT, "sigv4: the request is too long to sign");
    return ERR_OK;
}

/* From the canonical path, query and headers to s->signature. */
static enum err_code compute_signature(struct sigv4_signed *s, struct sigv4_key *k,
                                       const struct sigv4_request *r,
                                       const struct items *headers, struct err *e)
{
    char hash[DIGEST_SHA256_HEX + 1];
    uint8_t mac[DIGEST_SHA256_BYTES];
    struct buf *c = &s->canonical_request, *t = &s->string_to_sign;

    buf_printf(c, "%s\n%s\n%s\n", r->method, s->path.data, s->query.data);
    format_headers(c, headers);
    buf_printf(c, "\n%s\n%s", s->signed_headers.data, r->payload_hash);
    if (check_bufs(s, e) || digest_sha256_hex(c->data, c->len, hash, e))
        return e->code;
    buf_printf(t, "%s\n%s\n", algorithm, s->date);
    format_scope(t, s, k);
    buf_printf(t, "\n%s", hash);
    if (check_bufs(s, e) || derive_day_key(k, s->date, e))
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

/* Check everything and make s ready: date, path, Host. */
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
    format_path(&s->path, r->path);
    add_header(s, "Host", r->host);
    return ERR_OK;
}

static enum err_code check_items(const struct items *t, struct err *e)
{
    if (t->is_full || t->text.failed)
        return err_set(e, ERR_REJECT, "sigv4: too many headers or query parameters");
    return ERR_OK;
}

enum err_code sigv4_sign(struct sigv4_signed *s, struct sigv4_key *k,
                         const struct sigv4_request *r, struct err *e)
{
    CLEANUP(items_release) struct items headers = ITEMS_INIT;
    CLEANUP(items_release) struct items query = ITEMS_INIT;

    if (begin(s, k, r, false, e))
        return e->code;
    add_header(s, "x-amz-date", s->date);
    if (strcmp(k->service, "s3") == 0)
        add_header(s, "x-amz-content-sha256", r->payload_hash);
    if (has_token(k))
        add_header(s, "x-amz-security-token", k->session_token);
    collect_headers(&headers, s, r);
    for (size_t i = 0; i < r->query_count; i++)
        items_add(&query, put_parameter, r->query[i].name, r->query[i].value);
    if (check_items(&headers, e) || check_items(&query, e))
        return e->code;
    format_query(&s->query, &query);
    format_signed_headers(&s->signed_headers, &headers);
    if (compute_signature(s, k, r, &headers, e))
        return e->code;
    struct buf *a = &s->authorization;
    buf_printf(a, "%s Credential=%s/", algorithm, k->access_key);
    format_scope(a, s, k);
    buf_printf(a, ", SignedHeaders=%s, Signature=%s", s->signed_headers.data,
               s->signature);
    add_header(s, "Authorization", a->data);
    return check_bufs(s, e);
}

enum err_code sigv4_presign(struct sigv4_signed *s, struct sigv4_key *k,
                            const struct sigv4_request *r, int64_t expires_s,
                            struct err *e)
{
    CLEANUP(items_release) struct items headers = ITEMS_INIT;
    CLEANUP(items_release) struct items query = ITEMS_INIT;
    CLEANUP(buf_release) struct buf credential = BUF_INIT(SIGV4_URI_MAX);
    char expires[16];

    if (expires_s < 1 || expires_s > SIGV4_EXPIRES_MAX_S)
        return err_set(e, ERR_REJECT, "sigv4: a presigned URL lives 1 to %d seconds",
                       SIGV4_EXPIRES_MAX_S);
    if (begin(s, k, r, true, e))
        return e->code;
    collect_headers(&headers, s, r);
    format_signed_headers(&s->signed_headers, &headers);
    buf_printf(&credential, "%s/", k->access_key);
    format_scope(&credential, s, k);
    (void)snprintf(expires, sizeof expires, "%d", (int)expires_s);
    if (credential.failed)
        return err_set(e, ERR_CONFIG, "sigv4: the access key is too long");
    for (size_t i = 0; i < r->query_count; i++)
        items_add(&query, put_parameter, r->query[i].name, r->query[i].value);
    items_add(&query, put_parameter, "X-Amz-Algorithm", algorithm);
    items_add(&query, put_parameter, "X-Amz-Credential", credential.data);
    items_add(&query, put_parameter, "X-Amz-Date", s->date);
    items_add(&query, put_parameter, "X-Amz-Expires", expires);
    items_add(&query, put_parameter, "X-Amz-SignedHeaders", s->signed_headers.data);
    if (has_token(k))
        items_add(&query, put_parameter, "X-Amz-Security-Token", k->session_token);
    if (check_items(&headers, e) || check_items(&query, e))
        return e->code;
    format_query(&s->query, &query);
    if (compute_signature(s, k, r, &headers, e))
        return e->code;
    buf_printf(&s->query, "&X-Amz-Signature=%s", s->signature);
    return check_bufs(s, e);
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
