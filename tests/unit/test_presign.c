/*
 * presign: what ?presign= asks for, and what it is answered.
 */
#include "fcgi-app/jobs/presign.h"

#include "shared/cleanup.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(presign, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define UUID "0193c0de-7a1b-7c3d-9e4f-0123456789ab"
#define NOW_MS INT64_C(1369353600999)

static struct config config;
static struct response response;

static void up(void)
{
    struct err e = ERR_INIT;

    config_init(&config);
    cr_assert(not(config_parse(&config, "t",
                               "[destination disk]\nurl=file:///x\n"
                               "[destination shut]\nurl=s3://bucket\naccess_key=A\n"
                               "secret_key=B\n"
                               "[destination open]\nurl=s3://bucket/p\naccess_key=A\n"
                               "secret_key=B\npresign=yes\npresign_max_seconds=600\n",
                               NULL, &e)),
              "%s", e.text);
    response_init(&response);
}

static void down(void)
{
    response_release(&response);
    config_release(&config);
}

static struct job job_to(const char *to, enum job_state state)
{
    struct job j = JOB_INIT;

    memcpy(j.id.queue, "default", 8);
    memcpy(j.id.uuid.text, UUID, sizeof UUID);
    j.state = state;
    j.to = strdup(to);
    j.key = strdup("k.txt");
    return j;
}

static const struct {
    const char *to;
    enum job_state state;
    int64_t seconds;
    enum problem want;
} rows[] = {
    {"open", JOB_DONE, 1, PROBLEM_NONE},
    {"open", JOB_DONE, 600, PROBLEM_NONE},
    {"open", JOB_DONE, 601, PROBLEM_BAD_VALUE},
    {"disk,open", JOB_DONE, 60, PROBLEM_NONE},
    {"shut,disk", JOB_DONE, 60, PROBLEM_BAD_VALUE},
    {"gone", JOB_DONE, 60, PROBLEM_BAD_VALUE},
    {"open", JOB_WAITING, 60, PROBLEM_CONFLICT},
    {"open", JOB_DEAD, 60, PROBLEM_CONFLICT},
    {"shut", JOB_WAITING, 60, PROBLEM_BAD_VALUE},
};

Test(presign, is_for_jobs_that_are_done_where_it_is_wanted, .init = up, .fini = down)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(job_release) struct job j = job_to(rows[i].to, rows[i].state);
        struct err e = ERR_INIT;

        cr_expect(
            eq(int, presign_answer(&response, &config, &j, rows[i].seconds, NOW_MS, &e),
               rows[i].want),
            "row %zu: %s", i, e.text);
    }
}

Test(presign, stands_in_the_result_and_in_no_cache, .init = up, .fini = down)
{
    CLEANUP(job_release) struct job j = job_to("shut,open", JOB_DONE);
    struct err e = ERR_INIT;

    j.url = strdup("s3://bucket/p/k.txt");
    cr_assert(not(presign_answer(&response, &config, &j, 60, NOW_MS, &e)), "%s",
              e.text);
    cr_expect(ne(ptr,
                 strstr(response.body.data,
                        "\"result\":{\"url\":\"s3://bucket/p/k.txt\",\"presigned_url\":"
                        "\"https://bucket.s3.us-east-1.amazonaws.com/p/k.txt?X-Amz-"),
                 NULL),
              "%s", response.body.data);
    cr_expect(
        ne(ptr,
           strstr(response.body.data, "\",\"expires\":\"2013-05-24T00:01:00.000Z\"}"),
           NULL),
        "%s", response.body.data);
    response_finish(&response, false);
    cr_expect(ne(ptr, strstr(response.head.data, "Cache-Control: no-store\r\n"), NULL),
              "%s", response.head.data);
}

static const struct {
    const char *query;
    enum problem want;
    int64_t seconds;
} queries[] = {
    {"", PROBLEM_NONE, 0},
    {"presign=60", PROBLEM_NONE, 60},
    {"presign=0000060", PROBLEM_NONE, 60},
    {"presign=9999999", PROBLEM_NONE, 9999999},
    {"presign=0", PROBLEM_BAD_REQUEST, 0},
    {"presign=", PROBLEM_BAD_REQUEST, 0},
    {"presign=-1", PROBLEM_BAD_REQUEST, 0},
    {"presign=1e3", PROBLEM_BAD_REQUEST, 0},
    {"presign=10000000", PROBLEM_BAD_REQUEST, 0},
    {"presign=60&wait=5", PROBLEM_BAD_REQUEST, 0},
};

Test(presign, takes_whole_seconds)
{
    for (size_t i = 0; i < COUNT(queries); i++) {
        char uri[256];
        char *params[] = {"REQUEST_METHOD=GET", uri, NULL};
        struct request r;
        struct err e = ERR_INIT;
        int64_t seconds = -1;

        snprintf(uri, sizeof uri, "REQUEST_URI=/v1/jobs/x?%s", queries[i].query);
        request_init(&r);
        cr_assert(not(request_parse(&r, params, &e)), "%s", e.text);
        cr_expect(eq(int, presign_read(&r, &seconds, &e), queries[i].want), "%s",
                  queries[i].query);
        cr_expect(eq(i64, seconds, queries[i].seconds), "%s", queries[i].query);
        request_release(&r);
    }
}
