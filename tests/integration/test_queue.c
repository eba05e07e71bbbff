/* A job into the queue and out to a worker: enqueue, claim, start, beat. */
#include "tests/integration/queue_harness.h"
#include "tests/integration/queue_look.h"

#include "shared/clock.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(queue, .init = harness_up, .fini = harness_down, .timeout = 60);

/* --- enqueue --- */

Test(queue, enqueue_stores_a_record_that_show_reads_back)
{
    struct job j = new_job(4, 0), got = JOB_INIT;
    struct err e = ERR_INIT;
    bool missing;

    cr_assert(job_add_meta(&j, "album", 5, "Zürich \xf0\x9f\x8f\x94", 12, &e) ==
              ERR_OK);
    cr_assert(enqueue(&j) == QUEUE_OK);
    cr_assert(queue_show(h.redis, &j.id, &got, &missing, &e) == ERR_OK, "%s", e.text);
    cr_expect(got.state == JOB_WAITING && got.seq == 1 && got.attempts == 0);
    cr_expect(got.priority == 4 && got.size == 1000 && got.created == j.created);
    cr_expect(strcmp(got.key, "photo.jpg") == 0 && strcmp(got.sha256, j.sha256) == 0);
    cr_expect(got.meta_count == 1 && strcmp(got.meta[0].value, j.meta[0].value) == 0);
    cr_expect(stands(&j.id, "ready", "waiting"));
    job_release(&j);
    job_release(&got);
}

Test(queue, show_tells_a_missing_job_from_an_impossible_one)
{
    struct job j = new_job(0, 0), got = JOB_INIT;
    struct err e = ERR_INIT;
    bool missing = false;

    cr_assert(queue_show(h.redis, &j.id, &got, &missing, &e) == ERR_REJECT);
    cr_expect(missing);
    set_field(&j.id, "state", "flying");
    cr_assert(queue_show(h.redis, &j.id, &got, &missing, &e) == ERR_REJECT);
    cr_expect_not(missing);
    cr_expect(strstr(e.text, "state"), "%s", e.text);
    edit("DEL", key_of(&j.id).text, NULL);
    edit("SET", key_of(&j.id).text, "x", NULL);
    missing = true;
    cr_assert(queue_show(h.redis, &j.id, &got, &missing, &e) == ERR_REJECT);
    cr_expect_not(missing);
    job_release(&j);
}

Test(queue, enqueue_of_a_known_id_changes_nothing)
{
    struct job j = new_job(0, 0);

    cr_assert(enqueue(&j) == QUEUE_OK);
    struct queue_lease l = claim_and_start();
    cr_expect(enqueue(&j) == QUEUE_EXISTS);
    cr_expect_str_eq(last_state(), "waiting", "what its record says");
    cr_expect(stands(&j.id, "leased", "running"));
    cr_assert(beat(&l, 5) == QUEUE_OK);
    cr_expect(enqueue(&j) == QUEUE_EXISTS);
    cr_expect_str_eq(last_state(), "running");
    finish(&l, JOB_DONE, 0);
    cr_expect(enqueue(&j) == QUEUE_EXISTS);
    cr_expect(stands(&j.id, "done", "done"));
    cr_expect(status().enqueued_total == 1);
    job_release(&j);
}

Test(queue, enqueue_after_the_record_was_deleted_by_hand_leaves_one_place)
{
    struct job j = new_job(0, clock_wall_ms() + 3600000);

    cr_assert(enqueue(&j) == QUEUE_OK);
    edit("DEL", key_of(&j.id).text, NULL);
    j.due = 0;
    cr_assert(enqueue(&j) == QUEUE_OK);
    make_due(&j.id);
    cr_expect(promote(&j.id) == QUEUE_MISSING);
    cr_expect(stands(&j.id, "ready", "waiting"));
    job_release(&j);
}

/* What a responder whose clock is a day ahead made of "in a second". */
Test(queue, a_clock_that_is_wrong_makes_no_delay_longer)
{
    struct job j = new_job(0, 0);

    j.created = clock_wall_ms() + 25 * 3600000;
    j.due = j.created + 1000;
    cr_assert(enqueue(&j) == QUEUE_OK);
    int64_t due = redis_fixture_ask_int(&h.server, "ZSCORE", "hoist:{q}:later",
                                        j.id.uuid.text, NULL);
    cr_expect(due > 0 && due <= clock_wall_ms() + 1000);
    cr_expect(redis_fixture_ask_int(&h.server, "HGET", key_of(&j.id).text, "due",
                                    NULL) == due);
    job_release(&j);
}

