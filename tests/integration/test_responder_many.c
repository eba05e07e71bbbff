/* Thousands of listeners: what they cost the responder, and that all of them are told. */
#include "tests/integration/responder_rig.h"
#include "tests/integration/responder_worker.h"
#include "tests/support/wait_until.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#if defined(__SANITIZE_ADDRESS__) /* which keeps what was freed, and shadows the rest */
enum { MANY_KB = 128 * 1024 };
#else
enum { MANY_KB = 32 * 1024 };
#endif
enum { MANY = 2000 };

TestSuite(responder_many, .init = responder_up, .fini = responder_down, .timeout = 240);

static struct fcgi_client many[MANY];
static bool met[MANY];
static int pictures[MANY];

static long resident_kb(void)
{
    char path[64], line[256];
    long kb = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)rig.process.pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %ld", &kb) == 1)
            break;
    if (f)
        fclose(f);
    return kb;
}

static int count_parts(const char *text, const char *part)
{
    int count = 0;
    while ((text = strstr(text, part)) && count++ >= 0)
        text += strlen(part);
    return count;
}

/* How many the responder has open. */
static int descriptors(void)
{
    char path[64];
    int count = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)rig.process.pid);
    DIR *all = opendir(path);
    while (all && readdir(all))
        count++;
    if (all)
        closedir(all);
    return count;
}

/* How many have been told part since the last time.  Zeros of records are no ends. */
static int count_told(const char *part)
{
    static char text[70000];
    int count = 0;
    for (int i = 0; i < MANY; i++) {
        ssize_t n = recv(many[i].fd, text, sizeof text - 1, MSG_DONTWAIT);
        for (ssize_t k = 0; k < n; k++)
            text[k] = text[k] ? text[k] : ' ';
        text[n > 0 ? n : 0] = '\0';
        met[i] = met[i] || strstr(text, part);
        pictures[i] += count_parts(text, "event: queues");
        count += met[i];
    }
    return count;
}

static int fewest_pictures(void)
{
    int least = pictures[0];
    for (int i = 1; i < MANY; i++)
        least = pictures[i] < least ? pictures[i] : least;
    return least;
}

static int most_pictures(void)
{
    int most = 0;
    for (int i = 0; i < MANY; i++)
        most = pictures[i] > most ? pictures[i] : most;
    return most;
}

static bool all_are_told(const char *part)
{
    memset(met, 0, sizeof met);
    return WAIT_UNTIL(count_told(part) == MANY, 30000);
}

static void open_many(const struct fcgi_request *r)
{
    for (int i = 0; i < MANY; i++) {
        fcgi_client_open(&many[i], rig.socket.path);
        fcgi_client_request(&many[i], r);
    }
}

static void close_many(void)
{
    for (int i = 0; i < MANY; i++)
        fcgi_client_close(&many[i]);
}

/* How the kernel schedules the responder's thread of that name (proc(5), field 41 of stat); -1: there is none. */
static int policy_of(const char *name)
{
    char path[64], text[1024];
    int policy = -1;
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)rig.process.pid);
    DIR *tasks = opendir(path);
    for (struct dirent *task; tasks && (task = readdir(tasks));) {
        (void)snprintf(path, sizeof path, "/proc/%d/task/%.20s/stat",
                       (int)rig.process.pid, task->d_name);
        FILE *f = fopen(path, "r");
        char *at = f && fgets(text, sizeof text, f) ? strchr(text, '(') : NULL;
        if (f)
            fclose(f);
        if (!at || strncmp(at + 1, name, strlen(name)) != 0)
            continue;
        at = strrchr(at, ')');
        for (int field = 2; at && field < 41; field++)
            at = strchr(at + 1, ' ');
        policy = at ? (int)strtol(at, NULL, 10) : -1;
    }
    if (tasks)
        closedir(tasks);
    return policy;
}

Test(responder_many, who_serves_listeners_interrupts_nobody)
{
    cr_expect(WAIT_UNTIL(policy_of("events)") == SCHED_BATCH, 5000));
    cr_expect(WAIT_UNTIL(policy_of("gate)") == SCHED_OTHER, 5000));
}

/* While something happens all the time; then the last state comes to all of them. */
static void upload_and_look(void)
{
    int uploads = 1; /* there is one */
    char want[64];
    memset(pictures, 0, sizeof pictures);
    int64_t start_ms = wait_now_ms();
    cr_assert(WAIT_UNTIL((uploads++, (void)responder_upload("/v1/uploads/b"),
                          (void)count_told(""), fewest_pictures() >= 2),
                         60000));
    (void)responder_upload("/v1/uploads/b");
    (void)snprintf(want, sizeof want, "\"ready\":%d,", ++uploads);
    cr_assert(all_are_told(want), "%s", want);
    int seconds = (int)((wait_now_ms() - start_ms) / 1000);
    cr_expect(le(int, most_pictures(), seconds + 2),
              "one a second, and what came before");
}

/* An event of a job, as a queue's script writes it. */
static void tell(const char *uuid)
{
    free(redis_fixture_ask(&rig.redis, "XADD", "hoist:{default}:events", "*", uuid,
                           "done", NULL));
}

/* One that comes while the reader has lost its place, on a machine where Redis takes long, is told to nobody. */
static bool all_are_told_of(const char *uuid)
{
    bool told = false;
    memset(met, 0, sizeof met);
    for (int tries = 0; tries < 10 && !told; tries++) {
        tell(uuid);
        told = WAIT_UNTIL(count_told(uuid) == MANY, 2500);
    }
    return told;
}

Test(responder_many, two_thousand_listen_in_little_memory_and_uploads_go_on)
{
    struct rlimit files = {MANY + 256, MANY + 256};
    cr_assert(eq(int, setrlimit(RLIMIT_NOFILE, &files), 0));
    static const char uuid[] = "01901b2c-3d4e-7f00-8a1b-000000000007";
    char *id = strdup(responder_upload("/v1/uploads/a"));
    struct fcgi_request feed = responder_get("/v1/events");
    struct fcgi_request job = responder_get(responder_job_uri(id, "/events"));
    long before_kb = resident_kb();

    open_many(&feed);
    cr_assert(all_are_told("event: workers"));
    upload_and_look();
    cr_assert(all_are_told_of(uuid));
    cr_expect(lt(int, (int)(resident_kb() - before_kb), MANY_KB));
    close_many();
    job.keep = true;
    cr_assert(WAIT_UNTIL(descriptors() < MANY / 4, 30000), "they make room");
    open_many(&job);
    cr_assert(all_are_told("\"state\":\"waiting\""));
    cr_expect(lt(int, (int)(resident_kb() - before_kb), MANY_KB));
    struct queue_lease l = worker_take("default");
    worker_done(&l);
    cr_assert(all_are_told("\"state\":\"done\""));
    close_many();
    free(id);
}
