#include "shared/queue_internal.h"

#include "shared/cleanup.h"

#include <string.h>

enum { USUAL_BYTES = 511 };

/* --- MessagePack, of which the scripts' cmsgpack knows the oldest form everywhere --- */

static void pack_number(struct buf *b, int64_t n)
{
    uint64_t rest = (uint64_t)queue_number(n);
    char bytes[9] = {(char)0xcf}; /* uint 64, big-endian */

    if (rest < 0x80) {
        buf_putc(b, (char)rest);
        return;
    }
    for (size_t i = 8; i > 0; i--, rest >>= 8)
        bytes[i] = (char)(rest & 0xff);
    buf_add(b, bytes, sizeof bytes);
}

static void pack_text(struct buf *b, const char *s)
{
    size_t len = strlen(s);
    const char long_head[] = {(char)0xdb, (char)(len >> 24), (char)(len >> 16),
                              (char)(len >> 8), (char)len};
    const char head[] = {(char)0xda, (char)(len >> 8), (char)len};

    if (len < 32)
        buf_putc(b, (char)(0xa0 | len));
    else if (len <= UINT16_MAX)
        buf_add(b, head, sizeof head);
    else
        buf_add(b, long_head, sizeof long_head);
    buf_add(b, s, len);
}

static void pack_field(const char *name, const char *value, void *ctx)
{
    pack_text(ctx, name);
    pack_text(ctx, value);
}

/* --- Entries --- */

enum { NOT_TIED, TIED, TIED_TO_PARENT }; /* what enqueue.lua calls tie */

static int tie_of(const struct queue_entry *entry, const struct job *j)
{
    if (entry->after[0])
        return TIED_TO_PARENT;
    return j->group || j->after || j->unique || j->batch ? TIED : NOT_TIED;
}

static void add_packed(struct redis_cmd *c, const struct buf *pack)
{
    redis_cmd_add(c, pack->data, pack->len);
    c->failed = c->failed || pack->failed;
}

void queue_entry_init(struct queue_entry *entry, const struct job *j)
{
    CLEANUP(buf_release) struct buf pack = BUF_INIT(REDIS_CMD_BYTES_MAX);

    entry->id = j->id;
    entry->after[0] = '\0';
    if (j->after)
        (void)memccpy(entry->after, j->after, '\0', sizeof entry->after - 1);
    entry->after[sizeof entry->after - 1] = '\0';
    redis_cmd_init(&entry->args);
    (void)buf_reserve(&pack, USUAL_BYTES); /* or it grows */
    pack_number(&pack, j->priority);
    pack_number(&pack, j->due);
    pack_number(&pack, j->size);
    pack_number(&pack, tie_of(entry, j));
    add_packed(&entry->args, &pack);
    buf_clear(&pack);
    job_encode_hash(j, pack_field, &pack);
    add_packed(&entry->args, &pack);
}

void queue_entry_release(struct queue_entry *entry)
{
    redis_cmd_release(&entry->args);
}

size_t queue_entry_bytes(const struct queue_entry *entry)
{
    return entry->args.bytes.len;
}

void queue_enqueue_cmd(struct redis_cmd *c, const struct queue_entry *entries,
                       size_t count)
{
    const char *queue = entries[0].id.queue;
    size_t parents = 0;

    for (size_t i = 0; i < count; i++)
        parents += entries[i].after[0] != '\0';
    queue_begin(c, &queue_script_enqueue, queue, count + parents);
    for (size_t i = 0; i < count; i++)
        queue_add_job_key(c, &entries[i].id);
    for (size_t i = 0; i < count; i++)
        if (entries[i].after[0])
            redis_cmd_add_parts(c, (const char *const[]){"hoist:{", queue, "}:job:",
                                                         entries[i].after, NULL});
    for (size_t i = 0; i < count; i++)
        redis_cmd_append(c, &entries[i].args);
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
