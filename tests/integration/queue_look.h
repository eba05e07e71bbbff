/*
 * queue_look: what stands in the Redis of queue_harness, and how to edit it by hand as an operator would with redis-cli.
 *
 * All are about queue "q"; a call that cannot be made fails the test.
 */
#ifndef HOIST_TESTS_INTEGRATION_QUEUE_LOOK_H
#define HOIST_TESTS_INTEGRATION_QUEUE_LOOK_H

#include "shared/id.h"

struct tmp_key {
    char text[128];
};
struct tmp_key key_of(const struct job_id *id);
struct tmp_key field(const struct job_id *id,
                     const char *name); /* value of a field, "" for none */
bool field_is(const struct job_id *id, const char *name, const char *want);
void set_field(const struct job_id *id, const char *name, const char *value);
/* Whether the set "hoist:{q}:name" has it. */
bool is_in(const char *name, const struct job_id *id);
int64_t card(const char *name);
/* Whether a line, a set whose members are ids or end in ":id", has it once. */
bool stands_in_line(const char *line, const struct job_id *id);
/* "worker:token" or "worker:token:ms", "" for none. */
struct tmp_key owner_of(const struct job_id *id);
bool has_owner(const struct job_id *id);
bool has_begun(const struct job_id *id);
/* Let its lease, or its due time, be past. */
void expire(const struct job_id *id);
void make_due(const struct job_id *id);
bool same(const struct job_id *a, const struct job_id *b);
/* It is in exactly this one of ready, later, leased, dead, done, grouped, behind; and its record says this state, but for
 * "running", which its owner says. */
bool stands(const struct job_id *id, const char *set, const char *state);
/* Run a command, throw the reply away. */
void edit(const char *arg, ...) __attribute__((sentinel));

#endif
