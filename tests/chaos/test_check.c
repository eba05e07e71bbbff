/* The verdict on objects: I1, I2, I3, and what it is on the whole. */
#include "tests/chaos/check_world.h"

#include <fcntl.h>

TestSuite(check, .init = world_up, .fini = world_down, .timeout = 60);

Test(check, a_world_in_which_all_is_right_passes)
{
    struct watch_counts watched = {.looks = 5, .events = 5};
    struct poller_counts polled = {.asked = 5, .answered = 5, .done = 5};
    struct procs_sample sample = {.name = "worker-1", .descriptors = 9, .threads = 2};

    o.watched = &watched;
    o.polled = &polled;
    o.before = o.after = &sample;
    o.process_count = 1;
    o.settle_ms = 60000;
    expect_violated(0, "");
    cr_expect(eq(i64, r.accepted, 4));
    cr_expect(eq(i64, r.unknown, 2));
    cr_expect(eq(i64, r.refused, 1));
    cr_expect(eq(i64, r.broken, 1));
    cr_expect(eq(i64, r.objects, 5));
    cr_expect(eq(i64, r.arrived, 1));
    cr_expect(eq(i64, r.lost + r.partial + r.duplicates + r.orphans, 0));
    for (int i = 1; i <= CHECK_INVARIANTS; i++)
        cr_expect(r.invariants[i].checked == (i != 11), "I%d", i);
}

Test(check, a_lost_upload_violates_1)
{
    cr_assert(not(unlink(object(key_of(2)))));
    expect_violated(CHECK_OFF(1), "upload 2, default.");
    cr_expect(eq(i64, r.lost, 1));
}

Test(check, a_dead_job_is_no_loss_where_jobs_may_die)
{
    make_dead(2, -1);
    o.may_die = true;
    expect_violated(0, "");
    cr_expect(eq(i64, r.dead, 1));
}

Test(check, a_dead_job_is_a_loss_elsewhere)
{
    make_dead(2, -1);
    expect_violated(CHECK_OFF(1), "dead");
}

Test(check, a_dead_job_whose_bytes_are_cut_is_a_loss)
{
    make_dead(2, 70);
    o.may_die = true;
    expect_violated(CHECK_OFF(1), "dead");
}

Test(check, a_truncated_object_violates_2_and_1)
{
    plant_body(object(key_of(1)), 1, body_of(&plan, 1).size - 1);
    judge();
    cr_expect(eq(i64, r.partial, 1));
    cr_expect(eq(i64, r.invariants[1].violations, 1));
    cr_expect(eq(i64, r.invariants[2].violations, 1));
    cr_expect(ne(ptr, strstr(r.invariants[2].offenders[0], key_of(1)), NULL));
}

Test(check, a_flipped_bit_violates_2)
{
    int fd = open(object(key_of(1)), O_WRONLY | O_CLOEXEC);

    cr_assert(fd >= 0 && pwrite(fd, "\x01", 1, 200) == 1);
    (void)close(fd);
    expect_violated(CHECK_OFF(1) | CHECK_OFF(2), "upload 1");
    cr_expect(eq(i64, r.partial, 1));
}

Test(check, an_object_of_nobodys_violates_2)
{
    plant(object("stranger"), "hello", 5);
    expect_violated(CHECK_OFF(2), "stranger: 5 bytes");
}

Test(check, a_refused_upload_that_is_there_violates_2)
{
    plant_body(object(key_of(6)), 6, -1);
    expect_violated(CHECK_OFF(2), "which was refused");
    cr_expect(eq(i64, r.orphans, 1));
}

Test(check, a_broken_off_upload_that_is_there_violates_2)
{
    plant_body(object(key_of(7)), 7, -1);
    expect_violated(CHECK_OFF(2), "broken off");
}

Test(check, an_upload_that_was_never_sent_violates_2)
{
    plant_body(object(key_of(99)), 99, -1);
    expect_violated(CHECK_OFF(2), "never sent");
}

Test(check, two_uploads_under_each_others_keys_violate_2_and_1)
{
    plant_body(object(key_of(1)), 2, -1);
    plant_body(object(key_of(2)), 1, -1);
    expect_violated(CHECK_OFF(1) | CHECK_OFF(2), "upload 1");
    cr_expect(eq(i64, r.partial, 2));
    cr_expect(eq(i64, r.lost, 2));
}

Test(check, an_accepted_upload_that_is_there_twice_violates_3)
{
    plant_body(object(key_of(50)), 1, -1);
    expect_violated(CHECK_OFF(3), "upload 1 once more");
    cr_expect(eq(i64, r.duplicates, 1));
}

Test(check, a_replaced_object_violates_3_unless_the_store_is_like_that)
{
    struct store_changes changes = {.replaced = 1, .examples = {"replaced: a"}};

    o.changes = &changes;
    o.may_replace = true;
    expect_violated(0, "");
    cr_expect(eq(i64, r.replaced, 1));
}

Test(check, a_replaced_object_violates_3)
{
    struct store_changes changes = {.replaced = 1, .examples = {"replaced: a"}};

    o.changes = &changes;
    expect_violated(CHECK_OFF(3), "replaced: a");
}

Test(check, a_key_that_was_put_twice_violates_3)
{
    struct store_puts puts = {.puts = 2, .replaced = 1, .examples = {"put again: b"}};

    o.puts = &puts;
    expect_violated(CHECK_OFF(3), "put again: b");
}

Test(check, a_vanished_object_violates_3)
{
    struct store_changes changes = {.vanished = 1, .examples = {"vanished: c"}};

    o.changes = &changes;
    o.may_replace = true;
    expect_violated(CHECK_OFF(3), "1 objects vanished");
}
