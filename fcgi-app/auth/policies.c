#include "fcgi-app/auth/policies.h"

#include "fcgi-app/http/body.h"
#include "fcgi-app/upload/options_ties.h"
#include "fcgi-app/auth/policy_uses.h"
#include "shared/cleanup.h"
#include "shared/clock.h"

#include <string.h>

enum { LIFE = 3600 /* seconds, of one that says nothing else */ };

/* --- One that comes --- */

enum problem policies_find(const struct request *r, struct request_text *ret,
                           struct err *e)
{
    const char *header = request_param(r, "HTTP_X_HOIST_POLICY");
    size_t count = header != NULL;
    *ret = (struct request_text){header, header ? strlen(header) : 0};
    for (size_t i = 0; i < r->query_count; i++) {
        if (strcmp(r->query[i].name.s, "policy") != 0)
            continue;
        *ret = r->query[i].value;
        count++;
    }
    return count > 1 ? problem_set(e, PROBLEM_BAD_REQUEST, "policy: given twice")
                     : PROBLEM_NONE;
}

static struct policy_keys keys_of(const struct config_auth *a)
{
    return (struct policy_keys){{{a->policy_key, strlen(a->policy_key)},
                                 {a->second_policy_key, strlen(a->second_policy_key)}}};
}

bool policies_has_key(const struct config_auth *a)
{
    return *a->policy_key || *a->second_policy_key;
}

bool policies_may_come(const struct exchange *x)
{
    const struct config *c = x->app->config;
    if (x->request.method != METHOD_POST || !request_is_form(&x->request))
        return false;
    for (size_t i = 0; i < c->auth_count; i++)
        if (policies_has_key(&c->auths[i]))
            return true;
    return false;
}

/* What nobody can have signed is compared with no key, and answered alike. */
static enum problem open_policy(struct exchange *x, const struct request_text *text,
                                const struct config_auth **ret, struct err *e)
{
    const struct config *c = x->app->config;
    struct policy_keys keys = {{{"", 0}, {"", 0}}};
    struct policy_parts parts;
    const struct config_auth *auth = NULL;
    if (!policy_split(text->s, text->len, &parts))
        return problem_set(e, PROBLEM_POLICY, "the policy is not valid");
    for (size_t i = 0; i < c->auth_count; i++)
        if (strcmp(c->auths[i].name, parts.name) == 0)
            auth = &c->auths[i];
    if (auth && auth->scope_bits & CONFIG_SCOPE_UPLOAD)
        keys = keys_of(auth);
    *ret = auth;
    return policy_open(&x->policy, text->s, &parts, &keys, clock_wall_ms() / 1000, e);
}

enum problem policies_verify(struct exchange *x, const struct request_text *text,
                             struct err *e)
{
    const struct config_auth *auth = NULL;
    enum problem p = open_policy(x, text, &auth, e);
    if (p)
        return p;
    struct access a = access_of(auth);
    a.scopes = ACCESS_SEND | ACCESS_LOOK;
    a.policy = &x->policy;
    access_set(x, &a);
    return PROBLEM_NONE;
}

enum problem policies_take(void *ctx, const struct request_text *text,
                           const struct policy **ret, struct err *e)
{
    struct exchange *x = ctx;
    enum problem p = policies_verify(x, text, e);
    /* Only now it is known whose request this is. */
    if (!p)
        p = quota_request(x, e);
    if (!p)
        p = quota_check(x, x->request.content_length, e);
    if (!p)
        p = policy_uses_look(x, e);
    *ret = p ? NULL : &x->policy;
    return p;
}

/* --- One that is made --- */

static bool is(const struct json_member *m, const char *name)
{
    return strcmp(m->name, name) == 0;
}

static void add_member(struct buf *b, const struct json_member *m)
{
    if (b->len > 1)
        buf_putc(b, ',');
    buf_add_json(b, m->name, strlen(m->name));
    buf_putc(b, ':');
    if (m->type == JSON_TEXT)
        buf_add_json(b, m->text, strlen(m->text));
    else if (m->type == JSON_NUMBER)
        buf_puts(b, m->text);
    else
        buf_puts(b, m->type == JSON_NULL ? "null" : m->truth ? "true" : "false");
}

struct wanted {
    int64_t now, expires;
    bool once, has_nonce, has_expires;
};

