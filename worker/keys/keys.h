/*
 * keys: what requests to a store are signed with, and reading it from what the places it is kept in say.  Pure.
 *
 *     answer of a metadata service, JSON ----\
 *     section of ~/.aws/credentials, INI -----+--> struct keys --> sigv4
 *     answer of STS, XML --------------------/
 *
 * Guarantees: untrusted bytes go in, keys that can be signed with come out, or ERR_REJECT; then *ret holds nothing.  No
 * text of an error has a secret in it.  Whoever has a struct keys wipes it (keys_wipe).
 *
 * Sources: "Retrieve security credentials from instance metadata" (Amazon EC2 user guide), "Task IAM role" (Amazon ECS
 * developer guide), AssumeRoleWithWebIdentity (AWS STS API reference), "Configuration and credential file settings" (AWS CLI
 * user guide).
 */
#ifndef HOIST_WORKER_KEYS_H
#define HOIST_WORKER_KEYS_H

#include "shared/err.h"
#include "shared/sigv4.h"

#include <stdint.h>

/* Of keys that never expire. */
#define KEYS_FOREVER INT64_MAX

struct keys {
    char access_key[SIGV4_NAME_MAX + 1];
    char secret_key[SIGV4_NAME_MAX + 1];
    char session_token[SIGV4_TOKEN_MAX + 1]; /* "": none */
    int64_t expires_ms;                      /* wall time */
};

void keys_wipe(struct keys *k);

/* Copy texts, any of which may be NULL, for "".  REJECT: no access key or no secret, or one that is too long or has other
 * bytes than visible ASCII. */
MUST_CHECK enum err_code keys_set(struct keys *ret, const char *access_key,
                                  const char *secret_key, const char *session_token,
                                  struct err *e);

/* An object with AccessKeyId, SecretAccessKey, Token and Expiration (RFC 3339), as IMDS and container endpoints answer.  A
 * Code other than Success is an error, with Message for people. */
MUST_CHECK enum err_code keys_from_json(const char *s, size_t len, struct keys *ret,
                                        struct err *e);

/* An answer of AssumeRoleWithWebIdentity: AccessKeyId, SecretAccessKey, SessionToken and Expiration in Credentials.  An
 * ErrorResponse is an error with its Code and Message. */
MUST_CHECK enum err_code keys_from_sts(const char *s, size_t len, struct keys *ret,
                                       struct err *e);

/*
 * The section [profile] of a shared credentials file: aws_access_key_id, aws_secret_access_key, aws_session_token.
 * Lines that begin with a blank, comments (# ;) and other settings are passed over; what is set twice counts as set last.
 * REJECT: there is no such section, or it has no keys.
 */
MUST_CHECK enum err_code keys_from_profile(const char *s, size_t len,
                                           const char *profile, struct keys *ret,
                                           struct err *e);

#endif
