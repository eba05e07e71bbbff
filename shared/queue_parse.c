#include "shared/queue.h"

#include <stdlib.h>
#include <string.h>

#include "shared/url.h"

enum { COUNT_DIGITS_MAX = 15 };

/* Replies come from our own scripts: one of another shape means that somebody else answers, or that a key of the
 * queue was replaced by hand. */
static enum err_code unexpected(struct err *e, const char *what)
{
    return err_set(e, ERR_REJECT, "queue: unexpected reply to %s", what);
}

static bool parse_word(const struct redis_value *v, enum queue_answer *ret)
{
    static const char *const words[] = {
        [QUEUE_OK] = "OK",
        [QUEUE_LOST] = "LOST",
        [QUEUE_CANCELLED] = "CANCELLED",
        [QUEUE_BAD] = "BAD",
        [QUEUE_MISSING] = "MISSING",
        [QUEUE_CONFLICT] = "CONFLICT",
        [QUEUE_EXISTS] = "EXISTS",
        [QUEUE_RUNNING] = "RUNNING",
        [QUEUE_DUPLICATE] = "DUPLICATE",
        [QUEUE_FULL] = "FULL",
        [QUEUE_NEWER] = "NEWER",
    };
    const char *word = redis_value_str(v, NULL);

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret = (enum queue_answer)i;
            return true;
        }
    }
    return false;
}

static bool parse_uuid(const struct redis_value *v, struct uuid *ret)
{
    size_t len;
    const char *s = redis_value_str(v, &len);

    if (!id_is_uuid(s, len))
        return false;
    memcpy(ret->text, s, len + 1);
    return true;
}

static bool parse_uuids(const struct redis_value *v, struct uuid *ret,
                        size_t *ret_count)
{
    size_t count = redis_value_len(v);

    if (redis_value_type(v) != REDIS_ARRAY || count > QUEUE_BATCH_MAX)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!parse_uuid(redis_value_at(v, i), &ret[i]))
            return false;
    *ret_count = count;
    return true;
}

/* token, uuid, uuid ...; or nothing */
static bool parse_leases(const struct redis_value *v, const char *queue,
                         struct queue_claimed *ret)
{
    size_t count = redis_value_len(v);
    int64_t token = redis_value_int(redis_value_at(v, 0));

    ret->count = 0;
    if (redis_value_type(v) != REDIS_ARRAY || count > QUEUE_BATCH_MAX + 1 ||
        (count > 0 && token <= 0))
        return false;
    for (size_t i = 1; i < count; i++) {
        struct queue_lease *l = &ret->leases[ret->count];
        memcpy(l->id.queue, queue, strlen(queue) + 1);
        l->token = token;
        /* No uuid: put there by hand.  Its lease will run out, and claim then takes it out. */
        if (parse_uuid(redis_value_at(v, i), &l->id.uuid))
            ret->count++;
    }
    return true;
}

static bool parse_ends(const struct redis_value *v, struct queue_claimed *ret)
{
    size_t count = redis_value_len(v);

    if (redis_value_type(v) != REDIS_ARRAY || count > QUEUE_BATCH_MAX)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!parse_word(redis_value_at(v, i), &ret->answers[i]))
            return false;
    ret->answer_count = count;
    return true;
}

enum err_code queue_parse_claimed(const struct redis_value *v, const char *queue,
                                  struct queue_claimed *ret, struct err *e)
{
    if (!id_is_queue(queue, strlen(queue)))
        return err_set(e, ERR_REJECT, "queue: not a name of a queue");
    bool fits = redis_value_len(v) == 7 && parse_ends(redis_value_at(v, 0), ret) &&
                parse_leases(redis_value_at(v, 1), queue, ret) &&
                parse_uuids(redis_value_at(v, 2), ret->due, &ret->due_count) &&
                parse_uuids(redis_value_at(v, 3), ret->expired, &ret->expired_count);
    if (!fits)
        return unexpected(e, "claim");
    ret->next_ms = redis_value_int(redis_value_at(v, 4));
    ret->more = redis_value_int(redis_value_at(v, 5)) == 1;
    ret->has_outbox = redis_value_int(redis_value_at(v, 6)) == 1;
    return ERR_OK;
}

/* name, value, name, value ...: a record.  ERR_REJECT says what is impossible in it. */
static enum err_code parse_record(const struct redis_value *v, const struct job_id *id,
                                  struct job *ret_job, struct err *e)
{
    CLEANUP(job_release) struct job j = JOB_INIT;

    j.id = *id;
    for (size_t i = 0; i + 1 < redis_value_len(v); i += 2) {
        size_t len;
        const char *name = redis_value_str(redis_value_at(v, i), NULL);
        const char *value = redis_value_str(redis_value_at(v, i + 1), &len);
        enum err_code rc = job_decode_field(&j, name, value, len, e);
        if (rc != ERR_OK)
            return rc;
    }
    enum err_code rc = job_decode_rest(&j, e);
    if (rc == ERR_OK)
        rc = job_check(&j, e);
    if (rc != ERR_OK)
        return rc;
    *ret_job = j;
    j = (struct job)JOB_INIT;
    return ERR_OK;
}

