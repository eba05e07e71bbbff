/* The converters of deploy/converters.ini, in hoist-worker as it ships: the programs of their packages, held as they will be. */
#include "tests/integration/converter_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct worker_rig rig;
static char settings[8192];

/* The file as it stands, and what undoes the two that pack. */
static void up(void)
{
    static const char more[] = "[converter gunzip]\nrun = gzip -d -c\n"
                               "[converter unzstd]\nrun = zstd -d -c\n";
    FILE *f = fopen(HOIST_CONVERTERS_INI, "r");

    cr_assert(f != NULL);
    size_t n = fread(settings, 1, sizeof settings - sizeof more, f);
    cr_assert(feof(f) != 0 && n > 0);
    (void)fclose(f);
    memcpy(settings + n, more, sizeof more);
    rig_up(&rig, settings);
    rig_start(&rig, "a");
}

static void down(void)
{
    rig_down(&rig);
}

TestSuite(converter_examples, .init = up, .fini = down, .timeout = 120);

/* What became of the job, at most size bytes of it; its length. */
static size_t object_of(const struct job_id *id, unsigned char *ret, size_t size)
{
    char path[512];

    cr_assert(rig_wait_state(&rig, id, "done", 20000), "%s",
              rig_field(&rig, id, "error"));
    (void)snprintf(path, sizeof path, "%s/%s", rig.objects.path, id->uuid.text);
    FILE *f = fopen(path, "r");
    cr_assert(f != NULL);
    size_t n = fread(ret, 1, size, f);
    (void)fclose(f);
    return n;
}

/* Width and height in the header of a PNG (its specification, section 11.2.2). */
static void expect_png(const struct job_id *id, unsigned width, unsigned height)
{
    static const unsigned char head[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    unsigned char png[64] = {0};

    cr_assert(object_of(id, png, sizeof png) == sizeof png);
    cr_assert(memcmp(png, head, sizeof head) == 0);
    cr_expect(eq(uint,
                 (unsigned)(png[16] << 24 | png[17] << 16 | png[18] << 8 | png[19]),
                 width));
    cr_expect(eq(uint,
                 (unsigned)(png[20] << 24 | png[21] << 16 | png[22] << 8 | png[23]),
                 height));
}

Test(converter_examples, what_is_packed_is_smaller_and_unpacks_to_what_it_was)
{
    static char text[20001];

    memset(text, 'a', sizeof text - 1);
    struct job_id gzip =
        rig_put(&rig, &(struct rig_job){.data = text, .convert = "gzip"});
    struct job_id zstd =
        rig_put(&rig, &(struct rig_job){.data = text, .convert = "zstd"});
    struct job_id both = rig_put(
        &rig, &(struct rig_job){.data = text, .convert = "gzip,zstd,unzstd,gunzip"});
    unsigned char head[4] = {0};

    cr_expect(eq(sz, object_of(&gzip, head, 4), 4));
    cr_expect(eq(int, memcmp(head, "\x1f\x8b\x08", 3), 0));
    cr_expect(lt(i64, rig_number(&rig, &gzip, "out_bytes"), 200));
    cr_expect(eq(sz, object_of(&zstd, head, 4), 4));
    cr_expect(eq(int, memcmp(head, "\x28\xb5\x2f\xfd", 4), 0));
    cr_expect(lt(i64, rig_number(&rig, &zstd, "out_bytes"), 200));
    cr_assert(rig_wait_state(&rig, &both, "done", 20000));
    char sum[80];
    (void)snprintf(sum, sizeof sum, "%s", rig_field(&rig, &both, "sha256"));
    cr_expect(eq(str, (char *)rig_field(&rig, &both, "out_sha256"), sum));
}

/* A picture of 640 by 320 in the simplest form there is. */
static struct job_id put_picture(void)
{
    enum { WIDTH = 640, HEIGHT = 320, HEAD = 15 };
    static char picture[HEAD + 3 * WIDTH * HEIGHT + 1];

    (void)snprintf(picture, sizeof picture, "P6\n%d %d\n255\n", WIDTH, HEIGHT);
    for (size_t i = HEAD; i < sizeof picture - 1; i++)
        picture[i] = (char)(i * 7);
    return rig_put(&rig, &(struct rig_job){.data = picture,
                                           .size = HEAD + 3 * WIDTH * HEIGHT,
                                           .convert = "thumb",
                                           .max_attempts = 1});
}

Test(converter_examples, an_image_becomes_a_small_one)
{
    struct job_id id = put_picture();

    expect_png(&id, 256, 128);
}

/* One page, 200 by 100 points, with a line on it. */
static const char pdf[] =
    "%PDF-1.4\n"
    "1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Contents 4 0 R>>endobj\n"
    "4 0 obj<</Length 23>>stream\n10 10 m 190 90 l S     \nendstream endobj\n"
    "trailer<</Root 1 0 R>>\n%%EOF\n";

Test(converter_examples, the_first_page_of_a_pdf_becomes_an_image)
{
    struct job_id page = rig_put(
        &rig, &(struct rig_job){.data = pdf, .convert = "page", .max_attempts = 1});
    struct job_id thumb = rig_put(
        &rig,
        &(struct rig_job){.data = pdf, .convert = "page,thumb", .max_attempts = 1});

    expect_png(&page, 1024, 512);
    expect_png(&thumb, 256, 128);
}

Test(converter_examples, what_is_no_image_and_no_pdf_is_a_failure_that_says_so)
{
    struct job_id thumb = converter_put(&rig, "not an image", "thumb"),
                  page = converter_put(&rig, "no page", "page");

    converter_expect_dead(&rig, &thumb, "converter",
                          "thumb ended with status 255: vipsthumbnail: ");
    converter_expect_dead(&rig, &page, "converter", "page ended with status 1: ");
}
