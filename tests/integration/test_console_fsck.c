/*
 * hoist_fsck: each way in which an index and the records can disagree is made by hand, found, repaired, and gone
 * afterwards; and what was repaired runs to its end, leaving nothing behind.
 */
#include "tests/integration/console_rig.h"
#include "tests/integration/queue_harness.h"
#include "tests/integration/queue_look.h"

#include "shared/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(console_fsck, .init = console_up, .fini = harness_down, .timeout = 120);

#define KEY(name) "hoist:{q}:" name
#define GHOST "0193c0de-7a1b-7c3d-9e4f-0123456789ab"

/* One job of each kind, in the order of kinds[]. */
enum { WAITING, PARENT, CHILD, SCHEDULED, RUNNING, DEAD, DONE, TURN, QUEUED, JOBS };
static const char *const kinds[JOBS] = {"waiting",   "parent",  "child",
                                        "scheduled", "running", "dead",
                                        "done",      "turn",    "queued"};
static struct job_id jobs[JOBS];

static void fill(void)
{
    edit("FLUSHALL", NULL);
    h.turn = 0;
    (void)add(0, 0);
    struct queue_lease l = claim_and_start();
    jobs[DONE] = l.id;
    (void)finish(&l, JOB_DONE, 0);
    (void)add(0, 0);
    l = claim_and_start();
    jobs[DEAD] = l.id;
    cr_assert(fail(&l, -1) == QUEUE_CONFLICT);
    (void)add(0, 0);
    l = claim_and_start();
    jobs[RUNNING] = l.id;
    jobs[WAITING] = add_linked(NULL, NULL, "only-one");
    jobs[PARENT] = add(3, 0);
    jobs[CHILD] = add_linked(NULL, jobs[PARENT].uuid.text, NULL);
    jobs[SCHEDULED] = add(0, clock_wall_ms() + 3600000);
    jobs[TURN] = add_linked("acme", NULL, NULL);
    jobs[QUEUED] = add_linked("acme", NULL, NULL);
    (void)add_linked("acme", NULL, NULL);
}

/* The only member of grouped that has this uuid. */
static char *member_of(const struct job_id *id)
{
    char *all = redis_fixture_ask(&h.server, "ZRANGE", KEY("grouped"), "0", "-1", NULL);
    char *at = strstr(all, id->uuid.text);

    cr_assert(at);
    at[strlen(id->uuid.text)] = '\0';
    while (at > all && at[-1] != '\n')
        at--;
    char *member = strdup(at);
    free(all);
    return member;
}

/* --- What can be broken --- */

/* Redis commands, "; " between them.  NAME: as it is; :NAME the queue's key of that name; @KIND the record of that job;
 * $KIND its uuid; %KIND its member of grouped. */
static const struct {
    const char *commands, *found;
} breaks[] = {
    {"ZREM :ready $waiting", "is waiting and in no line: "},
    {"DEL @waiting", "ready holds a job without a record: "},
    {"ZADD :ready 7 junk", "junk  ready holds what is no id: "},
    {"ZREM :later $scheduled", "is scheduled and in no line: "},
    {"DEL @scheduled", "later holds a job without a record: "},
    {"ZADD :later 99999999999999 $waiting",
     "is waiting, kept in ready, and in later: "},
    {"ZREM :dead $dead", "is dead and not in dead: "},
    {"DEL @dead", "dead holds a job without a record: "},
    {"ZADD :ready 7 $dead", "is dead, kept in dead, and in ready: "},
    {"HSET @dead state waiting; HDEL @dead ended; HINCRBY :stats bytes 1000",
     "is in dead, and waiting by its record: "},
    {"ZREM :leased $running", "has an owner and no lease: "},
    {"HDEL :owner $running", "leased, but nobody owns the lease: "},
    {"DEL @running", "leased holds a job without a record: "},
    {"HSET :owner " GHOST " w1:99", GHOST "  has an owner and no lease: "},
    {"ZREM :grouped %queued", "is waiting and in no line: "},
    {"DEL @queued", "grouped holds a job without a record: "},
    {"HSET @queued priority 5", "grouped: its record names another place: "},
    {"HDEL :slots $turn; ZREM :groups acme; ZREM :ready $turn; DEL @turn",
     "jobs of this group wait and it has all slots free: "},
    {"DEL :behind", "is waiting and in no line: "},
    {"DEL @child", "behind holds a job without such a record: "},
    {"ZREM :ready $parent; DEL @parent", ", which has ended: "},
    {"HSET :slots " GHOST " acme; ZINCRBY :groups 1 acme",
     "has a slot of group acme and is in no line: "},
    {"ZADD :groups 5 acme", "acme  has taken 1 slots, groups says 5: "},
    {"DEL :groups", "acme  has taken 1 slots, groups says 0: "},
    {"DEL :slots", "has not the turn of its group: "},
    {"HSET :slots $queued acme; ZINCRBY :groups 1 acme",
     "waits for the turn of its group and has it: "},
    {"HSET :unique ghost " GHOST,
     "ghost  is a unique key held by a job that is gone: "},
    {"HSET :stats bytes 5", "stats  bytes is 5, the jobs have 8000: "},
    {"PERSIST @done", "has ended and its record never expires: "},
    {"ZADD :ready 7 $done", "is done, kept in no line, and in ready: "},
    {"ZADD :done 7 junk", "junk  done holds what is no id: "},
    {"HDEL @waiting max_attempts; ZREM :ready $waiting",
     "record: max_attempts is missing or no number: "},
    {"DEL @waiting; SET @waiting x", "record: the key holds no hash: "},
    {"HSET @waiting state scheduled", "is scheduled by its record, and in ready: "},
    {"HSET @waiting priority 7",
     "is in ready with another priority than its record says: "},
};

