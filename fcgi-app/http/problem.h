/*
 * problem: everything a request can be refused for, as one table (RFC 9457).
 *
 * A function that reads a request returns an enum problem: PROBLEM_NONE, or why the client is refused, with the detail
 * for people in e->text.  The type URI ("urn:hoist:problem:too-large") is stable: programs may compare it.
 */
#ifndef HOIST_FCGI_PROBLEM_H
#define HOIST_FCGI_PROBLEM_H

#include "shared/err.h"

enum problem {
    PROBLEM_NONE,
    PROBLEM_BAD_REQUEST, /* 400: cannot be understood */
    PROBLEM_BAD_FORM,    /* 400: multipart/form-data that is not */
    PROBLEM_BAD_OPTION, /* 400: an option that does not exist, is given twice, or whose value is wrong */
    PROBLEM_EMPTY,  /* 400: no file where one is needed */
    PROBLEM_DIGEST, /* 400: the bytes are not those whose digest was given */
    PROBLEM_INCOMPLETE, /* 400: the body is not as long as was said, or its sender went away */
    PROBLEM_UNAUTHORIZED, /* 401: no token, or one that nobody has (access.h) */
    PROBLEM_FORBIDDEN,    /* 403: known, but not allowed to */
    PROBLEM_POLICY,      /* 403: a signed policy is not valid, or does not allow this */
    PROBLEM_POLICY_USED, /* 409: it was good for one upload, which has been made */
    PROBLEM_FOREIGN_ORIGIN, /* 403: a web page of another origin would change something */
    PROBLEM_FOREIGN_HOST,   /* 403: called by a name that is not ours */
    PROBLEM_NOT_FOUND,      /* 404: no such path */
    PROBLEM_NO_JOB,         /* 404: no such job, or not an id at all */
    PROBLEM_NO_QUEUE,       /* 404: the path names a queue that is not configured */
    PROBLEM_NO_BATCH,       /* 404: no such batch, or not a uuid at all */
    PROBLEM_NO_WORKER,     /* 404: no such worker, or it was not heard of for a while */
    PROBLEM_METHOD,        /* 405 */
    PROBLEM_CONFLICT,      /* 409: the job is in a state where that cannot be */
    PROBLEM_KEY_IN_FLIGHT, /* 409: another request with this Idempotency-Key is under way */
    PROBLEM_KEY_REUSED, /* 422: another request was made with this Idempotency-Key */
    PROBLEM_URI_LONG,   /* 414 */
    PROBLEM_ENCODING,   /* 415: a Content-Encoding other than identity */
    PROBLEM_HEAD_LONG,  /* 431 */
    PROBLEM_DUPLICATE,  /* 409: another job has the unique key; Location is that job */
    PROBLEM_NO_LENGTH,  /* 411: by CGI alone */
    PROBLEM_TOO_LARGE,  /* 413: a file, or a part of a form, over its limit */
    PROBLEM_MEDIA_TYPE, /* 415: a body that is wanted as JSON, and is not */
    PROBLEM_TYPE, /* 415: a file of a type that its queue or destination does not allow */
    PROBLEM_BAD_VALUE, /* 422: a value of group, after, unique ..., or a member of a JSON body, that cannot be */
    PROBLEM_UNKNOWN_QUEUE,       /* 422 */
    PROBLEM_UNKNOWN_DESTINATION, /* 422 */
    PROBLEM_UNKNOWN_CONVERTER,   /* 422 */
    PROBLEM_SOURCE_REFUSED, /* 422: a URL or command that may not be the source of a job */
    PROBLEM_CALLBACK_REFUSED, /* 422: a URL that may not be called */
    PROBLEM_QUOTA,            /* 429: more than the client may have now (quota.h) */
    PROBLEM_INTERNAL,    /* 500: out of memory, or a setting an operator must mend */
    PROBLEM_UNAVAILABLE, /* 503: spool or Redis cannot now */
    PROBLEM_QUEUE_FULL,  /* 503: the queue's max_length or max_bytes is reached */
    PROBLEM_FULL         /* 507: no space left in the spool */
};

struct problem_row {
    int status;
    const char *type;  /* after "urn:hoist:problem:" */
    const char *title; /* the same for every occurrence */
    int retry_after;   /* seconds; 0: no Retry-After header */
};

/* Never for PROBLEM_NONE. */
const struct problem_row *problem_row(enum problem p);

/* Set the text and return p, so that `return problem_set(...)` is one line. */
enum problem problem_set(struct err *e, enum problem p, const char *fmt, ...)
    PRINTF(3, 4);

#endif
