/*
 * media_type: lists of types, and what is on them.
 */
#include "shared/media_type.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(media_type, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

Test(media_type, lists_are_types_and_kinds)
{
    static const char *const good[] = {"",
                                       " , ",
                                       "image/*",
                                       "image/*, application/pdf",
                                       "application/vnd.ms-excel,Text/X-C++",
                                       "a/b\tc/d"};
    static const char *const bad[] = {
        "image",    "image/",        "/png",    "*/*",  "*",         "image/p*",
        "image/**", "image/png;q=1", "a/b;c/d", "a//b", "image/\"x", "a/b c"};

    for (size_t i = 0; i < COUNT(good); i++)
        cr_expect(media_type_is_list(good[i]), "%s", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        cr_expect(not(media_type_is_list(bad[i])), "%s", bad[i]);
}

Test(media_type, a_type_is_listed_itself_or_by_its_kind)
{
    static const char list[] = "image/*, application/pdf";
    static const char *const yes[] = {
        "image/png",          "IMAGE/PNG",
        "application/pdf",    "Application/PDF; charset=x",
        "image/svg+xml ;a=b", "image/x"};
    static const char *const no[] = {"",
                                     "image/",
                                     "image",
                                     "imagex/png",
                                     "text/image/png",
                                     "application/pdfx",
                                     "application/pd",
                                     "*",
                                     ";image/png"};

    for (size_t i = 0; i < COUNT(yes); i++)
        cr_expect(media_type_is_listed(list, yes[i], strlen(yes[i])), "%s", yes[i]);
    for (size_t i = 0; i < COUNT(no); i++)
        cr_expect(not(media_type_is_listed(list, no[i], strlen(no[i]))), "%s", no[i]);
    cr_expect(not(media_type_is_listed("", "image/png", 9)));
    cr_expect(media_type_is_listed("image/png", "image/png/x", 9), "its length counts");
}
