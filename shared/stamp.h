/*
 * stamp: names with a time in them, for the objects of a schedule.
 *
 *     db/{yyyy}/{mm}/{dd}/{hh}{mi}.dump   -- at 2026-11-22T02:30:00Z -->   db/2026/11/22/0230.dump
 *
 *     {yyyy} {mm} {dd} {hh} {mi} {ss}   year, month, day, hour, minute, second, in UTC: no time comes twice
 *     {id}                              the uuid of the job
 *
 * Pure; any thread.
 */
#ifndef HOIST_SHARED_STAMP_H
#define HOIST_SHARED_STAMP_H

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/id.h"

#include <stdint.h>

struct stamp {
    int64_t ms; /* since 1970, UTC */
    struct uuid id;
};

/*
 * Append the name that a template has at a time.
 * ERR_CONFIG  a brace that does not belong to one of these; the text may be shown to whoever wrote the template
 * ERR_NOMEM   memory is short, or *ret_name holds no more
 */
MUST_CHECK enum err_code stamp_expand(const char *template, const struct stamp *s,
                                      struct buf *ret_name, struct err *e);

#endif
