/*
 * process_figures: what every program of ours tells of itself: build, start, processor time, memory.
 *
 * They are not called process_…, as client libraries do, since node_exporter has metrics of these names, of itself, beside
 * those that it reads from files.
 */
#ifndef HOIST_SHARED_PROCESS_FIGURES_H
#define HOIST_SHARED_PROCESS_FIGURES_H

#include "shared/exposition.h"

/* Any thread; a few system calls.  What the kernel does not tell is left out. */
void process_figures_write(const char *program, struct exposition *x);

#endif
