/*
 * trouble: the scenario under what is no single failed call.
 *
 *     fd       so few descriptors from the start (each number), and the limit drawn down onto a program that runs; then
 *              it is raised, and all must work again
 *     signal   HUP, USR1, USR2, CHLD, PIPE, WINCH, URG, ALRM at 1 kHz while it works; standard error on /dev/full, and on a full pipe
 *              that nobody reads: uploads and jobs go on
 *     strace   a sample of sites made to fail by the kernel's side (strace -e inject), which reaches what libc calls
 *              within itself
 */
#ifndef HOIST_TESTS_TORTURE_TROUBLE_H
#define HOIST_TESTS_TORTURE_TROUBLE_H

#include "tests/torture/sweep.h"

/* Runs of kind fd, signal or strace; how many were bad, -1 when there is no such kind. */
int trouble_run(struct rig *rig, const struct sweep_options *o);

#endif
