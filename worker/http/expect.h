/*
 * expect: whether a large body waits for "100 Continue" before it leaves (RFC 9110, section 10.1.1).  Pure.
 *
 *     it waits --- a large body was taken ---> it leaves at once        417 ---> never again
 *        ^                                          |
 *        '---- a body was refused, or broke off ----'
 *
 * Waiting costs a round trip for each object, or part, and a second where the store does not know it; not waiting costs what
 * leaves before a refusal has come back, and, where the store closes behind its refusal, sometimes the refusal.  What
 * refuses (another region, keys, no such bucket, 503) mostly refuses everything for a while.  So it is the first large
 * body for a destination that waits, and those after one that the destination did not take, until one was taken; and one that may well be
 * there already (a condition, sent again by a later attempt), which a 412 saves.  Without waiting an answer that comes
 * early is read all the same, and nothing more is sent then (section 9.5 of RFC 9112; http.h).
 */
#ifndef HOIST_WORKER_EXPECT_H
#define HOIST_WORKER_EXPECT_H

#include "worker/flow/retry.h"

#include <stdbool.h>
#include <stdint.h>

enum { EXPECT_FROM = 1024 * 1024 }; /* bytes; smaller bodies never wait */

/* What is known of a destination; all zero at first. */
struct expect {
    bool takes;   /* the latest body was taken, and was large */
    bool unknown; /* it answers 417 */
};

/* Whether a body of this length is to wait.  likely_refused: this one in particular. */
bool expect_wants(const struct expect *x, int64_t len, bool likely_refused);
/* How a request with a body has ended: status counts where net is RETRY_NET_OK. */
void expect_told(struct expect *x, int64_t len, enum retry_net net, int status);

#endif
