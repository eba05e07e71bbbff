/* Records and keys edited by hand to something impossible, a full server, an old server: jobs go to dead with the
 * reason, everything else goes on. */
#include "tests/integration/queue_harness.h"
#include "tests/integration/queue_look.h"

#include "shared/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(queue_bad, .init = harness_up, .fini = harness_down, .timeout = 120);

/* --- Impossible records --- */

static const struct {
    const char *name,
        *value; /* value NULL: the field is removed; name NULL: the key becomes a string */
    const char *reason; /* part of what is said of it */
    bool runs;          /* what a worker needs is there: only the scripts mind */
} edits[] = {
    {"attempts", "many", "attempts", false},
    {"attempts", "-1", "attempts", false},
    {"attempts", "1e3", "attempts", false},
    {"attempts", "99", "attempts", false},
    {"attempts", "99999999999999999999", "attempts", false},
    {"max_attempts", "0", "max_attempts", false},
    {"max_attempts", "", "max_attempts", false},
    {"crashes", "x", "crashes", false},
    {"priority", "10", "priority", false},
    {"seq", NULL, "seq", .runs = true},
    {"seq", "35184372088832", "seq", false},
    {"seq", "first", "seq", false},
    {"state", "flying", "state", false},
    {"state", "done", "state", false},
    {"state", NULL, "state", false},
    {"sha256", "abc", "sha256", false},
    {"key", "../../etc/passwd", "key", false},
    {"bytes", "-5", "bytes", false},
    {"source", "elsewhere", "source", false},
    {NULL, NULL, "hash", false},
};

static void spoil(const struct job_id *id, size_t row)
{
    struct tmp_key key = key_of(id);

    if (!edits[row].name) {
        edit("DEL", key.text, NULL);
        edit("SET", key.text, "not a hash", NULL);
    } else if (edits[row].value) {
        set_field(id, edits[row].name, edits[row].value);
    } else {
        edit("HDEL", key.text, edits[row].name, NULL);
    }
}

Test(queue_bad, an_impossible_record_is_bad_at_start_and_can_be_failed_as_dead)
{
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        struct job_id id = add(0, 0);
        struct job j = JOB_INIT;
        struct err why = ERR_INIT;
        spoil(&id, i);
        struct queue_lease l = claim_one();
        enum queue_answer answer = start_record(&l, &j, &why);
        cr_expect(answer == (edits[i].runs ? QUEUE_OK : QUEUE_BAD), "row %zu", i);
        cr_expect(edits[i].runs || strstr(why.text, edits[i].reason), "row %zu: %s", i,
                  why.text);
        cr_expect(fail(&l, -1) == QUEUE_CONFLICT, "row %zu", i);
        cr_expect(stands(&id, "dead", "dead"), "row %zu", i);
        cr_expect(field_is(&id, "error", "the store said 503"), "row %zu", i);
        job_release(&j);
    }
    cr_expect(claim(10).count == 0);
}

/* Those that the scripts themselves notice. */
static bool is_the_scripts_matter(size_t row)
{
    static const char *const fields[] = {"attempts", "max_attempts", "crashes",
                                         "priority", "seq",          "state"};

    if (!edits[row].name)
        return true;
    if (edits[row].value && strcmp(edits[row].value, "99") == 0)
        return false;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcmp(edits[row].name, fields[i]) == 0)
            return true;
    return false;
}

Test(queue_bad, an_impossible_record_is_buried_by_whoever_meets_it)
{
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        if (!is_the_scripts_matter(i))
            continue;
        struct job_id reaped = add(0, 0);
        claim_and_start();
        spoil(&reaped, i);
        expire(&reaped);
        cr_expect(reap(&reaped) == QUEUE_CONFLICT, "row %zu", i);
        cr_expect_str_eq(last_state(), "dead");
        cr_expect(stands(&reaped, "dead", "dead"), "row %zu", i);
        cr_expect(strstr(field(&reaped, "error").text, edits[i].reason), "row %zu", i);
        struct job_id promoted = add(0, clock_wall_ms() + 3600000);
        spoil(&promoted, i);
        make_due(&promoted);
        cr_expect(promote(&promoted) == QUEUE_CONFLICT, "row %zu", i);
        cr_expect(stands(&promoted, "dead", "dead"), "row %zu", i);
        struct job_id failing = add(0, 0);
        struct queue_lease l = claim_and_start();
        spoil(&failing, i);
        if (edits[i].name && strcmp(edits[i].name, "state") == 0) {
            cr_assert(finish(&l, JOB_DONE, 0).answers[0] == QUEUE_OK);
            continue; /* its state is overwritten anyway */
        }
        cr_expect(fail(&l, 1000) == QUEUE_CONFLICT, "row %zu: not tried again", i);
        cr_expect(stands(&failing, "dead", "dead"), "row %zu", i);
        cr_expect(strstr(field(&failing, "error").text, edits[i].reason), "row %zu", i);
    }
}

