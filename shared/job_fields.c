#include "shared/job_fields.h"

#include "shared/job_tries.h"
#include "shared/url.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TIME_MAX INT64_C(253402300799999) /* the last millisecond of the year 9999 */
#define SIZE_MAX_BYTES (INT64_C(1) << 50)
#define SEQ_MAX ((INT64_C(1) << 45) - 1)   /* the score is priority * 2^45 + seq */
#define COUNT_MAX ((INT64_C(1) << 53) - 1) /* what Lua and JSON count exactly */

#define AT(member) offsetof(struct job, member)
#define ASKED_REQUIRED (JOB_ASKED | JOB_REQUIRED)
#define OF_BYTES (JOB_ASKED | JOB_REQUIRED | JOB_FETCHED)

static bool is_after_failure(const char *s, size_t len)
{
    return job_text_is_one_of(s, len, "cancel", "run");
}

static bool is_unique_until(const char *s, size_t len)
{
    return job_text_is_one_of(s, len, "done", "start");
}

static bool is_event(const char *s, size_t len)
{
    return job_text_is_one_of(s, len, "done", "dead") ||
           job_text_is_one_of(s, len, "cancelled", "batch");
}

/* clang-format off */
const struct job_field job_fields[] = {
    /* name           status          kind            flags           offset            min  max             text rule */
    {"v",             NULL,           JOB_KIND_INT,   ASKED_REQUIRED, AT(v),            1, COUNT_MAX,        NULL},
    {"batch",         "batch",        JOB_KIND_TEXT,  JOB_ASKED,      AT(batch), ID_UUID_LEN, ID_UUID_LEN,      id_is_uuid},
    {"name",          "name",         JOB_KIND_TEXT,  JOB_ASKED,      AT(name),         1, JOB_NAME_MAX,     job_text_is_name},
    {"type",          "type",         JOB_KIND_TEXT,  JOB_ASKED,      AT(type),         1, JOB_TYPE_MAX,     job_text_is_type},
    {"bytes",         "size",         JOB_KIND_INT,   OF_BYTES,       AT(size),         0, SIZE_MAX_BYTES,   NULL},
    {"sha256",        "sha256",       JOB_KIND_TEXT,  OF_BYTES,       AT(sha256),      64, 64,               job_text_is_hex},
    {"crc32c",        "crc32c",       JOB_KIND_TEXT,  JOB_ASKED,      AT(crc32c),       8, 8,                job_text_is_hex},
    {"state",         "state",        JOB_KIND_STATE, JOB_REQUIRED,   AT(state),        0, 0,                NULL},
    {"priority",      "priority",     JOB_KIND_INT,   ASKED_REQUIRED, AT(priority),     0, JOB_PRIORITY_MAX, NULL},
    {"attempts",      "attempts",     JOB_KIND_INT,   0,              AT(attempts),     0, COUNT_MAX,        NULL},
    {"max_attempts",  "max_attempts", JOB_KIND_INT,   ASKED_REQUIRED, AT(max_attempts), 1, 1000,             NULL},
    {"sent",          "sent",         JOB_KIND_INT,   0,              AT(sent),         0, SIZE_MAX_BYTES,   NULL},
    {"phase",         "phase",        JOB_KIND_TEXT,  0,              AT(phase),        1, 16,               job_text_is_word},
    {"rate",          "rate",         JOB_KIND_INT,   JOB_OPTIONAL,   AT(rate),         0, SIZE_MAX_BYTES,   NULL},
    {"parts",         "parts",        JOB_KIND_INT,   JOB_OPTIONAL,   AT(parts),        0, 10000,            NULL},
    {"parts_done",    "parts_done",   JOB_KIND_INT,   JOB_OPTIONAL,   AT(parts_done),   0, 10000,            NULL},
    {"to",            "to",           JOB_KIND_TEXT,  ASKED_REQUIRED, AT(to),           1, TO_LIST_TEXT_MAX, to_list_is_plain},
    {"convert",       "convert",      JOB_KIND_TEXT,  JOB_ASKED,      AT(convert),      1, JOB_CONVERT_TEXT_MAX, job_text_is_names},
    {"key",           "key",          JOB_KIND_TEXT,  ASKED_REQUIRED, AT(key),          1, JOB_KEY_MAX,      job_key_is_safe},
    {"created",       "created",      JOB_KIND_TIME,  ASKED_REQUIRED, AT(created),      1, TIME_MAX,         NULL},
    {"due",           "due",          JOB_KIND_TIME,  JOB_ASKED | JOB_SCRIPT, AT(due),  0, TIME_MAX,         NULL},
    {"started",       "started",      JOB_KIND_TIME,  0,              AT(started),      0, TIME_MAX,         NULL},
    {"ended",         "ended",        JOB_KIND_TIME,  0,              AT(ended),        0, TIME_MAX,         NULL},
    {"cancel",        "cancelling",   JOB_KIND_FLAG,  0,              AT(cancel),       0, 1,                NULL},
    {"group",         "group",        JOB_KIND_TEXT,  JOB_ASKED,      AT(group),        1, JOB_GROUP_MAX,    job_text_is_word},
    {"after",         "after",        JOB_KIND_TEXT,  JOB_ASKED,      AT(after), ID_UUID_LEN, ID_UUID_LEN,      id_is_uuid},
    {"after_failure", "after_failure", JOB_KIND_TEXT, JOB_ASKED,      AT(after_failure), 1, 8,               is_after_failure},
    {"unique",        "unique",       JOB_KIND_TEXT,  JOB_ASKED,      AT(unique),       1, JOB_UNIQUE_MAX,   job_text_is_graphic},
    {"unique_until",  "unique_until", JOB_KIND_TEXT,  JOB_ASKED,      AT(unique_until), 1, 8,                is_unique_until},
    {"unique_ms",     "unique_window", JOB_KIND_INT,   JOB_ASKED | JOB_OPTIONAL, AT(unique_ms), 0, TIME_MAX,   NULL},
    {"source",        NULL,           JOB_KIND_TEXT,  ASKED_REQUIRED, AT(source),       1, JOB_SOURCE_MAX,   job_text_is_source},
    {"source_url",    "source_url",   JOB_KIND_TEXT,  JOB_ASKED,      AT(source_url),   1, URL_MAX,          url_is_valid},
    {"schedule",      "schedule",     JOB_KIND_TEXT,  JOB_ASKED,      AT(schedule),     1, ID_QUEUE_MAX,     id_is_queue},
    {"owner",         "owner",        JOB_KIND_TEXT,  JOB_ASKED,      AT(owner),        1, ID_QUEUE_MAX,     id_is_queue},
    {"policy",        "policy",       JOB_KIND_TEXT,  JOB_ASKED,      AT(policy),       1, ID_QUEUE_MAX,     id_is_queue},
    {"callback",      "callback",     JOB_KIND_TEXT,  JOB_ASKED,      AT(callback),     1, URL_MAX,          url_is_valid},
    {"hooks",         "hooks",        JOB_KIND_TEXT,  JOB_ASKED,      AT(hooks),        1, JOB_HOOKS_TEXT_MAX, job_text_is_names},
    {"hook",          "hook",         JOB_KIND_TEXT,  JOB_ASKED,      AT(hook),         1, 16,               is_event},
    {"payload",       NULL,           JOB_KIND_TEXT,  JOB_ASKED,      AT(payload),      1, JOB_PAYLOAD_MAX,  job_text_is_plain},
    {"batch_callback", NULL,          JOB_KIND_TEXT,  JOB_ASKED,      AT(batch_callback), 1, URL_MAX,        url_is_valid},
    {"batch_unchecked", NULL,         JOB_KIND_INT,   JOB_ASKED | JOB_OPTIONAL, AT(batch_unchecked), 0, 1,    NULL},
    {"batch_refused", "batch_refused", JOB_KIND_TEXT, 0,              AT(batch_refused), ID_UUID_LEN, ID_UUID_LEN, id_is_uuid},
    {"idempotency",   NULL,           JOB_KIND_TEXT,  JOB_ASKED,      AT(idempotency), 64, 64,               job_text_is_hex},
    {"request_id",    "request_id",   JOB_KIND_TEXT,  JOB_ASKED,      AT(request_id),   1, JOB_REQUEST_ID_MAX, job_text_is_graphic},
    {"traceparent",   "traceparent",  JOB_KIND_TEXT,  JOB_ASKED,      AT(traceparent), JOB_TRACEPARENT_MIN, JOB_TRACEPARENT_MAX, job_text_is_graphic},
    {"tracestate",    "tracestate",   JOB_KIND_TEXT,  JOB_ASKED,      AT(tracestate),   1, JOB_TRACESTATE_MAX, job_text_is_plain},
    {"seq",           NULL,           JOB_KIND_INT,   0,              AT(seq),          0, SEQ_MAX,          NULL},
    {"crashes",       NULL,           JOB_KIND_INT,   0,              AT(crashes),      0, COUNT_MAX,        NULL},
    {"worker",        NULL,           JOB_KIND_TEXT,  0,              AT(worker),       1, 63,               job_text_is_word},
    {"url",           NULL,           JOB_KIND_TEXT,  0,              AT(url),          1, JOB_URL_MAX,      job_text_is_plain},
    {"etag",          NULL,           JOB_KIND_TEXT,  0,              AT(etag),         1, JOB_ETAG_MAX,     job_text_is_plain},
    {"out_bytes",     NULL,           JOB_KIND_INT,   JOB_OPTIONAL,   AT(out_bytes),    0, SIZE_MAX_BYTES,   NULL},
    {"out_sha256",    NULL,           JOB_KIND_TEXT,  0,              AT(out_sha256),  64, 64,               job_text_is_hex},
    {"sandbox",       "sandbox",      JOB_KIND_TEXT,  0,              AT(sandbox),      1, 64,               job_text_is_names},
    {"error",         NULL,           JOB_KIND_NOTE,  0,              AT(error),        1, JOB_ERROR_MAX,    job_text_is_plain},
    {"error_class",   NULL,           JOB_KIND_TEXT,  0,              AT(error_class),  1, 32,               job_text_is_word},
    {"tries",         NULL,           JOB_KIND_TEXT,  0,              AT(tries),        1, JOB_TRIES_BYTES_MAX, job_tries_is_text},
};
/* clang-format on */