static struct job_id *kind(const char *name)
{
    for (size_t i = 0; i < JOBS; i++)
        if (strcmp(kinds[i], name) == 0)
            return &jobs[i];
    cr_assert(false, "%s", name);
    return NULL;
}

/* A word of a command, spelled out; the caller frees it. */
static char *spell(const char *word)
{
    char *text = NULL;

    switch (word[0]) {
    case '%':
        return member_of(kind(word + 1));
    case '@':
        return strdup(key_of(kind(word + 1)).text);
    case '$':
        return strdup(kind(word + 1)->uuid.text);
    case ':':
        cr_assert(asprintf(&text, "hoist:{q}:%s", word + 1) > 0);
        return text;
    default:
        return strdup(word);
    }
}

static void break_it(const char *commands)
{
    char *all = strdup(commands), *rest = all;

    for (char *command; (command = strsep(&rest, ";"));) {
        char *words[8] = {NULL};
        size_t n = 0;
        for (char *word; (word = strsep(&command, " "));)
            if (*word)
                words[n++] = spell(word);
        edit(words[0], words[1], words[2], words[3], words[4], words[5], NULL);
        while (n > 0)
            free(words[--n]);
    }
    free(all);
}

/* --- Afterwards --- */

static int64_t length(const char *command, const char *key)
{
    return redis_fixture_ask_int(&h.server, command, key, NULL);
}

static void make_all_due(void)
{
    char *all = redis_fixture_ask(&h.server, "ZRANGE", KEY("later"), "0", "-1", NULL);
    char *rest = all;

    for (char *id; (id = strsep(&rest, "\n"));)
        if (*id)
            edit("ZADD", KEY("later"), "XX", "1", id, NULL);
    free(all);
}

/* Run all there is to its end: nothing stays in a line, no slot, owner, key or byte is held. */
static void expect_all_ends(size_t row)
{
    edit("ZADD", KEY("leased"), "XX", "1", jobs[RUNNING].uuid.text, NULL);
    for (int round = 0; round < 40; round++) {
        make_all_due();
        struct queue_claimed c = claim(100);
        for (size_t i = 0; i < c.due_count; i++) {
            struct job_id id = {.queue = "q", .uuid = c.due[i]};
            (void)promote(&id);
        }
        for (size_t i = 0; i < c.expired_count; i++) {
            struct job_id id = {.queue = "q", .uuid = c.expired[i]};
            (void)reap(&id);
        }
        for (size_t i = 0; i < c.count; i++)
            (void)finish(&c.leases[i], JOB_DONE, 0);
    }
    static const char *const lines[] = {"ready", "later", "leased", "grouped",
                                        "behind"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        cr_expect(card(lines[i]) == 0, "row %zu: %s", row, lines[i]);
    cr_expect(length("HLEN", KEY("slots")) == 0, "row %zu", row);
    cr_expect(length("ZCARD", KEY("groups")) == 0, "row %zu", row);
    cr_expect(length("HLEN", KEY("unique")) == 0, "row %zu", row);
    char *bytes = redis_fixture_ask(&h.server, "HGET", KEY("stats"), "bytes", NULL);
    cr_expect_str_eq(bytes, "0", "row %zu", row);
    free(bytes);
}

Test(console_fsck, finds_nothing_where_nothing_is_wrong)
{
    fill();
    cr_expect(fsck(false, NULL, 0) == 0);
    cr_expect(fsck(true, NULL, 0) == 0);
    expect_all_ends(0);
    edit("FLUSHALL", NULL);
    cr_expect(fsck(true, NULL, 0) == 0);
}

Test(console_fsck, each_damage_is_found_repaired_and_gone, .timeout = 120)
{
    for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
        char text[4096] = "", again[4096] = "";
        fill();
        break_it(breaks[i].commands);
        cr_expect(fsck(false, text, sizeof text) > 0, "row %zu is not found", i);
        cr_expect(strstr(text, breaks[i].found), "row %zu, \"%s\" not in:\n%s", i,
                  breaks[i].found, text);
        cr_expect(fsck(false, again, sizeof again) > 0, "row %zu: looking repairs", i);
        cr_expect_str_eq(text, again, "row %zu: looking changes what is found", i);
        (void)fsck(true, NULL, 0);
        (void)fsck(true, NULL, 0); /* the bytes, which had moved during the first */
        text[0] = '\0';
        cr_expect(fsck(false, text, sizeof text) == 0, "row %zu is left:\n%s", i, text);
        expect_all_ends(i);
    }
}

