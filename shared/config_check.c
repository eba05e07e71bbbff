#include "shared/config_load.h"

#include "shared/cleanup.h"
#include "shared/config_file.h"
#include "shared/config_url.h"
#include "shared/config_value.h"
#include "shared/listen_at.h"
#include "shared/origin.h"
#include "shared/peers.h"
#include "shared/url.h"

#include <inttypes.h>
#include <string.h>
#include <sys/un.h>

enum { WORKER_ID_MAX = 63, PART_SIZE_MIN = 5 * 1024 * 1024 };

/* --- Destinations --- */

/* Amazon's own endpoint where none is given; the style that fits. */
static enum err_code complete_s3(struct config_load *l, struct config_where where,
                                 struct err *e)
{
    struct config_destination *d = &l->config.destinations[where.index];
    bool amazon = *d->endpoint == '\0';

    if (!config_is_word(d->region, "-_", 64)) {
        err_set(e, ERR_CONFIG, "'%.60s' is not up to 64 of A-Z a-z 0-9 - and _",
                d->region);
        return config_blame(l, where, "region", e);
    }
    if (!amazon && !config_url_is_endpoint(d->endpoint)) {
        err_set(e, ERR_CONFIG,
                "'%.60s' is not http://HOST[:PORT] or https://HOST[:PORT], without a "
                "path or a '/' at its end",
                d->endpoint);
        return config_blame(l, where, "endpoint", e);
    }
    if (amazon) {
        CLEANUP(buf_release) struct buf b = BUF_INIT(128);
        buf_printf(&b, "https://s3.%s.amazonaws.com", d->region);
        char *endpoint = buf_detach(&b);
        if (!endpoint)
            return err_set(e, ERR_NOMEM, "out of memory");
        free(d->endpoint);
        d->endpoint = endpoint;
    }
    /* A bucket's dot makes one level too many for the wildcard in Amazon's certificate. */
    if (d->style == CONFIG_AUTO_STYLE)
        d->style = amazon && !strchr(d->bucket, '.') ? CONFIG_VIRTUAL_STYLE
                                                     : CONFIG_PATH_STYLE;
    return config_check_credentials(l, where.index, e);
}

static enum err_code check_destination(struct config_load *l, size_t index,
                                       struct err *e)
{
    struct config_where where = {CONFIG_KIND_DESTINATION, index};
    struct config_destination *d = &l->config.destinations[index];
    struct config_target target;

    if (!d->url) {
        err_set(
            e, ERR_CONFIG,
            "is needed: file:///DIR, s3://BUCKET[/PREFIX], http(s)://HOST[/PATH] or "
            "command:NAME");
        return config_blame(l, where, "url", e);
    }
    if (config_url_parse(d->url, &target, e))
        return config_blame(l, where, "url", e);
    d->scheme = target.scheme;
    d->bucket = target.bucket;
    d->prefix = target.prefix;
    d->dir = target.dir;
    d->base = target.base;
    d->command = target.command;
    if (!config_is_word(d->content_type, "!#$&^_.+-/;= ", 255) ||
        !strchr(d->content_type, '/')) {
        err_set(e, ERR_CONFIG, "'%.60s' is not TYPE/SUBTYPE", d->content_type);
        return config_blame(l, where, "content_type", e);
    }
    if (config_check_types(l, where, d->allow_types, e) ||
        config_check_object(l, where, e))
        return e->code;
    if (d->part_size != 0 && d->part_size < PART_SIZE_MIN) {
        err_set(e, ERR_CONFIG, "%" PRId64 " is neither 0 nor from 5M to 5G",
                d->part_size);
        return config_blame(l, where, "part_size", e);
    }
    if (d->scheme == CONFIG_S3)
        return complete_s3(l, where, e);
    if (d->style == CONFIG_AUTO_STYLE)
        d->style = CONFIG_PATH_STYLE;
    return config_check_delivery(l, where, e);
}

/* --- Queues, worker, the rest --- */

static enum err_code check_queue(struct config_load *l, size_t index, struct err *e)
{
    struct config_where where = {CONFIG_KIND_QUEUE, index};
    const struct config_queue *q = &l->config.queues[index];

