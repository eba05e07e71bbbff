/*
 * credentials_url: where a container asks for its keys.  Pure.
 *
 *     AWS_CONTAINER_CREDENTIALS_RELATIVE_URI  /v2/credentials/…  -->  http://169.254.170.2/v2/credentials/…
 *     AWS_CONTAINER_CREDENTIALS_FULL_URI      as it is, but with http only to this machine, or to the addresses at which
 *                                             ECS and EKS answer
 *
 * A token goes there that is worth keys: over http it must not leave the host.  (Amazon's SDKs draw the same line.)
 */
#ifndef HOIST_WORKER_CREDENTIALS_URL_H
#define HOIST_WORKER_CREDENTIALS_URL_H

#include "shared/buf.h"
#include "shared/err.h"

/* The URL of the values of those two variables, of which relative wins; either may be NULL.  ERR_CONFIG: none that may be
 * asked; the text has it without its query. */
MUST_CHECK enum err_code credentials_url_container(const char *relative,
                                                   const char *full, struct buf *ret,
                                                   struct err *e);

/* The path of the role whose name is the first line of what IMDS listed, appended to ret.  ERR_REJECT: it is no name. */
MUST_CHECK enum err_code credentials_url_add_role(const char *listed, size_t len,
                                                  struct buf *ret, struct err *e);

#endif
