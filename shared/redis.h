/*
 * redis: connections to Redis 6.2 or later, or Valkey.  The only module that sees hiredis.
 *
 * Two kinds of connection, one kind of command and reply:
 *
 *     struct redis_cmd   -- argv, built with redis_cmd_add_* -->  struct redis        (blocking, with deadlines)
 *                                                            \->  struct redis_async  (on a libuv loop)
 *     reply: const struct redis_value *  -- redis_value_*  -->  integers, strings, arrays
 *
 * Guarantees
 *   - Every call ends by its deadline.  After a time-out, an I/O or a protocol error the connection is closed and never
 *     used again: an answer cannot be taken for that of another question.  The next call connects anew.
 *   - Strings are (bytes, length), NULs included.  Replies are checked for their type by the accessors, which
 *     give 0, "" or NULL for the wrong type and never crash.
 *   - Scripts run by EVALSHA; NOSCRIPT (a restarted or failed-over server) is answered by SCRIPT LOAD and one more
 *     try, inside the call.
 *   - Error classes: connection lost, time-out, a reply cut short or impossible, LOADING, BUSY, OOM, MISCONF, NOREPLICAS,
 *     TRYAGAIN, ASK, CLUSTERDOWN, READONLY, MASTERDOWN, UNBLOCKED, MOVED -> ERR_RETRY; NOAUTH, WRONGPASS, NOPERM,
 *     unusable url, a server that is refused (redis_check.h) -> ERR_CONFIG; everything else the server says no to
 *     (WRONGTYPE, script errors) -> ERR_REJECT.
 *   - READONLY, MASTERDOWN, UNBLOCKED, MOVED, NOAUTH and WRONGPASS close the connection: after a fail-over the name leads
 *     elsewhere, and it is looked up for every connection.  No cluster client: MOVED and ASK are not followed.
 *
 * URL: unix:///path/to/socket[?db=N] | redis://[user[:password]@]host[:port][/db]  (password %-decoded; better given in
 * a file, see config).  No TLS: hiredis 0.14 has none; use stunnel or a local proxy.
 */
#ifndef HOIST_SHARED_REDIS_H
#define HOIST_SHARED_REDIS_H

#include "shared/buf.h"
#include "shared/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- Where: a parsed URL.  Pure. --- */

struct redis_target {
    char *unix_path; /* one of unix_path and host is set */
    char *host;
    int port; /* 1 .. 65535, default 6379 */
    int db;   /* 0 .. 65535 */
    char *user;
    char *password;
};

#define REDIS_TARGET_INIT                                                              \
    {                                                                                  \
        0                                                                              \
    }

/* ERR_CONFIG: not such a URL; the text never repeats a password. */
MUST_CHECK enum err_code
redis_target_parse(const char *url, struct redis_target *ret_target, struct err *e);
void redis_target_release(struct redis_target *t);

/* --- Scripts: made at build time from shared/queue/NAME.lua --- */

struct redis_script {
    const char *name;
    const char *body;   /* for servers before 7 */
    const char *sha1;   /* of body, 40 hex digits */
    const char *body_7; /* with the line "#!lua flags=..." */
    const char *sha1_7;
};

/* --- Commands --- */

/* An argument vector with its own copy of the bytes, which stand there as they are sent: so adding all of another command's,
 * and sending, are one copy each.  Reusable after redis_cmd_clear. */
struct redis_cmd {
    struct buf bytes;     /* $LENGTH CRLF bytes CRLF for each argument */
    size_t count;         /* of arguments */
    size_t content_bytes; /* of the arguments alone: REDIS_CMD_BYTES_MAX at most */
    const struct redis_script *script; /* set: EVALSHA numkeys keys... args... */
    bool failed;                       /* did not fit: sending it is an ERR_NOMEM */
};

enum {
    REDIS_CMD_BYTES_MAX = 1 << 20,
    REDIS_CMD_ARGS_MAX = 16384,
    REDIS_REPLY_BYTES_MAX = 16 << 20
};

void redis_cmd_init(struct redis_cmd *c);
void redis_cmd_release(struct redis_cmd *c);
void redis_cmd_clear(struct redis_cmd *c);
/* Begin a plain command, or the call of a script with numkeys keys. */
void redis_cmd_begin(struct redis_cmd *c, const char *name);
void redis_cmd_begin_script(struct redis_cmd *c, const struct redis_script *s,
                            size_t numkeys);
