#include "fcgi-app/upload/batch.h"

#include "fcgi-app/upload/idempotency.h"
#include "shared/cleanup.h"
#include "shared/job_key.h"

#include <stdlib.h>
#include <string.h>

void batch_init(struct batch *b, struct spool *spool)
{
    *b = (struct batch){.spool = spool};
    ingest_init(&b->ingest);
}

void batch_release(struct batch *b)
{
    batch_abort(b);
    ingest_release(&b->ingest);
    free(b->uploads);
    free(b->jobs);
    b->uploads = NULL;
    b->jobs = NULL;
    b->capacity = 0;
}

static bool grow(struct batch *b)
{
    size_t capacity = b->capacity ? 2 * b->capacity : 4;
    struct spool_upload *uploads =
        reallocarray(b->uploads, capacity, sizeof *b->uploads);
    if (uploads)
        b->uploads = uploads;
    struct job *jobs = reallocarray(b->jobs, capacity, sizeof *b->jobs);
    if (jobs)
        b->jobs = jobs;
    if (!uploads || !jobs)
        return false;
    for (size_t i = b->capacity; i < capacity; i++) {
        b->uploads[i] = (struct spool_upload)SPOOL_UPLOAD_INIT;
        b->jobs[i] = (struct job)JOB_INIT;
    }
    b->capacity = capacity;
    return true;
}

enum problem batch_spool_problem(const struct err *e)
{
    if (spool_is_full(e))
        return PROBLEM_FULL;
    return e->code == ERR_RETRY ? PROBLEM_UNAVAILABLE : PROBLEM_INTERNAL;
}

static enum problem fill_key(const struct config *config, struct job *j, struct err *e)
{
    if (job_key_fill(config, j, e))
        return e->code == ERR_REJECT ? PROBLEM_BAD_OPTION : PROBLEM_INTERNAL;
    return PROBLEM_NONE;
}

/* The key that the job has got, below what its policy says. */
static enum problem put_below(const struct config *config, struct job *j,
                              const char *prefix, struct err *e)
{
    CLEANUP(buf_release) struct buf key = BUF_INIT(2 * JOB_KEY_MAX);
    buf_puts(&key, prefix);
    buf_puts(&key, j->key);
    if (key.failed)
        return problem_set(e, PROBLEM_INTERNAL, "out of memory");
    if (job_set_key(j, key.data, key.len, e))
        return e->code == ERR_REJECT ? PROBLEM_BAD_OPTION : PROBLEM_INTERNAL;
    return fill_key(config, j, e); /* it may be too long now */
}

