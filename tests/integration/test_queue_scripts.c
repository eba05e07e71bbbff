/* The texts of the scripts: how each form begins, and which keys it names. */
#include "shared/queue.h"

#include "queue_scripts.h"

#include <criterion/criterion.h>
#include <regex.h>
#include <string.h>

TestSuite(queue_scripts, .timeout = 10);

Test(queue_scripts, forms_begin_as_their_servers_need_it)
{
    static const char old[] =
        "if redis.replicate_commands then redis.replicate_commands() end\n";
    size_t count = 0;

    for (; queue_scripts[count]; count++) {
        const struct redis_script *s = queue_scripts[count];
        bool is_refused_when_full =
            s == &queue_script_enqueue || s == &queue_script_retry;
        const char *want = s == &queue_script_status ? "#!lua flags=no-writes\n"
                           : is_refused_when_full    ? "#!lua\n"
                                                     : "#!lua flags=allow-oom\n";
        cr_expect(strncmp(s->body, old, sizeof old - 1) == 0, "%s", s->name);
        cr_expect(strncmp(s->body_7, want, strlen(want)) == 0, "%s", s->name);
        cr_expect_str_eq(s->body + sizeof old - 1, s->body_7 + strlen(want), "%s",
                         s->name);
        cr_expect(strlen(s->sha1) == 40 && strlen(s->sha1_7) == 40, "%s", s->name);
    }
    cr_expect(count == 12);
}

/* Each call names a command and then one of the keys of lib.lua; no name of a key is put together in Lua. */
Test(queue_scripts, every_key_is_one_of_those_declared)
{
    static const char call[] = "redis\\.p?call\\(";
    static const char right[] = "^redis\\.p?call\\(('TIME'\\)|'[A-Z]+', "
                                "(ready|later|leased|owner|wake|done|dead|stats|"
                                "events|fence|conf|seq|job|set)[,)])";
    regex_t any, good;
    size_t calls = 0;

    cr_assert(regcomp(&any, call, REG_EXTENDED) == 0);
    cr_assert(regcomp(&good, right, REG_EXTENDED | REG_NOSUB) == 0);
    for (size_t i = 0; queue_scripts[i]; i++) {
        regmatch_t m;
        for (const char *at = queue_scripts[i]->body_7;
             regexec(&any, at, 1, &m, 0) == 0; at += m.rm_eo) {
            const char *from = at + m.rm_so;
            calls++;
            cr_expect(regexec(&good, from, 0, NULL, 0) == 0, "%s: %.60s",
                      queue_scripts[i]->name, from);
        }
        cr_expect_not(strstr(queue_scripts[i]->body_7, "hoist:"), "%s",
                      queue_scripts[i]->name);
    }
    cr_expect(calls > 100, "%zu", calls);
    regfree(&any);
    regfree(&good);
}
