#include "fcgi-app/auth/access.h"

#include "fcgi-app/auth/bearer.h"
#include "fcgi-app/http/exchange.h"
#include "fcgi-app/auth/policies.h"
#include "shared/job.h"

#include <stdio.h>
#include <string.h>

static const char *const scope_names[] = {"upload", "read", "admin", "metrics"};
static const char challenge[] = "Bearer realm=\"hoist\"";

/* --- Who --- */

void access_set(struct exchange *x, const struct access *a)
{
    x->access = *a;
    x->batch.owner = a->name;
    x->batch.limit_bytes = a->max_bytes;
    x->batch.policy = a->policy;
}

static enum problem identify_local(struct exchange *x, struct err *e)
{
    if (!bearer_is_local(request_param(&x->request, "REMOTE_ADDR")))
        return problem_set(e, PROBLEM_FORBIDDEN,
                           "only clients on the server itself are served until the "
                           "operator configures an [auth NAME] section with a token");
    access_set(x,
               &(struct access){.scopes = ACCESS_UPLOAD | ACCESS_READ | ACCESS_ADMIN |
                                          ACCESS_METRICS | ACCESS_SEND | ACCESS_LOOK,
                                .queues = UINT64_MAX,
                                .destinations = UINT64_MAX});
    return PROBLEM_NONE;
}

struct access access_of(const struct config_auth *auth)
{
    unsigned parts = (auth->scope_bits & ACCESS_UPLOAD ? ACCESS_SEND : 0) |
                     (auth->scope_bits & ACCESS_READ ? ACCESS_LOOK : 0);
    if (auth->scope_bits & ACCESS_READ && auth->queue_bits == UINT64_MAX)
        parts |= ACCESS_METRICS; /* they tell of all queues */
    return (struct access){.name = auth->name,
                           .auth = auth,
                           .scopes = auth->scope_bits | parts,
                           .queues = auth->queue_bits,
                           .destinations = auth->destination_bits,
                           .max_bytes = auth->max_bytes};
}

static enum problem identify_token(struct exchange *x, struct err *e)
{
    const char *header = request_param(&x->request, "HTTP_AUTHORIZATION"), *token;
    unsigned char hash[DIGEST_SHA256_BYTES];
    size_t len;
    switch (bearer_parse(header, &token, &len)) {
    case BEARER_NONE:
        return problem_set(e, PROBLEM_UNAUTHORIZED,
                           "a token is wanted, as Authorization: Bearer TOKEN");
    case BEARER_OTHER:
        return problem_set(e, PROBLEM_UNAUTHORIZED,
                           "Authorization: the scheme Bearer is wanted");
    case BEARER_BROKEN:
        return problem_set(e, PROBLEM_UNAUTHORIZED, "the token is not valid");
    case BEARER_TOKEN:
        break;
    }
    if (digest_sha256_init(&x->token_digest, e))
        return PROBLEM_INTERNAL;
    digest_sha256_update(&x->token_digest, token, len);
    if (digest_sha256_final(&x->token_digest, hash, e))
        return PROBLEM_INTERNAL;
    const struct config_auth *auth = bearer_find(x->app->config, hash);
    if (!auth)
        return problem_set(e, PROBLEM_UNAUTHORIZED, "the token is not valid");
    const struct access a = access_of(auth);
    access_set(x, &a);
    return PROBLEM_NONE;
}

static enum problem identify(struct exchange *x, struct err *e)
{
    struct request_text policy;
    bool has_token = request_param(&x->request, "HTTP_AUTHORIZATION") != NULL;
    enum problem p = policies_find(&x->request, &policy, e);
    if (p)
        return p;
    if (policy.s && has_token)
        return problem_set(e, PROBLEM_BAD_REQUEST,
                           "a token and a policy: one of the two is wanted");
    if (policy.s)
        return policies_verify(x, &policy, e);
    if (x->app->config->auth_count == 0)
        return identify_local(x, e);
    if (!has_token && policies_may_come(x)) {
        /* Whose key it is must be known before the form is read. */
        if (x->request.headers[REQUEST_IDEMPOTENCY_KEY])
            return problem_set(e, PROBLEM_UNAUTHORIZED,
                               "with an Idempotency-Key a token is wanted, or a policy "
                               "in the query or in X-Hoist-Policy");
        access_set(x, &(struct access){.scopes = ACCESS_SEND, .awaits_policy = true});
        return PROBLEM_NONE;
    }
    return identify_token(x, e);
}

