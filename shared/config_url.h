/*
 * config_url: what the addresses in a configuration may look like.  Private to config*.c.  Pure.
 *
 *     file:///absolute/directory        taken as it stands, no %-escapes
 *     s3://bucket[/prefix]              bucket [a-z0-9.-]{3,63}; a prefix follows the rules of keys (job_key_is_safe)
 *     http[s]://host[:port][/path]      a destination: no user, query or fragment; the path percent-encoded, up to 512 bytes
 *     command:NAME                      a destination, too
 *     http[s]://host[:port]             an endpoint: no path, no user
 *     redis://… unix:///…               looked at only far enough to find its password; redis.h parses it
 */
#ifndef HOIST_SHARED_CONFIG_URL_H
#define HOIST_SHARED_CONFIG_URL_H

#include "shared/config.h"

enum { CONFIG_PREFIX_MAX = 512, CONFIG_PATH_MAX = 512 };

/* What a destination's url says; strings are owned. */
struct config_target {
    enum config_scheme scheme;
    char *bucket, *prefix, *dir, *base, *command;
};

/* ERR_CONFIG: not one of them, with what is wrong.  ERR_NOMEM. */
MUST_CHECK enum err_code
config_url_parse(const char *url, struct config_target *ret_target, struct err *e);

bool config_url_is_endpoint(const char *url);
bool config_url_is_redis(const char *url);

/* The user:password in redis://user:password@host: where it starts and how long it is; false when there is none.
 * Everything up to the last '@' counts, so that a password with an '@' or '/' in it is found whole. */
bool config_url_find_secret(const char *url, size_t *ret_start, size_t *ret_len);

#endif