/* Name, type and key of a job that is otherwise filled in. */
static enum problem describe(const struct batch *b, const struct config *config,
                             struct job *j, const struct batch_file *file,
                             struct err *e)
{
    bool chosen = j->key != NULL;
    if (file->name && job_set_name(j, file->name, file->name_len, e))
        return PROBLEM_INTERNAL;
    if (!j->name && job_set_name(j, "", 0, e))
        return PROBLEM_INTERNAL;
    if (*file->type && job_set_type(j, file->type, strlen(file->type), e))
        return e->code == ERR_REJECT ? PROBLEM_BAD_REQUEST : PROBLEM_INTERNAL;
    enum problem p = fill_key(config, j, e);
    return p || chosen || !b->policy || !*b->policy->key_prefix
               ? p
               : put_below(config, j, b->policy->key_prefix, e);
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* What is true of all files of a request, seen at one that is not the first. */
static enum problem check_company(const struct batch *b, const struct job *j,
                                  struct err *e)
{
    if (b->count == 0)
        return PROBLEM_NONE;
    if (j->unique || b->jobs[0].unique) /* or some would be in and another refused */
        return problem_set(e, PROBLEM_BAD_VALUE,
                           "unique: a request with it has one file");
    if (!is_same(j->batch, b->jobs[0].batch))
        return problem_set(e, PROBLEM_BAD_VALUE,
                           "batch: the files of one request are of one batch");
    return PROBLEM_NONE;
}

static enum problem check_key(const struct batch *b, const struct job *j, struct err *e)
{
    for (size_t i = 0; i + 1 < b->count; i++)
        if (strcmp(b->jobs[i].key, j->key) == 0 && strcmp(b->jobs[i].to, j->to) == 0)
            return problem_set(e, PROBLEM_BAD_OPTION,
                               "key: one key cannot be that of several files");
    return PROBLEM_NONE;
}

/* All but its id, source, name and key. */
static enum problem make_job(const struct batch *b, const struct options *o,
                             struct job *j, struct err *e)
{
    enum problem p = options_make_job(o, j, e);
    if (p)
        return p;
    if ((b->owner && !(j->owner = strdup(b->owner))) ||
        (b->policy && !(j->policy = strdup(b->policy->id))))
        return problem_set(e, PROBLEM_INTERNAL, "out of memory");
    return b->admit ? b->admit(b->admit_ctx, o->queue, j, e) : PROBLEM_NONE;
}

static enum problem begin_ingest(struct batch *b, const struct options *o,
                                 const struct batch_file *file, struct err *e)
{
    struct ingest_terms terms = {
        .digest = file->digest,
        .has_sha256 = true,
        .sniffer = b->sniffer,
        .config = o->config,
        .queue_types = o->queue->allow_types,
        .policy_types = b->policy ? b->policy->types : "",
        .to = b->jobs[b->count - 1].to,
        .declared = file->type,
    };
    return ingest_begin(&b->ingest, &terms, e);
}

static enum problem heed_policy(struct batch *b, const struct batch_file *file,
                                struct err *e)
{
    int64_t most = b->policy->max_bytes;
    if (most > 0 && most < b->max_bytes)
        b->max_bytes = most;
    return policy_check_file(b->policy, b->count - 1, file->type, -1, e);
}

static enum err_code begin_upload(struct batch *b, const struct batch_file *file,
                                  struct spool_upload *ret, struct err *e)
{
    if (b->is_rehearsal)
        return spool_begin_digest(b->spool, ret, e);
    return file->foreign ? spool_adopt(b->spool, file->foreign, ret, e)
                         : spool_begin(b->spool, ret, e);
}

enum problem batch_begin_file(struct batch *b, const struct options *o,
                              const struct batch_file *file, struct err *e)
{
    if (b->count == b->capacity && !grow(b))
        return problem_set(e, PROBLEM_INTERNAL, "out of memory");
    if (o->idempotency) /* which fields were before it */
        idempotency_note(o->idempotency, "file", "", 0);
    struct job *j = &b->jobs[b->count];
    struct spool_upload *u = &b->uploads[b->count];
    enum problem p = make_job(b, o, j, e);
    if (!p)
        p = check_company(b, j, e);
    if (!p && begin_upload(b, file, u, e))
        p = batch_spool_problem(e);
    if (p) {
        job_release(j);
        return p;
    }
    b->count++;
    b->max_bytes = o->queue->max_bytes;
    if (b->limit_bytes > 0 && b->limit_bytes < b->max_bytes)
        b->max_bytes = b->limit_bytes;
    j->id.uuid = u->uuid;
    p = describe(b, o->config, j, file, e);
    if (!p && b->policy)
        p = heed_policy(b, file, e);
    if (!p)
        p = check_key(b, j, e);
    return p ? p : begin_ingest(b, o, file, e);
}

enum problem batch_add_job(struct batch *b, const struct options *o,
                           const struct batch_source *source, struct err *e)
{
    if (b->count == b->capacity && !grow(b))
        return problem_set(e, PROBLEM_INTERNAL, "out of memory");
    struct job *j = &b->jobs[0];
    enum problem p = make_job(b, o, j, e);
    if (p) {
        job_release(j);
        return p;
    }
    b->count = 1;
    b->is_bare = true;
    j->id.uuid = id_new();
    free(j->source);
    j->source = strdup(source->source);
    j->source_url = source->url ? strdup(source->url) : NULL;
    if (!j->source || (source->url && !j->source_url))
        return problem_set(e, PROBLEM_INTERNAL, "out of memory");
    return describe(b, o->config, j, &source->file, e);
}

enum problem batch_expect(struct batch *b, int64_t bytes, struct err *e)
{
    if (b->is_rehearsal)
        return PROBLEM_NONE;
    return spool_expect(b->spool, &b->uploads[b->count - 1], bytes, e)
               ? batch_spool_problem(e)
               : PROBLEM_NONE;
}

enum problem batch_write(struct batch *b, const void *data, size_t len, struct err *e)
{
    struct spool_upload *u = &b->uploads[b->count - 1];
    if (u->size > b->max_bytes || (int64_t)len > b->max_bytes - u->size)
        return problem_set(e, PROBLEM_TOO_LARGE,
                           "a file is larger than the %lld bytes it may have",
                           (long long)b->max_bytes);
    enum problem p = ingest_feed(&b->ingest, data, len, e);
    if (p)
        return p;
    return spool_write(b->spool, u, data, len, e) ? batch_spool_problem(e)
                                                  : PROBLEM_NONE;
}

enum problem batch_end_file(struct batch *b, struct err *e)
{
    uint8_t sum[DIGEST_SHA256_BYTES];
    enum problem p = PROBLEM_NONE;
    if (b->policy)
        p = policy_check_size(b->policy, b->uploads[b->count - 1].size, e);
    if (p)
        return p;
    if (!ingest_is_needed(&b->ingest))
        return PROBLEM_NONE;
    if (spool_sum(&b->uploads[b->count - 1], sum, e))
        return batch_spool_problem(e);
    return ingest_finish(&b->ingest, sum, e);
}

static enum problem name_batch(struct batch *b, struct err *e)
{
    b->is_named = b->jobs[0].batch != NULL;
    b->id = b->jobs[0].id.uuid;
    if (b->is_named)
        memcpy(b->id.text, b->jobs[0].batch, sizeof b->id.text);
    for (size_t i = 0; i < b->count && b->count > 1 && !b->is_named; i++)
        if (!(b->jobs[i].batch = strdup(b->id.text)))
            return problem_set(e, PROBLEM_INTERNAL, "out of memory");
    return PROBLEM_NONE;
}

static bool set_text(char **ret, const char *s)
{
    return !s || (*ret = strdup(s));
}

static enum problem set_origin(struct batch *b, struct err *e)
{
    const struct batch_origin *o = &b->origin;
    bool is_set = true;
    if (!o->idempotency && !o->request_id && !o->traceparent)
        return PROBLEM_NONE;
    for (size_t i = 0; i < b->count; i++) {
        struct job *j = &b->jobs[i];
        is_set &= set_text(&j->idempotency, o->idempotency) &&
                  set_text(&j->request_id, o->request_id) &&
                  set_text(&j->traceparent, o->traceparent) &&
                  set_text(&j->tracestate, o->tracestate);
    }
    return is_set ? PROBLEM_NONE : problem_set(e, PROBLEM_INTERNAL, "out of memory");
}

/* What the files of a rehearsal are. */
static enum problem tell(struct batch *b, struct err *e)
{
    for (size_t i = 0; i < b->count && !b->is_bare; i++) {
        struct job *j = &b->jobs[i];
        char hex[DIGEST_SHA256_HEX + 1];
        uint8_t sum[DIGEST_SHA256_BYTES];
        if (spool_sum(&b->uploads[i], sum, e))
            return batch_spool_problem(e);
        digest_hex_encode(sum, sizeof sum, hex);
        free(j->sha256);
        j->sha256 = strdup(hex);
        j->size = b->uploads[i].size;
        if (!j->sha256)
            return problem_set(e, PROBLEM_INTERNAL, "out of memory");
    }
    return PROBLEM_NONE;
}

enum problem batch_commit(struct batch *b, struct err *e)
{
    if (b->is_rehearsal)
        return tell(b, e);
    enum problem p = name_batch(b, e);
    if (!p)
        p = set_origin(b, e);
    if (p)
        return p;
    const struct spool_set set = {b->uploads, b->jobs, b->count, b->ready};
    enum err_code code = b->is_bare
                             ? spool_promise_ready(b->spool, &b->jobs[0], b->ready, e)
                             : spool_commit_set(b->spool, &set, e);
    return code ? batch_spool_problem(e) : PROBLEM_NONE;
}

int64_t batch_bytes(const struct batch *b)
{
    int64_t sum = 0;
    for (size_t i = 0; i < b->count; i++)
        sum += b->jobs[i].size;
    return sum;
}

void batch_abort(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        spool_abort(b->spool, &b->uploads[i]);
        job_release(&b->jobs[i]);
    }
    ingest_drop(&b->ingest);
    b->count = 0;
    b->is_bare = b->is_rehearsal = false;
    b->ready = NULL;
    b->origin.idempotency = NULL;
}
