/*
 * ingest: what the bytes of an upload must be: what their sender said of them (digests), and what their queue and its
 * destinations allow (types).  Fed while they are spooled, wherever they come from.
 *
 *     ingest_begin(&g, &terms)   ->   ingest_feed(bytes) ...   ->   ingest_finish(sha256)
 *        digests that contradict         after SNIFF_BYTES              digests: 400 digest-mismatch
 *        each other: 400                 what it is: 415                a shorter file: 415
 *        declared type: 415
 *
 * A file has one, in its batch; a whole form that came with digests of its own has another.  Where nothing was said and
 * nothing is forbidden nothing is done.
 *
 * Types.  With a list (allow_types), what the first bytes say must be on it.  So must the type that the client declared, where
 * it declared one other than application/octet-stream: the object will be served under it.  It does not replace what was
 * sniffed, nor the other way round.  Of a queue, of several destinations and of a policy each list counts.
 *
 * Digests.  All that were given must be right, however many; SHA-256 is not computed here when whoever feeds computes it anyway.
 *
 * A struct ingest belongs to one thread and is used again and again; its memory stays.
 */
#ifndef HOIST_FCGI_INGEST_H
#define HOIST_FCGI_INGEST_H

#include "fcgi-app/http/problem.h"
#include "fcgi-app/http/request.h"
#include "fcgi-app/upload/sniff.h"
#include "shared/http_digest.h"
#include "shared/to_list.h"

#include <stdbool.h>
#include <stddef.h>

struct config;

struct ingest {
    /* Private. */
    struct http_digest want;
    unsigned runs; /* kinds of digests that are computed here */
    struct digest_sha256 sha256;
    struct digest_sha512 sha512;
    struct digest_md5 md5;
    struct sniffer
        *sniffer; /* NULL: the type is known to be good, or does not matter */
    const char *lists[2 + TO_LIST_MAX];
    size_t list_count;
    char *head; /* SNIFF_BYTES, once they were needed */
    size_t head_len;
};

/* What holds of one file, or of a whole body (digest alone).  All is borrowed: lists until finish, the rest for begin. */
struct ingest_terms {
    const struct http_digest *digest; /* NULL: none was given */
    bool has_sha256;                  /* finish will be given it */
    struct sniffer *sniffer;          /* NULL: no type is looked at */
    const struct config *config;      /* with it: */
    const char *queue_types;          /* the queue's list; "" none */
    const char *to;                   /* destinations, as to_list.h writes them */
    const char *policy_types;         /* of a signed policy; "" or NULL none */
    const char *declared;             /* the type that the client says; "" none */
};

void ingest_init(struct ingest *g);
void ingest_release(struct ingest *g);

/* PROBLEM_DIGEST, PROBLEM_TYPE; PROBLEM_INTERNAL: no memory, or no MD5 on this machine. */
enum problem ingest_begin(struct ingest *g, const struct ingest_terms *terms,
                          struct err *e);
/* The next bytes.  PROBLEM_TYPE; PROBLEM_UNAVAILABLE: they cannot be looked at now. */
enum problem ingest_feed(struct ingest *g, const void *data, size_t len, struct err *e);
/* That was all.  sha256 of it where terms said so, else NULL.  PROBLEM_DIGEST, and as feed. */
enum problem ingest_finish(struct ingest *g, const uint8_t *sha256, struct err *e);
/* No more will come of it. */
void ingest_drop(struct ingest *g);
/* Whether anything is still to be seen to. */
bool ingest_is_needed(const struct ingest *g);
/* Whether feed waits for first bytes, so that reading a few is better than reading many. */
bool ingest_is_sniffing(const struct ingest *g);

/* The digests in the fields of a request: Content-MD5, Content-Digest, Repr-Digest.  All are of the body as it came: a request has
 * no part of a representation.  PROBLEM_BAD_REQUEST: one of them is broken, or Content-MD5 is given twice. */
enum problem ingest_read_fields(const struct request *r, struct http_digest *ret,
                                struct err *e);

#endif