Test(queue, a_job_is_due_when_it_says)
{
    struct job j = new_job(0, 0);

    j.created = clock_wall_ms();
    j.due = j.created + 3600000;
    cr_assert(enqueue(&j) == QUEUE_OK);
    cr_expect(redis_fixture_ask_int(&h.server, "ZSCORE", "hoist:{q}:later",
                                    j.id.uuid.text, NULL) == j.due);
    job_release(&j);
}

Test(queue, first_in_first_out_inside_a_priority_and_low_numbers_first)
{
    struct job_id late = add(9, 0), a = add(5, 0), b = add(5, 0), urgent = add(0, 0);
    struct queue_claimed c = claim(10);

    cr_assert(c.count == 4);
    cr_expect(same(&c.leases[0].id, &urgent));
    cr_expect(same(&c.leases[1].id, &a));
    cr_expect(same(&c.leases[2].id, &b));
    cr_expect(same(&c.leases[3].id, &late));
    cr_expect_not(c.more);
}

Test(queue, claim_is_bounded_by_what_is_wanted_and_by_the_batch)
{
    for (int i = 0; i < 205; i++)
        add(0, 0);
    cr_expect(claim(0).count == 0);
    cr_expect(claim(3).count == 3);
    struct queue_claimed c = claim(5000);
    cr_expect(c.count == QUEUE_BATCH_MAX);
    cr_expect(c.more);
    c = claim(QUEUE_BATCH_MAX);
    cr_expect(c.count == QUEUE_BATCH_MAX);
    c = claim(QUEUE_BATCH_MAX);
    cr_expect(c.count == 2);
    cr_expect_not(c.more);
}

Test(queue, expired_and_due_are_reported_a_batch_at_a_time)
{
    for (int i = 0; i < 120; i++) {
        struct job_id id = add(0, clock_wall_ms() + 3600000);
        make_due(&id);
    }
    struct queue_claimed c = claim(0);
    cr_expect(c.due_count == QUEUE_BATCH_MAX);
    cr_expect(c.next_ms == 0, "there is more to be told");
    for (size_t i = 0; i < c.due_count; i++) {
        struct job_id id = {.queue = "q", .uuid = c.due[i]};
        cr_expect(promote(&id) == QUEUE_OK);
    }
    cr_expect(claim(0).due_count == 20);
}

Test(queue, a_paused_queue_gives_no_job_but_tells_what_time_brings)
{
    struct job_id waiting = add(0, 0), leased,
                  later = add(0, clock_wall_ms() + 3600000);

    leased = claim_one().id;
    cr_assert(same(&leased, &waiting));
    add(0, 0);
    edit("HSET", "hoist:{q}:conf", "paused", "yes", NULL);
    edit("DEL", "hoist:{q}:wake", NULL);
    expire(&leased);
    make_due(&later);
    struct queue_claimed c = claim(10);
    cr_expect(c.count == 0 && !c.more);
    cr_expect(c.expired_count == 1 && c.due_count == 1);
    cr_expect(card("wake") == 0, "a paused queue wakes nobody");
    cr_expect(status().paused);
    edit("HDEL", "hoist:{q}:conf", "paused", NULL);
    cr_expect(claim(10).count == 1);
}

Test(queue, claim_says_when_time_will_bring_the_next)
{
    cr_expect(claim(0).next_ms == -1);
    add(0, clock_wall_ms() + 30000);
    struct queue_claimed c = claim(0);
    cr_expect(c.next_ms > 25000 && c.next_ms <= 30000, "%ld", (long)c.next_ms);
    add(0, 0);
    h.worker.lease_ms = 5000;
    c = claim(1);
    cr_expect(c.next_ms > 3000 && c.next_ms <= 5000, "%ld", (long)c.next_ms);
}

/* --- start, beat --- */

