#include "tests/integration/console_rig.h"

#include "tests/integration/queue_harness.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t calls, most;

static char *read_library(void)
{
    FILE *f = fopen(HOIST_FUNCTIONS_FILE, "re");
    enum { SIZE = 512 * 1024 };
    char *text = malloc(SIZE);

    cr_assert(f && text, "%s", HOIST_FUNCTIONS_FILE);
    size_t n = fread(text, 1, SIZE - 1, f);
    cr_assert(n > 0 && n < SIZE - 1);
    text[n] = '\0';
    (void)fclose(f);
    return text;
}

void console_load(void)
{
    char *library = read_library();
    char *reply =
        redis_fixture_ask(&h.server, "FUNCTION", "LOAD", "REPLACE", library, NULL);

    cr_assert_str_eq(reply, "hoist_v1");
    free(reply);
    free(library);
}

void console_up(void)
{
    harness_up();
    console_load();
}

char *console(const char *function, const char *a, const char *b)
{
    return redis_fixture_ask(&h.server, "FCALL", function, "1", "{q}", a, a ? b : NULL,
                             NULL);
}

bool console_says(const char *function, const char *a, const char *b, const char *want)
{
    char *text = console(function, a, b);
    bool found = strstr(text, want);

    if (!found)
        fprintf(stderr, "%s does not say \"%s\":\n%s\n", function, want, text);
    free(text);
    return found;
}

static const char *after(const char *text, const char *word)
{
    const char *at = strstr(text, word);

    cr_assert(at, "no \"%s\" in:\n%s", word, text);
    return at + strlen(word);
}

size_t fsck(bool repair, char *ret_text, size_t size)
{
    char cursor[CONSOLE_CURSOR_SIZE] = "0";
    size_t found = 0;

    calls = most = 0;
    while (strcmp(cursor, "none") != 0) {
        char *text = console("hoist_fsck", cursor, repair ? "repair" : NULL);
        const char *end = strstr(text, " entries looked at, ");
        cr_assert(end, "%s", text);
        const char *line = end;
        while (line > text && line[-1] != '\n')
            line--;
        size_t looked = strtoul(line, NULL, 10);
        size_t here = strtoul(after(text, "looked at, "), NULL, 10);
        if (here > 0 && ret_text)
            (void)snprintf(ret_text, size, "%s", text);
        found += here;
        most = looked > most ? looked : most;
        cr_assert(++calls < 1000, "the pass has no end");
        (void)snprintf(cursor, sizeof cursor, "%s", after(text, "next: "));
        cursor[strcspn(cursor, "\n")] = '\0';
        free(text);
    }
    return found;
}

size_t fsck_calls(void)
{
    return calls;
}

size_t fsck_most(void)
{
    return most;
}

static char *copy(const char *text)
{
    return text ? strdup(text) : NULL;
}

struct job_id add_linked(const char *group, const char *after_uuid, const char *unique)
{
    struct job j = new_job(0, 0);
    struct job_id id = j.id;

    j.group = copy(group);
    j.after = copy(after_uuid);
    j.unique = copy(unique);
    cr_assert(enqueue(&j) == QUEUE_OK);
    job_release(&j);
    return id;
}
