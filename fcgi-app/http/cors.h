/*
 * cors: what a request says of the web page behind it: whether its script may read the answer, and whether it may ask at
 * all.  Pure.
 *
 *     Host       not a name of ours                    --> 403 foreign-host: DNS rebinding
 *     Origin     of another page, not in cors_origins  --> 403 foreign-origin for what changes something (CSRF);
 *                                                          else answered without a CORS header, so that it cannot be read
 *                listed                                --> answered with Access-Control-Allow-Origin, errors too
 *     OPTIONS with Access-Control-Request-Method       --> a preflight: answered without asking who it is (cors_answer)
 *
 * A browser says where a page is from in everything that may change something, so that the rule holds whatever else the
 * request brings: a token, a policy or nothing.  Programs that are no browsers send no Origin, and are not concerned.
 * Where nobody has to say who he is (no [auth]), any page that the operator looks at could reach the service: then only
 * addresses, localhost and [http] hosts are its names.
 *
 * Never Access-Control-Allow-Credentials: cookies mean nothing here.  Sources: the Fetch standard (section 3.3, CORS protocol),
 * Fetch Metadata (Sec-Fetch-Site).
 */
#ifndef HOIST_FCGI_CORS_H
#define HOIST_FCGI_CORS_H

#include "fcgi-app/http/request.h"
#include "fcgi-app/http/response.h"
#include "shared/config.h"

enum { CORS_HEADERS_MAX = 1024 }; /* bytes of Access-Control-Request-Headers */

struct cors {
    const char *origin;  /* of the page that may read the answer; NULL: of none */
    const char *headers; /* of a preflight: which ones it asks for; "" */
    bool is_preflight;
};

/* guarded: who asks has to say who he is.  ret->origin is within r's parameters, and told whatever is returned.
 * PROBLEM_FOREIGN_HOST, PROBLEM_FOREIGN_ORIGIN; PROBLEM_BAD_REQUEST: Origin or Host twice */
enum problem cors_check(const struct config_http *http, bool guarded,
                        const struct request *r, struct cors *ret, struct err *e);

/* What a preflight is answered; allowed: the methods of its path, not 0. */
void cors_answer(const struct cors *c, unsigned allowed, struct response *r);

#endif
