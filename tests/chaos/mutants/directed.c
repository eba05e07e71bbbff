#include "tests/chaos/mutants/directed.h"

#include "shared/cleanup.h"
#include "tests/chaos/place.h"
#include "tests/support/fcgi_client.h"
#include "tests/support/wait_until.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void directed_up(struct directed *d, bool s3)
{
    if (s3)
        d->s3 = s3_faulty_start();
    rig_init(&d->rig,
             &(struct rig_options){.build = d->build,
                                   .endpoint = s3 ? s3_faulty_url(d->s3) : NULL,
                                   .lease_ms = DIRECTED_LEASE_MS});
    rig_start_redis(&d->rig);
    rig_start_fcgi(&d->rig, d->preload);
}

void directed_violated(struct directed *d, const char *invariant, const char *fmt, ...)
{
    va_list args;

    d->violations++;
    printf("%s: ", invariant);
    va_start(args, fmt);
    (void)vprintf(fmt, args);
    va_end(args);
    (void)putchar('\n');
}

/* --- Uploads --- */

int directed_upload(struct directed *d, int64_t n, const char *uri, int64_t send,
                    char ret_id[static ID_JOB_MAX + 1])
{
    static const char key[] = "\"id\":\"";
    struct body b = body_of(&d->plan, n);
    char target[128], length[32];
    struct fcgi_client client;

    CLEANUP(str_free) char *bytes = malloc((size_t)b.size);
    if (!bytes)
        abort();
    body_fill(&b, 0, bytes, (size_t)b.size);
    (void)snprintf(target, sizeof target, "%s", uri);
    (void)snprintf(length, sizeof length, "%lld", (long long)b.size);
    fcgi_client_open(&client, d->rig.fcgi_socket.path);
    fcgi_client_request(
        &client, &(struct fcgi_request){.method = "PUT",
                                        .uri = target,
                                        .body = bytes,
                                        .body_len = (size_t)(send < 0 ? b.size : send),
                                        .content_length = length});
    struct fcgi_response r = fcgi_client_response(&client, DIRECTED_MS);
    fcgi_client_close(&client);
    const char *at = r.status == 202 ? strstr(r.body, key) : NULL;
    ret_id[0] = '\0';
    if (at) {
        at += sizeof key - 1;
        (void)snprintf(ret_id, ID_JOB_MAX + 1, "%.*s", (int)strcspn(at, "\""), at);
    }
    int status = r.status;
    fcgi_response_release(&r);
    return status;
}

void directed_accept(struct directed *d, int64_t n, char ret_id[static ID_JOB_MAX + 1])
{
    int status = directed_upload(d, n, "/v1/uploads/directed.bin", -1, ret_id);

    if (status == 202 && ret_id[0])
        return;
    fprintf(stderr, "directed: an upload was answered %d\n", status);
    spawn_show_log(&d->rig.fcgi);
    abort();
}

/* --- Looking --- */

void directed_field(struct directed *d, const char *id, const char *name, char *ret,
                    size_t size)
{
    char command[256];
    const char *dot = strchr(id, '.');

    (void)snprintf(command, sizeof command, "HGET hoist:{%.*s}:job:%s %s",
                   (int)(dot - id), id, dot + 1, name);
    if (!rig_ask(&d->rig, command, NULL, ret, size))
        ret[0] = '\0';
}

bool directed_is(struct directed *d, const char *id, const char *state)
{
    char text[64];

    directed_field(d, id, "state", text, sizeof text);
    return strcmp(text, state) == 0;
}

bool directed_has_ended(struct directed *d, const char *id)
{
    return directed_is(d, id, "done") || directed_is(d, id, "dead") ||
           directed_is(d, id, "cancelled");
}

