#include "fcgi-app/upload/idempotency.h"

#include "fcgi-app/http/exchange.h"
#include "fcgi-app/upload/idempotency_key.h"
#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/queue_known.h"
#include "shared/log.h"

#include <string.h>

void idempotency_init(struct idempotency *i)
{
    *i = (struct idempotency){.key = SPOOL_KEY_INIT, .digest = DIGEST_SHA256_INIT};
    buf_init(&i->text, KEY_RECORD_MAX);
}

void idempotency_release(struct idempotency *i)
{
    digest_sha256_release(&i->digest);
    buf_release(&i->text);
}

/* --- What it is --- */

void idempotency_note(struct idempotency *i, const char *what, const void *data,
                      size_t len)
{
    uint64_t length = len; /* so that no two lists of things are the same bytes */

    if (!i->is_given)
        return;
    digest_sha256_update(&i->digest, what, strlen(what) + 1);
    digest_sha256_update(&i->digest, &length, sizeof length);
    digest_sha256_update(&i->digest, data, len);
}

static void note_text(struct idempotency *i, const char *what, const char *s)
{
    idempotency_note(i, what, s, strlen(s));
}

static void note_head(struct idempotency *i, const struct request *r)
{
    note_text(i, "method", request_param(r, "REQUEST_METHOD"));
    for (size_t k = 0; k < r->segment_count && k < 2; k++)
        note_text(i, "path", r->segments[k].s);
    for (size_t k = 0; k < r->query_count; k++) {
        note_text(i, "option", r->query[k].name.s);
        note_text(i, "value", r->query[k].value.s);
    }
    for (char *const *p = r->params; *p; p++)
        if (strncmp(*p, "HTTP_X_HOIST_", 13) == 0)
            note_text(i, "header", *p);
}

static enum err_code finish_print(struct idempotency *i,
                                  char ret[static DIGEST_SHA256_HEX + 1], struct err *e)
{
    uint8_t sum[DIGEST_SHA256_BYTES];

    if (digest_sha256_final(&i->digest, sum, e))
        return e->code;
    digest_hex_encode(sum, sizeof sum, ret);
    return ERR_OK;
}

/* --- Whether a record is still of use --- */

static enum err_code ask_redis(struct exchange *x, bool *ret_known, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    struct redis_value *reply = NULL;

    redis_cmd_init(&c);
    queue_known_cmd(&c, &x->idempotency.record);
    if (exchange_ask(x, &c, 1, &reply, e))
        return e->code;
    *ret_known = redis_value_int(reply) > 0;
    redis_reply_free(reply);
    return ERR_OK;
}

/* PROBLEM_UNAVAILABLE: it is old, and Redis, which would know its jobs, cannot be asked. */
static enum problem check_age(struct exchange *x, struct err *e)
{
    struct idempotency *i = &x->idempotency;
    int64_t keep_ms = x->app->config->http.idempotency_keep_seconds * 1000;

    if (clock_wall_ms() - i->record.created < keep_ms ||
        spool_key_has_job(x->app->spool, &i->record))
        return PROBLEM_NONE;
    if (ask_redis(x, &i->is_known, e))
        return problem_set(e, PROBLEM_UNAVAILABLE,
                           "whether the request was answered cannot be told now");
    if (i->is_known)
        return PROBLEM_NONE;
    return spool_key_forget(x->app->spool, &i->key, e) ? batch_spool_problem(e)
                                                       : PROBLEM_NONE;
}

/* --- The steps --- */

/* Owner and key never meet as another pair: the owner has no NUL. */
static enum err_code name_key(const char *owner, const char *key,
                              char ret[static DIGEST_SHA256_HEX + 1], struct err *e)
{
    CLEANUP(buf_release) struct buf both = BUF_INIT(4096);

    buf_add(&both, owner, strlen(owner) + 1);
    if (!buf_puts(&both, key))
        return err_set(e, ERR_NOMEM, "out of memory");
    return digest_sha256_hex(both.data, both.len, ret, e);
}

static enum problem claim(struct exchange *x, const char *key, struct err *e)
{
    struct idempotency *i = &x->idempotency;
    char name[DIGEST_SHA256_HEX + 1];
    bool busy = false;

    if (name_key(access_name(&x->access), key, name, e) ||
        digest_sha256_init(&i->digest, e) ||
        spool_key_claim(x->app->spool, name, &i->key, &busy, e))
        return batch_spool_problem(e);
    if (busy)
        return problem_set(e, PROBLEM_KEY_IN_FLIGHT,
                           "another request with this Idempotency-Key is under way");
    i->is_given = true;
    if (spool_key_read(x->app->spool, &i->key, &i->text, &i->record, e))
        return batch_spool_problem(e);
    i->is_known = i->record.created != 0;
    return i->is_known ? check_age(x, e) : PROBLEM_NONE;
}

enum problem idempotency_begin(struct exchange *x, struct err *e)
{
    const struct request *r = &x->request;
    const char *value = r->headers[REQUEST_IDEMPOTENCY_KEY];
    char key[IDEMPOTENCY_KEY_MAX + 1];

    if (!value)
        return PROBLEM_NONE;
    if (r->headers_twice & 1U << REQUEST_IDEMPOTENCY_KEY)
        return problem_set(e, PROBLEM_BAD_REQUEST, "Idempotency-Key: given twice");
    if (idempotency_key_parse(value, key, e))
        return PROBLEM_BAD_REQUEST;
    enum problem p = claim(x, key, e);
    if (!p)
        note_head(&x->idempotency, r);
    return p;
}

enum problem idempotency_compare(struct exchange *x, struct err *e)
{
    struct idempotency *i = &x->idempotency;
    char print[DIGEST_SHA256_HEX + 1];

    if (finish_print(i, print, e))
        return PROBLEM_INTERNAL;
    if (strcmp(print, i->record.print) == 0)
        return PROBLEM_NONE;
    return problem_set(e, PROBLEM_KEY_REUSED,
                       "another request was made with this Idempotency-Key");
}

enum err_code idempotency_store(struct exchange *x, const struct job_id *ids,
                                size_t count, const struct buf *body, struct err *e)
{
    struct idempotency *i = &x->idempotency;
    struct key_record r = {.created = clock_wall_ms(),
                           .id_count = count,
                           .body = body->data,
                           .body_len = body->len};

    if (finish_print(i, r.print, e) || key_record_format(&r, ids, &i->text, e))
        return e->code;
    return spool_key_store(x->app->spool, &i->key, i->text.data, i->text.len, e);
}

void idempotency_drop(struct exchange *x)
{
    struct idempotency *i = &x->idempotency;
    struct err e = ERR_INIT;

    if (i->is_given && !i->is_known && spool_key_forget(x->app->spool, &i->key, &e)) {
        i->key.is_empty = true; /* then it is unlinked */
        log_warn("idempotency", "a key stays", LOG_ERR(&e));
    }
}

void idempotency_end(struct exchange *x)
{
    struct idempotency *i = &x->idempotency;

    if (i->key.fd >= 0)
        spool_key_release(x->app->spool, &i->key);
    i->is_given = i->is_known = false;
}
