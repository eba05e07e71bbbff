/*
 * metrics: a worker's figures for Prometheus: over HTTP ([worker] metrics_listen), in a file (metrics_file), in both or
 * neither.
 *
 *     transfers, destinations, redis, tally --metrics_text--> listen (scrapers on this machine) | file (node_exporter)
 *
 * All of it is in memory: an answer costs no command to Redis and no look at the disk.  Samples of the file have a label
 * worker, the file's name without ".prom", so that several workers' files can be read together; those over HTTP have none,
 * since the scraper knows whom it asked.  Belongs to the loop's thread.
 */
#ifndef HOIST_WORKER_METRICS_H
#define HOIST_WORKER_METRICS_H

#include "worker/alive.h"
#include "worker/dest/destinations.h"
#include "worker/env.h"
#include "worker/transfer.h"

struct metrics;

struct metrics_parts { /* what is looked at; must outlive metrics_close */
    const struct worker_env *env;
    const struct transfers *transfers;
    const struct destinations *destinations;
    const struct alive *alive;
};

/* ERR_CONFIG: it cannot listen where it is to; ERR_NOMEM. */
MUST_CHECK enum err_code metrics_open(const struct metrics_parts *parts,
                                      struct metrics **ret, struct err *e);
/* Handles close on later turns of the loop, without a look at the parts.  Takes NULL. */
void metrics_close(struct metrics *m);

#endif
