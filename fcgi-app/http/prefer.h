/*
 * prefer: what a Prefer header wishes (RFC 7240).  Pure.
 *
 *     Prefer: wait=10, return=minimal
 *
 * Of several headers, and of a preference given several times, the first counts (section 2).  What is not known, and what
 * cannot be read, is no wish: a preference never makes an error.
 */
#ifndef HOIST_FCGI_PREFER_H
#define HOIST_FCGI_PREFER_H

#include <stdbool.h>
#include <stdint.h>

struct prefer {
    int64_t wait_seconds; /* -1: not given; at most 999,999,999 */
    bool is_minimal;      /* return=minimal */
    bool return_given;    /* of one kind or the other */
};

#define PREFER_INIT                                                                    \
    {                                                                                  \
        .wait_seconds = -1                                                             \
    }

/* Add what one header says. */
void prefer_parse(const char *value, struct prefer *p);

#endif
