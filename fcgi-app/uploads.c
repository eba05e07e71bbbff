#include "fcgi-app/uploads.h"

#include "fcgi-app/enlist.h"
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

static void add_job(struct buf *b, const struct job *j)
{
    char id[ID_JOB_MAX + 1];
    id_format_job(&j->id, id);
    buf_puts_all(b, (const char *const[]){"{\"id\":\"", id, "\",\"queue\":\"",
                                          j->id.queue, "\",\"name\":", NULL});
    buf_add_json(b, j->name, strlen(j->name));
    buf_puts(b, ",\"size\":");
    buf_add_int(b, j->size);
    buf_puts_all(b, (const char *const[]){
                        ",\"sha256\":\"", j->sha256, "\",\"state\":\"",
                        job_state_name(j->due > 0 ? JOB_SCHEDULED : JOB_WAITING),
                        "\",\"url\":\"/v1/jobs/", id, "\"}", NULL});
}

/* What was promised. */
static void add_promise(struct exchange *x)
{
    const struct config *c = x->app->config;
    struct buf *b = &x->response.body;
    buf_puts(b, c->spool.durability == CONFIG_DISK ? ",\"durable\":\"disk\""
                                                   : ",\"durable\":\"memory\"");
    if (c->redis.wait_replicas > 0) {
        buf_puts(b, ",\"replicas\":");
        buf_add_int(b, x->waited.replicas);
    }
    if (c->redis.wait_aof)
        buf_puts(b, x->waited.aof ? ",\"aof\":true" : ",\"aof\":false");
}

static void accept_batch(struct exchange *x)
{
    struct response *r = &x->response;
    const struct batch *b = &x->batch;
    response_begin(r, 202, "application/json");
    if (b->count == 1) {
        char url[sizeof "/v1/jobs/" + ID_JOB_MAX] = "/v1/jobs/";
        id_format_job(&b->jobs[0].id, url + strlen(url));
        response_header(r, "Location", url);
    }
    buf_printf(&r->body, "{\"batch\":\"%s\",\"jobs\":[", b->id.text);
    for (size_t i = 0; i < b->count; i++) {
        if (i > 0)
            buf_putc(&r->body, ',');
        add_job(&r->body, &b->jobs[i]);
    }
    buf_putc(&r->body, ']');
    add_promise(x);
    buf_puts(&r->body, "}\n");
}

/* Once the jobs are promised the answer must not fail: its memory is taken before. */
static enum problem reserve_answer(struct exchange *x, struct err *e)
{
    enum { FIXED = 512, EACH = 512, ESCAPED = 6 /* of a control character */ };
    size_t bytes = FIXED;
    for (size_t i = 0; i < x->batch.count; i++)
        bytes += EACH + ESCAPED * strlen(x->batch.jobs[i].name);
    return response_reserve(&x->response, bytes)
               ? PROBLEM_NONE
               : problem_set(e, PROBLEM_INTERNAL, "out of memory");
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
    if (!p)
        p = enlist_check(x, e);
    if (!p)
        p = reserve_answer(x, e);
    if (!p)
        p = batch_commit(&x->batch, e);
    if (p)
        return p;
    marks_note_upload(x->app->marks, (int64_t)x->batch.count, batch_bytes(&x->batch));
    return enlist_jobs(x, ret_holder, e);
}

/* Refuse, telling the log what is ours to mend; what a full queue or a duplicate is about the client learns, too. */
static void refuse(struct exchange *x, enum problem p, const struct job_id *holder,
                   const struct err *e)
{
    int status = problem_row(p)->status;
    bool is_theirs = status < 500 || p == PROBLEM_QUEUE_FULL;
    if (!is_theirs)
        log_warn("uploads", "refused", LOG_INT("status", status), LOG_ERR(e));
    if (p == PROBLEM_FULL)
        x->retry_after = marks_retry_after(x->app->marks);
    /* What the disk or the settings say is the log's; the client learns what to do. */
    exchange_refuse(x, p, is_theirs ? e : NULL);
    if (p == PROBLEM_DUPLICATE) {
        char url[sizeof "/v1/jobs/" + ID_JOB_MAX] = "/v1/jobs/";
        id_format_job(holder, url + strlen(url));
        response_header(&x->response, "Location", url);
    }
}

static void answer(struct exchange *x, bool form)
{
    struct err e = ERR_INIT;
    struct job_id holder;
    x->hurry = true;
    enum problem p =
        marks_check(x->app->marks, x->request.content_length, &x->retry_after, &e);
    if (p) { /* the marks have told the log */
        exchange_refuse(x, p, &e);
        return;
    }
    x->retry_after = 0;
    p = upload(x, form, &holder, &e);
    if (p)
        refuse(x, p, &holder, &e);
    else
        accept_batch(x);
    batch_abort(&x->batch);
}

void uploads_post(struct exchange *x)
{
    answer(x, is_form(x->request.content_type));
}

void uploads_put(struct exchange *x)
{
    answer(x, false);
}
