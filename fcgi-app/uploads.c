#include "fcgi-app/uploads.h"

#include "fcgi-app/accept.h"
#include "fcgi-app/form.h"
#include "fcgi-app/multipart_header.h"
#include "fcgi-app/options_ties.h"
#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <string.h>
#include <strings.h>

static size_t read_web(void *ctx, void *data, size_t len)
{
    return fastcgi_read(ctx, data, len);
}

/* Whether the body came whole, and is as long as was said. */
static enum problem check_end(const struct exchange *x, int64_t bytes, struct err *e)
{
    int64_t want = x->request.content_length;
    if (!fastcgi_body_is_complete(x->web))
        return problem_set(e, PROBLEM_INCOMPLETE, "the body broke off after %lld bytes",
                           (long long)bytes);
    if (want >= 0 && bytes != want)
        return problem_set(e, PROBLEM_INCOMPLETE,
                           "the body has %lld bytes, Content-Length says %lld",
                           (long long)bytes, (long long)want);
    return PROBLEM_NONE;
}

static enum problem read_form(struct exchange *x, struct options *o, struct err *e)
{
    struct form_source source = {read_web, x->web, x->chunk, EXCHANGE_CHUNK, 0};
    struct err end_error = ERR_INIT;
    enum problem p = form_read(&source, x->request.content_type, o, &x->batch, e);
    if (p && p != PROBLEM_INCOMPLETE)
        return p;
    if (check_end(x, source.bytes, &end_error)) {
        *e = end_error; /* the better reason */
        return PROBLEM_INCOMPLETE;
    }
    if (p)
        return PROBLEM_BAD_FORM;
    if (x->batch.count == 0)
        return problem_set(e, PROBLEM_EMPTY, "the form has no file");
    return PROBLEM_NONE;
}

/* The name of a raw body: the path's, else the option's, else Content-Disposition's. */
static enum problem find_name(struct exchange *x, struct options *o,
                              struct buf *disposition, struct batch_file *ret,
                              struct err *e)
{
    const struct request *r = &x->request;
    bool in_path = r->segment_count == 3;
    if (in_path && o->job.name)
        return problem_set(e, PROBLEM_BAD_OPTION, "name: the path gives it already");
    if (in_path) {
        ret->name = r->segments[2].s;
        ret->name_len = r->segments[2].len;
        return PROBLEM_NONE;
    }
    const char *value = request_param(r, "HTTP_CONTENT_DISPOSITION");
    if (!o->job.name && value &&
        multipart_header_filename(value, strlen(value), disposition)) {
        ret->name = disposition->data;
        ret->name_len = disposition->len;
    }
    if (disposition->starved)
        return problem_set(e, PROBLEM_INTERNAL, "out of memory");
    return PROBLEM_NONE;
}

/* What fits into a chunk has been read when its file is begun; there is nothing to be spared then. */
static enum problem copy_body(struct exchange *x, const struct options *o,
                              const struct batch_file *file, struct err *e)
{
    int64_t bytes = 0, want = x->request.content_length;
    bool begun = want > EXCHANGE_CHUNK;
    size_t n;
    if (begun) {
        enum problem p = batch_begin_file(&x->batch, o, file, e);
        if (!p)
            p = batch_expect(&x->batch, want, e);
        if (p)
            return p;
    }
    do {
        n = fastcgi_read(x->web, x->chunk, EXCHANGE_CHUNK);
        if (n == 0)
            break;
        enum problem p = begun ? PROBLEM_NONE : batch_begin_file(&x->batch, o, file, e);
        begun = true;
        if (!p)
            p = batch_write(&x->batch, x->chunk, n, e);
        if (p)
            return p;
        bytes += (int64_t)n;
    } while (n == EXCHANGE_CHUNK && (want < 0 || bytes <= want));
    enum problem p = check_end(x, bytes, e);
    if (!p && bytes == 0)
        p = problem_set(e, PROBLEM_EMPTY, "empty body");
    return p;
}

static enum problem read_raw(struct exchange *x, struct options *o, struct err *e)
{
    CLEANUP(buf_release) struct buf name = BUF_INIT(RESPONSE_HEAD_MAX);
    struct batch_file file = {NULL, x->request.content_type, 0};
    if (x->request.content_length > o->queue->max_bytes)
        return problem_set(e, PROBLEM_TOO_LARGE,
                           "the file is larger than the %lld bytes its queue allows",
                           (long long)o->queue->max_bytes);
    enum problem p = options_check_ties(o, e);
    if (!p)
        p = rooms_check(x->app->rooms, o->queue, x->request.content_length,
                        &x->retry_after, e);
    if (!p)
        p = find_name(x, o, &name, &file, e);
    return p ? p : copy_body(x, o, &file, e);
}

static bool is_form(const char *type)
{
    static const char form[] = "multipart/form-data";
    return strncasecmp(type, form, sizeof form - 1) == 0;
}

static enum problem upload(struct exchange *x, bool form, struct job_id *ret_holder,
                           struct err *e)
{
    CLEANUP(options_release) struct options o = {.job = JOB_INIT};
    if (!x->may_wait)
        return problem_set(e, PROBLEM_UNAVAILABLE, "too many uploads are on their way");
    enum problem p = options_init(&o, x->app->config, &x->request, clock_wall_ms(), e);
    if (!p)
        p = form ? read_form(x, &o, e) : read_raw(x, &o, e);
    return p ? p : accept_batch(x, ret_holder, e);
}

static void answer(struct exchange *x, bool form)
{
    struct err e = ERR_INIT;
    struct job_id holder;
    if (accept_begin(x))
        accept_end(x, upload(x, form, &holder, &e), &holder, &e);
}

void uploads_post(struct exchange *x)
{
    answer(x, is_form(x->request.content_type));
}

void uploads_put(struct exchange *x)
{
    answer(x, false);
}
