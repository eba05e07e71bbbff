#include "shared/webhooks.h"

#include "shared/cleanup.h"

#include <stdlib.h>
#include <string.h>

static const char separators[] = ", \t";

enum config_event webhooks_event(const char *word, size_t len)
{
    static const char *const words[] = {"done", "dead", "cancelled", "batch"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i]) == len && memcmp(words[i], word, len) == 0)
            return (enum config_event)(1U << i);
    return (enum config_event)0;
}

/* --- which ones a job has --- */

static bool list_has(const char *list, const char *name, size_t name_len)
{
    size_t len;

    if (strcmp(list, "*") == 0)
        return true;
    for (list += strspn(list, separators); (len = strcspn(list, separators)) > 0;
         list += len, list += strspn(list, separators))
        if (len == name_len && memcmp(list, name, len) == 0)
            return true;
    return false;
}

/* to: as to_list.h writes it. */
static bool list_has_any(const char *list, const char *to)
{
    for (;;) {
        size_t len = strcspn(to, ",");
        if (list_has(list, to, len))
            return true;
        to += len;
        if (*to++ == '\0')
            return false;
    }
}

static bool is_for(const struct config_webhook *w, const struct job *j)
{
    return *w->url && list_has(w->queues, j->id.queue, strlen(j->id.queue)) &&
           list_has_any(w->destinations, j->to);
}

enum err_code webhooks_assign(const struct config *c, struct job *j, struct err *e)
{
    CLEANUP(buf_release) struct buf names = BUF_INIT(JOB_HOOKS_TEXT_MAX);

    free(j->hooks);
    j->hooks = NULL;
    for (size_t i = 0; i < c->webhook_count; i++)
        if (is_for(&c->webhooks[i], j))
            buf_puts_all(&names, (const char *const[]){names.len > 0 ? "," : "",
                                                       c->webhooks[i].name, NULL});
    if (names.len == 0)
        return ERR_OK;
    j->hooks = buf_detach(&names);
    return j->hooks ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a job's webhooks");
}

/* --- what may be called --- */

/* The host and port of the url that an operator has written, as an entry of a list. */
static enum err_code add_own(const char *url, struct buf *list, struct err *e)
{
    struct url u;

    if (url_parse(url, strlen(url), &u, e))
        return e->code;
    buf_printf(list, u.family == URL_IPV6 ? "[%s]:%d" : "%s:%d", u.host, u.port);
    return ERR_OK;
}

enum err_code webhooks_rules(const struct config_webhook *w, struct fetch_rules *ret,
                             struct err *e)
{
    CLEANUP(buf_release) struct buf allow = BUF_INIT(8192);

    if (*w->url && add_own(w->url, &allow, e))
        return e->code;
    if (*w->allow)
        buf_puts_all(&allow,
                     (const char *const[]){allow.len > 0 ? ", " : "", w->allow, NULL});
    if (allow.failed)
        return err_set(e, ERR_NOMEM, "no memory for a list");
    *ret = (struct fetch_rules){.only_allowed = w->only_allowed};
    return fetch_list_parse(allow.len > 0 ? allow.data : "", &ret->allow, e) ||
                   fetch_list_parse(w->deny, &ret->deny, e)
               ? e->code
               : ERR_OK;
}

enum err_code webhooks_check_callback(const struct config *c, const char *url,
                                      size_t len, struct err *e)
{
    const struct config_webhook *w =
        config_find_webhook(c, WEBHOOKS_CALLBACK, strlen(WEBHOOKS_CALLBACK));
    struct fetch_rules rules;
    struct url u;

    if (!w)
        return err_set(e, ERR_CONFIG,
                       "nobody is called here; the operator would have to configure "
                       "[webhook callback]");
    if (url_parse(url, len, &u, e) || webhooks_rules(w, &rules, e))
        return e->code;
    if (!u.is_https && !w->http)
        return err_set(e, ERR_REJECT, "not allowed: it is not https");
    return fetch_check_url(&rules, &u, e);
}
