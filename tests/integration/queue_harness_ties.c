#include "tests/integration/queue_harness.h"

#include "shared/clock.h"
#include "tests/integration/queue_look.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t standing; /* what test:now says; 0: nothing yet */

void pass(int64_t ms)
{
    char text[24];

    standing = (standing ? standing : clock_wall_ms()) + ms;
    (void)snprintf(text, sizeof text, "%" PRId64, standing);
    edit("SET", "test:now", text, NULL);
}

void configure(const char *field, const char *value)
{
    struct redis_cmd cmds[2];

    redis_cmd_init(&cmds[0]);
    redis_cmd_init(&cmds[1]);
    queue_configure_cmds(cmds, "q", field, value);
    for (size_t i = 0; i < 2; i++)
        redis_reply_free(run(&cmds[i]));
}

struct job tied_job(const struct tie *tie)
{
    int64_t now = standing ? standing : clock_wall_ms();
    struct job j = new_job(tie->priority, tie->delay_ms > 0 ? now + tie->delay_ms : 0);

    if (tie->group)
        j.group = strdup(tie->group);
    if (tie->after)
        j.after = strdup(tie->after->uuid.text);
    if (tie->run_anyway)
        j.after_failure = strdup("run");
    if (tie->unique)
        j.unique = strdup(tie->unique);
    if (tie->until_start)
        j.unique_until = strdup("start");
    if (tie->batch)
        j.batch = strdup(tie->batch->text);
    if (tie->bytes > 0)
        j.size = tie->bytes;
    if (tie->max_attempts > 0)
        j.max_attempts = tie->max_attempts;
    j.unique_ms = tie->unique_ms;
    return j;
}

enum queue_answer try_tied(const struct tie *tie, struct job_id *ret_id)
{
    struct job j = tied_job(tie);
    enum queue_answer answer = enqueue(&j);

    if (ret_id)
        *ret_id = j.id;
    job_release(&j);
    return answer;
}

struct job_id add_tied(const struct tie *tie)
{
    struct job_id id;

    cr_assert(try_tied(tie, &id) == QUEUE_OK);
    return id;
}

void enqueue_many(const struct job *jobs, size_t count, enum queue_answer *ret_answers)
{
    struct queue_entry entries[QUEUE_BATCH_MAX];
    struct redis_cmd c;
    struct err e = ERR_INIT;

    cr_assert(count <= QUEUE_BATCH_MAX);
    redis_cmd_init(&c);
    for (size_t i = 0; i < count; i++)
        queue_entry_init(&entries[i], &jobs[i]);
    queue_enqueue_cmd(&c, entries, count);
    for (size_t i = 0; i < count; i++)
        queue_entry_release(&entries[i]);
    struct redis_value *v = run(&c);
    cr_assert(redis_value_len(v) == count);
    for (size_t i = 0; i < count; i++)
        cr_assert(queue_parse_answer(redis_value_at(v, i), &ret_answers[i], NULL, &e) ==
                      ERR_OK,
                  "%s", e.text);
    redis_reply_free(v);
}

struct queue_claimed claim_turn(uint64_t turn, size_t want)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    queue_claim_cmd(&c, "q", &h.worker, turn, want);
    return run_claimed(&c);
}

struct queue_claimed finish_turn(uint64_t turn, const struct queue_lease *leases,
                                 size_t count, size_t want)
{
    struct queue_end ends[QUEUE_BATCH_MAX];
    struct redis_cmd c;

    for (size_t i = 0; i < count; i++)
        ends[i] = (struct queue_end){.lease = leases[i],
                                     .state = JOB_DONE,
                                     .sent = 1000,
                                     .size = 1000,
                                     .attempts = 1};
    redis_cmd_init(&c);
    queue_finish_cmd(&c,
                     &(struct queue_finish){.ends = ends,
                                            .count = count,
                                            .keep_ms = 3600000,
                                            .keep_count = 1000,
                                            .turn = turn,
                                            .want = want},
                     &h.worker);
    return run_claimed(&c);
}

struct job_id run_one(void)
{
    struct queue_lease l = claim_and_start();

    cr_assert(finish(&l, JOB_DONE, 0).answers[0] == QUEUE_OK);
    return l.id;
}

void promote_due(void)
{
    struct queue_claimed c = claim(0);

    for (size_t i = 0; i < c.due_count; i++)
        (void)promote(&(struct job_id){.queue = "q", .uuid = c.due[i]});
    for (size_t i = 0; i < c.expired_count; i++)
        (void)reap(&(struct job_id){.queue = "q", .uuid = c.expired[i]});
}

enum queue_answer release_later(const struct queue_lease *l, int64_t delay_ms)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    queue_release_cmd(&c, l, &h.worker, delay_ms);
    return run_answer(&c);
}

enum queue_answer begun(const struct queue_lease *l)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    queue_begun_cmd(&c, l, &h.worker);
    return run_answer(&c);
}

enum queue_answer reprioritize(const struct job_id *id, int64_t priority)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    queue_reprioritize_cmd(&c, id, priority);
    return run_answer(&c);
}

enum queue_answer set_batch(const struct uuid *batch, bool open)
{
    struct redis_cmd c;

    redis_cmd_init(&c);
    queue_batch_cmd(&c, "q", batch, open);
    return run_answer(&c);
}

struct batch_text batch_text(const struct uuid *batch)
{
    struct redis_cmd c;
    struct queue_batch b;
    struct err e = ERR_INIT;
    struct batch_text t = {""};

    redis_cmd_init(&c);
    queue_show_batch_cmd(&c, "q", batch);
    struct redis_value *v = run(&c);
    if (queue_parse_batch(v, &b, &e) == ERR_OK)
        (void)snprintf(
            t.text, sizeof t.text, "%s %" PRId64 "/%" PRId64 "/%" PRId64 "/%" PRId64,
            b.open ? "open" : "closed", b.total, b.done, b.dead, b.cancelled);
    redis_reply_free(v);
    return t;
}
