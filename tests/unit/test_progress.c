/* How fast, and the line that says how far. */
#include "worker/progress.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(progress, .timeout = 60);

static const struct {
    struct progress_line line;
    int width;
    const char *want;
} rows[] = {
    {{"photo.jpg",
      {.phase = DESTINATION_UPLOADING,
       .sent = 12 << 20,
       .total = 48 << 20,
       .parts = 6,
       .parts_done = 1},
      8 << 20},
     120,
     "photo.jpg                 uploading   [######..................]  25 %  12.0 of "
     "48.0 MiB  "
     "8.0 MiB/s  part 1 of 6"},
    {{"nightly.dump",
      {.phase = DESTINATION_CONVERTING, .sent = 21181236, .total = -1},
      0},
     120,
     "nightly.dump              converting  20.2 MiB"},
    {{"empty", {.phase = DESTINATION_FINISHING, .sent = 0, .total = 0}, 0},
     120,
     "empty                     finishing   [########################] 100 %  0 of 0 "
     "B"},
    {{"a name that is longer than its column is cut there",
      {.phase = DESTINATION_QUEUED, .total = -1},
      0},
     120,
     "a name that is longer th  queued      0 B"},
    {{"m\xc3\xbc\xc3\xbc\xc3\xbc", {.phase = DESTINATION_QUEUED, .total = -1}, 0},
     120,
     "m\xc3\xbc\xc3\xbc\xc3\xbc                      queued      0 B"},
    {{"too much was told",
      {.phase = DESTINATION_UPLOADING, .sent = 20, .total = 10},
      0},
     120,
     "too much was told         uploading   [########################] 100 %  10 of 10 "
     "B"},
    {{"narrow", {.phase = DESTINATION_UPLOADING, .sent = 5, .total = 10}, 0},
     45,
     "narrow                    uploading   [######"},
    {{"narrower than allowed", {.phase = DESTINATION_UPLOADING, .total = 10}, 0},
     -1,
     "narrower than allowe"},
};

Test(progress, lines)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf b = BUF_INIT(1024);
        progress_format(&b, &rows[i].line, rows[i].width);
        cr_expect(eq(str, b.data, (char *)rows[i].want), "row %zu", i);
        buf_release(&b);
    }
}

Test(progress, a_steady_stream_has_its_rate)
{
    struct progress_meter m = {0};

    for (int i = 0; i <= 10; i++)
        progress_meter_look(&m, INT64_C(1000) * i, 5000 + 1000 * i);
    cr_expect(eq(i64, m.rate, 1000));
}

Test(progress, a_stream_that_stands_is_forgotten_by_half_in_two_seconds)
{
    struct progress_meter m = {0};

    progress_meter_look(&m, 0, 1000);
    progress_meter_look(&m, 8000, 2000);
    progress_meter_look(&m, 8000, 4000);
    cr_expect(eq(i64, m.rate, 4000));
    progress_meter_look(&m, 8000, 4000); /* no time has passed */
    cr_expect(eq(i64, m.rate, 4000));
}

Test(progress, what_is_begun_again_has_no_rate_yet)
{
    struct progress_meter m = {0};

    progress_meter_look(&m, 0, 1000);
    progress_meter_look(&m, 8000, 2000);
    progress_meter_look(&m, 10, 3000);
    cr_expect(eq(i64, m.rate, 0));
    progress_meter_look(&m, 20, 4000);
    cr_expect(eq(i64, m.rate, 10));
}

Test(progress, nothing_overflows)
{
    struct progress_meter m = {0};
    struct buf b = BUF_INIT(1024);
    struct progress_line l = {
        .name = "x", .at = {.sent = INT64_C(1) << 50, .total = INT64_C(1) << 50}};

    progress_meter_look(&m, 0, 1);
    progress_meter_look(&m, INT64_C(1) << 50, 2);
    progress_meter_look(&m, INT64_C(1) << 50, INT64_MAX / 4);
    cr_expect(ge(i64, m.rate, 0));
    l.rate = m.rate;
    progress_format(&b, &l, 200);
    cr_expect(strstr(b.data, "1.0 of 1.0 PiB") != NULL, "%s", b.data);
    buf_release(&b);
}
