/*
 * responder_rig: hoist-fcgi as a child of the test, on a unix socket, with a spool and a Redis of its own.
 *
 *     TestSuite(responder, .init = responder_up, .fini = responder_down, .timeout = 30);
 *
 * Settings: 4 threads (64 with those held up), queue `media` of at most 100,000 bytes a file, 4 parts, 256 bytes a field, 512 bytes of part
 * headers, 8 waiters, receive time-out 2 s.
 */
#ifndef HOIST_TESTS_INTEGRATION_RESPONDER_RIG_H
#define HOIST_TESTS_INTEGRATION_RESPONDER_RIG_H

#include "tests/support/fcgi_client.h"
#include "tests/support/redis_fixture.h"
#include "tests/support/spawn.h"
#include "tests/support/tmpdir.h"

#include <stdbool.h>
#include <stddef.h>

struct responder_rig {
    struct redis_fixture redis;
    struct tmpdir dir;
    struct tmpdir_file socket, config, log;
    struct spawn process;
};

extern struct responder_rig rig;

void responder_up(void);
/* With these lines behind the settings; a section may be opened again, a setting not be set again. */
void responder_up_with(const char *more);
void responder_down(void);
/* Start, or start again, and wait until it listens. */
void responder_start(void);

/* One request on a connection of its own, answered within 10 s; the caller releases. */
struct fcgi_response responder_ask(const struct fcgi_request *r);
/* The same, for its status alone. */
int responder_status(const struct fcgi_request *r);

/* How many files there are in spool/tmp and spool/jobs.  A .job has data and manifest, and counts for both. */
size_t responder_count(const char *below);
/* Where the data or the manifest of a job stand, suffix ".data" or ".json": its .job, if it has one.  In a static buffer. */
const char *responder_job_file(const char *id, const char *suffix);
/* The first "id":"..." in a response, in a static buffer. */
const char *responder_id(const struct fcgi_response *r);
/* "/v1/jobs/ID" and what comes after it, in a static buffer. */
const char *responder_job_uri(const char *id, const char *rest);
/* PUT "hello" to uri and wait until Redis knows the job; its id, as responder_id. */
const char *responder_upload(const char *uri);
/* Whether this field of the job's hash in Redis is just this. */
bool responder_field_is(const char *id, const char *name, const char *want);

struct fcgi_request responder_get(const char *uri);

/* Ask with a JSON body (NULL: none).  Whether the answer has this status and its text holds part; what else it says is
 * printed when not. */
bool responder_says(const char *method, const char *uri, const char *json, int status,
                    const char *part);
/* The same request; its answer, which the caller releases. */
struct fcgi_response responder_json(const char *method, const char *uri,
                                    const char *json);
/* Expect that a request with an Idempotency-Key that was sent again is answered as it was first. */
void responder_expect_replay(const struct fcgi_response *first,
                             const struct fcgi_response *again);
/* PUT "hello" to uri; the id as responder_id, without waiting for Redis. */
const char *responder_put(const char *uri);

#define FORM_TYPE "multipart/form-data; boundary=B"
#define FORM_FILE(name, data)                                                          \
    "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"" name              \
    "\"\r\nContent-Type: text/plain\r\n\r\n" data "\r\n"
#define FORM_FIELD(name, value)                                                        \
    "--B\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define FORM_END "--B--\r\n"
/* A POST of a literal form. */
#define FORM(text)                                                                     \
    {                                                                                  \
        .method = "POST", .uri = "/v1/uploads", .type = FORM_TYPE, .body = (text),     \
        .body_len = sizeof(text) - 1                                                   \
    }
/* A PUT of a literal body. */
#define PUT(target, text)                                                              \
    {                                                                                  \
        .method = "PUT", .uri = (target), .body = (text), .body_len = sizeof(text) - 1 \
    }

#endif
