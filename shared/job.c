#include "shared/job.h"

#include "shared/job_arrived.h"
#include "shared/job_fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Life --- */

static char **text_place(struct job *j, const struct job_field *f)
{
    if (f->kind != JOB_KIND_TEXT && f->kind != JOB_KIND_NOTE)
        return NULL;
    return (void *)((char *)j + f->offset);
}

void job_release(struct job *j)
{
    for (size_t i = 0; i < job_field_count; i++) {
        char **text = text_place(j, &job_fields[i]);
        if (text)
            free(*text);
    }
    for (size_t i = 0; i < j->meta_count; i++) {
        free(j->meta[i].name);
        free(j->meta[i].value);
    }
    job_release_arrived(j);
    *j = (struct job)JOB_INIT;
}

static bool copy_texts(const struct job *src, struct job *ret)
{
    for (size_t i = 0; i < job_field_count; i++) {
        char **text = text_place(ret, &job_fields[i]);
        const char *from = text ? job_field_text(src, &job_fields[i]) : NULL;
        if (from && !(*text = strdup(from)))
            return false;
    }
    for (size_t i = 0; i < src->meta_count; i++) {
        struct job_meta *m = &ret->meta[ret->meta_count++];
        m->name = strdup(src->meta[i].name);
        m->value = strdup(src->meta[i].value);
        if (!m->name || !m->value)
            return false;
    }
    return job_copy_arrived(src, ret);
}

enum err_code job_copy(const struct job *src, struct job *ret, struct err *e)
{
    *ret = *src;
    for (size_t i = 0; i < job_field_count; i++) {
        char **text = text_place(ret, &job_fields[i]);
        if (text)
            *text = NULL;
    }
    ret->meta_count = 0;
    ret->arrived_count = 0;
    if (copy_texts(src, ret))
        return ERR_OK;
    job_release(ret);
    return err_set(e, ERR_NOMEM, "job: no memory for a copy");
}

/* --- Sources --- */

bool job_is_spooled(const struct job *j)
{
    return !j->source || strcmp(j->source, "spool") == 0;
}

const char *job_source_url(const struct job *j)
{
    return j->source && strcmp(j->source, "url") == 0 ? j->source_url : NULL;
}

bool job_is_hook(const struct job *j)
{
    return j->source && strcmp(j->source, "hook") == 0;
}

const char *job_source_command(const struct job *j)
{
    static const char head[] = "command:";

    if (!j->source || strncmp(j->source, head, sizeof head - 1) != 0)
        return NULL;
    return j->source + sizeof head - 1;
}

/* --- States --- */

static const char *const state_names[] = {
    [JOB_ACCEPTED] = "accepted",   [JOB_WAITING] = "waiting",
    [JOB_SCHEDULED] = "scheduled", [JOB_RUNNING] = "running",
    [JOB_DONE] = "done",           [JOB_DEAD] = "dead",
    [JOB_CANCELLED] = "cancelled"};

enum { STATE_COUNT = sizeof state_names / sizeof state_names[0] };

/* The arrows of the drawing in job.h: a bit for each state that may follow. */
#define BIT(state) (1u << (state))
static const unsigned arrows[STATE_COUNT] = {
    [JOB_ACCEPTED] = BIT(JOB_WAITING) | BIT(JOB_SCHEDULED),
    [JOB_WAITING] = BIT(JOB_RUNNING) | BIT(JOB_CANCELLED),
    [JOB_SCHEDULED] = BIT(JOB_WAITING) | BIT(JOB_CANCELLED),
    [JOB_RUNNING] = BIT(JOB_WAITING) | BIT(JOB_SCHEDULED) | BIT(JOB_DONE) |
                    BIT(JOB_DEAD) | BIT(JOB_CANCELLED),
    [JOB_DEAD] = BIT(JOB_WAITING) | BIT(JOB_CANCELLED),
};

const char *job_state_name(enum job_state state)
{
    return (size_t)state < STATE_COUNT ? state_names[state] : "unknown";
}

bool job_state_parse(const char *word, size_t len, enum job_state *ret_state)
{
    for (size_t i = 0; i < STATE_COUNT; i++) {
        if (strlen(state_names[i]) == len && memcmp(state_names[i], word, len) == 0) {
            *ret_state = (enum job_state)i;
            return true;
        }
    }
    return false;
}

bool job_state_is_final(enum job_state state)
{
    return state == JOB_DONE || state == JOB_DEAD || state == JOB_CANCELLED;
}

bool job_state_can_follow(enum job_state from, enum job_state to)
{
    return (size_t)from < STATE_COUNT && (size_t)to < STATE_COUNT &&
           (arrows[from] & BIT(to)) != 0;
}

/* --- Setters --- */

enum err_code job_set_key(struct job *j, const char *s, size_t len, struct err *e)
{
    return job_field_set_text(j, job_field_find("key"), s, len, e);
}

enum err_code job_set_type(struct job *j, const char *s, size_t len, struct err *e)
{
    return job_field_set_text(j, job_field_find("type"), s, len, e);
}

enum err_code job_set_name(struct job *j, const char *s, size_t len, struct err *e)
{
    char *name = job_text_clean_name(s, len);

    if (!name)
        return err_set(e, ERR_NOMEM, "job: no memory for name");
    free(j->name);
    j->name = name;
    return ERR_OK;
}