/* What is only said here, not in a policy.  *ret_known is false for everything else. */
static enum problem take_own(const struct json_member *m, struct wanted *w,
                             bool *ret_known, struct err *e)
{
    int64_t seconds;
    w->has_nonce |= is(m, "nonce");
    w->has_expires |= is(m, "expires");
    *ret_known = is(m, "once") || is(m, "expires_in");
    if (is(m, "once") && m->type != JSON_BOOL)
        return problem_set(e, PROBLEM_BAD_VALUE, "once: true or false is wanted");
    if (is(m, "once"))
        w->once = m->truth;
    if (!is(m, "expires_in"))
        return PROBLEM_NONE;
    if (!json_member_int(m, POLICY_LIFE_MAX, &seconds) || seconds < 1)
        return problem_set(e, PROBLEM_BAD_VALUE,
                           "expires_in: 1 to %d seconds are allowed", POLICY_LIFE_MAX);
    w->expires = w->now + seconds;
    return PROBLEM_NONE;
}

/* The object to be signed. */
static enum problem put_together(const struct json_flat *body, struct wanted *w,
                                 struct buf *json, struct err *e)
{
    const struct uuid nonce = id_new();
    bool known;
    buf_putc(json, '{');
    for (size_t i = 0; i < body->count; i++) {
        enum problem p = take_own(&body->members[i], w, &known, e);
        if (p)
            return p;
        if (!known)
            add_member(json, &body->members[i]);
    }
    if (w->has_expires && w->expires > 0)
        return problem_set(e, PROBLEM_BAD_VALUE,
                           "expires: not together with expires_in");
    const char *comma = json->len > 1 ? "," : "";
    if (!w->has_expires) {
        buf_printf(json, "%s\"expires\":", comma);
        buf_add_int(json, w->expires > 0 ? w->expires : w->now + LIFE);
        comma = ",";
    }
    if (w->once && !w->has_nonce)
        buf_printf(json, "%s\"nonce\":\"%s\"", comma, nonce.text);
    buf_putc(json, '}');
    return json->failed
               ? problem_set(e, PROBLEM_TOO_LARGE, "the policy has more than %d bytes",
                             POLICY_JSON_MAX)
               : PROBLEM_NONE;
}

/* What it would allow must be possible, and allowed to who asks for it. */
static enum problem try_out(const struct exchange *x, const struct policy *policy,
                            int64_t now, struct err *e)
{
    CLEANUP(options_release) struct options o = {.job = JOB_INIT, .policy = policy};
    const struct config *config = x->app->config;
    if (policy->expires <= now)
        return problem_set(e, PROBLEM_BAD_VALUE, "expires: is over already");
    enum problem p = options_begin(&o, config, now * 1000, e);
    if (!p)
        p = options_check_ties(&o, e);
    return p ? p
             : access_may_use(&x->access, config, o.queue,
                              o.job.to ? o.job.to : o.queue->to, e);
}

static enum problem make(struct exchange *x, struct buf *text, int64_t *ret_expires,
                         struct err *e)
{
    CLEANUP(buf_release) struct buf json = BUF_INIT(POLICY_JSON_MAX);
    const struct config_auth *auth = x->access.auth;
    struct wanted w = {.now = clock_wall_ms() / 1000};
    struct json_flat body;
    if (!auth || !*auth->policy_key)
        return problem_set(e, PROBLEM_FORBIDDEN,
                           "no policy_key is configured for who asks");
    enum problem p = body_read(x, NULL, &body, e);
    if (!p)
        p = put_together(&body, &w, &json, e);
    if (p)
        return p;
    if (json_flat_parse(json.data, json.len, &body, e))
        return PROBLEM_BAD_VALUE;
    p = policy_read(&x->policy, &body, w.now, e);
    if (!p)
        p = try_out(x, &x->policy, w.now, e);
    *ret_expires = x->policy.expires;
    if (!p && !policy_sign(auth->name, json.data, keys_of(auth).keys[0], text))
        p = problem_set(e, PROBLEM_INTERNAL, "out of memory");
    return p;
}

void policies_make(struct exchange *x)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT(POLICY_TEXT_MAX);
    struct response *r = &x->response;
    struct err e = ERR_INIT;
    int64_t expires = 0;
    enum problem p = make(x, &text, &expires, &e);
    if (p) {
        exchange_refuse(x, p, p == PROBLEM_INTERNAL ? NULL : &e);
        return;
    }
    response_begin(r, 201, "application/json");
    buf_puts_all(&r->body, (const char *const[]){"{\"policy\":\"", text.data,
                                                 "\",\"expires\":", NULL});
    buf_add_int(&r->body, expires);
    buf_puts(&r->body, "}\n");
}
