#include "shared/exposition.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>

TestSuite(exposition, .timeout = 60);

static struct buf out = BUF_INIT(64 * 1024);

static struct exposition begin(enum exposition_type type, const char *name)
{
    struct exposition x = {.out = &out};
    buf_clear(&out);
    exposition_begin(&x, type, name, "What it is.");
    buf_clear(&out);
    return x;
}

Test(exposition, a_family_has_help_and_type_in_front_of_its_samples)
{
    struct exposition x = {.out = &out};
    exposition_begin(&x, EXPOSITION_GAUGE, "hoist_queue_jobs",
                     "Jobs \\ by\nstate \"x\".");
    exposition_int(&x, EXPOSITION_LABELS({"queue", "media"}, {"state", "ready"}), 12);
    exposition_int(&x, NULL, -1);
    cr_assert(eq(str, out.data,
                 "# HELP hoist_queue_jobs Jobs \\\\ by\\nstate \"x\".\n"
                 "# TYPE hoist_queue_jobs gauge\n"
                 "hoist_queue_jobs{queue=\"media\",state=\"ready\"} 12\n"
                 "hoist_queue_jobs -1\n"));
}

Test(exposition, what_stands_in_a_label_cannot_end_it)
{
    static const struct {
        const char *value, *want;
    } rows[] = {
        {"", ""},
        {"a\"b", "a\\\"b"},
        {"a\\b\\", "a\\\\b\\\\"},
        {"two\nlines\r", "two\\nlines\r"},
        {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80",
         "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {"\xFFz\xC3", "\xEF\xBF\xBDz\xEF\xBF\xBD"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"} 1\nhoist_x 2", "} 1\\nhoist_x 2"},
    };
    struct exposition x = begin(EXPOSITION_GAUGE, "hoist_up");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char want[128];
        (void)snprintf(want, sizeof want, "hoist_up{name=\"%s\"} 1\n", rows[i].want);
        buf_clear(&out);
        exposition_int(&x, EXPOSITION_LABELS({"name", rows[i].value}), 1);
        cr_expect(eq(str, out.data, want), "row %zu", i);
    }
}

Test(exposition, labels_that_all_have_come_first)
{
    struct exposition x = begin(EXPOSITION_GAUGE, "hoist_up");
    x.common = EXPOSITION_LABELS({"worker", "a"});
    exposition_int(&x, EXPOSITION_LABELS({"queue", "q"}), 1);
    exposition_int(&x, NULL, 2);
    cr_assert(eq(str, out.data,
                 "hoist_up{worker=\"a\",queue=\"q\"} 1\nhoist_up{worker=\"a\"} 2\n"));
}

Test(exposition, numbers_are_read_as_they_were_written)
{
    static const struct {
        double value;
        const char *want;
    } rows[] = {
        {0, "0"},
        {1.5, "1.5"},
        {0.0005, "0.0005"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e300, "1e+300"},
        {9007199254740993.0, "9007199254740992"},
        {-2.5, "-2.5"},
        {INFINITY, "+Inf"},
        {-INFINITY, "-Inf"},
        {NAN, "NaN"},
    };
    struct exposition x = begin(EXPOSITION_GAUGE, "hoist_up");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char want[64];
        (void)snprintf(want, sizeof want, "hoist_up %s\n", rows[i].want);
        buf_clear(&out);
        exposition_number(&x, NULL, rows[i].value);
        cr_expect(eq(str, out.data, want));
    }
    buf_clear(&out);
    exposition_int(&x, NULL, INT64_MAX);
    exposition_int(&x, NULL, INT64_MIN);
    exposition_ratio(&x, NULL, 1500, 1000);
    cr_assert(eq(str, out.data,
                 "hoist_up 9223372036854775807\nhoist_up -9223372036854775808\n"
                 "hoist_up 1.5\n"));
}

static const struct histogram_scale scale = {
    .count = 3, .per_unit = 1000, .bounds = {250, 1000, 5000}};

Test(exposition, a_histogram_has_all_buckets_each_with_those_below_it)
{
    struct histogram h = {.sum = 0};
    struct histogram_sum sum = {.sum = 0};
    struct exposition x = begin(EXPOSITION_HISTOGRAM, "hoist_x_seconds");
    static const int64_t values[] = {-5, 0, 250, 251, 1000, 5000, 5001, 9000};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (i % 2)
            histogram_note(&h, &scale, values[i]);
        else
            histogram_note_shared(&h, &scale, values[i]);
    histogram_read(&h, &sum);
    exposition_histogram(&x, EXPOSITION_LABELS({"to", "s3"}), &scale, &sum);
    cr_assert(eq(str, out.data,
                 "hoist_x_seconds_bucket{to=\"s3\",le=\"0.25\"} 3\n"
                 "hoist_x_seconds_bucket{to=\"s3\",le=\"1\"} 5\n"
                 "hoist_x_seconds_bucket{to=\"s3\",le=\"5\"} 6\n"
                 "hoist_x_seconds_bucket{to=\"s3\",le=\"+Inf\"} 8\n"
                 "hoist_x_seconds_sum{to=\"s3\"} 20.502\n"
                 "hoist_x_seconds_count{to=\"s3\"} 8\n"));
}

Test(exposition, several_histograms_are_read_into_one)
{
    struct histogram a = {.sum = 0}, b = {.sum = 0};
    struct histogram_sum sum = {.sum = 0};
    histogram_note(&a, &scale, 100);
    histogram_note(&b, &scale, 200);
    histogram_note(&b, &scale, 70000);
    histogram_read(&a, &sum);
    histogram_read(&b, &sum);
    cr_assert(eq(u64, histogram_count(&sum), 3));
    cr_assert(eq(u64, sum.buckets[0], 2));
    cr_assert(eq(u64, sum.buckets[3], 1));
    cr_assert(eq(u64, sum.sum, 70300));
}

Test(exposition, the_scales_ascend)
{
    const struct histogram_scale *all[] = {&histogram_request_us, &histogram_redis_us,
                                           &histogram_upload_ms, &histogram_bytes};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        cr_assert(le(sz, all[i]->count, HISTOGRAM_BOUNDS_MAX));
        for (size_t k = 0; k < all[i]->count; k++)
            cr_expect(all[i]->bounds[k] > (k ? all[i]->bounds[k - 1] : 0),
                      "scale %zu, bound %zu", i, k);
    }
}

Test(exposition, a_text_that_does_not_fit_is_known)
{
    struct buf small = BUF_INIT(10);
    struct exposition x = {.out = &small};
    exposition_one(&x, EXPOSITION_GAUGE, "hoist_up", "Up.", 1);
    cr_assert(small.failed);
    buf_release(&small);
}

Test(exposition, a_counter_is_a_total, .signal = SIGABRT)
{
    (void)begin(EXPOSITION_COUNTER, "hoist_jobs");
}

Test(exposition, nothing_else_is_a_total, .signal = SIGABRT)
{
    (void)begin(EXPOSITION_GAUGE, "hoist_jobs_total");
}

Test(exposition, a_name_is_one_of_prometheus, .signal = SIGABRT)
{
    (void)begin(EXPOSITION_GAUGE, "hoist_jobs-ready");
}
