/*
 * s3_meta: user metadata as it travels in the headers x-amz-meta-NAME.  Pure.
 *
 * Printable ASCII stays, single blanks inside too; every other byte, and '%', stands as %XX.  S3 takes 2 KiB of it: names and
 * values together, as they travel, and some stores count the x-amz-meta- as well; so do we.
 */
#ifndef HOIST_SHARED_S3_META_H
#define HOIST_SHARED_S3_META_H

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/job.h"

#include <stddef.h>

#define S3_META_PREFIX "x-amz-meta-"

enum { S3_META_BYTES = 2048 };

/* Append a value as it travels. */
void s3_meta_add_value(struct buf *b, const char *value);
/* What an entry counts: its name with the prefix, and its value as it travels. */
size_t s3_meta_bytes(const char *name, const char *value);

/* ERR_REJECT: the job's metadata are more than S3 takes; the text is for whoever made the job. */
MUST_CHECK enum err_code s3_meta_check(const struct job *j, struct err *e);

#endif
