/* [webhook NAME]: what is wrong with it, and what its lists say. */
#include "shared/config_load.h"

#include "shared/webhooks.h"

#include <string.h>

enum { SECRET_MIN = 32 };

static const char separators[] = ", \t";

struct hook {
    struct config_load *load;
    struct config_where where;
    struct config_webhook *w;
    bool is_callback;
};

static enum err_code blame(const struct hook *h, const char *key, struct err *e)
{
    e->code = ERR_CONFIG;
    return config_blame(h->load, h->where, key, e);
}

static enum err_code check_url(const struct hook *h, struct err *e)
{
    struct url u;

    if (h->is_callback && *h->w->url) {
        err_set(e, ERR_CONFIG, "is not of callback, whose URLs come with uploads");
        return blame(h, "url", e);
    }
    if (!h->is_callback && !*h->w->url) {
        err_set(e, ERR_CONFIG, "is needed: https://HOST/PATH");
        return blame(h, "url", e);
    }
    if (!h->is_callback && url_parse(h->w->url, strlen(h->w->url), &u, e))
        return blame(h, "url", e);
    return ERR_OK;
}

static enum err_code check_secrets(const struct hook *h, struct err *e)
{
    const struct config_webhook *w = h->w;
    const struct {
        const char *key, *file_key, *value, *path;
    } secrets[] = {{"secret", "secret_file", w->secret, w->secret_file},
                   {"second_secret", "second_secret_file", w->second_secret,
                    w->second_secret_file}};

    for (size_t i = 0; i < 2; i++) {
        if (*secrets[i].value == '\0' || strlen(secrets[i].value) >= SECRET_MIN)
            continue;
        err_set(e, ERR_CONFIG, "has fewer than %d characters: openssl rand -hex 32",
                SECRET_MIN);
        return blame(h, *secrets[i].path ? secrets[i].file_key : secrets[i].key, e);
    }
    if (*w->secret || *w->secret_file)
        return ERR_OK;
    err_set(e, ERR_CONFIG, "is needed: openssl rand -hex 32 makes one");
    return blame(h, "secret_file", e);
}

static enum err_code take_events(const struct hook *h, struct err *e)
{
    const char *at = h->w->events;
    size_t len;

    for (at += strspn(at, separators); (len = strcspn(at, separators)) > 0;
         at += len, at += strspn(at, separators)) {
        enum config_event event = webhooks_event(at, len);
        if (!event) {
            err_set(e, ERR_CONFIG, "'%.*s' is not one of done, dead, cancelled, batch",
                    (int)(len < 60 ? len : 60), at);
            return blame(h, "events", e);
        }
        h->w->event_bits |= event;
    }
    if (h->w->event_bits)
        return ERR_OK;
    err_set(e, ERR_CONFIG, "is empty: done, dead, cancelled and batch are allowed");
    return blame(h, "events", e);
}

/* Names of sections of a kind, or *. */
static enum err_code check_names(const struct hook *h, const char *key,
                                 enum config_kind kind, const char *list, struct err *e)
{
    const struct config *c = &h->load->config;
    size_t len, names = 0;

    if (strcmp(list, "*") == 0)
        return ERR_OK;
    for (list += strspn(list, separators); (len = strcspn(list, separators)) > 0;
         list += len, list += strspn(list, separators), names++) {
        bool known = kind == CONFIG_KIND_QUEUE
                         ? config_find_queue(c, list, len) != NULL
                         : config_find_destination(c, list, len) != NULL;
        if (!known) {
            err_set(e, ERR_CONFIG, "there is no [%s %.*s]", config_kind_name(kind),
                    (int)(len < 60 ? len : 60), list);
            return blame(h, key, e);
        }
    }
    if (names > 0 && !h->is_callback)
        return ERR_OK;
    err_set(e, ERR_CONFIG,
            names > 0 ? "is not of callback: uploads name it"
                      : "is empty: names with commas, or *, are allowed");
    return blame(h, key, e);
}

static enum err_code check_lists(const struct hook *h, struct err *e)
{
    struct fetch_list list;
    struct fetch_rules rules;

    if (fetch_list_parse(h->w->deny, &list, e))
        return blame(h, "deny", e);
    if (webhooks_rules(h->w, &rules, e))
        return blame(h, "allow", e);
    return ERR_OK;
}

/* A value that was not given. */
static void set_unless_given(struct config_load *l, size_t index, const char *key,
                             int64_t *at, int64_t value)
{
    struct config_where where = {CONFIG_KIND_QUEUE, index};
    const struct config_setting *s = config_find_setting(where.kind, key);

    if (config_load_origin(l, where, s) == CONFIG_FROM_DEFAULT)
        *at = value;
}

/* Receivers are away for longer than stores. */
static enum err_code take_queue(const struct hook *h, struct err *e)
{
    struct config *c = &h->load->config;
    size_t i = 0;

    while (i < c->queue_count && strcmp(c->queues[i].name, h->w->queue) != 0)
        i++;
    if (i == c->queue_count || strcmp(h->w->queue, "default") == 0) {
        err_set(e, ERR_CONFIG,
                i == c->queue_count ? "there is no [queue %.40s]"
                                    : "'%.40s' is a queue of uploads, and no other",
                h->w->queue);
        return blame(h, "queue", e);
    }
    struct config_queue *q = &c->queues[i];
    q->is_of_webhooks = true;
    set_unless_given(h->load, i, "max_attempts", &q->max_attempts, 25);
    set_unless_given(h->load, i, "retry_base", &q->retry_base_ms, 5 * 1000);
    set_unless_given(h->load, i, "retry_cap", &q->retry_cap_ms, 3600 * 1000);
    if (q->retry_cap_ms < q->retry_base_ms)
        q->retry_cap_ms = q->retry_base_ms;
    return ERR_OK;
}

/* A job has room for the names of so many. */
static enum err_code check_count(const struct config_load *l, struct err *e)
{
    size_t with_url = 0;

    for (size_t i = 0; i < l->config.webhook_count; i++) {
        struct config_where where = {CONFIG_KIND_WEBHOOK, i};
        if (*l->config.webhooks[i].url == '\0' || ++with_url <= JOB_HOOKS_MAX)
            continue;
        err_set(e, ERR_CONFIG, "at most %d webhooks with a url are allowed",
                JOB_HOOKS_MAX);
        return config_blame(l, where, "url", e);
    }
    return ERR_OK;
}

enum err_code config_check_webhooks(struct config_load *l, struct err *e)
{
    for (size_t i = 0; i < l->config.webhook_count; i++) {
        struct config_webhook *w = &l->config.webhooks[i];
        const struct hook h = {
            l, {CONFIG_KIND_WEBHOOK, i}, w, strcmp(w->name, WEBHOOKS_CALLBACK) == 0};
        if (check_url(&h, e) || check_secrets(&h, e) || take_events(&h, e) ||
            check_names(&h, "queues", CONFIG_KIND_QUEUE, w->queues, e) ||
            check_names(&h, "destinations", CONFIG_KIND_DESTINATION, w->destinations,
                        e) ||
            check_lists(&h, e) || take_queue(&h, e))
            return e->code;
    }
    return check_count(l, e);
}
