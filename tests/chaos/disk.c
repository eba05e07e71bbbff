#include "tests/chaos/disk.h"

#include "shared/cleanup.h"
#include "tests/support/spawn.h"
#include "tests/support/wait_until.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#define MKFS "/sbin/mkfs.ext4"

enum { ATTACH_TRIES = 50, BUSY_MS = 5000, MKFS_MS = 30000, CHUNK = 1 << 20 };

enum err_code disk_check(struct err *e)
{
    if (geteuid() != 0)
        return err_set(e, ERR_CONFIG, "it takes root to mount a file system");
    if (access(MKFS, X_OK) < 0)
        return err_set(e, ERR_CONFIG, "there is no " MKFS);
    CLEANUP(fd_close) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0)
        return err_errno(e, ERR_CONFIG, "no loop devices: /dev/loop-control");
    return ERR_OK;
}

static enum err_code new_image(int64_t bytes, int *ret_fd, struct err *e)
{
    CLEANUP(fd_close)
    int fd = memfd_create("power-cut", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, bytes) < 0)
        return err_errno(e, ERR_RETRY, "disk: image in memory");
    *ret_fd = TAKE_FD(fd);
    return ERR_OK;
}

/* The device opened; it goes with its last user.  A free one may be taken by somebody else before it is ours. */
static enum err_code attach(int image_fd, char *ret_path, size_t size, int *ret_fd,
                            struct err *e)
{
    const struct loop_config config = {.fd = (unsigned)image_fd,
                                       .block_size = 4096,
                                       .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};
    CLEANUP(fd_close) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

    for (int i = 0; i < ATTACH_TRIES; i++) {
        int number = ioctl(control, LOOP_CTL_GET_FREE);
        if (number < 0)
            break;
        (void)snprintf(ret_path, size, "/dev/loop%d", number);
        CLEANUP(fd_close) int fd = open(ret_path, O_RDWR | O_CLOEXEC);
        if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) == 0) {
            *ret_fd = TAKE_FD(fd);
            return ERR_OK;
        }
        if (fd < 0 || errno != EBUSY)
            break;
    }
    return err_errno(e, ERR_RETRY, "disk: no loop device");
}

static enum err_code mount_image(struct disk *d, struct err *e)
{
    char device[32];
    CLEANUP(fd_close) int fd = -1;

    if (attach(d->image_fd, device, sizeof device, &fd, e))
        return e->code;
    if (mount(device, d->path, "ext4", MS_NOATIME, "") < 0)
        return err_errno(e, ERR_RETRY, "disk: mount %s at %s", device, d->path);
    d->mounted = true;
    return ERR_OK;
}

static enum err_code unmount(struct disk *d, struct err *e)
{
    if (d->mounted && !WAIT_UNTIL(umount2(d->path, 0) == 0, BUSY_MS))
        return err_errno(e, ERR_RETRY, "disk: unmount %s", d->path);
    d->mounted = false;
    return ERR_OK;
}

static enum err_code make_file_system(int image_fd, struct err *e)
{
    char path[64];
    struct spawn mkfs;
    int status = -1;

    (void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), image_fd);
    spawn_start(&mkfs, &(struct spawn_options){
                           .argv = (const char *[]){
                               MKFS, "-q", "-F", "-b", "4096", "-J", "size=4", "-E",
                               "lazy_itable_init=0,nodiscard", path, NULL}});
    if (!spawn_wait(&mkfs, MKFS_MS, &status) || status != 0) {
        spawn_kill(&mkfs);
        return err_set(e, ERR_RETRY, "disk: mkfs.ext4 failed");
    }
    return ERR_OK;
}

enum err_code disk_open(struct disk *d, const char *path, int64_t bytes, struct err *e)
{
    (void)snprintf(d->path, sizeof d->path, "%s", path); /* of a tmpdir: it fits */
    if (new_image(bytes, &d->image_fd, e) || make_file_system(d->image_fd, e) ||
        mount_image(d, e)) {
        disk_close(d);
        return e->code;
    }
    return ERR_OK;
}

void disk_close(struct disk *d)
{
    struct err e = ERR_INIT;

    if (unmount(d, &e)) {
        (void)umount2(d->path, MNT_DETACH); /* it goes with its last user */
        d->mounted = false;
    }
    fd_close(&d->image_fd);
    d->image_fd = -1;
}

enum err_code disk_cut(struct disk *d, struct err *e)
{
    if (fcntl(d->image_fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) < 0)
        return err_errno(e, ERR_RETRY, "disk: seal the image");
    return ERR_OK;
}

/* Only what was written: most of an image is holes. */
static enum err_code copy_image(int from, int to, struct err *e)
{
    char *chunk = malloc(CHUNK);
    off_t at = 0, end;
    bool fine = chunk != NULL;

    while (fine && (at = lseek(from, at, SEEK_DATA)) >= 0) {
        end = lseek(from, at, SEEK_HOLE);
        while (fine && at < end) {
            size_t want = end - at < CHUNK ? (size_t)(end - at) : CHUNK;
            ssize_t n = pread(from, chunk, want, at);
            fine = n > 0 && pwrite(to, chunk, (size_t)n, at) == n;
            at += n;
        }
    }
    fine = fine && errno == ENXIO; /* no data beyond */
    free(chunk);
    return fine ? ERR_OK : err_errno(e, ERR_RETRY, "disk: copy the image");
}

enum err_code disk_revive(struct disk *d, struct err *e)
{
    CLEANUP(fd_close) int copy = -1;
    off_t size = lseek(d->image_fd, 0, SEEK_END);

    if (new_image(size, &copy, e) || copy_image(d->image_fd, copy, e) || unmount(d, e))
        return e->code;
    fd_close(&d->image_fd);
    d->image_fd = TAKE_FD(copy);
    return mount_image(d, e);
}

/* --- The model, looked at --- */

static enum err_code write_file(const struct disk *d, const char *name, bool sync,
                                struct err *e)
{
    CLEANUP(fd_close) int dir = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(fd_close)
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, name, strlen(name)) != (ssize_t)strlen(name) ||
        (sync && (fsync(fd) < 0 || fsync(dir) < 0)))
        return err_errno(e, ERR_RETRY, "disk: probe %s", name);
    return ERR_OK;
}

static bool has_file(const struct disk *d, const char *name)
{
    char path[TMPDIR_FILE_MAX + 32], text[32];

    (void)snprintf(path, sizeof path, "%s/%s", d->path, name);
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, text, sizeof text) == (ssize_t)strlen(name) &&
           memcmp(text, name, strlen(name)) == 0;
}

static enum err_code probe(struct disk *d, struct err *e)
{
    if (write_file(d, "synced", true, e) || write_file(d, "unsynced", false, e) ||
        disk_cut(d, e))
        return e->code;
    if (write_file(d, "late", true, e) == ERR_OK)
        return err_set(e, ERR_REJECT, "disk: a write was synced after the cut");
    if (disk_revive(d, e))
        return e->code;
    if (!has_file(d, "synced"))
        return err_set(e, ERR_REJECT, "disk: a synced file was lost in the cut");
    if (has_file(d, "unsynced"))
        return err_set(e, ERR_REJECT, "disk: a file that nobody synced outlived it");
    return ERR_OK;
}

enum err_code disk_probe(const char *path, struct err *e)
{
    struct disk d = DISK_INIT;

    if (disk_open(&d, path, DISK_BYTES_MIN, e))
        return e->code;
    enum err_code code = probe(&d, e);
    disk_close(&d);
    return code;
}
