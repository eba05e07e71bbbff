#include "shared/redis_internal.h"

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/redis_resolve.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/un.h>
#include <time.h>

/* --- Life cycle --- */

enum err_code redis_open(const struct redis_options *o, struct redis **ret_redis,
                         struct err *e)
{
    struct redis *r = calloc(1, sizeof *r);

    if (!r || !redis_target_copy(&o->target, &r->target)) {
        free(r);
        return err_set(e, ERR_NOMEM, "redis: no memory for a connection");
    }
    r->connect_timeout_ms = o->connect_timeout_ms;
    r->timeout_ms = o->timeout_ms;
    r->facts = (struct redis_facts)REDIS_FACTS_INIT;
    redis_link_init(&r->link);
    *ret_redis = r;
    return ERR_OK;
}

void redis_close(struct redis *r)
{
    if (!r)
        return;
    redis_link_close(&r->link);
    redis_lookup_free(r->lookup);
    redis_target_release(&r->target);
    free(r);
}

void redis_set_timeouts(struct redis *r, int connect_timeout_ms, int timeout_ms)
{
    r->connect_timeout_ms = connect_timeout_ms;
    r->timeout_ms = timeout_ms;
}

int64_t redis_last_ok_ms(const struct redis *r)
{
    return r->last_ok_ms;
}

int64_t redis_connections(const struct redis *r)
{
    return r->connections;
}

const struct redis_facts *redis_facts(const struct redis *r)
{
    return &r->facts;
}

/* --- Waiting --- */

static enum err_code wait_io(struct redis *r, short events, int64_t deadline_ms,
                             struct err *e)
{
    struct pollfd p = {.fd = r->link.fd, .events = events};

    for (;;) {
        int64_t left = deadline_ms - clock_mono_ms();
        if (left <= 0)
            return err_set(e, ERR_RETRY, "redis: no answer in time");
        int n = poll(&p, 1, left > 3600000 ? 3600000 : (int)left);
        if (n > 0)
            return ERR_OK;
        if (n < 0 && errno != EINTR)
            return err_errno(e, ERR_RETRY, "redis: poll");
    }
}

/* Write what is queued and read count replies. */
static enum err_code collect(struct redis *r, size_t count, struct redis_value **ret,
                             int64_t deadline_ms, struct err *e)
{
    size_t got = 0;
    enum err_code rc = redis_link_write(&r->link, e);

    while (rc == ERR_OK && got < count) {
        rc = redis_link_next(&r->link, &ret[got], e);
        if (rc == ERR_OK && ret[got]) {
            got++;
            continue;
        }
        short out = redis_link_has_out(&r->link) ? POLLOUT : 0;
        if (rc == ERR_OK)
            rc = wait_io(r, (short)(POLLIN | out), deadline_ms, e);
        if (rc == ERR_OK)
            rc = redis_link_write(&r->link, e);
        if (rc == ERR_OK)
            rc = redis_link_read(&r->link, e);
    }
    if (rc == ERR_OK)
        return ERR_OK;
    redis_link_close(&r->link);
    while (got > 0) {
        redis_reply_free(ret[--got]);
        ret[got] = NULL;
    }
    return rc;
}

/* --- Connecting --- */

/* A unix socket whose backlog is full answers EAGAIN and gives nothing to wait for: try again until the deadline. */
static enum err_code open_link(struct redis *r, const struct sockaddr *to,
                               socklen_t len, int64_t deadline_ms, struct err *e)
{
    bool pending = false;
    enum err_code rc = redis_link_open(&r->link, to, len, &pending, e);

    while (rc != ERR_OK && e->os_errno == EAGAIN && clock_mono_ms() < deadline_ms) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        rc = redis_link_open(&r->link, to, len, &pending, e);
    }
    if (rc == ERR_OK && pending)
        rc = wait_io(r, POLLOUT, deadline_ms, e);
    if (rc == ERR_OK)
        rc = redis_link_connected(&r->link, e);
    if (rc != ERR_OK)
        redis_link_close(&r->link);
    return rc;
}

static enum err_code connect_tcp(struct redis *r, int64_t deadline_ms, struct err *e)
{
    struct addrinfo *list = NULL;
    enum err_code rc = redis_resolve(&r->target, &r->lookup, deadline_ms, &list, e);

