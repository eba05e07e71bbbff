#include "fcgi-app/fastcgi/fastcgi_reply.h"

#include "fcgi-app/fastcgi/fastcgi_pairs.h"

#include <fastcgi.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

size_t fastcgi_reply_header(unsigned char *ret, int type, unsigned id, size_t len)
{
    const FCGI_Header h = {
        .version = FCGI_VERSION_1,
        .type = (unsigned char)type,
        .requestIdB1 = (unsigned char)(id >> 8),
        .requestIdB0 = (unsigned char)id,
        .contentLengthB1 = (unsigned char)(len >> 8),
        .contentLengthB0 = (unsigned char)len,
    };
    memcpy(ret, &h, sizeof h);
    return sizeof h;
}

size_t fastcgi_reply_end(unsigned char *ret, unsigned id, int status)
{
    const FCGI_EndRequestBody body = {.protocolStatus = (unsigned char)status};
    size_t at = fastcgi_reply_header(ret, FCGI_END_REQUEST, id, sizeof body);
    memcpy(ret + at, &body, sizeof body);
    return at + sizeof body;
}

size_t fastcgi_reply_refuse(unsigned char *ret, unsigned id, const char *status,
                            enum problem p)
{
    const struct problem_row *row = problem_row(p);
    char text[FASTCGI_REPLY_MAX - 64], body[160]; /* but for three records' heads */
    int body_len =
        snprintf(body, sizeof body,
                 "{\"type\":\"urn:hoist:problem:%s\",\"title\":\"%s\",\"status\":%d}\n",
                 row->type, row->title, row->status);
    int len = snprintf(text, sizeof text,
                       "Status: %s\r\nContent-Type: application/problem+json\r\n"
                       "Cache-Control: no-store\r\nContent-Length: %d\r\n\r\n%s",
                       status, body_len, body);
    size_t text_len = len > 0 && (size_t)len < sizeof text ? (size_t)len : 0;
    size_t at = fastcgi_reply_header(ret, FCGI_STDOUT, id, text_len);
    memcpy(ret + at, text, text_len);
    return at + text_len +
           fastcgi_reply_end(ret + at + text_len, id, FCGI_REQUEST_COMPLETE);
}

size_t fastcgi_reply_unknown_type(unsigned char *ret, int type)
{
    const FCGI_UnknownTypeBody body = {.type = (unsigned char)type};
    size_t at =
        fastcgi_reply_header(ret, FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID, sizeof body);
    memcpy(ret + at, &body, sizeof body);
    return at + sizeof body;
}

static size_t add_value(unsigned char *ret, const char *name, size_t value)
{
    char text[24];
    size_t name_len = strlen(name);
    size_t value_len = (size_t)snprintf(text, sizeof text, "%zu", value);
    ret[0] = (unsigned char)name_len;
    ret[1] = (unsigned char)value_len;
    for (size_t i = 0; i < name_len; i++)
        ret[2 + i] = (unsigned char)name[i];
    memcpy(ret + 2 + name_len, text, value_len);
    return 2 + name_len + value_len;
}

/* The next pair of s: its name.  False: it is cut off. */
static bool next_name(const unsigned char **s, size_t *len, const unsigned char **name,
                      size_t *name_len)
{
    size_t sizes[2], at = 0;
    for (size_t i = 0; i < 2; i++) {
        size_t size = at < *len ? fastcgi_pairs_length_size((*s)[at]) : 1;
        if (*len - at < size)
            return false;
        sizes[i] = fastcgi_pairs_length(*s + at);
        at += size;
    }
    if (sizes[0] > *len - at || sizes[1] > *len - at - sizes[0])
        return false;
    *name = *s + at;
    *name_len = sizes[0];
    *s += at + sizes[0] + sizes[1];
    *len -= at + sizes[0] + sizes[1];
    return true;
}

size_t fastcgi_reply_values(unsigned char *ret, const void *names, size_t len,
                            size_t max_connections)
{
    const struct {
        const char *name;
        size_t value;
    } known[] = {
        {FCGI_MAX_CONNS, max_connections},
        {FCGI_MAX_REQS, max_connections},
        {FCGI_MPXS_CONNS, 0},
    };
    const unsigned char *s = names, *name;
    size_t at = FCGI_HEADER_LEN, name_len;
    unsigned answered = 0;
    while (len > 0 && next_name(&s, &len, &name, &name_len))
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
            if (answered & 1U << i || name_len != strlen(known[i].name) ||
                memcmp(name, known[i].name, name_len) != 0)
                continue;
            answered |= 1U << i;
            at += add_value(ret + at, known[i].name, known[i].value);
        }
    (void)fastcgi_reply_header(ret, FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID,
                               at - FCGI_HEADER_LEN);
    return at;
}