Test(queue, start_counts_the_attempt_and_gives_the_record)
{
    struct job_id id = add(3, 0);
    struct queue_lease l = claim_one();
    struct job j = JOB_INIT;
    struct err why = ERR_INIT;

    cr_expect(stands(&id, "leased", "waiting"));
    cr_assert(start_record(&l, &j, &why) == QUEUE_OK, "%s", why.text);
    cr_expect(j.state == JOB_RUNNING && j.attempts == 1);
    cr_expect(stands(&id, "leased", "running"));
    job_release(&j);
}

Test(queue, the_record_says_running_from_the_first_beat_on_and_show_from_the_start_on)
{
    struct job_id id = add(3, 0);
    struct queue_lease l = claim_and_start();
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    bool missing;

    cr_expect(field_is(&id, "state", "waiting") && field_is(&id, "worker", ""));
    cr_assert(queue_show(h.redis, &id, &j, &missing, &e) == ERR_OK, "%s", e.text);
    cr_expect(j.state == JOB_RUNNING && j.attempts == 1 && j.started > 0);
    cr_expect_str_eq(j.worker, "w1");
    job_release(&j);
    cr_assert(beat(&l, 77) == QUEUE_OK);
    cr_expect(field_is(&id, "state", "running") && field_is(&id, "worker", "w1"));
    cr_expect(field_is(&id, "sent", "77"));
    expire(&id);
    cr_assert(reap(&id) == QUEUE_OK);
    cr_assert(queue_show(h.redis, &id, &j, &missing, &e) == ERR_OK, "%s", e.text);
    cr_expect(j.state == JOB_WAITING && j.attempts == 1 && j.crashes == 1);
    job_release(&j);
}

Test(queue, start_sent_twice_counts_once)
{
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_and_start();
    struct tmp_key owner = owner_of(&id);

    cr_expect(start(&l) == QUEUE_OK);
    cr_expect_str_eq(owner_of(&id).text, owner.text, "it has begun when it began");
    cr_expect(status().started_total == 1);
    cr_assert(fail(&l, 0) == QUEUE_OK);
    cr_expect(field_is(&id, "attempts", "1"));
}

Test(queue, a_wrong_token_is_lost_everywhere_and_changes_nothing)
{
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_and_start(), wrong = l;

    wrong.token++;
    char *before = redis_fixture_ask(&h.server, "HGETALL", key_of(&id).text, NULL);
    cr_expect(start(&wrong) == QUEUE_LOST);
    cr_expect(beat(&wrong, 77) == QUEUE_LOST);
    cr_expect(fail(&wrong, 0) == QUEUE_LOST);
    cr_expect(fail(&wrong, -1) == QUEUE_LOST);
    cr_expect(release(&wrong) == QUEUE_LOST);
    add(0, 0);
    struct queue_claimed c = finish(&wrong, JOB_DONE, 1);
    cr_expect(c.answers[0] == QUEUE_LOST && c.count == 1, "it claims all the same");
    char *after = redis_fixture_ask(&h.server, "HGETALL", key_of(&id).text, NULL);
    cr_expect_str_eq(before, after);
    cr_expect(stands(&id, "leased", "running"));
    h.worker.id = "w2";
    cr_expect(finish(&l, JOB_DONE, 0).answers[0] == QUEUE_LOST,
              "another worker, same token");
    free(before);
    free(after);
}

Test(queue, a_worker_whose_lease_was_taken_over_can_do_nothing)
{
    struct job_id id = add(0, 0);
    struct queue_lease old = claim_and_start();

    expire(&id);
    cr_assert(reap(&id) == QUEUE_OK);
    cr_expect(finish(&old, JOB_DONE, 0).answers[0] == QUEUE_LOST);
    struct queue_lease fresh = claim_and_start();
    cr_expect(fresh.token > old.token);
    cr_expect(finish(&old, JOB_DONE, 0).answers[0] == QUEUE_LOST);
    cr_expect(beat(&old, 1) == QUEUE_LOST);
    cr_expect(stands(&id, "leased", "running"));
    cr_expect(finish(&fresh, JOB_DONE, 0).answers[0] == QUEUE_OK);
    cr_expect(field_is(&id, "attempts", "2"));
}

