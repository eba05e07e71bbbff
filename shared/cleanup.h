/*
 * cleanup: ownership that shows at the declaration.
 *
 *     CLEANUP(buf_release) struct buf b = BUF_INIT(4096);      a value: release(&b) at the end of its scope
 *     CLEANUP(fd_close) int fd = open(...);                    a descriptor
 *     CLEANUP(str_free) char *s = strdup(...);                 a pointer, through DEFINE_CLEANUP
 *     return TAKE(s);                                          hands the pointer over: s is NULL afterwards
 *
 * Used in functions with more than one exit.  Never together with a `goto out` in one function.
 */
#ifndef HOIST_SHARED_CLEANUP_H
#define HOIST_SHARED_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

/* Define `name(type *)`, which calls function(*p) when *p is not NULL. */
#define DEFINE_CLEANUP(type, name, function)                                           \
    static inline void name(type *p)                                                   \
    {                                                                                  \
        if (*p)                                                                        \
            function(*p);                                                              \
    }

/* Hand a pointer over to the caller. */
#define TAKE(p)                                                                        \
    __extension__({                                                                    \
        __typeof__(p) taken_ = (p);                                                    \
        (p) = NULL;                                                                    \
        taken_;                                                                        \
    })

/* Hand a descriptor over to the caller: -1 is left behind. */
#define TAKE_FD(fd)                                                                    \
    __extension__({                                                                    \
        int taken_ = (fd);                                                             \
        (fd) = -1;                                                                     \
        taken_;                                                                        \
    })

static inline void str_free(char **s)
{
    free(*s);
}

static inline void fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* what was written through it is synced already */
}

#endif
