#include "fcgi-app/publish/publish_ring.h"

#include <stdlib.h>
#include <string.h>

enum err_code publish_ring_init(struct publish_ring *r, struct err *e)
{
    *r = (struct publish_ring){.head = 0};
    r->slots = calloc(PUBLISH_RING_MAX, sizeof *r->slots);
    r->call = calloc(QUEUE_BATCH_MAX, sizeof *r->call);
    return r->slots && r->call ? ERR_OK
                               : err_set(e, ERR_NOMEM, "publisher: out of memory");
}

void publish_ring_release(struct publish_ring *r)
{
    if (r->slots)
        (void)publish_ring_clear(r, r->count);
    free(r->slots);
    free(r->call);
    *r = (struct publish_ring){.head = 0};
}

/* --- Slots --- */

static void free_cmd(struct redis_cmd *c)
{
    if (c)
        redis_cmd_release(c);
    free(c);
}

void publish_slots_release(struct publish_slot *slots, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        queue_entry_release(&slots[i].entry);
        free_cmd(slots[i].open);
        free_cmd(slots[i].close);
    }
}

static struct redis_cmd *new_batch_cmd(const char *queue, const struct uuid *batch,
                                       bool open)
{
    struct redis_cmd *c = malloc(sizeof *c);
    if (!c)
        return NULL;
    redis_cmd_init(c);
    queue_batch_cmd(c, queue, batch, open);
    return c;
}

static bool is_one_call(const struct job *jobs, size_t count)
{
    bool same = true;
    for (size_t i = 1; i < count && same; i++)
        same = strcmp(jobs[i].id.queue, jobs[0].id.queue) == 0;
    return same && count <= QUEUE_BATCH_MAX;
}

bool publish_slots_init(struct publish_slot *slots, const struct job *jobs,
                        size_t count, const struct uuid *own_batch)
{
    bool tied = own_batch && count > 1, together = tied && is_one_call(jobs, count);
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        slots[i] = (struct publish_slot){.together = together ? 0 : 1};
        queue_entry_init(&slots[i].entry, &jobs[i]);
        ok = ok && !slots[i].entry.args.failed;
    }
    if (together) {
        slots[0].together = count;
    } else if (tied) {
        const char *queue = jobs[0].id.queue;
        slots[0].open = new_batch_cmd(queue, own_batch, true);
        slots[count - 1].close = new_batch_cmd(queue, own_batch, false);
        ok = ok && slots[0].open && slots[count - 1].close;
    }
    if (!ok)
        publish_slots_release(slots, count);
    return ok;
}

/* --- The ring --- */

static struct publish_slot *at(const struct publish_ring *r, size_t i)
{
    return &r->slots[(r->head + i) % PUBLISH_RING_MAX];
}

bool publish_ring_add(struct publish_ring *r, const struct publish_slot *slots,
                      size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += queue_entry_bytes(&slots[i].entry);
    if (count > PUBLISH_RING_MAX - r->count ||
        bytes > PUBLISH_RING_BYTES_MAX - r->bytes)
        return false;
    for (size_t i = 0; i < count; i++)
        *at(r, r->count + i) = slots[i];
    r->count += count;
    r->bytes += bytes;
    return true;
}

size_t publish_ring_next(const struct publish_ring *r)
{
    size_t n = 0, bytes = 0;
    while (n < r->count) {
        const struct publish_slot *first = at(r, n);
        for (size_t i = 0; i < first->together; i++)
            bytes += queue_entry_bytes(&at(r, n + i)->entry);
        bool fits = n + first->together <= QUEUE_BATCH_MAX && !first->open &&
                    bytes <= REDIS_CMD_BYTES_MAX / 2 &&
                    strcmp(first->entry.id.queue, at(r, 0)->entry.id.queue) == 0;
        if (n > 0 && !fits)
            break;
        n += first->together;
        if (at(r, n - 1)->close)
            break;
    }
    return n;
}

void publish_ring_build(const struct publish_ring *r, size_t n, struct redis_cmd *ret)
{
    for (size_t i = 0; i < n; i++)
        r->call[i] = at(r, i)->entry;
    queue_enqueue_cmd(ret, r->call, n);
}

const struct redis_cmd *publish_ring_open(const struct publish_ring *r)
{
    return at(r, 0)->open;
}

const struct redis_cmd *publish_ring_close(const struct publish_ring *r, size_t n)
{
    return at(r, n - 1)->close;
}

size_t publish_ring_clear(struct publish_ring *r, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += queue_entry_bytes(&at(r, i)->entry);
        publish_slots_release(at(r, i), 1);
    }
    return bytes;
}

void publish_ring_drop(struct publish_ring *r, size_t n, size_t bytes)
{
    r->bytes -= bytes;
    r->count -= n;
    r->head = (r->head + n) % PUBLISH_RING_MAX;
    if (r->count == 0)
        r->head = 0; /* the same few slots over and over stay in the cache */
}
