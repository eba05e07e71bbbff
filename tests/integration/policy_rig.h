/*
 * policy_rig: a responder (responder_rig.h) with sections that may ask: shop, which has keys for policies and may use the
 * queues media and default and the destination default; boss, who may do all and has no key; and reader, who may only look,
 * and has one.  Of two more with a key, slow may ask once a second, twice at once, and small may have one job.
 */
#ifndef HOIST_TESTS_INTEGRATION_POLICY_RIG_H
#define HOIST_TESTS_INTEGRATION_POLICY_RIG_H

#include "tests/integration/responder_rig.h"

#define POLICY_KEY "policy-key-0123456789-0123456789-abc"
#define POLICY_OLD_KEY "second-key-0123456789-0123456789-abc"
#define POLICY_SHOP "Bearer shop-token-0123456789-0123456789-abc"
#define POLICY_ADMIN "Bearer admin-token-0123456789-0123456789-abc"

void policy_up(void);

/* A policy of [auth shop] that expires in 10 minutes, with these members (",\"to\":\"x\""), in a static buffer. */
const char *policy_of(const char *members);
const char *policy_sign_with(const char *key, const char *members);
const char *policy_signed(const char *name, const char *key, const char *members);
/* uri with the policy in its query, in a static buffer. */
const char *policy_in(const char *uri, const char *policy);

/* PUT "hello" there, as image/png the head of one (type NULL: none).  Whether the answer has this status and its text holds part.  *ret_id (NULL: not asked
 * for) is the caller's to free, "" when there is none. */
bool policy_put_says(const char *uri, const char *type, int status, const char *part,
                     char **ret_id);
/* The job's manifest; the caller frees. */
char *policy_manifest(const char *id);

#endif
