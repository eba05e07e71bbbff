#include "worker/source/fetch_answer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shared/err.h"

enum { DIGITS_MAX = 18 };

/* --- fields --- */

static bool take_number(const char **at, int64_t *ret)
{
    size_t len = strspn(*at, "0123456789");
    int64_t n = 0;

    if (len == 0 || len > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        n = n * 10 + ((*at)[i] - '0');
    *at += len;
    *ret = n;
    return true;
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

bool fetch_parse_content_range(const char *s, int64_t *ret_first, int64_t *ret_last,
                               int64_t *ret_total)
{
    static const char unit[] = "bytes ";

    if (strncasecmp(s, unit, sizeof unit - 1) != 0)
        return false;
    s += sizeof unit - 1;
    return take_number(&s, ret_first) && take_char(&s, '-') &&
           take_number(&s, ret_last) && take_char(&s, '/') &&
           take_number(&s, ret_total) && *s == '\0' && *ret_first <= *ret_last &&
           *ret_last < *ret_total;
}

const char *fetch_validator(const struct http_response *r)
{
    if (strcasecmp(r->accept_ranges, "none") == 0)
        return "";
    if (r->etag[0] == '"')
        return r->etag;
    return http_response_is_dated_well(r) ? r->last_modified : "";
}

static bool is_chunked(const struct http_response *r)
{
    return strcasecmp(r->transfer_encoding, "chunked") == 0;
}

static bool is_encoded(const struct http_response *r)
{
    return r->content_encoding[0] && strcasecmp(r->content_encoding, "identity") != 0;
}

/* --- rulings --- */

static void refuse(struct fetch_ruling *ret, enum retry_class class, const char *fmt,
                   ...) PRINTF(3, 4);

static void refuse(struct fetch_ruling *ret, enum retry_class class, const char *fmt,
                   ...)
{
    va_list args;

    ret->verdict = FETCH_REFUSE;
    ret->class = class;
    va_start(args, fmt);
    (void)vsnprintf(ret->text, sizeof ret->text, fmt, args); /* may be cut */
    va_end(args);
}

static enum retry_class class_of(int status)
{
    static const int config[] = {401, 403, 407}, transient[] = {408, 421, 423, 425};

    for (size_t i = 0; i < sizeof config / sizeof config[0]; i++)
        if (status == config[i])
            return RETRY_CONFIG;
    for (size_t i = 0; i < sizeof transient / sizeof transient[0]; i++)
        if (status == transient[i])
            return RETRY_TRANSIENT;
    if (status == 429 || status == 503)
        return RETRY_THROTTLED;
    return status >= 500 ? RETRY_TRANSIENT : RETRY_NEVER;
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 ||
           status == 308;
}

static void judge_range(const struct http_response *r, const struct fetch_want *w,
                        struct fetch_ruling *ret)
{
    int64_t first, last, total;

    if (!fetch_parse_content_range(r->content_range, &first, &last, &total))
        refuse(ret, RETRY_TRANSIENT, "the rest came without a usable Content-Range");
    else if (first != w->offset || last != w->length - 1 || total != w->length)
        refuse(ret, RETRY_TRANSIENT,
               "the rest from byte %" PRId64 " of %" PRId64
               " was asked for, '%.60s' came",
               w->offset, w->length, r->content_range);
    else if (r->etag[0] && w->validator[0] == '"' && strcmp(r->etag, w->validator) != 0)
        refuse(ret, RETRY_TRANSIENT, "it changed while it was fetched");
    else
        ret->verdict = FETCH_TAKE;
    ret->length = w->length;
}

static void judge_whole(const struct http_response *r, const struct fetch_want *w,
                        struct fetch_ruling *ret)
{
    ret->length = is_chunked(r) ? -1 : r->content_length;
    if (r->transfer_encoding[0] && !is_chunked(r))
        refuse(ret, RETRY_NEVER, "the answer has a transfer encoding, '%.40s'",
               r->transfer_encoding);
    else if (!is_chunked(r) && ret->length < 0)
        refuse(ret, RETRY_NEVER,
               "the answer has neither a length nor chunks: nobody could tell whether "
               "it is whole");
    else if (ret->length > w->max_bytes)
        refuse(ret, RETRY_NEVER,
               "it has %" PRId64 " bytes, at most %" PRId64 " are allowed", ret->length,
               w->max_bytes);
    else
        ret->verdict = FETCH_TAKE;
}

void fetch_judge(const struct http_response *r, const struct fetch_want *w,
                 struct fetch_ruling *ret)
{
    *ret = (struct fetch_ruling){.length = -1};
    if (r->status == (w->offset > 0 ? 206 : 200) && is_encoded(r))
        refuse(ret, RETRY_NEVER,
               "the answer is encoded, '%.40s', which nobody asked for",
               r->content_encoding);
    else if (r->status == (w->offset > 0 ? 206 : 200) && r->is_contradictory)
        refuse(ret, RETRY_NEVER, "the answer's Content-Length contradicts itself");
    else if (w->offset > 0 && r->status == 206)
        judge_range(r, w, ret);
    else if (w->offset > 0 && r->status == 200)
        refuse(ret, RETRY_TRANSIENT,
               "it broke off, and the server does not go on where it was");
    else if (w->offset == 0 && r->status == 200)
        judge_whole(r, w, ret);
    else if (is_redirect(r->status) && r->location[0])
        ret->verdict = FETCH_REDIRECT;
    else
        refuse(ret, class_of(r->status), "the server answered %d", r->status);
    ret->retry_after_ms = http_response_retry_after_ms(r);
}
