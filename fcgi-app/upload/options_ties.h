/*
 * options_ties: the options that tie a job to others: its group, its parent, its unique key, its batch.  Pure.
 *
 *     group          [A-Za-z0-9][A-Za-z0-9._-]{0,63}      one after the other within it
 *     after          QUEUE.UUID, a job of the same queue that must end first
 *     after_failure  cancel | run                         when that one ends dead or cancelled
 *     unique         1 .. 128 graphic ASCII               no other job with this key
 *     unique_until   start | done                         how long the key is held
 *     unique_window  seconds, up to a year                and so much longer after done
 *     batch          uuid of a batch that was opened
 *
 * Each setter takes the value as the client sent it and answers PROBLEM_NONE, PROBLEM_BAD_VALUE with what is allowed, or
 * PROBLEM_INTERNAL (no memory).  What has no sense but together is checked by options_check_ties, once all are known:
 * form fields come in any order.
 */
#ifndef HOIST_FCGI_OPTIONS_TIES_H
#define HOIST_FCGI_OPTIONS_TIES_H

#include "fcgi-app/upload/options.h"

typedef enum problem options_setter(struct options *o, const struct request_text *v,
                                    struct err *e);

options_setter options_set_group;
options_setter options_set_after;
options_setter options_set_after_failure;
options_setter options_set_unique;
options_setter options_set_unique_until;
options_setter options_set_unique_window;
options_setter options_set_batch;

/* A parent of another queue, after_failure without after, unique_until or unique_window without unique, a window after
 * a key that is given up at the start. */
enum problem options_check_ties(const struct options *o, struct err *e);

/* A number of digits alone, up to max. */
bool options_parse_number(const struct request_text *v, int64_t max, int64_t *ret);

#endif
