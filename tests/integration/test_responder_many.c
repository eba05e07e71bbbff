/* Thousands of listeners: what they cost the responder, and that all of them are told. */
#include "tests/integration/responder_rig.h"
#include "tests/integration/responder_worker.h"
#include "tests/support/wait_until.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
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

TestSuite(responder_many, .init = responder_up, .fini = responder_down, .timeout = 120);

static struct fcgi_client many[MANY];
static bool met[MANY];

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

/* How many have been told part since the last time. */
static int count_told(const char *part)
{
    static char text[70000];
    int count = 0;
    for (int i = 0; i < MANY; i++) {
        ssize_t n = recv(many[i].fd, text, sizeof text - 1, MSG_DONTWAIT);
        if (n > 0)
            met[i] = met[i] || memmem(text, (size_t)n, part, strlen(part));
        count += met[i];
    }
    return count;
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

Test(responder_many, two_thousand_listen_in_little_memory_and_uploads_go_on)
{
    struct rlimit files = {MANY + 256, MANY + 256};
    cr_assert(eq(int, setrlimit(RLIMIT_NOFILE, &files), 0));
    char *id = strdup(responder_upload("/v1/uploads/a"));
    struct fcgi_request feed = responder_get("/v1/events");
    struct fcgi_request job = responder_get(responder_job_uri(id, "/events"));
    long before_kb = resident_kb();

    open_many(&feed);
    cr_assert(all_are_told("event: workers"));
    (void)responder_upload("/v1/uploads/b");
    cr_assert(all_are_told("\"ready\":2,"));
    cr_expect(lt(int, (int)(resident_kb() - before_kb), MANY_KB));
    close_many();
    job.keep = true;
    cr_assert(WAIT_UNTIL(responder_status(&(struct fcgi_request){
                             .method = "GET", .uri = "/healthz"}) == 200,
                         10000));
    open_many(&job);
    cr_assert(all_are_told("\"state\":\"waiting\""));
    cr_expect(lt(int, (int)(resident_kb() - before_kb), MANY_KB));
    struct queue_lease l = worker_take("default");
    worker_done(&l);
    cr_assert(all_are_told("\"state\":\"done\""));
    close_many();
    free(id);
}
