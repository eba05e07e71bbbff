#include "tests/chaos/faults_internal.h"
#include "tests/chaos/place.h"
#include "tests/support/wait_until.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { REMOUNT_MS = 100 };

/* A file that takes what is free, in steps of fewer and fewer bytes, since others take some meanwhile. */
bool fault_full_spool(struct system *s, struct fault *f)
{
    int fd = open(system_path(s, "disk/filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    off_t size = 0;

    (void)snprintf(f->target, sizeof f->target, "spool");
    if (fd < 0)
        return false; /* read-only just now */
    for (off_t step = 1 << 20; step >= 1 << 12; step >>= 4)
        while (posix_fallocate(fd, size, step) == 0)
            size += step;
    (void)close(fd); /* nothing was written */
    return true;
}

bool fault_spool_has_room(struct system *s, struct fault *f)
{
    (void)f;
    (void)unlink(system_path(s, "disk/filler")); /* of two, the first ended has */
    return true;
}

bool fault_readonly_spool(struct system *s, struct fault *f)
{
    (void)snprintf(f->target, sizeof f->target, "spool");
    return WAIT_UNTIL(place_remount(system_path(s, "disk"), true), REMOUNT_MS);
}

bool fault_writable_spool(struct system *s, struct fault *f)
{
    (void)f;
    return place_remount(system_path(s, "disk"), false);
}