Test(queue_bad, a_release_of_an_impossible_record_buries_it)
{
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_and_start();

    set_field(&id, "seq", "none");
    cr_expect(release(&l) == QUEUE_CONFLICT);
    cr_expect(stands(&id, "dead", "dead"));
}

Test(queue_bad, a_deleted_record_leaves_nothing_behind)
{
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_one();

    edit("DEL", key_of(&id).text, NULL);
    cr_expect(start(&l) == QUEUE_BAD);
    cr_expect(fail(&l, -1) == QUEUE_MISSING);
    cr_expect(!is_in("leased", &id) && !has_owner(&id));
    for (int i = 0; i < 4; i++) {
        id = add(0, 0);
        l = claim_and_start();
        edit("DEL", key_of(&id).text, NULL);
        if (i == 0) {
            cr_expect(finish(&l, JOB_DONE, 0).answers[0] == QUEUE_OK);
        } else if (i == 1) {
            cr_expect(fail(&l, 0) == QUEUE_MISSING);
        } else if (i == 2) {
            cr_expect(release(&l) == QUEUE_MISSING);
        } else {
            expire(&id);
            cr_expect(reap(&id) == QUEUE_MISSING);
        }
        cr_expect(!is_in("leased", &id) && !has_owner(&id), "case %d", i);
        cr_expect(redis_fixture_ask_int(&h.server, "EXISTS", key_of(&id).text, NULL) ==
                  0);
    }
    id = add(0, clock_wall_ms() + 3600000);
    make_due(&id);
    edit("DEL", key_of(&id).text, NULL);
    cr_expect(promote(&id) == QUEUE_MISSING);
    cr_expect_not(is_in("later", &id));
}

Test(queue_bad, a_record_replaced_while_it_ran_does_not_stop_the_worker)
{
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_and_start();

    edit("DEL", key_of(&id).text, NULL);
    edit("SET", key_of(&id).text, "x", NULL);
    cr_expect(beat(&l, 5) == QUEUE_OK);
    cr_expect(cancel(&id) == QUEUE_BAD);
    cr_expect(finish(&l, JOB_DONE, 0).answers[0] == QUEUE_OK);
    cr_expect(!is_in("leased", &id) && !has_owner(&id) && !is_in("done", &id));
}

Test(queue_bad, an_endless_record_is_not_read_by_any_script)
{
    struct job_id wide = add(0, 0), large = add(1, 0);
    struct err why = ERR_INIT;
    struct job j = JOB_INIT;
    char name[24], *big = malloc(3000001);

    for (int i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof name, "x%d", i);
        set_field(&wide, name, "y");
    }
    memset(big, 'x', 3000000);
    big[3000000] = '\0';
    set_field(&large, "error", big);
    for (int i = 0; i < 2; i++) {
        struct queue_lease l = claim_one();
        cr_expect(start_record(&l, &j, &why) == QUEUE_OK, "what is unknown is ignored");
        cr_expect(strnlen(j.error ? j.error : "", JOB_ERROR_MAX + 1) <= JOB_ERROR_MAX);
        job_release(&j);
        cr_expect(fail(&l, 1000) == QUEUE_CONFLICT, "not tried again");
        cr_expect(strstr(field(&l.id, "error").text, "more than"));
    }
    cr_expect(stands(&wide, "dead", "dead") && stands(&large, "dead", "dead"));
    free(big);
}

