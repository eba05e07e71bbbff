/* What a proxy breaks. */
#include "tests/chaos/proxy_rig.h"

TestSuite(proxy_faults, .init = rig_up, .fini = rig_down, .timeout = 60);

Test(proxy_faults, delay_holds_each_byte_that_long)
{
    struct pair p = link_up();
    char got[8];
    int64_t start = clock_mono_ms();

    proxy_set(proxy, PROXY_UP, &(struct proxy_fault){.delay_ms = 150});
    say(p.program, "late", 4);
    hear_all(p.server, got, 4);
    cr_expect(clock_mono_ms() - start >= 150);
    say(p.server, "x", 1); /* the other way is free */
    cr_expect(eq(int, (int)hear(p.program, got, 1, SOON_MS), 1));
    proxy_set(proxy, PROXY_UP, &(struct proxy_fault){.delay_ms = 60000});
    say(p.program, "late", 4);
    cr_expect(eq(int, (int)hear(p.server, got, 4, NOTHING_MS), -2));
    proxy_heal(proxy);
    hear_all(p.server, got, 4);
    link_down(p);
}

Test(proxy_faults, a_rate_is_kept)
{
    struct pair p = link_up();
    char bytes[4000] = {0};
    int64_t start = clock_mono_ms();

    proxy_set(proxy, PROXY_UP, &(struct proxy_fault){.rate = 20000});
    say(p.program, bytes, sizeof bytes);
    hear_all(p.server, bytes, sizeof bytes);
    int64_t took = clock_mono_ms() - start;
    cr_expect(took >= 140 && took < 2000, "%lld", (long long)took);
    link_down(p);
}

Test(proxy_faults, slices_arrive_in_order)
{
    struct pair p = link_up();
    char bytes[1000], got[1000];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    proxy_set(proxy, PROXY_UP, &(struct proxy_fault){.slice = true});
    say(p.program, bytes, sizeof bytes);
    hear_all(p.server, got, sizeof got);
    cr_expect(memcmp(bytes, got, sizeof got) == 0);
    link_down(p);
}

Test(proxy_faults, what_is_held_is_there_when_it_heals)
{
    struct pair p = link_up();
    char got[8];

    proxy_set(proxy, PROXY_UP, &(struct proxy_fault){.hold = true});
    say(p.program, "held", 4);
    cr_expect(eq(int, (int)hear(p.server, got, 4, NOTHING_MS), -2));
    proxy_heal(proxy);
    hear_all(p.server, got, 4);
    cr_expect(memcmp(got, "held", 4) == 0);
    link_down(p);
}

Test(proxy_faults, what_is_swallowed_is_gone_and_its_link_too)
{
    struct pair p = link_up(), other = link_up();
    char got[8];

    proxy_set(proxy, PROXY_UP, &(struct proxy_fault){.swallow = true});
    say(p.program, "gone", 4);
    cr_expect(WAIT_UNTIL(proxy_counts(proxy).swallowed_bytes == 4, SOON_MS));
    cr_expect(eq(int, (int)hear(p.server, got, 4, NOTHING_MS), -2));
    proxy_heal(proxy);
    cr_expect(eq(int, (int)hear(p.program, got, 1, SOON_MS), -1));
    cr_expect(eq(int, (int)hear(p.server, got, 1, SOON_MS), -1));
    say(other.program, "well", 4);
    hear_all(other.server, got, 4);
    link_down(p);
    link_down(other);
}

Test(proxy_faults, a_cut_is_at_its_byte)
{
    char got[16];

    proxy_set(proxy, PROXY_UP, &(struct proxy_fault){.cut = true, .cut_at = 5});
    for (int i = 0; i < 2; i++) {
        struct pair p = link_up();
        say(p.program, "0123456789", 10);
        hear_all(p.server, got, 5);
        cr_expect(memcmp(got, "01234", 5) == 0);
        cr_expect(eq(int, (int)hear(p.server, got, 1, SOON_MS), -1));
        link_down(p);
    }
    cr_expect(WAIT_UNTIL(proxy_counts(proxy).cut == 2, SOON_MS));
}

Test(proxy_faults, a_cut_at_0_lets_nothing_through)
{
    struct pair p = link_up();
    char got[16];

    proxy_set(proxy, PROXY_DOWN, &(struct proxy_fault){.cut = true});
    say(p.program, "ask", 3);
    hear_all(p.server, got, 3);
    say(p.server, "answer", 6);
    cr_expect(eq(int, (int)hear(p.program, got, 1, SOON_MS), -1));
    link_down(p);
}

Test(proxy_faults, one_bit_of_one_byte_is_flipped_once)
{
    struct pair p = link_up();
    char got[16];

    say(p.program, "before", 6);
    hear_all(p.server, got, 6);
    proxy_set(
        proxy, PROXY_UP,
        &(struct proxy_fault){.flip = true, .flip_at = 3, .flip_bit = 1, .times = 1});
    say(p.program, "aa", 2);
    hear_all(p.server, got, 2);
    say(p.program, "aaaa", 4);
    hear_all(p.server, got + 2, 4);
    cr_expect(memcmp(got, "aaacaa", 6) == 0, "%.6s", got);
    struct pair other = link_up();
    say(other.program, "aaaaaa", 6);
    hear_all(other.server, got, 6);
    cr_expect(memcmp(got, "aaaaaa", 6) == 0, "%.6s", got);
    cr_expect(eq(i64, proxy_counts(proxy).flipped, 1));
    link_down(p);
    link_down(other);
}

Test(proxy_faults, refuses_and_takes_again)
{
    proxy_refuse(proxy, true);
    cr_expect(is_refused());
    proxy_heal(proxy);
    link_down(link_up());
    cr_expect(eq(i64, proxy_counts(proxy).refused, 1));
}

Test(proxy_faults, all_links_are_reset_at_once)
{
    struct pair a = link_up(), b = link_up();
    char got[1];

    proxy_reset(proxy);
    cr_expect(eq(int, (int)hear(a.program, got, 1, SOON_MS), -1));
    cr_expect(eq(int, (int)hear(b.server, got, 1, SOON_MS), -1));
    link_down(a);
    link_down(b);
    link_down(link_up());
}
