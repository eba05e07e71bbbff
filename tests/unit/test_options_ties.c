/*
 * options_ties: group, parent, unique key and batch, from the request to the job, or a refusal that says what is allowed.
 */
#include "fcgi-app/upload/options_ties.h"

#include "shared/cleanup.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(options_ties, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define NOW_MS INT64_C(1700000000000)
#define UUID "01a203d3-6eb4-7917-a21f-6d22207c6968"
#define TEN "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

static struct config config;
static struct request request;
static struct options options;

static void up(void)
{
    struct err e = ERR_INIT;
    config_init(&config);
    cr_assert(eq(int, config_parse(&config, "t", "[queue media]\n", NULL, &e), ERR_OK),
              "%s", e.text);
    request_init(&request);
    options = (struct options){.job = JOB_INIT};
}

static void down(void)
{
    options_release(&options);
    request_release(&request);
    config_release(&config);
}

/* The job of a request with these options; header may be NULL. */
static enum problem take(const char *query, const char *header, struct job *ret,
                         struct err *e)
{
    static char uri[4096], param[4096];
    char *params[] = {"REQUEST_METHOD=POST", uri, header ? param : NULL, NULL};
    snprintf(uri, sizeof uri, "REQUEST_URI=/v1/uploads?%s", query);
    snprintf(param, sizeof param, "%s", header ? header : "");
    enum problem p = request_parse(&request, params, e);
    options_release(&options);
    if (!p)
        p = options_init(&options, &config, &request, NOW_MS, e);
    return p ? p : options_make_job(&options, ret, e);
}

Test(options_ties, every_one_reaches_the_job, .init = up, .fini = down)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    cr_assert(eq(int,
                 take("queue=media&group=tenant-7.A_b&after=media." UUID
                      "&after_failure=run&unique=a%26b/c&unique_window=90&batch=" UUID,
                      NULL, &j, &e),
                 PROBLEM_NONE),
              "%s", e.text);
    cr_expect(eq(str, j.group, "tenant-7.A_b"));
    cr_expect(eq(str, j.after, UUID));
    cr_expect(eq(str, j.after_failure, "run"));
    cr_expect(eq(str, j.unique, "a&b/c"));
    cr_expect(eq(i64, j.unique_ms, 90000));
    cr_expect(eq(str, j.batch, UUID));
}

Test(options_ties, the_usual_words_are_not_written, .init = up, .fini = down)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    cr_assert(eq(int,
                 take("after=default." UUID
                      "&after_failure=cancel&unique=x&unique_until=done",
                      NULL, &j, &e),
                 PROBLEM_NONE),
              "%s", e.text);
    cr_expect(zero(ptr, j.after_failure));
    cr_expect(zero(ptr, j.unique_until));
}

Test(options_ties, headers_have_the_same_names, .init = up, .fini = down)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    cr_assert(eq(int, take("unique=x", "HTTP_X_HOIST_UNIQUE_UNTIL=start", &j, &e),
                 PROBLEM_NONE),
              "%s", e.text);
    cr_expect(eq(str, j.unique_until, "start"));
}

Test(options_ties, a_later_field_takes_back_what_an_earlier_one_said, .init = up,
     .fini = down)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    CLEANUP(job_release) struct job again = JOB_INIT;
    struct err e = ERR_INIT;
    struct request_text name = {"unique_until", 12}, value = {"done", 4};
    cr_assert(eq(int, take("unique=x&unique_until=start", NULL, &j, &e), PROBLEM_NONE));
    options_enter_form(&options);
    cr_assert(eq(int, options_set(&options, &name, &value, &e), PROBLEM_NONE));
    cr_assert(eq(int, options_make_job(&options, &again, &e), PROBLEM_NONE));
    cr_expect(zero(ptr, again.unique_until));
}

static const struct {
    const char *query;
    enum problem want;
    const char *says;
} rows[] = {
    {"group=", PROBLEM_BAD_VALUE, "group: 1 to 64"},
    {"group=-a", PROBLEM_BAD_VALUE, "group"},
    {"group=a:b", PROBLEM_BAD_VALUE, "group"},
    {"group=a%20b", PROBLEM_BAD_VALUE, "group"},
    {"group=" SIXTY "01234", PROBLEM_BAD_VALUE, "group"},
    {"group=" SIXTY "0123", PROBLEM_NONE, ""},
    {"after=x", PROBLEM_BAD_VALUE, "QUEUE.UUID"},
    {"after=" UUID, PROBLEM_BAD_VALUE, "QUEUE.UUID"},
    {"after=media." UUID, PROBLEM_BAD_VALUE, "same queue"},
    {"after=default." UUID "&queue=media", PROBLEM_BAD_VALUE, "same queue"},
    {"after=media." UUID "&queue=media", PROBLEM_NONE, ""},
    {"after_failure=run", PROBLEM_BAD_VALUE, "together with after"},
    {"after_failure=cancel", PROBLEM_BAD_VALUE, "together with after"},
    {"after=default." UUID "&after_failure=maybe", PROBLEM_BAD_VALUE, "cancel or run"},
    {"unique=", PROBLEM_BAD_VALUE, "unique: 1 to 128"},
    {"unique=a%20b", PROBLEM_BAD_VALUE, "graphic"},
    {"unique=%C3%BC", PROBLEM_BAD_VALUE, "graphic"},
    {"unique=" SIXTY SIXTY "012345678", PROBLEM_BAD_VALUE, "128"},
    {"unique=" SIXTY SIXTY "01234567", PROBLEM_NONE, ""},
    {"unique_until=start", PROBLEM_BAD_VALUE, "together with unique"},
    {"unique_window=5", PROBLEM_BAD_VALUE, "together with unique"},
    {"unique=x&unique_until=end", PROBLEM_BAD_VALUE, "done or start"},
    {"unique=x&unique_window=1.5", PROBLEM_BAD_VALUE, "whole seconds"},
    {"unique=x&unique_window=31536001", PROBLEM_BAD_VALUE, "a year"},
    {"unique=x&unique_until=start&unique_window=1", PROBLEM_BAD_VALUE, "not together"},
    {"batch=x", PROBLEM_BAD_VALUE, "batch"},
    {"batch=01a203d3-6eb4-4917-a21f-6d22207c6968", PROBLEM_BAD_VALUE, "batch"},
    {"group=a&group=b", PROBLEM_BAD_OPTION, "twice"},
};

Test(options_ties, what_cannot_be_is_refused_with_what_is_allowed, .init = up,
     .fini = down)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(job_release) struct job j = JOB_INIT;
        struct err e = ERR_INIT;
        cr_expect(eq(int, take(rows[i].query, NULL, &j, &e), rows[i].want), "%s: %s",
                  rows[i].query, e.text);
        cr_expect(strstr(e.text, rows[i].says) != NULL, "%s: %s", rows[i].query,
                  e.text);
    }
}
