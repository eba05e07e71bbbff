/*
 * http_response: the part of an HTTP answer that somebody asks for.  Pure: header lines go in one by one, untrusted.
 *
 * A value that is too long for its field, or holds anything but printable ASCII, is as if it had not come.
 */
#ifndef HOIST_WORKER_HTTP_RESPONSE_H
#define HOIST_WORKER_HTTP_RESPONSE_H

#include "shared/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_BODY_MAX = 64 * 1024,
    HTTP_VALUE_SIZE = 160,
    HTTP_LOCATION_SIZE = 2048 + 1
};

/* Text fields are "" when the header did not come. */
struct http_response {
    int status;                            /* of the final answer; 0: none came */
    bool has_whole_head;                   /* its blank line has come */
    int64_t content_length;                /* -1: not told, or no number */
    bool is_contradictory;                 /* it was told twice, and not the same */
    char etag[HTTP_VALUE_SIZE];            /* as sent, with its quotes */
    char repr_digest[HTTP_VALUE_SIZE];     /* RFC 9530 */
    char checksum_sha256[HTTP_VALUE_SIZE]; /* x-amz-checksum-sha256 */
    char checksum_crc32c[HTTP_VALUE_SIZE]; /* x-amz-checksum-crc32c */
    char checksum_type[HTTP_VALUE_SIZE];   /* x-amz-checksum-type */
    char encryption[HTTP_VALUE_SIZE];      /* x-amz-server-side-encryption */
    char request_id[HTTP_VALUE_SIZE];      /* x-amz-request-id */
    char region[HTTP_VALUE_SIZE];          /* x-amz-bucket-region */
    char retry_after[HTTP_VALUE_SIZE];
    char content_type[HTTP_VALUE_SIZE];
    char content_range[HTTP_VALUE_SIZE];
    char content_encoding[HTTP_VALUE_SIZE];
    char transfer_encoding[HTTP_VALUE_SIZE];
    char accept_ranges[HTTP_VALUE_SIZE];
    char last_modified[HTTP_VALUE_SIZE];
    char location[HTTP_LOCATION_SIZE];
    char date[HTTP_VALUE_SIZE];
    struct buf body; /* at most HTTP_BODY_MAX; what is beyond was dropped */
};

void http_response_init(struct http_response *r);
void http_response_release(struct http_response *r);

/* One line as it came, with or without its line end.  A status line starts anew: it ends an interim answer.  An
 * empty one ends the head. */
void http_response_add_line(struct http_response *r, const char *line, size_t len);

/* Retry-After in seconds as milliseconds, at most an hour; 0: none, or a date (RFC 9110 section 10.2.3: those who send
 * one are few, and the caller's own delay will do). */
int64_t http_response_retry_after_ms(const struct http_response *r);

/* The Date header (IMF-fixdate, RFC 9110 section 5.6.7) as seconds since the epoch; false when there is none. */
bool http_response_date(const struct http_response *r, int64_t *ret_s);

/* Whether Last-Modified can tell one state of a resource from the next (RFC 9110 section 8.8.2.2): it is an IMF-fixdate, and,
 * where the answer says its own time, at least a second before that. */
bool http_response_is_dated_well(const struct http_response *r);

#endif
