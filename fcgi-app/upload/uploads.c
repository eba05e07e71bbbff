#include "fcgi-app/upload/uploads.h"

#include "fcgi-app/upload/accept.h"
#include "fcgi-app/upload/read_ahead.h"
#include "fcgi-app/upload/form.h"
#include "fcgi-app/upload/multipart_header.h"
#include "fcgi-app/upload/options_ties.h"
#include "fcgi-app/auth/policies.h"
#include "fcgi-app/auth/policy_uses.h"
#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <stdatomic.h>
#include <string.h>

DEFINE_CLEANUP(struct read_ahead *, stop_ahead, read_ahead_stop)

/* Who has shown no policy yet gets the time of one read, however little each read brings. */
static bool has_time(struct exchange *x)
{
    int64_t limit_ms = 1000 * x->app->config->http.receive_timeout_seconds;
    return !x->access.awaits_policy ||
           clock_mono_ms() - atomic_load(&x->since_ms) <= limit_ms;
}

static size_t read_web(void *ctx, void *data, size_t len)
{
    struct exchange *x = ctx;
    struct err e = ERR_INIT;
    size_t n = has_time(x) ? fastcgi_read_some(x->web, data, len) : 0;
    (void)ingest_feed(&x->whole, data, n, &e); /* without types it cannot fail */
    return n;
}

/* The digests of the request are of the whole form. */
static enum problem read_whole(struct exchange *x, struct form_source *source,
                               struct options *o, const struct http_digest *said,
                               struct err *e)
{
    enum problem p = ingest_begin(&x->whole, &(struct ingest_terms){.digest = said}, e);
    return p ? p : form_read(source, x->request.content_type, o, &x->batch, e);
}

static bool is_by_file(const struct exchange *x)
{
    return x->body.fd >= 0;
}

/* Bytes of a body: at most a chunk, what tells the type of a file, or what was read ahead. */
struct piece {
    const void *data;
    size_t len;
    bool more; /* false: it is the end, or where the body broke off */
};

/* A large file is worth a second thread, once its type is known. */
static enum problem read_file(struct exchange *x, size_t len,
                              struct read_ahead **io_ahead, struct piece *ret,
                              struct err *e)
{
    bool sniffing = ingest_is_sniffing(&x->batch.ingest);
    if (!*io_ahead && !sniffing && x->body.size >= READ_AHEAD_WORTH_BYTES)
        *io_ahead = read_ahead_start(x->body.fd);
    enum err_code code = *io_ahead
                             ? read_ahead_next(*io_ahead, &ret->data, &ret->len, e)
                             : body_file_read(&x->body, x->chunk, len, &ret->len, e);
    if (code)
        return PROBLEM_UNAVAILABLE;
    ret->more = ret->len == (*io_ahead ? READ_AHEAD_PIECE_BYTES : len);
    return PROBLEM_NONE;
}

static enum problem read_piece(struct exchange *x, struct read_ahead **io_ahead,
                               struct piece *ret, struct err *e)
{
    size_t len = ingest_is_sniffing(&x->batch.ingest) ? SNIFF_BYTES : EXCHANGE_CHUNK;
    ret->data = x->chunk;
    if (is_by_file(x))
        return read_file(x, len, io_ahead, ret, e);
    ret->len = fastcgi_read(x->web, x->chunk, len);
    ret->more = ret->len == len;
    return PROBLEM_NONE;
}

/* Whether the body came whole, and is as long as was said. */
static enum problem check_end(const struct exchange *x, int64_t bytes, struct err *e)
{
    int64_t want = x->request.content_length;
    if (is_by_file(x))
        return body_file_check_end(&x->body, bytes, e) ? PROBLEM_INTERNAL
                                                       : PROBLEM_NONE;
    if (!fastcgi_body_is_complete(x->web))
        return problem_set(e, PROBLEM_INCOMPLETE, "the body broke off after %lld bytes",
                           (long long)bytes);
    if (want >= 0 && bytes != want)
        return problem_set(e, PROBLEM_INCOMPLETE,
                           "the body has %lld bytes, Content-Length says %lld",
                           (long long)bytes, (long long)want);
    return PROBLEM_NONE;
}

