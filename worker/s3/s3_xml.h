/*
 * s3_xml: a bounded reader for the little XML that S3 and its likes send, from untrusted bytes.  Pure.
 *
 *     <ListPartsResult> <Part> <ETag>"abc"</ETag> ... </Part> ... </ListPartsResult>
 *      root, depth 1     2      3     on_text                   on_end (depth 2)
 *
 * One pass, without memory of its own.  White space, a byte order mark and one <?xml ...?> may stand in front (S3 keeps
 * connections alive with white space while it completes an upload).  Refused as not S3's: any "<!" (DOCTYPE, entities,
 * comments, CDATA), tags that do not match, more than S3_XML_DEPTH_MAX levels, a NUL, anything but white space after the
 * root.  An HTML page, JSON or a binary body is therefore refused as a whole.  A body that was cut off is read as far as it
 * goes.
 */
#ifndef HOIST_WORKER_S3_XML_H
#define HOIST_WORKER_S3_XML_H

#include <stdbool.h>
#include <stddef.h>

enum {
    S3_XML_BODY_MAX = 64 * 1024, /* bytes looked at, as if no more had come */
    S3_XML_DEPTH_MAX = 16,       /* elements inside each other */
    S3_XML_NAME_SIZE = 64        /* of the root, with the NUL */
};

/* Bytes of the body. */
struct s3_xml_span {
    const char *at;
    size_t len;
};

/* Told of what is read, in its order; what the reader refuses later may have been told before. */
struct s3_xml_visitor {
    /* The text behind a start tag up to the next tag, which was seen; depth is that of the element, 1 for the root. */
    void (*on_text)(size_t depth, struct s3_xml_span name, struct s3_xml_span text,
                    void *ctx);
    /* An element that was told by on_text has ended; may be NULL. */
    void (*on_end)(size_t depth, struct s3_xml_span name, void *ctx);
    void *ctx;
};

struct s3_xml {
    char root[S3_XML_NAME_SIZE]; /* name of the outermost element */
    bool is_complete;            /* the root's end was seen */
};

/* True when a root element was found and nothing up to the end of the bytes is refused.  False, and *ret all empty,
 * otherwise. */
bool s3_xml_read(const char *body, size_t len, const struct s3_xml_visitor *v,
                 struct s3_xml *ret);

bool s3_xml_is(struct s3_xml_span s, const char *text);
/* Decode a text into ret, which has room for size bytes with the NUL: white space at both ends is cut off; &amp; &lt; &gt;
 * &quot; &apos;, &#34; and &#39; are decoded, other references stay as they stand; control characters become blanks.  False:
 * it was too long, and is cut, never inside a UTF-8 sequence. */
bool s3_xml_copy(struct s3_xml_span s, char *ret, size_t size);

#endif
