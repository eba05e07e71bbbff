#include "tests/torture/ledger.h"

#include "shared/cleanup.h"
#include "shared/digest.h"
#include "shared/job.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct upload *ledger_add(struct ledger *l, int run, size_t size)
{
    if (l->count == LEDGER_MAX || size > UPLOAD_SIZE_MAX)
        abort();
    struct upload *u = &l->uploads[l->count];
    *u = (struct upload){.size = size};
    (void)snprintf(u->name, sizeof u->name, "r%d-%zu", run, l->count++);
    return u;
}

/* Letters, in an order that no other name has. */
void upload_fill(const struct upload *u, char *ret)
{
    uint64_t x = 88172645463325252u;

    for (const char *p = u->name; *p; p++)
        x = (x ^ (unsigned char)*p) * 1099511628211u;
    for (size_t i = 0; i < u->size; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        ret[i] = (char)('a' + x % 26);
    }
}

static const struct upload *find(const struct ledger *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->uploads[i].name, name) == 0)
            return &l->uploads[i];
    return NULL;
}

static bool may_be_there(const struct upload *u)
{
    return u->told != TOLD_REFUSED && u->cancel != TOLD_ACCEPTED;
}

static bool must_be_there(const struct upload *u)
{
    return u->told == TOLD_ACCEPTED && u->cancel != TOLD_ACCEPTED &&
           !(u->cancel_sent && u->cancel == TOLD_NOTHING);
}

static int complain(const char *what, const char *name)
{
    printf("  BROKEN: %s: %s\n", name, what);
    return 1;
}

/* Whether the file holds exactly the upload's bytes. */
static bool is_whole(const struct upload *u, int fd)
{
    char *want = malloc(UPLOAD_SIZE_MAX), *got = malloc(UPLOAD_SIZE_MAX + 1);
    size_t len = 0;

    if (!want || !got)
        abort();
    for (ssize_t n; fd >= 0 && len <= UPLOAD_SIZE_MAX; len += (size_t)n)
        if ((n = read(fd, got + len, UPLOAD_SIZE_MAX + 1 - len)) <= 0)
            break;
    upload_fill(u, want);
    bool whole = fd >= 0 && len == u->size && memcmp(want, got, len) == 0;
    free(want);
    free(got);
    return whole;
}

static bool object_there(const struct upload *u, struct rig *rig)
{
    char path[TMPDIR_FILE_MAX + UPLOAD_NAME + 16];
    struct s3_faulty_object object;

    (void)snprintf(path, sizeof path, "/bucket/%s", u->name);
    if (u->in_s3)
        return s3_faulty_object(rig->s3, path, &object);
    (void)snprintf(path, sizeof path, "%s/%s", rig->objects.path, u->name);
    if (access(path, F_OK) == 0)
        return true;
    (void)snprintf(path, sizeof path, "%s/%s", rig->late.path, u->name);
    return access(path, F_OK) == 0;
}

/* Mark the uploads whose manifests stand in the spool, looking at their bytes. */
static int look_at_spool(const struct ledger *l, struct rig *rig, bool *found)
{
    struct err e = ERR_INIT;
    struct spool_scan *scan = NULL;
    struct job_id id;
    int broken = 0;

    if (spool_scan_open(rig->spool, &scan, &e) != ERR_OK)
        return complain(e.text, "the spool");
    while (spool_scan_next(scan, &id)) {
        CLEANUP(job_release) struct job j = JOB_INIT;
        bool missing = false;
        CLEANUP(fd_close) int fd = -1;
        if (spool_read_manifest(rig->spool, &id, &j, &missing, &e) != ERR_OK) {
            broken += missing ? 0 : complain(e.text, "a manifest");
            continue;
        }
        const struct upload *u = find(l, j.name);
        if (!u) {
            broken += complain("in the spool, and nobody's", j.name);
            continue;
        }
        found[u - l->uploads] = true;
        if (spool_open_data(rig->spool, &id, j.size, &fd, &e) != ERR_OK ||
            !is_whole(u, fd))
            broken += complain("in the spool, but not its bytes", u->name);
    }
    spool_scan_close(scan);
    return broken;
}

int ledger_check_spool(const struct ledger *l, struct rig *rig)
{
    bool found[LEDGER_MAX] = {false};
    int broken = look_at_spool(l, rig, found);

    for (size_t i = 0; i < l->count; i++) {
        const struct upload *u = &l->uploads[i];
        if (must_be_there(u) && !found[i] && !object_there(u, rig))
            broken += complain("was answered 202 and is neither in the spool nor an "
                               "object",
                               u->name);
        if (u->told == TOLD_REFUSED && found[i])
            broken += complain("was refused and is in the spool", u->name);
    }
    return broken;
}

static int check_directory(const struct ledger *l, const char *path)
{
    DIR *d = opendir(path);
    struct dirent *entry;
    int broken = 0;

    while (d && (entry = readdir(d))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        const struct upload *u = find(l, entry->d_name);
        CLEANUP(fd_close)
        int fd = openat(dirfd(d), entry->d_name, O_RDONLY | O_CLOEXEC);
        if (!u)
            broken += complain("an object, and nobody's", entry->d_name);
        else if (!may_be_there(u))
            broken += complain("an object of what was refused or cancelled", u->name);
        else if (!is_whole(u, fd))
            broken += complain("an object, but not its bytes", u->name);
    }
    if (d)
        (void)closedir(d);
    return broken;
}

static int check_in_s3(const struct upload *u, struct rig *rig)
{
    char path[UPLOAD_NAME + 16], hex[DIGEST_SHA256_HEX + 1];
    struct s3_faulty_object object;
    struct err e = ERR_INIT;

    (void)snprintf(path, sizeof path, "/bucket/%s", u->name);
    if (!s3_faulty_object(rig->s3, path, &object))
        return 0;
    char *want = malloc(UPLOAD_SIZE_MAX);
    if (!want)
        abort();
    upload_fill(u, want);
    if (digest_sha256_hex(want, u->size, hex, &e) != ERR_OK)
        abort();
    free(want);
    int broken = 0;
    if (!may_be_there(u))
        broken += complain("an object of what was refused or cancelled", u->name);
    if (object.size != (int64_t)u->size || strcmp(object.sha256, hex) != 0)
        broken += complain("an object, but not its bytes", u->name);
    if (object.stored > 1)
        broken += complain("an object that was stored twice", u->name);
    return broken;
}

int ledger_check_objects(const struct ledger *l, struct rig *rig)
{
    bool kept[LEDGER_MAX] = {false};
    int broken = look_at_spool(l, rig, kept);

    for (size_t i = 0; i < l->count; i++) {
        const struct upload *u = &l->uploads[i];
        if (u->in_s3)
            broken += check_in_s3(u, rig);
        if (must_be_there(u) && !object_there(u, rig) && !(u->may_be_dead && kept[i]))
            broken += complain("was accepted and is no object in the end", u->name);
        if (kept[i] && !u->may_be_dead)
            broken += complain("has ended and is still in the spool", u->name);
    }
    broken += check_directory(l, rig->objects.path);
    broken += check_directory(l, rig->late.path);
    return broken;
}
