/*
 * utf8: the characters of text of untrusted origin (RFC 3629).  Pure; any thread.
 *
 *     while (len > 0) {
 *         size_t n = utf8_decode(s, len, &point);
 *         if (n == 0)
 *             ...                                 no character starts here: skip, or replace, one byte
 */
#ifndef HOIST_SHARED_UTF8_H
#define HOIST_SHARED_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD, stands for what is no character */

/*
 * The character at s (len > 0): how many bytes it has, 1 to 4, and which it is.  0 where there is none, *ret_point
 * untouched: a lone or missing continuation byte, one cut off by the end, an overlong form, a surrogate, or more than
 * U+10FFFF.
 */
size_t utf8_decode(const char *s, size_t len, uint32_t *ret_point);

/*
 * The length of s without the character that its end cuts off; len where it cuts none.  For text that was cut to a
 * number of bytes.  What is not UTF-8 stays as it is.
 */
size_t utf8_whole(const char *s, size_t len);

#endif
