/*
 * deploy/redis-cli.md, as it is written: each of its ```console blocks is run by a shell, with redis-cli speaking to a
 * private Redis that holds the jobs the page describes, and what is printed is compared with what the page says.  Its
 * table of keys is compared with those that the scripts use.
 *
 * A block is lines of "$ COMMAND", each followed by what it prints.  Each block finds the same jobs.  Compared as words,
 * not by value: times (RFC 3339, ms since the epoch, ids of a stream), ages such as 12s, how many entries hoist_fsck has
 * looked at, and how many spaces stand in a row.
 */
#include "tests/integration/console_rig.h"
#include "tests/integration/queue_harness.h"
#include "tests/integration/queue_look.h"

#include "shared/clock.h"
#include "shared/job_fields.h"

#include <criterion/criterion.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TEXT_MAX = 256 * 1024, RECIPES_MIN = 20, LEASE_MS = 10000 };

#define BATCH "0193c0de-0000-7000-8000-000000000001"

static char *slurp(FILE *f)
{
    char *text = calloc(1, TEXT_MAX);

    cr_assert(f && text);
    cr_assert(fread(text, 1, TEXT_MAX - 1, f) < TEXT_MAX - 1);
    return text;
}

static char *read_source(const char *path)
{
    char full[512];

    (void)snprintf(full, sizeof full, "%s/%s", HOIST_SOURCE_DIR, path);
    FILE *f = fopen(full, "re");
    cr_assert(f, "%s", full);
    char *text = slurp(f);
    (void)fclose(f);
    return text;
}

/* --- The jobs of the page --- */

static struct job number(int n)
{
    struct job j = new_job(0, 0);

    (void)snprintf(j.id.queue, sizeof j.id.queue, "media");
    (void)snprintf(j.id.uuid.text, sizeof j.id.uuid.text,
                   "0193c0de-7a1b-7c3d-9e4f-%012d", n);
    free(j.name);
    free(j.key);
    cr_assert(asprintf(&j.name, "photo%d.jpg", n) > 0);
    cr_assert(asprintf(&j.key, "photo%d.jpg", n) > 0);
    j.created = clock_wall_ms() - 300000;
    return j;
}

static void put(struct job *j)
{
    cr_assert(enqueue(j) == QUEUE_OK);
    job_release(j);
}

static struct queue_lease take(void)
{
    struct redis_cmd c;
    struct queue_claimed claimed;
    struct err e = ERR_INIT;

    redis_cmd_init(&c);
    queue_claim_cmd(&c, "media", &h.worker, ++h.turn, 1);
    struct redis_value *v = run(&c);
    cr_assert(queue_parse_claimed(v, "media", &claimed, &e) == ERR_OK && claimed.count);
    redis_reply_free(v);
    cr_assert(start(&claimed.leases[0]) == QUEUE_OK);
    return claimed.leases[0];
}

static void beat_with(const struct queue_lease *l, int64_t sent)
{
    struct queue_beat b = {.lease = *l, .sent = sent};
    struct redis_cmd c;

    redis_cmd_init(&c);
    queue_beat_cmd(&c, "media", &h.worker, &b, 1);
    redis_reply_free(run(&c));
}

static void put_number(int n)
{
    struct job j = number(n);
    put(&j);
}

static void add_ended_and_running(void)
{
    struct queue_lease l;

    put_number(1);
    l = take();
    (void)finish(&l, JOB_DONE, 0);
    put_number(2);
    l = take();
    cr_assert(fail(&l, -1) == QUEUE_CONFLICT);
    put_number(3);
    l = take();
    beat_with(&l, 250);
}

static void add_waiting(void)
{
    struct job j = number(4);

    j.batch = strdup(BATCH);
    j.unique = strdup("invoice-17");
    put(&j);
    j = number(5);
    j.batch = strdup(BATCH);
    j.priority = 5;
    put(&j);
    j = number(6);
    j.due = clock_wall_ms() + 7200000;
    put(&j);
    for (int n = 7; n <= 8; n++) {
        j = number(n);
        j.group = strdup("acme");
        put(&j);
    }
    j = number(9);
    j.after = strdup("0193c0de-7a1b-7c3d-9e4f-000000000004");
    put(&j);
}

