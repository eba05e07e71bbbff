#include "tests/chaos/faults_internal.h"
#include "tests/chaos/place.h"
#include "tests/support/wait_until.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { REMOUNT_MS = 100, LEFT_BYTES = 65536 };

/* A file as large as what is free, but for a random rest of less than LEFT_BYTES. */
bool fault_full_spool(struct system *s, struct fault *f)
{
    const char *path = system_path(s, "disk/filler");
    struct statvfs st;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void)snprintf(f->target, sizeof f->target, "spool");
    if (fd < 0 || fstatvfs(fd, &st) < 0) {
        if (fd >= 0)
            (void)close(fd);
        return false;
    }
    off_t size =
        (off_t)(st.f_bavail * st.f_frsize) - (off_t)(f->event.dice % LEFT_BYTES);
    bool full = size > 0 && posix_fallocate(fd, 0, size) == 0;
    (void)close(fd); /* nothing was written */
    if (!full)
        (void)unlink(path);
    return full;
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