    if (config_check_to(l, where, e) || config_check_types(l, where, q->allow_types, e))
        return e->code;
    if (q->retry_cap_ms < q->retry_base_ms) {
        err_set(e, ERR_CONFIG, "is less than retry_base: at least that is allowed");
        return config_blame(l, where, "retry_cap", e);
    }
    return ERR_OK;
}

bool config_next_entry(const char **list, struct config_entry *ret)
{
    static const char separators[] = ", \t";
    const char *at = *list + strspn(*list, separators);
    size_t len = strcspn(at, separators);
    const char *colon = memchr(at, ':', len), *digit = colon;

    *list = at + len;
    *ret = (struct config_entry){at, colon ? (size_t)(colon - at) : len, 0};
    if (!colon)
        return len > 0;
    while (++digit < at + len && *digit >= '0' && *digit <= '9' &&
           ret->weight <= CONFIG_WEIGHT_MAX)
        ret->weight = ret->weight * 10 + (*digit - '0');
    if (digit < at + len || ret->weight < 1 || ret->weight > CONFIG_WEIGHT_MAX)
        ret->weight = -1;
    return true;
}

static enum err_code check_entry(const struct config_load *l,
                                 const struct config_entry *entry, struct err *e)
{
    int shown = (int)(entry->len < 60 ? entry->len : 60);

    if (entry->weight < 0)
        return err_set(e, ERR_CONFIG,
                       "'%.*s' has a weight that is not a number from 1 to %d", shown,
                       entry->name, CONFIG_WEIGHT_MAX);
    if (!config_find_queue(&l->config, entry->name, entry->len))
        return err_set(e, ERR_CONFIG, "there is no [queue %.*s]", shown, entry->name);
    return ERR_OK;
}

static enum err_code check_metrics(const struct config_load *l,
                                   struct config_where where, struct err *e)
{
    const struct config_worker *w = &l->config.worker;
    const char *dot = strrchr(w->metrics_file, '.');
    struct listen_at at;

    if (*w->metrics_listen && listen_at_parse(w->metrics_listen, &at, e))
        return config_blame(l, where, "metrics_listen", e);
    if (!*w->metrics_file ||
        (dot && dot > w->metrics_file && dot[-1] != '/' && strcmp(dot, ".prom") == 0))
        return ERR_OK;
    err_set(e, ERR_CONFIG, "'%.60s' does not end in NAME.prom", w->metrics_file);
    return config_blame(l, where, "metrics_file", e);
}

/* "Name: value", the name up to 60 of A-Z a-z 0-9 -. */
static bool is_header(const char *s)
{
    size_t name =
        strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-");

    if (name == 0 || name > 60 || s[name] != ':')
        return false;
    for (s += name; *s; s++)
        if (*s < ' ' || *s > '~')
            return false;
    return true;
}

static enum err_code check_worker(const struct config_load *l, struct err *e)
{
    struct config_where where = {CONFIG_KIND_WORKER, 0};
    const struct config_worker *w = &l->config.worker;
    const char *list = w->queues;
    struct config_entry entry;
    size_t entries = 0;

    if (*w->id && !config_is_word(w->id, "-_.", WORKER_ID_MAX)) {
        err_set(e, ERR_CONFIG, "'%.60s' is not up to %d of A-Z a-z 0-9 -_.", w->id,
                WORKER_ID_MAX);
        return config_blame(l, where, "id", e);
    }
    if (check_metrics(l, where, e) != ERR_OK)
        return e->code;
    if (*w->otlp_url && !url_is_valid(w->otlp_url, strlen(w->otlp_url))) {
        err_set(e, ERR_CONFIG, "is not http://host[:port]/path, or https://");
        return config_blame(l, where, "otlp_url", e);
    }
    if (*w->otlp_header && !is_header(w->otlp_header)) {
        err_set(e, ERR_CONFIG, "is not \"Name: value\" in ASCII");
        return config_blame(l, where, "otlp_header", e);
    }
    if (strcmp(w->queues, "*") == 0)
        return ERR_OK;
    for (; config_next_entry(&list, &entry); entries++)
        if (check_entry(l, &entry, e) != ERR_OK)
            return config_blame(l, where, "queues", e);
    if (entries > 0)
        return ERR_OK;
    err_set(e, ERR_CONFIG, "is empty: names of queues with commas, or *, are allowed");
    return config_blame(l, where, "queues", e);
}

