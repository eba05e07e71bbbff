/*
 * job_key: keys made by a template; one for each job, below the prefix, whatever a client wrote.
 */
#include "shared/job_key.h"

#include "shared/cleanup.h"
#include "shared/convert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(job_key, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define S3 "access_key=A\nsecret_key=B\nurl=s3://bucket"
#define UUID "0193c0de-7a1b-7c3d-9e4f-0123456789ab"

static struct job job_named(const char *name)
{
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;

    memcpy(j.id.queue, "media", 6);
    memcpy(j.id.uuid.text, UUID, sizeof UUID);
    j.created = 1709168645999; /* 2024-02-29T01:04:05.999Z */
    j.to = strdup("d");
    cr_assert(not(job_set_name(&j, name, strlen(name), &e)));
    return j;
}

/* One with the destination d and the converter zip. */
static struct config config_with(const char *destination)
{
    struct config c;
    struct err e = ERR_INIT;
    char text[2048];

    snprintf(text, sizeof text,
             "[converter zip]\nrun=zip\nextension=.zip\n[destination d]\n%s\n",
             destination);
    config_init(&c);
    cr_assert(not(config_parse(&c, "t.ini", text, NULL, &e)), "%s", e.text);
    return c;
}

static const struct {
    const char *template;
    bool allowed;
} templates[] = {
    {"{id}", true},
    {"{yyyy}/{mm}/{dd}/{id}{ext}", true},
    {"{queue}/{meta.user}/{id}-{name}", true},
    {"{hh}{mi}{ss}-{id}", true},
    {"{yyyy}/{name}", false}, /* no {id} */
    {"plain", false},
    {"/{id}", false},
    {"{id}/", false},
    {"{id}//x", false},
    {"../{id}", false},
    {"{id}/./x", false},
    {"{id}%41", false},
    {"{id}?x", false},
    {"\xc3\xa9/{id}", false},
    {"{ext}/{id}", false}, /* may be an empty segment */
    {"{id}{year}", false},
    {"{id}{", false},
    {"{id}{meta.A B}", false},
    {"{id}{name}{meta.a}", false}, /* too long for one segment */
    {"{id}/{meta.a}/{meta.b}/{meta.c}/{meta.d}/{meta.e}/{meta.f}/{meta.g}/{meta.h}/"
     "{meta.i}/{meta.j}/{meta.k}/{meta.l}",
     false}, /* too long for any key */
};

Test(job_key, templates_are_checked_at_the_start)
{
    for (size_t i = 0; i < COUNT(templates); i++) {
        struct err e = ERR_INIT;
        enum err_code code = job_key_check_template(templates[i].template, 0, &e);
        cr_expect(eq(int, code, templates[i].allowed ? ERR_OK : ERR_CONFIG), "%s: %s",
                  templates[i].template, e.text);
    }
}

Test(job_key, a_template_must_fit_behind_its_prefix)
{
    struct err e = ERR_INIT;

    cr_expect(not(job_key_check_template("{id}", JOB_KEY_MAX - ID_UUID_LEN, &e)));
    cr_expect(eq(int, job_key_check_template("{id}", JOB_KEY_MAX - ID_UUID_LEN + 1, &e),
                 ERR_CONFIG));
}

Test(job_key, is_made_by_the_template_of_the_destination)
{
    CLEANUP(job_release) struct job j = job_named("Scan 1.PDF");
    CLEANUP(config_release)
    struct config c =
        config_with("url=file:///x\nkey={yyyy}/{mm}/{dd}/{meta.user}/{id}{ext}");
    struct err e = ERR_INIT;

    cr_expect(eq(int, job_key_fill(&c, &j, &e), ERR_REJECT));
    cr_expect(ne(ptr, strstr(e.text, "meta.user"), NULL), "%s", e.text);
    cr_assert(not(job_add_meta(&j, "user", 4, "../zo\xc3\xab", 7, &e)));
    cr_assert(not(job_key_fill(&c, &j, &e)), "%s", e.text);
    cr_expect(eq(str, j.key, "2024/02/29/.._zo_/" UUID ".pdf"));
    cr_expect(convert_owns_key(&j));
}

