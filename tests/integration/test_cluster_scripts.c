/*
 * What a Redis Cluster does to a script while the slot of its keys moves, and what that asks of the queue's scripts.
 *
 * A script of several keys is refused as a whole (TRYAGAIN) when one of them is not at the node that is asked.  It is let
 * in when all of them are there, and is stopped in its midst when it then touches a key that is not (any more): one
 * that it has not declared, or one that it has emptied itself.  What it has written stays.
 * So the queue's scripts declare one key that never exists, and are never let in while their slot moves.
 */
#include "tests/integration/cluster_load.h"
#include "tests/support/cluster_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct cluster_fixture f;

static void up(void)
{
    cluster_fixture_start(&f);
    cr_assert(eq(sz, cluster_fixture_owner(&f, cluster_slot("mail")), 0));
}

static void down(void)
{
    cluster_fixture_stop(&f);
}

TestSuite(cluster_scripts, .init = up, .fini = down, .timeout = 60);

/* --- A script that is stopped in its midst --- */

/* Run it as EVAL on mail with these keys (up to NULL); its error, "" for none. */
static struct err eval(struct ops *o, const char *script, ...)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    const char *keys[8];
    size_t count = 0;
    va_list ap;

    va_start(ap, script);
    while (count < 8 && (keys[count] = va_arg(ap, const char *)))
        count++;
    va_end(ap);
    redis_cmd_init(&c);
    redis_cmd_begin(&c, "EVAL");
    redis_cmd_add_str(&c, script);
    redis_cmd_add_int(&c, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        queue_add_key(&c, "mail", keys[i]);
    struct redis_value *v = ops_run(o, "mail", &c);
    redis_reply_free(v);
    struct err e = o->failure;
    o->failure = (struct err)ERR_INIT;
    return e;
}

static int64_t number_at(size_t node, const char *name)
{
    return redis_fixture_ask_int(&f.nodes[node].redis, "GET",
                                 ops_key("mail", name).text, NULL);
}

Test(cluster_scripts, a_script_that_touches_an_undeclared_key_is_stopped_in_its_midst)
{
    static const char bad[] = "#!lua\n"
                              "redis.call('INCR', KEYS[1])\n"
                              "local other = string.gsub(KEYS[1], 'one$', 'two')\n"
                              "return redis.call('INCR', other)\n";
    struct ops o;

    ops_open(&o, f.nodes[0].port, "w", 1000, 5000);
    struct err e = eval(&o, bad, "one", NULL);
    cr_assert(eq(int, e.code, ERR_OK), "%s", e.text);

    cluster_fixture_begin_move(&f, cluster_slot("mail"), 1);
    char *reply = redis_fixture_ask(&f.nodes[0].redis, "MIGRATE", "127.0.0.1",
                                    f.nodes[1].port_text, ops_key("mail", "two").text,
                                    "0", "5000", NULL);
    cr_assert(eq(str, reply, "OK"));
    free(reply);
    e = eval(&o, bad, "one", NULL);
    cr_expect(eq(int, e.code, ERR_REJECT));
    cr_expect(strstr(e.text, "non local key") != NULL, "%s", e.text);
    cr_expect(eq(i64, number_at(0, "one"), 2), "what it wrote before that stays");
    ops_close(&o);
}

Test(cluster_scripts, declared_keys_alone_do_not_help_a_script_that_empties_one)
{
    static const char moves[] = "#!lua\n"
                                "redis.call('INCR', KEYS[1])\n"
                                "redis.call('DEL', KEYS[2])\n"
                                "return redis.call('EXISTS', KEYS[2])\n";
    struct ops o;

    ops_open(&o, f.nodes[0].port, "w", 1000, 300);
    struct err e =
        eval(&o, "redis.call('SET', KEYS[1], 1) redis.call('SET', KEYS[2], 1)", "one",
             "two", NULL);
    cr_assert(eq(int, e.code, ERR_OK), "%s", e.text);
    cluster_fixture_begin_move(&f, cluster_slot("mail"), 1);

    e = eval(&o, moves, "one", "two", "none", NULL);
    cr_expect(eq(int, e.code, ERR_RETRY), "a key that never exists keeps it out");
    cr_expect(strstr(e.text, "TRYAGAIN") != NULL, "%s", e.text);
    cr_expect(eq(i64, number_at(0, "one"), 1));
    e = eval(&o, moves, "one", "two", NULL);
    cr_expect(eq(int, e.code, ERR_REJECT));
    cr_expect(strstr(e.text, "non local key") != NULL, "%s", e.text);
    cr_expect(eq(i64, number_at(0, "one"), 2));
    ops_close(&o);
}

