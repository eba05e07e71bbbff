#include "tests/integration/queue_look.h"

#include "tests/integration/queue_harness.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct tmp_key queue_key(const char *name)
{
    struct tmp_key k;

    (void)snprintf(k.text, sizeof k.text, "hoist:{q}:%s", name);
    return k;
}

struct tmp_key key_of(const struct job_id *id)
{
    struct tmp_key k;

    (void)snprintf(k.text, sizeof k.text, "hoist:{q}:job:%s", id->uuid.text);
    return k;
}

static struct tmp_key take(char *text)
{
    struct tmp_key k;

    (void)snprintf(k.text, sizeof k.text, "%s", text);
    free(text);
    return k;
}

struct tmp_key field(const struct job_id *id, const char *name)
{
    return take(redis_fixture_ask(&h.server, "HGET", key_of(id).text, name, NULL));
}

bool field_is(const struct job_id *id, const char *name, const char *want)
{
    struct tmp_key got = field(id, name);

    if (strcmp(got.text, want) == 0)
        return true;
    fprintf(stderr, "%s is \"%s\", not \"%s\"\n", name, got.text, want);
    return false;
}

void set_field(const struct job_id *id, const char *name, const char *value)
{
    edit("HSET", key_of(id).text, name, value, NULL);
}

bool is_in(const char *name, const struct job_id *id)
{
    struct tmp_key score = take(redis_fixture_ask(
        &h.server, "ZSCORE", queue_key(name).text, id->uuid.text, NULL));

    return score.text[0] != '\0';
}

int64_t card(const char *name)
{
    return redis_fixture_ask_int(&h.server, "ZCARD", queue_key(name).text, NULL);
}

struct tmp_key owner_of(const struct job_id *id)
{
    return take(redis_fixture_ask(&h.server, "HGET", queue_key("owner").text,
                                  id->uuid.text, NULL));
}

bool has_owner(const struct job_id *id)
{
    return owner_of(id).text[0] != '\0';
}

bool has_begun(const struct job_id *id)
{
    struct tmp_key owner = owner_of(id);
    const char *token = strchr(owner.text, ':');

    return token && strchr(token + 1, ':');
}

void expire(const struct job_id *id)
{
    edit("ZADD", "hoist:{q}:leased", "XX", "1", id->uuid.text, NULL);
}

void make_due(const struct job_id *id)
{
    edit("ZADD", "hoist:{q}:later", "XX", "1", id->uuid.text, NULL);
}

static size_t count_in(char *members, const char *uuid)
{
    size_t n = 0;

    for (const char *at = members; (at = strstr(at, uuid)); at += ID_UUID_LEN)
        n += at[ID_UUID_LEN] == '\n' || at[ID_UUID_LEN] == '\0';
    free(members);
    return n;
}

bool stands_in_line(const char *line, const struct job_id *id)
{
    size_t n = count_in(
        redis_fixture_ask(&h.server, "ZRANGE", queue_key(line).text, "0", "-1", NULL),
        id->uuid.text);

    return n == 1;
}

bool same(const struct job_id *a, const struct job_id *b)
{
    return strcmp(a->uuid.text, b->uuid.text) == 0;
}

/* Until its first beat the record of a running job says that it waits. */
static bool state_is_of_a_running_job(const struct job_id *id)
{
    struct tmp_key state = field(id, "state");

    return strcmp(state.text, "waiting") == 0 || strcmp(state.text, "running") == 0;
}

bool stands(const struct job_id *id, const char *set, const char *state)
{
    static const char *const sets[] = {"ready", "later",   "leased", "dead",
                                       "done",  "grouped", "behind"};
    bool running = strcmp(state, "running") == 0;
    bool right = running ? state_is_of_a_running_job(id) : field_is(id, "state", state);

    if (has_begun(id) != running) {
        fprintf(stderr, "its owner is \"%s\"\n", owner_of(id).text);
        right = false;
    }
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        bool want = strcmp(sets[i], set) == 0;
        if (stands_in_line(sets[i], id) != want) {
            fprintf(stderr, "it is %sin %s\n", want ? "not " : "", sets[i]);
            right = false;
        }
    }
    if (has_owner(id) != (strcmp(set, "leased") == 0)) {
        fprintf(stderr, "its owner does not agree with %s\n", set);
        right = false;
    }
    return right;
}

void edit(const char *arg, ...)
{
    const char *args[8] = {arg};
    size_t n = 1;
    va_list ap;

    va_start(ap, arg);
    while (n < 8 && (args[n] = va_arg(ap, const char *)))
        n++;
    va_end(ap);
    cr_assert(n < 8);
    char *reply = redis_fixture_ask(&h.server, args[0], args[1], args[2], args[3],
                                    args[4], args[5], args[6], args[7], NULL);
    cr_assert(reply[0] != '-', "%s", reply);
    free(reply);
}
