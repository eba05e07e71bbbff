#include "fcgi-app/upload/accept.h"

#include "fcgi-app/events/listeners.h"
#include "fcgi-app/upload/enlist.h"
#include "fcgi-app/jobs/jobs.h"
#include "fcgi-app/auth/policy_uses.h"
#include "shared/cleanup.h"
#include "shared/http_digest.h"
#include "shared/log.h"

#include <stdlib.h>
#include <string.h>

/* --- The answer --- */

static void add_job(struct buf *b, const struct job *j)
{
    char id[ID_JOB_MAX + 1];
    id_format_job(&j->id, id);
    buf_puts_all(b, (const char *const[]){"{\"id\":\"", id, "\",\"queue\":\"",
                                          j->id.queue, "\",\"name\":", NULL});
    buf_add_json(b, j->name, strlen(j->name));
    if (j->sha256) {
        buf_puts(b, ",\"size\":");
        buf_add_int(b, j->size);
        buf_puts_all(b, (const char *const[]){",\"sha256\":\"", j->sha256, "\"", NULL});
    }
    buf_puts_all(b, (const char *const[]){
                        ",\"state\":\"",
                        job_state_name(j->due > 0 ? JOB_SCHEDULED : JOB_WAITING),
                        "\",\"url\":\"/v1/jobs/", id, "\"}", NULL});
}

/* What was promised. */
static void add_promise(struct exchange *x, bool learned)
{
    const struct config *c = x->app->config;
    struct buf *b = &x->response.body;
    buf_puts(b, c->spool.durability == CONFIG_DISK ? ",\"durable\":\"disk\""
                                                   : ",\"durable\":\"memory\"");
    if (!learned)
        return;
    if (c->redis.wait_replicas > 0) {
        buf_puts(b, ",\"replicas\":");
        buf_add_int(b, x->waited.replicas);
    }
    if (c->redis.wait_aof)
        buf_puts(b, x->waited.aof ? ",\"aof\":true" : ",\"aof\":false");
}

/* Want-Repr-Digest: of this answer.  A digest of anything else may not stand there: the answer's content describes how the
 * request went (RFC 9530 section 3.1); what the files sum up to it says itself. */
static void add_repr_digest(struct exchange *x)
{
    struct response *r = &x->response;
    const char *wish = request_param(&x->request, "HTTP_WANT_REPR_DIGEST");
    enum http_digest_kind kind =
        wish ? http_digest_wanted(wish, strlen(wish)) : HTTP_DIGEST_NONE;
    char field[HTTP_DIGEST_FIELD_SIZE];
    struct err e = ERR_INIT;
    if (kind == HTTP_DIGEST_NONE ||
        http_digest_compute(kind, r->body.data, r->body.len, field, &e))
        return; /* it was a wish */
    response_header(r, "Repr-Digest", field);
}

static void begin_promise(struct response *r, const struct job_id *only)
{
    response_begin(r, 202, "application/json");
    if (only) {
        char url[sizeof "/v1/jobs/" + ID_JOB_MAX] = "/v1/jobs/";
        id_format_job(only, url + strlen(url));
        response_header(r, "Location", url);
    }
}

/* Of a request without an X-Request-Id, unless something was logged of it: its batch's, which costs nothing to make. */
static void name_request(struct exchange *x)
{
    if (x->response.request_id[0] == '\0')
        memcpy(x->response.request_id, x->batch.id.text, sizeof x->batch.id.text);
}

/* What was asked to be short is: the Location says it all. */
static void heed_minimal(struct exchange *x, size_t count)
{
    if (!x->prefer.is_minimal || count != 1)
        return;
    buf_clear(&x->response.body);
    x->response.preference = "return=minimal";
}

/* Prefer: wait=N.  Whether its one job is waited for: the answer will be that one's status.  Where that cannot be the
 * request is answered at once. */
static bool wait_for_end(struct exchange *x)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    int64_t max = x->app->config->http.wait_max_seconds, wish = x->prefer.wait_seconds;
    const struct listener_wish wait = {.kind = LISTENER_WAITS,
                                       .job = &j,
                                       .seconds = wish < max ? wish : max,
                                       .is_new = true};
    if (wait.seconds <= 0 || x->batch.count != 1 ||
        job_copy(&x->batch.jobs[0], &j, &e) ||
        !fastcgi_drain(x->web, x->request.content_length))
        return false;
    j.state = j.due > 0 ? JOB_SCHEDULED : JOB_WAITING;
    x->response.preference = "wait";
    if (listeners_park(x->app->listeners, x, &wait))
        return true;
    x->response.preference = NULL;
    return false;
}

/* learned: what there was to learn after the commit is told, too. */
static void promise(struct exchange *x, bool learned)
{
    struct response *r = &x->response;
    const struct batch *b = &x->batch;
    begin_promise(r, b->count == 1 ? &b->jobs[0].id : NULL);
    buf_printf(&r->body, "{\"batch\":\"%s\",\"jobs\":[", b->id.text);
    for (size_t i = 0; i < b->count; i++) {
        if (i > 0)
            buf_putc(&r->body, ',');
        add_job(&r->body, &b->jobs[i]);
    }
    buf_putc(&r->body, ']');
    add_promise(x, learned);
    buf_puts(&r->body, "}\n");
    add_repr_digest(x);
}

