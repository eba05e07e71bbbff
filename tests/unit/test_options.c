/*
 * options: from query, headers and form fields to a job, or a refusal that names the option.
 */
#include "fcgi-app/upload/options.h"

#include "shared/cleanup.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(options, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define NOW_MS INT64_C(1700000000000) /* 2023-11-14T22:13:20Z */

static struct config config;
static struct request request;
static struct options options;

static void up(void)
{
    struct err e = ERR_INIT;
    config_init(&config);
    cr_assert(
        eq(int,
           config_parse(&config, "t",
                        "[queue media]\npriority = 2\nto = disk\nmax_attempts = 4\n"
                        "[destination disk]\nurl = file:///srv/x\n"
                        "[queue shots]\nconvert = thumb, gzip\n"
                        "[converter thumb]\nrun = true\n[converter gzip]\nrun = true\n"
                        "[destination s3]\nurl = s3://bucket\naccess_key = A\n"
                        "secret_key = B\n",
                        NULL, &e),
           ERR_OK),
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

/* The options of a request; header may be NULL. */
static enum problem take(const char *query, const char *header, struct err *e)
{
    static char uri[4096], param[4096];
    char *params[] = {"REQUEST_METHOD=POST", uri, header ? param : NULL, NULL};
    snprintf(uri, sizeof uri, "REQUEST_URI=/v1/uploads?%s", query);
    snprintf(param, sizeof param, "%s", header ? header : "");
    enum problem p = request_parse(&request, params, e);
    options_release(&options);
    return p ? p : options_init(&options, &config, &request, NOW_MS, e);
}

static enum problem set(const char *name, const char *value, struct err *e)
{
    struct request_text n = {name, strlen(name)}, v = {value, strlen(value)};
    return options_set(&options, &n, &v, e);
}

Test(options, without_any_the_default_queue_decides, .init = up, .fini = down)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    cr_assert(eq(int, take("", NULL, &e), PROBLEM_NONE), "%s", e.text);
    cr_assert(eq(int, options_make_job(&options, &j, &e), PROBLEM_NONE));
    cr_expect(eq(str, j.id.queue, "default"));
    cr_expect(eq(i64, j.priority, 5));
    cr_expect(eq(i64, j.due, 0));
    cr_expect(eq(str, j.to, "default"));
    cr_expect(eq(str, j.source, "spool"));
    cr_expect(eq(i64, j.created, NOW_MS));
    cr_expect(zero(ptr, j.key));
}

Test(options, a_queue_brings_its_own_defaults, .init = up, .fini = down)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    cr_assert(eq(int, take("queue=media", NULL, &e), PROBLEM_NONE), "%s", e.text);
    cr_assert(eq(int, options_make_job(&options, &j, &e), PROBLEM_NONE));
    cr_expect(eq(str, j.id.queue, "media"));
    cr_expect(eq(i64, j.priority, 2));
    cr_expect(eq(i64, j.max_attempts, 4));
    cr_expect(eq(str, j.to, "disk"));
}

Test(options, every_option_reaches_the_job, .init = up, .fini = down)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    cr_assert(
        eq(int,
           take("queue=media&priority=0&delay=60&to=default&key=a/b.txt&name=../c.txt"
                "&meta.author=%C3%BC",
                NULL, &e),
           PROBLEM_NONE),
        "%s", e.text);
    cr_assert(eq(int, options_make_job(&options, &j, &e), PROBLEM_NONE));
    cr_expect(eq(i64, j.priority, 0));
    cr_expect(eq(i64, j.due, NOW_MS + 60000));
    cr_expect(eq(str, j.to, "default"));
    cr_expect(eq(str, j.key, "a/b.txt"));
    cr_expect(eq(str, j.name, "c.txt"));
    cr_assert(eq(sz, j.meta_count, 1));
    cr_expect(eq(str, j.meta[0].name, "author"));
    cr_expect(eq(str, j.meta[0].value, "\xC3\xBC"));
}

Test(options, headers_are_options_too, .init = up, .fini = down)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    cr_assert(eq(int, take("priority=1", "HTTP_X_HOIST_META_FIRST_NAME=me", &e),
                 PROBLEM_NONE),
              "%s", e.text);
    cr_assert(eq(int, options_make_job(&options, &j, &e), PROBLEM_NONE));
    cr_assert(eq(sz, j.meta_count, 1));
    cr_expect(eq(str, j.meta[0].name, "first-name"));
    cr_expect(eq(i64, j.priority, 1));
}

