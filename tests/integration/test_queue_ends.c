/* How an attempt ends, and what comes after it: finish, fail, release, promote, reap. */
#include "tests/integration/queue_harness.h"
#include "tests/integration/queue_look.h"

#include "shared/clock.h"
#include "shared/queue_classes.h"
#include "tests/support/wait_until.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(queue_ends, .init = harness_up, .fini = harness_down, .timeout = 60);

/* --- finish --- */

Test(queue_ends, finish_keeps_the_result_and_claims_the_next)
{
    struct job_id a = add(0, 0), b = add(0, 0);
    struct queue_lease l = claim_and_start();
    struct queue_claimed c = finish(&l, JOB_DONE, 5);

    cr_expect(c.answers[0] == QUEUE_OK && c.count == 1 && same(&c.leases[0].id, &b));
    cr_expect(stands(&a, "done", "done"));
    cr_expect(field_is(&a, "url", "file:///o/x"));
    cr_expect(field_is(&a, "etag", "\"abc\""));
    cr_expect(field_is(&a, "attempts", "1") && field(&a, "started").text[0]);
    cr_expect(field_is(&a, "worker", "w1") && field_is(&a, "sent", ""));
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    bool missing;
    cr_assert(queue_show(h.redis, &a, &j, &missing, &e) == ERR_OK, "%s", e.text);
    cr_expect(j.state == JOB_DONE && j.sent == 1000, "all that it has");
    job_release(&j);
    int64_t ttl = redis_fixture_ask_int(&h.server, "PTTL", key_of(&a).text, NULL);
    cr_expect(ttl > 3500000 && ttl <= 3600000, "%ld", (long)ttl);
    cr_expect(finish(&l, JOB_DONE, 0).answers[0] == QUEUE_LOST,
              "done twice is refused");
    cr_expect(start(&c.leases[0]) == QUEUE_OK);
}

Test(queue_ends, finish_writes_what_a_command_gave)
{
    static const char sum[] =
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    struct job made = new_job(0, 0), j = JOB_INIT;
    struct err e = ERR_INIT;
    bool missing;

    free(made.source);
    free(made.sha256);
    made.source = strdup("command:backup");
    made.sha256 = NULL;
    made.size = 0;
    cr_assert(enqueue(&made) == QUEUE_OK);
    cr_expect(field_is(&made.id, "bytes", "") && field_is(&made.id, "sha256", ""));
    struct queue_lease l = claim_and_start();
    struct queue_end end = {.lease = l,
                            .state = JOB_DONE,
                            .url = "file:///o/x",
                            .sent = 5,
                            .attempts = 1,
                            .sha256 = sum};
    cr_expect(
        finish_as(&end, &(struct queue_finish){.keep_ms = 3600000, .keep_count = 10})
            .answers[0] == QUEUE_OK);
    cr_expect(field_is(&made.id, "bytes", "5") && field_is(&made.id, "sha256", sum));
    cr_assert(queue_show(h.redis, &made.id, &j, &missing, &e) == ERR_OK, "%s", e.text);
    cr_expect(j.state == JOB_DONE && j.sent == 5 && j.size == 5);
    cr_expect(status().bytes == 0, "none was counted when it came");
    job_release(&made);
    job_release(&j);
}

Test(queue_ends, finish_clears_the_error_of_an_earlier_attempt)
{
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_and_start();

    cr_assert(fail(&l, 0) == QUEUE_OK);
    cr_expect(field_is(&id, "error", "the store said 503"));
    make_due(&id);
    cr_assert(promote(&id) == QUEUE_OK);
    l = claim_and_start();
    finish(&l, JOB_DONE, 0);
    cr_expect(field_is(&id, "error", "") && field_is(&id, "error_class", ""));
}

Test(queue_ends, done_is_capped_by_count)
{
    struct job_id first = add(0, 0);

    for (int i = 0; i < 5; i++) {
        if (i > 0)
            add(0, 0);
        struct queue_lease l = claim_and_start();
        finish_keep(&l, 3600000, 3);
        cr_expect(card("done") == (i < 3 ? i + 1 : 3));
    }
    cr_expect_not(is_in("done", &first));
}

Test(queue_ends, done_is_capped_by_age_a_batch_at_a_time)
{
    struct job_id fresh = add(0, 0);
    struct queue_lease l = claim_and_start();
    char member[24];

    for (int i = 0; i < 150; i++) {
        (void)snprintf(member, sizeof member, "old%d", i);
        edit("ZADD", "hoist:{q}:done", "1", member, NULL);
    }
    finish_keep(&l, 3600000, 100000);
    cr_expect(card("done") == 50);
    cr_expect(is_in("done", &fresh));
}

/* --- fail, release, promote --- */

