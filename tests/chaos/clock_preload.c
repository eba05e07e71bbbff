/*
 * clock_preload: a wall clock that jumps.  Preloaded into responders and workers, it adds the nanoseconds that stand in
 * the file HOIST_CHAOS_CLOCK (eight bytes, mapped) to the real-time clock; the monotonic ones go on as they are, as they
 * do when somebody sets the time.
 *
 * What waits for an absolute real time is not woken by such a jump; the programs wait by the monotonic clock.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef int clock_gettime_fn(clockid_t, struct timespec *);

static _Atomic int64_t none;
static _Atomic int64_t *offset_ns = &none;
static _Atomic(clock_gettime_fn *) real;

/* The libc's own; looked up when it is first asked for, which may be before our constructor runs. */
static clock_gettime_fn *real_clock(void)
{
    clock_gettime_fn *f = atomic_load(&real);
    void *found;

    if (f)
        return f;
    found = dlsym(RTLD_NEXT, "clock_gettime");
    if (!found)
        abort();
    memcpy(&f, &found, sizeof f);
    atomic_store(&real, f);
    return f;
}

__attribute__((constructor)) static void map_offset(void)
{
    const char *path = getenv("HOIST_CHAOS_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *at = MAP_FAILED;

    if (fd >= 0) {
        at = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
        (void)close(fd);
    }
    if (at != MAP_FAILED)
        offset_ns = at;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    int rc = real_clock()(clock, t);

    if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t by = atomic_load_explicit(offset_ns, memory_order_relaxed);
        int64_t ns = t->tv_nsec + by % 1000000000;
        t->tv_sec += by / 1000000000 + (ns >= 1000000000) - (ns < 0);
        t->tv_nsec = (ns + 1000000000) % 1000000000;
    }
    return rc;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}
