/*
 * idempotency_key: the value of an Idempotency-Key header.  Pure.
 *
 *     Idempotency-Key: "8e03978e-40d5-43dd-bc93-6894a57f9324"    a string (RFC 8941 section 3.3.3), as the IETF's draft has it
 *     Idempotency-Key: 8e03978e-40d5-43dd-bc93-6894a57f9324      bare, as most clients send it; the same key
 *
 * 1 to 255 characters of printable ASCII; bare: no blanks, quotes or commas among them, since two headers that a web server
 * made one have these between them.  Everything else is refused: parameters, bytes of other languages, what comes after the
 * string.
 */
#ifndef HOIST_FCGI_IDEMPOTENCY_KEY_H
#define HOIST_FCGI_IDEMPOTENCY_KEY_H

#include "shared/err.h"

enum { IDEMPOTENCY_KEY_MAX = 255 };

/* ERR_REJECT: it is none; the text says why. */
MUST_CHECK enum err_code idempotency_key_parse(const char *value,
                                               char ret[static IDEMPOTENCY_KEY_MAX + 1],
                                               struct err *e);

#endif