Test(console_fsck, repaired_jobs_stand_where_they_belong)
{
    fill();
    break_it("ZREM :ready $waiting; ZREM :later $scheduled; ZREM :dead $dead; "
             "HDEL :owner $running; ZREM :grouped %queued; DEL :behind");
    cr_expect(fsck(true, NULL, 0) >= 6);
    cr_expect(stands(&jobs[WAITING], "ready", "waiting"));
    cr_expect(stands(&jobs[SCHEDULED], "later", "scheduled"));
    cr_expect(stands(&jobs[DEAD], "dead", "dead"));
    cr_expect(stands(&jobs[RUNNING], "ready", "waiting"));
    cr_expect(card("behind") == 1 && card("grouped") == 2);
}

Test(console_fsck, a_thousand_jobs_take_cursors)
{
    struct job_id lost[10];
    char text[4096] = "";

    for (size_t i = 0; i < 1000; i++) {
        struct job_id id = add((int64_t)i % 10, i % 3 ? 0 : clock_wall_ms() + 3600000);
        if (i % 100 == 1)
            lost[i / 100] = id;
    }
    for (size_t i = 0; i < 10; i++) {
        edit("ZREM", KEY("ready"), lost[i].uuid.text, NULL);
        edit("ZREM", KEY("later"), lost[i].uuid.text, NULL);
    }
    cr_expect(fsck(false, NULL, 0) == 10);
    cr_expect(fsck_calls() >= 20, "%zu calls", fsck_calls());
    cr_expect(fsck_most() <= 130, "%zu entries in a call", fsck_most());
    cr_expect(fsck(true, NULL, 0) == 10);
    cr_expect(fsck(false, text, sizeof text) == 0, "%s", text);
    cr_expect(card("ready") + card("later") == 1000);
}

Test(console_fsck, bytes_are_compared_only_when_the_queue_stood_still)
{
    for (size_t i = 0; i < 300; i++)
        (void)add(0, 0);
    break_it("HSET :stats bytes 5");
    char *text = console("hoist_fsck", "0", "repair");
    char cursor[CONSOLE_CURSOR_SIZE] = "";
    (void)snprintf(cursor, sizeof cursor, "%s", strstr(text, "next: ") + 6);
    free(text);
    (void)add(0, 0);
    bool said = false;
    while (strcmp(cursor, "none") != 0) {
        text = console("hoist_fsck", cursor, "repair");
        said = said || strstr(text, "bytes are not compared: the queue has moved");
        cr_assert(strstr(text, ", 0 found"), "%s", text);
        (void)snprintf(cursor, sizeof cursor, "%s", strstr(text, "next: ") + 6);
        free(text);
    }
    cr_expect(said);
    cr_expect(fsck(true, NULL, 0) == 1);
    cr_expect(status().bytes == 301000);
}

Test(console_fsck, records_of_a_newer_version_and_bad_cursors_are_left_alone)
{
    struct job_id id = add(0, 0);

    edit("HSET", key_of(&id).text, "v", "2", NULL);
    edit("ZREM", KEY("ready"), id.uuid.text, NULL);
    cr_expect(fsck(true, NULL, 0) == 0);
    cr_expect(
        console_says("hoist_fsck", "nonsense", NULL, "-ERR hoist: no such cursor"));
    cr_expect(console_says("hoist_fsck", "99/0/0/0/0", NULL, "no such cursor"));
    cr_expect(console_says("hoist_fsck", "0", "repiar", "usage: "));
}
