#include "shared/redis_async_internal.h"

#include "shared/clock.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/un.h>

/* --- Attempts --- */

static void on_poll_closed(uv_handle_t *h)
{
    struct redis_async *r = h->data;

    free(h);
    redis_async_handle_ended(r);
}

void redis_async_drop_link(struct redis_async *r)
{
    if (r->poll) {
        uv_close((uv_handle_t *)r->poll, on_poll_closed);
        r->poll = NULL;
    }
    r->poll_events = 0;
    redis_link_close(&r->link);
    r->state = LINK_WAITING;
}

static void on_retry(uv_timer_t *t)
{
    redis_async_attempt(t->data);
}

/* Full jitter: anything from 0 to the limit, which doubles with every failure. */
void redis_async_attempt_later(struct redis_async *r)
{
    uint64_t limit = REDIS_BACKOFF_MIN_MS;
    uint32_t random = 0;

    for (unsigned i = 1; i < r->attempts && limit < REDIS_BACKOFF_MAX_MS; i++)
        limit *= 2;
    if (limit > REDIS_BACKOFF_MAX_MS)
        limit = REDIS_BACKOFF_MAX_MS;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        random = (uint32_t)clock_mono_us();
    (void)uv_timer_start(&r->timer, on_retry, random % (limit + 1), 0);
}

static void on_attempt_deadline(uv_timer_t *t)
{
    struct redis_async *r = t->data;
    struct err e = ERR_INIT;

    (void)err_set(&e, ERR_RETRY, "redis: no connection in time");
    redis_async_lose(r, &e);
}

static void connect_to(struct redis_async *r, const struct sockaddr *to, socklen_t len)
{
    struct err e = ERR_INIT;
    bool pending;

    if (redis_link_open(&r->link, to, len, &pending, &e) != ERR_OK) {
        redis_async_lose(r, &e);
        return;
    }
    uv_poll_t *p = malloc(sizeof *p);
    if (!p || uv_poll_init(r->loop, p, r->link.fd) < 0) {
        free(p);
        (void)err_set(&e, ERR_NOMEM, "redis: cannot watch a connection");
        redis_async_lose(r, &e);
        return;
    }
    p->data = r;
    r->poll = p;
    r->handles++;
    r->state = LINK_CONNECTING;
    redis_async_watch(r, UV_WRITABLE); /* one that stands already is writable at once */
}

/* Each attempt takes the next of the addresses: one of them may be dead. */
static const struct addrinfo *choose(struct redis_async *r, const struct addrinfo *list)
{
    unsigned count = 0;

    for (const struct addrinfo *a = list; a; a = a->ai_next)
        count++;
    if (count == 0)
        return NULL;
    for (unsigned skip = r->next_address++ % count; skip > 0; skip--)
        list = list->ai_next;
    return list;
}

static void on_lookup(uv_getaddrinfo_t *q, int status, struct addrinfo *list)
{
    struct redis_async *r = q->data;
    struct err e = ERR_INIT;

    r->is_looking_up = false;
    if (r->closing) {
        redis_async_deliver_soon(r);
    } else if (r->state == LINK_RESOLVING) {
        const struct addrinfo *a = status == 0 ? choose(r, list) : NULL;
        if (a) {
            connect_to(r, a->ai_addr, a->ai_addrlen);
        } else {
            (void)err_set(&e, ERR_RETRY, "redis: look up %s: %s", r->target.host,
                          status < 0 ? uv_strerror(status) : "no address");
            redis_async_lose(r, &e);
        }
    }
    uv_freeaddrinfo(list); /* takes NULL */
}