static enum err_code check_places(const struct config_load *l, struct err *e)
{
    struct config_where redis = {CONFIG_KIND_REDIS, 0}, http = {CONFIG_KIND_HTTP, 0};
    const struct config *c = &l->config;
    size_t listen_max = sizeof((struct sockaddr_un *)0)->sun_path - 1;

    if (!config_url_is_redis(c->redis.url)) {
        err_set(e, ERR_CONFIG,
                "is not redis://[user[:password]@]host[:port][/db] or "
                "unix:///path[?db=N]");
        return config_blame(l, redis, "url", e);
    }
    if (strlen(c->http.listen) > listen_max) {
        err_set(e, ERR_CONFIG, "'%.60s' is longer than the %zu bytes of a unix socket",
                c->http.listen, listen_max);
        return config_blame(l, http, "listen", e);
    }
    if (*c->http.socket_group && !config_is_word(c->http.socket_group, "-_.$", 64)) {
        err_set(e, ERR_CONFIG, "'%.60s' is not the name of a group",
                c->http.socket_group);
        return config_blame(l, http, "socket_group", e);
    }
    if (origin_check_list(c->http.cors_origins, e))
        return config_blame(l, http, "cors_origins", e);
    if (origin_check_hosts(c->http.hosts, e))
        return config_blame(l, http, "hosts", e);
    if (peers_check_users(c->http.peer_users, e))
        return config_blame(l, http, "peer_users", e);
    if (peers_check_addresses(c->http.web_servers, e))
        return config_blame(l, http, "web_servers", e);
    size_t dir_len = strlen(c->http.body_dir);
    if (dir_len > 0 && c->http.body_dir[dir_len - 1] == '/') {
        err_set(e, ERR_CONFIG, "'%.60s' ends with a '/'", c->http.body_dir);
        return config_blame(l, http, "body_dir", e);
    }
    if (*c->http.body_user && !config_is_word(c->http.body_user, "-_.$", 64)) {
        err_set(e, ERR_CONFIG, "'%.60s' is not the name of a user", c->http.body_user);
        return config_blame(l, http, "body_user", e);
    }
    return ERR_OK;
}

/* One low_water to each high_water; 0 follows it.  Below a mark of 0 nothing ever is, hence the 1. */
static enum err_code check_mark(const struct config_load *l, enum config_kind kind,
                                int64_t high, int64_t *low, struct err *e)
{
    if (*low == 0 && high > 0)
        *low = high > 5 ? high - 5 : 1;
    if (*low <= high)
        return ERR_OK;
    err_set(e, ERR_CONFIG, "is more than high_water");
    return config_blame(l, (struct config_where){kind, 0}, "low_water", e);
}

static enum err_code check_marks(struct config_load *l, struct err *e)
{
    struct config_redis *redis = &l->config.redis;
    struct config_spool *spool = &l->config.spool;

    return check_mark(l, CONFIG_KIND_REDIS, redis->high_water, &redis->low_water, e) ||
                   check_mark(l, CONFIG_KIND_SPOOL, spool->high_water,
                              &spool->low_water, e)
               ? e->code
               : ERR_OK;
}

enum err_code config_check(struct config_load *l, struct err *e)
{
    if (config_check_secrets(l, e) || check_places(l, e) || check_worker(l, e) ||
        check_marks(l, e) || config_check_fetch(l, e))
        return e->code;
    for (size_t i = 0; i < l->config.destination_count; i++)
        if (check_destination(l, i, e))
            return e->code;
    for (size_t i = 0; i < l->config.queue_count; i++)
        if (check_queue(l, i, e))
            return e->code;
    if (config_check_schedules(l, e) || config_check_converters(l, e))
        return e->code;
    return config_check_auth(l, e) || config_check_webhooks(l, e) ? e->code : ERR_OK;
}
