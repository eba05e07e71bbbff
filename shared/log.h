/*
 * log: logfmt lines on standard error, one write(2) each.
 *
 *     log_info("job", "finished", LOG_STR("id", id), LOG_INT("ms", 12));
 *     ts=2026-11-22T14:26:31.123Z level=info at=job msg=finished id=media.0193… ms=12
 *
 * Values that hold anything but plain characters are quoted and escaped: bytes from outside cannot forge a line
 * or move a terminal's cursor.  A line is cut at 4,096 bytes (and then ends in "…").  errno is kept.  When standard
 * error cannot take the line at once (a full disk, a pipe whose reader hangs) it is dropped, and the next line that is
 * taken ends in lines_lost=N: logging neither blocks a program nor ends it.  Secrets are never passed to this module; there is no level that prints them.  Thread-safe.
 */
#ifndef HOIST_SHARED_LOG_H
#define HOIST_SHARED_LOG_H

#include "shared/err.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *key;  /* NULL ends the list; "": left out */
    const char *text; /* NULL: the number is printed */
    int64_t number;
};

#define LOG_STR(k, v) ((struct log_field){.key = (k), .text = log_text(v)})
#define LOG_INT(k, v) ((struct log_field){.key = (k), .number = (int64_t)(v)})
/* Left out where v is NULL. */
#define LOG_MAY(k, v) LOG_STR((v) ? (k) : "", (v))
#define LOG_ERR(e) LOG_STR("error", (e)->text)

/* NULL as the empty text. */
static inline const char *log_text(const char *s)
{
    return s ? s : "";
}

/* The request that this thread answers. */
struct log_request {
    const char *id;
    const char *traceparent; /* NULL: it has none */
};

/* Every line of this thread ends in request=ID traceparent=..., as get(ctx) tells it when there is a line; NULL: no more. */
void log_set_request(struct log_request (*get)(void *ctx), void *ctx);

/* The lowest level that is printed; LOG_INFO at the start. */
void log_set_level(enum log_level level);
bool log_is_on(enum log_level level);

/* "debug" "info" "warn" "error" to a level; false for another word. */
bool log_parse_level(const char *word, enum log_level *ret_level);

/* Where (module), what (a few words), then struct log_field values up to LOG_END.  Use the macros, which add
 * LOG_END. */
void log_line(enum log_level level, const char *at, const char *msg, ...);

#define LOG_END ((struct log_field){.key = NULL})
#define log_debug(at, ...) log_line(LOG_DEBUG, (at), __VA_ARGS__, LOG_END)
#define log_info(at, ...) log_line(LOG_INFO, (at), __VA_ARGS__, LOG_END)
#define log_warn(at, ...) log_line(LOG_WARN, (at), __VA_ARGS__, LOG_END)
#define log_error(at, ...) log_line(LOG_ERROR, (at), __VA_ARGS__, LOG_END)

#endif
