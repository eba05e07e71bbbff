/*
 * wire: sockets with deadlines, and the little of HTTP/1.1 that a client who may misbehave needs.
 *
 * Addresses are "127.0.0.1:8080" (IPv4, numeric) or "unix:/path".  Sockets are non-blocking and CLOEXEC; deadlines are times
 * of clock_mono_ms.  A socket belongs to one thread; the parsers are pure.
 */
#ifndef HOIST_TESTS_CHAOS_WIRE_H
#define HOIST_TESTS_CHAOS_WIRE_H

#include "shared/buf.h"
#include "shared/digest.h"
#include "shared/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { WIRE_ANSWER_MAX = 256 * 1024 };

struct wire_address {
    struct sockaddr_storage at;
    socklen_t len;
};

bool wire_parse_address(const char *text, struct wire_address *ret_address);

/* -1 with errno set: nobody there by the deadline. */
int wire_connect(const struct wire_address *a, int64_t deadline);
/* Begin to connect: *ret_pending tells that it is not through yet (POLLOUT, SO_ERROR).  -1 with errno. */
int wire_connect_begin(const struct wire_address *a, bool *ret_pending);
/* Nothing has come and the other end has not closed. */
bool wire_is_idle(int fd);
/* Close with a reset instead of an end. */
void wire_reset(int fd);

enum wire_result {
    WIRE_OK,
    WIRE_ANSWERED, /* send: something can be read before all was sent: nobody wants the rest */
    WIRE_BROKEN, /* closed, reset, or past the deadline */
    WIRE_BAD     /* no HTTP answer, or one above WIRE_ANSWER_MAX */
};

enum wire_result wire_send(int fd, const void *data, size_t len, int64_t deadline);

struct wire_answer {
    int status;
    size_t head_len, body_len; /* the body follows the head, chunks as they came */
    bool close;                /* the connection ends with it */
};

/* What stands at the beginning of these bytes; ended: no more will come.  WIRE_OK: a whole answer.  WIRE_BROKEN: not all of it
 * is here yet (or ever).  WIRE_BAD.  1xx answers are to be skipped by the caller. */
enum wire_result wire_parse_answer(const char *data, size_t len, bool ended,
                                   struct wire_answer *ret);
/* Read into `into` (cleared first, max WIRE_ANSWER_MAX) until an answer is whole. */
enum wire_result wire_read_answer(int fd, struct buf *into, int64_t deadline,
                                  struct wire_answer *ret);

/* One job as a 202 names it. */
struct wire_job {
    char id[ID_JOB_MAX + 1];
    int64_t size;
    char sha256[DIGEST_SHA256_HEX + 1];
};

/* The next {"id":...} with size and sha256 from *at on (moved behind it); false when there is none.  text is NUL-terminated. */
bool wire_next_job(const char **at, struct wire_job *ret_job);
/* The value of "name":"..." in a flat JSON text, unescaped by nothing; false when absent, too long or with a backslash. */
bool wire_json_string(const char *text, const char *name, char *ret, size_t size);

#endif