Test(cluster_scripts, a_key_is_found_wherever_the_move_of_its_slot_has_brought_it)
{
    static const char add[] = "#!lua\nreturn redis.call('INCR', KEYS[1])\n";
    struct ops o;

    ops_open(&o, f.nodes[2].port, "w", 1000, 1000);
    struct err e = eval(&o, add, "one", NULL);
    cr_assert(eq(int, e.code, ERR_OK), "%s", e.text);
    cr_expect(eq(i64, cluster_client_counts(o.client).moved, 1));

    cluster_fixture_begin_move(&f, cluster_slot("mail"), 1);
    cr_assert(eq(sz, cluster_fixture_move_keys(&f, cluster_slot("mail"), 5), 1));
    e = eval(&o, add, "one", NULL);
    cr_expect(eq(int, e.code, ERR_OK), "%s", e.text);
    cr_expect(eq(i64, cluster_client_counts(o.client).moved, 1));
    cr_expect(eq(i64, cluster_client_counts(o.client).asked, 1));

    cr_assert(eq(sz, cluster_fixture_move_keys(&f, cluster_slot("mail"), 5), 0));
    cluster_fixture_end_move(&f, cluster_slot("mail"));
    e = eval(&o, add, "one", NULL);
    cr_expect(eq(int, e.code, ERR_OK), "%s", e.text);
    cr_expect(eq(i64, cluster_client_counts(o.client).moved, 2));
    cr_expect(eq(i64, number_at(1, "one"), 3), "each ran once");
    cr_expect(eq(i64, cluster_fixture_keys(&f, 0, cluster_slot("mail")), 0));
    ops_close(&o);
}

/* --- The queue's scripts are not let in --- */

/* All keys that the scripts of mail declare exist from now on, but for the one that never does. */
static void make_all_keys(void)
{
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    const struct ops_key never = ops_key("mail", "none");

    redis_cmd_init(&c);
    queue_status_cmd(&c, "mail");
    char *at = c.bytes.data; /* $LENGTH CRLF bytes CRLF for each argument */
    for (size_t i = 0; i < c.count; i++) {
        struct ops_key k = {{0}};
        size_t len = strtoul(at + 1, &at, 10);
        cr_assert(len < sizeof k.text);
        memcpy(k.text, at + 2, len);
        at += 2 + len + 2;
        if (i == 0 || strcmp(k.text, never.text) == 0)
            continue; /* the first one is the number of keys */
        char *reply =
            redis_fixture_ask(&f.nodes[0].redis, "SET", k.text, "1", "NX", NULL);
        cr_assert(reply[0] != '-', "%s: %s", k.text, reply);
        free(reply);
    }
}

/* The call before this one ran nothing. */
static void expect_kept_out(struct ops *o, const char *script)
{
    cr_expect(eq(int, o->failure.code, ERR_RETRY), "%s: %s", script, o->failure.text);
    cr_expect(strstr(o->failure.text, "TRYAGAIN") != NULL, "%s: %s", script,
              o->failure.text);
    o->failure = (struct err)ERR_INIT;
}

#define KEPT_OUT(script, call)                                                         \
    do {                                                                               \
        (void)(call);                                                                  \
        expect_kept_out(&o, script);                                                   \
    } while (0)

/* Its state before and after must be the same; the caller frees it. */
static char *digest(size_t node)
{
    return redis_fixture_ask(&f.nodes[node].redis, "DEBUG", "DIGEST", NULL);
}

Test(cluster_scripts, every_script_is_kept_out_as_a_whole_while_its_slot_moves)
{
    CLEANUP(job_release) struct job j = load_new_job("mail");
    struct queue_claimed c, none;
    struct ops_run run;
    struct ops o;

    ops_open(&o, f.nodes[0].port, "w", 60000, 10);
    cr_assert(eq(int, ops_enqueue(&o, &j), QUEUE_OK), "%s", o.failure.text);
    ops_claim(&o, "mail", 1, &c);
    cr_assert(eq(sz, c.count, 1), "%s", o.failure.text);
    const struct queue_lease *l = &c.leases[0];
    cr_assert(eq(int, ops_start(&o, l, &run), QUEUE_OK), "%s", o.failure.text);
    make_all_keys();
    char *before = digest(0);

    cluster_fixture_begin_move(&f, cluster_slot("mail"), 1);
    KEPT_OUT("enqueue", ops_enqueue(&o, &j));
    KEPT_OUT("claim", (ops_claim(&o, "mail", 1, &none), 0));
    KEPT_OUT("start", ops_start(&o, l, &run));
    KEPT_OUT("begun", ops_begun(&o, l));
    KEPT_OUT("beat", ops_beat(&o, l, 1));
    KEPT_OUT("finish", ops_finish(&o, &run, JOB_DONE, 1, &none));
    KEPT_OUT("fail", ops_fail(&o, l, 1));
    KEPT_OUT("release", ops_release(&o, l));
    KEPT_OUT("promote", ops_promote(&o, &j.id));
    KEPT_OUT("reap", ops_reap(&o, &j.id));
    KEPT_OUT("cancel", ops_cancel(&o, &j.id));
    KEPT_OUT("retry", ops_retry(&o, &j.id));
    KEPT_OUT("reprioritize", ops_reprioritize(&o, &j.id, 1));
    KEPT_OUT("batch", ops_open_batch(&o, "mail", &j.id.uuid));
    KEPT_OUT("status", (ops_status(&o, "mail"), 0));
    char *after = digest(0);
    cr_expect(eq(str, before, after), "a script that was kept out has written");
    free(before);
    free(after);
    ops_close(&o);
}
