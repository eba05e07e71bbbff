#include "worker/hooks/hook_event.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/job_set.h"
#include "shared/utf8.h"
#include "shared/webhooks.h"

enum { HEAD_FIELDS = 4 /* event and id, names and values */, ERROR_BRIEF = 1024 };

#define AT_MAX INT64_C(253402300799999) /* the last ms of the year 9999, as in a job */

void hook_event_release(struct hook_event *v)
{
    job_release(&v->job);
    *v = (struct hook_event){.job = JOB_INIT};
}

/* --- from the outbox --- */

static const char *text_at(const struct redis_value *fields, size_t i, size_t *ret_len)
{
    return redis_value_str(redis_value_at(fields, i), ret_len);
}

static enum err_code parse_record(const struct redis_value *fields, struct job *j,
                                  struct err *e)
{
    for (size_t i = HEAD_FIELDS; i + 1 < redis_value_len(fields); i += 2) {
        size_t len;
        const char *name = text_at(fields, i, NULL);
        const char *value = text_at(fields, i + 1, &len);
        if (job_decode_field(j, name, value, len, e))
            return e->code;
    }
    return job_decode_rest(j, e) || job_check(j, e) ? e->code : ERR_OK;
}

/* hooks and callback, "-" for none. */
static enum err_code parse_targets(const struct redis_value *fields, struct job *j,
                                   struct err *e)
{
    for (size_t i = HEAD_FIELDS; i + 1 < redis_value_len(fields); i += 2) {
        size_t len;
        const char *name = text_at(fields, i, NULL);
        const char *value = text_at(fields, i + 1, &len);
        bool known = strcmp(name, "hooks") == 0 || strcmp(name, "callback") == 0;
        if (known && strcmp(value, "-") != 0 &&
            job_decode_field(j, name, value, len, e))
            return e->code;
    }
    return ERR_OK;
}

enum err_code hook_event_parse(const struct redis_value *entry, const char *queue,
                               struct hook_event *ret, struct err *e)
{
    CLEANUP(hook_event_release) struct hook_event v = {.job = JOB_INIT};
    const struct redis_value *fields = redis_value_at(entry, 1);
    size_t word_len = 0, id_len = 0;

    if (redis_value_len(fields) < HEAD_FIELDS ||
        strcmp(text_at(fields, 0, NULL), "event") != 0 ||
        strcmp(text_at(fields, 2, NULL), "id") != 0)
        return err_set(e, ERR_REJECT, "it begins with no event and id");
    const char *word = text_at(fields, 1, &word_len);
    const char *id = text_at(fields, 3, &id_len);
    v.kind = webhooks_event(word, word_len);
    if (!v.kind || !id_is_uuid(id, id_len))
        return err_set(e, ERR_REJECT, "its event or id is none");
    memcpy(v.word, word, word_len + 1);
    memcpy(v.uuid.text, id, sizeof v.uuid.text);
    (void)memccpy(v.job.id.queue, queue, '\0', sizeof v.job.id.queue);
    v.job.id.uuid = v.uuid;
    v.at_ms = strtoll(text_at(entry, 0, NULL), NULL, 10); /* "ms-n" */
    if (v.kind == CONFIG_EVENT_BATCH ? parse_targets(fields, &v.job, e)
                                     : parse_record(fields, &v.job, e))
        return e->code;
    if (v.job.ended > 0)
        v.at_ms = v.job.ended;
    if (v.at_ms < 1 || v.at_ms > AT_MAX)
        return err_set(e, ERR_REJECT, "it has no time");
    *ret = v;
    memset(&v, 0, sizeof v); /* its strings are the caller's now */
    return ERR_OK;
}

/* --- who wants it --- */

static bool is_named(const char *names, const char *name)
{
    size_t len = strlen(name);

    while (names && *names) {
        size_t n = strcspn(names, ",");
        if (n == len && memcmp(names, name, len) == 0)
            return true;
        names += n + (names[n] == ',');
    }
    return false;
}

const struct config_webhook *hook_event_wanted(const struct hook_event *v,
                                               const struct config *c, size_t *at)
{
    while (*at < c->webhook_count) {
        const struct config_webhook *w = &c->webhooks[(*at)++];
        bool told = *w->url ? is_named(v->job.hooks, w->name) : v->job.callback != NULL;
        if (told && w->event_bits & v->kind)
            return w;
    }
    return NULL;
}

/* --- what it is told --- */

static enum err_code make_id(const struct hook_event *v, const char *webhook,
                             struct uuid *ret, struct err *e)
{
    CLEANUP(buf_release) struct buf text = BUF_INIT(256);

    if (v->kind == CONFIG_EVENT_BATCH) /* it is in several queues, and ends once */
        buf_printf(&text, "%s batch", v->uuid.text);
    else
        buf_printf(&text, "%s.%s %s", v->job.id.queue, v->uuid.text, v->word);
    if (v->kind == CONFIG_EVENT_DEAD || v->kind == CONFIG_EVENT_CANCELLED)
        buf_printf(&text, " %" PRId64, v->at_ms);
    if (webhook)
        buf_printf(&text, " %s", webhook);
    if (text.failed)
        return err_set(e, ERR_NOMEM, "no memory for an id");
    return id_of_tick(text.data, id_uuid_ms(v->uuid.text), ret, e);
}