Test(options, form_fields_override_for_what_follows, .init = up, .fini = down)
{
    CLEANUP(job_release) struct job first = JOB_INIT;
    CLEANUP(job_release) struct job second = JOB_INIT;
    struct err e = ERR_INIT;
    cr_assert(eq(int, take("priority=1&meta.a=x", NULL, &e), PROBLEM_NONE));
    options_enter_form(&options);
    cr_assert(eq(int, options_make_job(&options, &first, &e), PROBLEM_NONE));
    cr_assert(eq(int, set("priority", "7", &e), PROBLEM_NONE));
    cr_assert(eq(int, set("meta.a", "y", &e), PROBLEM_NONE));
    cr_assert(eq(int, set("priority", "8", &e), PROBLEM_NONE));
    cr_assert(eq(int, options_make_job(&options, &second, &e), PROBLEM_NONE));
    cr_expect(eq(i64, first.priority, 1));
    cr_expect(eq(str, first.meta[0].value, "x"));
    cr_expect(eq(i64, second.priority, 8));
    cr_assert(eq(sz, second.meta_count, 1));
    cr_expect(eq(str, second.meta[0].value, "y"));
    cr_expect(eq(int, set("name", "x", &e), PROBLEM_BAD_OPTION));
}

Test(options, to_may_name_several, .init = up, .fini = down)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;

    cr_assert(eq(int, take("to=disk,+default", NULL, &e), PROBLEM_NONE), "%s", e.text);
    cr_assert(eq(int, options_make_job(&options, &j, &e), PROBLEM_NONE));
    cr_expect(eq(str, j.to, "disk,default"));
}

Test(options, at_is_a_time_and_the_past_is_now, .init = up, .fini = down)
{
    struct err e = ERR_INIT;
    cr_assert(eq(int, take("at=2023-11-14T22:13:21Z", NULL, &e), PROBLEM_NONE), "%s",
              e.text);
    cr_expect(eq(i64, options.job.due, NOW_MS + 1000));
    cr_assert(eq(int, take("at=2023-11-14T23:13:21%2B01:00", NULL, &e), PROBLEM_NONE));
    cr_expect(eq(i64, options.job.due, NOW_MS + 1000));
    cr_assert(eq(int, take("at=1999-01-01T00:00:00Z", NULL, &e), PROBLEM_NONE));
    cr_expect(eq(i64, options.job.due, 0));
}

static const struct {
    const char *query, *header;
    enum problem want;
    const char *names; /* stands in the text */
} bad[] = {
    {"queue=nope", NULL, PROBLEM_UNKNOWN_QUEUE, "nope"},
    {"queue=", NULL, PROBLEM_UNKNOWN_QUEUE, "queue"},
    {"queue=../x", NULL, PROBLEM_UNKNOWN_QUEUE, "queue"},
    {"to=nope", NULL, PROBLEM_UNKNOWN_DESTINATION, "nope"},
    {"to=disk,nope", NULL, PROBLEM_UNKNOWN_DESTINATION, "nope"},
    {"to=disk,disk", NULL, PROBLEM_BAD_OPTION, "twice"},
    {"to=", NULL, PROBLEM_BAD_OPTION, "to"},
    {"priority=10", NULL, PROBLEM_BAD_OPTION, "priority"},
    {"priority=-1", NULL, PROBLEM_BAD_OPTION, "priority"},
    {"priority=", NULL, PROBLEM_BAD_OPTION, "priority"},
    {"priority=1e0", NULL, PROBLEM_BAD_OPTION, "priority"},
    {"delay=31536001", NULL, PROBLEM_BAD_OPTION, "delay"},
    {"delay=99999999999", NULL, PROBLEM_BAD_OPTION, "delay"},
    {"delay=1.5", NULL, PROBLEM_BAD_OPTION, "delay"},
    {"delay=-1", NULL, PROBLEM_BAD_OPTION, "delay"},
    {"at=tomorrow", NULL, PROBLEM_BAD_OPTION, "at"},
    {"at=2025-01-01T00:00:00Z", NULL, PROBLEM_BAD_OPTION, "year"},
    {"at=2023-12-01T00:00:00Z&delay=1", NULL, PROBLEM_BAD_OPTION, "delay"},
    {"key=../x", NULL, PROBLEM_BAD_OPTION, "key"},
    {"key=/x", NULL, PROBLEM_BAD_OPTION, "key"},
    {"key=a%0Ab", NULL, PROBLEM_BAD_OPTION, "key"},
    {"key=", NULL, PROBLEM_BAD_OPTION, "key"},
    {"meta.=x", NULL, PROBLEM_BAD_OPTION, "meta."},
    {"meta.A=x", NULL, PROBLEM_BAD_OPTION, "meta"},
    {"meta.a=%01", NULL, PROBLEM_BAD_OPTION, "meta"},
    {"meta.a=x&meta.a=y", NULL, PROBLEM_BAD_OPTION, "meta"},
    {"quee=x", NULL, PROBLEM_BAD_OPTION, "quee"},
    {"Queue=media", NULL, PROBLEM_BAD_OPTION, "Queue"},
    {"queue=media&queue=media", NULL, PROBLEM_BAD_OPTION, "twice"},
    {"queue=media", "HTTP_X_HOIST_QUEUE=media", PROBLEM_BAD_OPTION, "twice"},
    {"", "HTTP_X_HOIST_QUEU=media", PROBLEM_BAD_OPTION, "queu"},
    {"", "HTTP_X_HOIST_=media", PROBLEM_BAD_OPTION, "no option"},
    {"convert=x", NULL, PROBLEM_UNKNOWN_CONVERTER,
     "convert: there is no [converter x]"},
    {"convert=thumb,x", NULL, PROBLEM_UNKNOWN_CONVERTER, "[converter x]"},
    {"convert=thumb:2", NULL, PROBLEM_UNKNOWN_CONVERTER, "convert"},
    {"convert=gzip,gzip,gzip,gzip,gzip,gzip,gzip,gzip,gzip", NULL,
     PROBLEM_UNKNOWN_CONVERTER, "at most 8"},
    {"convert=gzip&convert=gzip", NULL, PROBLEM_BAD_OPTION, "twice"},
    {"", "HTTP_X_HOIST_CALLBACK=http://x", PROBLEM_CALLBACK_REFUSED, "callback"},
    {"sha256=x", NULL, PROBLEM_BAD_OPTION, "64 hex digits"},
    {"", "HTTP_CONTENT_RANGE=bytes 0-1/2", PROBLEM_BAD_REQUEST, "Content-Range"},
};

