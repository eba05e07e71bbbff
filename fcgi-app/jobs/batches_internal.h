/*
 * batches_internal: what the files of batches share: batches.c (looking, whose they are), batches_open.c (open, close).
 */
#ifndef HOIST_FCGI_BATCHES_INTERNAL_H
#define HOIST_FCGI_BATCHES_INTERNAL_H

#include "fcgi-app/jobs/batches.h"
#include "shared/queue.h"

/* What each configured queue says of a batch, in the order of the configuration. */
struct batches_parts {
    struct redis_value *replies[CONFIG_QUEUES_MAX];
    size_t count;
};

void batches_parts_release(struct batches_parts *p);
MUST_CHECK enum err_code batches_ask(struct exchange *x, const struct uuid *id,
                                     struct batches_parts *ret, struct err *e);
/* False: the queue has none of it (or something edited by hand to what cannot be read). */
bool batches_read_part(const struct batches_parts *p, size_t i,
                       struct queue_batch *ret);

enum problem batches_none(struct err *e);
/* The id in the path, of a batch that the client may see. */
enum problem batches_get_id(struct exchange *x, struct uuid *ret, struct err *e);

#endif
