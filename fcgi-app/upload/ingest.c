#include "fcgi-app/upload/ingest.h"

#include "shared/config.h"
#include "shared/media_type.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SAYS_MD5 = 1, NAMED_MAX = 64 };

void ingest_init(struct ingest *g)
{
    *g = (struct ingest){.sniffer = NULL};
}

void ingest_release(struct ingest *g)
{
    digest_sha256_release(&g->sha256);
    digest_sha512_release(&g->sha512);
    digest_md5_release(&g->md5);
    free(g->head);
    ingest_init(g);
}

void ingest_drop(struct ingest *g)
{
    g->want.has = g->runs = 0;
    g->sniffer = NULL;
}

bool ingest_is_needed(const struct ingest *g)
{
    return g->want.has != 0 || g->sniffer;
}

bool ingest_is_sniffing(const struct ingest *g)
{
    return g->sniffer != NULL;
}

/* --- Types --- */

static void add_list(struct ingest *g, const char *list)
{
    if (*list)
        g->lists[g->list_count++] = list;
}

static void gather_lists(struct ingest *g, const struct ingest_terms *t)
{
    g->list_count = 0;
    add_list(g, t->queue_types);
    add_list(g, t->policy_types ? t->policy_types : "");
    for (const char *to = t->to; *to && g->list_count < 2 + TO_LIST_MAX;) {
        size_t len = strcspn(to, ",");
        const struct config_destination *d =
            config_find_destination(t->config, to, len);
        if (d)
            add_list(g, d->allow_types);
        to += len + (to[len] == ',');
    }
}

static enum problem check_type(const struct ingest *g, const char *type,
                               const char *what, struct err *e)
{
    size_t len = strlen(type);
    for (size_t i = 0; i < g->list_count; i++)
        if (!media_type_is_listed(g->lists[i], type, len))
            return problem_set(e, PROBLEM_TYPE, "the file %s %.*s; allowed: %.64s",
                               what, len < NAMED_MAX ? (int)len : NAMED_MAX, type,
                               g->lists[i]);
    return PROBLEM_NONE;
}

static bool says_nothing(const char *declared)
{
    static const char generic[] = "application/octet-stream";
    size_t len = strcspn(declared, "; \t");
    return len == 0 ||
           (len == sizeof generic - 1 && strncasecmp(declared, generic, len) == 0);
}

static enum problem begin_types(struct ingest *g, const struct ingest_terms *t,
                                struct err *e)
{
    g->head_len = 0;
    g->sniffer = NULL;
    if (!t->sniffer)
        return PROBLEM_NONE;
    gather_lists(g, t);
    if (g->list_count == 0)
        return PROBLEM_NONE;
    if (!g->head && !(g->head = malloc(SNIFF_BYTES)))
        return problem_set(e, PROBLEM_INTERNAL, "out of memory");
    g->sniffer = t->sniffer;
    return says_nothing(t->declared) ? PROBLEM_NONE
                                     : check_type(g, t->declared, "is declared as", e);
}

/* Once for each file. */
static enum problem look(struct ingest *g, const void *data, size_t len, struct err *e)
{
    char type[SNIFF_TYPE_SIZE];
    struct sniffer *sniffer = g->sniffer;
    g->sniffer = NULL;
    if (sniffer_look(sniffer, data, len, type, e))
        return PROBLEM_UNAVAILABLE;
    return check_type(g, type, "is", e);
}

static enum problem feed_types(struct ingest *g, const char *data, size_t len,
                               struct err *e)
{
    if (g->head_len == 0 && len >= SNIFF_BYTES)
        return look(g, data, SNIFF_BYTES, e);
    size_t n = SNIFF_BYTES - g->head_len;
    if (n > len)
        n = len;
    memcpy(g->head + g->head_len, data, n);
    g->head_len += n;
    return g->head_len == SNIFF_BYTES ? look(g, g->head, SNIFF_BYTES, e) : PROBLEM_NONE;
}

/* --- Digests --- */

static enum problem begin_digests(struct ingest *g, const struct ingest_terms *t,
                                  struct err *e)
{
    g->runs = 0;
    g->want.has = 0;
    if (!t->digest || t->digest->has == 0)
        return PROBLEM_NONE;
    g->want = *t->digest;
    if (g->want.contradictory)
        return problem_set(e, PROBLEM_DIGEST,
                           "two digests of one kind were given, and they differ");
    unsigned runs = g->want.has & ~(t->has_sha256 ? (unsigned)HTTP_DIGEST_SHA256 : 0U);
    if ((runs & HTTP_DIGEST_SHA256 && digest_sha256_init(&g->sha256, e)) ||
        (runs & HTTP_DIGEST_SHA512 && digest_sha512_init(&g->sha512, e)) ||
        (runs & HTTP_DIGEST_MD5 && digest_md5_init(&g->md5, e)))
        return PROBLEM_INTERNAL;
    g->runs = runs;
    return PROBLEM_NONE;
}

