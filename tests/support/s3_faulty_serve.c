#include "tests/support/s3_faulty_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

static bool send_text(struct connection *c, const char *text)
{
    size_t len = strlen(text);

    if (c->most && (int64_t)len > *c->most)
        len = (size_t)*c->most;
    while (len > 0) {
        ssize_t n = send(c->fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* The value of a header in the NUL-terminated head, or NULL. */
static const char *header(const char *head, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " ");
    }
    return NULL;
}

/* Read one head; what came after it stays in c->head from *ret_rest on. */
static bool read_head(struct connection *c, size_t *ret_rest)
{
    for (;;) {
        c->head[c->filled] = '\0';
        char *end = strstr(c->head, "\r\n\r\n");
        if (end) {
            *ret_rest = (size_t)(end + 4 - c->head);
            return true;
        }
        if (c->filled == HEAD_MAX)
            return false;
        ssize_t n = recv(c->fd, c->head + c->filled, HEAD_MAX - c->filled, 0);
        if (n <= 0)
            return false;
        c->filled += (size_t)n;
    }
}

/* Take len bytes of the body; what was read too far stays in c->head.  Fewer: the client has gone. */
static int64_t read_body(struct connection *c, int64_t len, struct s3_faulty_hashes *h)
{
    static _Thread_local char chunk[CHUNK];
    int64_t at = 0;

    while (at < len) {
        int64_t left = len - at;
        size_t want = (size_t)(left < CHUNK ? left : CHUNK);
        ssize_t n;
        if (c->filled > 0) {
            n = (ssize_t)(c->filled < want ? c->filled : want);
            memcpy(chunk, c->head, (size_t)n);
            c->filled -= (size_t)n;
            memmove(c->head, c->head + n, c->filled);
        } else {
            n = recv(c->fd, chunk, want, 0);
        }
        if (n <= 0)
            break;
        s3_faulty_hash_update(h, chunk, (size_t)n);
        at += n;
    }
    return at;
}

static void answer_error(struct connection *c, int status, const char *code,
                         const char *headers, bool with_body)
{
    char body[512] = "", text[2048];

    if (code)
        (void)snprintf(
            body, sizeof body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code>"
            "<Message>as scripted</Message></Error>",
            code);
    (void)snprintf(text, sizeof text,
                   "HTTP/1.1 %d Scripted\r\n%sContent-Length: %zu\r\n\r\n%s", status,
                   headers ? headers : "", strlen(body), with_body ? body : "");
    (void)send_text(c, text);
}

static void answer_object(struct connection *c, const struct s3_faulty_object *o,
                          bool head, bool etag, enum s3_faulty_checksum checksum)
{
    static const char *const names[] = {
        "", "x-amz-checksum-sha256: ", "x-amz-checksum-crc32c: "};
    char text[1024], base64[64] = "";

    if (checksum != S3_FAULTY_NONE)
        s3_faulty_tell(o, checksum, base64);
    (void)snprintf(text, sizeof text,
                   "HTTP/1.1 200 OK\r\n%s%s%s%s%s%sContent-Length: %lld\r\n\r\n",
                   etag ? "ETag: \"" : "", etag ? o->md5 : "", etag ? "\"\r\n" : "",
                   names[checksum], base64, checksum ? "\r\n" : "",
                   head ? (long long)o->size : 0);
    (void)send_text(c, text);
}

/* Until the test is over. */
static void hang(struct s3_faulty *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->stopping)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

static void answer_head(struct connection *c, const struct request *r)
{
    struct s3_faulty *s = c->store;
    struct s3_faulty_object o;
    bool there = s3_faulty_object(s, r->path, &o);

    if (r->fault.kind == S3_FAULT_STATUS) {
        answer_error(c, r->fault.status, r->fault.code, r->fault.headers, false);
        return;
    }
    if (r->fault.kind == S3_FAULT_HANG)
        hang(s);
    if (!there) {
        answer_error(c, 404, NULL, NULL, false);
        return;
    }
    answer_object(c, &o, true, true,
                  s->traits.silent_checksums || s->traits.no_checksums ||
                          r->fault.kind == S3_FAULT_NO_PROOF
                      ? S3_FAULTY_NONE
                      : o.checksum);
}

/* Wait while the gate is closed. */
static void pass_gate(struct s3_faulty *s)
{
    pthread_mutex_lock(&s->lock);
    s->waiting++;
    while (s->gate_closed && !s->stopping)
        pthread_cond_wait(&s->changed, &s->lock);
    s->waiting--;
    pthread_mutex_unlock(&s->lock);
}

/* All of the body, with a stay at the gate after the first of it. */
static int64_t read_around_gate(struct connection *c, const struct request *r,
                                struct s3_faulty_hashes *h)
{
    int64_t first = read_body(c, r->fault.bytes, h);

    pass_gate(c->store);
    return first + read_body(c, r->length - first, h);
}

static bool stores(enum s3_fault_kind kind)
{
    return kind != S3_FAULT_STATUS && kind != S3_FAULT_EARLY_STATUS &&
           kind != S3_FAULT_ERROR_IN_200 && kind != S3_FAULT_LOST_BODY &&
           kind != S3_FAULT_GARBAGE;
}

static const struct s3_faulty_object other_bytes = {
    .sha256 = "0000000000000000000000000000000000000000000000000000000000000000",
    .md5 = "00000000000000000000000000000000",
    .crc32c = "00000000"};

/* Misbehave after the body, which is stored by now if it is to be.  False: close the connection. */
static bool answer_wrongly(struct connection *c, const struct request *r,
                           const struct s3_faulty_object *o)
{
    switch (r->fault.kind) {
    case S3_FAULT_STATUS:
        answer_error(c, r->fault.status, r->fault.code, r->fault.headers, true);
        return true;
    case S3_FAULT_ERROR_IN_200:
        answer_error(c, 200, r->fault.code, r->fault.headers, true);
        return true;
    case S3_FAULT_HALF_ANSWER:
        (void)send_text(c, "HTTP/1.1 20");
        return false;
    case S3_FAULT_HANG:
        hang(c->store);
        return false;
    case S3_FAULT_GARBAGE:
        (void)send_text(c, "\x16\x03\x01 this is no answer\r\n\r\n");
        return false;
    case S3_FAULT_WRONG_ETAG:
        answer_object(c, &other_bytes, false, true, S3_FAULTY_NONE);
        return true;
    case S3_FAULT_WRONG_CHECKSUM:
        answer_object(c, &other_bytes, false, false,
                      r->checksum ? r->checksum : S3_FAULTY_SHA256);
        return true;
    case S3_FAULT_NO_PROOF:
        answer_object(c, o, false, false, S3_FAULTY_NONE);
        return true;
    default: /* the answer is lost */
        return false;
    }
}

static bool behaves(enum s3_fault_kind kind)
{
    return kind == S3_FAULT_NONE || kind == S3_FAULT_GATE_IN_BODY ||
           kind == S3_FAULT_FLIP_IN_BODY || kind == S3_FAULT_CUT_ANSWER ||
           kind == S3_FAULT_NO_CONTINUE || kind == S3_FAULT_CORRUPT;
}

/* What comes of a PUT whose body is here.  False: close the connection. */
static bool answer_put(struct connection *c, const struct request *r,
                       struct s3_faulty_object *o)
{
    struct s3_faulty *s = c->store;
    bool good = behaves(r->fault.kind);
    const char *refused = s->traits.trusting ? NULL : s3_faulty_refuses(r, o);

    if (good && refused) {
        answer_error(c, 400, refused, NULL, true);
        return true;
    }
    if (r->fault.kind == S3_FAULT_CORRUPT) {
        memcpy(o->md5, other_bytes.md5, sizeof o->md5);
        memcpy(o->sha256, other_bytes.sha256, sizeof o->sha256);
        memcpy(o->crc32c, other_bytes.crc32c, sizeof o->crc32c);
    }
    if (s->traits.random_etags)
        memcpy(o->md5, S3_FAULTY_RANDOM_ETAG, sizeof o->md5);
    o->checksum = r->checksum;
    pthread_mutex_lock(&s->lock);
    bool refuses = r->conditional && s3_faulty_find(s, r->path) != NULL;
    if (stores(r->fault.kind) && !refuses)
        s3_faulty_store(s, r->path, o);
    pthread_mutex_unlock(&s->lock);
    if (!good)
        return answer_wrongly(c, r, o);
    if (refuses)
        answer_error(c, 412, "PreconditionFailed", NULL, true);
    else
        answer_object(c, o, false, true,
                      s->traits.silent_checksums ? S3_FAULTY_NONE : r->checksum);
    return true;
}

static bool serve_put(struct connection *c, const struct request *r)
{
    struct s3_faulty *s = c->store;
    struct s3_faulty_object o = {.size = r->length};
    struct s3_faulty_hashes h;
    int64_t limit = r->length, got;
    bool cut = r->fault.kind == S3_FAULT_CLOSE_IN_BODY ||
               r->fault.kind == S3_FAULT_STALL_IN_BODY;

    if (r->fault.kind == S3_FAULT_EARLY_STATUS) {
        answer_error(c, r->fault.status, r->fault.code, r->fault.headers, true);
        return false;
    }
    if ((s->traits.no_conditions && r->conditional) ||
        (s->traits.no_checksums && r->checksum)) {
        answer_error(c, 501, "NotImplemented", "Connection: close\r\n", true);
        return false;
    }
    if (r->expect && r->fault.kind != S3_FAULT_NO_CONTINUE &&
        !send_text(c, "HTTP/1.1 100 Continue\r\n\r\n"))
        return false;
    if (cut && r->fault.bytes < limit)
        limit = r->fault.bytes;
    s3_faulty_hash_begin(&h);
    if (r->fault.kind == S3_FAULT_FLIP_IN_BODY)
        h.flip_at = r->fault.bytes;
    got = r->fault.kind == S3_FAULT_GATE_IN_BODY ? read_around_gate(c, r, &h)
                                                 : read_body(c, limit, &h);
    s3_faulty_hash_end(&h, &o);
    if (r->fault.kind == S3_FAULT_STALL_IN_BODY)
        hang(s);
    if (cut || got < r->length)
        return false;
    if (r->fault.kind != S3_FAULT_GATE_IN_BODY)
        pass_gate(s);
    return answer_put(c, r, &o);
}

static void take_digests(const char *head, struct request *r)
{
    static const char *const names[] = {"", "x-amz-checksum-sha256",
                                        "x-amz-checksum-crc32c"};
    const char *value;

    for (int i = S3_FAULTY_SHA256; i <= S3_FAULTY_CRC32C; i++)
        if ((value = header(head, names[i]))) {
            r->checksum = (enum s3_faulty_checksum)i;
            (void)sscanf(value, "%63s", r->named);
        }
    value = header(head, "x-amz-content-sha256");
    if (value && strspn(value, "0123456789abcdef") == 64)
        memcpy(r->payload, value, 64);
}

static void parse(struct connection *c, struct request *r)
{
    const char *length = header(c->head, "content-length");
    const char *expect = header(c->head, "expect");
    char method[16] = "";

    *r = (struct request){.method = 2};
    if (sscanf(c->head, "%15s %511s", method, r->path) == 2)
        r->method = s3_faulty_method(method);
    r->length = length ? strtoll(length, NULL, 10) : 0;
    r->conditional = header(c->head, "if-none-match") != NULL;
    take_digests(c->head, r);
    r->expect = expect && strncasecmp(expect, "100-continue", 12) == 0;
}

static void note(struct s3_faulty *s, const char *head, struct request *r)
{
    int m = r->method;

    pthread_mutex_lock(&s->lock);
    s->counts[m]++;
    (void)snprintf(s->heads[m], sizeof s->heads[m], "%s", head);
    if (s->fault_at < s->fault_count)
        r->fault = s->faults[s->fault_at++];
    pthread_mutex_unlock(&s->lock);
}

void s3_faulty_serve(struct connection *c)
{
    struct request r;
    size_t rest = 0;

    for (bool on = true; on && read_head(c, &rest);) {
        char kept = c->head[rest];
        c->head[rest] = '\0';
        parse(c, &r);
        note(c->store, c->head, &r);
        c->head[rest] = kept;
        c->filled -= rest;
        memmove(c->head, c->head + rest, c->filled);
        c->most = r.fault.kind == S3_FAULT_CUT_ANSWER ? &r.fault.bytes : NULL;
        if (r.method == 0)
            on = serve_put(c, &r);
        else if (r.method == 1)
            answer_head(c, &r);
        else
            on = false;
        on = on && !c->most;
    }
}
