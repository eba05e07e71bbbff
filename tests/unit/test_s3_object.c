/*
 * s3_object: Content-Disposition and tags.
 */
#include "worker/s3/s3_object.h"

#include "shared/cleanup.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(s3_object, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct {
    const char *template, *name, *want;
} dispositions[] = {
    {"inline", "x", "inline"},
    {"attachment; {name}", "a b.txt", "attachment; filename=\"a b.txt\""},
    {"attachment; {name}",
     "Gr\xc3\xbc\xc3\x9f"
     "e.txt",
     "attachment; filename=\"Gr__e.txt\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt"},
    {"attachment; {name}", "a\"; x=\"\\.exe",
     "attachment; filename=\"a_; x=__.exe\"; "
     "filename*=UTF-8''a%22%3B%20x%3D%22%5C.exe"},
    {"{name}", "50%41", "filename=\"50_41\"; filename*=UTF-8''50%2541"},
    {"{name}", "\xff\r\n", "filename=\"___\"; filename*=UTF-8''%FF%0D%0A"},
    {"a {name} {name}", "x", "a filename=\"x\" filename=\"x\""},
};

Test(s3_object, a_file_name_cannot_leave_its_quotes)
{
    for (size_t i = 0; i < COUNT(dispositions); i++) {
        CLEANUP(buf_release) struct buf b = BUF_INIT(1024);
        s3_object_add_disposition(&b, dispositions[i].template, dispositions[i].name);
        cr_expect(eq(str, b.data, (char *)dispositions[i].want));
    }
}

static const char *const tags[][2] = {
    {"a=b", "a=b"},
    {"team=a b&kind=x+y", "team=a%20b&kind=x%2By"},
    {"a=b=c", "a=b%3Dc"},
    {"a=", "a="},
    {"", ""},
};

Test(s3_object, tags_are_encoded_as_a_query)
{
    for (size_t i = 0; i < COUNT(tags); i++) {
        CLEANUP(buf_release) struct buf b = BUF_INIT(1024);
        s3_object_add_tags(&b, tags[i][0]);
        cr_expect(eq(str, b.data, (char *)tags[i][1]));
    }
}