Test(queue_ends, a_delayed_job_waits_until_it_is_due)
{
    struct job_id id = add(0, clock_wall_ms() + 3600000);

    cr_expect(stands(&id, "later", "scheduled"));
    cr_expect(claim(10).count == 0);
    cr_expect(promote(&id) == QUEUE_MISSING, "too early");
    make_due(&id);
    struct queue_claimed c = claim(0);
    cr_assert(c.due_count == 1 && strcmp(c.due[0].text, id.uuid.text) == 0);
    cr_expect(promote(&id) == QUEUE_OK);
    cr_expect(stands(&id, "ready", "waiting"));
    cr_expect(promote(&id) == QUEUE_MISSING, "twice");
    cr_expect(claim(1).count == 1);
}

Test(queue_ends, a_retry_keeps_its_place)
{
    struct job_id first = add(5, 0);
    struct queue_lease l = claim_and_start();

    add(5, 0);
    cr_assert(fail(&l, 5000) == QUEUE_OK);
    cr_expect_str_eq(last_state(), "scheduled");
    cr_expect(stands(&first, "later", "scheduled"));
    cr_expect(field_is(&first, "error_class", "store") &&
              field_is(&first, "sent", "10"));
    make_due(&first);
    cr_assert(promote(&first) == QUEUE_OK);
    l = claim_one();
    cr_expect(same(&l.id, &first));
}

Test(queue_ends, attempts_used_up_are_dead_with_the_reason)
{
    struct job_id id = add(0, 0);

    for (int attempt = 1; attempt <= 3; attempt++) {
        struct queue_lease l = claim_and_start();
        enum queue_answer answer = fail(&l, 0);
        cr_assert(answer == (attempt < 3 ? QUEUE_OK : QUEUE_CONFLICT));
        if (attempt < 3) {
            make_due(&id);
            cr_assert(promote(&id) == QUEUE_OK);
        }
    }
    cr_expect_str_eq(last_state(), "dead");
    cr_expect(stands(&id, "dead", "dead"));
    cr_expect(field_is(&id, "error", "the store said 503") &&
              field_is(&id, "attempts", "3"));
    cr_expect(redis_fixture_ask_int(&h.server, "PTTL", key_of(&id).text, NULL) == -1);
    struct queue_status s = status();
    cr_expect(s.failed_total == 3 && s.retried_total == 2 && s.dead_total == 1 &&
              s.dead == 1);
}

Test(queue_ends, an_error_no_retry_can_mend_is_dead_at_once)
{
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_and_start();

    cr_expect(fail(&l, -1) == QUEUE_CONFLICT);
    cr_expect(stands(&id, "dead", "dead"));
}

Test(queue_ends, fail_keeps_so_much_of_the_error_cut_between_characters)
{
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_and_start();
    struct redis_cmd c;
    char text[JOB_ERROR_MAX + 300];

    memset(text, 'x', JOB_ERROR_MAX - 1);
    for (size_t i = JOB_ERROR_MAX - 1; i + 3 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 3);
    redis_cmd_init(&c);
    queue_fail_cmd(&c,
                   &(struct queue_fail){.lease = l, .error = text, .error_class = "x"},
                   &h.worker);
    redis_reply_free(run(&c));
    cr_expect(redis_fixture_ask_int(&h.server, "HSTRLEN", key_of(&id).text, "error",
                                    NULL) == JOB_ERROR_MAX - 1);
}

Test(queue_ends, release_counts_no_attempt_and_keeps_the_place)
{
    struct job_id first = add(0, 0);
    struct queue_lease l = claim_and_start();

    add(0, 0);
    cr_expect(release(&l) == QUEUE_OK);
    cr_expect(stands(&first, "ready", "waiting"));
    cr_expect(field_is(&first, "attempts", ""), "none is counted");
    l = claim_one();
    cr_expect(same(&l.id, &first));
    cr_expect(release(&l) == QUEUE_OK, "claimed, never started");
    cr_expect(field_is(&first, "attempts", ""));
}

/* --- reap --- */

Test(queue_ends, a_job_of_a_dead_worker_returns_to_its_place)
{
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_and_start();

    add(0, 0);
    cr_expect(reap(&id) == QUEUE_MISSING, "not expired");
    expire(&id);
    struct queue_claimed c = claim(0);
    cr_assert(c.expired_count == 1 && strcmp(c.expired[0].text, id.uuid.text) == 0);
    cr_expect(reap(&id) == QUEUE_OK);
    cr_expect(reap(&id) == QUEUE_MISSING, "twice");
    cr_expect(stands(&id, "ready", "waiting"));
    cr_expect(field_is(&id, "crashes", "1") && field_is(&id, "attempts", "1"));
    l = claim_one();
    cr_expect(same(&l.id, &id));
    cr_expect(status().crashed_total == 1);
}

