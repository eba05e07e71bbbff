/*
 * collector_maker: a part of collector.h while it fills: its memory and its digests.  Private to collector.c.
 *
 *     new --> pass, piece by piece --> seal: the part is whole, its sums stand in it --> free
 */
#ifndef HOIST_WORKER_COLLECTOR_MAKER_H
#define HOIST_WORKER_COLLECTOR_MAKER_H

#include "worker/source/collector.h"

struct collector_maker {
    struct collector_part part; /* first: a part is cast to its maker */
    bool with_sha256, with_md5; /* no MD5 where there is none (FIPS) */
    char *
        memory; /* of part.room bytes, mmap's; NULL: it lies in the collector's first bytes */
    struct digest_sha256 sha256;
    struct digest_md5 md5;
    struct collector_maker *previous, *next; /* among those that are out */
};

/* Without memory.  NULL: *e tells why. */
struct collector_maker *collector_maker_new(const struct collector_options *o,
                                            int number, struct err *e);
void collector_maker_free(struct collector_maker *m); /* unmaps its memory, too */
/* These bytes are in its memory, behind the others. */
void collector_maker_pass(struct collector_maker *m, const void *data, size_t len);
/* No more comes.  small: where it lies when it has no memory; whole: the SHA-256 of the whole stream, where it is the only part,
 * else NULL.  False: no sum, *e tells why. */
bool collector_maker_seal(struct collector_maker *m, const char *small,
                          const uint8_t *whole, struct err *e);

#endif
