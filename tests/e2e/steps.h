/*
 * steps: what most end-to-end tests do, as one call each.  Each asserts that it went well.
 */
#ifndef HOIST_TESTS_E2E_STEPS_H
#define HOIST_TESTS_E2E_STEPS_H

#include "tests/e2e/system_fixture.h"

enum { JOB_ID_SIZE = 128, STEPS_FILES_MAX = 8 };

/* Upload a file as a form with one part; the job's id goes to ret_id. */
void upload_form(struct system *s, const char *path, const char *filename,
                 char ret_id[JOB_ID_SIZE]);
/* Upload a file as a raw body to `to` ("/v1/uploads" or "/v1/uploads/name"). */
void upload_raw(struct system *s, const char *method, const char *to, const char *path,
                bool chunked, char ret_id[JOB_ID_SIZE]);

/* A member of GET /v1/jobs/{id}; asserts 200. */
void job_get(struct system *s, const char *id, const char *name, char *ret,
             size_t size);
/* What Redis holds of it: HGET of the job's hash. */
void job_hget(const struct system *s, const char *id, const char *field, char *ret,
              size_t size);

/* The object of a done job in the file: destination holds the same bytes as the file at path. */
void assert_object_is(struct system *s, const char *id, const char *path);
/* Nothing is left in the spool: neither in tmp/ nor in jobs/. */
void assert_spool_empty(struct system *s);

/* Send a request without a body or with body, expect the status; the answer's "type" must contain problem unless NULL. */
void expect_status(struct system *s, const struct http_request *r, long status,
                   const char *problem);

/* GET /v1/events comes through as it happens: what is known at once, and each state of the job that is uploaded then.  Settings:
 * [http] max_listeners = 1, so that a second one is refused meanwhile. */
void assert_events_flow(struct system *s, const char *path);

/* The settings for a token, and that the web server passes it on: without it a request is answered 401, with it 200. */
#define STEPS_AUTH                                                                     \
    "[auth web]\ntoken = "                                                             \
    "sha256:de8fd54b1d0ee1b7e2037165d6fbb1174c69d445250ec86d0cb11af5f94d88c7\n"
void assert_token_arrives(struct system *s);

#endif