void redis_cmd_add(struct redis_cmd *c, const void *data, size_t len);
void redis_cmd_add_str(struct redis_cmd *c, const char *s);
void redis_cmd_add_int(struct redis_cmd *c, int64_t n);
void redis_cmd_add_format(struct redis_cmd *c, const char *fmt, ...) PRINTF(2, 3);
/* All arguments of another command. */
void redis_cmd_append(struct redis_cmd *c, const struct redis_cmd *other);
/* One argument made of these strings, up to NULL. */
void redis_cmd_add_parts(struct redis_cmd *c, const char *const *parts);

/* --- Replies: opaque, read through these.  NULL is a value of type NIL. --- */

struct redis_value;
enum redis_type {
    REDIS_NIL,
    REDIS_INTEGER,
    REDIS_STRING,
    REDIS_ARRAY,
    REDIS_STATUS,
    REDIS_ERROR
};

enum redis_type redis_value_type(const struct redis_value *v);
/* An integer, or a string that is a whole decimal number; else 0. */
int64_t redis_value_int(const struct redis_value *v);
/* NUL-terminated; "" when not text.  ret_len may be NULL. */
const char *redis_value_str(const struct redis_value *v, size_t *ret_len);
/* An array: how many elements (else 0), and each of them (NULL past the end). */
size_t redis_value_len(const struct redis_value *v);
const struct redis_value *redis_value_at(const struct redis_value *v, size_t i);
/* ERR_OK unless v is an error reply, which is classed as above. */
MUST_CHECK enum err_code redis_value_error(const struct redis_value *v, struct err *e);

/* --- Blocking connection.  One thread at a time. --- */

struct redis;

struct redis_options {
    struct redis_target target; /* copied */
    int connect_timeout_ms;
    int timeout_ms; /* for one call: all its writes and reads */
};

/* Allocates only; the first call connects.  ERR_NOMEM. */
MUST_CHECK enum err_code redis_open(const struct redis_options *o,
                                    struct redis **ret_redis, struct err *e);
void redis_close(struct redis *r); /* takes NULL */
/* Other time-outs than those of the options, from the next call on. */
void redis_set_timeouts(struct redis *r, int connect_timeout_ms, int timeout_ms);

/* One command; *ret_reply is to be freed with redis_reply_free.  An error reply is an error of the call. */
MUST_CHECK enum err_code redis_call(struct redis *r, const struct redis_cmd *c,
                                    struct redis_value **ret_reply, struct err *e);
/* The same with another deadline, for blocking commands (XREAD BLOCK): wait_ms is added to timeout_ms. */
MUST_CHECK enum err_code redis_call_wait(struct redis *r, const struct redis_cmd *c,
                                         int wait_ms, struct redis_value **ret_reply,
                                         struct err *e);
/* count commands in one write; their replies go to ret_replies[0 .. count), an array of the caller's, each to be freed
 * with redis_reply_free (error replies are given as values, not as an error of the call; but
 * NOSCRIPT is seen to: such commands run again in their order, behind the others).  Not ERR_OK: no reply is given;
 * commands may or may not have run. */
MUST_CHECK enum err_code redis_pipeline(struct redis *r, const struct redis_cmd *cmds,
                                        size_t count, struct redis_value **ret_replies,
                                        struct err *e);
/* One command whose reply is awaited elsewhere, as with epoll: redis_ask connects if it must (within the time-outs) and
 * writes; then redis_answer, whenever redis_fd is readable, until *ret_reply is set (an error reply is an error of the call).
 * No other call between the two.  After anything but ERR_OK no reply comes.  No scripts: a NOSCRIPT is not seen to. */
MUST_CHECK enum err_code redis_ask(struct redis *r, const struct redis_cmd *c,
                                   struct err *e);
MUST_CHECK enum err_code redis_answer(struct redis *r, struct redis_value **ret_reply,
                                      struct err *e);
int redis_fd(const struct redis *r); /* -1: not connected */
/* Hang up; the next call connects anew. */
void redis_disconnect(struct redis *r);
void redis_reply_free(struct redis_value *v); /* takes NULL */

/* Time of the last successful exchange (clock_mono_ms), 0 for never. */
int64_t redis_last_ok_ms(const struct redis *r);
/* How many connections it has made: what was written and what is asked about it went over the same one when this number is
 * the same. */
int64_t redis_connections(const struct redis *r);
/* What the server said of itself when last asked (redis_check.h); belongs to r. */
struct redis_facts;
const struct redis_facts *redis_facts(const struct redis *r);

#endif