static void fill(void)
{
    struct redis_cmd c[3];

    edit("FLUSHALL", NULL);
    h.worker = (struct queue_worker){.id = "web1-4711-k3", .lease_ms = LEASE_MS};
    h.turn = 0;
    for (size_t i = 0; i < 3; i++)
        redis_cmd_init(&c[i]);
    queue_register_worker_cmds(c, &h.worker, "web1", 4711, 1, clock_wall_ms(), 45000);
    for (size_t i = 0; i < 3; i++)
        redis_reply_free(run(&c[i]));
    edit("HSET", "hoist:worker:web1-4711-k3", "quiet", "0", "quiet_since", "0", NULL);
    edit("SADD", "hoist:queues", "media", NULL);
    add_ended_and_running();
    add_waiting();
}

/* --- Running a command --- */

/* A redis-cli that speaks to our Redis and prints as on a terminal, first in PATH. */
static void up(void)
{
    char text[4096], path[4096];
    const char *old = getenv("PATH");

    console_up();
    (void)snprintf(text, sizeof text,
                   "#!/bin/sh\nPATH='%s' exec redis-cli --no-raw -s '%s' \"$@\"\n", old,
                   h.server.socket.path);
    struct tmpdir_file program =
        tmpdir_write(&h.server.dir, "redis-cli", text, strlen(text));
    cr_assert(chmod(program.path, 0700) == 0);
    (void)snprintf(path, sizeof path, "%s:%s", h.server.dir.path, old);
    cr_assert(setenv("PATH", path, 1) == 0);
}

TestSuite(recipes, .init = up, .fini = harness_down, .timeout = 120);

static char *shell(const char *command)
{
    char line[2048];

    (void)snprintf(line, sizeof line, "{ %s\n} 2>&1", command);
    FILE *f = popen(line, "re");
    char *text = slurp(f);
    (void)pclose(f);
    return text;
}

/* --- Comparing --- */

static char *replaced(char *text, const char *pattern, const char *with)
{
    char *out = calloc(1, TEXT_MAX);
    const char *at = text;
    size_t n = 0;
    regex_t re;
    regmatch_t m[1];

    cr_assert(regcomp(&re, pattern, REG_EXTENDED | REG_NEWLINE) == 0);
    while (regexec(&re, at, 1, m, at > text ? REG_NOTBOL : 0) == 0 && m[0].rm_eo > 0) {
        n += (size_t)snprintf(out + n, TEXT_MAX - n, "%.*s%s", (int)m[0].rm_so, at,
                              with);
        at += m[0].rm_eo;
    }
    (void)snprintf(out + n, TEXT_MAX - n, "%s", at);
    regfree(&re);
    free(text);
    return out;
}

static char *normal(const char *text)
{
    char *t = strdup(text);

    t = replaced(t, "\\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{12}Z", "TIME");
    t = replaced(t, "\\b[0-9]{13}(-[0-9]+)?\\b", "MS");
    t = replaced(t, "\\b[0-9]+ entries looked at", "N entries looked at");
    t = replaced(t, "\\b[0-9]+[smhd]\\b", "AGE");
    t = replaced(t, "  +", " ");
    t = replaced(t, " +$", "");
    return replaced(t, "\n+$", "");
}

static void expect_prints(const char *command, const char *want)
{
    char *got = shell(command), *a = normal(want), *b = normal(got);

    cr_expect(strcmp(a, b) == 0, "$ %s\n%s--- and not\n%s", command, got, want);
    free(got);
    free(a);
    free(b);
}

/* Run the commands of a block; how many there were. */
static size_t run_block(char *block)
{
    char want[TEXT_MAX / 8] = "";
    const char *command = NULL;
    size_t n = 0;

    fill();
    for (char *line; (line = strsep(&block, "\n"));) {
        if (strncmp(line, "$ ", 2) != 0) {
            size_t used = strlen(want);
            (void)snprintf(want + used, sizeof want - used, "%s\n", line);
            continue;
        }
        if (command)
            expect_prints(command, want);
        command = line + 2;
        want[0] = '\0';
        n++;
    }
    cr_assert(command, "a block without a command");
    expect_prints(command, want);
    return n;
}

