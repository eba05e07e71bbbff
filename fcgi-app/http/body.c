#include "fcgi-app/http/body.h"

#include "fcgi-app/upload/ingest.h"

#include <string.h>
#include <strings.h>

static bool is_json(const char *type)
{
    static const char json[] = "application/json";
    size_t len = sizeof json - 1;
    return strncasecmp(type, json, len) == 0 &&
           (type[len] == '\0' || type[len] == ';' || type[len] == ' ');
}

static enum problem check_names(const struct json_flat *j, const char *const *names,
                                struct err *e)
{
    for (size_t i = 0; i < j->count; i++) {
        bool known = false;
        for (size_t k = 0; names[k] && !known; k++)
            known = strcmp(j->members[i].name, names[k]) == 0;
        if (!known)
            return problem_set(e, PROBLEM_BAD_VALUE, "%.64s: not known here",
                               j->members[i].name);
    }
    return PROBLEM_NONE;
}

/* The digests that came with it. */
static enum problem check_digest(struct exchange *x, size_t len, struct err *e)
{
    struct http_digest said = HTTP_DIGEST_INIT;
    enum problem p = ingest_read_fields(&x->request, &said, e);
    if (!p)
        p = ingest_begin(&x->whole, &(struct ingest_terms){.digest = &said}, e);
    if (!p)
        p = ingest_feed(&x->whole, x->chunk, len, e);
    return p ? p : ingest_finish(&x->whole, NULL, e);
}

enum problem body_read(struct exchange *x, const char *const *names,
                       struct json_flat *ret, struct err *e)
{
    int64_t want = x->request.content_length;
    ret->count = 0;
    if (want == 0)
        return PROBLEM_NONE;
    if (!x->may_wait)
        return problem_set(e, PROBLEM_UNAVAILABLE, "too many bodies are on their way");
    if (want > BODY_MAX)
        return problem_set(e, PROBLEM_TOO_LARGE, "the body has more than %d bytes",
                           BODY_MAX);
    size_t len = fastcgi_read(x->web, x->chunk, BODY_MAX + 1);
    if (len > BODY_MAX)
        return problem_set(e, PROBLEM_TOO_LARGE, "the body has more than %d bytes",
                           BODY_MAX);
    if (!fastcgi_body_is_complete(x->web) || (want >= 0 && (int64_t)len != want))
        return problem_set(e, PROBLEM_INCOMPLETE, "the body broke off after %zu bytes",
                           len);
    enum problem p = check_digest(x, len, e);
    if (p || len == 0)
        return p;
    if (!is_json(x->request.content_type))
        return problem_set(e, PROBLEM_MEDIA_TYPE,
                           "Content-Type: application/json is wanted");
    if (json_flat_parse(x->chunk, len, ret, e))
        return PROBLEM_BAD_REQUEST;
    return names ? check_names(ret, names, e) : PROBLEM_NONE;
}

enum problem body_text(const struct json_flat *j, const char *name, const char **ret,
                       struct err *e)
{
    const struct json_member *m = json_flat_find(j, name);
    *ret = NULL;
    if (!m)
        return PROBLEM_NONE;
    if (m->type != JSON_TEXT)
        return problem_set(e, PROBLEM_BAD_VALUE, "%s: a text is wanted", name);
    *ret = m->text;
    return PROBLEM_NONE;
}

enum problem body_find_queue(struct exchange *x, const struct json_flat *j,
                             const struct config_queue **ret, struct err *e)
{
    const char *name;
    enum problem p = body_text(j, "queue", &name, e);
    if (p)
        return p;
    *ret = name ? config_find_queue(x->app->config, name, strlen(name)) : NULL;
    if (*ret && (*ret)->is_of_webhooks)
        return problem_set(e, PROBLEM_BAD_VALUE, "queue: '%.64s' is for webhooks alone",
                           name);
    if (*ret)
        return access_check_queue(&x->access, x->app->config, *ret, e);
    return name ? problem_set(e, PROBLEM_UNKNOWN_QUEUE,
                              "queue: '%.64s' is not configured", name)
                : PROBLEM_NONE;
}
