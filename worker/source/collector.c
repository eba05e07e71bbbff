#include "worker/source/collector_maker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { TURN_BYTES = 1024 * 1024 };

struct collector {
    struct collector_options o;
    struct membudget_claim
        claim; /* holds the rooms of all makers, and what was granted */
    uv_timer_t turn;
    char *small; /* the first bytes of the part that comes next */
    size_t small_len;
    struct collector_maker *filling; /* NULL: there is no memory for it yet */
    int64_t granted;                 /* for it, to be used on the next turn */
    char *spare;                     /* memory of that size; NULL: it must be made */
    int number;                      /* of the part that fills, or comes next */
    int out;                         /* parts handed out */
    struct collector_maker *makers;  /* of those */
    struct digest_sha256 sha256;
    char hex[DIGEST_SHA256_HEX + 1];
    int64_t size;
    bool ended, closed;
};

static void on_turn(uv_timer_t *timer);

static void turn_soon(struct collector *c)
{
    if (!c->closed)
        (void)uv_timer_start(&c->turn, on_turn, 0, 0);
}

static void on_granted(int64_t bytes, void *ctx)
{
    struct collector *c = ctx;

    c->granted = bytes;
    turn_soon(c);
}

/* --- parts --- */

static void hand_out(struct collector *c, struct collector_maker *m)
{
    m->next = c->makers;
    if (c->makers)
        c->makers->previous = m;
    c->makers = m;
    c->out++;
    c->number++;
    c->o.on_part(&m->part, c->o.ctx);
}

/* --- its end --- */

/* No part comes next. */
static void want_no_more(struct collector *c)
{
    c->ended = true;
    membudget_forgo(&c->claim);
    if (c->spare)
        (void)munmap(c->spare, (size_t)c->granted);
    c->spare = NULL;
    if (c->granted > 0)
        membudget_give(&c->claim, c->granted);
    c->granted = 0;
}

static void fail(struct collector *c, const struct err *e)
{
    want_no_more(c);
    if (e)
        stream_stop(c->o.stream);
    c->o.on_failed(e, c->o.ctx);
}

static void end(struct collector *c)
{
    uint8_t sum[DIGEST_SHA256_BYTES];
    struct err e = ERR_INIT;
    struct collector_maker *m =
        c->filling ? c->filling : collector_maker_new(&c->o, c->number, &e);

    want_no_more(c);
    if (!m || digest_sha256_final(&c->sha256, sum, &e) != ERR_OK) {
        if (m != c->filling)
            collector_maker_free(m);
        fail(c, &e);
        return;
    }
    digest_hex_encode(sum, sizeof sum, c->hex);
    if (!c->filling)
        collector_maker_pass(m, c->small, c->small_len);
    c->filling = NULL;
    m->part.is_last = true;
    if (collector_maker_seal(m, c->small, m->part.number == 1 ? sum : NULL, &e)) {
        hand_out(c, m);
        return;
    }
    if (m->memory)
        membudget_give(&c->claim, m->part.room);
    collector_maker_free(m);
    fail(c, &e);
}

/* --- memory --- */

/* There are bytes of a part that has no memory yet, and it may have some: a first one only when it is not small. */
static bool needs_memory(const struct collector *c)
{
    return !c->ended && !c->filling && c->granted == 0 && c->out < c->o.parallel &&
           c->small_len > 0 && (c->number > 1 || c->small_len == COLLECTOR_SMALL);
}

/* The part that comes next, with so many bytes, which the claim holds. */
static void begin_part(struct collector *c, int64_t bytes)
{
    struct err e = ERR_INIT;
    char *memory = c->spare ? c->spare
                            : mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct collector_maker *m =
        memory == MAP_FAILED ? NULL : collector_maker_new(&c->o, c->number, &e);

    c->spare = NULL;

    if (!m) {
        if (memory != MAP_FAILED)
            (void)munmap(memory, (size_t)bytes);
        membudget_give(&c->claim, bytes);
        (void)err_set(&e, ERR_NOMEM, "no memory for a part");
        fail(c, &e);
        return;
    }
    m->memory = memory;
    m->part.room = bytes;
    c->filling = m;
    memcpy(memory, c->small, c->small_len);
    collector_maker_pass(m, memory, c->small_len);
    c->small_len = 0;
}

static void want_memory(struct collector *c)
{
    struct err e = ERR_INIT;

    if (!needs_memory(c) || c->claim.wanted > 0)
        return;
    int64_t bytes = c->o.part_len(c->number, c->o.ctx);
    if (bytes == 0) {
        (void)err_set(&e, ERR_REJECT,
                      "longer than parts of this memory reach: %lld bytes came",
                      (long long)c->size);
        fail(c, &e);
        return;
    }
    assert(bytes >= COLLECTOR_SMALL);
    if (membudget_take(&c->claim, bytes))
        begin_part(c, bytes);
}

