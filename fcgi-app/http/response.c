#include "fcgi-app/http/response.h"

#include "fcgi-app/http/etag.h"

#include <string.h>

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {507, "Insufficient Storage"},
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

void response_init(struct response *r)
{
    r->status = 0;
    r->cors_origin = NULL;
    r->request_id[0] = '\0';
    r->if_none_match = r->preference = NULL;
    r->has_etag = r->is_stream = false;
    r->varies = false;
    buf_init(&r->head, RESPONSE_HEAD_MAX);
    buf_init(&r->body, RESPONSE_BODY_MAX);
}

void response_release(struct response *r)
{
    buf_release(&r->head);
    buf_release(&r->body);
}

bool response_reserve(struct response *r, size_t body_bytes)
{
    size_t most = r->body.max - r->body.len;
    return buf_reserve(&r->head, r->head.max - r->head.len) &&
           buf_reserve(&r->body, body_bytes < most ? body_bytes : most);
}

static void begin(struct response *r, int status, const char *type, const char *cache)
{
    r->status = status;
    r->has_etag = r->is_stream = false;
    r->weak[0] = '\0';
    buf_clear(&r->head);
    buf_clear(&r->body);
    if (type)
        response_header(r, "Content-Type", type);
    buf_puts_all(&r->head, (const char *const[]){
                               "Cache-Control: ", cache,
                               "\r\nX-Content-Type-Options: nosniff\r\n", NULL});
}

void response_begin(struct response *r, int status, const char *type)
{
    begin(r, status, type, "no-store");
}

void response_begin_kept(struct response *r, int status, const char *type)
{
    begin(r, status, type, "no-cache");
}

void response_header(struct response *r, const char *name, const char *value)
{
    for (const char *s = value; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            r->head.failed = true;
    buf_puts_all(&r->head, (const char *const[]){name, ": ", value, "\r\n", NULL});
}

void response_problem(struct response *r, enum problem p, const char *detail,
                      int retry_after)
{
    const struct problem_row *row = problem_row(p);
    response_begin(r, row->status, "application/problem+json");
    if (row->retry_after > 0)
        buf_printf(&r->head, "Retry-After: %d\r\n",
                   retry_after > 0 ? retry_after : row->retry_after);
    buf_printf(&r->body,
               "{\"type\":\"urn:hoist:problem:%s\",\"title\":\"%s\",\"status\":%d",
               row->type, row->title, row->status);
    if (detail && *detail) {
        buf_puts(&r->body, ",\"detail\":");
        buf_add_json(&r->body, detail, strlen(detail));
    }
    if (r->request_id[0]) /* of harmless characters (trace.h) */
        buf_puts_all(&r->body, (const char *const[]){",\"request_id\":\"",
                                                     r->request_id, "\"", NULL});
    buf_puts(&r->body, "}\n");
}

void response_tag(struct response *r, const void *bytes, size_t len)
{
    struct err e = ERR_INIT;
    r->has_etag = etag_make(bytes, len, r->weak, &e) == ERR_OK;
}

/* The tag; whoever has it already needs no body. */
static void add_etag(struct response *r)
{
    char etag[sizeof "W/" + ETAG_SIZE] = "W/";
    struct err e = ERR_INIT;
    if (!r->has_etag || r->status != 200)
        return;
    if (r->weak[0])
        memcpy(etag + strlen("W/"), r->weak, sizeof r->weak);
    else if (etag_make(r->body.data, r->body.len, etag, &e))
        return;
    response_header(r, "ETag", etag);
    if (!r->if_none_match || !etag_is_in(etag, r->if_none_match))
        return;
    r->status = 304;
    buf_clear(&r->body);
}

static void add_cors(struct response *r)
{
    if (r->varies)
        buf_puts(&r->head, "Vary: Origin\r\n");
    if (!r->cors_origin)
        return;
    response_header(r, "Access-Control-Allow-Origin", r->cors_origin);
    response_header(
        r, "Access-Control-Expose-Headers",
        "Location, Retry-After, ETag, Allow, WWW-Authenticate, X-Request-Id, "
        "Repr-Digest, Idempotent-Replayed, Preference-Applied");
}

void response_finish(struct response *r, bool head_only)
{
    if (r->head.failed || r->body.failed)
        response_problem(r, PROBLEM_INTERNAL, "the answer could not be put together",
                         0);
    add_etag(r);
    add_cors(r);
    if (r->request_id[0])
        response_header(r, "X-Request-Id", r->request_id);
    if (r->preference)
        response_header(r, "Preference-Applied", r->preference);
    if (r->is_stream)
        buf_puts(&r->head, "X-Accel-Buffering: no\r\n");
    else if (r->status != 204 && r->status != 304)
        buf_printf(&r->head, "Content-Length: %zu\r\n", r->body.len);
    /* The last one: HAProxy makes 302 of whatever came before a Location. */
    buf_printf(&r->head, "Status: %d %s\r\n\r\n", r->status, reason_of(r->status));
    if (head_only)
        buf_clear(&r->body);
}
