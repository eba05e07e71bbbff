#include "shared/clock.h"
#include "shared/digest.h"
#include "shared/job_arrived.h"
#include "shared/job_fields.h"
#include "shared/url.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

DEFINE_CLEANUP(json_t *, json_free, json_decref)

/* How a manifest ends: the seal, 64 digits, the close. */
static const char seal_open[] = ",\"checksum\":\"";
static const char seal_close[] = "\"}\n";
enum {
    SEAL_OPEN_LEN = sizeof seal_open - 1,
    SEAL_CLOSE_LEN = sizeof seal_close - 1,
    SEAL_LEN = SEAL_OPEN_LEN + DIGEST_SHA256_HEX + SEAL_CLOSE_LEN
};

/* --- Writing --- */

static void add_text(struct buf *b, const char *name, const char *s)
{
    buf_puts(b, ",\"");
    buf_puts(b, name);
    buf_puts(b, "\":");
    buf_add_json(b, s, strlen(s));
}

static void add_int(struct buf *b, const char *name, int64_t n)
{
    buf_puts(b, ",\"");
    buf_puts(b, name);
    buf_puts(b, "\":");
    buf_add_int(b, n);
}

static void add_meta(struct buf *b, const struct job *j)
{
    for (size_t i = 0; i < j->meta_count; i++) {
        const struct job_meta *m = &j->meta[i];
        buf_puts(b, i == 0 ? ",\"meta\":{" : ",");
        buf_add_json(b, m->name, strlen(m->name));
        buf_putc(b, ':');
        buf_add_json(b, m->value, strlen(m->value));
    }
    if (j->meta_count > 0)
        buf_putc(b, '}');
}

static enum err_code add_seal(struct buf *b, struct err *e)
{
    char hex[DIGEST_SHA256_HEX + 1];

    if (digest_sha256_hex(b->data, b->len, hex, e))
        return e->code;
    buf_puts(b, seal_open);
    buf_puts(b, hex);
    buf_puts(b, seal_close);
    return ERR_OK;
}

enum err_code job_encode_manifest(const struct job *j, struct buf *ret_text,
                                  struct err *e)
{
    char id[ID_JOB_MAX + 1];

    if (!id_is_queue(j->id.queue, strlen(j->id.queue)) ||
        !id_is_uuid(j->id.uuid.text, strlen(j->id.uuid.text)))
        return err_set(e, ERR_REJECT, "job: the id is not QUEUE.UUID");
    if (job_check(j, e))
        return e->code;
    id_format_job(&j->id, id);
    buf_clear(ret_text);
    buf_printf(ret_text, "{\"id\":\"%s\"", id);
    for (size_t i = 0; i < job_field_count; i++) {
        const struct job_field *f = &job_fields[i];
        if (!(f->flags & JOB_ASKED) || !job_field_is_set(j, f))
            continue;
        if (f->kind == JOB_KIND_TEXT)
            add_text(ret_text, f->name, job_field_text(j, f));
        else
            add_int(ret_text, f->name, *job_field_int(j, f));
    }
    add_meta(ret_text, j);
    if (add_seal(ret_text, e))
        return e->code;
    if (ret_text->failed || ret_text->len > JOB_RECORD_MAX)
        return err_set(e, ERR_NOMEM, "job: the manifest does not fit");
    return ERR_OK;
}

static void add_time(struct buf *b, const char *name, int64_t ms)
{
    buf_printf(b, ",\"%s\":\"", name);
    clock_format_rfc3339(b, ms);
    buf_putc(b, '"');
}

/* What clients see otherwise than Redis has it: whole ids, seconds as they gave them, and addresses without the query, in
 * which signatures stand. */