    if (rc != ERR_OK)
        return rc;
    rc = err_set(e, ERR_RETRY, "redis: %s has no address", r->target.host);
    for (struct addrinfo *a = list; a && rc != ERR_OK; a = a->ai_next)
        rc = open_link(r, a->ai_addr, a->ai_addrlen, deadline_ms, e);
    freeaddrinfo(list);
    return rc;
}

static enum err_code connect_unix(struct redis *r, int64_t deadline_ms, struct err *e)
{
    struct sockaddr_un to;

    if (!redis_unix_address(&r->target, &to))
        return err_set(e, ERR_CONFIG, "redis: the socket path is too long");
    return open_link(r, (const struct sockaddr *)&to, sizeof to, deadline_ms, e);
}

static enum err_code handshake(struct redis *r, int64_t deadline_ms, struct err *e)
{
    struct redis_cmd cmds[REDIS_HANDSHAKE_MAX];
    struct redis_value *replies[REDIS_HANDSHAKE_MAX];
    size_t n = redis_handshake_cmds(&r->target, cmds);
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < n; i++) {
        if (rc == ERR_OK)
            rc = redis_link_queue(&r->link, &cmds[i], e);
        redis_cmd_release(&cmds[i]);
    }
    if (rc == ERR_OK)
        rc = collect(r, n, replies, deadline_ms, e);
    if (rc != ERR_OK) {
        redis_link_close(&r->link);
        return rc;
    }
    r->facts = (struct redis_facts)REDIS_FACTS_INIT;
    for (size_t i = 0; i < n; i++) {
        if (rc == ERR_OK)
            rc = redis_handshake_reply(replies[i], i + 1 == n ? &r->facts : NULL, e);
        redis_reply_free(replies[i]);
    }
    r->facts_ms = clock_mono_ms();
    r->link.is_7 = r->facts.major >= 7;
    if (rc != ERR_OK)
        redis_link_close(&r->link);
    return rc;
}

/* Settings can be changed while a connection stands: ask again once in a while, in front of a call. */
static enum err_code look_again(struct redis *r, int64_t deadline_ms, struct err *e)
{
    struct redis_value *reply = NULL;
    struct redis_cmd info;

    redis_info_cmd(&info);
    enum err_code rc = redis_link_queue(&r->link, &info, e);
    redis_cmd_release(&info);
    if (rc == ERR_OK)
        rc = collect(r, 1, &reply, deadline_ms, e);
    if (rc == ERR_OK)
        rc = redis_handshake_reply(reply, &r->facts, e);
    redis_reply_free(reply);
    r->facts_ms = clock_mono_ms();
    if (rc != ERR_OK)
        redis_link_close(&r->link);
    return rc;
}

/* What an idle connection has to read, or has read already, is its end or an answer nobody waits for. */
static bool is_usable(const struct redis *r)
{
    struct pollfd p = {.fd = r->link.fd, .events = POLLIN};

    return r->link.fd >= 0 && r->link.fed == 0 && poll(&p, 1, 0) == 0;
}

enum err_code redis_connect_if_needed(struct redis *r, struct err *e)
{
    int64_t now_ms = clock_mono_ms(), deadline_ms = now_ms + r->connect_timeout_ms;

    if (is_usable(r))
        return now_ms - r->facts_ms < REDIS_CHECK_EVERY_MS
                   ? ERR_OK
                   : look_again(r, deadline_ms, e);
    redis_link_close(&r->link);
    r->connections++;
    enum err_code rc = r->target.unix_path ? connect_unix(r, deadline_ms, e)
                                           : connect_tcp(r, deadline_ms, e);
    return rc == ERR_OK ? handshake(r, deadline_ms, e) : rc;
}

/* --- Calling --- */

static enum err_code exchange(struct redis *r, const struct redis_cmd *const *cmds,
                              size_t count, struct redis_value **ret,
                              int64_t deadline_ms, struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        enum err_code rc = redis_link_queue(&r->link, cmds[i], e);
        if (rc != ERR_OK) {
            redis_link_close(
                &r->link); /* what was queued before it must not go out later */
            return rc;
        }
    }
    enum err_code rc = collect(r, count, ret, deadline_ms, e);
    if (rc == ERR_OK)
        r->last_ok_ms = clock_mono_ms();
    return rc;
}

