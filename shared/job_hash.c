#include "shared/job_arrived.h"
#include "shared/job_fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char usual_source[] = "spool";

static const char meta_prefix[] = "meta.", arrived_prefix[] = "arrived.";
enum {
    META_PREFIX_LEN = sizeof meta_prefix - 1,
    ARRIVED_PREFIX_LEN = sizeof arrived_prefix - 1
};

/* What job_decode_rest fills in again. */
static bool is_usual(const struct job *j, const struct job_field *f)
{
    char key[ID_UUID_LEN + 10];

    if (f->offset == offsetof(struct job, priority))
        return j->priority == 0;
    if (f->offset == offsetof(struct job, v))
        return j->v == 1;
    if (f->offset == offsetof(struct job, source))
        return strcmp(j->source, usual_source) == 0;
    if (f->offset != offsetof(struct job, key))
        return false;
    job_default_key(j, key);
    return strcmp(j->key, key) == 0;
}

enum err_code job_decode_rest(struct job *j, struct err *e)
{
    char key[ID_UUID_LEN + 10];

    if (job_field_mark(j, job_field_find("source")))
        j->source = strdup(usual_source);
    if (job_field_mark(j, job_field_find("key"))) {
        job_default_key(j, key);
        j->key = strdup(key);
    }
    (void)job_field_mark(j, job_field_find("priority"));
    (void)job_field_mark(j, job_field_find("v")); /* JOB_INIT's: 1 */
    /* Finish writes no more than what a beat wrote before. */
    if (j->state == JOB_DONE && j->convert)
        j->sent = j->out_bytes > 0 ? j->out_bytes : j->sent;
    else if (j->state == JOB_DONE && job_is_spooled(j))
        j->sent = j->size;
    return j->source && j->key ? ERR_OK
                               : err_set(e, ERR_NOMEM, "job: no memory for a record");
}

void job_encode_hash(const struct job *j, job_emit_fn *emit, void *ctx)
{
    for (size_t i = 0; i < job_field_count; i++) {
        const struct job_field *f = &job_fields[i];
        char digits[24];
        if (!(f->flags & JOB_ASKED) || f->flags & JOB_SCRIPT ||
            !job_field_is_set(j, f) || is_usual(j, f))
            continue;
        const char *value = digits;
        if (f->kind == JOB_KIND_TEXT)
            value = job_field_text(j, f);
        else
            (void)snprintf(digits, sizeof digits, "%" PRId64, *job_field_int(j, f));
        emit(f->name, value, ctx);
    }
    for (size_t i = 0; i < j->meta_count; i++) {
        char name[META_PREFIX_LEN + JOB_META_NAME_MAX + 1];
        (void)snprintf(name, sizeof name, "%s%s", meta_prefix, j->meta[i].name);
        emit(name, j->meta[i].value, ctx);
    }
}

/* A number as Redis shows it: digits only.  -1, which no field allows, for anything else. */
static int64_t parse_number(const char *s, size_t len)
{
    int64_t n = 0;

    if (len == 0 || len > 18)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return -1;
        n = n * 10 + (s[i] - '0');
    }
    return n;
}

static enum err_code decode_value(struct job *j, const struct job_field *f,
                                  const char *value, size_t len, struct err *e)
{
    switch (f->kind) {
    case JOB_KIND_INT:
    case JOB_KIND_TIME:
    case JOB_KIND_FLAG:
        return job_field_set_int(j, f, parse_number(value, len), e);
    case JOB_KIND_STATE:
        if (!job_state_parse(value, len, &j->state) || j->state == JOB_ACCEPTED)
            return err_set(e, ERR_REJECT, "job: %s is not a known state", f->name);
        return ERR_OK;
    case JOB_KIND_TEXT:
    case JOB_KIND_NOTE:
        if (len == 0 && !(f->flags & JOB_ASKED))
            return ERR_OK; /* a script that empties a result instead of removing it */
        return job_field_set_text(j, f, value, len, e);
    }
    return err_set(e, ERR_REJECT, "job: %s is not known", f->name);
}

enum err_code job_decode_field(struct job *j, const char *name, const char *value,
                               size_t value_len, struct err *e)
{
    if (strncmp(name, meta_prefix, META_PREFIX_LEN) == 0) {
        const char *rest = name + META_PREFIX_LEN;
        return job_add_meta(j, rest, strlen(rest), value, value_len, e);
    }
    if (strncmp(name, arrived_prefix, ARRIVED_PREFIX_LEN) == 0)
        return job_add_arrived(j, name + ARRIVED_PREFIX_LEN, value, value_len, e);
    const struct job_field *f = job_field_find(name);
    if (!f)
        return ERR_OK; /* a newer version's, or not ours */
    if (!job_field_mark(j, f))
        return err_set(e, ERR_REJECT, "job: %s is given twice", f->name);
    return decode_value(j, f, value, value_len, e);
}
