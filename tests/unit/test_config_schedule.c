/*
 * config: commands and schedules, what becomes of them and what is refused.
 */
#include "shared/config.h"

#include "shared/cleanup.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(config_schedule, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define COMMAND "[command c]\nrun=true\n"                   /* lines 1 and 2 */
#define SCHEDULE COMMAND "[schedule s]\nsource=command:c\n" /* 3 and 4 */
#define DAILY SCHEDULE "cron=30 2 * * *\n"                  /* 5 */

static void parse(struct config *c, const char *text, char *const *env)
{
    struct err e = ERR_INIT;

    config_init(c);
    cr_assert(eq(int, config_parse(c, "t.ini", text, env, &e), ERR_OK), "%s", e.text);
}

Test(config_schedule, there_are_none_unless_they_are_configured)
{
    CLEANUP(config_release) struct config c;

    parse(&c, "", NULL);
    cr_expect(eq(sz, c.command_count, 0));
    cr_expect(eq(sz, c.schedule_count, 0));
}

Test(config_schedule, what_is_not_given_is_that_of_the_queue)
{
    CLEANUP(config_release) struct config c;

    parse(&c,
          "[destination far]\nurl=file:///far\n[queue media]\nto=far\npriority=2\n"
          "[schedule s]\nqueue=media\nsource=command:c\nevery=6h\n"
          "[command c]\nrun=pg_dump -Fc 'my db'\n",
          NULL);
    const struct config_schedule *s = &c.schedules[0];
    cr_expect(eq(str, s->to, "far"));
    cr_expect(eq(i64, s->priority, 2));
    cr_expect(eq(i64, s->plan.every_ms, 6 * 3600 * 1000));
    cr_expect(eq(str, (char *)s->command, "c"));
    const struct config_command *command = config_find_command(&c, "c", 1);
    cr_assert(ne(ptr, (void *)command, NULL));
    cr_expect(eq(str, command->run, "pg_dump -Fc 'my db'"));
    cr_expect(eq(i64, command->time_limit_ms, 3600 * 1000));
    cr_expect(eq(i64, command->max_bytes, INT64_C(5) << 30));
    cr_expect(eq(ptr, (void *)config_find_command(&c, "cc", 2), NULL));
}

Test(config_schedule, what_is_given_wins_and_the_environment_over_it)
{
    CLEANUP(config_release) struct config c;
    char every[] = "HOIST_SCHEDULE_S_PRIORITY=7";
    char *env[] = {every, NULL};

    parse(&c,
          "[queue default]\npriority=2\n" DAILY
          "priority=5\ntime_zone=Europe/Berlin\nname=db.dump\n"
          "key=db/{yyyy}{mm}{dd}.dump\n",
          env);
    cr_expect(eq(i64, c.schedules[0].priority, 7));
    cr_expect(eq(str, c.schedules[0].time_zone, "Europe/Berlin"));
    cr_expect(eq(str, c.schedules[0].object_name, "db.dump"));
    cr_expect(eq(u64, c.schedules[0].plan.set[CRON_HOUR], 1 << 2));
    CLEANUP(config_release) struct config explicit;
    parse(&explicit, "[queue default]\npriority=2\n" DAILY "priority=5\n", NULL);
    cr_expect(eq(i64, explicit.schedules[0].priority, 5), "the default, but given");
}