static enum problem differs(const char *kind, struct err *e)
{
    return problem_set(e, PROBLEM_DIGEST,
                       "the %s of what came is not the one that was announced", kind);
}

static enum problem check_sha256(struct ingest *g, const uint8_t *sha256, struct err *e)
{
    uint8_t sum[DIGEST_SHA256_BYTES];
    if (g->runs & HTTP_DIGEST_SHA256) {
        if (digest_sha256_final(&g->sha256, sum, e))
            return PROBLEM_INTERNAL;
        sha256 = sum;
    }
    return memcmp(sha256, g->want.sha256, sizeof sum) == 0 ? PROBLEM_NONE
                                                           : differs("SHA-256", e);
}

static enum problem check_digests(struct ingest *g, const uint8_t *sha256,
                                  struct err *e)
{
    uint8_t sum[DIGEST_SHA512_BYTES];
    enum problem p =
        g->want.has & HTTP_DIGEST_SHA256 ? check_sha256(g, sha256, e) : PROBLEM_NONE;
    if (!p && g->runs & HTTP_DIGEST_SHA512) {
        if (digest_sha512_final(&g->sha512, sum, e))
            return PROBLEM_INTERNAL;
        if (memcmp(sum, g->want.sha512, DIGEST_SHA512_BYTES) != 0)
            p = differs("SHA-512", e);
    }
    if (!p && g->runs & HTTP_DIGEST_MD5) {
        if (digest_md5_final(&g->md5, sum, e))
            return PROBLEM_INTERNAL;
        if (memcmp(sum, g->want.md5, DIGEST_MD5_BYTES) != 0)
            p = differs("MD5", e);
    }
    return p;
}

/* --- All of it --- */

enum problem ingest_begin(struct ingest *g, const struct ingest_terms *terms,
                          struct err *e)
{
    enum problem p = begin_digests(g, terms, e);
    return p ? p : begin_types(g, terms, e);
}

enum problem ingest_feed(struct ingest *g, const void *data, size_t len, struct err *e)
{
    if (g->runs & HTTP_DIGEST_SHA256)
        digest_sha256_update(&g->sha256, data, len);
    if (g->runs & HTTP_DIGEST_SHA512)
        digest_sha512_update(&g->sha512, data, len);
    if (g->runs & HTTP_DIGEST_MD5)
        digest_md5_update(&g->md5, data, len);
    return g->sniffer ? feed_types(g, data, len, e) : PROBLEM_NONE;
}

enum problem ingest_finish(struct ingest *g, const uint8_t *sha256, struct err *e)
{
    enum problem p =
        g->sniffer ? look(g, g->head, g->head_len, e) : PROBLEM_NONE; /* a short one */
    if (!p && g->want.has != 0)
        p = check_digests(g, sha256, e);
    ingest_drop(g);
    return p;
}

/* --- Fields --- */

static bool read_field(const char *name, size_t len, const char *value,
                       struct http_digest *ret, unsigned *seen)
{
    static const char md5[] = "CONTENT_MD5", content[] = "CONTENT_DIGEST",
                      repr[] = "REPR_DIGEST";
    if (len == sizeof md5 - 1 && memcmp(name, md5, len) == 0) {
        bool again = *seen & SAYS_MD5;
        *seen |= SAYS_MD5;
        return !again && http_digest_parse_md5(value, strlen(value), ret);
    }
    if ((len == sizeof content - 1 && memcmp(name, content, len) == 0) ||
        (len == sizeof repr - 1 && memcmp(name, repr, len) == 0))
        return http_digest_parse(value, strlen(value), ret);
    return true;
}

enum problem ingest_read_fields(const struct request *r, struct http_digest *ret,
                                struct err *e)
{
    unsigned seen = 0;
    for (char *const *p = r->params; *p; p++) {
        const char *name = *p + 5;
        if (strncmp(*p, "HTTP_", 5) != 0 || (*name != 'C' && *name != 'R'))
            continue;
        const char *value = strchr(name, '=');
        if (value && !read_field(name, (size_t)(value - name), value + 1, ret, &seen))
            return problem_set(e, PROBLEM_BAD_REQUEST, "%s is broken",
                               *name == 'R' ? "Repr-Digest"
                               : (size_t)(value - name) == sizeof "CONTENT_MD5" - 1
                                   ? "Content-MD5"
                                   : "Content-Digest");
    }
    return PROBLEM_NONE;
}
