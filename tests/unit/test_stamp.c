/*
 * stamp: the name of an object at a time.
 */
#include "shared/stamp.h"

#include "shared/cleanup.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(stamp, .timeout = 10);

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
};

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
