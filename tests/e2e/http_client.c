#include "tests/e2e/http_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

void http_open(struct http *h, const char *listen)
{
    memset(h, 0, sizeof *h);
    h->easy = curl_easy_init();
    if (!h->easy)
        abort();
    if (strncmp(listen, "unix:", 5) == 0) {
        (void)snprintf(h->unix_path, sizeof h->unix_path, "%s", listen + 5);
        (void)snprintf(h->base, sizeof h->base, "http://localhost");
    } else {
        (void)snprintf(h->base, sizeof h->base, "http://%s", listen);
    }
}

void http_close(struct http *h)
{
    if (h->easy)
        curl_easy_cleanup(h->easy);
    h->easy = NULL;
}

void http_answer_release(struct http_answer *a)
{
    buf_release(&a->body);
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    return buf_add(ctx, data, size * n) ? size * n : 0;
}

static void take_header(const char *line, size_t len, const char *name, char *out,
                        size_t size)
{
    size_t n = strlen(name);

    if (len <= n || strncasecmp(line, name, n) != 0)
        return;
    line += n;
    len -= n;
    while (len > 0 && *line == ' ') {
        line++;
        len--;
    }
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n'))
        len--;
    (void)snprintf(out, size, "%.*s", (int)len, line);
}

static size_t on_header(char *line, size_t size, size_t n, void *ctx)
{
    struct http_answer *a = ctx;

    take_header(line, size * n, "Location:", a->location, sizeof a->location);
    take_header(line, size * n, "Content-Type:", a->content_type,
                sizeof a->content_type);
    take_header(line, size * n, "Retry-After:", a->retry_after, sizeof a->retry_after);
    return size * n;
}

struct source {
    const char *data;
    size_t left;
};

static size_t on_read(char *to, size_t size, size_t n, void *ctx)
{
    struct source *s = ctx;
    size_t take = size * n < s->left ? size * n : s->left;

    memcpy(to, s->data, take);
    s->data += take;
    s->left -= take;
    return take;
}

static curl_mime *make_form(CURL *easy, const struct http_request *r)
{
    curl_mime *mime = curl_mime_init(easy);

    for (size_t i = 0; i < r->part_count; i++) {
        const struct http_part *p = &r->parts[i];
        curl_mimepart *part = curl_mime_addpart(mime);
        (void)curl_mime_name(part, p->name);
        if (p->path)
            (void)curl_mime_filedata(part, p->path);
        else
            (void)curl_mime_data(part, p->value, CURL_ZERO_TERMINATED);
        if (p->filename)
            (void)curl_mime_filename(part, p->filename);
        if (p->type)
            (void)curl_mime_type(part, p->type);
    }
    return mime;
}

static struct curl_slist *make_headers(const struct http_request *r)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");

    for (size_t i = 0; r->headers && r->headers[i]; i++)
        list = curl_slist_append(list, r->headers[i]);
    if (r->chunked)
        list = curl_slist_append(list, "Transfer-Encoding: chunked");
    return list;
}

void http_send(struct http *h, const struct http_request *r, struct http_answer *ret)
{
    CURL *easy = h->easy;
    char url[2048];
    struct source source = {r->body, r->body_len};
    struct curl_slist *headers = make_headers(r);
    curl_mime *mime = r->part_count ? make_form(easy, r) : NULL;
    FILE *file = r->body_path ? fopen(r->body_path, "rbe") : NULL;
    struct stat st = {0};

    http_answer_release(ret);
    *ret = (struct http_answer)HTTP_ANSWER_INIT;
    curl_easy_reset(easy);
    (void)snprintf(url, sizeof url, "%s%s", h->base, r->path);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    if (h->unix_path[0])
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, h->unix_path);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, r->timeout_ms ? r->timeout_ms : 30000L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &ret->body);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, ret);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, ret->error);
    if (mime) {
        curl_easy_setopt(easy, CURLOPT_MIMEPOST, mime);
    } else if (r->body || file) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_off_t len = (curl_off_t)r->body_len;
        if (file && fstat(fileno(file), &st) == 0) {
            len = (curl_off_t)st.st_size;
            curl_easy_setopt(easy, CURLOPT_READDATA, file);
        } else {
            curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
            curl_easy_setopt(easy, CURLOPT_READDATA, &source);
        }
        if (!r->chunked)
            curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, len);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
    CURLcode code = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &ret->status);
    if (code != CURLE_OK && !ret->error[0])
        (void)snprintf(ret->error, sizeof ret->error, "%s", curl_easy_strerror(code));
    curl_slist_free_all(headers);
    curl_mime_free(mime);
    if (file)
        (void)fclose(file);
}

bool http_json_get(const char *json, const char *name, char *ret_value, size_t size)
{
    char quoted[96];
    (void)snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const char *at = strstr(json, quoted);

    if (!at)
        return false;
    at += strlen(quoted);
    const char *end = at;
    if (*at == '"') {
        at++;
        for (end = at; *end && *end != '"'; end++)
            if (*end == '\\' && end[1])
                end++;
    } else {
        end = at + strcspn(at, ",}] ");
    }
    (void)snprintf(ret_value, size, "%.*s", (int)(end - at), at);
    return true;
}
