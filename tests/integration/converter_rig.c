#include "tests/integration/converter_rig.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/support/wait_until.h"

int converter_processes_of(const struct job_id *id)
{
    char path[300], text[4096], wanted[ID_JOB_MAX + 32];
    DIR *proc = opendir("/proc");
    int count = 0;

    cr_assert(proc != NULL);
    (void)snprintf(wanted, sizeof wanted, "HOIST_JOB_ID=%s.%s", id->queue,
                   id->uuid.text);
    for (struct dirent *d; (d = readdir(proc));) {
        (void)snprintf(path, sizeof path, "/proc/%s/environ", d->d_name);
        int fd = isdigit((unsigned char)d->d_name[0]) ? open(path, O_RDONLY | O_CLOEXEC)
                                                      : -1;
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text); /* a zombie's is empty */
        if (n > 0 && memmem(text, (size_t)n, wanted, strlen(wanted)))
            count++;
        if (fd >= 0)
            (void)close(fd);
    }
    (void)closedir(proc);
    return count;
}

bool converter_has_object(struct worker_rig *rig, const struct job_id *id)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", rig->objects.path, id->uuid.text);
    return access(path, F_OK) == 0;
}

struct job_id converter_put(struct worker_rig *rig, const char *data,
                            const char *convert)
{
    return rig_put(
        rig, &(struct rig_job){.data = data, .convert = convert, .max_attempts = 1});
}

void converter_expect(struct worker_rig *rig, const struct job_id *id, const char *text)
{
    cr_assert(rig_wait_state(rig, id, "done", 10000), "%s",
              rig_field(rig, id, "error"));
    cr_expect(rig_object_is(rig, id, text), "not '%s'", text);
    cr_expect(eq(i64, rig_number(rig, id, "out_bytes"), (int64_t)strlen(text)));
}

void converter_expect_dead(struct worker_rig *rig, const struct job_id *id,
                           const char *class, const char *error)
{
    cr_assert(rig_wait_state(rig, id, "dead", 20000), "%s: %s", error,
              rig_field(rig, id, "state"));
    const char *text = rig_field(rig, id, "error");
    cr_expect(strncmp(text, error, strlen(error)) == 0, "'%s', not '%s'", text, error);
    cr_expect(eq(str, (char *)rig_field(rig, id, "error_class"), (char *)class), "%s",
              error);
    cr_expect(not(converter_has_object(rig, id)), "%s", error);
    cr_expect(WAIT_UNTIL(converter_processes_of(id) == 0, 2000), "%s", error);
    cr_expect(rig_in_spool(rig, id), "%s", error);
}

bool converter_had(struct worker_rig *rig, const struct job_id *id, const char *part)
{
    return strstr(rig_field(rig, id, "sandbox"), part) != NULL;
}
