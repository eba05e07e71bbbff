/*
 * units: the parsers and encoders, with each of their allocations failing.  Plain, in one process: torture_units starts
 * itself again behind the preload, which then counts what it allocates and fails what it is told to.
 *
 * A case does its work from beginning to end, releases everything, and says how it went:
 *
 *     UNIT_DONE      it worked; what it made stands in ret, and must be what it is without a failure
 *     UNIT_REFUSED   it failed and said that this is our trouble, for now (ERR_NOMEM, ERR_RETRY, a 5xx, a failed buf)
 *     UNIT_BLAMED    it failed and blamed its input: a job would be dead, or a client told 400, for want of memory
 */
#ifndef HOIST_TESTS_TORTURE_UNITS_H
#define HOIST_TESTS_TORTURE_UNITS_H

#include <stddef.h>

enum unit_end { UNIT_DONE, UNIT_REFUSED, UNIT_BLAMED };
enum { UNIT_TEXT = 8192 };

struct unit_case {
    const char *name;
    enum unit_end (*run)(char ret[static UNIT_TEXT]);
};

/* Both end with a case whose name is NULL. */
extern const struct unit_case units_of_shared[], units_of_programs[];

#endif
