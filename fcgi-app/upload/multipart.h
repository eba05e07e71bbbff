/*
 * multipart: multipart/form-data (RFC 7578, RFC 2046 section 5.1), parsed as it streams by.  Pure: bytes in, events out.
 *
 *     preamble  --B  headers, blank line  data  CRLF--B  headers ...  CRLF--B--  epilogue
 *     (dropped)      '--- PART ---------' DATA* PART_END                   END   (dropped)
 *
 *     multipart_feed(&m, chunk, len);
 *     while ((event = multipart_next(&m)) != MULTIPART_MORE)
 *         ...                                   BAD ends it: m.error says why
 *     at the end of the body: multipart_is_complete(&m)
 *
 * Guarantees
 *   - How the body is split into chunks never matters: the events are the same but for where DATA is cut.
 *   - Linear: a CR stands only at the start of the delimiter "CRLF--boundary", so no byte is looked at more than twice,
 *     whatever the body (m.work counts them, for the test of this sentence).  Data is searched, never walked through:
 *     tests/bench/multipart has the speeds.
 *   - Memory is bounded by limits.header_bytes; data is never copied: DATA points into the chunk, or into the delimiter
 *     where a few bytes that looked like one turned out to be data.
 *
 * What is refused rather than guessed at: line ends other than CRLF; folded, nameless or duplicate headers; NUL and
 * controls in headers; a part without `Content-Disposition: form-data; name=`; name or filename given twice; nested
 * multipart; a Content-Transfer-Encoding that would need decoding; anything but CRLF or "--" after a delimiter.
 * `filename*` is ignored (RFC 7578 section 4.2 forbids it).  In quoted names, browsers' %22 %0D %0A and the older
 * \" and \\ are decoded; every other % and \ is kept.
 *
 * A struct multipart belongs to one thread.
 */
#ifndef HOIST_FCGI_MULTIPART_H
#define HOIST_FCGI_MULTIPART_H

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/http_digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MULTIPART_BOUNDARY_MAX = 70 /* RFC 2046 section 5.1.1 */ };

enum multipart_event {
    MULTIPART_MORE, /* the chunk is used up: feed the next */
    MULTIPART_PART, /* m.part is filled */
    MULTIPART_DATA, /* m.data, m.data_len: the next bytes of the part, at least one */
    MULTIPART_PART_END, /* the part is complete */
    MULTIPART_END,      /* the final delimiter was seen; given once */
    MULTIPART_BAD       /* see error and over_limit; nothing more will come */
};

struct multipart_limits {
    size_t parts;         /* of one body */
    size_t header_bytes;  /* of one part */
    size_t headers;       /* lines of one part */
    size_t outside_bytes; /* of the preamble, and of the epilogue */
};

/* The headers of one part; valid until the next MULTIPART_PART. */
struct multipart_part {
    struct buf name;           /* of the form field, decoded; any bytes but NUL */
    struct buf filename;       /* decoded; empty when none */
    struct buf type;           /* media type as sent; empty when none */
    struct http_digest digest; /* Content-MD5, Content-Digest, Repr-Digest of it */
    bool has_filename;         /* it is a file, even if filename is empty */
};

struct multipart {
    struct multipart_part part;
    const char *data;
    size_t data_len;
    const char *error; /* static text */
    bool over_limit;   /* the error is a limit, not a mistake: 413 rather than 400 */
    bool no_memory;    /* the error is ours: 500 */
    uint64_t work;     /* bytes looked at */

    /* Private. */
    struct multipart_limits limits;
    char delimiter[4 + MULTIPART_BOUNDARY_MAX]; /* CRLF "--" boundary */
    size_t delimiter_len;
    int state;
    const char *in; /* what is left of the chunk */
    size_t in_len;
    size_t held;   /* bytes of the delimiter matched at the end of the last chunk */
    size_t resume; /* of those, what is not data, should it be no delimiter */
    struct buf line;
    size_t part_count, header_count, header_bytes, outside;
    unsigned seen; /* headers of this part */
};

/* Take the boundary out of a Content-Type value of len bytes.
 * ERR_OK      *ret_boundary points into s
 * ERR_REJECT  not multipart/form-data, or its boundary is missing, given twice, empty, too long or not made of RFC 2046
 *             bchars */
MUST_CHECK enum err_code multipart_parse_boundary(const char *s, size_t len,
                                                  const char **ret_boundary,
                                                  size_t *ret_len, struct err *e);

/* The boundary must come from multipart_parse_boundary. */
void multipart_init(struct multipart *m, const char *boundary, size_t len,
                    const struct multipart_limits *limits);
void multipart_release(struct multipart *m);

/* The last chunk must have been used up (MULTIPART_MORE).  It must stay where it is until this one is. */
void multipart_feed(struct multipart *m, const char *chunk, size_t len);
enum multipart_event multipart_next(struct multipart *m);
/* Whether the final delimiter has been seen. */
bool multipart_is_complete(const struct multipart *m);

#endif
