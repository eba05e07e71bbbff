#include "shared/job_arrived.h"

#include <stdlib.h>
#include <string.h>

#include "shared/job_fields.h"

static bool is_name(const char *s, size_t len)
{
    return len <= TO_NAME_MAX && job_text_is_word(s, len);
}

static bool is_url(const char *s, size_t len)
{
    return len <= JOB_ARRIVED_URL_MAX && job_text_is_plain(s, len);
}

bool job_is_address(const char *s, size_t len)
{
    return len > 0 && is_url(s, len);
}

const struct job_arrived *job_find_arrived(const struct job *j, const char *name)
{
    for (size_t i = 0; i < j->arrived_count; i++)
        if (strcmp(j->arrived[i].to, name) == 0)
            return &j->arrived[i];
    return NULL;
}

enum err_code job_add_arrived(struct job *j, const char *name, const char *url,
                              size_t url_len, struct err *e)
{
    struct job_arrived *a = &j->arrived[j->arrived_count];

    if (!is_name(name, strlen(name)) || job_find_arrived(j, name))
        return err_set(e, ERR_REJECT, "job: arrived.%.32s is not valid", name);
    if (j->arrived_count == JOB_ARRIVED_MAX)
        return err_set(e, ERR_REJECT, "job: more than %d arrived", JOB_ARRIVED_MAX);
    if (!is_url(url, url_len))
        return err_set(e, ERR_REJECT, "job: arrived.%.32s has no valid address", name);
    char *copy = strndup(url, url_len);
    if (!copy)
        return err_set(e, ERR_NOMEM, "job: no memory for arrived");
    memcpy(a->to, name, strlen(name) + 1);
    a->url = copy;
    j->arrived_count++;
    return ERR_OK;
}

bool job_pack_arrived(struct buf *b, const char *name, const char *url)
{
    bool known = url && is_url(url, strlen(url));

    return buf_puts_all(
        b, (const char *const[]){name, "\n", known ? url : "", "\n", NULL});
}

void job_add_results(struct buf *b, const struct job *j)
{
    for (size_t i = 0; i < j->arrived_count; i++) {
        const struct job_arrived *a = &j->arrived[i];
        buf_puts(b, i == 0 ? ",\"results\":[" : ",");
        buf_printf(b, "{\"to\":\"%s\"", a->to);
        if (*a->url) {
            buf_puts(b, ",\"url\":");
            buf_add_json(b, a->url, strlen(a->url));
        }
        buf_putc(b, '}');
    }
    if (j->arrived_count > 0)
        buf_putc(b, ']');
}

void job_release_arrived(struct job *j)
{
    for (size_t i = 0; i < j->arrived_count; i++)
        free(j->arrived[i].url);
    j->arrived_count = 0;
}

bool job_copy_arrived(const struct job *src, struct job *ret)
{
    ret->arrived_count = 0;
    for (size_t i = 0; i < src->arrived_count; i++) {
        ret->arrived[i] = src->arrived[i];
        ret->arrived[i].url = strdup(src->arrived[i].url);
        if (!ret->arrived[i].url)
            return false;
        ret->arrived_count++;
    }
    return true;
}
