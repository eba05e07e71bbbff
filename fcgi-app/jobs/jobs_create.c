#include "fcgi-app/jobs/jobs_create.h"

#include "fcgi-app/upload/accept.h"
#include "fcgi-app/http/body.h"
#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/url.h"

#include <stdio.h>
#include <string.h>

/* What the body says besides options. */
struct wish {
    const char *url, *command, *type; /* NULL: not given */
};

static const char *const own_members[] = {"url", "command", "type"};

static bool is_own(const char *name)
{
    for (size_t i = 0; i < sizeof own_members / sizeof own_members[0]; i++)
        if (strcmp(own_members[i], name) == 0)
            return true;
    return false;
}

static enum problem set_option(struct options *o, const struct json_member *m,
                               struct err *e)
{
    struct request_text name = {m->name, strlen(m->name)};
    struct request_text value = {m->text, strlen(m->text)};
    if (m->type == JSON_NULL || is_own(m->name))
        return PROBLEM_NONE;
    if (m->type == JSON_BOOL)
        return problem_set(e, PROBLEM_BAD_VALUE, "%.64s: a text or a number is wanted",
                           m->name);
    return options_set(o, &name, &value, e);
}

static enum problem own_text(const struct json_flat *j, const char *name,
                             const char **ret, struct err *e)
{
    const struct json_member *m = json_flat_find(j, name);
    *ret = NULL;
    return m && m->type == JSON_NULL ? PROBLEM_NONE : body_text(j, name, ret, e);
}

static enum problem read_wish(const struct json_flat *j, struct wish *ret,
                              struct err *e)
{
    enum problem p = own_text(j, "url", &ret->url, e);
    if (!p)
        p = own_text(j, "command", &ret->command, e);
    if (!p)
        p = own_text(j, "type", &ret->type, e);
    if (!p && !ret->url == !ret->command)
        p = problem_set(e, PROBLEM_BAD_VALUE, "one of url and command is wanted");
    return p;
}

static enum problem check_url(const struct config *c, const char *url, struct err *e)
{
    struct url parsed;
    if (!c->fetch.enabled)
        return problem_set(e, PROBLEM_SOURCE_REFUSED,
                           "url: nothing is fetched here; the operator would have to "
                           "set [fetch] enabled = yes");
    if (url_parse(url, strlen(url), &parsed, e))
        return PROBLEM_BAD_VALUE;
    if (fetch_check_url(&c->fetch.rules, &parsed, e)) {
        (void)err_prefix(e, "url");
        return PROBLEM_SOURCE_REFUSED;
    }
    return PROBLEM_NONE;
}

static enum problem add_url(struct exchange *x, const struct options *o,
                            const struct wish *w, struct err *e)
{
    struct batch_source s = {.source = "url", .url = w->url, .file = {.type = ""}};
    char name[URL_MAX];
    size_t len;
    enum problem p = check_url(x->app->config, w->url, e);
    if (p)
        return p;
    const char *segment = url_file_name(w->url, &len);
    if (!o->job.name && len > 0) {
        s.file.name_len = url_unescape(segment, len, name);
        s.file.name = name;
    }
    if (w->type)
        s.file.type = w->type;
    return batch_add_job(&x->batch, o, &s, e);
}

/* One that is not there, and one that is not for clients, are told alike. */
static enum problem add_command(struct exchange *x, const struct options *o,
                                const struct wish *w, struct err *e)
{
    char source[JOB_SOURCE_MAX + 1];
    const struct config_command *c =
        config_find_command(x->app->config, w->command, strlen(w->command));
    if (!c || !c->http)
        return problem_set(e, PROBLEM_SOURCE_REFUSED,
                           "command: '%.40s' is none that may be asked for; the "
                           "operator would have to set http = yes in its section",
                           w->command);
    (void)snprintf(source, sizeof source, "command:%s", c->name);
    struct batch_source s = {.source = source,
                             .file = {.type = w->type ? w->type : c->type}};
    if (!o->job.name) {
        s.file.name = c->name;
        s.file.name_len = strlen(c->name);
    }
    return batch_add_job(&x->batch, o, &s, e);
}

static void note_body(struct idempotency *i, const struct json_flat *body)
{
    for (size_t k = 0; k < body->count; k++) {
        const struct json_member *m = &body->members[k];
        if (m->type == JSON_NULL)
            continue;
        idempotency_note(i, "member", m->name, strlen(m->name));
        idempotency_note(i, "text", m->text, strlen(m->text));
    }
}

static enum problem create(struct exchange *x, struct job_id *ret_holder, struct err *e)
{
    CLEANUP(options_release) struct options o = {.job = JOB_INIT};
    struct json_flat body;
    struct wish w;
    enum problem p = body_read(x, NULL, &body, e);
    if (!p)
        p = options_init(&o, x->app->config, &x->request, clock_wall_ms(), e);
    note_body(&x->idempotency, &body);
    for (size_t i = 0; !p && i < body.count; i++)
        p = set_option(&o, &body.members[i], e);
    if (!p && o.digest.has)
        p = problem_set(e, PROBLEM_BAD_OPTION, "sha256: only for files in the request");
    if (!p)
        p = read_wish(&body, &w, e);
    if (!p && !x->batch.is_rehearsal)
        p = rooms_check(x->app->rooms, o.queue, 0, &x->retry_after, e);
    if (!p && w.url)
        p = add_url(x, &o, &w, e);
    else if (!p && w.command)
        p = add_command(x, &o, &w, e);
    return p ? p : accept_batch(x, ret_holder, e);
}

void jobs_create(struct exchange *x)
{
    struct err e = ERR_INIT;
    struct job_id holder;
    if (accept_begin(x))
        accept_end(x, create(x, &holder, &e), &holder, &e);
}
