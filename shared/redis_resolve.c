#include "shared/redis_resolve.h"

#include "shared/cleanup.h"
#include "shared/clock.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct redis_lookup {
    struct gaicb request;
    struct addrinfo hints;
    char *host;
    char service[8];
};

static void free_lookup(struct redis_lookup *l)
{
    if (l->request.ar_result)
        freeaddrinfo(l->request.ar_result);
    free(l->host);
    free(l);
}

/* NULL: it did not begin, and e says why. */
static struct redis_lookup *begin(const struct redis_target *t, struct err *e)
{
    struct redis_lookup *l = calloc(1, sizeof *l);
    struct gaicb *list[1];

    if (!l || !(l->host = strdup(t->host))) {
        free(l);
        (void)err_set(e, ERR_NOMEM, "redis: no memory to look up a host");
        return NULL;
    }
    (void)snprintf(l->service, sizeof l->service, "%d", t->port); /* at most 65535 */
    l->hints = (struct addrinfo){.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    l->request.ar_name = l->host;
    l->request.ar_service = l->service;
    l->request.ar_request = &l->hints;
    list[0] = &l->request;
    if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) != 0) {
        free_lookup(l);
        (void)err_set(e, ERR_RETRY, "redis: cannot begin to look up %s", t->host);
        return NULL;
    }
    return l;
}

static bool has_ended(struct redis_lookup *l, int64_t deadline_ms)
{
    const struct gaicb *list[1] = {&l->request};

    for (;;) {
        if (gai_error(&l->request) != EAI_INPROGRESS)
            return true;
        int64_t left = deadline_ms - clock_mono_ms();
        if (left <= 0)
            return false;
        struct timespec limit = {.tv_sec = left / 1000,
                                 .tv_nsec = left % 1000 * 1000000};
        (void)gai_suspend(list, 1, &limit); /* what it says is asked again above */
    }
}

static enum err_code numeric(const struct redis_target *t, struct addrinfo **ret)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    char service[8];

    (void)snprintf(service, sizeof service, "%d", t->port); /* at most 65535 */
    return getaddrinfo(t->host, service, &hints, ret) == 0 ? ERR_OK : ERR_REJECT;
}

enum err_code redis_resolve(const struct redis_target *t, struct redis_lookup **lookup,
                            int64_t deadline_ms, struct addrinfo **ret, struct err *e)
{
    if (numeric(t, ret) == ERR_OK)
        return ERR_OK;
    if (!*lookup && !(*lookup = begin(t, e)))
        return e->code;
    if (!has_ended(*lookup, deadline_ms))
        return err_set(e, ERR_RETRY, "redis: looking up %s takes too long", t->host);
    struct redis_lookup *l = TAKE(*lookup);
    int rc = gai_error(&l->request);
    if (rc == 0)
        *ret = TAKE(l->request.ar_result);
    free_lookup(l);
    return rc == 0 ? ERR_OK
                   : err_set(e, ERR_RETRY, "redis: look up %s: %s", t->host,
                             gai_strerror(rc));
}

void redis_lookup_free(struct redis_lookup *l)
{
    if (!l)
        return;
    /* A look-up that cannot be cancelled any more is still written to by the C library: it is left to it. */
    if (gai_cancel(&l->request) != EAI_NOTCANCELED || has_ended(l, 0))
        free_lookup(l);
}
