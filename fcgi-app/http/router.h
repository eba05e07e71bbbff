/*
 * router: from method and path to the function that answers.  Pure: one table, looked through from its top.
 *
 *     {METHOD_GET, "v1/jobs/{}", ACCESS_READ, jobs_show}        {} matches any one segment that is not empty
 *
 * HEAD is answered by the GET route (its body is dropped by response_send), OPTIONS by the caller from ret_allowed.
 */
#ifndef HOIST_FCGI_ROUTER_H
#define HOIST_FCGI_ROUTER_H

#include "fcgi-app/auth/access.h"
#include "fcgi-app/http/request.h"

struct exchange;

struct route {
    enum request_method method;
    const char *pattern;     /* segments without the first '/' */
    enum access_scope scope; /* what the client must have */
    void (*answer)(struct exchange *x);
};

/* The route for r, or NULL; *ret_allowed is the set of methods its path has: 0 means no such path (404), else 405.
 * GET brings HEAD, any method brings OPTIONS. */
const struct route *router_find(const struct route *routes, size_t count,
                                const struct request *r, unsigned *ret_allowed);

/* "GET, HEAD, OPTIONS": the value of an Allow header. */
void router_format_allowed(unsigned allowed, struct buf *b);

#endif
