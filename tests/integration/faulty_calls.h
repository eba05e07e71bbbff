/*
 * faulty_calls: calls to the kernel that fail, one at a time.  A program with it is linked with --wrap for each of them: the
 * wrappers do what the real one does, but for the calls that a test has picked, which fail with a number of its choice.
 */
#ifndef HOIST_TESTS_INTEGRATION_FAULTY_CALLS_H
#define HOIST_TESTS_INTEGRATION_FAULTY_CALLS_H

#include <stddef.h>

enum call {
    CALL_WRITE,
    CALL_FALLOCATE,
    CALL_FTRUNCATE,
    CALL_FDATASYNC,
    CALL_FSYNC,
    CALL_CLOSE,
    CALL_RENAME,
    CALL_COUNT
};

struct faulty_calls {
    enum call call;
    size_t from, times; /* which of them fail: from 1 on, so many */
    int error;
    size_t seen[CALL_COUNT];
    int failed_fd; /* of the latest that failed */
    size_t again;  /* calls of the same kind on a descriptor that had failed */
};

extern struct faulty_calls fault;
extern long faulty_file_system; /* what fstatfs says; that of tmpfs */

/* Count anew; times 0: none fails. */
void fail_from(enum call call, size_t from, size_t times, int error);

#endif
