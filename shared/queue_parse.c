#include "shared/queue.h"

#include <string.h>

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

/* uuid, token, uuid, token ... */
static bool parse_leases(const struct redis_value *v, const char *queue,
                         struct queue_claimed *ret)
{
    size_t count = redis_value_len(v);

    if (redis_value_type(v) != REDIS_ARRAY || count % 2 || count / 2 > QUEUE_BATCH_MAX)
        return false;
    for (size_t i = 0; i < count / 2; i++) {
        struct queue_lease *l = &ret->leases[i];
        memcpy(l->id.queue, queue, strlen(queue) + 1);
        l->token = redis_value_int(redis_value_at(v, 2 * i + 1));
        if (!parse_uuid(redis_value_at(v, 2 * i), &l->id.uuid) || l->token <= 0)
            return false;
    }
    ret->count = count / 2;
    return true;
}

enum err_code queue_parse_claimed(const struct redis_value *v, const char *queue,
                                  struct queue_claimed *ret, struct err *e)
{
    if (!id_is_queue(queue, strlen(queue)))
        return err_set(e, ERR_REJECT, "queue: not a name of a queue");
    bool fits = redis_value_len(v) == 6 &&
                parse_word(redis_value_at(v, 0), &ret->answer) &&
                parse_leases(redis_value_at(v, 1), queue, ret) &&
                parse_uuids(redis_value_at(v, 2), ret->due, &ret->due_count) &&
                parse_uuids(redis_value_at(v, 3), ret->expired, &ret->expired_count);
    if (!fits)
        return unexpected(e, "claim");
    ret->next_ms = redis_value_int(redis_value_at(v, 4));
    ret->more = redis_value_int(redis_value_at(v, 5)) == 1;
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
    enum err_code rc = job_check(&j, e);
    if (rc != ERR_OK)
        return rc;
    *ret_job = j;
    j = (struct job)JOB_INIT;
    return ERR_OK;
}

enum err_code queue_parse_start(const struct redis_value *v,
                                const struct queue_lease *l,
                                enum queue_answer *ret_answer, struct job *ret_job,
                                struct err *why, struct err *e)
{
    enum queue_answer answer;
    const struct redis_value *record = redis_value_at(v, 2);

    if (redis_value_len(v) != 3 || !parse_word(redis_value_at(v, 0), &answer))
        return unexpected(e, "start");
    if (answer == QUEUE_BAD)
        (void)err_set(why, ERR_REJECT, "%s",
                      redis_value_str(redis_value_at(v, 1), NULL));
    if (answer == QUEUE_OK || answer == QUEUE_CANCELLED) {
        enum err_code rc = parse_record(record, &l->id, ret_job, why);
        if (rc == ERR_NOMEM)
            return err_set(e, ERR_NOMEM, "queue: no memory for a record");
        if (rc != ERR_OK)
            answer = QUEUE_BAD;
    }
    *ret_answer = answer;
    return ERR_OK;
}

enum err_code queue_parse_beat(const struct redis_value *v, size_t count,
                               enum queue_answer *ret_answers, struct err *e)
{
    if (redis_value_type(v) != REDIS_ARRAY || redis_value_len(v) != count)
        return unexpected(e, "beat");
    for (size_t i = 0; i < count; i++)
        if (!parse_word(redis_value_at(v, i), &ret_answers[i]))
            return unexpected(e, "beat");
    return ERR_OK;
}

enum err_code queue_parse_answer(const struct redis_value *v,
                                 enum queue_answer *ret_answer, char ret_state[16],
                                 struct err *e)
{
    enum queue_answer answer;
    size_t len;
    const char *state = redis_value_str(redis_value_at(v, 1), &len);

    if (redis_value_len(v) != 3 || !parse_word(redis_value_at(v, 0), &answer))
        return unexpected(e, "a script");
    *ret_answer = answer;
    if (!ret_state)
        return ERR_OK;
    memset(ret_state, 0, 16);
    memcpy(ret_state, state, len < 16 ? len : 15);
    return ERR_OK;
}

enum err_code queue_parse_show(const struct redis_value *v, const struct job_id *id,
                               struct job *ret_job, bool *ret_missing, struct err *e)
{
    bool is_missing = redis_value_type(v) == REDIS_ARRAY && redis_value_len(v) == 0;

    *ret_missing = is_missing;
    if (is_missing)
        return err_set(e, ERR_REJECT, "queue: no such job");
    if (redis_value_type(v) != REDIS_ARRAY)
        return unexpected(e, "show");
    return parse_record(v, id, ret_job, e);
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
                               &ret->crashed_total};

    if (redis_value_len(v) != 8)
        return unexpected(e, "status");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        *sizes[i] = redis_value_int(redis_value_at(v, i));
    ret->paused = redis_value_int(redis_value_at(v, 5)) == 1;
    const struct redis_value *counters = redis_value_at(v, 6);
    for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++)
        *totals[i] = redis_value_int(redis_value_at(counters, i));
    ret->oldest_created = oldest_of(redis_value_at(v, 7));
    return ERR_OK;
}