/* The version a record says it has; 0 when it says nothing that makes sense. */
static int64_t version_of(const struct redis_value *record)
{
    for (size_t i = 0; i + 1 < redis_value_len(record); i += 2)
        if (strcmp(redis_value_str(redis_value_at(record, i), NULL), "v") == 0)
            return redis_value_int(redis_value_at(record, i + 1));
    return 0;
}

/* What the record of a job that has just begun says of running it. */
static enum queue_answer judge(const struct job *j, struct err *why)
{
    if (j->state != JOB_WAITING && j->state != JOB_RUNNING)
        (void)err_set(why, ERR_REJECT, "record: state of a leased job is %s",
                      job_state_name(j->state));
    else if (j->cancel)
        return QUEUE_CANCELLED;
    else if (j->attempts >= j->max_attempts)
        (void)err_set(why, ERR_REJECT, "record: attempts are used up before the start");
    else
        return QUEUE_OK;
    return QUEUE_BAD;
}

enum err_code queue_parse_start(enum queue_answer mark,
                                const struct redis_value *record,
                                const struct queue_lease *l,
                                enum queue_answer *ret_answer, struct job *ret_job,
                                struct err *why, struct err *e)
{
    *ret_answer = mark == QUEUE_OK ? QUEUE_BAD : mark;
    if (mark != QUEUE_OK)
        return ERR_OK;
    if (redis_value_type(record) != REDIS_ARRAY) {
        (void)err_set(why, ERR_REJECT, "record: the key holds no hash");
    } else if (redis_value_len(record) == 0) {
        (void)err_set(why, ERR_REJECT, "record: it is gone");
    } else if (version_of(record) > JOB_VERSION) {
        *ret_answer = QUEUE_NEWER;
    } else {
        enum err_code rc = parse_record(record, &l->id, ret_job, why);
        if (rc == ERR_NOMEM)
            return err_set(e, ERR_NOMEM, "queue: no memory for a record");
        if (rc != ERR_OK)
            return ERR_OK;
        *ret_answer = judge(ret_job, why);
        ret_job->attempts++;
        ret_job->state = JOB_RUNNING;
    }
    return ERR_OK;
}

static bool parse_words(const struct redis_value *v, size_t count,
                        enum queue_answer *ret)
{
    if (redis_value_type(v) != REDIS_ARRAY || redis_value_len(v) != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!parse_word(redis_value_at(v, i), &ret[i]))
            return false;
    return true;
}

enum err_code queue_parse_marks(const struct redis_value *v, size_t count,
                                enum queue_answer *ret_answers, struct err *e)
{
    return parse_words(v, count, ret_answers) ? ERR_OK : unexpected(e, "start");
}

enum err_code queue_parse_beat(const struct redis_value *v, size_t count,
                               enum queue_answer *ret_answers, struct err *e)
{
    return parse_words(v, count, ret_answers) ? ERR_OK : unexpected(e, "beat");
}

enum err_code queue_parse_answer(const struct redis_value *v,
                                 enum queue_answer *ret_answer,
                                 char ret_state[QUEUE_STATE_SIZE], struct err *e)
{
    enum queue_answer answer;
    size_t len, parts = redis_value_len(v);
    const char *state = redis_value_str(redis_value_at(v, 1), &len);

    if (!parse_word(redis_value_at(v, 0), &answer) ||
        !(parts == 3 || (parts == 1 && answer == QUEUE_OK)))
        return unexpected(e, "a script");
    *ret_answer = answer;
    if (!ret_state)
        return ERR_OK;
    memset(ret_state, 0, QUEUE_STATE_SIZE);
    memcpy(ret_state, state, len < QUEUE_STATE_SIZE ? len : QUEUE_STATE_SIZE - 1);
    return ERR_OK;
}

/* "worker:token:ms" of a job that has begun.  False: claimed only, or nobody's. */
static bool parse_owner(const struct redis_value *owner, struct job *j, struct err *e)
{
    const char *text = redis_value_str(owner, NULL);
    const char *token = strchr(text, ':');
    const char *began = token ? strchr(token + 1, ':') : NULL;

    if (!began || token == text)
        return false;
    char *worker = strndup(text, (size_t)(token - text));
    if (!worker) {
        (void)err_set(e, ERR_NOMEM, "queue: no memory for a record");
        return false;
    }
    free(j->worker);
    j->worker = worker;
    j->started = strtoll(began + 1, NULL, 10);
    return true;
}