Test(recipes, each_prints_what_the_page_says)
{
    static const char begin[] = "\n```console\n", end[] = "\n```\n";
    char *page = read_source("deploy/redis-cli.md");
    size_t blocks = 0, commands = 0;

    for (char *at = page; (at = strstr(at, begin));) {
        char *block = at + sizeof begin - 1, *stop = strstr(block, end);
        cr_assert(stop, "a block has no end");
        *stop = '\0';
        commands += run_block(block);
        at = stop + 1;
        blocks++;
    }
    cr_expect(blocks >= RECIPES_MIN && commands >= blocks, "%zu recipes", blocks);
    free(page);
}

/* --- The table of keys --- */

/* The type that the page's table gives for a key; false when it has no line for it.  A line begins
 * "| `hoist:{media}:NAME` | TYPE |". */
static bool type_of(const char *page, const char *key, char ret_type[16])
{
    char line[128];

    (void)snprintf(line, sizeof line, "\n| `%s` | ", key);
    const char *at = strstr(page, line);
    if (!at || strstr(at + 1, line))
        return false;
    at += strlen(line);
    return sscanf(at, "%15s", ret_type) == 1;
}

static size_t count_lines(const char *page)
{
    size_t n = 0;

    for (const char *at = page; (at = strstr(at, "\n| `hoist:")); at++)
        n++;
    return n;
}

Test(recipes, the_table_of_keys_is_that_of_the_scripts)
{
    char *page = read_source("deploy/redis-cli.md");
    char *lib = read_source("shared/queue/lib.lua");
    char *names = strstr(lib, "\nlocal ") + strlen("\nlocal ");
    char *end = strstr(names, " = unpack(KEYS");
    static const char *const others[] = {
        "hoist:queues",           "hoist:workers",
        "hoist:worker:ID",        "hoist:quota:{NAME}:jobs",
        "hoist:quota:{NAME}:day", "hoist:batch:UUID",
        "hoist:policy:ID"};
    struct redis_cmd c;
    size_t n = 0;

    cr_assert(end && names < end);
    *end = '\0';
    redis_cmd_init(&c);
    queue_status_cmd(&c, "media");
    for (char *name; (name = strsep(&names, ", \n"));) {
        char key[128], type[16];
        if (!*name)
            continue;
        bool of_job = strcmp(name, "job") == 0;
        (void)snprintf(key, sizeof key, "hoist:{media}:%s", of_job ? "job:UUID" : name);
        cr_expect(type_of(page, key, type), "no line, or two, for %s", key);
        cr_expect(of_job || memmem(c.bytes.data, c.bytes.len, key, strlen(key)),
                  "queue.c does not send %s", key);
        n++;
    }
    redis_cmd_release(&c);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char type[16];
        cr_expect(type_of(page, others[i], type), "no line for %s", others[i]);
    }
    cr_expect(count_lines(page) == n + sizeof others / sizeof others[0],
              "the page has other keys too");
    free(page);
    free(lib);
}

Test(recipes, the_fields_of_a_job_are_those_of_its_record)
{
    char *page = read_source("deploy/redis-cli.md"), name[40];
    char *table = strstr(page, "\n| field | ");
    char *end = table ? strstr(table, "\n\n") : NULL;

    cr_assert(end);
    *end = '\0';
    for (size_t i = 0; i < job_field_count; i++) {
        (void)snprintf(name, sizeof name, "`%s`", job_fields[i].name);
        cr_expect(strstr(table, name) != NULL, "%s is not told of", name);
    }
    free(page);
}

/* What is in Redis stands in the table, with its type. */
Test(recipes, the_types_of_the_table_are_those_in_redis)
{
    char *page = read_source("deploy/redis-cli.md");

    fill();
    edit("HSET", "hoist:{media}:conf", "rate", "5", "burst", "5", NULL);
    (void)take();
    char *all = redis_fixture_ask(&h.server, "KEYS", "*", NULL);
    size_t n = 0;
    for (char *rest = all, *key; (key = strsep(&rest, "\n")); n++) {
        char *type = redis_fixture_ask(&h.server, "TYPE", key, NULL), want[16] = "";
        const char *shown = strncmp(key, "hoist:{media}:job:", 18) == 0
                                ? "hoist:{media}:job:UUID"
                            : strncmp(key, "hoist:worker:", 13) == 0 ? "hoist:worker:ID"
                                                                     : key;
        cr_expect(type_of(page, shown, want) && strcasecmp(type, want) == 0,
                  "%s is a %s, the page says \"%s\"", key, type, want);
        free(type);
    }
    cr_expect(n > 25, "%zu keys", n);
    free(all);
    free(page);
}
