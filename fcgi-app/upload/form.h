/*
 * form: a multipart/form-data body, streamed from the web server into a batch.
 *
 *     text part      -> option for the files after it (at most [http] max_field_bytes); with none after it: 400
 *     file part      -> one file of the batch
 *     file part without a file name and without a byte: what browsers send for a file input left empty -> ignored
 *
 * Memory: one chunk, one part's headers, one field.
 */
#ifndef HOIST_FCGI_FORM_H
#define HOIST_FCGI_FORM_H

#include "fcgi-app/upload/batch.h"
#include "fcgi-app/upload/options.h"

struct form_source {
    /* What there is, so that a field counts as soon as it is there; 0: the end, or an error. */
    size_t (*read)(void *ctx, void *data, size_t len);
    void *ctx;
    char *chunk; /* chunk_len bytes to read into */
    size_t chunk_len;
    int64_t bytes; /* read so far */
};

/* Read the whole body into b.  The caller then checks that the source ended well, and commits or aborts.
 * PROBLEM_INCOMPLETE: the body ended before its final delimiter. */
enum problem form_read(struct form_source *source, const char *content_type,
                       struct options *o, struct batch *b, struct err *e);

#endif
