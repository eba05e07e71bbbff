/*
 * redis_internal: what redis.c (blocking) and redis_async.c (on a loop) have in common.  For redis*.c only.
 *
 *     redis_cmd --encode--> out -> socket -> hiredis' reader -> struct redis_value
 *
 * hiredis gives the reply parser and nothing else: its connections are not CLOEXEC, resolve names without a deadline,
 * and its asynchronous half frees itself while its callbacks run.  The socket, the deadlines and the order of
 * commands are ours.  redis_link.c is the one file that includes it.
 */
#ifndef HOIST_SHARED_REDIS_INTERNAL_H
#define HOIST_SHARED_REDIS_INTERNAL_H

#include "shared/redis.h"
#include "shared/redis_check.h"

#include <stdbool.h>
#include <sys/socket.h>

struct sockaddr_un;
struct redis_lookup;

/* --- Targets --- */

bool redis_target_copy(const struct redis_target *t, struct redis_target *ret);
/* The address of a target with a unix_path; false when that is too long for one. */
bool redis_unix_address(const struct redis_target *t, struct sockaddr_un *ret);

/* --- Values: a tree on the heap, built by the parser; text and items stand behind their value, in its piece of memory --- */

struct redis_value {
    enum redis_type type;
    int64_t integer;
    char *text;                 /* text and errors; NUL-terminated */
    size_t len;                 /* of text */
    struct redis_value **items; /* owned each; NULL for one that has not come yet */
    size_t count;
};

/* What an error reply asks of the caller, by its first word. */
enum err_code redis_error_class(const char *text, size_t len);
bool redis_value_is_error(const struct redis_value *v, const char *word);
/* An error after which the connection is of no use. */
bool redis_value_is_closing(const struct redis_value *v);

/* --- Commands --- */

/* Append the request to out; false when it does not fit, or the command has failed before. */
bool redis_cmd_encode(const struct redis_cmd *c, bool is_7, struct buf *out);
bool redis_cmd_copy(const struct redis_cmd *c, struct redis_cmd *ret);
void redis_cmd_load(struct redis_cmd *c, const struct redis_script *s, bool is_7);

/* --- Handshake: AUTH (when there is a password), SELECT (when not 0), INFO; in this order --- */

enum { REDIS_HANDSHAKE_MAX = 3 };
/* Fills cmds (initialised by this call) and returns how many; the last one is INFO. */
size_t redis_handshake_cmds(const struct redis_target *t,
                            struct redis_cmd cmds[static REDIS_HANDSHAKE_MAX]);
/* The last of them alone, for a connection that stands; initialised by this call. */
void redis_info_cmd(struct redis_cmd *c);
/* A reply to one of them; facts is NULL for AUTH and SELECT, and filled in by INFO.  Errors of AUTH and SELECT that are not
 * transient are ERR_CONFIG, and so is a server that is refused (redis_check.h).  An INFO that is not permitted is no error:
 * nothing is known then. */
MUST_CHECK enum err_code redis_handshake_reply(const struct redis_value *v,
                                               struct redis_facts *facts,
                                               struct err *e);

/* --- Link: one socket, never blocking --- */

enum { REDIS_LINK_OUT_MAX = 32 << 20 };

struct redis_link {
    int fd;         /* -1: closed */
    void *reader;   /* hiredis */
    size_t fed;     /* bytes of the reply that is under way */
    size_t memory;  /* of the values built for it */
    struct buf out; /* requests not written yet */
    size_t written; /* of out */
    bool is_7;      /* server 7 or later: scripts with flags */
};

/* Not connected; owns nothing. */
void redis_link_init(struct redis_link *l);
/* Begin to connect (CLOEXEC, non-blocking, TCP_NODELAY and keepalive on TCP).  *ret_pending: wait until writable, then
 * redis_link_connected. */
MUST_CHECK enum err_code redis_link_open(struct redis_link *l,
                                         const struct sockaddr *to, socklen_t len,
                                         bool *ret_pending, struct err *e);
MUST_CHECK enum err_code redis_link_connected(struct redis_link *l, struct err *e);
/* Takes a closed one; leaves it closed and empty. */
void redis_link_close(struct redis_link *l);

MUST_CHECK enum err_code redis_link_queue(struct redis_link *l,
                                          const struct redis_cmd *c, struct err *e);
bool redis_link_has_out(const struct redis_link *l);
/* Write what the socket takes now. */
MUST_CHECK enum err_code redis_link_write(struct redis_link *l, struct err *e);
/* Read what is there now, at most 64 KiB; nothing there is no error. */
MUST_CHECK enum err_code redis_link_read(struct redis_link *l, struct err *e);
/* The next whole reply (caller frees), or NULL when it has not come yet.  A reply that is no RESP2, or larger than
 * REDIS_REPLY_BYTES_MAX, is ERR_RETRY: the link is then to be closed. */
MUST_CHECK enum err_code redis_link_next(struct redis_link *l, struct redis_value **ret,
                                         struct err *e);

/* --- The blocking connection: redis.c and redis_ask.c --- */

struct redis {
    struct redis_target target;
    int connect_timeout_ms, timeout_ms;
    struct redis_link link;
    struct redis_lookup *lookup;
    int64_t last_ok_ms, connections;
    struct redis_facts facts;
    int64_t facts_ms; /* when it told them */
};

/* One that can be used: the one there is, or a new one. */
MUST_CHECK enum err_code redis_connect_if_needed(struct redis *r, struct err *e);

#endif
