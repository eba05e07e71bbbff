/*
 * body: the small JSON body of a request that steers something.
 */
#ifndef HOIST_FCGI_BODY_H
#define HOIST_FCGI_BODY_H

#include "fcgi-app/http/exchange.h"
#include "shared/json_flat.h"

enum { BODY_MAX = 8 * 1024 };

/*
 * Read the request's body, at most BODY_MAX bytes, as a flat JSON object; no body is an empty object.  Every member must
 * be one of names (NULL-terminated; NULL: the caller sees to that).
 * PROBLEM_MEDIA_TYPE    it is not application/json
 * PROBLEM_BAD_REQUEST   it is no such object;  PROBLEM_INCOMPLETE, PROBLEM_TOO_LARGE
 * PROBLEM_BAD_VALUE     a member that is not known
 * PROBLEM_DIGEST        it is not what a digest in the request says (ingest.h)
 * PROBLEM_UNAVAILABLE   this thread may not wait for a body
 */
enum problem body_read(struct exchange *x, const char *const *names,
                       struct json_flat *ret, struct err *e);

/* The text of a member; PROBLEM_BAD_VALUE when it is there and is no text; *ret NULL when it is not there. */
enum problem body_text(const struct json_flat *j, const char *name, const char **ret,
                       struct err *e);

/* The queue that its member "queue" names: *ret NULL when it names none.  PROBLEM_UNKNOWN_QUEUE when it is not configured,
 * PROBLEM_FORBIDDEN when the client may not use it; else as body_text. */
enum problem body_find_queue(struct exchange *x, const struct json_flat *j,
                             const struct config_queue **ret, struct err *e);

#endif
