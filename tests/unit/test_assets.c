/* assets: what an Accept-Encoding allows, and what is built in. */
#include "fcgi-app/web/assets.h"

#include <stddef.h>
#include <stdio.h>
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

static size_t sent_len(const struct asset *a)
{
    return a->packed.bytes ? a->packed.len : a->plain.len;
}

/* Whether the text is in its bytes. */
static bool holds(const struct asset *a, const char *text)
{
    return memmem(a->plain.bytes, a->plain.len, text, strlen(text)) != NULL;
}

/* Calls see for each file that index.html names, by src="ui/… or href="ui/….  How many. */
static size_t each_named(const struct asset *page, void (*see)(const struct asset *a))
{
    static const char *const before[] = {"src=\"ui/", "href=\"ui/"};
    const char *text = (const char *)page->plain.bytes;
    const char *end = text + page->plain.len;
    size_t count = 0;

    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        const char *at = text;
        while ((at = memmem(at, (size_t)(end - at), before[i], strlen(before[i])))) {
            char path[64] = "";
            at = memchr(at, '"', (size_t)(end - at));
            at++;
            const char *quote = memchr(at, '"', (size_t)(end - at));
            cr_assert(quote && quote - at < (ptrdiff_t)sizeof path);
            size_t len = (size_t)(quote - at);
            memcpy(path, at, len);
            const struct asset *a = asset_find(path);
            cr_assert(a != NULL, "there is no %s", path);
            see(a);
            count++;
        }
    }
    return count;
}

enum {
    FIRST_SEGMENTS_BYTES =
        10 * 1448,   /* RFC 6928, with time stamps: these need no acknowledgement */
    HEAD_BYTES = 400 /* status and headers, as nginx sends them */
};
static size_t first_view_bytes;

static void expect_at_once(const struct asset *a)
{
    cr_expect(sent_len(a) + HEAD_BYTES <= FIRST_SEGMENTS_BYTES, "%s: %zu bytes",
              a->path, sent_len(a));
    bool needs_more = holds(a, "\nimport ") || holds(a, "\nexport {") ||
                      holds(a, "@import") || holds(a, "url(\"ui");
    cr_expect(eq(int, needs_more, false), "%s needs another file first", a->path);
    cr_expect(strncmp((const char *)a->plain.bytes, "import ", 7) != 0, "%s", a->path);
    first_view_bytes += sent_len(a);
}

/* Behind a slow link each answer that leads to another request costs a round trip, and so does what is larger than a
 * connection may send at first. */
Test(assets, the_first_view_is_the_page_and_what_it_names_each_sent_at_once)
{
    const struct asset *page = asset_find("index.html");

    cr_assert(page != NULL);
    cr_expect(
        eq(sz, each_named(page, expect_at_once), 3)); /* early.js, style, app.js */
    cr_expect(sent_len(page) < 1448 && first_view_bytes < 24 * 1024,
              "%zu and %zu bytes", sent_len(page), first_view_bytes);
}

/* What is loaded later takes from app.js what is there already, or the page would have two states. */
Test(assets, no_module_is_there_twice)
{
    static const char *const joined[] = {"tools",   "api",      "feed", "parts",
                                         "workers", "overview", "main"};

    for (size_t i = 0; i < sizeof joined / sizeof joined[0]; i++) {
        char path[32], from[32], own[48];
        (void)snprintf(path, sizeof path, "ui/%s.js", joined[i]);
        (void)snprintf(from, sizeof from, "\"./%s.js\"", joined[i]);
        (void)snprintf(own, sizeof own, "export const $%s = ", joined[i]);
        cr_expect(asset_find(path) == NULL, "%s", path);
        cr_expect(holds(asset_find("ui/app.js"), own), "%s", own);
        for (size_t j = 0; j < assets_count; j++)
            cr_expect(strncmp(assets[j].path, "ui/", 3) != 0 ||
                          !holds(&assets[j], from),
                      "%s imports %s", assets[j].path, from);
    }
}
