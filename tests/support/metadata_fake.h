/*
 * metadata_fake: the services that hand out keys, as far as hoist asks them, and misbehaving on request.
 *
 *     struct metadata_fake *m = metadata_fake_start();
 *     metadata_fake_hand_out(m, 1, 3600);              keys of generation 1: AKIA1, secret-1, token-1, for an hour
 *     metadata_fake_push(m, (struct metadata_fault){.kind = METADATA_STATUS, .status = 500});
 *     ... imds_endpoint = metadata_fake_url(m) ...
 *     metadata_fake_stop(m);
 *
 * Without a fault it behaves:
 *   PUT  /latest/api/token                                          wants a TTL, answers with a token
 *   GET  /latest/meta-data/iam/security-credentials/[hoist-role]    wants that token (IMDSv1 is refused with 401)
 *   GET  /container                                                 wants "Authorization: pod-token"
 *   POST /                                                          AssumeRoleWithWebIdentity, wants the token "web-token"
 * Faults are used up by requests in the order in which they arrive.  It listens on 127.0.0.1, on a port of the kernel's
 * choice, with a thread per connection, one request on each.  All functions are thread-safe.  What fails here aborts the test.
 */
#ifndef HOIST_TESTS_SUPPORT_METADATA_FAKE_H
#define HOIST_TESTS_SUPPORT_METADATA_FAKE_H

#include <stdbool.h>
#include <stdint.h>

enum metadata_fault_kind {
    METADATA_NONE,    /* behave: so that the fault hits the next one */
    METADATA_STATUS,  /* answer status, with no body */
    METADATA_GARBAGE, /* 200 with a body that is none of what was asked for */
    METADATA_HUGE,    /* 200 with 1 MiB of a body that begins well */
    METADATA_CLOSE,   /* close without an answer */
    METADATA_HANG     /* never answer */
};

struct metadata_fault {
    enum metadata_fault_kind kind;
    int status;
};

enum metadata_request {
    METADATA_TOKEN,
    METADATA_ROLE,
    METADATA_KEYS,
    METADATA_CONTAINER,
    METADATA_STS,
    METADATA_REQUESTS
};

struct metadata_fake;

struct metadata_fake *metadata_fake_start(void);
void metadata_fake_stop(struct metadata_fake *m); /* takes NULL */
const char *
metadata_fake_url(const struct metadata_fake *m); /* http://127.0.0.1:port */

/* Keys of this generation from now on, which expire so many seconds after they are asked for (may be negative). */
void metadata_fake_hand_out(struct metadata_fake *m, int generation, int64_t life_s);
/* The next generation for each time that keys are handed out. */
void metadata_fake_rotate(struct metadata_fake *m);
void metadata_fake_push(struct metadata_fake *m, struct metadata_fault fault);
/* Every answer waits until the gate is opened. */
void metadata_fake_close_gate(struct metadata_fake *m);
void metadata_fake_open_gate(struct metadata_fake *m);

/* Requests of this kind that have arrived. */
int metadata_fake_count(struct metadata_fake *m, enum metadata_request kind);
/* Of all kinds. */
int metadata_fake_count_all(struct metadata_fake *m);
/* The most that were under way at the same time. */
int metadata_fake_most(struct metadata_fake *m);
/* The latest request, head and body, NUL-terminated; "" for none. */
void metadata_fake_latest(struct metadata_fake *m, char *ret, int size);

#endif
