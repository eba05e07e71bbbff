#include "fcgi-app/web/assets.h"

#include "fcgi-app/http/etag.h"
#include "fcgi-app/http/exchange.h"

#include <string.h>
#include <strings.h>

enum { ASSET_PATH_MAX = 128 /* longer ones are of no file */ };

const struct asset *asset_find(const char *path)
{
    for (size_t i = 0; i < assets_count; i++)
        if (strcmp(assets[i].path, path) == 0)
            return &assets[i];
    return NULL;
}

/* Whether the parameters of a coding, up to its comma, hold a weight of 0. */
static bool is_refused(const char *s, size_t len)
{
    const char *q = memchr(s, ';', len);

    while (q) {
        q++;
        q += strspn(q, " \t");
        size_t left = len - (size_t)(q - s);
        if (left >= 3 && (*q == 'q' || *q == 'Q') && q[1] == '=')
            return q[2] == '0' && strspn(q + 2, "0.") == strcspn(q + 2, " \t,;");
        q = memchr(q, ';', left);
    }
    return false;
}

bool asset_accepts_gzip(const char *accept_encoding)
{
    bool any = false;

    for (const char *s = accept_encoding ? accept_encoding : ""; *s;) {
        s += strspn(s, " \t,");
        size_t len = strcspn(s, ","), name = strcspn(s, " \t,;");
        if ((name == 4 && strncasecmp(s, "gzip", 4) == 0) ||
            (name == 6 && strncasecmp(s, "x-gzip", 6) == 0))
            return !is_refused(s, len);
        if (name == 1 && *s == '*')
            any = !is_refused(s, len);
        s += len;
    }
    return any;
}

/* The file that the segments name; "" is index.html. */
static const struct asset *find_for(const struct request *r)
{
    char path[ASSET_PATH_MAX];
    size_t len = 0;

    for (size_t i = 0; i < r->segment_count; i++) {
        const struct request_text *s = &r->segments[i];
        if (len + s->len + 2 > sizeof path)
            return NULL;
        if (i > 0)
            path[len++] = '/';
        memcpy(path + len, s->s, s->len);
        len += s->len;
    }
    path[len] = '\0';
    return asset_find(len > 0 ? path : "index.html");
}

static void add_page_headers(struct response *r)
{
    response_header(r, "Content-Security-Policy",
                    "default-src 'none'; script-src 'self'; style-src 'self'; "
                    "img-src 'self' data:; connect-src 'self'; manifest-src 'self'; "
                    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
                    "require-trusted-types-for 'script'; trusted-types 'none'");
    response_header(r, "X-Frame-Options", "DENY");
    response_header(r, "Referrer-Policy", "no-referrer");
    response_header(r, "Cross-Origin-Opener-Policy", "same-origin");
}

void asset_answer(struct exchange *x)
{
    struct response *r = &x->response;
    const struct asset *a = find_for(&x->request);

    if (!a) {
        exchange_refuse(x, PROBLEM_NOT_FOUND, NULL);
        return;
    }
    bool packed =
        a->packed.bytes &&
        asset_accepts_gzip(request_param(&x->request, "HTTP_ACCEPT_ENCODING"));
    const struct asset_bytes *b = packed ? &a->packed : &a->plain;
    bool known = r->if_none_match && etag_is_in(b->etag, r->if_none_match);
    response_begin_kept(r, known ? 304 : 200, a->type);
    response_header(r, "ETag", b->etag);
    if (a->packed.bytes)
        response_header(r, "Vary", "Accept-Encoding");
    if (packed)
        response_header(r, "Content-Encoding", "gzip");
    if (strncmp(a->type, "text/html", 9) == 0)
        add_page_headers(r);
    if (!known)
        buf_add(&r->body, b->bytes, b->len);
}
