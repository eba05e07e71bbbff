/* Scenarios about bytes: what is stored must be what was sent, once, whatever fails on the way. */
#include "tests/chaos/mutants/directed.h"

#include "shared/cleanup.h"
#include "tests/support/wait_until.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MANY = 20, STALL_BYTES = 10 };

/* The store stands still in the middle of a PUT; its worker dies then.  Nothing has been stored: another must do it. */
void scenario_killed_worker(struct directed *d)
{
    char id[ID_JOB_MAX + 1];

    directed_up(d, true);
    s3_faulty_push(
        d->s3, (struct s3_fault){.kind = S3_FAULT_STALL_IN_BODY, .bytes = STALL_BYTES});
    rig_start_worker(&d->rig, 0);
    directed_accept(d, 0, id);
    if (!WAIT_UNTIL(s3_faulty_count(d->s3, "PUT") > 0, DIRECTED_MS))
        directed_violated(d, "I6", "%s was never begun", id);
    /* A worker that acknowledges first needs a moment for it; one that does not can use it for nothing. */
    if (WAIT_UNTIL(directed_is(d, id, "done"), DIRECTED_LEASE_MS / 4))
        directed_violated(d, "I9", "%s is said to be done before it was stored", id);
    spawn_kill(&d->rig.workers[0]);
    rig_start_worker(&d->rig, 1);
    directed_expect_arrived(d, id, 0);
}

void scenario_error_in_200(struct directed *d)
{
    char id[ID_JOB_MAX + 1];

    directed_up(d, true);
    s3_faulty_push(d->s3, (struct s3_fault){.kind = S3_FAULT_ERROR_IN_200,
                                            .code = "InternalError"});
    rig_start_worker(&d->rig, 0);
    directed_accept(d, 0, id);
    directed_expect_arrived(d, id, 0);
}

/* Two uploads that are to have the same key: the first stays, the other is told so. */
void scenario_same_key(struct directed *d)
{
    static const char uri[] = "/v1/uploads/directed.bin?key=chosen/name.bin";
    char first[ID_JOB_MAX + 1], second[ID_JOB_MAX + 1];
    struct s3_faulty_object object = {0};

    directed_up(d, true);
    rig_start_worker(&d->rig, 0);
    if (directed_upload(d, 0, uri, -1, first) != 202)
        abort();
    directed_expect_arrived(d, first, 0);
    if (directed_upload(d, 1, uri, -1, second) != 202)
        abort();
    if (!WAIT_UNTIL(directed_has_ended(d, second), DIRECTED_MS))
        directed_violated(d, "I6", "%s has not ended", second);
    if (directed_is(d, second, "done"))
        directed_violated(d, "I9", "%s is said to be done, over another's object",
                          second);
    if (!s3_faulty_object(d->s3, "/bucket/chosen/name.bin", &object) ||
        object.stored != 1 || directed_object(d, first, 0) != OBJECT_WHOLE)
        directed_violated(d, "I3", "the object of %s was replaced", first);
}

static void flip_bit(const char *path)
{
    CLEANUP(fd_close) int fd = open(path, O_RDWR | O_CLOEXEC);
    char byte;

    if (fd < 0 || pread(fd, &byte, 1, BODY_MIN) != 1)
        abort();
    byte = (char)(byte ^ 4);
    if (pwrite(fd, &byte, 1, BODY_MIN) != 1)
        abort();
}

/* A bit flips in the spool: that job ends as dead, and no wrong object is stored. */
void scenario_flipped_bit(struct directed *d)
{
    char id[ID_JOB_MAX + 1], path[512];

    directed_up(d, false);
    directed_accept(d, 1, id);
    (void)snprintf(path, sizeof path, "%s/jobs/%s.data", d->rig.spool.path, id);
    flip_bit(path);
    rig_start_worker(&d->rig, 0);
    if (!WAIT_UNTIL(directed_has_ended(d, id), DIRECTED_MS))
        directed_violated(d, "I6", "%s has not ended", id);
    if (directed_object(d, id, 1) != OBJECT_MISSING)
        directed_violated(d, "I2", "%s: an object with a flipped bit was stored", id);
    else if (!directed_is(d, id, "dead"))
        directed_violated(d, "I1", "%s: damaged in the spool, and not dead", id);
}

/* Redis forgets everything: the spool knows. */
void scenario_forgetful_redis(struct directed *d)
{
    char ids[MANY][ID_JOB_MAX + 1];

    directed_up(d, true);
    for (int i = 0; i < MANY; i++)
        directed_accept(d, i, ids[i]);
    if (!WAIT_UNTIL(rig_unknown_to_redis(&d->rig) == 0, DIRECTED_MS) ||
        !rig_ask(&d->rig, "FLUSHALL", NULL, NULL, 0))
        abort();
    rig_start_worker(&d->rig, 0);
    if (!WAIT_UNTIL(s3_faulty_objects(d->s3) == MANY, DIRECTED_MS))
        directed_violated(d, "I1", "%d of %d accepted uploads have an object",
                          s3_faulty_objects(d->s3), MANY);
}

/* Half of what was announced comes, and then a proper end. */
void scenario_short_body(struct directed *d)
{
    char id[ID_JOB_MAX + 1];
    struct body b = body_of(&d->plan, 0);

    directed_up(d, false);
    if (directed_upload(d, 0, "/v1/uploads/directed.bin", b.size / 2, id) == 202)
        directed_violated(d, "I2", "half an upload was accepted: %s", id);
    rig_start_worker(&d->rig, 0);
    directed_accept(d, 1, id);
    directed_expect_arrived(d, id, 1);
}

/* The first fdatasync of data fails, and the kernel drops its pages; the next one would succeed. */
void scenario_spoiled_sync(struct directed *d)
{
    char id[ID_JOB_MAX + 1];

    if (!d->preload)
        abort();
    directed_up(d, false);
    int status = directed_upload(d, 0, "/v1/uploads/directed.bin", -1, id);
    rig_start_worker(&d->rig, 0);
    if (status == 202)
        directed_expect_arrived(d, id, 0);
    else if (status < 500)
        directed_violated(d, "I4", "a disk that fails was answered %d", status);
    directed_accept(d, 1, id);
    directed_expect_arrived(d, id, 1);
}