static bool add_translated(struct buf *b, const struct job *j,
                           const struct job_field *f)
{
    if (f->offset == offsetof(struct job, after))
        buf_printf(b, ",\"%s\":\"%s.%s\"", f->status, j->id.queue, j->after);
    else if (f->offset == offsetof(struct job, unique_ms))
        add_int(b, f->status, j->unique_ms / 1000);
    else if (f->offset == offsetof(struct job, source_url)) {
        buf_printf(b, ",\"%s\":", f->status);
        buf_add_json(b, j->source_url, url_shown_len(j->source_url));
    } else if (f->offset == offsetof(struct job, callback)) {
        buf_printf(b, ",\"%s\":", f->status);
        buf_add_json(b, j->callback, url_shown_len(j->callback));
    } else
        return false;
    return true;
}

static void add_status_field(struct buf *b, const struct job *j,
                             const struct job_field *f)
{
    if (add_translated(b, j, f))
        return;
    switch (f->kind) {
    case JOB_KIND_INT:
        add_int(b, f->status, *job_field_int(j, f));
        break;
    case JOB_KIND_TIME:
        add_time(b, f->status, *job_field_int(j, f));
        break;
    case JOB_KIND_STATE:
        add_text(b, f->status, job_state_name(j->state));
        break;
    case JOB_KIND_FLAG: /* the only one is `cancel` */
        if (j->state == JOB_RUNNING)
            buf_printf(b, ",\"%s\":true", f->status);
        break;
    case JOB_KIND_TEXT:
    case JOB_KIND_NOTE:
        add_text(b, f->status, job_field_text(j, f));
        break;
    }
}

/* ,"name":"value" where it is set; comma is what stands before it, and moves on. */
static void add_member(struct buf *b, const char **comma, const char *name,
                       const char *value)
{
    if (!value)
        return;
    buf_printf(b, "%s\"%s\":", *comma, name);
    buf_add_json(b, value, strlen(value));
    *comma = ",";
}

static void add_result(struct buf *b, const struct job *j, const struct job_link *link)
{
    const char *comma = "";

    if (!j->url && !j->etag && !j->out_sha256 && j->out_bytes == 0 && !link)
        return;
    buf_puts(b, ",\"result\":{");
    add_member(b, &comma, "url", j->url);
    add_member(b, &comma, "etag", j->etag);
    if (j->out_bytes > 0) {
        buf_printf(b, "%s\"size\":%" PRId64, comma, j->out_bytes);
        comma = ",";
    }
    add_member(b, &comma, "sha256", j->out_sha256);
    if (link) {
        add_member(b, &comma, "presigned_url", link->url);
        add_time(b, "expires", link->expires_ms);
    }
    buf_putc(b, '}');
}

static void add_error(struct buf *b, const struct job *j)
{
    const char *comma = "";

    if (!j->error_class && !j->error)
        return;
    buf_puts(b, ",\"error\":{");
    add_member(b, &comma, "class", j->error_class);
    add_member(b, &comma, "text", j->error);
    buf_putc(b, '}');
}

bool job_add_status(struct buf *b, const struct job *j)
{
    return job_add_status_linked(b, j, NULL);
}

bool job_add_status_linked(struct buf *b, const struct job *j,
                           const struct job_link *link)
{
    char id[ID_JOB_MAX + 1];

    id_format_job(&j->id, id);
    buf_printf(b, "{\"id\":\"%s\",\"queue\":\"%s\"", id, j->id.queue);
    for (size_t i = 0; i < job_field_count; i++)
        if (job_fields[i].status && job_field_is_set(j, &job_fields[i]))
            add_status_field(b, j, &job_fields[i]);
    job_add_results(b, j);
    if (j->state == JOB_DONE)
        add_result(b, j, link);
    else
        add_error(b, j);
    return buf_printf(b, ",\"url\":\"/v1/jobs/%s\"}", id);
}

/* --- Reading --- */

/* Whether text ends in the seal of what stands before it. */
static enum err_code check_seal(const char *text, size_t len, struct err *e)
{
    char hex[DIGEST_SHA256_HEX + 1];

