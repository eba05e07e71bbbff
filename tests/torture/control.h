/*
 * control: what the driver tells the preload inside a program under torture, and what that one tells back.  A page that
 * both have mapped (the file HOIST_TORTURE_FILE names), so that a failure can be ordered after the program has started.
 *
 *     driver                                        preload, within the program
 *     calls = 1 << TORTURE_FSYNC, n = 3       -->   counts the calls while armed is set
 *     action = TORTURE_ERROR, error = EIO
 *     armed = 1                               -->   the third fsync from now on returns -1, EIO
 *     seen, hits, place                       <--   how often each was called; where it was made to fail
 *
 * A "call" is a family: open stands for open, openat, open64 and what _FORTIFY_SOURCE makes of them.
 * The driver writes the order while armed is 0.  Everything that both sides write is atomic.
 */
#ifndef HOIST_TESTS_TORTURE_CONTROL_H
#define HOIST_TESTS_TORTURE_CONTROL_H

#include <stdatomic.h>
#include <stdint.h>

#define TORTURE_VARIABLE "HOIST_TORTURE_FILE"

enum torture_call {
    TORTURE_OPEN,
    TORTURE_READ,
    TORTURE_PREAD,
    TORTURE_WRITE,
    TORTURE_PWRITE,
    TORTURE_FSYNC,
    TORTURE_FDATASYNC,
    TORTURE_RENAME,
    TORTURE_UNLINK,
    TORTURE_LINK,
    TORTURE_FALLOCATE,
    TORTURE_FTRUNCATE,
    TORTURE_CLOSE,
    TORTURE_STAT,
    TORTURE_STATFS,
    TORTURE_MKDIR,
    TORTURE_OPENDIR,
    TORTURE_READDIR,
    TORTURE_UTIMENS,
    TORTURE_ACCEPT,
    TORTURE_RECV,
    TORTURE_SEND,
    TORTURE_CONNECT,
    TORTURE_SOCKET,
    TORTURE_SOCKOPT,
    TORTURE_BIND,
    TORTURE_LISTEN,
    TORTURE_EPOLL_CREATE,
    TORTURE_EPOLL_CTL,
    TORTURE_EPOLL_WAIT,
    TORTURE_EVENTFD,
    TORTURE_SIGNALFD,
    TORTURE_PIPE,
    TORTURE_FCNTL,
    TORTURE_POLL,
    TORTURE_MMAP,
    TORTURE_THREAD,
    TORTURE_GETRANDOM,
    TORTURE_ALLOC,
    TORTURE_CALLS
};

enum torture_action {
    TORTURE_PASS,  /* only count */
    TORTURE_ERROR, /* fail with `error`; close closes all the same, as Linux does */
    TORTURE_SHORT, /* read, write, recv, send: one byte at most */
    TORTURE_KILL   /* SIGKILL before the call */
};

enum { TORTURE_PLACE = 480 };

struct torture_control {
    /* The order. */
    uint64_t calls; /* a bit for each torture_call that is concerned */
    int32_t action, error;
    int64_t n, many; /* the n-th to the (n + many - 1)-th, 1 being the first */
    int64_t every;   /* not 0: instead, each every-th */
    _Atomic int32_t armed;

    /* The report. */
    _Atomic int64_t seen[TORTURE_CALLS]; /* calls while armed */
    _Atomic int64_t matched, hits;
    _Atomic int64_t live; /* allocations that have not been freed, since the start */
    _Atomic int32_t place_taken;  /* place is of the first hit */
    _Atomic int32_t place_filled; /* place can be read */
    char place
        [TORTURE_PLACE]; /* "libuv.so.1+0x1a2b hoist-fcgi+0x3c4d ...", innermost first */
};

#endif
