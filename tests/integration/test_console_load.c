/*
 * deploy/functions, which loads the console: into an empty server, in place of an older one, not in place of a newer one,
 * into none that has no functions, into every primary of a cluster.  And in a cluster, what the functions say while
 * the slot of their queue moves.
 */
#include "tests/integration/console_rig.h"
#include "tests/integration/queue_harness.h"
#include "tests/integration/queue_look.h"
#include "tests/support/cluster_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { DEADLINE_MS = 20000 };

TestSuite(console_load, .timeout = 120);

static char said[4096];

/* Run it with these arguments of redis-cli; its exit status, what it said in `said`. */
static int load(struct tmpdir *dir, const char *option, const char *value,
                const char *file)
{
    struct tmpdir_file log = tmpdir_write(dir, "functions.log", "", 0);
    char env[512];
    struct spawn s;
    int status;

    (void)snprintf(env, sizeof env, "HOIST_FUNCTIONS=%s", file);
    spawn_start(&s, &(struct spawn_options){
                        .argv = (const char *[]){HOIST_SOURCE_DIR "/deploy/functions",
                                                 option, value, NULL},
                        .env = (const char *[]){env, NULL},
                        .log_path = log.path});
    cr_assert(spawn_wait(&s, DEADLINE_MS, &status) && WIFEXITED(status));
    FILE *f = fopen(log.path, "re");
    cr_assert(f);
    said[fread(said, 1, sizeof said - 1, f)] = '\0';
    (void)fclose(f);
    return WEXITSTATUS(status);
}

static int load_here(const char *file)
{
    return load(&h.server.dir, "-s", h.server.socket.path, file);
}

static void expect_said(const char *want)
{
    cr_expect(strstr(said, want), "it said: %s", said);
}

static void load_other(const char *name)
{
    char text[256];

    (void)snprintf(text, sizeof text,
                   "#!lua name=%s\nredis.register_function('hoist_status', function() "
                   "return 'other' end)\n",
                   name);
    char *reply = redis_fixture_ask(&h.server, "FUNCTION", "LOAD", text, NULL);
    cr_assert_str_eq(reply, name);
    free(reply);
}

static bool status_is_ours(void)
{
    return console_says("hoist_status", NULL, NULL, "queue      q");
}

Test(console_load, loads_replaces_what_is_older_and_leaves_what_is_newer,
     .init = harness_up, .fini = harness_down)
{
    cr_expect(load_here(HOIST_FUNCTIONS_FILE) == 0);
    expect_said("hoist_v1 is loaded");
    cr_expect(status_is_ours());
    cr_expect(load_here(HOIST_FUNCTIONS_FILE) == 0, "again: %s", said);

    edit("FUNCTION", "FLUSH", NULL);
    load_other("hoist_v0");
    cr_expect(load_here(HOIST_FUNCTIONS_FILE) == 0);
    cr_expect(status_is_ours());

    edit("FUNCTION", "FLUSH", NULL);
    load_other("hoist_v10");
    cr_expect(load_here(HOIST_FUNCTIONS_FILE) == 3);
    expect_said("the server has hoist_v10 of a newer hoist");
    cr_expect(console_says("hoist_status", NULL, NULL, "other"));
}

Test(console_load, says_what_is_wrong_and_changes_nothing, .init = harness_up,
     .fini = harness_down)
{
    struct tmpdir_file none = tmpdir_write(&h.server.dir, "none.lua", "x\n", 2);

    cr_expect(load_here("/nowhere/hoist.lua") == 1);
    expect_said("there is no /nowhere/hoist.lua");
    cr_expect(load_here(none.path) == 1);
    expect_said("is not hoist.lua");
    cr_expect(load(&h.server.dir, "-s", "/nowhere/redis.sock", HOIST_FUNCTIONS_FILE) ==
              1);
    expect_said("/nowhere/redis.sock");
}

static void up_without_functions(void)
{
    harness_up_with((const char *[]){"--rename-command", "FUNCTION", "", NULL});
}

Test(console_load, a_server_without_functions_is_told_apart,
     .init = up_without_functions, .fini = harness_down)
{
    cr_expect(load_here(HOIST_FUNCTIONS_FILE) == 3);
    expect_said("older than Redis 7 and has no functions");
}

/* --- A cluster --- */

static struct cluster_fixture f;

static void cluster_up(void)
{
    cluster_fixture_start(&f);
}

static void cluster_down(void)
{
    cluster_fixture_stop(&f);
}

static char *status_at(size_t node, bool asking)
{
    if (asking)
        free(redis_fixture_ask(&f.nodes[node].redis, "ASKING", NULL));
    return redis_fixture_ask(&f.nodes[node].redis, "FCALL", "hoist_fsck", "1",
                             "{media}", "0", "repair", NULL);
}

static bool begins(char *text, const char *want)
{
    bool right = strncmp(text, want, strlen(want)) == 0;

    if (!right)
        fprintf(stderr, "not \"%s\": %s\n", want, text);
    free(text);
    return right;
}

Test(console_load, every_primary_has_it_and_none_works_while_the_slot_moves,
     .init = cluster_up, .fini = cluster_down)
{
    unsigned slot = cluster_slot("media");
    size_t from = cluster_fixture_owner(&f, slot), to = (from + 1) % CLUSTER_NODES;
    const char *members[] = {"ready", "seq"};

    cr_expect(load(&f.nodes[0].redis.dir, "-p", f.nodes[0].port_text,
                   HOIST_FUNCTIONS_FILE) == 0,
              "%s", said);
    for (size_t i = 0; i < CLUSTER_NODES; i++)
        cr_expect(begins(redis_fixture_ask(&f.nodes[i].redis, "FUNCTION", "LIST", NULL),
                         "library_name"));
    for (size_t i = 0; i < 2; i++) {
        char key[64];
        (void)snprintf(key, sizeof key, "hoist:{media}:%s", members[i]);
        free(i ? redis_fixture_ask(&f.nodes[from].redis, "INCR", key, NULL)
               : redis_fixture_ask(&f.nodes[from].redis, "ZADD", key, "1", "junk",
                                   NULL));
    }
    cr_expect(begins(status_at(to, false), "-MOVED "));
    cluster_fixture_begin_move(&f, slot, to);
    cr_expect(cluster_fixture_move_keys(&f, slot, 1) == 1);
    cr_expect(begins(status_at(from, false), "-ASK "));
    cr_expect(begins(status_at(to, true), "-TRYAGAIN hoist: the slot of {media} is"));
    while (cluster_fixture_move_keys(&f, slot, 1) > 0)
        ;
    cluster_fixture_end_move(&f, slot);
    cr_expect(begins(status_at(to, false), "junk  ready holds what is no id: removed"));
}
