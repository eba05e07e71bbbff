/*
 * retry: what the outcome of an upload means, and how long to wait before the next try.  Pure: a table and a formula;
 * the randomness is an argument.
 *
 *     network result, HTTP status, S3 code  --retry_classify-->  class  --retry_delay_ms-->  milliseconds
 *
 * | class           | word      | meaning                                   | what the caller does            |
 * | --------------- | --------- | ----------------------------------------- | ------------------------------- |
 * | RETRY_NONE      | none      | it worked                                 | finish                          |
 * | RETRY_TRANSIENT | transient | nothing was stored; it may work soon      | try again after the delay       |
 * | RETRY_THROTTLED | throttled | the store wants fewer requests            | the same, and slow down         |
 * | RETRY_CONFIG    | config    | credentials, clock, bucket, endpoint, TLS | try again rarely; tell a person |
 * | RETRY_REFRESH   | refresh   | the keys are expired or were replaced     | get new ones, once more at once |
 * | RETRY_RESOLVE   | resolve   | something may have been stored            | HEAD the object, then decide    |
 * | RETRY_NEVER     | never     | the request itself is at fault            | dead letter                     |
 *
 * The S3 code decides before the status, and an answer that tells of an error decides before what the network did
 * (S3 often answers 4xx and then cuts the connection while the body is still being sent).  What is unknown is
 * transient below the network, and by its hundred above it; the attempts a job has are the limit.
 */
#ifndef HOIST_WORKER_RETRY_H
#define HOIST_WORKER_RETRY_H

#include "shared/err.h"

#include <stdbool.h>
#include <stdint.h>

enum retry_class {
    RETRY_NONE,
    RETRY_TRANSIENT,
    RETRY_THROTTLED,
    RETRY_CONFIG,
    RETRY_REFRESH,
    RETRY_RESOLVE,
    RETRY_NEVER,
    RETRY_CLASS_COUNT /* not a class */
};

/* How the exchange ended, below HTTP. */
enum retry_net {
    RETRY_NET_OK,         /* a whole answer came */
    RETRY_NET_RESOLVE,    /* no address for the host's name */
    RETRY_NET_CONNECT,    /* refused, unreachable */
    RETRY_NET_TLS,        /* the handshake failed, but not for the next reason */
    RETRY_NET_TLS_VERIFY, /* the certificate is not trusted, or for another host */
    RETRY_NET_SEND,       /* the connection broke while sending */
    RETRY_NET_RECEIVE,    /* it broke, or nonsense came, instead of an answer */
    RETRY_NET_TIMEOUT,    /* a deadline passed, in whatever phase */
    RETRY_NET_ABORTED,    /* we stopped it: lease lost, cancelled, shutting down */
    RETRY_NET_OTHER       /* anything else */
};

struct retry_outcome {
    enum retry_net net;
    bool body_sent; /* the whole request had left us: the store may have acted on it */
    int status;     /* HTTP status of the final answer; 0 when none came */
    /* <Code> of the answer's <Error>; NULL or "" when there is none. */
    const char *code;
};

enum retry_class retry_classify(const struct retry_outcome *o);

/* The word for job records and metrics ("none" ... "never"), as in the table above. */
const char *retry_class_name(enum retry_class class);

/* The same in the terms of shared/err.h: OK, RETRY (transient, throttled, refresh, resolve), CONFIG,
 * REJECT. */
enum err_code retry_class_err(enum retry_class class);

/* Milliseconds; a negative value counts as 0. */
struct retry_policy {
    int64_t base_ms; /* the range of the first wait */
    int64_t cap_ms;  /* no wait is longer, whatever a store asks for */
};

/*
 * How long to wait before trying again after the attempt-th failure (1 is the first; 0 counts as 1).
 * Full jitter: uniform in [least, min(cap, least + first * 2^(attempt - 1))], where first is base, for throttled at
 * least 1000 ms, for config and refresh 10 * base; and least is 0, for config and refresh 10 * base, and never less than retry_after_ms (the
 * store's Retry-After; 0 or less when there is none).  The jitter comes on top of it, so that those told the same
 * moment do not all come back in it.  The result is never below 0 or above cap.  none and never give 0: there is
 * nothing to wait for.  random: 64 random bits, fresh for each call.
 */
int64_t retry_delay_ms(const struct retry_policy *p, enum retry_class class,
                       uint32_t attempt, int64_t retry_after_ms, uint64_t random);

#endif