Test(job_key, without_a_template_is_the_default_key)
{
    CLEANUP(job_release) struct job j = job_named("Scan 1.PDF");
    CLEANUP(config_release) struct config c = config_with("url=file:///x");
    struct err e = ERR_INIT;

    cr_assert(not(job_key_fill(&c, &j, &e)), "%s", e.text);
    cr_expect(eq(str, j.key, UUID ".pdf"));
    cr_expect(convert_owns_key(&j));
}

Test(job_key, of_what_converters_make_has_their_uuid_and_extension)
{
    CLEANUP(job_release) struct job j = job_named("Scan 1.PDF");
    CLEANUP(config_release)
    struct config c = config_with("url=file:///x\nkey={queue}/{id}{ext}");
    char usual[CONVERT_KEY_SIZE], want[CONVERT_KEY_SIZE + 6];
    struct err e = ERR_INIT;

    j.convert = strdup("zip");
    cr_assert(not(convert_key(&j, ".zip", usual, &e)));
    snprintf(want, sizeof want, "media/%s", usual);
    cr_assert(not(job_key_fill(&c, &j, &e)), "%s", e.text);
    cr_expect(eq(str, j.key, want));
    cr_expect(convert_owns_key(&j));
}

Test(job_key, that_a_client_chose_stays_and_is_not_the_jobs_own)
{
    CLEANUP(job_release) struct job j = job_named("x");
    CLEANUP(config_release)
    struct config c = config_with("url=file:///x\nkey={id}");
    struct err e = ERR_INIT;

    cr_assert(not(job_set_key(&j, "a/b", 3, &e)));
    cr_assert(not(job_key_fill(&c, &j, &e)));
    cr_expect(eq(str, j.key, "a/b"));
    cr_expect(not(convert_owns_key(&j)));
}

Test(job_key, that_is_too_long_behind_the_prefix_is_refused)
{
    CLEANUP(job_release) struct job j = job_named("x");
    char key[JOB_KEY_MAX - 3 + 1];
    CLEANUP(config_release)
    struct config c = config_with(S3 "/abc"), shorter = config_with(S3 "/ab");
    struct err e = ERR_INIT;

    memset(key, 'k', sizeof key);
    for (size_t i = 100; i < sizeof key - 1; i += 100)
        key[i] = '/';
    cr_assert(not(job_set_key(&j, key, sizeof key - 1, &e)));
    cr_expect(eq(int, job_key_fill(&c, &j, &e), ERR_REJECT));
    cr_expect(not(job_key_fill(&shorter, &j, &e)));
    config_release(&shorter);
    cr_expect(not(j.key == NULL));
}

/* A client's key stays below the prefix: none that a server, a proxy or a file system would read as another. */
Test(job_key, that_leads_out_of_the_prefix_is_refused)
{
    static const char *const bad[] = {"..",           "../x",   "a/../x",
                                      "a/..",         "./a",    "a/./b",
                                      "/a",           "a/",     "a//b",
                                      "%2e%2e/x",     "..%2fx", "a%00",
                                      "a\\b",         "a\nb",   "a?b",
                                      "a#b",          "a;b",    "\xc0\xae\xc0\xae/x",
                                      "\xef\xbc\x8f", "",       "a/\xe2\x80\xa6/b",
                                      "a:b",          "a*",     "~/x"};

    for (size_t i = 0; i < COUNT(bad); i++) {
        CLEANUP(job_release) struct job j = job_named("x");
        struct err e = ERR_INIT;
        cr_expect(eq(int, job_set_key(&j, bad[i], strlen(bad[i]), &e), ERR_REJECT),
                  "'%s'", bad[i]);
    }
}
