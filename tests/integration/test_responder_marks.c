/*
 * responder, when spool or Redis is nearly full or the spool is gone: uploads are refused before their bodies are read, with
 * the reason and a Retry-After, all else goes on, and they are welcome again by themselves.
 */
#include "tests/integration/responder_rig.h"
#include "tests/support/wait_until.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum { FAR = 4 * 1024 * 1024 /* more than is read for politeness' sake */ };

TestSuite(responder_marks, .fini = responder_down, .timeout = 120);

/* An upload that announces so many bytes and sends none; its answer comes all the same. */
static struct fcgi_response announce(const char *type, const char *length)
{
    struct fcgi_client c;
    const struct fcgi_request put = {.method = "POST",
                                     .uri = "/v1/uploads?name=a",
                                     .type = type,
                                     .content_length = length};
    fcgi_client_open(&c, rig.socket.path);
    fcgi_client_head(&c, &put);
    struct fcgi_response r = fcgi_client_response(&c, 5000);
    fcgi_client_close(&c);
    return r;
}

static int status_of(const char *length)
{
    struct fcgi_response r = announce(NULL, length);
    int status = r.status;
    fcgi_response_release(&r);
    return status;
}

static void expect_refused(const char *type, const char *length, int status,
                           const char *reason)
{
    struct fcgi_response r = announce(type, length);
    const char *retry = strstr(r.text, "\r\nRetry-After: ");
    long seconds = retry ? strtol(retry + strlen("\r\nRetry-After: "), NULL, 10) : 0;
    cr_expect(eq(int, r.status, status), "%s", r.text);
    cr_expect(seconds >= 1 && seconds <= 300, "%s", r.text);
    cr_expect(strstr(r.body, reason) != NULL, "%s", r.text);
    fcgi_response_release(&r);
}

static bool ready_says(int status, const char *part)
{
    const struct fcgi_request ready = responder_get("/readyz");
    struct fcgi_response r = responder_ask(&ready);
    bool says = r.status == status && strstr(r.body, part) != NULL;
    fcgi_response_release(&r);
    return says;
}

static bool is_welcome(void)
{
    const struct fcgi_request put = PUT("/v1/uploads/again", "hello");
    return responder_status(&put) == 202;
}

/* --- The spool's own marks --- */

Test(responder_marks, a_spool_with_as_many_files_as_it_may_is_507_until_some_are_gone)
{
    char id[128];
    responder_up_with("[spool]\nmax_files = 3\n");
    for (int i = 0; i < 3; i++)
        (void)snprintf(id, sizeof id, "%s", responder_upload("/v1/uploads/a"));
    expect_refused(NULL, "4194304", 507, "as many uploads as it may");
    expect_refused(FORM_TYPE, "4194304", 507, "as many uploads as it may");
    cr_expect(
        WAIT_UNTIL(ready_says(503, "\"spool\":\"full\",\"spool_error\":\"the spool "
                                   "holds about as many uploads as it may\","
                                   "\"redis\":\"up\""),
                   5000));
    cr_expect(eq(sz, responder_count("tmp"), 0));
    cr_expect(eq(sz, responder_count("jobs"), 6));

    cr_expect(responder_says("GET", responder_job_uri(id, ""), NULL, 200, "waiting"));
    cr_expect(responder_says("DELETE", responder_job_uri(id, ""), NULL, 200, "cancel"));
    cr_expect(WAIT_UNTIL(is_welcome(), 5000), "there are two");
    cr_expect(not(is_welcome()), "and three again, known without a count");
}

Test(responder_marks, what_was_there_before_the_start_counts)
{
    responder_up();
    for (int i = 0; i < 3; i++)
        (void)responder_upload("/v1/uploads/a");
    cr_assert(spawn_stop(&rig.process, 10000));
    cr_assert(setenv("HOIST_SPOOL_MAX_FILES", "3", 1) == 0);
    responder_start();
    cr_expect(WAIT_UNTIL(ready_says(503, "\"spool\":\"full\""), 5000));
}

Test(responder_marks, an_announced_length_that_does_not_fit_is_507_and_others_are_not)
{
    static char body[900];
    const struct fcgi_request nearly = {
        .method = "PUT", .uri = "/v1/uploads/n", .body = body, .body_len = sizeof body};
    const struct fcgi_request form = FORM(FORM_FILE("a", "hello") FORM_END);
    responder_up_with("[spool]\nmax_bytes = 1000\n");
    (void)responder_upload("/v1/uploads/a");
    cr_expect(WAIT_UNTIL(status_of("4194304") == 507, 5000), "once it has counted");
    expect_refused(NULL, "4194304", 507, "4194304 bytes do not fit");
    expect_refused(FORM_TYPE, "4194304", 507, "4194304 bytes do not fit");
    cr_expect(ready_says(200, "\"spool\":\"ok\""), "a smaller one does");
    cr_expect(eq(int, responder_status(&form), 202));
    cr_expect(eq(int, responder_status(&nearly), 202));
    cr_expect(eq(int, responder_status(&form), 507), "known without a count");
}