    if (len > JOB_RECORD_MAX || len < SEAL_LEN)
        return err_set(e, ERR_REJECT, "job: not a manifest: %zu bytes long", len);
    const char *seal = text + len - SEAL_LEN;
    if (memcmp(seal, seal_open, SEAL_OPEN_LEN) != 0 ||
        memcmp(text + len - SEAL_CLOSE_LEN, seal_close, SEAL_CLOSE_LEN) != 0)
        return err_set(e, ERR_REJECT, "job: the manifest has no checksum at its end");
    if (digest_sha256_hex(text, len - SEAL_LEN, hex, e))
        return e->code;
    if (memcmp(seal + SEAL_OPEN_LEN, hex, DIGEST_SHA256_HEX) != 0)
        return err_set(e, ERR_REJECT, "job: the manifest is damaged: wrong checksum");
    return ERR_OK;
}

static enum err_code decode_meta(struct job *j, json_t *object, struct err *e)
{
    const char *name;
    json_t *value;

    if (!json_is_object(object))
        return err_set(e, ERR_REJECT, "job: meta is not an object");
    json_object_foreach(object, name, value)
    {
        if (!json_is_string(value))
            return err_set(e, ERR_REJECT, "job: a meta value is not a text");
        if (job_add_meta(j, name, strlen(name), json_string_value(value),
                         json_string_length(value), e))
            return e->code;
    }
    return ERR_OK;
}

static enum err_code decode_member(struct job *j, const char *name, const json_t *value,
                                   struct err *e)
{
    const struct job_field *f = job_field_find(name);

    if (!f || !(f->flags & JOB_ASKED))
        return ERR_OK;          /* a newer version's, or not ours */
    (void)job_field_mark(j, f); /* duplicates were refused by the parser */
    if (json_is_integer(value))
        return job_field_set_int(j, f, json_integer_value(value), e);
    if (json_is_string(value))
        return job_field_set_text(j, f, json_string_value(value),
                                  json_string_length(value), e);
    return err_set(e, ERR_REJECT, "job: %s is of the wrong type", f->name);
}

static enum err_code decode_members(struct job *j, json_t *root, struct err *e)
{
    const json_t *id = json_object_get(root, "id");
    json_t *meta = json_object_get(root, "meta");
    const char *name;
    json_t *value;

    if (!json_is_string(id) ||
        !id_parse_job(json_string_value(id), json_string_length(id), &j->id))
        return err_set(e, ERR_REJECT, "job: the id is not QUEUE.UUID");
    json_object_foreach(root, name,
                        value) if (decode_member(j, name, value, e)) return e->code;
    if (meta && decode_meta(j, meta, e))
        return e->code;
    (void)job_field_mark(j, job_field_find("state")); /* a manifest says "accepted" */
    if (job_check(j, e))
        return e->code;
    j->seen = 0;
    return ERR_OK;
}

/*
 * Where jansson runs short of memory it may say so, fail without a reason, or leave out bytes of a string.  A key with an end
 * missing is another key, hence its allocations are watched.
 */
static _Thread_local bool is_starved;

static void *watched_malloc(size_t size)
{
    void *p = malloc(size);

    if (!p)
        is_starved = true;
    return p;
}

static void watch_allocations(void)
{
    json_set_alloc_funcs(watched_malloc, free);
}

/* NULL: it is not JSON, or (*ret_starved) there was no memory. */
static json_t *parse(const char *text, size_t len, bool *ret_starved)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, watch_allocations);
    is_starved = false;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    *ret_starved = is_starved;
    if (!is_starved)
        return root;
    json_decref(root);
    return NULL;
}

enum err_code job_decode_manifest(const char *text, size_t len, struct job *ret_job,
                                  struct err *e)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    bool starved;

    if (check_seal(text, len, e))
        return e->code;
    CLEANUP(json_free) json_t *root = parse(text, len, &starved);
    if (starved)
        return err_set(e, ERR_NOMEM, "job: no memory for the manifest");
    if (!root || !json_is_object(root))
        return err_set(e, ERR_REJECT, "job: the manifest is not a JSON object");
    if (decode_members(&j, root, e))
        return e->code;
    *ret_job = j;
    j = (struct job)JOB_INIT;
    return ERR_OK;
}