static enum err_code load_script(struct redis *r, const struct redis_script *s,
                                 int64_t deadline_ms, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd load;
    const struct redis_cmd *cmds[1] = {&load};
    struct redis_value *reply = NULL;

    redis_cmd_init(&load);
    redis_cmd_load(&load, s, r->link.is_7);
    enum err_code rc = exchange(r, cmds, 1, &reply, deadline_ms, e);
    if (rc == ERR_OK)
        rc = redis_value_error(reply, e);
    redis_reply_free(reply);
    return rc;
}

/* Load the scripts the server does not know and run the commands that asked for them again, in their order. */
static enum err_code see_to_noscript(struct redis *r, const struct redis_cmd *cmds,
                                     size_t count, struct redis_value **replies,
                                     int64_t deadline_ms, struct err *e)
{
    const struct redis_script *loaded = NULL;

    for (size_t i = 0; i < count; i++) {
        if (!cmds[i].script || !redis_value_is_error(replies[i], "NOSCRIPT"))
            continue;
        const struct redis_cmd *again[1] = {&cmds[i]};
        struct redis_value *reply = NULL;
        enum err_code rc = ERR_OK;
        if (cmds[i].script != loaded)
            rc = load_script(r, cmds[i].script, deadline_ms, e);
        loaded = cmds[i].script;
        if (rc == ERR_OK)
            rc = exchange(r, again, 1, &reply, deadline_ms, e);
        if (rc != ERR_OK)
            return rc;
        redis_reply_free(replies[i]);
        replies[i] = reply;
    }
    return ERR_OK;
}

static enum err_code run(struct redis *r, const struct redis_cmd *cmds, size_t count,
                         int wait_ms, struct redis_value **ret, struct err *e)
{
    for (size_t i = 0; i < count; i++)
        if (cmds[i].failed || cmds[i].count == 0)
            return err_set(e, ERR_NOMEM, "redis: the command does not fit");
    enum err_code rc = redis_connect_if_needed(r, e);
    if (rc != ERR_OK)
        return rc;
    int64_t deadline_ms = clock_mono_ms() + r->timeout_ms + wait_ms;
    const struct redis_cmd **list = reallocarray(NULL, count ? count : 1, sizeof *list);
    if (!list)
        return err_set(e, ERR_NOMEM, "redis: no memory for a pipeline");
    for (size_t i = 0; i < count; i++)
        list[i] = &cmds[i];
    rc = exchange(r, list, count, ret, deadline_ms, e);
    free(list);
    if (rc != ERR_OK)
        return rc;
    rc = see_to_noscript(r, cmds, count, ret, deadline_ms, e);
    for (size_t i = 0; i < count; i++) {
        if (redis_value_is_closing(ret[i]))
            redis_link_close(&r->link); /* the next call looks the name up again */
        if (rc != ERR_OK) {
            redis_reply_free(ret[i]);
            ret[i] = NULL;
        }
    }
    return rc;
}

enum err_code redis_call_wait(struct redis *r, const struct redis_cmd *c, int wait_ms,
                              struct redis_value **ret_reply, struct err *e)
{
    struct redis_value *reply = NULL;
    enum err_code rc = run(r, c, 1, wait_ms, &reply, e);

    if (rc != ERR_OK)
        return rc;
    rc = redis_value_error(reply, e);
    if (rc != ERR_OK) {
        redis_reply_free(reply);
        return rc;
    }
    *ret_reply = reply;
    return ERR_OK;
}

enum err_code redis_call(struct redis *r, const struct redis_cmd *c,
                         struct redis_value **ret_reply, struct err *e)
{
    return redis_call_wait(r, c, 0, ret_reply, e);
}

enum err_code redis_pipeline(struct redis *r, const struct redis_cmd *cmds,
                             size_t count, struct redis_value **ret_replies,
                             struct err *e)
{
    return count ? run(r, cmds, count, 0, ret_replies, e) : ERR_OK;
}
