/*
 * tz_parse on damaged zones: real ones cut at each byte, and with bytes changed at random.
 */
#include "shared/tz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(tz_damaged, .timeout = 120);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* Memory of exactly that size, so that a read past its end is seen. */
static enum err_code parse_copy(const char *data, size_t len, struct tz *ret,
                                struct err *e)
{
    char *copy = malloc(len ? len : 1);

    cr_assert(copy != NULL);
    memcpy(copy, data, len);
    enum err_code code = tz_parse(copy, len, ret, e);
    free(copy);
    return code;
}

/* Every question has an answer in its range. */
static void use(struct tz *tz)
{
    static const int64_t instants[] = {TZ_FIRST_S, -1,         0,
                                       1711846800, 4000000000, TZ_END_S - 1};

    for (size_t i = 0; i < COUNT(instants); i++) {
        struct tz_span span = tz_span(tz, instants[i]);
        struct tz_civil w = tz_civil(tz, instants[i]);
        struct tz_instants back = tz_utc(tz, &w);
        cr_expect(span.from_s <= instants[i] && instants[i] < span.to_s);
        cr_expect(back.fit != TZ_SKIPPED);
        cr_expect(back.first_s <= instants[i] && instants[i] <= back.second_s);
    }
    tz_release(tz);
}

static size_t read_zone(const char *name, char *data, size_t size)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", TZ_DIRECTORY, name);
    FILE *f = fopen(path, "rb");
    cr_assert(f != NULL, "%s", path);
    size_t len = fread(data, 1, size, f);
    fclose(f);
    return len;
}

Test(tz_damaged, a_zone_cut_short_anywhere_is_refused)
{
    static char data[TZ_FILE_MAX];
    size_t len = read_zone("Europe/Berlin", data, sizeof data);

    for (size_t n = 0; n < len; n++) {
        struct tz tz = TZ_UTC;
        struct err e = ERR_INIT;
        cr_expect(eq(int, parse_copy(data, n, &tz, &e), ERR_CONFIG), "%zu bytes", n);
    }
}

Test(tz_damaged, flipped_bytes_make_another_zone_or_none)
{
    static const char *const names[] = {"Europe/Berlin", "Asia/Kolkata",
                                        "Pacific/Apia"};
    static char data[TZ_FILE_MAX];
    uint64_t seed = 1;
    int taken = 0, refused = 0;

    for (int i = 0; i < 6000; i++) {
        size_t len = read_zone(names[i % 3], data, sizeof data);
        for (int flips = 1 + i % 5; flips > 0; flips--) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
            data[(seed >> 33) % len] = (char)(seed >> 24);
        }
        struct tz tz = TZ_UTC;
        struct err e = ERR_INIT;
        if (parse_copy(data, len, &tz, &e) == ERR_OK) {
            use(&tz);
            taken++;
        } else {
            refused++;
        }
    }
    cr_expect(gt(int, taken, 100));
    cr_expect(gt(int, refused, 100));
}
