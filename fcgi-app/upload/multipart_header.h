/*
 * multipart_header: the header lines of one part of a form.  Pure.
 *
 * Of the headers these are read, the others ignored:
 *     Content-Disposition: form-data; name="field"; filename="a.txt"     (RFC 7578 section 4.2)
 *     Content-Type: image/png                                          (section 4.4)
 *     Content-MD5, Content-Digest, Repr-Digest: of the part's data     (http_digest.h)
 *     Content-Transfer-Encoding: 7bit | 8bit | binary                  (section 4.7: deprecated, nothing to decode)
 */
#ifndef HOIST_FCGI_MULTIPART_HEADER_H
#define HOIST_FCGI_MULTIPART_HEADER_H

#include "fcgi-app/upload/multipart.h"

/* Read one line (no CRLF, len > 0) into *part; *seen collects which headers came.  Returns NULL, or what is wrong
 * with it as a static text. */
const char *multipart_header_parse(const char *line, size_t len,
                                   struct multipart_part *part, unsigned *seen);

/* After the last line: NULL, or what is missing. */
const char *multipart_header_check(unsigned seen);

/* The filename of a request's own Content-Disposition (RFC 6266: any type, `filename=` only), appended to *ret.  False
 * when there is none, or the header is broken; *ret may then hold part of it. */
bool multipart_header_filename(const char *value, size_t len, struct buf *ret);

#endif
