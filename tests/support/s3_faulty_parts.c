#include "tests/support/s3_faulty_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cleanup.h"

struct upload *s3_faulty_find_upload(struct s3_faulty *s, const struct request *r)
{
    for (size_t i = 0; i < s->upload_count; i++) {
        struct upload *u = &s->uploads[i];
        if (u->open && strcmp(u->id, r->upload_id) == 0 &&
            strcmp(u->path, r->path) == 0)
            return u;
    }
    return NULL;
}

struct upload *s3_faulty_new_upload(struct s3_faulty *s, const char *path)
{
    if (s->upload_count == UPLOADS_MAX)
        s3_faulty_die("too many uploads in parts");
    struct upload *u = &s->uploads[s->upload_count++];
    u->parts = calloc(PARTS_MAX, sizeof *u->parts);
    if (!u->parts)
        s3_faulty_die("memory");
    u->open = true;
    /* An id that has to be escaped, in an address and in XML. */
    (void)snprintf(u->id, sizeof u->id, "up/%zu+x&=<%zu>", s->upload_count,
                   s->upload_count);
    (void)snprintf(u->path, sizeof u->path, "%s", path);
    return u;
}

void s3_faulty_end_upload(struct upload *u)
{
    for (size_t i = 0; u->open && i < PARTS_MAX; i++)
        free(u->parts[i].data);
    free(u->parts);
    u->parts = NULL;
    u->open = false;
}

bool s3_faulty_store_part(struct s3_faulty *s, const struct request *r,
                          const struct s3_faulty_object *is, char *data)
{
    struct upload *u = s3_faulty_find_upload(s, r);

    if (!u || r->part < 1 || r->part > PARTS_MAX)
        return false;
    struct part *p = &u->parts[r->part - 1];
    free(p->data);
    *p = (struct part){.is = *is, .data = data};
    (void)snprintf(p->etag, sizeof p->etag, "%s",
                   r->fault.kind == S3_FAULT_ETAG ? r->fault.code : is->md5);
    return true;
}

/* --- completing --- */

/* What stands in <name>...</name> between at and end, decoded; "" when it is not there. */
static void take_element(const char *at, const char *end, const char *name, char *ret,
                         size_t size)
{
    static const char *const references[][2] = {{"&amp;", "&"},
                                                {"&lt;", "<"},
                                                {"&gt;", ">"},
                                                {"&quot;", "\""},
                                                {"&apos;", "'"}};
    char open[64];
    size_t used = 0;

    *ret = '\0';
    (void)snprintf(open, sizeof open, "<%s>", name);
    const char *p = strstr(at, open);
    if (!p || p > end)
        return;
    for (p += strlen(open); *p && *p != '<' && used + 1 < size; used++) {
        size_t step = 1;
        ret[used] = *p;
        for (size_t i = 0; i < sizeof references / sizeof references[0]; i++)
            if (strncmp(p, references[i][0], strlen(references[i][0])) == 0) {
                ret[used] = *references[i][1];
                step = strlen(references[i][0]);
            }
        p += step;
    }
    ret[used] = '\0';
}

/* What an object is put together with. */
struct assembly {
    struct s3_faulty_hashes whole, etags, sums;
    enum s3_faulty_checksum checksum;
    int64_t size;
    int last, count;
};

static void add_digest(struct s3_faulty_hashes *h, const char *hex)
{
    uint8_t sum[DIGEST_SHA256_BYTES];
    size_t size = strlen(hex) / 2;

    if (digest_hex_decode(hex, 2 * size, sum, size))
        s3_faulty_hash_update(h, sum, size);
}

