/*
 * fuzz sigv4: lines are method, host, path, then headers "Name: value" and query parameters "?name=value".  What is signed is
 * in canonical form, as sigv4.h has it: sorted, folded, encoded once; the same request signs alike whatever order its headers
 * and parameters come in, and nothing secret shows.
 */
#include "tests/fuzz/fuzz.h"

#include "shared/cleanup.h"
#include "shared/sigv4.h"

#include <stdlib.h>
#include <string.h>

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

enum { PAIRS = SIGV4_PAIRS_MAX + 1 };

struct input {
    struct sigv4_request r;
    struct sigv4_pair headers[PAIRS], query[PAIRS];
};

static char *cut_line(char **at)
{
    char *line = *at;
    size_t len = strcspn(line, "\n");

    *at += len + (line[len] == '\n');
    line[len] = '\0';
    return line;
}

static void add(struct sigv4_pair *pairs, size_t *count, char *line, char separator)
{
    char *value = strchr(line, separator);

    if (!value || *count == PAIRS)
        return;
    *value = '\0';
    pairs[(*count)++] = (struct sigv4_pair){line, value + 1};
}

static void read_input(struct input *in, char *text)
{
    in->r.method = cut_line(&text);
    in->r.host = cut_line(&text);
    in->r.path = cut_line(&text);
    while (*text) {
        char *line = cut_line(&text);
        if (line[0] == '?')
            add(in->query, &in->r.query_count, line + 1, '=');
        else
            add(in->headers, &in->r.header_count, line, ':');
    }
    in->r.headers = in->headers;
    in->r.query = in->query;
    in->r.payload_hash = SIGV4_UNSIGNED_PAYLOAD;
    in->r.time_s = 1369353600;
}

static void check_encoded(const char *s, const char *also)
{
    for (; *s; s++) {
        if (*s == '%') {
            must(strspn(s + 1, "0123456789ABCDEF") >= 2);
            continue;
        }
        must(
            strchr("-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                   *s) ||
            strchr(also, *s));
    }
}

static void check_signed(const struct sigv4_signed *s)
{
    check_encoded(s->path.data, "/");
    check_encoded(s->query.len ? s->query.data : "", "=&");
    must(strlen(s->signature) == DIGEST_SHA256_HEX);
    must(s->authorization.len == strlen(s->authorization.data) &&
         !strpbrk(s->authorization.data, "\r\n"));
    must(!strstr(s->canonical_request.data, SECRET) &&
         !strstr(s->authorization.data, SECRET));
}

/* Parameters in any order; headers too, where none is repeated. */
static void reverse(struct sigv4_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct sigv4_pair p = pairs[i];
        pairs[i] = pairs[count - 1 - i];
        pairs[count - 1 - i] = p;
    }
}

static bool has_repeated(const struct input *in)
{
    for (size_t i = 0; i < in->r.header_count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcasecmp(in->headers[i].name, in->headers[k].name) == 0)
                return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(str_free) char *text = strndup((const char *)data, size);
    CLEANUP(sigv4_signed_release) struct sigv4_signed s = SIGV4_SIGNED_INIT;
    CLEANUP(sigv4_signed_release) struct sigv4_signed other = SIGV4_SIGNED_INIT;
    struct sigv4_key key = {.access_key = "AKIDEXAMPLE",
                            .secret_key = SECRET,
                            .region = "us-east-1",
                            .service = "s3"};
    struct input in = {0};
    struct err e = ERR_INIT;

    must(text != NULL);
    if (strstr(text, SECRET)) /* libFuzzer finds it in the comparisons below */
        return 0;
    read_input(&in, text);
    if (sigv4_sign(&s, &key, &in.r, &e) != ERR_OK) {
        must(e.code == ERR_REJECT && !strstr(e.text, SECRET));
        return 0;
    }
    check_signed(&s);
    reverse(in.query, in.r.query_count);
    if (!has_repeated(&in))
        reverse(in.headers, in.r.header_count);
    must(sigv4_sign(&other, &key, &in.r, &e) == ERR_OK);
    must(strcmp(s.canonical_request.data, other.canonical_request.data) == 0);
    must(strcmp(s.signature, other.signature) == 0);
    if (sigv4_presign(&other, &key, &in.r, 60, &e) == ERR_OK)
        check_encoded(other.query.data, "=&");
    return 0;
}