/* The size on the disk of the one file in tmp/; -1: there is none. */
static int64_t taken_in_tmp(void)
{
    char path[320];
    struct stat st;
    int64_t taken = -1;
    (void)snprintf(path, sizeof path, "%s/spool/tmp", rig.dir.path);
    DIR *dir = opendir(path);
    cr_assert(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.' &&
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            taken = (int64_t)st.st_blocks * 512;
    closedir(dir);
    return taken;
}

/* Whether the test's file system takes room in advance at all. */
static bool can_take_room(void)
{
    struct tmpdir_file file = tmpdir_file(&rig.dir, "room");
    int fd = open(file.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    bool can = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, FAR) == 0;
    (void)close(fd);
    (void)unlink(file.path);
    return can;
}

Test(responder_marks, room_for_an_announced_length_is_taken_before_the_first_byte)
{
    struct fcgi_client c;
    const struct fcgi_request put = {
        .method = "PUT", .uri = "/v1/uploads/far", .content_length = "4194304"};
    responder_up();
    bool can = can_take_room();
    fcgi_client_open(&c, rig.socket.path);
    fcgi_client_head(&c, &put);
    cr_expect(WAIT_UNTIL(taken_in_tmp() >= (can ? FAR : 0), 5000), "%lld",
              (long long)taken_in_tmp());
    fcgi_client_close(&c);
    cr_expect(WAIT_UNTIL(taken_in_tmp() == -1, 5000), "and given back");
}

/* --- A spool that is not there --- */

Test(responder_marks, a_spool_that_was_moved_away_is_503_until_it_is_back)
{
    char here[320], there[320];
    const struct fcgi_request put = PUT("/v1/uploads/a", "hello");
    responder_up();
    (void)responder_upload("/v1/uploads/a");
    (void)snprintf(here, sizeof here, "%s/spool", rig.dir.path);
    (void)snprintf(there, sizeof there, "%s/elsewhere", rig.dir.path);
    cr_assert(rename(here, there) == 0);
    cr_expect(WAIT_UNTIL(responder_status(&put) == 503, 5000));
    expect_refused(NULL, "4194304", 503, "the spool cannot be used");
    cr_expect(ready_says(503, "\"spool\":\"failing\",\"spool_error\":\"spool: "));
    cr_assert(mkdir(here, 0700) == 0, "another one in its place");
    cr_expect(ready_says(503, "\"spool\":\"failing\""));
    cr_assert(rmdir(here) == 0 && rename(there, here) == 0);
    cr_expect(WAIT_UNTIL(is_welcome(), 5000));
    cr_expect(ready_says(200, "\"spool\":\"ok\""));
}

/* --- Redis --- */

static void set_maxmemory(int64_t percent_used)
{
    char text[32];
    char *info = redis_fixture_ask(&rig.redis, "INFO", "memory", NULL);
    const char *used = strstr(info, "used_memory:");
    cr_assert(used != NULL);
    int64_t bytes = strtoll(used + strlen("used_memory:"), NULL, 10);
    (void)snprintf(text, sizeof text, "%lld", (long long)(bytes * 100 / percent_used));
    free(info);
    free(redis_fixture_ask(&rig.redis, "CONFIG", "SET", "maxmemory", text, NULL));
}

Test(responder_marks, a_redis_that_is_nearly_full_is_503_until_it_is_not_or_is_away)
{
    responder_up_with("[redis]\nhigh_water = 60\nlow_water = 50\n");
    char id[128];
    (void)snprintf(id, sizeof id, "%s", responder_upload("/v1/uploads/a"));
    set_maxmemory(80);
    cr_expect(WAIT_UNTIL(ready_says(503, "{\"spool\":\"ok\",\"redis\":\"full\",\"redis_"
                                         "error\":\"the memory of the queue is nearly"),
                         5000));
    expect_refused(NULL, "4194304", 503, "the memory of the queue is nearly full");
    cr_expect(responder_says("GET", responder_job_uri(id, ""), NULL, 200, "waiting"));
    set_maxmemory(20);
    cr_expect(WAIT_UNTIL(is_welcome(), 5000));
    set_maxmemory(80);
    cr_expect(WAIT_UNTIL(ready_says(503, "\"redis\":\"full\""), 5000));
    redis_fixture_kill(&rig.redis);
    cr_expect(WAIT_UNTIL(is_welcome(), 10000), "then they wait in the spool");
}