enum problem access_identify(struct exchange *x, struct err *e)
{
    access_set(x, &(struct access){.name = NULL});
    if (request_query(&x->request, "access_token"))
        return problem_set(
            e, PROBLEM_BAD_REQUEST,
            "access_token: a token is taken from the Authorization header "
            "alone; this one has been seen by logs and is to be replaced");
    return identify(x, e);
}

enum problem access_require(const struct access *a, enum access_scope scope,
                            struct err *e)
{
    if (scope == ACCESS_OPEN || a->scopes & scope)
        return PROBLEM_NONE;
    if (a->policy || a->awaits_policy)
        return problem_set(e, a->policy ? PROBLEM_FORBIDDEN : PROBLEM_UNAUTHORIZED,
                           "a policy is for uploads, and for looking at their jobs");
    unsigned whole = scope == ACCESS_SEND   ? ACCESS_UPLOAD
                     : scope == ACCESS_LOOK ? ACCESS_READ
                                            : scope;
    for (unsigned i = 0; i < sizeof scope_names / sizeof scope_names[0]; i++)
        if (whole == 1U << i)
            return problem_set(e, PROBLEM_FORBIDDEN, "the scope %s is needed",
                               scope_names[i]);
    return problem_set(e, PROBLEM_FORBIDDEN, "nobody may");
}

void access_refuse(struct exchange *x, enum problem p, const struct err *e)
{
    const char *authorization = request_param(&x->request, "HTTP_AUTHORIZATION");
    exchange_refuse(x, p, e);
    char text[96];
    const char *error = NULL;
    if (p == PROBLEM_UNAUTHORIZED && authorization && *authorization)
        error = "invalid_token";
    else if (p == PROBLEM_BAD_REQUEST)
        error = "invalid_request";
    else if (p == PROBLEM_FORBIDDEN && x->access.auth)
        error = "insufficient_scope";
    else if (p != PROBLEM_UNAUTHORIZED)
        return;
    (void)snprintf(text, sizeof text, error ? "%s, error=\"%s\"" : "%s", challenge,
                   error);
    response_header(&x->response, "WWW-Authenticate", text);
}

/* --- What --- */

bool access_may_use_queue(const struct access *a, const struct config *config,
                          const struct config_queue *queue)
{
    return a->queues >> (queue - config->queues) & 1;
}

bool access_may_use_destinations(const struct access *a, const struct config *config,
                                 const char *to)
{
    if (a->destinations == UINT64_MAX)
        return true;
    do {
        size_t len = strcspn(to, ",");
        const struct config_destination *d = config_find_destination(config, to, len);
        if (!d || !(a->destinations >> (d - config->destinations) & 1))
            return false;
        to += len;
    } while (*to++ == ',');
    return true;
}

enum problem access_check_queue(const struct access *a, const struct config *config,
                                const struct config_queue *queue, struct err *e)
{
    return access_may_use_queue(a, config, queue)
               ? PROBLEM_NONE
               : problem_set(e, PROBLEM_FORBIDDEN, "queue: this token may not use %s",
                             queue->name);
}

enum problem access_may_use(const struct access *a, const struct config *config,
                            const struct config_queue *queue, const char *to,
                            struct err *e)
{
    if (access_check_queue(a, config, queue, e))
        return PROBLEM_FORBIDDEN;
    if (!access_may_use_destinations(a, config, to))
        return problem_set(e, PROBLEM_FORBIDDEN, "to: this token may not use %.64s",
                           to);
    return PROBLEM_NONE;
}

bool access_may_see_all(const struct access *a, const struct config *config,
                        const struct config_queue *queue)
{
    if (!(a->scopes & ACCESS_ADMIN))
        return false;
    return a->queues == UINT64_MAX || (queue && access_may_use_queue(a, config, queue));
}

bool access_may_see_owner(const struct access *a, const struct config *config,
                          const struct config_queue *queue, const char *owner)
{
    const char *mine = a->policy ? a->policy->id : a->name;
    return (mine && owner && strcmp(mine, owner) == 0) ||
           access_may_see_all(a, config, queue);
}

const char *access_owner_field(const struct access *a)
{
    return a->policy ? "policy" : "owner";
}

bool access_may_see(const struct access *a, const struct config *config,
                    const struct job *j)
{
    return access_may_see_owner(
        a, config, config_find_queue(config, j->id.queue, strlen(j->id.queue)),
        a->policy ? j->policy : j->owner);
}

const char *access_name(const struct access *a)
{
    if (a->policy)
        return a->policy->id;
    return a->name ? a->name : "";
}

int64_t access_max_bytes(const struct access *a, const struct config_queue *queue)
{
    return a->max_bytes > 0 && a->max_bytes < queue->max_bytes ? a->max_bytes
                                                               : queue->max_bytes;
}