enum err_code queue_parse_show(const struct redis_value *owner,
                               const struct redis_value *record,
                               const struct job_id *id, struct job *ret_job,
                               bool *ret_missing, struct err *e)
{
    bool is_missing =
        redis_value_type(record) == REDIS_ARRAY && redis_value_len(record) == 0;

    *ret_missing = is_missing;
    if (is_missing)
        return err_set(e, ERR_REJECT, "queue: no such job");
    enum err_code rc = redis_value_error(record, e);
    if (rc != ERR_OK)
        return rc;
    if (redis_value_type(record) != REDIS_ARRAY)
        return unexpected(e, "show");
    rc = parse_record(record, id, ret_job, e);
    if (rc != ERR_OK || job_state_is_final(ret_job->state))
        return rc;
    if (parse_owner(owner, ret_job, e)) {
        ret_job->state = JOB_RUNNING;
        ret_job->attempts++;
    } else if (ret_job->state == JOB_RUNNING) {
        ret_job->state = JOB_WAITING; /* its lease has just ended */
    }
    return ERR_OK;
}

enum err_code queue_parse_readable(const struct redis_value *v, const struct job_id *id,
                                   struct job *ret_job, struct err *e)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    bool has_state = false;

    j.id = *id;
    for (size_t i = 0; i + 1 < redis_value_len(v); i += 2) {
        size_t len;
        const char *name = redis_value_str(redis_value_at(v, i), NULL);
        const char *value = redis_value_str(redis_value_at(v, i + 1), &len);
        struct err why = ERR_INIT;
        enum err_code rc = job_decode_field(&j, name, value, len, &why);
        if (rc == ERR_NOMEM) {
            *e = why;
            return rc;
        }
        has_state |= rc == ERR_OK && strcmp(name, "state") == 0;
    }
    if (!has_state)
        return err_set(e, ERR_REJECT, "queue: the record has no state");
    *ret_job = j;
    j = (struct job)JOB_INIT;
    return ERR_OK;
}

static int64_t oldest_of(const struct redis_value *ids)
{
    int64_t oldest = 0;

    for (size_t i = 0; i < redis_value_len(ids); i++) {
        struct uuid id;
        if (!parse_uuid(redis_value_at(ids, i), &id))
            continue; /* put there by hand: the next claim takes it out */
        int64_t created = id_uuid_ms(id.text);
        if (oldest == 0 || created < oldest)
            oldest = created;
    }
    return oldest;
}

enum err_code queue_parse_status(const struct redis_value *v, struct queue_status *ret,
                                 struct err *e)
{
    int64_t *const sizes[] = {&ret->ready, &ret->scheduled, &ret->running, &ret->dead,
                              &ret->done};
    int64_t *const totals[] = {&ret->enqueued_total, &ret->done_total,
                               &ret->failed_total,   &ret->retried_total,
                               &ret->dead_total,     &ret->cancelled_total,
                               &ret->crashed_total,  &ret->started_total,
                               &ret->bytes,          &ret->done_bytes_total};

    if (redis_value_len(v) != 12)
        return unexpected(e, "status");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        *sizes[i] = redis_value_int(redis_value_at(v, i));
    ret->paused = redis_value_int(redis_value_at(v, 5)) == 1;
    const struct redis_value *counters = redis_value_at(v, 6);
    for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++)
        *totals[i] = redis_value_int(redis_value_at(counters, i));
    ret->oldest_created = oldest_of(redis_value_at(v, 7));
    ret->grouped = redis_value_int(redis_value_at(v, 8));
    ret->behind = redis_value_int(redis_value_at(v, 9));
    ret->now_ms = redis_value_int(redis_value_at(v, 11));
    return ERR_OK;
}

/* "name=number" at *text, and the space behind it: steps over it. */
static bool parse_pair(const char **text, const char *name, int64_t *ret)
{
    size_t len = strlen(name);
    char *end;

    if (strncmp(*text, name, len) != 0 || (*text)[len] != '=')
        return false;
    const char *digits = *text + len + 1;
    size_t count = strspn(digits, "0123456789");
    if (count == 0 || count > COUNT_DIGITS_MAX)
        return false;
    *ret = strtoll(digits, &end, 10);
    *text = *end == ' ' ? end + 1 : end;
    return true;
}

enum err_code queue_parse_batch(const struct redis_value *v, struct queue_batch *ret,
                                struct err *e)
{
    const struct redis_value *numbers = redis_value_at(v, 0);
    const char *text = redis_value_str(numbers, NULL);
    struct queue_batch b = {.callback = NULL};
    int64_t open;
    size_t len;

    if (redis_value_type(v) == REDIS_ARRAY && redis_value_type(numbers) == REDIS_NIL)
        return err_set(e, ERR_REJECT, "queue: no such batch");
    if (!parse_pair(&text, "open", &open) || !parse_pair(&text, "total", &b.total) ||
        !parse_pair(&text, "done", &b.done) || !parse_pair(&text, "dead", &b.dead) ||
        !parse_pair(&text, "cancelled", &b.cancelled))
        return unexpected(e, "a batch");
    b.open = open != 0;
    const char *callback = redis_value_str(redis_value_at(v, 1), &len);
    if (url_is_valid(callback, len))
        b.callback = callback;
    *ret = b;
    return ERR_OK;
}
