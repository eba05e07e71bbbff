/* The texts of the scripts: how each form begins, which commands they run on which keys, and what bounds their loops. */
#include "shared/queue.h"

#include "queue_scripts.h"

#include <criterion/criterion.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(queue_scripts, .timeout = 120);

Test(queue_scripts, forms_begin_as_their_servers_need_it)
{
    static const char old[] =
        "if redis.replicate_commands then redis.replicate_commands() end\n";
    size_t count = 0;

    for (; queue_scripts[count]; count++) {
        const struct redis_script *s = queue_scripts[count];
        bool is_refused_when_full =
            s == &queue_script_enqueue || s == &queue_script_retry ||
            s == &queue_script_quota; /* it counts in memory then */
        const char *want = s == &queue_script_status ? "#!lua flags=no-writes\n"
                           : is_refused_when_full    ? "#!lua\n"
                                                     : "#!lua flags=allow-oom\n";
        cr_expect(strncmp(s->body, old, sizeof old - 1) == 0, "%s", s->name);
        cr_expect(strncmp(s->body_7, want, strlen(want)) == 0, "%s", s->name);
        cr_expect_str_eq(s->body + sizeof old - 1, s->body_7 + strlen(want), "%s",
                         s->name);
        cr_expect(strlen(s->sha1) == 40 && strlen(s->sha1_7) == 40, "%s", s->name);
    }
    cr_expect(count == 16, "%zu", count);
}

/* A script without its comments; the caller frees it. */
static char *code_of(const struct redis_script *s)
{
    char *code = strdup(s->body_7);
    char *to = code;

    for (const char *at = code; *at;) {
        if (strncmp(at, "--", 2) == 0)
            at += strcspn(at, "\n");
        else
            *to++ = *at++;
    }
    *to = '\0';
    return code;
}

static bool matches(const char *text, const char *pattern)
{
    regex_t re;

    cr_assert(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) == 0, "%s", pattern);
    bool right = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return right;
}

/* Calls fn for each place where word stands; how often that was. */
static size_t each(const struct redis_script *s, const char *word,
                   void (*fn)(const struct redis_script *s, const char *at))
{
    char *code = code_of(s);
    size_t n = 0;

    for (const char *at = code; (at = strstr(at, word)); at += strlen(word), n++)
        fn(s, at);
    free(code);
    return n;
}

/* --- Commands and keys --- */

/* What may be called, by the type of the key: a name of lib.lua, the set that times() is given, a job's key.  A command
 * that reads a range says how much. */
static const char *const calls[] = {
    "^\\('TIME'\\)",
    "^\\('(ZADD|ZREM|ZSCORE|ZCARD|ZINCRBY)', (ready|later|leased|wake|done|dead|"
    "grouped|groups|behind|timers|set)[,)]",
    "^\\('ZRANGE', (ready|later|timers|set), 0, (0|want - 1)[,)]",
    "^\\('ZRANGEBYSCORE', (ready|done|timers|set), [^\n]*(\n *)?'LIMIT', 0, "
    "(1|most|MAX_ITEMS)\\)",
    "^\\('ZRANGEBYLEX', (grouped|behind), [^\n]*'LIMIT', 0, (1|MAX_ITEMS)\\)",
    "^\\('ZREMRANGEBYRANK', (ready|done), 0, (#ids|math.min\\(extra, "
    "(most|MAX_ITEMS)\\)) - 1\\)",
    "^\\('(HSET|HSETNX|HGET|HMGET|HDEL|HLEN|HEXISTS|HINCRBY)', "
    "(job|owner|stats|conf|slots|"
    "unique|batches|rate|claims|minutes)[,)]",
    "^\\('HGET', KEYS\\[JOBS \\+ items \\+ parent\\], 'state'\\)",
    "^\\('(HGETALL|EXISTS|DEL|PERSIST)', job\\)",
    "^\\('HGETALL', minutes\\)", /* 64 */
    "^\\('EXISTS', unpack\\(KEYS, JOBS \\+ 1, JOBS \\+ items\\)\\)",
    "^\\('PEXPIRE', job, ",
    "^\\('XADD', events, 'MAXLEN', '~', 10000, ",
    "^\\('XADD', outbox, '\\*', 'event', what, 'id', id, ", /* emptied by workers */
    "^\\('XLEN', outbox\\)",
    "^\\('(INCR|INCRBY)', (seq|fence)[,)]",
};

/* Of quota, which stands alone: a client's jobs, its day. */
static const char *const quota_calls[] = {
    "^\\('TIME'\\)",
    "^\\('(ZCARD|ZADD|EXPIRE)', KEYS\\[1\\][,)]",
    "^\\('ZRANGE', KEYS\\[1\\], 0, 99, 'WITHSCORES'\\)",
    "^\\('(HMGET|HSET|EXPIRE)', KEYS\\[2\\], ",
};

static bool is_among(const char *arguments, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (matches(arguments, list[i]))
            return true;
    return false;
}

static void check_call(const struct redis_script *s, const char *at)
{
    const char *arguments = at + strcspn(at, "(");
    bool known =
        s == &queue_script_quota
            ? is_among(arguments, quota_calls, sizeof quota_calls / sizeof *quota_calls)
            : is_among(arguments, calls, sizeof calls / sizeof *calls);

    cr_expect(known, "%s: %.70s", s->name, at);
}

static void check_key_by_number(const struct redis_script *s, const char *at)
{
    const char *known = s == &queue_script_quota
                            ? "^KEYS\\[[12]\\]"
                            : "^KEYS(, 1, 25\\)|, JOBS \\+ 1, JOBS \\+ items\\)| - "
                              "JOBS|\\[JOBS \\+ item(s \\+ parent)?\\])";

    cr_expect(matches(at, known), "%s: %.40s", s->name, at);
}

