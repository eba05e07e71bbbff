#include "fcgi-app/events/watches.h"

#include <stdlib.h>
#include <string.h>

bool watches_init(struct watches *w, size_t max)
{
    *w = (struct watches){.max = max, .bucket_count = 64};
    while (w->bucket_count < max)
        w->bucket_count *= 2;
    w->buckets = calloc(w->bucket_count, sizeof(struct watch *));
    w->list = calloc(max + 1, sizeof(struct watch *));
    return w->buckets && w->list;
}

static void free_watch(struct watch *one)
{
    job_release(&one->job);
    free(one);
}

void watches_release(struct watches *w)
{
    for (size_t i = 0; i < w->count; i++)
        free_watch(w->list[i]);
    free(w->list);
    free(w->buckets);
    *w = (struct watches){.count = 0};
}

static struct watch **bucket_of(const struct watches *w, const char *uuid)
{
    char id[SSE_ID_SIZE];
    sse_make_id(uuid, strlen(uuid), id);
    return &w->buckets[strtoull(id, NULL, 16) & (w->bucket_count - 1)];
}

struct watch *watches_find(const struct watches *w, const char *queue, const char *uuid)
{
    struct watch *one = *bucket_of(w, uuid);
    while (one && (strcmp(one->job.id.uuid.text, uuid) != 0 ||
                   strcmp(one->job.id.queue, queue) != 0))
        one = one->bucket_next;
    return one;
}

struct watch *watches_get(struct watches *w, struct job *job)
{
    struct watch *one = watches_find(w, job->id.queue, job->id.uuid.text);
    if (one || w->count == w->max || !(one = calloc(1, sizeof *one)))
        return one;
    struct watch **bucket = bucket_of(w, job->id.uuid.text);
    one->job = *job;
    *job = (struct job)JOB_INIT;
    one->bucket_next = *bucket;
    *bucket = one;
    one->place = w->count;
    w->list[w->count++] = one;
    w->running += one->job.state == JOB_RUNNING;
    watches_hurry(w, one);
    return one;
}

void watches_set_job(struct watches *w, struct watch *one, struct job *job)
{
    w->running -= one->job.state == JOB_RUNNING;
    job_release(&one->job);
    one->job = *job;
    *job = (struct job)JOB_INIT;
    w->running += one->job.state == JOB_RUNNING;
}

static void leave_urgent(struct watches *w, const struct watch *one)
{
    struct watch *before = NULL;
    for (struct watch *i = w->urgent_first; i != one; i = i->urgent_next)
        before = i;
    if (before)
        before->urgent_next = one->urgent_next;
    else
        w->urgent_first = one->urgent_next;
    if (w->urgent_last == one)
        w->urgent_last = before;
}

void watches_remove(struct watches *w, struct watch *one)
{
    struct watch **at = bucket_of(w, one->job.id.uuid.text);
    while (*at != one)
        at = &(*at)->bucket_next;
    *at = one->bucket_next;
    if (one->is_urgent)
        leave_urgent(w, one);
    w->list[one->place] = w->list[--w->count];
    w->list[one->place]->place = one->place;
    w->running -= one->job.state == JOB_RUNNING;
    free_watch(one);
}

void watches_hurry(struct watches *w, struct watch *one)
{
    if (one->is_urgent)
        return;
    one->is_urgent = true;
    one->urgent_next = NULL;
    if (w->urgent_last)
        w->urgent_last->urgent_next = one;
    else
        w->urgent_first = one;
    w->urgent_last = one;
}

struct watch *watches_next(struct watches *w)
{
    struct watch *one = w->urgent_first;
    if (!one)
        return NULL;
    w->urgent_first = one->urgent_next;
    if (!w->urgent_first)
        w->urgent_last = NULL;
    one->is_urgent = false;
    return one;
}