static void look_up(struct redis_async *r)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct err e = ERR_INIT;
    char port[8];

    r->state = LINK_RESOLVING;
    if (r->is_looking_up)
        return; /* that of an attempt which ran out of time serves this one */
    (void)snprintf(port, sizeof port, "%d", r->target.port); /* at most 65535 */
    int rc =
        uv_getaddrinfo(r->loop, &r->lookup, on_lookup, r->target.host, port, &hints);
    if (rc < 0) {
        (void)err_set(&e, ERR_RETRY, "redis: look up %s: %s", r->target.host,
                      uv_strerror(rc));
        redis_async_lose(r, &e);
        return;
    }
    r->is_looking_up = true;
}

void redis_async_attempt(struct redis_async *r)
{
    struct sockaddr_un local;
    struct sockaddr_in ip4;
    struct sockaddr_in6 ip6;

    r->attempts++;
    (void)uv_timer_start(&r->timer, on_attempt_deadline,
                         (uint64_t)(r->options.connect_timeout_ms > 0
                                        ? r->options.connect_timeout_ms
                                        : 1),
                         0);
    if (r->target.unix_path) {
        if (redis_unix_address(&r->target, &local))
            connect_to(r, (const struct sockaddr *)&local, sizeof local);
    } else if (uv_ip4_addr(r->target.host, r->target.port, &ip4) == 0) {
        connect_to(r, (const struct sockaddr *)&ip4, sizeof ip4);
    } else if (uv_ip6_addr(r->target.host, r->target.port, &ip6) == 0) {
        connect_to(r, (const struct sockaddr *)&ip6, sizeof ip6);
    } else {
        look_up(r);
    }
}

/* --- Handshake --- */

void redis_async_connected(struct redis_async *r)
{
    struct redis_cmd cmds[REDIS_HANDSHAKE_MAX];
    struct err e = ERR_INIT;
    enum err_code rc = redis_link_connected(&r->link, &e);

    if (rc == ERR_OK)
        r->state = LINK_HANDSHAKE;
    size_t n = redis_handshake_cmds(&r->target, cmds);
    for (size_t i = 0; i < n; i++) {
        if (rc == ERR_OK)
            rc = redis_async_push(r, i + 1 == n ? REQUEST_INFO : REQUEST_LOGIN,
                                  &cmds[i], &e);
        redis_cmd_release(&cmds[i]);
    }
    if (rc != ERR_OK)
        redis_async_lose(r, &e);
}

static enum err_code load_scripts(struct redis_async *r, struct err *e)
{
    enum err_code rc = ERR_OK;
    struct redis_cmd load;

    redis_cmd_init(&load);
    for (size_t i = 0; rc == ERR_OK && r->options.scripts && r->options.scripts[i];
         i++) {
        redis_cmd_load(&load, r->options.scripts[i], r->link.is_7);
        rc = redis_async_push(r, REQUEST_LOAD, &load, e);
    }
    redis_cmd_release(&load);
    return rc;
}

enum err_code redis_async_own_reply(struct redis_async *r, enum request_kind kind,
                                    const struct redis_value *v, struct err *e)
{
    enum err_code rc;

    if (kind == REQUEST_LOAD && r->state == LINK_READY)
        return ERR_OK; /* loaded again after NOSCRIPT: the command behind it will tell */
    if (kind == REQUEST_LOAD)
        rc = redis_value_error(v, e);
    else
        rc = redis_handshake_reply(v, kind == REQUEST_INFO ? &r->facts : NULL, e);
    if (kind == REQUEST_INFO)
        r->link.is_7 = r->facts.major >= 7;
    if (rc == ERR_OK && r->state == LINK_READY)
        return ERR_OK; /* asked again: nothing has changed that matters */
    if (rc == ERR_OK && kind == REQUEST_INFO)
        rc = load_scripts(r, e);
    if (rc != ERR_OK || r->pending.count > 0)
        return rc;
    r->state = LINK_READY; /* that was the last of them */
    r->facts_ms = r->ready_ms = clock_mono_ms();
    r->tell_ready = true;
    (void)uv_timer_stop(&r->timer); /* cannot fail */
    redis_async_deliver_soon(r);
    return ERR_OK;
}
