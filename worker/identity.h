/*
 * identity: the name of this worker among all that share a Redis.
 */
#ifndef HOIST_WORKER_IDENTITY_H
#define HOIST_WORKER_IDENTITY_H

#include "shared/queue.h"

/*
 * The configured name, or host-pid-xxxx with four random hex digits (two containers may share host name and pid).
 * Characters outside [A-Za-z0-9._-] become '-'; the host is cut so that the rest fits.
 */
void identity_format(const char *configured, const char *host, long pid,
                     char ret_id[static QUEUE_WORKER_ID_MAX + 1]);

#endif
