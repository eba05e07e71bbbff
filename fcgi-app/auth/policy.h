/*
 * policy: a signed permission to upload, for a browser that holds no token.  Pure: text in, struct out.
 *
 *     v1.shop.eyJleHBpcmVzIjoxNzk2MDAwMDAwLCJ0byI6InMzIn0.Q2hhbmdl…
 *     |  |    |                                           '-- HMAC-SHA-256 of all before the last dot, under a policy key
 *     |  |    '-- {"expires":1796000000,"to":"s3"}             of [auth shop]; both in base64url (RFC 4648, section 5),
 *     |  '-- whose key: it can allow no more than             without padding
 *     |      [auth shop] itself may
 *     '-- the form.  There is one algorithm to it: nothing in the text can choose another, or none
 *
 * The object is flat JSON.  Its limits:
 *
 *     expires      seconds since 1970; at most POLICY_LIFE_MAX ahead.  Must be there
 *     min_bytes    of each file            max_bytes    of each file
 *     max_files    of one request, 1 if not given
 *     types        a list as in media_type.h, which the declared type must be on, and the sniffed one (ingest.h)
 *     key_prefix   the client may choose a key that begins so; if it does not, the key is this and the one it would have had
 *     nonce        8 to 64 characters of A-Z a-z 0-9 - _: good for one upload (policy_uses.h)
 *
 * Every other member is an option of an upload (options.h) and its value, a text or a number.  These hold for all files, and the
 * client may not set them to anything else.  It may set `name`, `sha256` and meta.NAME that the policy does not have, and `key` below
 * key_prefix; no other option.
 *
 * What is not signed is never parsed: the name in front is compared with names of sections, then the whole is verified, in
 * constant time, before the first byte of JSON is looked at.  Whatever is wrong up to there is one and the same answer.
 *
 * A struct policy owns one buf and is reusable; it belongs to one thread.  Thread-safe otherwise.
 */
#ifndef HOIST_FCGI_POLICY_H
#define HOIST_FCGI_POLICY_H

#include "fcgi-app/http/problem.h"
#include "fcgi-app/http/request.h"
#include "shared/config.h"
#include "shared/digest.h"
#include "shared/json_flat.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    POLICY_TEXT_MAX = 3072, /* bytes of a whole policy */
    POLICY_JSON_MAX = 2048, /* bytes of its object */
    POLICY_OPTIONS_MAX = 24,
    POLICY_LIFE_MAX = 7 * 24 * 3600, /* seconds */
    POLICY_ID_LEN = 32               /* characters */
};

struct policy_option {
    const char *name, *value;
};

struct policy {
    char id[POLICY_ID_LEN + 1];   /* of its text: hex; says nothing of the key */
    int64_t expires;              /* seconds since 1970 */
    int64_t min_bytes, max_bytes; /* 0: no limit */
    int64_t max_files;
    const char *types, *key_prefix, *nonce; /* "": none */
    struct policy_option options[POLICY_OPTIONS_MAX];
    size_t option_count;
    struct buf text; /* private: what the pointers above point into */
};

/* The parts of a policy, within its text. */
struct policy_parts {
    char name[CONFIG_NAME_MAX + 1]; /* of the section that signed it */
    const char *json;               /* in base64url */
    size_t json_len;
    size_t signed_len; /* of the text, from its start */
    const char *mac;
    size_t mac_len;
};

void policy_init(struct policy *p);
void policy_release(struct policy *p);

/* Take it apart; false: it is none. */
bool policy_split(const char *s, size_t len, struct policy_parts *ret);

/* The keys of whoever signed it; empty ones do not count. */
struct policy_keys {
    struct digest_span keys[2];
};

/* Verify and read it.  now: seconds since 1970.
 * PROBLEM_POLICY  its signature is wrong, it has expired or lives too long, or what is signed is no policy; the text tells
 *                 the first of these from the others, not what is wrong with it
 * PROBLEM_INTERNAL */
enum problem policy_open(struct policy *p, const char *s,
                         const struct policy_parts *parts,
                         const struct policy_keys *keys, int64_t now, struct err *e);

/* The same of an object that is not signed yet; p->id is left alone.  PROBLEM_BAD_VALUE, PROBLEM_INTERNAL. */
enum problem policy_read(struct policy *p, const struct json_flat *j, int64_t now,
                         struct err *e);

/* Append the whole text of a policy with this object, signed by the section name's key.
 * False: too long (b->failed), or it cannot be signed. */
bool policy_sign(const char *name, const char *json, struct digest_span key,
                 struct buf *b);

/* What a client may set next to it: PROBLEM_POLICY: not this.  *ret_skip: it is what the policy says anyway. */
enum problem policy_check_option(const struct policy *p,
                                 const struct request_text *name,
                                 const struct request_text *value, bool *ret_skip,
                                 struct err *e);

/* One more file of a request that has so many already, of this declared type ("": none) and length (-1: not known).
 * PROBLEM_POLICY, PROBLEM_TOO_LARGE, PROBLEM_TYPE */
enum problem policy_check_file(const struct policy *p, size_t count, const char *type,
                               int64_t bytes, struct err *e);

/* A file that has ended.  PROBLEM_POLICY: it is too short. */
enum problem policy_check_size(const struct policy *p, int64_t bytes, struct err *e);

#endif
