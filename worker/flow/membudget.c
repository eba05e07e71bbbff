#include "worker/flow/membudget.h"

#include <assert.h>
#include <stddef.h>

void membudget_init(struct membudget *b, int64_t limit_bytes)
{
    *b = (struct membudget){.limit = limit_bytes};
}

void membudget_claim_init(struct membudget_claim *c, struct membudget *b,
                          void (*granted)(int64_t bytes, void *ctx), void *ctx)
{
    *c = (struct membudget_claim){.budget = b, .granted = granted, .ctx = ctx};
}

static void hold(struct membudget_claim *c, int64_t bytes)
{
    c->held += bytes;
    c->budget->held += bytes;
}

/* Behind all that hold nothing, if it holds something; behind its equals. */
static void enqueue(struct membudget_claim *c)
{
    struct membudget_claim **at = &c->budget->first;

    while (*at && (c->held > 0 || (*at)->held == 0))
        at = &(*at)->next;
    c->next = *at;
    *at = c;
}

static void dequeue(struct membudget_claim *c)
{
    struct membudget_claim **at = &c->budget->first;

    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->next = NULL;
    c->wanted = 0;
}

static void serve(struct membudget *b)
{
    while (b->first && b->first->wanted <= b->limit - b->held) {
        struct membudget_claim *c = b->first;
        int64_t bytes = c->wanted;

        dequeue(c);
        hold(c, bytes);
        c->granted(bytes, c->ctx);
    }
}

bool membudget_take(struct membudget_claim *c, int64_t bytes)
{
    struct membudget *b = c->budget;

    assert(c->wanted == 0 && bytes > 0 && bytes <= b->limit);
    if (b->limit - b->held >= bytes &&
        (!b->first || (c->held == 0 && b->first->held > 0))) {
        hold(c, bytes);
        return true;
    }
    c->wanted = bytes;
    enqueue(c);
    return false;
}

void membudget_give(struct membudget_claim *c, int64_t bytes)
{
    assert(bytes > 0 && bytes <= c->held);
    hold(c, -bytes);
    /* Who waits and now holds nothing has come before those who hold something. */
    if (c->wanted > 0 && c->held == 0) {
        int64_t wanted = c->wanted;

        dequeue(c);
        c->wanted = wanted;
        enqueue(c);
    }
    serve(c->budget);
}

void membudget_forgo(struct membudget_claim *c)
{
    if (c->wanted == 0)
        return;
    dequeue(c);
    serve(c->budget);
}

bool membudget_is_short(const struct membudget *b)
{
    return b->first && b->first->held == 0;
}

void membudget_leave(struct membudget_claim *c)
{
    struct membudget *b = c->budget;

    if (c->wanted > 0)
        dequeue(c);
    hold(c, -c->held);
    serve(b);
}
