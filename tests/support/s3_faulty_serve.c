#include "tests/support/s3_faulty_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* What B2 says; its message, by way of the code. */
#define UNSUPPORTED                                                                    \
    "InvalidArgument</Code><Message>Unsupported header 'x-amz-checksum-sha256' "       \
    "received for this API call.</Message><Code>InvalidArgument"

static void answer_object(struct connection *c, const struct s3_faulty_object *o,
                          bool head, bool etag, enum s3_faulty_checksum checksum)
{
    static const char *const names[] = {
        "", "x-amz-checksum-sha256: ", "x-amz-checksum-crc32c: "};
    char text[1024], base64[64] = "";

    if (o->parts > 0)
        (void)snprintf(base64, sizeof base64, "%s", o->composite);
    else if (checksum != S3_FAULTY_NONE)
        s3_faulty_tell(o, checksum, base64);
    (void)snprintf(text, sizeof text,
                   "HTTP/1.1 200 OK\r\n%s%s%s%s%s%sContent-Length: %lld\r\n\r\n",
                   etag ? "ETag: \"" : "", etag ? (o->etag[0] ? o->etag : o->md5) : "",
                   etag ? "\"\r\n" : "", names[checksum], base64,
                   checksum ? "\r\n" : "", head ? (long long)o->size : 0);
    (void)s3_faulty_send(c, text);
}

/* Of a part that is stored under an ETag of the test's choice, given as it stands. */
static void answer_etag(struct connection *c, const char *etag)
{
    char text[512];

    (void)snprintf(text, sizeof text,
                   "HTTP/1.1 200 OK\r\nETag: %s\r\nContent-Length: 0\r\n\r\n", etag);
    (void)s3_faulty_send(c, text);
}

static void answer_head(struct connection *c, const struct request *r)
{
    struct s3_faulty *s = c->store;
    struct s3_faulty_object o;
    bool there = s3_faulty_object(s, r->path, &o);

    if (r->fault.kind == S3_FAULT_STATUS) {
        s3_faulty_answer_error(c, r->fault.status, r->fault.code, r->fault.headers,
                               false);
        return;
    }
    if (r->fault.kind == S3_FAULT_HANG)
        s3_faulty_hang(s);
    if (s->traits.rejects_checksums && r->mode) {
        s3_faulty_answer_error(c, 400, NULL, NULL, false);
        return;
    }
    if (!there) {
        s3_faulty_answer_error(c, 404, NULL, NULL, false);
        return;
    }
    answer_object(c, &o, true, true,
                  s->traits.silent_checksums || s->traits.no_checksums ||
                          s->traits.rejects_checksums ||
                          r->fault.kind == S3_FAULT_NO_PROOF
                      ? S3_FAULTY_NONE
                      : o.checksum);
}

/* All of the body, with a stay at the gate after the first of it. */
static int64_t read_around_gate(struct connection *c, const struct request *r,
                                struct s3_faulty_hashes *h)
{
    int64_t first = s3_faulty_read_body(c, r->fault.bytes, h);

    s3_faulty_pass_gate(c->store);
    return first + s3_faulty_read_body(c, r->length - first, h);
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
        s3_faulty_answer_error(c, r->fault.status, r->fault.code, r->fault.headers,
                               true);
        return true;
    case S3_FAULT_ERROR_IN_200:
        s3_faulty_answer_error(c, 200, r->fault.code, r->fault.headers, true);
        return true;
    case S3_FAULT_HALF_ANSWER:
        (void)s3_faulty_send(c, "HTTP/1.1 20");
        return false;
    case S3_FAULT_HANG:
        s3_faulty_hang(c->store);
        return false;
    case S3_FAULT_GARBAGE:
        (void)s3_faulty_send(c, "\x16\x03\x01 this is no answer\r\n\r\n");
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

/* What comes of a part, which is *o; data is taken, or freed.  False: close the connection. */
static bool answer_part(struct connection *c, const struct request *r,
                        struct s3_faulty_object *o, char *data)
{
    struct s3_faulty *s = c->store;
    bool stored = false, good = behaves(r->fault.kind);

