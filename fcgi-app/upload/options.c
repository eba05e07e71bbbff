#include "fcgi-app/upload/options.h"

#include "fcgi-app/upload/idempotency.h"
#include "fcgi-app/upload/options_ties.h"
#include "shared/clock.h"
#include "shared/convert.h"
#include "shared/s3_meta.h"
#include "shared/to_list.h"
#include "shared/webhooks.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { META_PREFIX_LEN = 5 };

static enum problem wrong(struct err *e, const char *name, const char *allowed)
{
    return problem_set(e, PROBLEM_BAD_OPTION, "%s: %s", name, allowed);
}

bool options_parse_number(const struct request_text *v, int64_t max, int64_t *ret)
{
    int64_t n = 0;
    if (v->len == 0 || v->len > 10)
        return false;
    for (size_t i = 0; i < v->len; i++) {
        if (v->s[i] < '0' || v->s[i] > '9')
            return false;
        n = n * 10 + (v->s[i] - '0');
    }
    if (n > max)
        return false;
    *ret = n;
    return true;
}

static enum problem set_queue(struct options *o, const struct request_text *v,
                              struct err *e)
{
    const struct config_queue *queue = config_find_queue(o->config, v->s, v->len);
    if (!queue || queue->is_of_webhooks)
        return problem_set(e, PROBLEM_UNKNOWN_QUEUE, "queue: '%.*s' is not configured",
                           v->len < 64 ? (int)v->len : 64, v->s);
    o->queue = queue;
    return PROBLEM_NONE;
}

static enum problem set_priority(struct options *o, const struct request_text *v,
                                 struct err *e)
{
    if (!options_parse_number(v, JOB_PRIORITY_MAX, &o->priority))
        return wrong(e, "priority", "0 to 9 is allowed");
    return PROBLEM_NONE;
}

static enum problem set_delay(struct options *o, const struct request_text *v,
                              struct err *e)
{
    int64_t seconds;
    if (!options_parse_number(v, OPTIONS_AHEAD_MAX_MS / 1000, &seconds))
        return wrong(e, "delay", "whole seconds up to a year are allowed");
    o->job.due = seconds > 0 ? o->now_ms + seconds * 1000 : 0;
    return PROBLEM_NONE;
}

static enum problem set_at(struct options *o, const struct request_text *v,
                           struct err *e)
{
    int64_t at_ms;
    if (!clock_parse_rfc3339(v->s, v->len, &at_ms))
        return wrong(e, "at", "an RFC 3339 time is wanted, as 2026-11-22T14:26:31Z");
    if (at_ms > o->now_ms + OPTIONS_AHEAD_MAX_MS)
        return wrong(e, "at", "at most a year ahead is allowed");
    o->job.due = at_ms > o->now_ms ? at_ms : 0;
    return PROBLEM_NONE;
}

static enum problem set_to(struct options *o, const struct request_text *v,
                           struct err *e)
{
    char text[TO_LIST_TEXT_MAX + 1];
    struct to_list list;

    if (to_list_parse(v->s, v->len, &list, e))
        return wrong(e, "to", e->text);
    for (size_t i = 0; i < list.count; i++)
        if (!config_find_destination(o->config, list.names[i], strlen(list.names[i])))
            return problem_set(e, PROBLEM_UNKNOWN_DESTINATION,
                               "to: '%s' is not configured", list.names[i]);
    to_list_format(&list, text);
    free(o->job.to);
    o->job.to = strdup(text);
    return o->job.to ? PROBLEM_NONE : problem_set(e, PROBLEM_INTERNAL, "out of memory");
}

/* The list as a job has it; NULL where it is empty. */
static enum problem store_convert(struct job *j, const struct config *config,
                                  const struct request_text *v, struct err *e)
{
    char names[JOB_CONVERT_TEXT_MAX + 1];
    struct convert convert;

    if (convert_find(config, v->s, v->len, &convert, e))
        return PROBLEM_UNKNOWN_CONVERTER;
    convert_format(&convert, names);
    free(j->convert);
    j->convert = *names ? strdup(names) : NULL;
    return !*names || j->convert ? PROBLEM_NONE
                                 : problem_set(e, PROBLEM_INTERNAL, "out of memory");
}

static enum problem set_convert(struct options *o, const struct request_text *v,
                                struct err *e)
{
    o->convert_given = true;
    enum problem p = store_convert(&o->job, o->config, v, e);
    if (p)
        (void)err_prefix(e, "convert");
    return p;
}

/* What a setter of job.h said, as an answer to the client; its text names the field. */
static enum problem of_code(enum err_code code)
{
    if (code == ERR_OK)
        return PROBLEM_NONE;
    return code == ERR_REJECT ? PROBLEM_BAD_OPTION : PROBLEM_INTERNAL;
}

