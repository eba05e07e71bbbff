/*
 * s3_error: what an S3 answer's XML says, from untrusted bytes.
 *
 *     <?xml version="1.0"?>
 *     <Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message>...</Error>
 *      root   code                    message
 *
 * A bounded reader for the little XML that S3 and its likes send, in one pass and without memory of its own.  White
 * space, a byte order mark and one <?xml ...?> may stand in front (S3 keeps connections alive with white space while it
 * completes an upload).  Refused as not S3's: any "<!" (DOCTYPE, entities, comments, CDATA), tags that do not match,
 * more than S3_ERROR_DEPTH_MAX levels, a NUL, anything but white space after the root.  An HTML page, JSON or a
 * binary body is therefore refused as a whole.
 *
 * S3 answers 200 to CompleteMultipartUpload and CopyObject, and then may put an <Error> into the body: such an answer
 * is a success only when `root` is what was asked for and `is_complete`.
 */
#ifndef HOIST_WORKER_S3_ERROR_H
#define HOIST_WORKER_S3_ERROR_H

#include <stdbool.h>
#include <stddef.h>

enum {
    S3_ERROR_BODY_MAX = 64 * 1024, /* bytes looked at, as if no more had come */
    S3_ERROR_DEPTH_MAX = 16,       /* elements inside each other */
    S3_ERROR_CODE_SIZE = 64,       /* with the NUL */
    S3_ERROR_MESSAGE_SIZE = 200,   /* with the NUL */
};

/*
 * Code and Message are the first direct children of the root with these names; "" when there are none.  White space
 * at both ends is cut off; &amp; &lt; &gt; &quot; &apos; are decoded, other references stay as they stand; control
 * characters become blanks.  What is too long is cut, never inside a UTF-8 sequence.  A text whose end did not arrive
 * is "".  All else is as the sender wrote it: escape before printing.
 */
struct s3_error {
    char root[S3_ERROR_CODE_SIZE];       /* name of the outermost element */
    char code[S3_ERROR_CODE_SIZE];       /* "NoSuchBucket" */
    char message[S3_ERROR_MESSAGE_SIZE]; /* for people */
    bool is_error;                       /* root is "Error" */
    bool is_complete;                    /* the root's end was seen */
};

/*
 * Read a body.  True when a root element was found and nothing up to the end of the bytes is refused; a body that was
 * cut off is read as far as it goes (is_complete is then false).  False, and *ret all empty, otherwise.
 */
bool s3_error_parse(const char *body, size_t len, struct s3_error *ret);

#endif
