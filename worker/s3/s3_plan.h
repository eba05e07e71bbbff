/*
 * s3_plan: how an object is divided into parts, and how long a part may take.  Pure.
 *
 *     size 40 MiB  ->  | 8 | 8 | 8 | 8 | 8 |     equal sizes but the last; 5 MiB to 5 GiB each; at most 10,000
 *                        1   2   3   4   5
 *
 * The same size and setting give the same plan, so that whoever goes on with an upload that another began sends the same
 * parts.  Limits: Amazon S3 user guide, "Multipart upload limits".
 */
#ifndef HOIST_WORKER_S3_PLAN_H
#define HOIST_WORKER_S3_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct s3_plan {
    int64_t size;      /* of the object, at least 1 */
    int64_t part_size; /* of all parts but the last, which is no larger */
    int count;         /* 1 .. 10,000 */
};

/* wanted is what part_size says; 0: 8 MiB.  Either becomes as large as it takes to need no more than 9,000 parts, in whole
 * MiB. */
struct s3_plan s3_plan_make(int64_t size, int64_t wanted);
/* Of part number, 1 .. count. */
int64_t s3_plan_offset(const struct s3_plan *p, int number);
int64_t s3_plan_len(const struct s3_plan *p, int number);

/* Bytes of parts whose object has no known size: part `number` of it.  They double each 1,000 parts, so that 10,000 of them
 * reach 5 TiB. */
int64_t s3_plan_stream_len(int64_t first, int number);

/*
 * How long parts take, the latest of them.  One that waits for its answer for much longer than its peers took is sent again:
 * of S3's answers a thousandth takes seconds, and the last part of an upload is waited for by all others.
 */
enum { S3_PACE_PEERS = 32 };

struct s3_pace {
    int64_t took_ms[S3_PACE_PEERS];
    unsigned count; /* parts noted so far */
};

void s3_pace_note(struct s3_pace *p, int64_t ms);
/* How long a part may take, from when it was begun: three times as long as nine of ten took, a second more, and at least two.
 * -1: for ever, because fewer than four are known, or they take 5 s on the average: this store, or this way to it, is slow. */
int64_t s3_pace_limit_ms(const struct s3_pace *p);

#endif
