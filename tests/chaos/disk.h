/*
 * disk: an ext4 whose power can be cut.
 *
 *     programs --write--> page cache --write-back, fsync--> loop device --> image, a file in memory (memfd)
 *                                                                             ^
 *                                                                    disk_cut: sealed against writes
 *
 * The model.  The image holds exactly what the file system has sent to its device: what still is in the page cache is
 * not in it, and a cut loses it.  A cut is one call that seals the image: of every request of the device it is taken
 * whole before that instant or refused whole after it, so that the image is the disk of one point in time, however
 * long it takes to copy it, and write-back that goes on afterwards changes nothing.  Programs that still run see a disk that
 * takes no more writes (EIO, then EROFS): what they promise after the cut, they promise wrongly, so that no promise need be
 * left out because it came "too late".  Then they are killed, the old file system is unmounted and thrown away, the copy is
 * mounted, which recovers its journal.
 *
 * Not in the model: a drive that loses what it has taken (its cache), one that reorders writes between two flushes, torn
 * requests, a drive that lies about a flush.  disk_probe shows that the model is what happens here.
 *
 * Devices and mounts never stay: they are made in a place of their own (place.h), which goes with its processes, and the
 * device detaches itself with its last use (LO_FLAGS_AUTOCLEAR), whoever dies and however.
 *
 * Needs root, loop devices, ext4 and mkfs.ext4.  One thread.
 */
#ifndef HOIST_TESTS_CHAOS_DISK_H
#define HOIST_TESTS_CHAOS_DISK_H

#include "shared/err.h"
#include "tests/support/tmpdir.h"

#include <stdbool.h>
#include <stdint.h>

struct disk {
    int image_fd;                   /* -1: none */
    char path[TMPDIR_FILE_MAX + 1]; /* where it is mounted */
    bool mounted;
};

#define DISK_INIT                                                                      \
    {                                                                                  \
        .image_fd = -1                                                                 \
    }

enum { DISK_BYTES_MIN = 32 << 20 };

/* Whether this machine has what it takes; to be asked before place_run, as that user.  ERR_CONFIG: the text says what is
 * missing. */
MUST_CHECK enum err_code disk_check(struct err *e);

/* An empty file system of so many bytes at path, a directory that is there. */
MUST_CHECK enum err_code disk_open(struct disk *d, const char *path, int64_t bytes,
                                   struct err *e);
/* Unmount it and throw it away.  Takes one that is not open. */
void disk_close(struct disk *d);

/* Cut its power: microseconds.  ERR_RETRY: it was not cut. */
MUST_CHECK enum err_code disk_cut(struct disk *d, struct err *e);
/* Mount what it held at the cut, at the same place.  Nobody may use the old one any more: ERR_RETRY when it is busy for
 * more than 5 s, or the copy cannot be mounted. */
MUST_CHECK enum err_code disk_revive(struct disk *d, struct err *e);

/* Whether un-synced data is lost in a cut, and synced data not: a file of each, a cut, a look.
 * ERR_REJECT: no, and then a rig on it can say nothing. */
MUST_CHECK enum err_code disk_probe(const char *path, struct err *e);

#endif
