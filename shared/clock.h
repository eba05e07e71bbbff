/*
 * clock: what time it is, in milliseconds.
 *
 * Wall time (Unix epoch, UTC) goes into records that people and other machines read; monotonic time measures
 * durations and deadlines, and is never written anywhere.  It stands still while the machine is suspended; boot time does
 * not, and is for what runs out elsewhere meanwhile: leases.  Leases and schedules are decided by Redis' own clock.
 * All calls are thread-safe and cannot fail.
 */
#ifndef HOIST_SHARED_CLOCK_H
#define HOIST_SHARED_CLOCK_H

#include "shared/buf.h"

#include <stdbool.h>
#include <stdint.h>

int64_t clock_wall_ms(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
int64_t clock_boot_ms(void);

/* Append "2026-11-22T14:26:31.123Z" (RFC 3339, UTC).  false when the buf is full. */
bool clock_format_rfc3339(struct buf *b, int64_t wall_ms);

/* Parse an RFC 3339 date-time (any offset; fraction to ms, further digits dropped) of exactly len bytes.
 * false, and *ret_ms untouched, for anything else, years before 1970 and after 9999 included. */
bool clock_parse_rfc3339(const char *s, size_t len, int64_t *ret_ms);

/* Days from 1970-01-01 to a date of the Gregorian calendar, and back; month and day from 1, from year 1 on. */
int64_t clock_days_from_date(int year, int month, int day);
void clock_date_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day);

#endif
