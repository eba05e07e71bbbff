/*
 * queue_classes: how many attempts of a queue have failed, and how many jobs have died, by the class of their error.
 *
 *     hoist:{Q}:stats   failed 12  failed_transient 9  failed_config 2   dead 3  dead_never 1  dead_crashed 1
 *                       '------- with a class that is not listed: 1 -'
 *
 * The scripts count (lib_record.lua has the same list of classes), so that the numbers survive every restart of ours.  What
 * was counted before there were classes, and what has a class that is not listed, is `other`.
 */
#ifndef HOIST_SHARED_QUEUE_CLASSES_H
#define HOIST_SHARED_QUEUE_CLASSES_H

#include "shared/queue.h"

enum { QUEUE_CLASSES = 14 };

/* The last one is "other". */
extern const char *const queue_class_names[QUEUE_CLASSES];

struct queue_classes {
    int64_t failed[QUEUE_CLASSES], dead[QUEUE_CLASSES];
};

/* As queue_status_cmd, and the classes with it: still one read-only call, O(log n). */
void queue_classes_cmd(struct redis_cmd *c, const char *queue);
/* Its reply is also queue_parse_status's, which gives s. */
void queue_parse_classes(const struct redis_value *v, const struct queue_status *s,
                         struct queue_classes *ret);

#endif
