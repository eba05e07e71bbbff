#include "fcgi-app/jobs/batches_internal.h"

#include "fcgi-app/http/body.h"
#include "fcgi-app/jobs/job_store.h"
#include "shared/cleanup.h"
#include "shared/webhooks.h"

#include <string.h>

DEFINE_CLEANUP(struct redis_value *, reply_cleanup, redis_reply_free)

/* What a request to open one says. */
struct wish {
    const struct config_queue *queue; /* where it is kept */
    char callback[URL_MAX + 1];       /* "": none */
};

static enum problem run(struct exchange *x, const struct redis_cmd *c, const char *done,
                        struct err *e)
{
    enum queue_answer answer;
    enum problem p = job_store_steer(x, c, done, &answer, e);
    return p == PROBLEM_NO_JOB ? batches_none(e) : p;
}

static enum problem run_open(struct exchange *x, const struct job_id *id,
                             const char *callback, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    redis_cmd_init(&c);
    queue_open_batch_cmd(&c, id->queue, &id->uuid, callback, x->access.name);
    return run(x, &c, "opened", e);
}

static enum problem run_close(struct exchange *x, const char *queue,
                              const struct uuid *id, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    redis_cmd_init(&c);
    queue_batch_cmd(&c, queue, id, false);
    return run(x, &c, "closed", e);
}

static enum problem read_callback(struct exchange *x, const struct json_flat *body,
                                  struct wish *w, struct err *e)
{
    const char *callback;
    enum problem p = body_text(body, "callback", &callback, e);
    w->callback[0] = '\0';
    if (p || !callback || !*callback)
        return p;
    if (webhooks_check_callback(x->app->config, callback, strlen(callback), e)) {
        (void)err_prefix(e, "callback");
        return PROBLEM_CALLBACK_REFUSED;
    }
    (void)memccpy(w->callback, callback, '\0', sizeof w->callback - 1); /* it fits */
    return PROBLEM_NONE;
}

static enum problem read_wish(struct exchange *x, struct wish *ret, struct err *e)
{
    static const char *const names[] = {"queue", "callback", NULL};
    struct json_flat body;
    enum problem p = body_read(x, names, &body, e);
    if (!p)
        p = body_find_queue(x, &body, &ret->queue, e);
    if (!p && !ret->queue) {
        ret->queue = config_find_queue(x->app->config, "default", strlen("default"));
        p = access_check_queue(&x->access, x->app->config, ret->queue, e);
    }
    return p ? p : read_callback(x, &body, ret, e);
}

/* --- Open --- */

/* What was opened is its client's from the beginning. */
static enum problem note_owner(struct exchange *x, const struct uuid *id, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    CLEANUP(reply_cleanup) struct redis_value *reply = NULL;
    redis_cmd_init(&c);
    if (!x->access.name)
        return PROBLEM_NONE;
    redis_cmd_begin(&c, "SET");
    redis_cmd_add_format(&c, "hoist:batch:%s", id->text);
    redis_cmd_add_str(&c, x->access.name);
    redis_cmd_add_str(&c, "EX");
    redis_cmd_add_int(&c, BATCHES_KEEP_SECONDS);
    return job_store_ask(x, &c, 1, &reply, e);
}

/* The answer; *id is where it is kept, and its uuid. */
static void answer_opened(struct exchange *x, const struct job_id *id)
{
    char url[sizeof "/v1/batches/" + ID_UUID_LEN] = "/v1/batches/";
    memcpy(url + strlen(url), id->uuid.text, sizeof id->uuid.text);
    response_begin(&x->response, 201, "application/json");
    response_header(&x->response, "Location", url);
    if (x->idempotency.is_known)
        response_header(&x->response, "Idempotent-Replayed", "true");
    buf_printf(&x->response.body, "{\"batch\":\"%s\",\"url\":\"%s\"}\n", id->uuid.text,
               url);
}

/* The batch that this request is to open: a new one, whose key is kept before Redis hears of it, or the one of then. */
static enum problem choose(struct exchange *x, const struct wish *w, struct job_id *ret,
                           struct err *e)
{
    struct idempotency *i = &x->idempotency;
    const char *queue = w->queue->name;
    size_t at = 0;
    idempotency_note(i, "queue", queue, strlen(queue));
    if (*w->callback)
        idempotency_note(i, "callback", w->callback, strlen(w->callback));
    if (i->is_known) {
        (void)key_record_next(&i->record, &at, ret); /* a record has one */
        return idempotency_compare(x, e);
    }
    *ret = (struct job_id){.uuid = id_new()};
    memcpy(ret->queue, queue, strlen(queue) + 1);
    if (!i->is_given)
        return PROBLEM_NONE;
    answer_opened(x, ret);
    return idempotency_store(x, ret, 1, &x->response.body, e) ? PROBLEM_UNAVAILABLE
                                                              : PROBLEM_NONE;
}

/* A batch that is known stays as it is, so that a known request opens it again where Redis has forgotten it. */
static enum problem open_one(struct exchange *x, struct job_id *ret, struct err *e)
{
    struct wish w;
    enum problem p = idempotency_begin(x, e);
    if (!p)
        p = read_wish(x, &w, e);
    if (!p)
        p = choose(x, &w, ret, e);
    if (p)
        return p;
    p = note_owner(x, &ret->uuid, e);
    if (!p)
        p = run_open(x, ret, w.callback, e);
    if (p)
        idempotency_drop(x);
    return p;
}

void batches_open(struct exchange *x)
{
    struct err e = ERR_INIT;
    struct job_id id;
    enum problem p = open_one(x, &id, &e);
    if (p)
        exchange_refuse(x, p, &e);
    else
        answer_opened(x, &id);
    idempotency_end(x);
}

/* --- Close --- */

/* In every queue where it is open; one that is closed stays so, and is not said to have ended again. */
static enum problem close_all(struct exchange *x, const struct uuid *id, struct err *e)
{
    CLEANUP(batches_parts_release) struct batches_parts parts = {.count = 0};
    enum problem p = PROBLEM_NONE;
    bool any = false;
    if (batches_ask(x, id, &parts, e))
        return problem_set(e, PROBLEM_UNAVAILABLE, "the queue cannot be reached now");
    for (size_t i = 0; !p && i < parts.count; i++) {
        struct queue_batch b;
        if (!batches_read_part(&parts, i, &b))
            continue;
        any = true;
        if (b.open)
            p = run_close(x, x->app->config->queues[i].name, id, e);
    }
    return any ? p : batches_none(e);
}

void batches_close(struct exchange *x)
{
    struct err e = ERR_INIT;
    struct uuid id;
    enum problem p = batches_get_id(x, &id, &e);
    if (!p) {
        exchange_hold(x);
        publisher_settle(x->app->publisher);
        p = close_all(x, &id, &e);
    }
    if (p)
        exchange_refuse(x, p, &e);
    else
        batches_show(x);
}