Test(queue_ends, the_lease_runs_out_by_the_servers_clock)
{
    struct job_id id = add(0, 0);

    h.worker.lease_ms = 20;
    claim_and_start();
    cr_expect(WAIT_UNTIL(claim(0).expired_count == 1, 5000));
    cr_expect(reap(&id) == QUEUE_OK);
}

Test(queue_ends, a_claim_that_never_started_burns_nothing)
{
    struct job_id id = add(0, 0);

    for (int i = 0; i < 5; i++) {
        claim_one();
        expire(&id);
        cr_assert(reap(&id) == QUEUE_OK);
    }
    cr_expect(field_is(&id, "attempts", "") && field_is(&id, "crashes", ""));
    cr_expect(stands(&id, "ready", "waiting"));
}

Test(queue_ends, three_crashes_are_dead)
{
    struct job j = new_job(0, 0);

    j.max_attempts = 10;
    cr_assert(enqueue(&j) == QUEUE_OK);
    for (int i = 1; i <= 3; i++) {
        claim_and_start();
        expire(&j.id);
        cr_expect(reap(&j.id) == (i < 3 ? QUEUE_OK : QUEUE_CONFLICT));
    }
    cr_expect_str_eq(last_state(), "dead");
    cr_expect(stands(&j.id, "dead", "dead"));
    cr_expect(field_is(&j.id, "error_class", "crashed"));
    cr_expect(field_is(&j.id, "error", "its worker died 3 times"));
    job_release(&j);
}

Test(queue_ends, a_crash_in_the_last_attempt_is_dead)
{
    struct job j = new_job(0, 0);

    j.max_attempts = 1;
    cr_assert(enqueue(&j) == QUEUE_OK);
    claim_and_start();
    expire(&j.id);
    cr_expect(reap(&j.id) == QUEUE_CONFLICT);
    cr_expect(field_is(&j.id, "error", "its worker died in attempt 1 of 1"));
    job_release(&j);
}

/* --- classes of errors --- */

static enum queue_answer fail_as(const char *class, int64_t retry_ms)
{
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_and_start();
    struct redis_cmd c;

    redis_cmd_init(&c);
    queue_fail_cmd(
        &c,
        &(struct queue_fail){
            .lease = l, .error = "no", .error_class = class, .retry_ms = retry_ms},
        &h.worker);
    cr_assert(same(&l.id, &id));
    return run_answer(&c);
}

static struct queue_classes classes(void)
{
    struct redis_cmd c;
    struct queue_status s;
    struct queue_classes ret;
    struct err e = ERR_INIT;

    redis_cmd_init(&c);
    queue_classes_cmd(&c, "q");
    struct redis_value *v = run(&c);
    cr_assert(queue_parse_status(v, &s, &e) == ERR_OK, "%s", e.text);
    queue_parse_classes(v, &s, &ret);
    redis_reply_free(v);
    return ret;
}

Test(queue_ends, failures_and_deaths_count_by_the_class_of_their_error)
{
    const size_t other = QUEUE_CLASSES - 1;
    struct queue_classes n = classes();
    for (size_t i = 0; i < QUEUE_CLASSES; i++)
        cr_expect(n.failed[i] == 0 && n.dead[i] == 0, "%s", queue_class_names[i]);
    for (size_t i = 0; i < QUEUE_CLASSES; i++) {
        cr_expect(fail_as(queue_class_names[i], 3600000) == QUEUE_OK);
        for (size_t k = 0; k <= i; k++)
            cr_expect(fail_as(queue_class_names[i], -1) == QUEUE_CONFLICT);
    }
    cr_expect(fail_as("config refresh", -1) == QUEUE_CONFLICT);
    cr_expect(fail_as("", -1) == QUEUE_CONFLICT);
    n = classes();
    for (size_t i = 0; i < other; i++)
        cr_expect(n.failed[i] == (int64_t)i + 2 && n.dead[i] == (int64_t)i + 1,
                  "%s: %lld, %lld", queue_class_names[i], (long long)n.failed[i],
                  (long long)n.dead[i]);
    cr_expect(n.failed[other] == QUEUE_CLASSES + 3 &&
                  n.dead[other] == QUEUE_CLASSES + 2,
              "what is not listed is the rest");
    cr_expect(redis_fixture_ask_int(&h.server, "HLEN", "hoist:{q}:stats", NULL) < 64,
              "one field for each class, whatever workers send");
}

Test(queue_ends, a_job_whose_worker_died_counts_as_crashed)
{
    struct job_id id = add(0, 0);

    for (int i = 0; i < 3; i++) {
        (void)claim_and_start();
        expire(&id);
        (void)reap(&id);
    }
    struct queue_classes n = classes();
    cr_expect(stands(&id, "dead", "dead"));
    for (size_t i = 0; i < QUEUE_CLASSES; i++)
        cr_expect(n.dead[i] == (strcmp(queue_class_names[i], "crashed") == 0), "%s",
                  queue_class_names[i]);
}
