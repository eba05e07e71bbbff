/*
 * The queue's console: what an operator types does what the scripts do, says what came of it, refuses what makes no
 * sense, and pages by cursors that skip nothing.  What it prints is compared by test_recipes.c, hoist_fsck is tried by
 * test_console_fsck.c.
 */
#include "tests/integration/console_rig.h"
#include "tests/integration/queue_harness.h"
#include "tests/integration/queue_look.h"

#include "shared/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(console, .init = console_up, .fini = harness_down, .timeout = 60);

static struct job_id add_dead(void)
{
    (void)add(0, 0);
    struct queue_lease l = claim_and_start();

    cr_assert(fail(&l, -1) == QUEUE_CONFLICT);
    return l.id;
}

static const char *full(const struct job_id *id)
{
    static char text[128];

    (void)snprintf(text, sizeof text, "%s.%s", id->queue, id->uuid.text);
    return text;
}

Test(console, one_job_is_retried_cancelled_and_given_a_priority)
{
    struct job_id dead = add_dead(), waiting = add(5, 0);

    cr_expect(console_says("hoist_retry", full(&dead), NULL, "waits again"));
    cr_expect(stands(&dead, "ready", "waiting"));
    cr_expect(console_says("hoist_retry", dead.uuid.text, NULL,
                           "not retried, it is waiting"));
    cr_expect(console_says("hoist_priority", waiting.uuid.text, "0", "priority 0"));
    cr_expect(field_is(&waiting, "priority", "0"));
    cr_expect(console_says("hoist_cancel", waiting.uuid.text, NULL, "cancelled"));
    cr_expect(stands(&waiting, "done", "cancelled"));
    cr_expect(console_says("hoist_priority", full(&waiting), "3",
                           "not changed, it is cancelled"));
    struct queue_lease l = claim_and_start();
    cr_expect(console_says("hoist_cancel", l.id.uuid.text, NULL, "is running: "));
    cr_expect(beat(&l, 1) == QUEUE_CANCELLED);
}

Test(console, all_dead_are_retried_fifty_a_call_past_those_that_cannot)
{
    for (size_t i = 0; i < 70; i++)
        (void)add_dead();
    struct job_id stuck = add_dead();
    edit("ZADD", "hoist:{q}:dead", "1", stuck.uuid.text, NULL);
    edit("HSET", key_of(&stuck).text, "max_attempts", "x", NULL);
    char *text = console("hoist_retry", "all", NULL);
    cr_expect(strstr(text, "49 retried, 22 left in dead"), "%s", text);
    cr_expect(strstr(text, "impossible record: record: max_attempts"), "%s", text);
    char *cursor = strstr(text, "next: ") + 6;
    cursor[strcspn(cursor, "\n")] = '\0';
    char *rest = console("hoist_retry", "all", cursor);
    cr_expect(strstr(rest, "21 retried, 1 left in dead"), "%s", rest);
    cr_expect(strstr(rest, "next: none"), "%s", rest);
    cr_expect(card("ready") == 70 && card("dead") == 1);
    free(text);
    free(rest);
}

Test(console, all_scheduled_are_promoted_fifty_a_call_past_those_that_cannot)
{
    struct job_id stuck = add(0, clock_wall_ms() + 1000000);

    for (size_t i = 0; i < 70; i++)
        (void)add(0, clock_wall_ms() + 3600000);
    set_field(&stuck, "state", "done");
    set_field(&stuck, "ended", "1");
    char *text = console("hoist_promote", "all", NULL);
    cr_expect(strstr(text, "not promoted, it is done"), "%s", text);
    cr_expect(strstr(text, "49 promoted, 21 left in later"), "%s", text);
    char *cursor = strstr(text, "next: ") + 6;
    cursor[strcspn(cursor, "\n")] = '\0';
    cr_expect(console_says("hoist_promote", "all", cursor, "21 promoted, 0 left in"));
    cr_expect(card("ready") == 70 && card("later") == 0);
    free(text);
    struct job_id one = add(0, clock_wall_ms() + 3600000);
    cr_expect(console_says("hoist_promote", full(&one), NULL, "waits no longer"));
    cr_expect(stands(&one, "ready", "waiting"));
    cr_expect(console_says("hoist_promote", one.uuid.text, NULL,
                           "not promoted, it is waiting"));
}