static bool object_digest(struct directed *d, const char *key,
                          char ret_sha256[static DIGEST_SHA256_HEX + 1])
{
    char path[512];
    struct s3_faulty_object object;
    struct store store;
    struct store_content content;
    struct err e = ERR_INIT;

    if (d->s3) {
        (void)snprintf(path, sizeof path, "/bucket/%s", key);
        if (!s3_faulty_object(d->s3, path, &object))
            return false;
        (void)snprintf(ret_sha256, DIGEST_SHA256_HEX + 1, "%s", object.sha256);
        return true;
    }
    if (store_init(&store, STORE_FILES, d->rig.objects.path, NULL, &e) ||
        store_read_key(&store, key, &content, &e) || content.state == STORE_MISSING)
        return false;
    digest_hex_encode(content.sha256, sizeof content.sha256, ret_sha256);
    return true;
}

enum directed_object directed_object(struct directed *d, const char *id, int64_t n)
{
    char key[256], want[DIGEST_SHA256_HEX + 1], got[DIGEST_SHA256_HEX + 1];
    struct body b = body_of(&d->plan, n);
    struct err e = ERR_INIT;

    directed_field(d, id, "key", key, sizeof key);
    if (body_sha256(&b, want, &e))
        abort();
    if (!key[0]) /* the usual one is not written down: uuid and extension */
        (void)snprintf(key, sizeof key, "%s.bin", strchr(id, '.') + 1);
    if (!object_digest(d, key, got))
        return OBJECT_MISSING;
    return strcmp(want, got) == 0 ? OBJECT_WHOLE : OBJECT_OTHER;
}

void directed_expect_arrived(struct directed *d, const char *id, int64_t n)
{
    char state[64] = "", error[256] = "";

    bool ended = WAIT_UNTIL(directed_has_ended(d, id), DIRECTED_MS);
    directed_field(d, id, "state", state, sizeof state);
    directed_field(d, id, "error", error, sizeof error);
    if (!ended)
        directed_violated(d, "I6", "%s has not ended: it is %s", id, state);
    enum directed_object object = directed_object(d, id, n);
    if (object == OBJECT_OTHER)
        directed_violated(d, "I2", "%s: its object has other bytes", id);
    if (object != OBJECT_WHOLE)
        directed_violated(d, "I1", "%s was accepted, has no object and is %s%s%s", id,
                          state, error[0] ? ": " : "", error);
    if (object != OBJECT_WHOLE && strcmp(state, "done") == 0)
        directed_violated(d, "I9", "%s is said to be done", id);
}

/* --- The program --- */

static const struct {
    const char *name;
    void (*run)(struct directed *d);
} scenarios[] = {
    {"killed-worker", scenario_killed_worker},
    {"error-in-200", scenario_error_in_200},
    {"same-key", scenario_same_key},
    {"flipped-bit", scenario_flipped_bit},
    {"forgetful-redis", scenario_forgetful_redis},
    {"short-body", scenario_short_body},
    {"spoiled-sync", scenario_spoiled_sync},
    {"stale-token", scenario_stale_token},
};

enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0] };

struct call {
    struct directed d;
    size_t which;
};

static int run(bool is_private, void *ctx)
{
    struct call *c = ctx;

    (void)is_private;
    scenarios[c->which].run(&c->d);
    rig_release(&c->d.rig, false);
    s3_faulty_stop(c->d.s3);
    return c->d.violations > 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: directed --build DIR [--preload LIBRARY] SCENARIO\n");
    for (size_t i = 0; i < SCENARIOS; i++)
        fprintf(stderr, "  %s\n", scenarios[i].name);
    return 2;
}

int main(int argc, char **argv)
{
    struct call c = {.d = {.plan = {.seed = 20, .max_bytes = DIRECTED_UPLOAD_MAX}},
                     .which = SCENARIOS};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--build") == 0 && i + 1 < argc)
            c.d.build = argv[++i];
        else if (strcmp(argv[i], "--preload") == 0 && i + 1 < argc)
            c.d.preload = argv[++i];
        else
            for (size_t k = 0; k < SCENARIOS; k++)
                if (strcmp(argv[i], scenarios[k].name) == 0)
                    c.which = k;
    }
    if (!c.d.build || c.which == SCENARIOS)
        return usage();
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    return place_run(run, &c);
}
