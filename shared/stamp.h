/*
 * stamp: names made by a template, for objects.
 *
 *     db/{yyyy}/{mm}/{dd}/{hh}{mi}.dump   -- at 2026-11-22T02:30:00Z -->   db/2026/11/22/0230.dump
 *
 *     {yyyy} {mm} {dd} {hh} {mi} {ss}   year, month, day, hour, minute, second, in UTC: no time comes twice
 *     {id}                              the uuid of the job
 *   and where the job is known:
 *     {queue} {ext}                     its queue; the extension of the object, with the dot, or nothing
 *     {name} {meta.NAME}                its file name; an entry of its metadata
 *
 * A file name and metadata are what a client wrote: each character that may not stand in a key (job_key_is_safe), and '/',
 * becomes '_', so do dots where there is nothing else, and of more than STAMP_VALUE_MAX bytes the last ones (of a file
 * name: its extension among them) are left.
 *
 * Pure; any thread.
 */
#ifndef HOIST_SHARED_STAMP_H
#define HOIST_SHARED_STAMP_H

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/job.h"

#include <stdint.h>

enum { STAMP_VALUE_MAX = 128 };

struct stamp {
    int64_t ms; /* since 1970, UTC */
    struct uuid id;
    const struct job *job; /* NULL: the words of a job are not known */
    const char *ext;       /* with the dot, or ""; with job */
};

/*
 * Append the name that a template has at a time.
 * ERR_CONFIG  a brace that does not belong to one of these; the text may be shown to whoever wrote the template
 * ERR_REJECT  the job has no such metadata, or an empty one; the text may be shown to whoever made the job
 * ERR_NOMEM   memory is short, or *ret_name holds no more
 */
MUST_CHECK enum err_code stamp_expand(const char *template, const struct stamp *s,
                                      struct buf *ret_name, struct err *e);

#endif
