/*
 * sniff: the type of a file by its first bytes, through libmagic.  The only module that sees magic.h.
 *
 *     sniffer_open(max)  ->  sniffer_look(first bytes) ...  ->  sniffer_close
 *
 * libmagic's handle is of one thread at a time, takes some milliseconds to load and some hundred kilobytes: a struct sniffer keeps
 * at most max of them, loaded when they are first needed at the same time, whatever the number of threads.
 *
 * libmagic reads hostile bytes.  It sees SNIFF_BYTES of a file and no more, in memory, never a descriptor; what opens,
 * unpacks or walks structures is off (compressed files, tar, OLE, ELF, JSON, CSV, text encodings), what is left runs with limits
 * on recursion, on named rules and on regular expressions.
 *     Hence JSON and CSV are text/plain, and old Office files what their first bytes say, not which program wrote them.
 *
 * Built without libmagic (CMake: HOIST_MAGIC) there is no sniffer, and sniffer_open says so.
 */
#ifndef HOIST_FCGI_SNIFF_H
#define HOIST_FCGI_SNIFF_H

#include "shared/err.h"

#include <stddef.h>

enum { SNIFF_BYTES = 4096, SNIFF_TYPE_SIZE = 128 };

struct sniffer; /* thread-safe */

/* Loads the first handle, so that a missing database shows here.
 * ERR_CONFIG: there is no libmagic, or its database cannot be read.  ERR_NOMEM. */
MUST_CHECK enum err_code sniffer_open(size_t max, struct sniffer **ret_sniffer,
                                      struct err *e);
void sniffer_close(struct sniffer *s); /* takes NULL */

/* The type of what begins with these bytes, at most SNIFF_BYTES count: "image/png"; "application/octet-stream" when it is
 * nothing known.  Waits while all handles are in use, which takes as long as a look, under a millisecond.
 * ERR_RETRY: libmagic failed, as without memory. */
MUST_CHECK enum err_code sniffer_look(struct sniffer *s, const void *data, size_t len,
                                      char ret_type[SNIFF_TYPE_SIZE], struct err *e);

#endif
