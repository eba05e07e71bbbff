/*
 * hooks_rig: a worker_rig with [webhook audit] and [webhook callback], and a receiver that keeps what they are told.
 *
 *     static void down(void)  ->  TestSuite(..., .fini = down);  up("") at the head of a test
 *
 * audit has both secrets, callback the second one alone; a webhook is tried three times.
 */
#ifndef HOIST_TESTS_INTEGRATION_HOOKS_RIG_H
#define HOIST_TESTS_INTEGRATION_HOOKS_RIG_H

#include "tests/integration/worker_rig.h"
#include "tests/support/http_sink.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define SECOND "fedcba9876543210fedcba9876543210"

extern struct worker_rig rig;
extern struct http_sink *sink;

/* more: behind what stands in the last section, [webhook callback]. */
void up(const char *more);
void down(void);

/* The index-th request that came, within 10 s. */
struct http_sink_request request(size_t index);
/* One of its headers, "" when it has none; in a static buffer. */
const char *header(const struct http_sink_request *r, const char *name);
/* Whether its body has this text; prints it if not. */
bool has(const struct http_sink_request *r, const char *text);
/* Whether they have the same body. */
bool is_same(const struct http_sink_request *a, const struct http_sink_request *b);
bool is_signed(const struct http_sink_request *r, const char *secret);
/* The job that told r. */
struct job_id delivery(const struct http_sink_request *r);
/* Nothing more is told, or about to be, within 10 s. */
bool is_over(void);

/* A number that Redis answers; more may be NULL. */
long ask(const char *command, const char *key, const char *more);
/* Send and release it. */
void call(struct redis_cmd *cmd);
void cancel(const struct job_id *id);

#endif