static enum problem set_key(struct options *o, const struct request_text *v,
                            struct err *e)
{
    return of_code(job_set_key(&o->job, v->s, v->len, e));
}

static enum problem set_name(struct options *o, const struct request_text *v,
                             struct err *e)
{
    if (o->in_form)
        return wrong(e, "name", "in a form the file name is that of the file's part");
    return of_code(job_set_name(&o->job, v->s, v->len, e));
}

static enum problem set_sha256(struct options *o, const struct request_text *v,
                               struct err *e)
{
    o->digest = (struct http_digest)HTTP_DIGEST_INIT;
    return http_digest_parse_hex(v->s, v->len, &o->digest)
               ? PROBLEM_NONE
               : wrong(e, "sha256", "64 hex digits are wanted");
}

void options_take_digest(struct options *o, struct http_digest *d)
{
    http_digest_merge(d, &o->digest);
    o->digest = (struct http_digest)HTTP_DIGEST_INIT;
}

static enum problem set_callback(struct options *o, const struct request_text *v,
                                 struct err *e)
{
    char *copy = NULL;

    if (v->len > 0 && webhooks_check_callback(o->config, v->s, v->len, e)) {
        (void)err_prefix(e, "callback");
        return PROBLEM_CALLBACK_REFUSED;
    }
    if (v->len > 0 && !(copy = strndup(v->s, v->len)))
        return problem_set(e, PROBLEM_INTERNAL, "out of memory");
    free(o->job.callback);
    o->job.callback = copy;
    return PROBLEM_NONE;
}

static const struct {
    const char *name;
    options_setter *set;
} table[] = {
    {"queue", set_queue},
    {"priority", set_priority},
    {"delay", set_delay},
    {"at", set_at},
    {"to", set_to},
    {"key", set_key},
    {"name", set_name},
    {"group", options_set_group},
    {"after", options_set_after},
    {"after_failure", options_set_after_failure},
    {"unique", options_set_unique},
    {"unique_until", options_set_unique_until},
    {"unique_window", options_set_unique_window},
    {"batch", options_set_batch},
    {"convert", set_convert},
    {"sha256", set_sha256},
    {"callback", set_callback},
};

/* Bits of delay and at, by their place in the table. */
enum { SEEN_BOTH_TIMES = 1U << 2 | 1U << 3 };

static void drop_meta(struct job *j, const char *name, size_t len)
{
    for (size_t i = 0; i < j->meta_count; i++) {
        if (strlen(j->meta[i].name) != len || memcmp(j->meta[i].name, name, len) != 0)
            continue;
        free(j->meta[i].name);
        free(j->meta[i].value);
        j->meta[i] = j->meta[--j->meta_count];
        j->meta[j->meta_count] = (struct job_meta){NULL, NULL};
        return;
    }
}

static enum problem set_meta(struct options *o, const struct request_text *name,
                             const struct request_text *value, struct err *e)
{
    const char *key = name->s + META_PREFIX_LEN;
    size_t len = name->len - META_PREFIX_LEN;
    if (o->in_form)
        drop_meta(&o->job, key, len);
    return of_code(job_add_meta(&o->job, key, len, value->s, value->len, e));
}

enum problem options_put(struct options *o, const struct request_text *name,
                         const struct request_text *value, struct err *e)
{
    if (o->idempotency && o->in_form) {
        idempotency_note(o->idempotency, "field", name->s, name->len);
        idempotency_note(o->idempotency, "value", value->s, value->len);
    }
    if (name->len > META_PREFIX_LEN && memcmp(name->s, "meta.", META_PREFIX_LEN) == 0)
        return set_meta(o, name, value, e);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strlen(table[i].name) != name->len ||
            memcmp(table[i].name, name->s, name->len) != 0)
            continue;
        if (!o->in_form && o->seen & 1U << i)
            return wrong(e, table[i].name, "given twice");
        o->seen |= 1U << i;
        if (!o->in_form && (o->seen & SEEN_BOTH_TIMES) == SEEN_BOTH_TIMES)
            return wrong(e, "delay", "not together with at");
        return table[i].set(o, value, e);
    }
    return problem_set(
        e, PROBLEM_BAD_OPTION,
        "'%.*s' is no option; there are queue, priority, delay, at, to, "
        "convert, key, name, meta.NAME, group, after, after_failure, unique, "
        "unique_until, unique_window, batch, sha256, callback",
        name->len < 64 ? (int)name->len : 64, name->s);
}