const size_t job_field_count = sizeof job_fields / sizeof job_fields[0];
_Static_assert(sizeof job_fields / sizeof job_fields[0] <= 64,
               "one bit each in `seen`");

const struct job_field *job_field_find(const char *name)
{
    for (size_t i = 0; i < job_field_count; i++)
        if (strcmp(job_fields[i].name, name) == 0)
            return &job_fields[i];
    return NULL;
}

static bool is_number(const struct job_field *f)
{
    return f->kind == JOB_KIND_INT || f->kind == JOB_KIND_TIME;
}

static bool is_text(const struct job_field *f)
{
    return f->kind == JOB_KIND_TEXT || f->kind == JOB_KIND_NOTE;
}

static void *place(struct job *j, const struct job_field *f)
{
    return (char *)j + f->offset;
}

const int64_t *job_field_int(const struct job *j, const struct job_field *f)
{
    return (const void *)((const char *)j + f->offset);
}

const char *job_field_text(const struct job *j, const struct job_field *f)
{
    return *(char *const *)(const void *)((const char *)j + f->offset);
}

/* Of a source that has not been read yet. */
static bool is_unknown(const struct job *j, const struct job_field *f)
{
    return f->flags & JOB_FETCHED && !j->sha256 && !job_is_spooled(j);
}