Test(queue_bad, steering_an_impossible_record)
{
    struct job_id text = add(0, 0), odd = add(0, 0);

    edit("DEL", key_of(&text).text, NULL);
    edit("SET", key_of(&text).text, "x", NULL);
    cr_expect(retry(&text) == QUEUE_BAD);
    cr_expect(cancel(&text) == QUEUE_CONFLICT);
    cr_expect_str_eq(last_state(), "dead");
    cr_expect(stands(&text, "dead", "dead"));
    set_field(&odd, "priority", "x");
    cr_expect(cancel(&odd) == QUEUE_OK, "to cancel it, no number is needed");
    cr_expect(stands(&odd, "done", "cancelled"));
    struct job_id dead = add(0, 0);
    struct queue_lease l = claim_and_start();
    cr_assert(fail(&l, -1) == QUEUE_CONFLICT);
    set_field(&dead, "attempts", "x");
    set_field(&dead, "crashes", "y");
    cr_expect(retry(&dead) == QUEUE_OK, "they are set anew");
    cr_expect(stands(&dead, "ready", "waiting"));
    struct job again = new_job(0, 0);
    edit("SET", key_of(&again.id).text, "x", NULL);
    cr_expect(enqueue(&again) == QUEUE_BAD);
    job_release(&again);
}

Test(queue_bad, members_that_are_no_ids_are_taken_out)
{
    static const char *const words[] = {"x", "0193c0de-7a1b-4c3d-9e4f-0123456789ab",
                                        "0193C0DE-7A1B-7C3D-9E4F-0123456789AB", "",
                                        "\xff"};
    struct job_id id = add(5, 0);

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        edit("ZADD", "hoist:{q}:ready", "-inf", words[i], NULL);
        edit("ZADD", "hoist:{q}:later", "1", words[i], NULL);
        edit("ZADD", "hoist:{q}:leased", "1", words[i], NULL);
    }
    struct queue_claimed c = claim(10);
    cr_expect(c.count == 1 && same(&c.leases[0].id, &id));
    cr_expect(c.due_count == 0 && c.expired_count == 0);
    cr_expect(card("ready") == 0 && card("later") == 0);
    edit("ZADD", "hoist:{q}:leased", "1", words[1], "1", words[2], NULL);
    cr_expect(claim(10).expired_count == 0);
    cr_expect(card("leased") == 1, "those as long as ids, when their leases are over");
    cr_expect(redis_fixture_ask_int(&h.server, "HLEN", "hoist:{q}:owner", NULL) == 3,
              "the note, the minute, and the one of the job");
}

/* Whoever reaches Redis can make up millions: a call looks at no more than it may take, so that none holds up Redis. */
Test(queue_bad, of_jobs_that_were_made_up_a_call_takes_a_hundred_at_most)
{
    enum { MADE_UP = 1000 };
    static const char *const sets[] = {"ready", "later", "leased"};
    static const char *const numbers[] = {"1", "2", "3"}; /* no id is in two of them */

    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        char key[64];
        (void)snprintf(key, sizeof key, "hoist:{q}:%s", sets[i]);
        edit("EVAL",
             "for i = 1, 1000 do redis.call('ZADD', KEYS[1], 1, string.format("
             "'0193c0de-7a1b-7c3d-9e4' .. ARGV[1] .. '-%012d', i)) end",
             "1", key, numbers[i], NULL);
    }
    cr_assert(card("ready") == MADE_UP);
    for (int64_t taken = 0; taken < MADE_UP; taken += QUEUE_BATCH_MAX) {
        struct queue_claimed c = claim(QUEUE_BATCH_MAX);
        cr_expect(c.count == QUEUE_BATCH_MAX);
        cr_expect(c.due_count > 0 && c.due_count <= QUEUE_BATCH_MAX);
        cr_expect(c.expired_count > 0 && c.expired_count <= QUEUE_BATCH_MAX);
        cr_expect(card("ready") == MADE_UP - taken - QUEUE_BATCH_MAX);
    }
    struct job_id id = add(0, 0);
    struct queue_claimed c = claim(1);
    cr_expect(c.count == 1 && same(&c.leases[0].id, &id));
}

Test(queue_bad, impossible_times_are_survived)
{
    edit("ZADD", "hoist:{q}:later", "inf", "0193c0de-7a1b-7c3d-9e4f-0123456789ab",
         NULL);
    cr_expect(claim(1).next_ms == -1);
    edit("ZADD", "hoist:{q}:leased", "9e300", "0193c0de-7a1b-7c3d-9e4f-0123456789ab",
         NULL);
    cr_expect(claim(1).next_ms == 86400000);
    edit("ZADD", "hoist:{q}:later", "-inf", "0193c0de-7a1b-7c3d-9e4f-0123456789ab",
         NULL);
    cr_expect(claim(1).due_count == 1);
}