/* --- reading --- */

static bool is_filling(const struct collector *c)
{
    return c->filling && c->filling->part.len < c->filling->part.room;
}

/* These have come, and stand where they were read to. */
static void take(struct collector *c, const char *data, size_t len)
{
    struct err e = ERR_INIT;

    digest_sha256_update(&c->sha256, data, len);
    c->size += (int64_t)len;
    if (is_filling(c)) {
        collector_maker_pass(c->filling, data, len);
        return;
    }
    c->small_len += len;
    if (c->filling) { /* it was full, and is not the last one */
        struct collector_maker *m = c->filling;
        c->filling = NULL;
        if (!collector_maker_seal(m, c->small, NULL, &e)) {
            c->filling = m;
            fail(c, &e);
            return;
        }
        hand_out(c, m);
    }
    if (!c->closed)
        want_memory(c);
}

static void pump(struct collector *c)
{
    for (size_t turn = 0; !c->ended && !c->closed;) {
        bool into_part = is_filling(c);
        char *to = into_part ? c->filling->memory + c->filling->part.len
                             : c->small + c->small_len;
        int64_t room = into_part ? c->filling->part.room - c->filling->part.len
                                 : COLLECTOR_SMALL - (int64_t)c->small_len;
        size_t len = 0;

        if (room == 0)
            return; /* until there is memory */
        if (turn >= TURN_BYTES) {
            turn_soon(c);
            return;
        }
        if (room > COLLECTOR_SMALL)
            room = COLLECTOR_SMALL;
        switch (stream_read(c->o.stream, to, (size_t)room, &len)) {
        case STREAM_SOME:
            turn += len;
            take(c, to, len);
            break;
        case STREAM_WAIT:
            return;
        case STREAM_END:
            end(c);
            break;
        case STREAM_FAILED:
            fail(c, NULL);
            break;
        }
    }
}

static void on_turn(uv_timer_t *timer)
{
    struct collector *c = timer->data;
    int64_t bytes = c->granted;

    c->granted = 0;
    if (bytes > 0)
        begin_part(c, bytes);
    else
        want_memory(c);
    pump(c);
}

static void on_ready(void *ctx)
{
    pump(ctx);
}

/* --- the interface --- */

struct collector *collector_open(const struct collector_options *o)
{
    struct collector *c = calloc(1, sizeof *c);
    struct err e = ERR_INIT;

    if (!c)
        return NULL;
    c->small = malloc(COLLECTOR_SMALL);
    if (!c->small || digest_sha256_init(&c->sha256, &e) != ERR_OK) {
        free(c->small);
        free(c);
        return NULL;
    }
    c->o = *o;
    c->number = 1;
    membudget_claim_init(&c->claim, o->budget, on_granted, c);
    (void)uv_timer_init(o->loop, &c->turn); /* cannot fail */
    c->turn.data = c;
    o->stream->on_ready = on_ready;
    o->stream->ctx = c;
    turn_soon(c);
    return c;
}

static void on_closed(uv_handle_t *handle)
{
    struct collector *c = handle->data;

    digest_sha256_release(&c->sha256);
    free(c->small);
    free(c);
}

void collector_stop(struct collector *c)
{
    c->o.stream->on_ready = NULL;
    if (!c->ended)
        stream_stop(c->o.stream);
    want_no_more(c);
}

void collector_close(struct collector *c)
{
    if (!c)
        return;
    collector_stop(c);
    c->closed = true;
    membudget_leave(&c->claim);
    for (struct collector_maker *m = c->makers; m;) {
        struct collector_maker *next = m->next;
        collector_maker_free(m);
        m = next;
    }
    if (c->filling)
        collector_maker_free(c->filling);
    uv_close((uv_handle_t *)&c->turn, on_closed);
}

void collector_release(struct collector *c, struct collector_part *part)
{
    struct collector_maker *m = (struct collector_maker *)part;
    char *memory = m->memory;
    int64_t room = part->room;

    *(m->previous ? &m->previous->next : &c->makers) = m->next;
    if (m->next)
        m->next->previous = m->previous;
    c->out--;
    m->memory = NULL;
    collector_maker_free(m);
    if (!memory)
        return;
    if (needs_memory(c) && c->o.part_len(c->number, c->o.ctx) == room &&
        (c->claim.held == room || !membudget_is_short(c->o.budget))) {
        membudget_forgo(&c->claim);
        c->spare = memory;
        c->granted = room;
    } else {
        (void)munmap(memory, (size_t)room);
        membudget_give(&c->claim, room);
    }
    turn_soon(c);
}

int64_t collector_size(const struct collector *c)
{
    return c->size;
}

const char *collector_sha256(const struct collector *c)
{
    return c->hex;
}

bool collector_is_queued(const struct collector *c)
{
    return c->claim.wanted > 0 && c->number == 1;
}
