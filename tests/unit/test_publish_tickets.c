/*
 * publish_tickets: who waits for what Redis says of a job learns just that.
 */
#include "fcgi-app/publish/publish_tickets.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(publish_tickets, .timeout = 60);

static const struct waits_answer two = {.replicas = 2, .aof = true};

static struct publish_ticket replicas_of(int64_t first, int64_t last)
{
    return (struct publish_ticket){
        .first = first, .last = last, .wants_replicas = true};
}

Test(publish_tickets, replicas_are_told_to_those_whose_last_job_was_sent)
{
    struct publish_tickets all = {NULL, 0};
    struct publish_ticket a = replicas_of(1, 3), b = replicas_of(4, 5);
    publish_tickets_add(&all, &a);
    publish_tickets_add(&all, &b);
    cr_expect(not(publish_tickets_wait(&all, 2)));
    cr_expect(publish_tickets_wait(&all, 3));
    publish_tickets_replicas(&all, 4, &two);
    cr_expect(a.is_over && a.answer.waited.replicas == 2 && a.answer.waited.aof);
    cr_expect(not(b.is_over));
    cr_expect(eq(i64, b.answer.waited.replicas, 0));
    publish_tickets_replicas(&all, 5, &two);
    cr_expect(b.is_over && b.answer.waited.replicas == 2);
    cr_expect(all.list == NULL);
}

Test(publish_tickets, of_a_request_with_a_refused_job_nobody_has_all)
{
    struct publish_tickets all = {NULL, 0};
    struct publish_ticket a = replicas_of(1, 3), b = replicas_of(4, 5);
    publish_tickets_add(&all, &a);
    publish_tickets_add(&all, &b);
    publish_tickets_refuse(&all, 3);
    publish_tickets_replicas(&all, 5, &two);
    cr_expect(a.is_over && a.answer.waited.replicas == 0 && !a.answer.waited.aof);
    cr_expect(b.is_over && b.answer.waited.replicas == 2);
}

Test(publish_tickets, an_answer_is_for_whom_it_concerns)
{
    struct publish_tickets all = {NULL, 0};
    struct publish_ticket a = {.first = 7, .last = 7, .wants_answer = true};
    struct publish_ticket b = {.first = 8, .last = 8, .wants_answer = true};
    publish_tickets_add(&all, &a);
    publish_tickets_add(&all, &b);
    cr_expect(publish_tickets_hurry(&all));
    cr_expect(not(publish_tickets_answer(&all, 6, QUEUE_OK, "")));
    cr_expect(publish_tickets_answer(&all, 7, QUEUE_DUPLICATE, "other"));
    cr_expect(a.is_over && a.answer.is_known && a.answer.answer == QUEUE_DUPLICATE);
    cr_expect(eq(str, a.answer.other, "other"));
    cr_expect(not(b.answer.is_known));
    cr_expect(not(publish_tickets_answer(&all, 7, QUEUE_OK, "")), "it is told once");
    publish_tickets_dismiss(&all);
    cr_expect(b.is_over && !b.answer.is_known);
    cr_expect(not(publish_tickets_hurry(&all)));
}

Test(publish_tickets,
     an_accepted_one_goes_on_to_wait_for_the_replicas_a_refused_one_not)
{
    struct publish_tickets all = {NULL, 0};
    struct publish_ticket a = replicas_of(1, 1), b = replicas_of(2, 2);
    a.wants_answer = b.wants_answer = true;
    publish_tickets_add(&all, &a);
    publish_tickets_add(&all, &b);
    cr_expect(publish_tickets_answer(&all, 1, QUEUE_OK, ""));
    cr_expect(publish_tickets_answer(&all, 2, QUEUE_FULL, ""));
    cr_expect(b.is_over && !a.is_over);
    publish_tickets_replicas(&all, 2, &two);
    cr_expect(a.is_over && a.answer.waited.replicas == 2);
    cr_expect(eq(i64, b.answer.waited.replicas, 0));
}

Test(publish_tickets, who_has_left_is_told_nothing)
{
    struct publish_tickets all = {NULL, 0};
    struct publish_ticket t[3];
    for (int i = 0; i < 3; i++) {
        t[i] = replicas_of(i + 1, i + 1);
        publish_tickets_add(&all, &t[i]);
    }
    publish_tickets_remove(&all, &t[1]);
    publish_tickets_remove(&all, &t[1]); /* twice is once */
    publish_tickets_replicas(&all, 3, &two);
    cr_expect(eq(i64, t[0].answer.waited.replicas, 2));
    cr_expect(eq(i64, t[1].answer.waited.replicas, 0));
    cr_expect(eq(i64, t[2].answer.waited.replicas, 2));
}