    pthread_mutex_lock(&s->lock);
    bool there = s3_faulty_find_upload(s, r) != NULL;
    if (stores(r->fault.kind))
        stored = s3_faulty_store_part(s, r, o, data);
    pthread_mutex_unlock(&s->lock);
    if (!stored)
        free(data);
    if (!there && (good || r->fault.kind == S3_FAULT_ETAG))
        s3_faulty_answer_error(c, 404, "NoSuchUpload", NULL, true);
    else if (r->fault.kind == S3_FAULT_ETAG)
        answer_etag(c, r->fault.code);
    else if (!good)
        return answer_wrongly(c, r, o);
    else
        answer_object(c, o, false, true,
                      s->traits.silent_checksums ? S3_FAULTY_NONE : r->checksum);
    return true;
}

/* What comes of a PUT whose body is here, of a part in data.  False: close the connection. */
static bool answer_put(struct connection *c, const struct request *r,
                       struct s3_faulty_object *o, char *data)
{
    struct s3_faulty *s = c->store;
    bool good = behaves(r->fault.kind);
    const char *refused = s->traits.trusting ? NULL : s3_faulty_refuses(r, o);

    if (good && refused) {
        free(data);
        s3_faulty_answer_error(c, 400, refused, NULL, true);
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
    if (r->op == S3_OP_PART)
        return answer_part(c, r, o, data);
    pthread_mutex_lock(&s->lock);
    bool refuses = r->conditional && !s->traits.ignores_conditions &&
                   s3_faulty_find(s, r->path) != NULL;
    if (stores(r->fault.kind) && !refuses)
        s3_faulty_store(s, r->path, o);
    pthread_mutex_unlock(&s->lock);
    if (!good)
        return answer_wrongly(c, r, o);
    if (refuses)
        s3_faulty_answer_error(c, 412, "PreconditionFailed", NULL, true);
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
        s3_faulty_answer_error(c, r->fault.status, r->fault.code, r->fault.headers,
                               r->fault.bytes == 0);
        s3_faulty_hash_begin(&h);
        (void)s3_faulty_read_body(c, r->fault.bytes, &h);
        s3_faulty_hash_end(&h, &o);
        return false;
    }
    if ((s->traits.no_conditions && r->conditional) ||
        (s->traits.no_checksums && r->checksum)) {
        s3_faulty_answer_error(c, 501, "NotImplemented", "Connection: close\r\n", true);
        return false;
    }
    if (s->traits.rejects_checksums && r->checksum) {
        s3_faulty_answer_error(c, 400, UNSUPPORTED, "Connection: close\r\n", true);
        return false;
    }
    if (r->expect && r->fault.kind != S3_FAULT_NO_CONTINUE &&
        !s3_faulty_send(c, "HTTP/1.1 100 Continue\r\n\r\n"))
        return false;
    if (cut && r->fault.bytes < limit)
        limit = r->fault.bytes;
    s3_faulty_hash_begin(&h);
    if (r->op == S3_OP_PART && !(h.keep = malloc((size_t)r->length + 1)))
        s3_faulty_die("memory");
    if (r->fault.kind == S3_FAULT_FLIP_IN_BODY)
        h.flip_at = r->fault.bytes;
    got = r->fault.kind == S3_FAULT_GATE_IN_BODY ? read_around_gate(c, r, &h)
                                                 : s3_faulty_read_body(c, limit, &h);
    s3_faulty_hash_end(&h, &o);
    if (r->fault.kind == S3_FAULT_STALL_IN_BODY)
        s3_faulty_hang(s);
    if (cut || got < r->length) {
        free(h.keep);
        return false;
    }
    if (r->fault.kind != S3_FAULT_GATE_IN_BODY)
        s3_faulty_pass_gate(s);
    return answer_put(c, r, &o, h.keep);
}

void s3_faulty_serve(struct connection *c)
{
    struct request r;
    size_t rest = 0;

    for (bool on = true; on && s3_faulty_read_head(c, &rest);) {
        char kept = c->head[rest];
        c->head[rest] = '\0';
        s3_faulty_take_request(c, &r);
        c->head[rest] = kept;
        c->filled -= rest;
        memmove(c->head, c->head + rest, c->filled);
        c->most = r.fault.kind == S3_FAULT_CUT_ANSWER ? &r.fault.bytes : NULL;
        if (r.method == 0)
            on = serve_put(c, &r);
        else if (r.method == 1)
            answer_head(c, &r);
        else
            on = r.op != S3_OP_OTHER && s3_faulty_serve_op(c, &r);
        on = on && !c->most;
    }
}
