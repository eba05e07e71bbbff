/* What hoist-worker --top shows. */
#include "worker/top/draw.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

TestSuite(top_draw, .timeout = 60);

static const int64_t NOW_MS =
    1764453423123; /* 2025-11-29T21:57:03.123Z, 3.123 s into its minute */

static struct picture picture;

/* One queue and one worker that uploads. */
static void fill(void)
{
    picture = (struct picture){.at_ms = NOW_MS, .queue_count = 1, .worker_count = 1};
    picture.queues[0] =
        (struct picture_queue){.name = "default",
                               .trouble = "",
                               .status = {.ready = 3,
                                          .grouped = 1,
                                          .running = 2,
                                          .dead = 1,
                                          .scheduled = 4,
                                          .oldest_created = NOW_MS - 240000}};
    picture.queues[0].minutes.last = NOW_MS / 60000;
    for (size_t i = 0; i < QUEUE_MINUTES; i++)
        picture.queues[0].minutes.n[QUEUE_COUNT_DONE][i] = (int64_t)i;
    picture.workers[0] = (struct picture_worker){.id = "web1-4711-k3",
                                                 .slots = 32,
                                                 .busy = 2,
                                                 .seen_ms = NOW_MS - 1500,
                                                 .job_count = 1};
    picture.workers[0].jobs[0] = (struct picture_job){.name = "photo.jpg",
                                                      .phase = "uploading",
                                                      .size = 48 << 20,
                                                      .sent = 12 << 20,
                                                      .rate = 8 << 20};
}

static char *draw(int columns, int lines)
{
    struct buf b = BUF_INIT(1 << 20);

    draw_picture(&b, &picture, (struct draw_size){.columns = columns, .lines = lines});
    cr_assert(not(b.failed));
    return buf_detach(&b);
}

Test(top_draw, a_queue_and_a_worker_with_what_it_uploads, .init = fill)
{
    char *text = draw(130, 0);
    static const char want[] =
        "hoist " HOIST_VERSION
        "   21:57:03 UTC   4 waiting, 2 running, 1 dead   1 worker, 2 of 32 slots\n"
        "\n"
        "QUEUE             READY    LATER    RUN   DEAD  OLDEST    IN/s  DONE/s  "
        "FAIL/s     BYTES/s  DONE, LAST HOUR\n"
        "default               4        4      2      1      4m    0.00    1.90    "
        "0.00         0 B  "
        "▁▁▁▂▂▃▃▄▄▄▅▅▆▆▆▇▇███\n"
        "\n"
        "WORKER                                BUSY  SEEN\n"
        "web1-4711-k3                          2/32    1s\n"
        "  photo.jpg                 uploading   [######..................]  25 %  "
        "12.0 of 48.0 MiB  8.0 MiB/s\n";

    cr_expect(eq(str, text, (char *)want), "%s", text);
    free(text);
}

Test(top_draw, what_is_wrong_is_said, .init = fill)
{
    picture.queues[0].status.paused = true;
    picture.workers[0].stuck = true;
    static const char rests[] = "s3 (connection refused)";
    memcpy(picture.workers[0].paused, rests, sizeof rests);
    picture.more_workers = true;
    char *text = draw(200, 0);
    cr_expect(strstr(text, "█  paused\n") != NULL, "%s", text);
    cr_expect(strstr(text, "1s  does not get on  rests: s3 (connection refused)\n") !=
                  NULL,
              "%s", text);
    cr_expect(strstr(text, "1+ worker, ") != NULL, "%s", text);
    free(text);

    picture.workers[0].stuck = false;
    picture.workers[0].quiet = true;
    text = draw(200, 0);
    cr_expect(strstr(text, "1s  told to be quiet  rests") != NULL, "%s", text);
    free(text);
    picture.workers[0].quiet_ms = 1;
    text = draw(200, 0);
    cr_expect(strstr(text, "1s  quiet  rests") != NULL, "%s", text);
    free(text);

    picture.queues[0].trouble = "WRONGTYPE of a key";
    picture.worker_count = 0;
    text = draw(200, 0);
    cr_expect(strstr(text, "\ndefault        WRONGTYPE of a key\n") != NULL, "%s",
              text);
    cr_expect(strstr(text, "\nnone: nothing is uploaded") != NULL, "%s", text);
    free(text);
}

/* No line is wider, none is more; what is left out is counted. */
Test(top_draw, it_fits_into_any_terminal, .init = fill)
{
    picture.worker_count = PICTURE_WORKERS;
    for (size_t i = 1; i < PICTURE_WORKERS; i++)
        picture.workers[i] = picture.workers[0];
    for (int columns = 1; columns < 2 * DRAW_WIDTH_MAX; columns += 37)
        for (int lines = 1; lines < 40; lines += 3) {
            char *text = draw(columns, lines);
            int seen = 0, width = columns < DRAW_WIDTH_MIN ? DRAW_WIDTH_MIN : columns;
            for (char *at = text, *end; (end = strchr(at, '\n'));
                 at = end + 1, seen++) {
                int wide = 0;
                for (char *c = at; c < end; c++)
                    wide += ((unsigned char)*c & 0xc0) != 0x80;
                cr_expect(le(int, wide, width));
            }
            cr_expect(eq(int, seen, lines));
            cr_expect(strstr(text, " more lines\n") != NULL);
            free(text);
        }
}

Test(top_draw, sparks_reach_from_the_least_to_the_most)
{
    struct buf b = BUF_INIT(1024);

    draw_spark(&b, (const int64_t[]){0, 1, 1, INT64_MAX, -1, INT64_MAX / 2}, 6);
    cr_expect(eq(str, b.data, " ▁▁█ ▅"));
    buf_clear(&b);
    draw_spark(&b, (const int64_t[]){0, 0}, 2);
    cr_expect(eq(str, b.data, "  "));
    buf_release(&b);
}

Test(top_draw, ages_have_one_unit)
{
    static const struct {
        int64_t ms;
        const char *want;
    } rows[] = {{-1, "-"},         {0, "0s"},
                {119999, "119s"},  {120000, "2m"},
                {7199999, "119m"}, {7200000, "2h"},
                {172800000, "2d"}, {INT64_MAX, "106751991167d"}};
    struct buf b = BUF_INIT(64);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_clear(&b);
        draw_age(&b, rows[i].ms);
        cr_expect(eq(str, b.data, (char *)rows[i].want));
    }
    buf_release(&b);
}

Test(top_draw, text_from_anywhere_does_not_steer_the_terminal)
{
    char text[16];

    picture_text("a\033[2Jb", 6, text, sizeof text);
    cr_expect(eq(str, text, "a?[2Jb"));
    picture_text("\xc2\x9b"
                 "x\xff\x7f\n\xc3\xbc",
                 8, text, sizeof text);
    cr_expect(eq(str, text, "?x???\xc3\xbc"));
    picture_text("12345678901234\xc3\xbc", 16, text, sizeof text);
    cr_expect(eq(str, text, "12345678901234"), "no half of a character");
    picture_text("a\0b", 3, text, sizeof text);
    cr_expect(eq(str, text, "a?b"));
}
