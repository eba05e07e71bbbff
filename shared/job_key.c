#include "shared/job_key.h"

#include "shared/cleanup.h"
#include "shared/convert.h"
#include "shared/stamp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What a template makes of the key that the job would have without one. */
static enum err_code expand(const char *template, const struct job *j,
                            const char *usual, struct buf *ret, struct err *e)
{
    struct stamp at = {.ms = j->created, .job = j, .ext = usual + ID_UUID_LEN};

    memcpy(at.id.text, usual, ID_UUID_LEN);
    return stamp_expand(template, &at, ret, e);
}

/* Put a value for each {meta.NAME} of the template into j, so that it can be expanded. */
static enum err_code fill_meta(const char *template, const char *value, struct job *j,
                               struct err *e)
{
    static const char head[] = "{meta.";

    for (const char *at = template; (at = strstr(at, head)); at++) {
        const char *name = at + sizeof head - 1;
        size_t len = strcspn(name, "{}");
        bool known = false;
        for (size_t i = 0; i < j->meta_count; i++)
            known |= strlen(j->meta[i].name) == len &&
                     memcmp(j->meta[i].name, name, len) == 0;
        if (!known && job_add_meta(j, name, len, value, strlen(value), e))
            return e->code == ERR_REJECT
                       ? err_set(e, ERR_CONFIG, "'{meta.%.*s}' names no metadata",
                                 (int)(len < 20 ? len : 20), name)
                       : e->code;
    }
    return ERR_OK;
}

/* The key of a job whose texts are all this one. */
static enum err_code check_with(const char *template, const char *text,
                                const char *extension, size_t prefix_bytes,
                                struct err *e)
{
    static const char uuid[] = "01ffffff-ffff-7fff-bfff-ffffffffffff";
    char usual[ID_UUID_LEN + 10];
    CLEANUP(job_release) struct job j = JOB_INIT;
    CLEANUP(buf_release) struct buf key = BUF_INIT(2 * JOB_KEY_MAX);
    CLEANUP(buf_release) struct buf name = BUF_INIT(JOB_NAME_MAX);

    memcpy(j.id.uuid.text, uuid, sizeof uuid);
    memset(j.id.queue, 'q', *extension ? ID_QUEUE_MAX : 1);
    j.created = 1;
    buf_puts(&name, text);
    buf_puts(&name, extension);
    if (job_set_name(&j, name.data, name.len, e) || fill_meta(template, text, &j, e))
        return e->code;
    job_default_key(&j, usual);
    if (expand(template, &j, usual, &key, e))
        return key.failed && !key.starved
                   ? err_set(e, ERR_CONFIG, "gives keys of more than %d bytes",
                             JOB_KEY_MAX)
                   : e->code;
    if (!job_key_is_safe(key.data, key.len) || prefix_bytes + key.len > JOB_KEY_MAX)
        return err_set(e, ERR_CONFIG, "gives '%.60s', which is not allowed as a key",
                       key.data);
    return ERR_OK;
}

enum err_code job_key_check_template(const char *template, size_t prefix_bytes,
                                     struct err *e)
{
    char longest[STAMP_VALUE_MAX + 1] = "";

    memset(longest, 'x', STAMP_VALUE_MAX);
    if (!strstr(template, "{id}"))
        return err_set(e, ERR_CONFIG, "has no {id}: each job needs a key of its own");
    if (check_with(template, longest, ".extensio", prefix_bytes, e) ||
        check_with(template, ".", "", prefix_bytes, e))
        return e->code;
    return ERR_OK;
}

static enum err_code find_usual(const struct config *config, const struct job *j,
                                char ret[static CONVERT_KEY_SIZE], struct err *e)
{
    struct convert convert;

    if (!j->convert) {
        job_default_key(j, ret);
        return ERR_OK;
    }
    if (convert_find(config, j->convert, strlen(j->convert), &convert, e))
        return err_set(e, ERR_CONFIG, "a converter of the job is not configured");
    return convert_key(j, convert.extension, ret, e);
}

static enum err_code make(const struct config *config, struct job *j,
                          const char *template, struct err *e)
{
    CLEANUP(buf_release) struct buf key = BUF_INIT(2 * JOB_KEY_MAX);
    char usual[CONVERT_KEY_SIZE];

    if (find_usual(config, j, usual, e))
        return e->code;
    if (!*template)
        return job_set_key(j, usual, strlen(usual), e);
    if (expand(template, j, usual, &key, e))
        return e->code;
    return job_set_key(j, key.data, key.len, e);
}

/* What stands in front of a key there. */
static size_t prefix_bytes(const struct config_destination *d)
{
    return d->scheme == CONFIG_S3 && *d->prefix ? strlen(d->prefix) + 1 : 0;
}

enum err_code job_key_fill(const struct config *config, struct job *j, struct err *e)
{
    const char *to = j->to ? j->to : "";

    do {
        size_t len = strcspn(to, ",");
        const struct config_destination *d = config_find_destination(config, to, len);
        if (!d)
            return err_set(e, ERR_CONFIG, "the job's destination is not configured");
        if (!j->key && make(config, j, d->key, e))
            return e->code;
        assert(j->key); /* make has set it */
        if (prefix_bytes(d) + strlen(j->key) > JOB_KEY_MAX)
            return err_set(e, ERR_REJECT,
                           "key: has more than %d bytes with the destination's prefix",
                           JOB_KEY_MAX);
        to += len;
    } while (*to++ == ',');
    return ERR_OK;
}
