#include "fcgi-app/publish/publish_tickets.h"

#include <string.h>

void publish_tickets_add(struct publish_tickets *all, struct publish_ticket *t)
{
    t->is_over = false;
    t->next = all->list;
    all->list = t;
}

void publish_tickets_remove(struct publish_tickets *all, struct publish_ticket *t)
{
    struct publish_ticket **at = &all->list;
    while (*at && *at != t)
        at = &(*at)->next;
    if (*at)
        *at = t->next;
    t->is_over = true;
}

bool publish_tickets_hurry(const struct publish_tickets *all)
{
    for (const struct publish_ticket *t = all->list; t; t = t->next)
        if (t->wants_answer && !t->answer.is_known)
            return true;
    return false;
}

bool publish_tickets_wait(const struct publish_tickets *all, int64_t sent)
{
    for (const struct publish_ticket *t = all->list; t; t = t->next)
        if (t->wants_replicas && t->last <= sent)
            return true;
    return false;
}

bool publish_tickets_answer(struct publish_tickets *all, int64_t number,
                            enum queue_answer answer, const char *other)
{
    struct publish_ticket *t = all->list;
    while (t && (t->last != number || !t->wants_answer))
        t = t->next;
    if (!t)
        return false;
    t->answer.is_known = true;
    t->answer.answer = answer;
    memcpy(t->answer.other, other, strnlen(other, sizeof t->answer.other - 1) + 1);
    if (!t->wants_replicas || (answer != QUEUE_OK && answer != QUEUE_EXISTS))
        publish_tickets_remove(all, t);
    return true;
}

void publish_tickets_refuse(struct publish_tickets *all, int64_t number)
{
    all->refused_last = number;
}

void publish_tickets_replicas(struct publish_tickets *all, int64_t sent,
                              const struct waits_answer *a)
{
    for (struct publish_ticket *t = all->list, *next; t; t = next) {
        next = t->next;
        if (t->last > sent)
            continue;
        if (t->first > all->refused_last)
            t->answer.waited = *a;
        publish_tickets_remove(all, t);
    }
}

void publish_tickets_dismiss(struct publish_tickets *all)
{
    while (all->list)
        publish_tickets_remove(all, all->list);
}
