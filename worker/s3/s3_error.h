/*
 * s3_error: what an S3 answer's XML says, from untrusted bytes.
 *
 *     <?xml version="1.0"?>
 *     <Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message>...</Error>
 *      root   code                    message
 *
 * Read by s3_xml.h, whose limits hold.
 *
 * S3 answers 200 to CompleteMultipartUpload and CopyObject, and then may put an <Error> into the body: such an answer
 * is a success only when `root` is what was asked for and `is_complete`.
 */
#ifndef HOIST_WORKER_S3_ERROR_H
#define HOIST_WORKER_S3_ERROR_H

#include "worker/s3/s3_xml.h"

enum {
    S3_ERROR_BODY_MAX = S3_XML_BODY_MAX,
    S3_ERROR_DEPTH_MAX = S3_XML_DEPTH_MAX,
    S3_ERROR_CODE_SIZE = S3_XML_NAME_SIZE, /* with the NUL */
    S3_ERROR_MESSAGE_SIZE = 200,           /* with the NUL */
};

/*
 * Code and Message are the first direct children of the root with these names; "" when there are none.  They are decoded as
 * s3_xml_copy does.  A text whose end did not arrive
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