Test(options, what_is_wrong_is_refused_by_name, .init = up, .fini = down)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err e = ERR_INIT;
        cr_expect(eq(int, take(bad[i].query, bad[i].header, &e), bad[i].want),
                  "row %zu: %s %s", i, bad[i].query, e.text);
        cr_expect(strstr(e.text, bad[i].names) != NULL, "row %zu: %s", i, e.text);
    }
}

/* What convert becomes in the job that these options make. */
static void expect_convert(const char *query, const char *want)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;

    cr_assert(eq(int, take(query, NULL, &e), PROBLEM_NONE), "%s", e.text);
    cr_assert(eq(int, options_make_job(&options, &j, &e), PROBLEM_NONE), "%s", e.text);
    cr_expect(eq(str, j.convert ? j.convert : "none", (char *)want), "%s", query);
}

Test(options, converters_are_those_of_the_queue_unless_others_or_none_are_named,
     .init = up, .fini = down)
{
    expect_convert("", "none");
    expect_convert("convert=thumb", "thumb");
    expect_convert("convert=thumb,%20gzip", "thumb,gzip");
    expect_convert("queue=shots", "thumb,gzip");
    expect_convert("convert=gzip&queue=shots", "gzip");
    expect_convert("queue=shots&convert=", "none");
}

/* As much as travels in the headers: each byte of an ë is three there. */
Test(options, metadata_must_fit_into_a_request_where_it_goes_to_s3, .init = up,
     .fini = down)
{
    static const char letter[] = "\xc3\xab";
    CLEANUP(job_release) struct job j = JOB_INIT;
    CLEANUP(buf_release) struct buf long_text = BUF_INIT(2048);
    struct err e = ERR_INIT;

    for (int i = 0; i < 400; i++)
        buf_puts(&long_text, letter);
    cr_assert(eq(int, take("to=s3", NULL, &e), PROBLEM_NONE), "%s", e.text);
    cr_assert(eq(int, set("meta.a", long_text.data, &e), PROBLEM_NONE), "%s", e.text);
    cr_expect(eq(int, options_make_job(&options, &j, &e), PROBLEM_BAD_OPTION));
    cr_expect(ne(ptr, strstr(e.text, "meta: 2412 bytes"), NULL), "%s", e.text);
    cr_expect(zero(ptr, j.to), "nothing is left of it");
    cr_assert(eq(int, take("to=disk,s3", NULL, &e), PROBLEM_NONE), "%s", e.text);
    cr_assert(eq(int, set("meta.a", long_text.data, &e), PROBLEM_NONE), "%s", e.text);
    cr_expect(eq(int, options_make_job(&options, &j, &e), PROBLEM_BAD_OPTION));
    cr_assert(eq(int, take("to=disk", NULL, &e), PROBLEM_NONE), "%s", e.text);
    cr_assert(eq(int, set("meta.a", long_text.data, &e), PROBLEM_NONE), "%s", e.text);
    cr_expect(eq(int, options_make_job(&options, &j, &e), PROBLEM_NONE), "%s", e.text);
}