/* NULL: it is one of those that are there; else the error's code. */
static const char *add_part(struct assembly *a, const struct upload *u, const char *at,
                            const char *end)
{
    char number[16], etag[220], sum[64], is[64];

    take_element(at, end, "PartNumber", number, sizeof number);
    take_element(at, end, "ETag", etag, sizeof etag);
    int n = (int)strtol(number, NULL, 10);
    if (n <= a->last)
        return "InvalidPartOrder";
    const struct part *p = n <= PARTS_MAX ? &u->parts[n - 1] : NULL;
    if (!p || !p->data)
        return "InvalidPart";
    size_t len = strlen(etag);
    bool quoted = len >= 2 && etag[0] == '"' && etag[len - 1] == '"';
    if (quoted)
        etag[len - 1] = '\0';
    if (strcmp(etag + quoted, p->etag) != 0)
        return "InvalidPart";
    if (p->is.checksum != S3_FAULTY_NONE) {
        take_element(at, end,
                     p->is.checksum == S3_FAULTY_SHA256 ? "ChecksumSHA256"
                                                        : "ChecksumCRC32C",
                     sum, sizeof sum);
        s3_faulty_tell(&p->is, p->is.checksum, is);
        if (strcmp(sum, is) != 0)
            return "InvalidPart";
        add_digest(&a->sums,
                   p->is.checksum == S3_FAULTY_SHA256 ? p->is.sha256 : p->is.crc32c);
    }
    a->checksum = p->is.checksum;
    s3_faulty_hash_update(&a->whole, p->data, (size_t)p->is.size);
    add_digest(&a->etags, p->is.md5);
    a->size += p->is.size;
    a->last = n;
    a->count++;
    return NULL;
}

static const char *add_parts(struct assembly *a, const struct s3_faulty *s,
                             const struct upload *u, const char *body)
{
    int64_t latest = -1;

    for (const char *at = strstr(body, "<Part>"); at; at = strstr(at + 1, "<Part>")) {
        const char *end = strstr(at, "</Part>");
        if (!end)
            return "MalformedXML";
        if (latest >= 0 && latest < s->traits.min_part)
            return "EntityTooSmall";
        int64_t before = a->size;
        const char *code = add_part(a, u, at, end);
        if (code)
            return code;
        latest = a->size - before;
    }
    return a->count > 0 ? NULL : "MalformedXML";
}

const char *s3_faulty_assemble(const struct s3_faulty *s, const struct upload *u,
                               const char *body, struct s3_faulty_object *ret)
{
    struct s3_faulty_object whole = {0}, etags = {0}, sums = {0};
    struct assembly a = {.size = 0};
    char told[64];

    s3_faulty_hash_begin(&a.whole);
    s3_faulty_hash_begin(&a.etags);
    s3_faulty_hash_begin(&a.sums);
    const char *code = add_parts(&a, s, u, body);
    s3_faulty_hash_end(&a.whole, &whole);
    s3_faulty_hash_end(&a.etags, &etags);
    s3_faulty_hash_end(&a.sums, &sums);
    if (code)
        return code;
    *ret = whole;
    ret->size = a.size;
    ret->parts = a.count;
    ret->checksum = a.checksum;
    (void)snprintf(ret->etag, sizeof ret->etag, "%s-%d", etags.md5, a.count);
    if (a.checksum != S3_FAULTY_NONE) {
        s3_faulty_tell(&sums, a.checksum, told);
        (void)snprintf(ret->composite, sizeof ret->composite, "%.48s-%d", told,
                       a.count);
    }
    return NULL;
}

/* --- the test's side --- */

int s3_faulty_unfinished(struct s3_faulty *s)
{
    int count = 0;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->upload_count; i++)
        count += s->uploads[i].open;
    pthread_mutex_unlock(&s->lock);
    return count;
}

int s3_faulty_parts(struct s3_faulty *s)
{
    int count = 0;

    pthread_mutex_lock(&s->lock);
    for (size_t i = s->upload_count; i-- > 0 && count == 0;)
        for (size_t k = 0; s->uploads[i].open && k < PARTS_MAX; k++)
            count += s->uploads[i].parts[k].data != NULL;
    pthread_mutex_unlock(&s->lock);
    return count;
}

void s3_faulty_begin_parts(struct s3_faulty *s, const char *path)
{
    pthread_mutex_lock(&s->lock);
    (void)s3_faulty_new_upload(s, path);
    pthread_mutex_unlock(&s->lock);
}

void s3_faulty_forget_parts(struct s3_faulty *s)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->upload_count; i++)
        s3_faulty_end_upload(&s->uploads[i]);
    pthread_mutex_unlock(&s->lock);
}