static size_t meta_bytes(const struct job *j)
{
    size_t bytes = 0;

    for (size_t i = 0; i < j->meta_count; i++)
        bytes += strlen(j->meta[i].name) + strlen(j->meta[i].value);
    return bytes;
}

static bool meta_has(const struct job *j, const char *name, size_t len)
{
    for (size_t i = 0; i < j->meta_count; i++)
        if (strlen(j->meta[i].name) == len && memcmp(j->meta[i].name, name, len) == 0)
            return true;
    return false;
}

static enum err_code meta_check(const struct job *j, struct job_text name,
                                struct job_text value, struct err *e)
{
    if (!job_text_is_meta_name(name.s, name.len))
        return err_set(e, ERR_REJECT,
                       "job: a meta name is not [a-z0-9][a-z0-9_-]{0,%d}",
                       JOB_META_NAME_MAX - 1);
    if (meta_has(j, name.s, name.len))
        return err_set(e, ERR_REJECT, "job: meta.%.*s is given twice", (int)name.len,
                       name.s);
    if (j->meta_count == JOB_META_MAX)
        return err_set(e, ERR_REJECT, "job: more than %d meta entries", JOB_META_MAX);
    if (value.len > JOB_META_BYTES ||
        meta_bytes(j) + name.len + value.len > JOB_META_BYTES)
        return err_set(e, ERR_REJECT, "job: meta is longer than %d bytes in all",
                       JOB_META_BYTES);
    if (!job_text_is_plain(value.s, value.len))
        return err_set(e, ERR_REJECT,
                       "job: meta.%.*s is not UTF-8 without control characters",
                       (int)name.len, name.s);
    return ERR_OK;
}

enum err_code job_add_meta(struct job *j, const char *name, size_t name_len,
                           const char *value, size_t value_len, struct err *e)
{
    struct job_text n = {name, name_len}, v = {value, value_len};

    if (meta_check(j, n, v, e))
        return e->code;
    struct job_meta m = {strndup(name, name_len), strndup(value, value_len)};
    if (!m.name || !m.value) {
        free(m.name);
        free(m.value);
        return err_set(e, ERR_NOMEM, "job: no memory for meta");
    }
    j->meta[j->meta_count++] = m;
    return ERR_OK;
}

/* --- Keys --- */

static bool is_extension(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
              (s[i] >= '0' && s[i] <= '9')))
            return false;
    return len >= 1 && len <= 8;
}

void job_default_key(const struct job *j, char ret_key[static ID_UUID_LEN + 10])
{
    const char *dot = j->name ? strrchr(j->name, '.') : NULL;
    size_t used = ID_UUID_LEN;

    memcpy(ret_key, j->id.uuid.text, ID_UUID_LEN);
    if (dot && is_extension(dot + 1, strlen(dot + 1))) {
        for (const char *p = dot; *p; p++)
            ret_key[used++] = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
    }
    ret_key[used] = '\0';
}

/* --- Checks across fields --- */

static enum err_code check_meta(const struct job *j, struct err *e)
{
    struct job seen = JOB_INIT; /* the entries before i, borrowed */

    for (size_t i = 0; i < j->meta_count; i++) {
        struct job_text name = {j->meta[i].name, strlen(j->meta[i].name)};
        struct job_text value = {j->meta[i].value, strlen(j->meta[i].value)};
        if (meta_check(&seen, name, value, e))
            return e->code;
        seen.meta[seen.meta_count++] = j->meta[i];
    }
    return ERR_OK;
}

static enum err_code check_state(const struct job *j, struct err *e)
{
    const char *state = job_state_name(j->state);

    if (j->state == JOB_RUNNING && !j->worker)
        return err_set(e, ERR_REJECT, "job: state is running without worker");
    if (j->state == JOB_SCHEDULED && j->due == 0)
        return err_set(e, ERR_REJECT, "job: state is scheduled without due");
    if (job_state_is_final(j->state) && j->ended == 0)
        return err_set(e, ERR_REJECT, "job: state is %s without ended", state);
    return ERR_OK;
}

enum err_code job_check(const struct job *j, struct err *e)
{
    if (j->v > JOB_VERSION)
        return err_set(e, ERR_REJECT,
                       "job: version %" PRId64 " is newer than this program knows",
                       j->v);
    for (size_t i = 0; i < job_field_count; i++) {
        const struct job_field *f = &job_fields[i];
        bool missing = j->seen && !(j->seen >> i & 1) && job_field_is_required(j, f);
        if (missing)
            return err_set(e, ERR_REJECT, "job: %s is missing", f->name);
        if (job_field_check(j, f, e))
            return e->code;
    }
    bool is_url = j->source && strcmp(j->source, "url") == 0;
    if (is_url != (j->source_url != NULL))
        return err_set(e, ERR_REJECT, "job: source_url is of the source url alone");
    if (job_is_hook(j) ? !j->payload || !j->hook || j->hooks : j->payload || j->hook)
        return err_set(e, ERR_REJECT, "job: hook and payload are of the source hook");
    if (job_is_spooled(j) && !j->convert && j->sent > j->size)
        return err_set(e, ERR_REJECT, "job: sent is more than bytes");
    if (check_meta(j, e))
        return e->code;
    return check_state(j, e);
}