Test(queue, beat_renews_the_lease_stores_progress_and_tells_of_cancel)
{
    struct job_id id = add(0, 0), other = add(0, 0);
    struct queue_lease l = claim_and_start();

    expire(&id);
    cr_expect(beat(&l, 512) == QUEUE_OK);
    cr_expect(reap(&id) == QUEUE_MISSING, "the lease was renewed");
    cr_expect(field_is(&id, "sent", "512"));
    cr_assert(cancel(&id) == QUEUE_RUNNING);
    cr_expect(beat(&l, 600) == QUEUE_CANCELLED);
    struct queue_lease unstarted = claim_one();
    cr_assert(same(&unstarted.id, &other));
    cr_expect(beat(&unstarted, 0) == QUEUE_OK);
    cr_expect(field_is(&other, "sent", ""), "nothing is written before the start");
}

static void beat_in_phase(const struct queue_lease *l, const char *phase, int64_t parts)
{
    struct queue_beat b = {.lease = *l,
                           .sent = 700,
                           .phase = phase,
                           .rate = 4000,
                           .parts = parts,
                           .parts_done = parts / 2};
    enum queue_answer answer;
    struct redis_cmd cmd;
    struct err e = ERR_INIT;

    redis_cmd_init(&cmd);
    queue_beat_cmd(&cmd, "q", &h.worker, &b, 1);
    struct redis_value *v = run(&cmd);
    cr_assert(queue_parse_beat(v, 1, &answer, &e) == ERR_OK, "%s", e.text);
    cr_expect(answer == QUEUE_OK);
    redis_reply_free(v);
}

/* What is true only while a job runs is not in its record any more. */
static void expect_no_run(const struct job_id *id)
{
    static const char *const names[] = {"worker", "phase", "rate", "parts",
                                        "parts_done"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        cr_expect(field_is(id, names[i], ""), "%s", names[i]);
}

Test(queue, a_beat_says_what_the_worker_is_at_and_how_fast)
{
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_and_start();

    beat_in_phase(&l, "uploading", 0);
    cr_expect(field_is(&id, "phase", "uploading"));
    cr_expect(field_is(&id, "rate", "4000"));
    cr_expect(field_is(&id, "parts", ""), "it has none");
    beat_in_phase(&l, "uploading", 8);
    cr_expect(field_is(&id, "parts", "8"));
    cr_expect(field_is(&id, "parts_done", "4"));
    cr_assert(finish(&l, JOB_CANCELLED, 0).answers[0] == QUEUE_OK);
    cr_expect(field_is(&id, "phase", ""));
}

Test(queue, a_job_that_is_given_back_is_at_nothing)
{
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_and_start();

    beat_in_phase(&l, "finishing", 8);
    cr_assert(release(&l) == QUEUE_OK);
    expect_no_run(&id);
    l = claim_and_start();
    beat_in_phase(&l, "finishing", 8);
    struct redis_cmd later;
    redis_cmd_init(&later);
    queue_release_cmd(&later, &l, &h.worker, 60000);
    cr_assert(run_answer(&later) == QUEUE_OK);
    expect_no_run(&id);
}

Test(queue, one_beat_answers_each_lease_in_its_order)
{
    struct queue_beat beats[QUEUE_BATCH_MAX];
    enum queue_answer answers[QUEUE_BATCH_MAX];
    struct err e = ERR_INIT;

    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++)
        add(0, 0);
    struct queue_claimed c = claim(QUEUE_BATCH_MAX);
    cr_assert(c.count == QUEUE_BATCH_MAX);
    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++) {
        beats[i] = (struct queue_beat){.lease = c.leases[i]};
        cr_assert(start(&c.leases[i]) == QUEUE_OK);
    }
    beats[7].lease.token += 1000;
    cr_assert(cancel(&beats[8].lease.id) == QUEUE_RUNNING);
    struct redis_cmd cmd;
    redis_cmd_init(&cmd);
    queue_beat_cmd(&cmd, "q", &h.worker, beats, QUEUE_BATCH_MAX);
    struct redis_value *v = run(&cmd);
    cr_assert(queue_parse_beat(v, QUEUE_BATCH_MAX, answers, &e) == ERR_OK, "%s",
              e.text);
    redis_reply_free(v);
    for (size_t i = 0; i < QUEUE_BATCH_MAX; i++)
        cr_expect(answers[i] == (i == 7   ? QUEUE_LOST
                                 : i == 8 ? QUEUE_CANCELLED
                                          : QUEUE_OK));
}