bool job_field_is_required(const struct job *j, const struct job_field *f)
{
    return f->flags & JOB_REQUIRED && !(f->flags & JOB_FETCHED && !job_is_spooled(j));
}

bool job_field_is_set(const struct job *j, const struct job_field *f)
{
    if (is_unknown(j, f))
        return false;
    if (is_text(f))
        return job_field_text(j, f) != NULL;
    if (f->kind == JOB_KIND_TIME || f->flags & JOB_OPTIONAL)
        return *job_field_int(j, f) != 0;
    return f->kind != JOB_KIND_FLAG ||
           *(const bool *)(const void *)((const char *)j + f->offset);
}

static enum err_code bad_number(const struct job_field *f, struct err *e)
{
    return err_set(e, ERR_REJECT,
                   "job: %s is not a number from %" PRId64 " to %" PRId64, f->name,
                   f->min, f->max);
}

static enum err_code bad_text(const struct job_field *f, size_t len, struct err *e)
{
    if (len > (size_t)f->max)
        return err_set(e, ERR_REJECT, "job: %s is longer than %" PRId64 " bytes",
                       f->name, f->max);
    return err_set(e, ERR_REJECT, "job: %s is not valid", f->name);
}

static bool text_is_valid(const struct job_field *f, const char *s, size_t len)
{
    return len >= (size_t)f->min && len <= (size_t)f->max && f->is_valid(s, len);
}

enum err_code job_field_set_int(struct job *j, const struct job_field *f, int64_t n,
                                struct err *e)
{
    if (f->kind != JOB_KIND_FLAG && !is_number(f))
        return err_set(e, ERR_REJECT, "job: %s is not a text", f->name);
    if (n < f->min || n > f->max)
        return bad_number(f, e);
    if (f->kind == JOB_KIND_FLAG)
        *(bool *)place(j, f) = n != 0;
    else
        *(int64_t *)place(j, f) = n;
    return ERR_OK;
}

enum err_code job_field_set_text(struct job *j, const struct job_field *f,
                                 const char *s, size_t len, struct err *e)
{
    if (!is_text(f))
        return bad_number(f, e);
    if (f->kind == JOB_KIND_TEXT && !text_is_valid(f, s, len))
        return bad_text(f, len, e);
    char *copy = f->kind == JOB_KIND_NOTE ? job_text_clean(s, len, (size_t)f->max)
                                          : strndup(s, len);
    if (!copy)
        return err_set(e, ERR_NOMEM, "job: no memory for %s", f->name);
    char **text = place(j, f);
    free(*text);
    *text = copy;
    return ERR_OK;
}

enum err_code job_field_check(const struct job *j, const struct job_field *f,
                              struct err *e)
{
    if (is_number(f)) {
        int64_t n = *job_field_int(j, f);
        bool unset = f->kind == JOB_KIND_TIME && n == 0 && !(f->flags & JOB_REQUIRED);
        if (!unset && (n < f->min || n > f->max))
            return bad_number(f, e);
    } else if (is_text(f)) {
        const char *s = job_field_text(j, f);
        if (!s && job_field_is_required(j, f))
            return err_set(e, ERR_REJECT, "job: %s is missing", f->name);
        if (s && !text_is_valid(f, s, strlen(s)))
            return bad_text(f, strlen(s), e);
    }
    return ERR_OK;
}

bool job_field_mark(struct job *j, const struct job_field *f)
{
    uint64_t bit = UINT64_C(1) << (f - job_fields);
    bool first = !(j->seen & bit);

    j->seen |= bit;
    return first;
}