/* HTTP_X_HOIST_META_FIRST_NAME=me -> meta.first-name; other names: X-Hoist-After-Failure -> after_failure. */
static enum problem set_header(struct options *o, const char *param, struct err *e)
{
    static const char prefix[] = "HTTP_X_HOIST_";
    char name[128];
    const char *from = param + sizeof prefix - 1;
    size_t len = strcspn(from, "=");
    if (len >= sizeof name)
        return problem_set(e, PROBLEM_BAD_OPTION,
                           "an X-Hoist- header's name is too long");
    bool is_meta = strncmp(from, "META_", META_PREFIX_LEN) == 0;
    for (size_t i = 0; i < len; i++) {
        char c = from[i];
        name[i] = c == '_' && is_meta    ? '-'
                  : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a')
                                         : c;
    }
    name[len] = '\0';
    if (is_meta)
        name[META_PREFIX_LEN - 1] = '.';
    struct request_text n = {name, len}, v = {from + len + 1, strlen(from + len + 1)};
    return options_set(o, &n, &v, e);
}

static enum problem set_headers(struct options *o, const struct request *r,
                                struct err *e)
{
    const char *encoding = r->headers[REQUEST_CONTENT_ENCODING];
    if (encoding && strcasecmp(encoding, "identity") != 0)
        return problem_set(e, PROBLEM_ENCODING,
                           "Content-Encoding: files are stored as they are; give an "
                           "encoded one its own type instead");
    if (r->headers[REQUEST_RANGE])
        return problem_set(e, PROBLEM_BAD_REQUEST, "Range: not of an upload");
    if (r->headers[REQUEST_CONTENT_RANGE])
        return problem_set(e, PROBLEM_BAD_REQUEST,
                           "Content-Range: a part of a file cannot be uploaded");
    for (char *const *p = r->params; *p; p++) {
        enum problem problem =
            strncmp(*p, "HTTP_X_HOIST_", 13) == 0 ? set_header(o, *p, e) : PROBLEM_NONE;
        if (problem)
            return problem;
    }
    return PROBLEM_NONE;
}

enum problem options_begin(struct options *o, const struct config *config,
                           int64_t now_ms, struct err *e)
{
    *o = (struct options){.policy = o->policy,
                          .find_policy = o->find_policy,
                          .find_ctx = o->find_ctx,
                          .config = config,
                          .now_ms = now_ms,
                          .job = JOB_INIT};
    o->priority = -1;
    o->queue = config_find_queue(config, "default", strlen("default"));
    if (!o->queue)
        return problem_set(e, PROBLEM_INTERNAL, "there is no queue default");
    return options_apply_policy(o, e);
}

enum problem options_init(struct options *o, const struct config *config,
                          const struct request *r, int64_t now_ms, struct err *e)
{
    enum problem begun = options_begin(o, config, now_ms, e);
    if (begun)
        return begun;
    for (size_t i = 0; i < r->query_count; i++) {
        enum problem p = options_set(o, &r->query[i].name, &r->query[i].value, e);
        if (p)
            return p;
    }
    return set_headers(o, r, e);
}

void options_release(struct options *o)
{
    job_release(&o->job);
}

void options_enter_form(struct options *o)
{
    o->in_form = true;
}

/* Each of its destinations takes the metadata that the client gave. */
static bool meta_fits(const struct config *config, const struct job *j, struct err *e)
{
    const char *to = j->to;

    do {
        size_t len = strcspn(to, ",");
        const struct config_destination *d = config_find_destination(config, to, len);
        if (d && d->scheme == CONFIG_S3 && s3_meta_check(j, e))
            return false;
        to += len;
    } while (*to++ == ',');
    return true;
}

enum problem options_make_job(const struct options *o, struct job *ret, struct err *e)
{
    enum problem p = options_check_ties(o, e);
    if (p)
        return p;
    if (job_copy(&o->job, ret, e))
        return PROBLEM_INTERNAL;
    memcpy(ret->id.queue, o->queue->name, sizeof ret->id.queue);
    ret->v = JOB_VERSION;
    ret->created = o->now_ms;
    ret->priority = o->priority >= 0 ? o->priority : o->queue->priority;
    ret->max_attempts = o->queue->max_attempts;
    ret->source = strdup("spool");
    if (!ret->to)
        ret->to = strdup(o->queue->to);
    if (!o->convert_given)
        p = store_convert(
            ret, o->config,
            &(struct request_text){o->queue->convert, strlen(o->queue->convert)}, e);
    if (p || !ret->source || !ret->to) {
        job_release(ret);
        return p ? p : problem_set(e, PROBLEM_INTERNAL, "out of memory");
    }
    if (o->config->webhook_count > 0 && webhooks_assign(o->config, ret, e)) {
        job_release(ret);
        return PROBLEM_INTERNAL;
    }
    if (!meta_fits(o->config, ret, e)) {
        job_release(ret);
        return PROBLEM_BAD_OPTION;
    }
    return PROBLEM_NONE;
}