static enum problem read_form(struct exchange *x, struct options *o,
                              const struct http_digest *said, struct err *e)
{
    struct form_source source = {read_web, x, x->chunk, EXCHANGE_CHUNK, 0};
    struct err end_error = ERR_INIT;
    enum problem p = read_whole(x, &source, o, said, e);
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
    return ingest_finish(&x->whole, NULL, e);
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

/* Room is taken for what comes by FastCGI, or must be copied. */
static enum problem begin_large(struct exchange *x, const struct options *o,
                                const struct batch_file *file, struct err *e)
{
    enum problem p = batch_begin_file(&x->batch, o, file, e);
    if (!p && !file->foreign)
        p = batch_expect(&x->batch, x->request.content_length, e);
    return p;
}

/* What fits into a chunk has been read when its file is begun; there is nothing to be spared then. */
static enum problem copy_body(struct exchange *x, const struct options *o,
                              const struct batch_file *file, struct err *e)
{
    CLEANUP(stop_ahead) struct read_ahead *ahead = NULL;
    int64_t bytes = 0, want = x->request.content_length;
    bool begun = want > EXCHANGE_CHUNK || file->foreign;
    struct piece piece;
    if (begun) {
        enum problem p = begin_large(x, o, file, e);
        if (p)
            return p;
    }
    do {
        enum problem p = read_piece(x, &ahead, &piece, e);
        if (p)
            return p;
        if (piece.len == 0)
            break;
        p = begun ? PROBLEM_NONE : batch_begin_file(&x->batch, o, file, e);
        begun = true;
        if (!p)
            p = batch_write(&x->batch, piece.data, piece.len, e);
        if (p)
            return p;
        bytes += (int64_t)piece.len;
    } while (piece.more && (want < 0 || bytes <= want));
    enum problem p = check_end(x, bytes, e);
    if (!p && bytes == 0)
        p = problem_set(e, PROBLEM_EMPTY, "empty body");
    return p ? p : batch_end_file(&x->batch, e);
}

static enum problem read_raw(struct exchange *x, struct options *o,
                             struct http_digest *said, struct err *e)
{
    CLEANUP(buf_release) struct buf name = BUF_INIT(RESPONSE_HEAD_MAX);
    const struct spool_foreign foreign = {x->body.dir_fd, x->body.name, x->body.fd};
    struct batch_file file = {.type = x->request.content_type,
                              .foreign = x->body.is_ours ? &foreign : NULL,
                              .digest = said};
    options_take_digest(o, said);
    int64_t max_bytes = access_max_bytes(&x->access, o->queue);
    if (x->request.content_length > max_bytes)
        return problem_set(e, PROBLEM_TOO_LARGE,
                           "the file is larger than the %lld bytes it may have",
                           (long long)max_bytes);
    enum problem p = access_may_use(&x->access, x->app->config, o->queue,
                                    o->job.to ? o->job.to : o->queue->to, e);
    if (!p)
        p = options_check_ties(o, e);
    if (!p && o->policy)
        p = policy_check_file(o->policy, 0, file.type, x->request.content_length, e);
    if (!p && !x->batch.is_rehearsal)
        p = rooms_check(x->app->rooms, o->queue, x->request.content_length,
                        &x->retry_after, e);
    if (!p)
        p = find_name(x, o, &name, &file, e);
    return p ? p : copy_body(x, o, &file, e);
}

/* A body that came as a file: it alone, and just as long as the web server says. */
static enum problem open_body(struct exchange *x, const char *path, bool form,
                              struct err *e)
{
    if (form)
        return problem_set(e, PROBLEM_INTERNAL,
                           "a form came as a file: the web server may pass only raw "
                           "bodies so");
    if (fastcgi_read(x->web, x->chunk, 1) > 0)
        return problem_set(e, PROBLEM_INTERNAL,
                           "a body came as a file and by FastCGI: "
                           "fastcgi_pass_request_body off is missing");
    if (!fastcgi_body_is_complete(x->web))
        return problem_set(e, PROBLEM_INCOMPLETE, "the request broke off");
    enum err_code code = body_file_open(&x->app->bodies, path, &x->body, e);
    if (code)
        return code == ERR_RETRY ? PROBLEM_UNAVAILABLE : PROBLEM_INTERNAL;
    if (x->body.size != x->request.content_length)
        return problem_set(e, PROBLEM_INTERNAL,
                           "the body's file has %lld bytes, CONTENT_LENGTH says %lld",
                           (long long)x->body.size,
                           (long long)x->request.content_length);
    log_debug("uploads", "a body is taken from its file",
              LOG_STR("how", x->body.is_ours ? "moved" : "copied"),
              LOG_INT("bytes", x->body.size));
    return PROBLEM_NONE;
}

static enum problem upload(struct exchange *x, bool form, struct job_id *ret_holder,
                           struct err *e)
{
    CLEANUP(options_release)
    struct options o = {.job = JOB_INIT,
                        .policy = x->access.policy,
                        .find_policy = x->access.awaits_policy ? policies_take : NULL,
                        .find_ctx = x};
    struct http_digest said = HTTP_DIGEST_INIT;
    if (!x->may_wait)
        return problem_set(e, PROBLEM_UNAVAILABLE, "too many uploads are on their way");
    const char *path = request_param(&x->request, BODY_FILE_PARAM);
    enum problem p = path && *path ? open_body(x, path, form, e) : PROBLEM_NONE;
    if (!p)
        p = policy_uses_look(x, e);
    if (!p)
        p = options_init(&o, x->app->config, &x->request, clock_wall_ms(), e);
    o.idempotency = &x->idempotency;
    if (!p)
        p = ingest_read_fields(&x->request, &said, e);
    if (!p)
        p = form ? read_form(x, &o, &said, e) : read_raw(x, &o, &said, e);
    return p ? p : accept_batch(x, ret_holder, e);
}

static void answer(struct exchange *x, bool form)
{
    struct err e = ERR_INIT;
    struct job_id holder;
    if (accept_begin(x))
        accept_end(x, upload(x, form, &holder, &e), &holder, &e);
    body_file_release(&x->body);
}

void uploads_post(struct exchange *x)
{
    answer(x, request_is_form(&x->request));
}

void uploads_put(struct exchange *x)
{
    answer(x, false);
}
