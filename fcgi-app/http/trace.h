/*
 * trace: where a request belongs in a distributed trace: traceparent and tracestate (W3C Trace Context).  Pure.
 *
 *     traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
 *
 * They are checked and kept as they came; no span of our own is added.  A traceparent that is wrong is as if there were
 * none, and so then is the tracestate (section 3.2); a tracestate that is wrong goes alone (section 3.3).  Of a version
 * above 00 what this one knows is checked, and more may follow behind a '-', up to JOB_TRACEPARENT_MAX.
 */
#ifndef HOIST_FCGI_TRACE_H
#define HOIST_FCGI_TRACE_H

#include <stdbool.h>

enum { TRACE_MEMBERS_MAX = 32, TRACE_ID_AT = 3, TRACE_ID_LEN = 32 };

/* An X-Request-Id that may go into logs, records and answers as it is: 1 to 128 of A-Z a-z 0-9 . _ : / + = @ - */
bool trace_request_id_is_sane(const char *value);

/* VERSION-TRACE-PARENT-FLAGS in lower-case hex, version not ff, ids not all 0. */
bool trace_parent_is_valid(const char *value);
/* Up to 32 members KEY=VALUE of different keys, up to 512 bytes; empty members are allowed, an empty list is not. */
bool trace_state_is_valid(const char *value);

#endif
