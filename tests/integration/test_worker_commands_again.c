/* Jobs whose bytes a command writes, and that run again though their object is there: the worker died before it could say so. */
#include "tests/integration/worker_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shared/clock.h"
#include "shared/digest.h"

static struct worker_rig rig;

static void down(void)
{
    rig_down(&rig);
}

TestSuite(worker_commands_again, .fini = down, .timeout = 120);

/* What the earlier attempt has left under this key. */
static void leave(const char *key, const char *text)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", rig.objects.path, key);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    (void)close(fd);
}

static struct job_id put(const char *key)
{
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    enum queue_answer answer;

    (void)snprintf(j.id.queue, sizeof j.id.queue, "default");
    j.id.uuid = id_new();
    j.created = clock_wall_ms();
    j.max_attempts = 1;
    j.source = strdup("command:random");
    j.to = strdup("default");
    if (!key)
        key = j.id.uuid.text;
    leave(key, "of before");
    cr_assert(job_set_name(&j, "out", 3, &e) == ERR_OK, "%s", e.text);
    cr_assert(job_set_key(&j, key, strlen(key), &e) == ERR_OK, "%s", e.text);
    cr_assert(queue_enqueue(rig.client, &j, &answer, &e) == ERR_OK, "%s", e.text);
    cr_assert(answer == QUEUE_OK);
    struct job_id id = j.id;
    job_release(&j);
    return id;
}

Test(worker_commands_again, what_an_earlier_attempt_wrote_is_the_object)
{
    char sum[DIGEST_SHA256_HEX + 1];
    struct err e = ERR_INIT;

    rig_up(&rig, "[command random]\nrun = head -c 100 /dev/urandom\n");
    rig_start(&rig, "a");
    struct job_id id = put(NULL);

    cr_assert(rig_wait_state(&rig, &id, "done", 20000), "%s",
              rig_field(&rig, &id, "error"));
    cr_expect(rig_object_is(&rig, &id, "of before"));
    cr_assert(digest_sha256_hex("of before", 9, sum, &e) == ERR_OK);
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "sha256"), sum));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "bytes"), "9"));
}

Test(worker_commands_again, under_a_key_that_was_asked_for_it_is_somebody_elses)
{
    rig_up(&rig, "[command random]\nrun = head -c 100 /dev/urandom\n");
    rig_start(&rig, "a");
    struct job_id id = put("report");

    cr_assert(rig_wait_state(&rig, &id, "dead", 20000));
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "error"),
                 "key exists with other content"));
}