void accept_replay(struct exchange *x)
{
    const struct key_record *k = &x->idempotency.record;
    struct job_id id;
    size_t at = 0;
    begin_promise(&x->response,
                  k->id_count == 1 && key_record_next(k, &at, &id) ? &id : NULL);
    response_header(&x->response, "Idempotent-Replayed", "true");
    buf_add(&x->response.body, k->body, k->body_len);
    add_repr_digest(x);
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
    if (p == PROBLEM_UNAUTHORIZED) /* a form that brought no policy */
        access_refuse(x, p, e);
    else
        exchange_refuse(x, p, is_theirs ? e : NULL);
    if (p == PROBLEM_DUPLICATE && *holder->queue) {
        char url[sizeof "/v1/jobs/" + ID_JOB_MAX] = "/v1/jobs/";
        id_format_job(holder, url + strlen(url));
        response_header(&x->response, "Location", url);
    }
}

/* --- The steps --- */

bool accept_begin(struct exchange *x)
{
    struct err e = ERR_INIT;
    x->hurry = true;
    enum problem p = idempotency_begin(x, &e);
    x->batch.is_rehearsal = x->idempotency.is_known;
    if (!p && !x->batch.is_rehearsal)
        p = marks_check(x->app->marks, x->request.content_length, &x->retry_after, &e);
    if (!p) {
        x->retry_after = 0;
        if (!x->batch.is_rehearsal)
            p = quota_check(x, x->request.content_length, &e);
    }
    if (p) { /* the marks have told the log */
        exchange_refuse(x, p, &e);
        idempotency_end(x);
    }
    return p == PROBLEM_NONE;
}

/* All that the request is, but for what idempotency_begin and options_set have noted. */
static void note_jobs(struct exchange *x)
{
    struct idempotency *i = &x->idempotency;
    for (size_t k = 0; i->is_given && k < x->batch.count; k++) {
        const struct job *j = &x->batch.jobs[k];
        idempotency_note(i, "name", j->name, strlen(j->name));
        if (j->type)
            idempotency_note(i, "type", j->type, strlen(j->type));
        if (j->sha256) {
            idempotency_note(i, "size", &j->size, sizeof j->size);
            idempotency_note(i, "sha256", j->sha256, strlen(j->sha256));
        }
    }
}

/* Within the commit: the jobs are complete. */
static enum err_code keep_answer(void *ctx, struct err *e)
{
    struct exchange *x = ctx;
    const struct batch *b = &x->batch;
    struct job_id *ids = reallocarray(NULL, b->count, sizeof *ids);
    if (!ids)
        return err_set(e, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < b->count; i++)
        ids[i] = b->jobs[i].id;
    note_jobs(x);
    promise(x, false);
    enum err_code code =
        x->response.body.failed
            ? err_set(e, ERR_NOMEM, "out of memory")
            : idempotency_store(x, ids, b->count, &x->response.body, e);
    free(ids);
    return code;
}

static void drop_answer(void *ctx)
{
    idempotency_drop(ctx);
}

static enum problem commit(struct exchange *x, struct err *e)
{
    const struct spool_ready ready = {keep_answer, drop_answer, x};
    struct batch *b = &x->batch;
    if (x->idempotency.is_given) {
        b->origin.idempotency = x->idempotency.key.name;
        b->ready = &ready;
    }
    enum problem p = batch_commit(b, e);
    b->ready = NULL;
    return p;
}

static enum problem rehearse(struct exchange *x, struct err *e)
{
    enum problem p = batch_commit(&x->batch, e);
    if (p)
        return p;
    note_jobs(x);
    return idempotency_compare(x, e);
}

enum problem accept_batch(struct exchange *x, struct job_id *ret_holder, struct err *e)
{
    if (x->batch.is_rehearsal)
        return rehearse(x, e);
    enum problem p = enlist_check(x, e);
    if (!p)
        p = reserve_answer(x, e);
    if (!p)
        p = quota_take(x, e);
    if (!p)
        p = policy_uses_take(x, e);
    if (p) {
        quota_give_back(x);
        return p;
    }
    p = commit(x, e);
    if (p) {
        quota_give_back(x);
        policy_uses_drop(x);
        return p;
    }
    if (!x->batch.is_bare)
        marks_note_upload(x->app->marks, (int64_t)x->batch.count,
                          batch_bytes(&x->batch));
    p = enlist_jobs(x, ret_holder, e);
    if (p) { /* it is gone again */
        quota_give_back(x);
        policy_uses_drop(x);
    }
    return p;
}

void accept_end(struct exchange *x, enum problem p, const struct job_id *holder,
                const struct err *e)
{
    if (!p && !x->batch.is_rehearsal)
        name_request(x);
    if (p)
        refuse(x, p, holder, e);
    else if (x->batch.is_rehearsal)
        accept_replay(x);
    else if (!wait_for_end(x))
        promise(x, true);
    if (!p && !x->parked)
        heed_minimal(x, x->batch.is_rehearsal ? x->idempotency.record.id_count
                                              : x->batch.count);
    batch_abort(&x->batch);
    idempotency_end(x);
}
