#include "tests/integration/hooks_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shared/digest.h"
#include "tests/support/wait_until.h"

struct worker_rig rig;
struct http_sink *sink;

void up(const char *more)
{
    char text[2048];

    sink = http_sink_start();
    (void)snprintf(
        text, sizeof text,
        "[queue media]\n[webhook audit]\nurl = %s/audit?k=1\nsecret = " SECRET
        "\nsecond_secret = " SECOND
        "\n[queue hooks]\nmax_attempts = 3\nretry_base = 20ms\n"
        "retry_cap = 50ms\n[webhook callback]\nhttp = yes\nsecret = " SECOND "\n%s",
        http_sink_url(sink), more);
    rig_up(&rig, text);
}

void down(void)
{
    rig_down(&rig);
    http_sink_stop(sink);
}

struct http_sink_request request(size_t index)
{
    struct http_sink_request r;

    if (!WAIT_UNTIL(http_sink_count(sink) > index, 10000)) {
        for (size_t i = 0; i < rig.worker_count; i++)
            spawn_show_log(&rig.workers[i]);
        cr_assert(false, "request %zu did not come", index);
    }
    cr_assert(http_sink_request(sink, index, &r));
    return r;
}

const char *header(const struct http_sink_request *r, const char *name)
{
    static char value[512];

    return http_sink_header(r, name, value, sizeof value) ? value : "";
}

bool has(const struct http_sink_request *r, const char *text)
{
    bool yes = strstr(r->body, text) != NULL;

    if (!yes)
        fprintf(stderr, "no %s in\n%s\n", text, r->body);
    return yes;
}

bool is_same(const struct http_sink_request *a, const struct http_sink_request *b)
{
    return a->len == b->len && memcmp(a->body, b->body, a->len) == 0;
}

long ask(const char *command, const char *key, const char *more)
{
    return redis_fixture_ask_int(&rig.redis, command, key, more, NULL);
}

bool is_over(void)
{
    return WAIT_UNTIL(ask("XLEN", "hoist:{default}:outbox", NULL) == 0 &&
                          ask("XLEN", "hoist:{media}:outbox", NULL) == 0 &&
                          ask("ZCARD", "hoist:{hooks}:ready", NULL) == 0 &&
                          ask("ZCARD", "hoist:{hooks}:grouped", NULL) == 0 &&
                          ask("ZCARD", "hoist:{hooks}:later", NULL) == 0 &&
                          ask("ZCARD", "hoist:{hooks}:leased", NULL) == 0,
                      10000);
}

struct job_id delivery(const struct http_sink_request *r)
{
    struct job_id id;
    const char *text = header(r, "hoist-delivery");

    cr_assert(id_parse_job(text, strlen(text), &id), "%s", text);
    return id;
}

void call(struct redis_cmd *cmd)
{
    struct redis_value *reply = NULL;
    struct err e = ERR_INIT;

    cr_assert(redis_call(rig.client, cmd, &reply, &e) == ERR_OK, "%s", e.text);
    redis_reply_free(reply);
    redis_cmd_release(cmd);
}

void cancel(const struct job_id *id)
{
    struct redis_cmd cmd;

    redis_cmd_init(&cmd);
    queue_cancel_cmd(&cmd, id, 3600000);
    call(&cmd);
}

bool is_signed(const struct http_sink_request *r, const char *secret)
{
    char text[16384], want[DIGEST_SHA256_HEX + 8] = "v1=";
    uint8_t mac[DIGEST_SHA256_BYTES];
    struct err e = ERR_INIT;
    const char *field = header(r, "hoist-signature");
    int t = (int)strcspn(field, ",") - 2;

    int len =
        snprintf(text, sizeof text, "%.*s.%.*s", t, field + 2, (int)r->len, r->body);
    cr_assert(digest_hmac_sha256((struct digest_span){secret, strlen(secret)},
                                 (struct digest_span){text, (size_t)len}, mac,
                                 &e) == ERR_OK);
    digest_hex_encode(mac, sizeof mac, want + 3);
    return strstr(field, want) != NULL;
}
