/*
 * tz_internal: the rule of a time zone, between the files of tz (tz.c, tz_parse.c, tz_rule.c).  Pure.
 *
 *     "CET-1CEST,M3.5.0,M10.5.0/3"  -- tz_rule_parse -->  struct tz_rule  -- tz_rule_span -->  offset, from, to
 *
 * The text is the TZ variable of POSIX, with what RFC 9636 section 3.3.1 adds: times of day from -167 to 167 hours.
 * POSIX counts offsets westward; here they are eastward, as everywhere else.
 */
#ifndef HOIST_SHARED_TZ_INTERNAL_H
#define HOIST_SHARED_TZ_INTERNAL_H

#include "shared/tz.h"

/* Parse exactly len bytes.  false, *ret_rule untouched, for anything else; a name for daylight saving time must have
 * its two dates. */
bool tz_rule_parse(const char *s, size_t len, struct tz_rule *ret_rule);

/* The span around an instant within TZ_FIRST_S and TZ_END_S, as if the rule had always held.  before_s is not set. */
struct tz_span tz_rule_span(const struct tz_rule *rule, int64_t utc_s);

#endif
