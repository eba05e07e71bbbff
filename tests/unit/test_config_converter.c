/*
 * config: converters and the queues that name them, what becomes of them and what is refused.
 */
#include "shared/config.h"

#include "shared/cleanup.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(config_converter, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define THUMB "[converter thumb]\nrun=true\n" /* lines 1 and 2 */

static void parse(struct config *c, const char *text, char *const *env)
{
    struct err e = ERR_INIT;

    config_init(c);
    cr_assert(eq(int, config_parse(c, "t.ini", text, env, &e), ERR_OK), "%s", e.text);
}

Test(config_converter, what_is_not_given_is_the_documented_default)
{
    CLEANUP(config_release) struct config c;

    parse(&c, "[converter thumb]\nrun=vipsthumbnail stdin -o '.png[strip]'\n", NULL);
    const struct config_converter *v = config_find_converter(&c, "thumb", 5);
    cr_assert(ne(ptr, (void *)v, NULL));
    cr_expect(eq(str, v->run, "vipsthumbnail stdin -o '.png[strip]'"));
    cr_expect(eq(str, v->type, ""));
    cr_expect(eq(str, v->extension, ""));
    cr_expect(eq(i64, v->time_limit_ms, 600000));
    cr_expect(eq(i64, v->cpu_seconds, 600));
    cr_expect(eq(i64, v->memory_max, INT64_C(512) << 20));
    cr_expect(eq(i64, v->processes_max, 64));
    cr_expect(eq(i64, v->max_bytes, INT64_C(5) << 30));
    cr_expect(eq(int, v->sandbox, CONFIG_SANDBOX_AUTO));
    cr_expect(eq(ptr, (void *)config_find_converter(&c, "thum", 4), NULL));
    cr_expect(eq(str, c.queues[0].convert, ""));
}

Test(config_converter, what_is_given_counts_and_the_environment_over_it)
{
    CLEANUP(config_release) struct config c;
    char limit[] = "HOIST_CONVERTER_THUMB_TIME_LIMIT=5s";
    char *env[] = {limit, NULL};

    parse(&c,
          THUMB "type=image/png\nextension=.png\ntime_limit=1m\ncpu_limit=9\n"
                "memory_max=1G\nprocesses_max=0\nmax_bytes=7\nsandbox=require\n"
                "[queue q]\nconvert=thumb, thumb\n",
          env);
    const struct config_converter *v = &c.converters[0];
    cr_expect(eq(str, v->type, "image/png"));
    cr_expect(eq(str, v->extension, ".png"));
    cr_expect(eq(i64, v->time_limit_ms, 5000));
    cr_expect(eq(i64, v->cpu_seconds, 9));
    cr_expect(eq(i64, v->memory_max, INT64_C(1) << 30));
    cr_expect(eq(i64, v->processes_max, 0));
    cr_expect(eq(i64, v->max_bytes, 7));
    cr_expect(eq(int, v->sandbox, CONFIG_SANDBOX_REQUIRE));
    cr_expect(eq(str, config_find_queue(&c, "q", 1)->convert, "thumb, thumb"));
}

static const struct {
    const char *text;
    const char *begins; /* the error does */
    const char *has;    /* and it has this, unless NULL */
} rows[] = {
    {"[converter x]", "t.ini:1: [converter x] run: is empty", "program"},
    {"[converter x]\nrun=a 'b", "t.ini:2: [converter x] run: a ' without its end",
     NULL},
    {THUMB "type=png", "t.ini:3: [converter thumb] type: 'png' is not TYPE/SUBTYPE",
     NULL},
    {THUMB "extension=png", "t.ini:3: [converter thumb] extension: 'png' is not", "8"},
    {THUMB "extension=.", "t.ini:3: [converter thumb] extension: '.' is not", NULL},
    {THUMB "extension=.PNG", "t.ini:3: [converter thumb] extension:", NULL},
    {THUMB "extension=.a/b", "t.ini:3: [converter thumb] extension:", NULL},
    {THUMB "extension=.123456789", "t.ini:3: [converter thumb] extension:", NULL},
    {THUMB "time_limit=0", "t.ini:3: [converter thumb] time_limit: '0'", "1ms"},
    {THUMB "memory_max=lots", "t.ini:3: [converter thumb] memory_max:", NULL},
    {THUMB "max_bytes=0", "t.ini:3: [converter thumb] max_bytes: '0'", NULL},
    {THUMB "sandbox=yes please",
     "t.ini:3: [converter thumb] sandbox:", "no, auto, require"},
    {THUMB "argv=x", "t.ini:3: [converter thumb] unknown key 'argv'", "run, type"},
    {THUMB "[queue q]\nconvert=thum",
     "t.ini:4: [queue q] convert:", "there is no [converter thum]"},
    {THUMB "[queue q]\nconvert=thumb:2", "t.ini:4: [queue q] convert: there is", NULL},
    {THUMB "[queue q]\nconvert=thumb thumb thumb thumb thumb thumb thumb thumb thumb",
     "t.ini:4: [queue q] convert: at most 8", NULL},
};

Test(config_converter, every_mistake_is_refused_with_its_place)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(config_release) struct config c;
        struct err e = ERR_INIT;
        config_init(&c);
        cr_expect(
            eq(int, config_parse(&c, "t.ini", rows[i].text, NULL, &e), ERR_CONFIG),
            "row %zu: %s", i, rows[i].text);
        cr_expect(strncmp(e.text, rows[i].begins, strlen(rows[i].begins)) == 0,
                  "row %zu: '%s'", i, e.text);
        cr_expect(rows[i].has == NULL || strstr(e.text, rows[i].has), "row %zu: '%s'",
                  i, e.text);
    }
}
