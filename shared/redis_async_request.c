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

void request_free(struct request *q)
{
    redis_cmd_release(&q->again);
    redis_reply_free(q->reply);
    free(q);
}

/* A callback that is owed cannot be forgotten: without memory for it nothing right can follow. */
struct request *request_new(enum request_kind kind)
{
    struct request *q = calloc(1, sizeof *q);

    if (!q) {
        fputs("redis_async: no memory for a request\n", stderr);
        abort();
    }
    redis_cmd_init(&q->again);
    q->kind = kind;
    return q;
}