static const struct {
    const char *text;
    const char *start; /* of the error */
    const char *has;   /* somewhere in it */
} rows[] = {
    {"[command x]", "t.ini:1: [command x] run: is empty", "program"},
    {"[command x]\nrun=a 'b", "t.ini:2: [command x] run: a ' without its end", NULL},
    {COMMAND "time_limit=0", "t.ini:3: [command c] time_limit: '0' is not", "1ms"},
    {COMMAND "max_bytes=0", "t.ini:3: [command c] max_bytes: '0' is not", "1 to 5T"},
    {COMMAND "type=text", "t.ini:3: [command c] type: 'text' is not TYPE/SUBTYPE",
     NULL},
    {"[schedule s]\ncron=@daily",
     "t.ini:1: [schedule s] source: '' is not command:NAME", NULL},
    {"[schedule s]\nsource=spool\ncron=@daily",
     "t.ini:2: [schedule s] source: 'spool' is not command:NAME", NULL},
    {"[schedule s]\nsource=command:c\ncron=@daily",
     "t.ini:2: [schedule s] source: there is no [command c]", NULL},
    {SCHEDULE, "t.ini:3: [schedule s] cron: is needed, or every", NULL},
    {DAILY "every=1h", "t.ini:6: [schedule s] every: cron is set, too",
     "one of the two"},
    {SCHEDULE "every=999ms", "t.ini:5: [schedule s] every: is less than 1s", NULL},
    {SCHEDULE "every=367d", "t.ini:5: [schedule s] every: '367d' is not", "366d"},
    {SCHEDULE "cron=* 25 * * *", "t.ini:5: [schedule s] cron: the hour '25'", NULL},
    {SCHEDULE "cron=* * * *", "t.ini:5: [schedule s] cron:", NULL},
    {SCHEDULE "cron=0 0 30 2 *",
     "t.ini:5: [schedule s] cron: '0 0 30 2 *' never comes due", NULL},
    {DAILY "time_zone=Europe/Atlantis", "t.ini:6: [schedule s] time_zone:", "Atlantis"},
    {DAILY "time_zone=../../etc/passwd", "t.ini:6: [schedule s] time_zone:", NULL},
    {DAILY "queue=x", "t.ini:6: [schedule s] queue: there is no [queue x]", NULL},
    {DAILY "to=x", "t.ini:6: [schedule s] to: there is no [destination x]", NULL},
    {DAILY "priority=10", "t.ini:6: [schedule s] priority: '10' is not", "0 to 9"},
    {DAILY "name={day}", "t.ini:6: [schedule s] name: '{day}' is not one of", "{yyyy}"},
    {DAILY "name=a}", "t.ini:6: [schedule s] name: '}' is half a pair", NULL},
    {DAILY "key=db.dump", "t.ini:6: [schedule s] key: has neither {id} nor {yyyy}",
     NULL},
    {DAILY "key={mm}/{dd}", "t.ini:6: [schedule s] key: has neither", NULL},
    {DAILY "key={yyyy}/{mm}", "t.ini:6: [schedule s] key: two runs in a row",
     "'2024/01'"},
    {SCHEDULE "cron=0 1,23 * * *\nkey={yyyy}{mm}{dd}",
     "t.ini:6: [schedule s] key: two runs in a row", "'20240101'"},
    {DAILY "key=../{id}", "t.ini:6: [schedule s] key: '../0",
     "is not allowed as a key"},
    {DAILY "key={id", "t.ini:6: [schedule s] key: has neither", NULL},
    {DAILY "key={id}{", "t.ini:6: [schedule s] key: '{' is half a pair", NULL},
    {"[schedule S]", "t.ini:1: [schedule S]: a name is 1 to 32 of a-z", NULL},
    {"[schedule a-b]\n[schedule a_b]", "t.ini:2: [schedule a_b]: '-' and '_'", NULL},
};

Test(config_schedule, every_mistake_is_refused_with_its_place)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(config_release) struct config c;
        struct err e = ERR_INIT;
        config_init(&c);
        cr_expect(
            eq(int, config_parse(&c, "t.ini", rows[i].text, NULL, &e), ERR_CONFIG),
            "%s", rows[i].text);
        cr_expect(eq(int, strncmp(e.text, rows[i].start, strlen(rows[i].start)), 0),
                  "%s: %s", rows[i].text, e.text);
        cr_expect(rows[i].has == NULL || strstr(e.text, rows[i].has), "%s: %s",
                  rows[i].text, e.text);
    }
}

Test(config_schedule, a_29_february_comes_due)
{
    CLEANUP(config_release) struct config c;

    parse(&c, SCHEDULE "cron=0 0 29 2 *\nkey={yyyy}", NULL);
    cr_expect(eq(sz, c.schedule_count, 1));
}