static void add_batch(struct buf *b, const struct hook_event *v)
{
    buf_printf(b,
               ",\"batch\":{\"id\":\"%s\",\"total\":%" PRId64 ",\"done\":%" PRId64
               ",\"dead\":%" PRId64 ",\"cancelled\":%" PRId64 "}",
               v->uuid.text, v->total, v->done, v->dead, v->cancelled);
}

static void add_meta(struct buf *b, const struct job *j)
{
    buf_puts(b, ",\"meta\":{");
    for (size_t i = 0; i < j->meta_count; i++) {
        if (i > 0)
            buf_putc(b, ',');
        buf_add_json(b, j->meta[i].name, strlen(j->meta[i].name));
        buf_putc(b, ':');
        buf_add_json(b, j->meta[i].value, strlen(j->meta[i].value));
    }
    buf_putc(b, '}');
}

static void add_event(struct buf *b, const struct hook_event *v, const struct job *j,
                      const struct uuid *id)
{
    buf_clear(b);
    buf_printf(b, "{\"event\":\"%s\",\"event_id\":\"%s\",\"at\":\"", v->word, id->text);
    clock_format_rfc3339(b, v->at_ms);
    buf_putc(b, '"');
    if (v->kind == CONFIG_EVENT_BATCH) {
        add_batch(b, v);
    } else {
        buf_puts(b, ",\"job\":");
        (void)job_add_status(b, j); /* b->failed says so */
        add_meta(b, j);
    }
    buf_putc(b, '}');
}

/* Without what can be long; its strings are the job's. */
static void cut(struct job *j, int step, char *error)
{
    j->arrived_count = 0;
    if (step < 2)
        return;
    if (j->error) {
        size_t len = strnlen(j->error, ERROR_BRIEF);
        len = len < ERROR_BRIEF ? len : utf8_whole(j->error, ERROR_BRIEF);
        memcpy(error, j->error, len);
        error[len] = '\0';
        j->error = error;
    }
    j->meta_count = 0;
    j->url = j->source_url = NULL;
    if (step > 2) /* nobody may make a job too long to be told of */
        j->error = j->etag = j->callback = j->unique = j->request_id = j->tracestate =
            NULL;
}

static enum err_code make_payload(const struct hook_event *v, const struct uuid *id,
                                  char **ret, struct err *e)
{
    struct job brief = v->job; /* borrowed */
    char error[ERROR_BRIEF + 1];

    for (int step = 0; step < 4; step++) {
        CLEANUP(buf_release) struct buf b = BUF_INIT(JOB_PAYLOAD_MAX);
        if (step > 0)
            cut(&brief, step, error);
        add_event(&b, v, &brief, id);
        if (b.failed)
            continue;
        *ret = buf_detach(&b);
        return *ret ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for a payload");
    }
    return err_set(e, ERR_REJECT, "what is to be told does not fit");
}

/* --- the job that tells it --- */

static bool copy(const char *text, char **ret)
{
    *ret = text ? strdup(text) : NULL;
    return !text || *ret;
}

static enum err_code set_texts(const struct hook_event *v,
                               const struct config_webhook *w, struct job *j,
                               struct err *e)
{
    const struct job *of = &v->job;
    char group[JOB_GROUP_MAX + 1], name[ID_JOB_MAX + 1], key[ID_UUID_LEN + 10];

    memcpy(group, v->uuid.text, ID_UUID_LEN);
    group[ID_UUID_LEN] = '.'; /* two names that begin alike may share a group */
    (void)memccpy(group + ID_UUID_LEN + 1, w->name, '\0',
                  JOB_GROUP_MAX - ID_UUID_LEN - 1);
    group[JOB_GROUP_MAX] = '\0';
    id_format_job(&of->id, name);
    if (!copy("hook", &j->source) || !copy(w->name, &j->to) ||
        !copy(group, &j->group) || !copy(v->word, &j->hook) ||
        !copy(*w->url ? NULL : of->callback, &j->callback) ||
        !copy(of->request_id, &j->request_id) ||
        !copy(of->traceparent, &j->traceparent) ||
        !copy(of->tracestate, &j->tracestate))
        return err_set(e, ERR_NOMEM, "no memory for a webhook");
    if (v->kind == CONFIG_EVENT_BATCH)
        memcpy(name, v->uuid.text, sizeof v->uuid.text);
    if (job_set_name(j, name, strlen(name), e) ||
        job_set_type(j, "application/json", strlen("application/json"), e))
        return e->code;
    job_default_key(j, key);
    return job_set_key(j, key, strlen(key), e);
}

enum err_code hook_event_make_job(const struct hook_event *v, const struct config *c,
                                  const struct config_webhook *w, struct job *ret,
                                  struct err *e)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    const struct config_queue *q = config_find_queue(c, w->queue, strlen(w->queue));
    struct uuid event_id;

    if (!q)
        return err_set(e, ERR_REJECT, "the webhook's queue is not configured");
    if (make_id(v, NULL, &event_id, e) || make_id(v, w->name, &j.id.uuid, e))
        return e->code;
    (void)memccpy(j.id.queue, q->name, '\0', sizeof j.id.queue);
    j.created = v->at_ms;
    j.priority = q->priority;
    j.max_attempts = q->max_attempts;
    if (make_payload(v, &event_id, &j.payload, e) || set_texts(v, w, &j, e))
        return e->code;
    *ret = j;
    j = (struct job)JOB_INIT;
    return ERR_OK;
}
