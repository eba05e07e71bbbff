/*
 * destinations: every configured destination, opened once, found by name.
 *
 * A destination that cannot be used yet (directory missing, no rights) is logged and kept: its jobs fail with class
 * config and are tried again, so mending it needs no restart.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_DESTINATIONS_H
#define HOIST_WORKER_DESTINATIONS_H

#include "worker/dest/destination.h"
#include "worker/env.h"
#include "worker/flow/flow.h"

struct destinations;

MUST_CHECK enum err_code destinations_open(const struct worker_env *env,
                                           struct destinations **ret, struct err *e);
/* No run may be under way.  Its handles close on later turns of the loop.  Takes NULL. */
void destinations_close(struct destinations *d);

/* Of a list of names (to_list.h) what stands for all of them.  NULL when none has this name, or one of these. */
struct destination *destinations_find(const struct destinations *d, const char *name);
/* What holds it up; NULL when none has this name, or nothing does. */
struct flow *destinations_flow(const struct destinations *d, const char *name);
/* Of all of them. */
struct flows *destinations_flows(const struct destinations *d);
/* Where a file with the bytes of this job goes: its destination, by way of its converters if it has any. */
struct destination *destinations_sink(const struct destinations *d,
                                      const struct job *job);
/* Where the work of this job goes: its destination, by way of what makes its bytes where they are not in the spool. */
struct destination *destinations_route(const struct destinations *d,
                                       const struct job *job);

#endif
