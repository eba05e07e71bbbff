#include "shared/queue_internal.h"

#include <string.h>

static void add_field(const char *name, const char *value, void *ctx)
{
    redis_cmd_add_str(ctx, name);
    redis_cmd_add_str(ctx, value);
}

static bool is_tied(const struct job *j)
{
    return j->group || j->after || j->unique || j->batch;
}

void queue_entry_init(struct queue_entry *entry, const struct job *j)
{
    entry->id = j->id;
    entry->tied = is_tied(j);
    entry->after[0] = '\0';
    if (j->after)
        (void)memccpy(entry->after, j->after, '\0', sizeof entry->after - 1);
    entry->after[sizeof entry->after - 1] = '\0';
    redis_cmd_init(&entry->head);
    redis_cmd_init(&entry->fields);
    redis_cmd_add_str(&entry->head, j->id.uuid.text);
    queue_add_number(&entry->head, j->priority);
    queue_add_number(&entry->head, j->due);
    queue_add_number(&entry->head, j->size);
    job_encode_hash(j, add_field, &entry->fields);
}

void queue_entry_release(struct queue_entry *entry)
{
    redis_cmd_release(&entry->head);
    redis_cmd_release(&entry->fields);
}

size_t queue_entry_bytes(const struct queue_entry *entry)
{
    return entry->head.bytes.len + entry->fields.bytes.len;
}

void queue_enqueue_cmd(struct redis_cmd *c, const struct queue_entry *entries,
                       size_t count)
{
    const char *queue = entries[0].id.queue;
    size_t parents = 0, parent = 0;

    for (size_t i = 0; i < count; i++)
        parents += entries[i].after[0] != '\0';
    queue_begin(c, &queue_script_enqueue, queue, count + parents);
    for (size_t i = 0; i < count; i++)
        queue_add_job_key(c, &entries[i].id);
    for (size_t i = 0; i < count; i++)
        if (entries[i].after[0])
            redis_cmd_add_parts(c, (const char *const[]){"hoist:{", queue, "}:job:",
                                                         entries[i].after, NULL});
    redis_cmd_add_int(c, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        const struct queue_entry *entry = &entries[i];
        redis_cmd_append(c, &entry->head);
        if (entry->after[0])
            redis_cmd_add_int(c, (int64_t)++parent);
        else
            redis_cmd_add_str(c, entry->tied ? "0" : "");
        redis_cmd_add_int(c, (int64_t)entry->fields.count);
        redis_cmd_append(c, &entry->fields);
    }
}

void queue_enqueue_one_cmd(struct redis_cmd *c, const struct job *j)
{
    struct queue_entry entry;

    queue_entry_init(&entry, j);
    queue_enqueue_cmd(c, &entry, 1);
    queue_entry_release(&entry);
}

DEFINE_CLEANUP(struct redis_value *, reply_cleanup, redis_reply_free)

enum err_code queue_enqueue(struct redis *r, const struct job *j,
                            enum queue_answer *ret_answer, struct err *e)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    CLEANUP(reply_cleanup) struct redis_value *reply = NULL;

    redis_cmd_init(&c);
    queue_enqueue_one_cmd(&c, j);
    enum err_code rc = redis_call(r, &c, &reply, e);
    return rc == ERR_OK
               ? queue_parse_answer(redis_value_at(reply, 0), ret_answer, NULL, e)
               : rc;
}
