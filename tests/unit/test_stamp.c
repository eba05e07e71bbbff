/*
 * stamp: the name of an object at a time.
 */
#include "shared/stamp.h"

#include "shared/cleanup.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(stamp, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define UUID "0193c0de-7a1b-7c3d-9e4f-0123456789ab"

static const struct stamp at = {.ms = 1709168645999, .id = {UUID}};

static const struct {
    const char *template, *name; /* NULL: refused */
} rows[] = {
    {"", ""},
    {"db.dump", "db.dump"},
    {"{yyyy}-{mm}-{dd}T{hh}:{mi}:{ss}Z", "2024-02-29T01:04:05Z"},
    {"a{id}b{id}", "a" UUID "b" UUID},
    {"{yyyy}{yyyy}", "20242024"},
    {"{", NULL},
    {"a}", NULL},
    {"{}", NULL},
    {"{year}", NULL},
    {"{yyyy", NULL},
    {"{yyyy{mm}}", NULL},
    {"{YYYY}", NULL},
    {"{name}", NULL}, /* of a job alone */
    {"{meta.a}", NULL},
};

static const struct {
    const char *template, *name, *value, *want; /* NULL: refused */
} of_job[] = {
    {"{queue}/{id}{ext}", "Scan.PDF", "", "media/" UUID ".pdf"},
    {"{name}", "a b.txt", "", "a b.txt"},
    {"{name}",
     "Gr\xc3\xbc\xc3\x9f"
     "e%2e.txt",
     "", "Gr__e_2e.txt"},
    {"{name}", NULL, "", "file"},
    {"{meta.a}/x", "", "../../etc", ".._.._etc/x"},
    {"{meta.a}/x", "", "..", "__/x"},
    {"{meta.a}/x", "", "/", "_/x"},
    {"{meta.a}", "", "\xff\xfe{id}", "___id_"},
    {"{meta.a}", "", "", NULL},
    {"{meta.b}", "", "v", NULL},
    {"{meta.}", "", "v", NULL},
    {"{other}", "", "v", NULL},
};

Test(stamp, what_a_client_wrote_becomes_harmless)
{
    for (size_t i = 0; i < COUNT(of_job); i++) {
        CLEANUP(buf_release) struct buf b = BUF_INIT(1024);
        CLEANUP(job_release) struct job j = JOB_INIT;
        struct stamp with = {.ms = at.ms, .id = at.id, .job = &j, .ext = ".pdf"};
        const char *value = of_job[i].value, *name = of_job[i].name;
        struct err e = ERR_INIT;

        memcpy(j.id.queue, "media", 6);
        memcpy(j.id.uuid.text, UUID, sizeof UUID);
        if (name && *name)
            cr_assert(not(job_set_name(&j, name, strlen(name), &e)));
        /* As a client could not: not even UTF-8. */
        j.meta[j.meta_count++] = (struct job_meta){strdup("a"), strdup(value)};
        enum err_code code = stamp_expand(of_job[i].template, &with, &b, &e);
        cr_expect(eq(int, code == ERR_OK, of_job[i].want != NULL), "%s: %s",
                  of_job[i].template, e.text);
        if (of_job[i].want)
            cr_expect(eq(str, b.data, (char *)of_job[i].want));
    }
}

Test(stamp, the_end_of_a_long_name_is_what_is_kept)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(1024);
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct stamp with = {.ms = at.ms, .id = at.id, .job = &j, .ext = ""};
    struct err e = ERR_INIT;
    char name[251];

    memset(name, 'n', sizeof name);
    memcpy(name + sizeof name - 4, ".tgz", 4);
    cr_assert(not(job_set_name(&j, name, sizeof name, &e)));
    cr_assert(not(stamp_expand("{name}", &with, &b, &e)));
    cr_expect(eq(sz, b.len, STAMP_VALUE_MAX));
    cr_expect(eq(str, b.data + b.len - 5, "n.tgz"));
}

Test(stamp, a_template_is_expanded_or_refused)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(buf_release) struct buf b = BUF_INIT(256);
        struct err e = ERR_INIT;
        enum err_code code = stamp_expand(rows[i].template, &at, &b, &e);
        cr_expect(eq(int, code, rows[i].name ? ERR_OK : ERR_CONFIG), "%s",
                  rows[i].template);
        cr_expect(rows[i].name == NULL || strcmp(b.data, rows[i].name) == 0, "%s: %s",
                  rows[i].template, b.data);
    }
}

Test(stamp, a_name_that_is_too_long_is_refused)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(8);
    struct err e = ERR_INIT;

    cr_expect(eq(int, stamp_expand("{id}", &at, &b, &e), ERR_NOMEM));
}
