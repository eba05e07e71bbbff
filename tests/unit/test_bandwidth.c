/* bandwidth: how much leaves in a time that the test makes up. */
#include "worker/http/bandwidth.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(bandwidth, .timeout = 60);

enum { SECOND_US = 1000 * 1000, UPLOADS = 7 };

/* Uploads that always have something to send take turns, with a timer of whole milliseconds, as http_limit.c does. */
static void send_for(struct bandwidth *b, int64_t us, int64_t *ret_sent)
{
    int64_t now_us = 0;

    for (int turn = 0; now_us < us;) {
        int64_t wait_us = bandwidth_wait_us(b, b->piece, now_us);
        if (wait_us > 0) {
            now_us += (wait_us + 999) / 1000 * 1000;
            continue;
        }
        cr_assert(bandwidth_take(b, b->piece, now_us));
        ret_sent[turn++ % UPLOADS] += b->piece;
    }
}

Test(bandwidth, uploads_together_keep_the_rate_and_share_it)
{
    static const int64_t rates[] = {3000,     100000,   1 << 20,
                                    12345678, 10 << 20, (int64_t)1 << 30};

    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        int64_t sent[UPLOADS] = {0}, all = 0, seconds = 60;
        struct bandwidth b;

        bandwidth_init(&b, rates[i], 0);
        send_for(&b, seconds * SECOND_US, sent);
        for (int u = 0; u < UPLOADS; u++)
            all += sent[u];
        cr_expect(all <= seconds * rates[i] + b.most, "%lld: %lld", (long long)rates[i],
                  (long long)all);
        cr_expect(all >= seconds * rates[i] / 100 * 85, "%lld: %lld",
                  (long long)rates[i], (long long)all);
        cr_expect(sent[0] - sent[UPLOADS - 1] <= b.piece, "%lld", (long long)rates[i]);
    }
}

Test(bandwidth, it_begins_empty_and_never_holds_more_than_its_most)
{
    struct bandwidth b;

    bandwidth_init(&b, 1 << 20, 500);
    cr_expect(not(bandwidth_take(&b, 1, 500)));
    cr_expect(bandwidth_take(&b, 1, 502));
    (void)bandwidth_wait_us(&b, 1, (int64_t)3600 * SECOND_US);
    cr_expect(eq(i64, b.tokens, (1 << 20) / 20),
              "an hour of silence is no hour's worth");
    bandwidth_give(&b, 1 << 20);
    cr_expect(eq(i64, b.tokens, b.most));
}

Test(bandwidth, fractions_of_a_byte_are_not_lost)
{
    struct bandwidth b;
    int64_t taken = 0;

    bandwidth_init(&b, 1500 * 1000, 0); /* one and a half in each microsecond */
    for (int64_t now_us = 1; now_us <= 10000; now_us++)
        while (bandwidth_take(&b, 1, now_us))
            taken++;
    cr_expect(eq(i64, taken, 15000));
}

Test(bandwidth, a_wait_is_as_long_as_it_must_be)
{
    struct bandwidth b;

    bandwidth_init(&b, 1000, 0);
    int64_t us = bandwidth_wait_us(&b, 1024, 0);
    cr_expect(eq(i64, us, 1024 * 1000));
    cr_expect(not(bandwidth_take(&b, 1024, us - 1)));
    cr_expect(bandwidth_take(&b, 1024, us));
    cr_expect(not(bandwidth_take(&b, 1, us)),
              "a clock that stands still brings nothing");
    cr_expect(not(bandwidth_take(&b, 1, us - 5)), "nor does one that goes back");
}

Test(bandwidth, without_a_rate_there_is_no_limit)
{
    struct bandwidth b;

    bandwidth_init(&b, 0, 0);
    cr_expect(bandwidth_take(&b, INT64_MAX, 0));
    cr_expect(eq(i64, bandwidth_wait_us(&b, INT64_MAX, 0), 0));
}

Test(bandwidth, the_highest_rate_does_not_overflow)
{
    struct bandwidth b;

    bandwidth_init(&b, BANDWIDTH_MAX, 0);
    cr_expect(eq(i64, b.piece, BANDWIDTH_PIECE_MAX));
    cr_expect(bandwidth_take(&b, b.piece, 49 * 1000));
    cr_expect(b.tokens > 0 && b.tokens <= b.most);
    (void)bandwidth_wait_us(&b, b.most, INT64_MAX / 2);
    cr_expect(eq(i64, b.tokens, b.most));
}
