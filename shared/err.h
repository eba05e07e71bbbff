/*
 * err: the one error type of hoist.
 *
 * A code tells the program what to do next; the text tells a person what happened.  The text travels with the
 * code up to the top of the program, which logs it once: library code neither logs above debug nor exits.
 *
 *     if (open(...) < 0)
 *         return err_errno(e, ERR_RETRY, "spool: open %s", path);
 *
 * A function that can fail is `MUST_CHECK enum err_code f(..., struct err *e)`.  On failure its out-parameters
 * are untouched and *e is set.  On success *e is untouched.
 */
#ifndef HOIST_SHARED_ERR_H
#define HOIST_SHARED_ERR_H

#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum err_code {
    ERR_OK = 0,
    ERR_RETRY,  /* transient: the same call may succeed later */
    ERR_REJECT, /* the input is at fault: never try again */
    ERR_CONFIG, /* an operator must act (settings, rights, disk) before it can succeed */
    ERR_NOMEM   /* memory is short; the caller gives up this piece of work, and frees */
};

struct err {
    enum err_code code;
    char text[256]; /* NUL-terminated, not cut inside an escape, no line breaks */
    int os_errno;   /* the errno behind it, where err_errno set it; else 0 */
};

#define ERR_INIT                                                                       \
    {                                                                                  \
        ERR_OK, {0}, 0                                                                 \
    }

/* Set code and text; returns the code, so that `return err_set(...)` is one line. */
enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...)
    PRINTF(3, 4);

/* The same, with ": " and the text of errno appended, and os_errno set.  errno is kept. */
enum err_code err_errno(struct err *e, enum err_code code, const char *fmt, ...)
    PRINTF(3, 4);

/* Put "where: " in front of the text that is there; returns e->code.  os_errno stays. */
enum err_code err_prefix(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/* "ok", "retry", "reject", "config", "nomem": the code as a word for logs. */
const char *err_code_name(enum err_code code);

#endif
