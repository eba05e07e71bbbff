#include "tests/support/redis_fixture.h"

#include "tests/support/wait_until.h"

#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READY_MS = 5000, ASK_MS = 5000, ASK_ARGS_MAX = 64 };

static void die(struct redis_fixture *f, const char *what)
{
    fprintf(stderr, "redis_fixture: %s\n", what);
    spawn_show_log(&f->server);
    abort();
}

static void side_close(struct redis_fixture *f)
{
    if (f->side)
        redisFree(f->side);
    f->side = NULL;
}

static bool side_open(struct redis_fixture *f)
{
    struct timeval limit = {.tv_sec = ASK_MS / 1000};

    if (f->side)
        return true;
    redisContext *c = redisConnectUnixWithTimeout(f->socket.path, limit);
    if (!c || c->err || redisSetTimeout(c, limit) != REDIS_OK) {
        if (c)
            redisFree(c);
        return false;
    }
    f->side = c;
    return true;
}

static bool answers(struct redis_fixture *f)
{
    if (!spawn_is_running(&f->server))
        die(f, "redis-server ended");
    if (!side_open(f))
        return false;
    redisReply *r = redisCommand(f->side, "PING");
    bool pong = r && r->type == REDIS_REPLY_STATUS && strcmp(r->str, "PONG") == 0;
    if (r)
        freeReplyObject(r);
    if (!pong)
        side_close(f);
    return pong;
}

static void launch(struct redis_fixture *f)
{
    const char *argv[16 + REDIS_FIXTURE_ARGS_MAX] = {
        "redis-server", "--port",     "0",      "--unixsocket", f->socket.path,
        "--save",       "",           "--dir",  f->dir.path,    "--appendonly",
        "no",           "--loglevel", "notice",
    };
    size_t n = 13;

    for (size_t i = 0; f->extra[i]; i++)
        argv[n++] = f->extra[i];
    spawn_start(&f->server,
                &(struct spawn_options){.argv = argv, .log_path = f->log.path});
    if (!WAIT_UNTIL(answers(f), READY_MS))
        die(f, "no PONG within 5 s");
}

void redis_fixture_start_with(struct redis_fixture *f, const char *const *args)
{
    memset(f, 0, sizeof *f);
    for (size_t i = 0; args && args[i]; i++) {
        if (i == REDIS_FIXTURE_ARGS_MAX)
            die(f, "too many arguments");
        f->extra[i] = args[i];
    }
    tmpdir_make(&f->dir);
    f->socket = tmpdir_file(&f->dir, "redis.sock");
    f->log = tmpdir_file(&f->dir, "redis.log");
    (void)snprintf(f->url, sizeof f->url, "unix://%s",
                   f->socket.path); /* sized for it */
    launch(f);
}

void redis_fixture_start(struct redis_fixture *f)
{
    redis_fixture_start_with(f, NULL);
}

void redis_fixture_kill(struct redis_fixture *f)
{
    side_close(f);
    spawn_kill(&f->server);
}

void redis_fixture_restart(struct redis_fixture *f)
{
    redis_fixture_kill(f);
    launch(f);
}

void redis_fixture_stop(struct redis_fixture *f)
{
    redis_fixture_kill(f); /* nothing of it is kept: no need to be polite */
    tmpdir_remove(&f->dir);
}

void redis_fixture_pause(struct redis_fixture *f)
{
    spawn_pause(&f->server);
}

void redis_fixture_resume(struct redis_fixture *f)
{
    spawn_resume(&f->server);
}

static void print_reply(FILE *out, const redisReply *r, size_t depth)
{
    switch (r->type) {
    case REDIS_REPLY_INTEGER:
        fprintf(out, "%lld", r->integer);
        break;
    case REDIS_REPLY_ERROR:
        fprintf(out, "-%s", r->str);
        break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        (void)fwrite(r->str, 1, r->len, out); /* checked at fclose */
        break;
    case REDIS_REPLY_ARRAY:
        for (size_t i = 0; i < r->elements && depth < 8; i++) {
            if (i > 0)
                (void)fputc('\n', out);
            print_reply(out, r->element[i], depth + 1);
        }
        break;
    default:
        break;
    }
}

static char *ask(struct redis_fixture *f, const char *arg, va_list ap)
{
    const char *argv[ASK_ARGS_MAX];
    char *text = NULL;
    size_t len = 0;
    int n = 0;

    for (; arg; arg = va_arg(ap, const char *)) {
        if (n == ASK_ARGS_MAX)
            die(f, "too many arguments to ask");
        argv[n++] = arg;
    }
    if (!side_open(f))
        die(f, "cannot connect to ask");
    redisReply *r = redisCommandArgv(f->side, n, argv, NULL);
    if (!r)
        die(f, ((redisContext *)f->side)->errstr);
    FILE *out = open_memstream(&text, &len);
    if (!out)
        die(f, "no memory");
    print_reply(out, r, 0);
    freeReplyObject(r);
    if (fclose(out) != 0)
        die(f, "no memory");
    return text;
}

char *redis_fixture_ask(struct redis_fixture *f, const char *arg, ...)
{
    va_list ap;

    va_start(ap, arg);
    char *text = ask(f, arg, ap);
    va_end(ap);
    return text;
}

int64_t redis_fixture_ask_int(struct redis_fixture *f, const char *arg, ...)
{
    char *end;
    va_list ap;

    va_start(ap, arg);
    char *text = ask(f, arg, ap);
    va_end(ap);
    int64_t n = strtoll(text, &end, 10);
    if (end == text || *end)
        die(f, text);
    free(text);
    return n;
}
