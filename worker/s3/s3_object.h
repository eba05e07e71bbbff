/*
 * s3_object: texts of the headers that an object is made with.  Pure.
 *
 *     attachment; {name}   +  "Grüße.txt"   -->   attachment; filename="Gr__e.txt"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt
 *     team=a b&kind=x+y                     -->   team=a%20b&kind=x%2By
 */
#ifndef HOIST_WORKER_S3_OBJECT_H
#define HOIST_WORKER_S3_OBJECT_H

#include "shared/buf.h"

/*
 * Append a Content-Disposition in which each {name} stands for a file name (UTF-8): as filename="..." where that is plain, else
 * with '_' for each character that is not, and as filename*= behind it (RFC 6266, appendix D; RFC 8187).
 */
void s3_object_add_disposition(struct buf *b, const char *template, const char *name);

/* Append tags as x-amz-tagging takes them: NAME=VALUE&NAME=VALUE, each encoded as in a query. */
void s3_object_add_tags(struct buf *b, const char *tags);

#endif
