/*
 * columns: text in the columns of a terminal.  Pure.
 *
 * A character of UTF-8 is one column, wide ones too.  Nothing here makes text safe to show: that is done where it comes in.
 */
#ifndef HOIST_WORKER_COLUMNS_H
#define HOIST_WORKER_COLUMNS_H

#include "shared/buf.h"

int columns_count(const char *s, size_t len);
/* How much of a text fits into so many columns: whole characters. */
size_t columns_cut(const char *s, size_t len, int columns);

/* Append as much of a text as fits, with blanks behind it, or before it, up to so many columns. */
void columns_add_left(struct buf *b, const char *s, int columns);
void columns_add_right(struct buf *b, const char *s, int columns);

#endif
