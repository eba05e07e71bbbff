/*
 * preload: how the wrappers of the preloaded library ask whether the call at hand shall fail.
 *
 * The library stands before libc (LD_PRELOAD) and wraps what the programs and their libraries (libcurl, libuv,
 * hiredis, OpenSSL) call by name.  It does not see what libc calls within itself (getaddrinfo, opendir, stdio): that is
 * what the runs under strace are for.  Without HOIST_TORTURE_FILE it only passes calls on.
 * Any thread; nothing in here allocates once it is loaded.
 */
#ifndef HOIST_TESTS_TORTURE_PRELOAD_H
#define HOIST_TESTS_TORTURE_PRELOAD_H

/* Its inline functions bear the names that are wrapped here.  Hence this header comes first. */
#undef _FORTIFY_SOURCE

#include "tests/torture/control.h"

#include <stdbool.h>
#include <stddef.h>

/* Count this call and tell what shall become of it; from is the address it returns to.  Does not return for a kill.  For
 * TORTURE_ERROR errno is set. */
enum torture_action torture_ask(enum torture_call call, const void *from);
/* The same for calls that can only fail. */
bool torture_fails(enum torture_call call, const void *from);
/* The same for reading and writing len bytes of fd: false is to fail, else *len is how many to ask for. */
bool torture_cuts(enum torture_call call, const void *from, int fd, size_t *len);

/* A sync of this file has been failed: lose its bytes, where the error is EIO. */
void torture_lose(int fd);

/* An allocation more or less. */
void torture_live(int more);

/* The next definition of this name into *ret, which is a pointer to a function. */
void torture_find(const char *name, void *ret);

#define FROM __builtin_return_address(0)
/* `next` is the real one. */
#define NEXT(function)                                                                 \
    static __typeof__(&function) next;                                                 \
    if (!next)                                                                         \
    torture_find(#function, &next)

#endif
