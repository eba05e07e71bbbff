#include "shared/redis_async_internal.h"

#include <stdio.h>
#include <stdlib.h>

void request_push(struct request_list *l, struct request *q)
{
    q->next = NULL;
    if (l->tail)
        l->tail->next = q;
    else
        l->head = q;
    l->tail = q;
    l->count++;
}

struct request *request_pop(struct request_list *l)
{
    struct request *q = l->head;

    if (!q)
        return NULL;
    l->head = q->next;
    if (!l->head)
        l->tail = NULL;
    l->count--;
    return q;
}

/* Memory that one has had is there for the next, first of all. */
void request_free(struct redis_async *r, struct request *q)
{
    redis_cmd_release(&q->again);
    redis_reply_free(q->reply);
    if (r->spare.count >= REDIS_ASYNC_SPARE) {
        free(q);
        return;
    }
    *q = (struct request){.next = NULL};
    request_push(&r->spare, q);
}

bool request_spare(struct redis_async *r)
{
    while (r->spare.count < REDIS_ASYNC_SPARE) {
        struct request *q = calloc(1, sizeof *q);
        if (!q)
            return false;
        request_push(&r->spare, q);
    }
    return true;
}

void request_spare_release(struct redis_async *r)
{
    struct request *q;

    while ((q = request_pop(&r->spare)))
        free(q);
}

/* A callback that is owed cannot be forgotten: without memory for it nothing right can follow. */
struct request *request_new(struct redis_async *r, enum request_kind kind)
{
    struct request *q = calloc(1, sizeof *q);

    if (!q && !(q = request_pop(&r->spare))) {
        fputs("redis_async: no memory for a request\n", stderr);
        abort();
    }
    q->next = NULL;
    redis_cmd_init(&q->again);
    q->kind = kind;
    return q;
}
