/*
 * spool_mounts: file systems of one test, small enough to be filled, in a mount namespace of its process, so that nothing
 * stays mounted whatever becomes of it.  Needs CAP_SYS_ADMIN; where that is missing the test is skipped with a message.
 */
#ifndef HOIST_TESTS_INTEGRATION_SPOOL_MOUNTS_H
#define HOIST_TESTS_INTEGRATION_SPOOL_MOUNTS_H

#include "tests/support/spawn.h"
#include "tests/support/spool_sample.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { MOUNTS_STEP_MS = 20000 };

/* A mount namespace of this process alone. */
static inline void mounts_enter(void)
{
    if (unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        cr_skip_test("cannot mount here");
}

/* An empty directory for a mount, as sample->path; the spool there, if any, is closed. */
static inline void mounts_point(struct spool_sample *sample, const char *name)
{
    spool_close(sample->spool);
    sample->spool = NULL;
    memcpy(sample->path, tmpdir_file(&sample->dir, name).path, sizeof sample->path);
    cr_assert(eq(int, mkdir(sample->path, 0700), 0), "%s", sample->path);
}

static inline void mounts_tmpfs(const char *path, const char *options)
{
    if (mount("tmpfs", path, "tmpfs", 0, options) != 0)
        cr_skip_test("cannot mount a tmpfs here");
}

static inline bool mounts_run(const char *const *argv)
{
    struct spawn s = {0};
    int status = -1;

    spawn_start(&s, &(struct spawn_options){.argv = argv});
    cr_assert(spawn_wait(&s, MOUNTS_STEP_MS, &status), "%s does not end", argv[0]);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* An ext4 of 8 MiB in the file <name>.img of the sample's directory; a tenth of it is root's. */
static inline void mounts_make_ext4(const struct spool_sample *sample, const char *name,
                                    const char *inodes)
{
    char image[TMPDIR_FILE_MAX + 1];

    memcpy(image, tmpdir_file(&sample->dir, name).path, sizeof image);
    int fd = open(image, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && ftruncate(fd, 8 << 20) == 0 && close(fd) == 0, "%s", image);
    cr_assert(mounts_run(
        (const char *[]){"mkfs.ext4", "-q", "-N", inodes, "-m", "10", image, NULL}));
}

static inline void mounts_ext4(const struct spool_sample *sample, const char *name)
{
    char image[TMPDIR_FILE_MAX + 1];

    memcpy(image, tmpdir_file(&sample->dir, name).path, sizeof image);
    if (!mounts_run(
            (const char *[]){"mount", "-n", "-o", "loop", image, sample->path, NULL}))
        cr_skip_test("cannot mount a loop device here");
    cr_assert(eq(int, chmod(sample->path, 0700), 0));
}

/* Open the spool at sample->path. */
static inline void mounts_open(struct spool_sample *sample)
{
    struct spool_options o = {
        .dir = sample->path, .durable = true, .own_filesystem = true};
    struct err e = ERR_INIT;

    cr_assert(eq(int, spool_open(&o, &sample->spool, &e), ERR_OK), "%s", e.text);
}

/* A spool on a tmpfs, or on an ext4, of its own. */
static inline void mounts_spool_on_tmpfs(struct spool_sample *sample,
                                         const char *options)
{
    mounts_point(sample, "tmpfs");
    mounts_tmpfs(sample->path, options);
    mounts_open(sample);
}

static inline void mounts_spool_on_ext4(struct spool_sample *sample, const char *inodes)
{
    mounts_point(sample, "ext4");
    mounts_make_ext4(sample, "ext4.img", inodes);
    mounts_ext4(sample, "ext4.img");
    mounts_open(sample);
}

/* Close the spool and take its file system away. */
static inline void mounts_drop(struct spool_sample *sample)
{
    spool_close(sample->spool);
    sample->spool = NULL;
    cr_expect(eq(int, umount(sample->path), 0), "%s", sample->path);
}

#endif
