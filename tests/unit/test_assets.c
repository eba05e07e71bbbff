/* assets: what an Accept-Encoding allows, and what is built in. */
#include "fcgi-app/web/assets.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(assets, .timeout = 60);

static const struct {
    const char *header;
    bool want;
} rows[] = {
    {NULL, false},
    {"", false},
    {"gzip", true},
    {"GZip", true},
    {"x-gzip", true},
    {"deflate, gzip;q=1.0, *;q=0.5", true},
    {"br , gzip", true},
    {"*", true},
    {"*;q=0", false},
    {"gzip;q=0", false},
    {"gzip;q=0.000", false},
    {"gzip ; Q=0", false},
    {"gzip;x=1;q=0", false},
    {"gzip;q=0.001", true},
    {"gzip;q=", true},
    {"*;q=1, gzip;q=0", false},
    {"gzip;q=0, *;q=1", false},
    {"identity", false},
    {"gzipped, xgzip", false},
    {"br;q=0, gzip", true},
    {",,;,", false},
    {"gzip;", true},
    {"gzip;;;q=0", false},
};

Test(assets, accept_encoding_says_whether_gzip_is_welcome)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect(eq(int, asset_accepts_gzip(rows[i].header), rows[i].want), "%s",
                  rows[i].header ? rows[i].header : "(none)");
}

Test(assets, each_is_there_once_with_tags_of_its_own)
{
    cr_expect(assets_count > 0);
    for (size_t i = 0; i < assets_count; i++) {
        const struct asset *a = &assets[i];
        cr_expect(asset_find(a->path) == a, "%s", a->path);
        cr_expect(a->plain.len > 0 && a->plain.etag[0] == '"', "%s", a->path);
        cr_expect(a->packed.bytes == NULL || a->packed.len < a->plain.len, "%s",
                  a->path);
        cr_expect(a->packed.bytes == NULL ||
                      (a->packed.bytes[0] == 0x1f &&
                       strcmp(a->packed.etag, a->plain.etag) != 0),
                  "%s", a->path);
        for (size_t j = 0; j < i; j++)
            cr_expect(strcmp(assets[j].plain.etag, a->plain.etag) != 0, "%s and %s",
                      assets[j].path, a->path);
    }
    cr_expect(asset_find("index.html") != NULL);
    cr_expect(asset_find("") == NULL && asset_find("index.htm") == NULL);
}

/* What a first visit loads must be there within a second behind a slow link. */
Test(assets, all_of_them_are_under_sixty_kilobytes_as_they_are_sent)
{
    size_t sum = 0;

    for (size_t i = 0; i < assets_count; i++)
        if (strcmp(assets[i].path, "index.html") == 0 ||
            strncmp(assets[i].path, "ui/", 3) == 0)
            sum += assets[i].packed.bytes ? assets[i].packed.len : assets[i].plain.len;
    cr_expect(sum < 60 * 1024, "%zu bytes", sum);
}