Test(queue_scripts, only_known_commands_on_declared_keys_of_their_type)
{
    size_t n = 0;

    for (size_t i = 0; queue_scripts[i]; i++) {
        n += each(queue_scripts[i], "redis.call", check_call);
        n += each(queue_scripts[i], "redis.pcall", check_call);
        each(queue_scripts[i], "KEYS", check_key_by_number);
        cr_expect_not(strstr(queue_scripts[i]->body_7, "hoist:"), "%s",
                      queue_scripts[i]->name);
    }
    cr_expect(n > 500, "%zu", n);
}

static void check_way_to_redis(const struct redis_script *s, const char *at)
{
    cr_expect(matches(at, "^redis(\\.p?call\\('|\\.replicate_commands)"), "%s: %.40s",
              s->name, at);
}

Test(queue_scripts, redis_is_reached_by_calls_that_name_their_command)
{
    for (size_t i = 0; queue_scripts[i]; i++)
        cr_expect(each(queue_scripts[i], "redis", check_way_to_redis) > 0);
}

Test(queue_scripts, calls_declare_as_many_keys_as_lib_lua_names)
{
    const struct queue_worker w = {.id = "w1", .lease_ms = 1000};
    struct redis_cmd c;
    char names[1024];
    size_t n = 1;

    redis_cmd_init(&c);
    queue_claim_cmd(&c, "q", &w, 1, 1);
    /* how many keys, the keys, four arguments */
    cr_expect(c.count == 1 + 24 + 4, "%zu", c.count);
    redis_cmd_release(&c);
    const char *from = strstr(queue_script_claim.body_7, "local ready,");
    const char *to = strstr(from, " = unpack(KEYS, 1, 25)");
    cr_assert(to && (size_t)(to - from) < sizeof names);
    (void)snprintf(names, sizeof names, "%.*s", (int)(to - from), from);
    for (const char *at = names; (at = strchr(at, ',')); at++)
        n++;
    cr_expect(n == 25, "24 of the queue, and that of a job");
    cr_expect(strstr(queue_script_claim.body_7, "local JOBS = 24 "));
}

/* --- Loops --- */

/* Every loop there is, and what bounds it. */
static const char *const loops[] = {
    "^for priority = 0, 9 do",                              /* 10 */
    "^for (item|i) = 1, (items|#ids|#known) do",            /* QUEUE_BATCH_MAX */
    "^for item = 1, (#KEYS - JOBS|\\(#ARGV - 1\\) / 2) do", /* the same */
    "^for i = 1, \\(grouping or parents\\) and n or 0 do",  /* the same */
    "^for i = at, at \\+ n - 1, 2 do",                      /* fields of a new job */
    "^for i = 1, #flat, 2 do",                              /* 2 * MAX_FIELDS */
    "^for _ = 1, (MAX_ITEMS|25) do",
    "^for (batch|key), (changes|by) in pairs\\((joined|changes)\\) do", /* at most one a job */
    "^for _, (id|name|member) in ipairs\\((found|names|ids|waiting|\\{[^}]*\\})\\) do",
    "^for (offset, name|state, by) in pairs\\((counts|\\{[^}]*\\})\\) do",
    "^for offset, name in pairs\\(most and \\{[^}]*\\} or \\{\\}\\) do", /* three */
    "^for name, address in string.gmatch\\(packed or '', '[^']*'\\) do", /* JOB_ARRIVED_MAX */
    "^for name in pairs\\(record\\) do",                /* MAX_FIELDS */
    "^for i = 6, #ARGV do",                             /* a request's jobs, 100 */
    "^for word in string.gmatch\\(list, '%S\\+'\\) do", /* leases of a claim */
    "^for (key|name), number in string.gmatch\\(value, '[^']*'\\) do", /* five numbers */
};

static void check_loop(const struct redis_script *s, const char *at)
{
    if (at[-1] != '\n' && at[-1] != ' ')
        return;
    if (at[-1] == ' ' && at[-2] != ' ')
        return; /* a word in a text */
    for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++)
        if (matches(at, loops[i]))
            return;
    cr_expect(false, "%s: %.70s", s->name, at);
}

Test(queue_scripts, every_loop_is_bounded)
{
    size_t n = 0;

    for (size_t i = 0; queue_scripts[i]; i++) {
        char *code = code_of(queue_scripts[i]);
        cr_expect_not(
            matches(code, "(^|[^[:alnum:]_])(while|repeat|goto)[^[:alnum:]_]"), "%s",
            queue_scripts[i]->name);
        free(code);
        n += each(queue_scripts[i], "for ", check_loop);
    }
    cr_expect(n > 80, "%zu", n);
}

/* From "local function NAME(" to the end of its body, whether NAME is called. */
static void check_recursion(const struct redis_script *s, const char *at)
{
    char name[64], call[72];
    const char *end = strstr(at, "\nend");

    cr_assert(end && sscanf(at, "\nlocal function %63[a-z_]", name) == 1, "%s: %.40s",
              s->name, at);
    (void)snprintf(call, sizeof call, "%s(", name);
    const char *again = strstr(strchr(at, '(') + 1, call);
    cr_expect(!again || again > end, "%s: %s calls itself", s->name, name);
}

Test(queue_scripts, no_function_calls_itself)
{
    size_t n = 0;

    for (size_t i = 0; queue_scripts[i]; i++)
        n += each(queue_scripts[i], "\nlocal function ", check_recursion);
    cr_expect(n > 200, "%zu", n);
}