Test(queue_bad, counters_and_events_of_a_wrong_type_stop_nothing)
{
    edit("SET", "hoist:{q}:stats", "x", NULL);
    edit("SET", "hoist:{q}:events", "x", NULL);
    edit("SET", "hoist:{q}:conf", "x", NULL);
    struct job_id id = add(0, 0);
    struct queue_lease l = claim_and_start();
    cr_expect(finish(&l, JOB_DONE, 0).answers[0] == QUEUE_OK);
    cr_expect(stands(&id, "done", "done"));
    cr_expect(status().enqueued_total == 0);
    edit("DEL", "hoist:{q}:stats", NULL);
    edit("HSET", "hoist:{q}:stats", "enqueued", "x", NULL);
    add(0, 0);
    cr_expect(status().enqueued_total == 0);
}

Test(queue_bad, a_broken_fence_is_told_and_loses_nothing)
{
    struct job_id id = add(0, 0);
    struct redis_value *v = NULL;
    struct redis_cmd c;

    edit("SET", "hoist:{q}:fence", "x", NULL);
    redis_cmd_init(&c);
    queue_claim_cmd(&c, "q", &h.worker, 0, 1);
    cr_expect(try_run(&c, &v) == ERR_REJECT);
    redis_cmd_release(&c);
    cr_expect(stands(&id, "ready", "waiting"));
}

/* --- A full server --- */

static void set_full(bool full)
{
    edit("CONFIG", "SET", "maxmemory", full ? "1" : "0", NULL);
}

Test(queue_bad, at_maxmemory_jobs_end_but_no_new_one_is_taken)
{
    struct job_id ids[5];
    struct queue_lease l[5];

    for (int i = 0; i < 5; i++) {
        ids[i] = add(0, 0);
        l[i] = claim_and_start();
    }
    struct job_id waiting = add(0, 0);
    expire(&ids[3]);
    set_full(true);
    struct job j = new_job(0, 0);
    struct redis_value *v = NULL;
    struct redis_cmd c;
    redis_cmd_init(&c);
    queue_enqueue_one_cmd(&c, &j);
    cr_expect(try_run(&c, &v) == ERR_RETRY);
    redis_cmd_release(&c);
    job_release(&j);
    cr_expect(beat(&l[0], 7) == QUEUE_OK);
    cr_expect(finish(&l[0], JOB_DONE, 0).answers[0] == QUEUE_OK);
    cr_expect(fail(&l[1], 1000) == QUEUE_OK);
    cr_expect(release(&l[2]) == QUEUE_OK);
    cr_expect(reap(&ids[3]) == QUEUE_OK);
    cr_expect(cancel(&ids[4]) == QUEUE_RUNNING);
    cr_expect(cancel(&waiting) == QUEUE_OK);
    set_full(false);
    make_due(&ids[1]);
    set_full(true);
    cr_expect(promote(&ids[1]) == QUEUE_OK);
    struct queue_lease next = claim_and_start();
    cr_expect(finish(&next, JOB_DONE, 1).count == 1, "the queue empties");
    cr_expect(status().done >= 2);
    set_full(false);
}

/* --- The form for servers before 7 --- */

Test(queue_bad, the_form_without_flags_does_the_same)
{
    h.flagless = true;
    struct job_id a = add(0, 0), b = add(0, clock_wall_ms() + 3600000);
    struct queue_lease l = claim_and_start();

    cr_expect(beat(&l, 3) == QUEUE_OK);
    cr_expect(fail(&l, 0) == QUEUE_OK);
    make_due(&a);
    cr_expect(promote(&a) == QUEUE_OK);
    l = claim_and_start();
    cr_expect(release(&l) == QUEUE_OK);
    l = claim_and_start();
    expire(&a);
    cr_expect(reap(&a) == QUEUE_OK);
    l = claim_and_start();
    cr_expect(fail(&l, -1) == QUEUE_CONFLICT);
    cr_expect(retry(&a) == QUEUE_OK);
    l = claim_and_start();
    cr_expect(finish(&l, JOB_DONE, 1).answers[0] == QUEUE_OK);
    cr_expect(cancel(&b) == QUEUE_OK);
    cr_expect(status().done == 2);
}