Test(console, purge_asks_first_and_cancels_fifty_a_call)
{
    for (size_t i = 0; i < 70; i++)
        (void)add(0, 0);
    cr_expect(console_says("hoist_purge", "waiting", NULL, "a call: 70 waiting"));
    cr_expect(console_says("hoist_purge", "waiting", "yes", "would be cancelled"));
    cr_expect(card("ready") == 70);
    cr_expect(console_says("hoist_purge", "waiting", "q", "50 cancelled, 20 left"));
    cr_expect(console_says("hoist_purge", "waiting", "q", "20 cancelled, 0 left"));
    cr_expect(card("ready") == 0 && card("done") == 70);
    (void)add_linked("acme", NULL, NULL);
    (void)add_linked("acme", NULL, NULL);
    cr_expect(console_says("hoist_purge", "grouped", "q", "1 cancelled, 0 left"));
    cr_expect(console_says("hoist_purge", "running", "q", "usage: "));
    cr_expect(console_says("hoist_purge", "done", "q", "usage: "));
}

Test(console, the_queue_is_paused_and_limited_and_idle_workers_look_again)
{
    (void)add(0, 0);
    edit("DEL", "hoist:{q}:wake", NULL);
    cr_expect(
        console_says("hoist_pause", NULL, NULL, "q is paused; what runs goes on"));
    cr_expect(claim(1).count == 0);
    cr_expect(console_says("hoist_status", NULL, NULL, "q, PAUSED"));
    edit("DEL", "hoist:{q}:wake", NULL);
    cr_expect(console_says("hoist_resume", NULL, NULL, "q goes on; waiting: 1"));
    cr_expect(card("wake") == 1);
    cr_expect(console_says("hoist_limit", "max_inflight", "1", "max_inflight 1"));
    cr_expect(console_says("hoist_limit", "rate", "0.5", "max_inflight 1, rate 0.5"));
    cr_expect(console_says("hoist_limit", "rate", "none", "limits     max_inflight 1"));
    cr_expect(console_says("hoist_limit", "group_rate:acme", "2", "group_rate:acme 2"));
    cr_expect(console_says("hoist_limit", "retry_place", "tail", "retry_place tail"));
    static const char *const bad[][2] = {
        {"rat", "5"},       {"rate", "five"},        {"rate", "-1"},
        {"rate", NULL},     {"paused", "1"},         {"retry_place", "5"},
        {"rate:acme", "5"}, {"group_rate:a b", "5"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect(console_says("hoist_limit", bad[i][0], bad[i][1], "-ERR hoist: "),
                  "row %zu", i);
}

/* The uuids of all pages, in order, as one text. */
static char *all_pages(const char *state, const char *limit, size_t *ret_pages)
{
    char *all = calloc(1, 64 * 1024), cursor[256] = "0";
    size_t used = 0;

    for (*ret_pages = 0; strcmp(cursor, "none") != 0; ++*ret_pages) {
        char *text = redis_fixture_ask(&h.server, "FCALL_RO", "hoist_jobs", "1", "q",
                                       state, cursor, limit, NULL);
        cr_assert(*ret_pages < 100);
        char *next = strstr(text, "next: ");
        cr_assert(next, "%s", text);
        (void)snprintf(cursor, sizeof cursor, "%s", next + 6);
        cursor[strcspn(cursor, "\n")] = '\0';
        *next = '\0'; /* the cursor names a job once more */
        used += (size_t)snprintf(all + used, 64 * 1024 - used, "%s", text);
        free(text);
    }
    return all;
}

Test(console, pages_show_each_job_once_in_order)
{
    static const char *const states[] = {"waiting", "scheduled", "dead", "grouped",
                                         "behind"};
    size_t pages;

    for (size_t i = 0; i < 23; i++)
        (void)add_dead();
    struct job_id parent = add(0, 0);
    for (size_t i = 0; i < 23; i++) {
        (void)add(0, 0);
        (void)add(0, clock_wall_ms() + 3600000);
        (void)add_linked("acme", NULL, NULL);
        (void)add_linked(NULL, parent.uuid.text, NULL);
    }
    for (size_t s = 0; s < sizeof states / sizeof states[0]; s++) {
        char *text = all_pages(states[s], "5", &pages);
        cr_expect(pages >= 5, "%s: %zu", states[s], pages);
        const char *set = s == 0 ? "ready" : s == 1 ? "later" : states[s];
        char key[64];
        (void)snprintf(key, sizeof key, "hoist:{q}:%s", set);
        char *members = redis_fixture_ask(&h.server, "ZRANGE", key, "0", "-1",
                                          s == 2 ? "REV" : NULL, NULL);
        const char *from = text;
        size_t n = 0;
        for (char *rest = members, *m; (m = strsep(&rest, "\n"));) {
            const char *uuid = m + strlen(m) - ID_UUID_LEN;
            const char *at = strstr(from, uuid);
            cr_assert(at, "%s: %s is not there, or not in order", states[s], uuid);
            from = at + ID_UUID_LEN;
            cr_expect(!strstr(from, uuid), "%s: %s is there twice", states[s], uuid);
            n++;
        }
        cr_expect(n >= 22, "%s: %zu", states[s], n);
        free(members);
        free(text);
    }
}

Test(console, a_page_goes_on_where_it_was_when_jobs_have_left)
{
    for (size_t i = 0; i < 10; i++)
        (void)add(0, 0);
    char *first = redis_fixture_ask(&h.server, "FCALL_RO", "hoist_jobs", "1", "q",
                                    "waiting", "0", "5", NULL);
    char *cursor = strstr(first, "next: ") + 6;
    edit("ZPOPMIN", "hoist:{q}:ready", "7", NULL);
    char *rest = redis_fixture_ask(&h.server, "FCALL_RO", "hoist_jobs", "1", "q",
                                   "waiting", cursor, "5", NULL);
    char *left =
        redis_fixture_ask(&h.server, "ZRANGE", "hoist:{q}:ready", "0", "-1", NULL);
    for (char *all = left, *uuid; (uuid = strsep(&all, "\n"));)
        cr_expect(strstr(rest, uuid), "%s is skipped", uuid);
    free(first);
    free(rest);
    free(left);
}

Test(console, what_only_reads_is_allowed_where_nothing_may_be_written)
{
    static const char *const reads[] = {"hoist_status", "hoist_groups", "hoist_limit",
                                        "hoist_pause",  "hoist_fsck",   "hoist_retry"};
    struct job_id dead = add_dead(), id = add(0, 0);

    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        char *text =
            redis_fixture_ask(&h.server, "FCALL_RO", reads[i], "1", "{q}", NULL);
        cr_expect((i < 2) == (text[0] != '-'), "%s: %s", reads[i], text);
        free(text);
    }
    edit("CONFIG", "SET", "maxmemory", "1", NULL);
    cr_expect(console_says("hoist_status", NULL, NULL, "dead       1"));
    cr_expect(console_says("hoist_cancel", id.uuid.text, NULL, "  cancelled"));
    cr_expect(console_says("hoist_fsck", NULL, NULL, "next: none"));
    cr_expect(console_says("hoist_pause", NULL, NULL, "is paused"));
    cr_expect(console_says("hoist_retry", dead.uuid.text, NULL, "-OOM "));
}

Test(console, refusals_name_what_is_wrong_and_hide_control_characters)
{
    static const struct {
        const char *function, *a, *b, *want;
    } bad[] = {
        {"hoist_show", NULL, NULL, "-ERR hoist: a job is named by its UUID"},
        {"hoist_show", "other.0193c0de-7a1b-7c3d-9e4f-0123456789ab", NULL,
         "-ERR hoist: that job is of queue other, not of q"},
        {"hoist_show", "0193c0de-7a1b-7c3d-9e4f-0123456789ab", NULL,
         "-ERR hoist: no such job"},
        {"hoist_jobs", "wating", NULL, "-ERR hoist: usage: "},
        {"hoist_jobs", "waiting", "x y", "-ERR hoist: no such cursor"},
        {"hoist_priority", "0193c0de-7a1b-7c3d-9e4f-0123456789ab", "10",
         "-ERR hoist: a priority is a digit"},
        {"hoist_batch", "0193c0de-7a1b-7c3d-9e4f-0123456789ab", NULL,
         "-ERR hoist: no such batch"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect(console_says(bad[i].function, bad[i].a, bad[i].b, bad[i].want));
    static const char *const keys[] = {"{q", "{Q}", "hoist:{q}:ready", "", "{q}x"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char *text =
            redis_fixture_ask(&h.server, "FCALL", "hoist_pause", "1", keys[i], NULL);
        cr_expect(strstr(text, "-ERR hoist: the one key is the queue"), "%s", text);
        free(text);
    }
    struct job_id id = add(0, 0);
    set_field(&id, "error",
              "a\033[31mb\xc2\x9b"
              "2Jc\nd");
    cr_expect(console_says("hoist_show", id.uuid.text, NULL, "a?[31mb?2Jc?d"));
}
