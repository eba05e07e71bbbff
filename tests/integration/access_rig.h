/*
 * access_rig: the responder with [auth] sections, and requests by those who have their tokens.
 *
 *     alice, bob   upload, read; bob in the queue media and to the destination default alone
 *     reader       read
 *     boss         admin
 *
 * The token of NAME is access_token(NAME).
 */
#ifndef HOIST_TESTS_INTEGRATION_ACCESS_RIG_H
#define HOIST_TESTS_INTEGRATION_ACCESS_RIG_H

#include "tests/integration/responder_rig.h"

void access_up(void);
/* With these settings below a section [auth tester], whose token comes with them. */
void access_up_with(const char *settings);

/* In a static buffer. */
const char *access_token(const char *name);

/* One request of NAME (NULL: without a token), with a JSON body or none; the caller releases. */
struct fcgi_response access_ask(const char *name, const char *method, const char *uri,
                                const char *json);
/* Its status alone. */
int access_status(const char *name, const char *method, const char *uri);
/* PUT body to uri: the status; the id of the job, when it is 202, in *ret_id, which may be NULL and is static. */
int access_put(const char *name, const char *uri, const char *body,
               const char **ret_id);

#endif
