#include "fcgi-app/jobs/presign.h"

#include "shared/cleanup.h"
#include "shared/s3_presign.h"

#include <string.h>

enum { DIGITS_MAX = 7 };

enum problem presign_read(const struct request *r, int64_t *ret_seconds, struct err *e)
{
    const struct request_text *s = request_query(r, "presign");
    int64_t seconds = 0;

    *ret_seconds = 0;
    if (!s)
        return PROBLEM_NONE;
    if (request_query(r, "wait"))
        return problem_set(e, PROBLEM_BAD_REQUEST, "presign: not together with wait");
    if (s->len <= DIGITS_MAX && strspn(s->s, "0123456789") == s->len)
        for (size_t i = 0; i < s->len; i++)
            seconds = seconds * 10 + (s->s[i] - '0');
    if (seconds == 0)
        return problem_set(e, PROBLEM_BAD_REQUEST,
                           "presign: whole seconds, 1 or more, are wanted");
    *ret_seconds = seconds;
    return PROBLEM_NONE;
}

/* The first of the job's destinations that gives such URLs, or NULL. */
static const struct config_destination *find_source(const struct config *config,
                                                    const struct job *j)
{
    const char *to = j->to;

    do {
        size_t len = strcspn(to, ",");
        const struct config_destination *d = config_find_destination(config, to, len);
        if (d && d->scheme == CONFIG_S3 && d->presign)
            return d;
        to += len;
    } while (*to++ == ',');
    return NULL;
}

enum problem presign_answer(struct response *r, const struct config *config,
                            const struct job *j, int64_t seconds, int64_t now_ms,
                            struct err *e)
{
    CLEANUP(buf_release) struct buf url = BUF_INIT(S3_PRESIGN_MAX);
    const struct config_destination *d = find_source(config, j);
    int64_t now_s = now_ms / 1000; /* what is signed */

    if (!d)
        return problem_set(e, PROBLEM_BAD_VALUE,
                           "presign: the job's destination gives no such URLs");
    if (seconds > d->presign_max_seconds)
        return problem_set(e, PROBLEM_BAD_VALUE,
                           "presign: up to %lld seconds are allowed",
                           (long long)d->presign_max_seconds);
    if (j->state != JOB_DONE)
        return problem_set(e, PROBLEM_CONFLICT, "the job is %s: there is no object yet",
                           job_state_name(j->state));
    if (s3_presign_get(d, j->key, now_s, seconds, &url, e))
        return PROBLEM_INTERNAL;
    struct job_link link = {url.data, (now_s + seconds) * 1000};
    response_begin(r, 200, "application/json");
    response_header(r, "Cache-Control", "no-store");
    if (!job_add_status_linked(&r->body, j, &link))
        r->body.failed = true;
    buf_putc(&r->body, '\n');
    return PROBLEM_NONE;
}
