/*
 * access: who asks, and what they may do.  Every route but the health checks goes through it, in this order:
 *
 *     access_identify    once for each request, before its route: fills x->access, or refuses
 *           |                no [auth] configured          REMOTE_ADDR is this machine: all scopes; else 403
 *           |                Authorization: Bearer TOKEN   the [auth NAME] that has it; none: 401
 *           |                a signed policy (policies.h)  what it allows of the rights of the section that signed it;
 *           |                                              one that a form brings is looked at when it comes
 *     access_require     the scope that stands in the route's row (router.h): else 403
 *           |
 *     the route          access_may_use: queue and destinations of a job that is to be made: else 403
 *                        access_may_see: a job, else it is answered as one that nobody has
 *
 * What a client may see: the jobs whose `owner` (in manifest and record) is the name of its section; with scope admin all
 * jobs of the queues it may use.  job_store_id asks this for every route that names a job, before anything is read of it
 * for the client, and takes the same way for a job that nobody has.
 *
 * Who came with a policy sees the jobs that were made with the same one, and nothing else of its owner.
 *
 * Anything that a client chooses and that stands for something of its own (a key of a cache, say) is to be kept by
 * access_name together with it, or two clients would meet there.
 *
 * A token is taken from the Authorization header alone: one in the query would stand in logs and histories; a request with
 * `access_token` there is refused.  What proxies say of the client's address (X-Forwarded-For) is not believed, and headers
 * that would change the method are not read.
 *
 * struct access holds no memory of its own; it points into the configuration.  It belongs to the exchange's thread.
 */
#ifndef HOIST_FCGI_ACCESS_H
#define HOIST_FCGI_ACCESS_H

#include "fcgi-app/http/problem.h"
#include "shared/config.h"

#include <stdbool.h>
#include <stdint.h>

struct exchange;
struct job;
struct policy;

/* What a route asks for; each row of the table has one.  0 is none, so that a row without one lets nobody in. */
enum access_scope {
    ACCESS_UPLOAD = CONFIG_SCOPE_UPLOAD,
    ACCESS_READ = CONFIG_SCOPE_READ,
    ACCESS_ADMIN = CONFIG_SCOPE_ADMIN,
    ACCESS_METRICS = CONFIG_SCOPE_METRICS,
    ACCESS_OPEN = 64, /* of a route: everybody, known or not */
    /* Parts of upload and read, which is all that a policy brings. */
    ACCESS_SEND = 16, /* upload bytes */
    ACCESS_LOOK = 32  /* look at one job */
};

struct access {
    const char *name; /* of the section; owner of what is made; NULL: of nobody */
    const struct config_auth *auth; /* whose quotas count; NULL: none do */
    unsigned scopes;                /* bits of enum access_scope */
    uint64_t queues,
        destinations;            /* that may be used: bits by place in struct config */
    int64_t max_bytes;           /* of one file, besides the queue's; 0: no limit */
    const struct policy *policy; /* by which it was let in; NULL: by none */
    bool awaits_policy; /* a form that must bring one: until then it may nothing */
};

/* Fill in x->access.
 * PROBLEM_UNAUTHORIZED   no token, or one that nobody has
 * PROBLEM_FORBIDDEN      there is no [auth], and the client is not on this machine
 * PROBLEM_POLICY         a policy that is not valid
 * PROBLEM_BAD_REQUEST    a token in the query; a token and a policy
 * PROBLEM_INTERNAL       no memory */
enum problem access_identify(struct exchange *x, struct err *e);

/* The client is known to be this one: for whoever finds out in another way.  Also tells x->batch whose jobs it makes. */
void access_set(struct exchange *x, const struct access *a);

/* PROBLEM_FORBIDDEN: the scope is not among those of the client. */
enum problem access_require(const struct access *a, enum access_scope scope,
                            struct err *e);

/* What this section may. */
struct access access_of(const struct config_auth *auth);

/* Answer with what one of these two said, with the challenge of RFC 6750 section 3. */
void access_refuse(struct exchange *x, enum problem p, const struct err *e);

/* queue is one of config. */
bool access_may_use_queue(const struct access *a, const struct config *config,
                          const struct config_queue *queue);
/* to: destinations as to_list.h writes them; one that is not configured may be used by nobody but those who may use all. */
bool access_may_use_destinations(const struct access *a, const struct config *config,
                                 const char *to);
/* The first one, as an answer: PROBLEM_FORBIDDEN. */
enum problem access_check_queue(const struct access *a, const struct config *config,
                                const struct config_queue *queue, struct err *e);
/* Both, for a job that is to be made.  PROBLEM_FORBIDDEN says which. */
enum problem access_may_use(const struct access *a, const struct config *config,
                            const struct config_queue *queue, const char *to,
                            struct err *e);

/* Whether all jobs of the queue (NULL: one that is not configured any more) may be seen, whoever made them. */
bool access_may_see_all(const struct access *a, const struct config *config,
                        const struct config_queue *queue);
/* The field of a job that says whether it is the client's: its owner, or the policy that it came with. */
const char *access_owner_field(const struct access *a);
/* A job with this in that field (NULL: nothing) in this queue (NULL: one that is not configured any more). */
bool access_may_see_owner(const struct access *a, const struct config *config,
                          const struct config_queue *queue, const char *owner);
bool access_may_see(const struct access *a, const struct config *config,
                    const struct job *j);

/* The owner as text, "" for nobody, the policy's id for who came with one: a name space for what clients choose. */
const char *access_name(const struct access *a);

/* The smaller of the queue's and the client's limit. */
int64_t access_max_bytes(const struct access *a, const struct config_queue *queue);

#endif
