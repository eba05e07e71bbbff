#include "tests/integration/redis_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct redis_fixture server;

void redis_up(void)
{
    redis_fixture_start(&server);
}

void redis_down(void)
{
    redis_fixture_stop(&server);
}

struct redis *connect_to(const char *url, int timeout_ms)
{
    struct redis_options o = {.connect_timeout_ms = 2000, .timeout_ms = timeout_ms};
    struct redis *r = NULL;
    struct err e = ERR_INIT;

    cr_assert(redis_target_parse(url, &o.target, &e) == ERR_OK, "%s", e.text);
    cr_assert(redis_open(&o, &r, &e) == ERR_OK, "%s", e.text);
    redis_target_release(&o.target);
    return r;
}

enum err_code call(struct redis *r, struct err *e, char ret_text[64], const char *a,
                   const char *b, const char *c)
{
    const char *words[] = {a, b, c};
    struct redis_value *v = NULL;
    struct redis_cmd cmd;

    redis_cmd_init(&cmd);
    for (size_t i = 0; i < 3 && words[i]; i++)
        redis_cmd_add_str(&cmd, words[i]);
    enum err_code rc = redis_call(r, &cmd, &v, e);
    if (rc == ERR_OK)
        (void)snprintf(ret_text, 64, "%s", redis_value_str(v, NULL));
    redis_reply_free(v);
    redis_cmd_release(&cmd);
    return rc;
}

bool ping(struct redis *r)
{
    struct err e = ERR_INIT;
    char text[64];
    bool pong =
        call(r, &e, text, "PING", NULL, NULL) == ERR_OK && strcmp(text, "PONG") == 0;

    if (!pong)
        fprintf(stderr, "%s\n", e.text);
    return pong;
}
