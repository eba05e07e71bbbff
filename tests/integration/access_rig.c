#include "tests/integration/access_rig.h"

#include "shared/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *access_token(const char *name)
{
    static char token[128];

    (void)snprintf(token, sizeof token, "%s-0123456789abcdef0123456789abcdef", name);
    return token;
}

static void add_section(FILE *out, const char *name, const char *settings)
{
    char hex[DIGEST_SHA256_HEX + 1];
    struct err e = ERR_INIT;
    const char *token = access_token(name);

    if (digest_sha256_hex(token, strlen(token), hex, &e))
        abort();
    fprintf(out, "[auth %s]\ntoken = sha256:%s\n%s", name, hex, settings);
}

void access_up_with(const char *settings)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (!out)
        abort();
    fputs("[destination other]\nurl = file:///nonexistent\n", out);
    add_section(out, "alice", "");
    add_section(out, "bob", "queues = media\ndestinations = default\n");
    add_section(out, "reader", "scopes = read\n");
    add_section(out, "boss", "scopes = admin\n");
    if (settings)
        add_section(out, "tester", settings);
    fclose(out);
    responder_up_with(text);
    free(text);
}

void access_up(void)
{
    access_up_with(NULL);
}

static struct fcgi_response ask_with(const char *name, struct fcgi_request *r)
{
    char authorization[160];

    if (name) {
        (void)snprintf(authorization, sizeof authorization, "Bearer %s",
                       access_token(name));
        r->authorization = authorization;
    }
    return responder_ask(r);
}

struct fcgi_response access_ask(const char *name, const char *method, const char *uri,
                                const char *json)
{
    struct fcgi_request r = {.method = method,
                             .uri = uri,
                             .type = json ? "application/json" : NULL,
                             .body = json,
                             .body_len = json ? strlen(json) : 0};

    return ask_with(name, &r);
}

int access_status(const char *name, const char *method, const char *uri)
{
    struct fcgi_response r = access_ask(name, method, uri, NULL);
    int status = r.status;

    fcgi_response_release(&r);
    return status;
}

int access_put(const char *name, const char *uri, const char *body, const char **ret_id)
{
    struct fcgi_request put = {
        .method = "PUT", .uri = uri, .body = body, .body_len = strlen(body)};
    struct fcgi_response r = ask_with(name, &put);
    int status = r.status;

    if (status == 202 && ret_id)
        *ret_id = responder_id(&r);
    fcgi_response_release(&r);
    return status;
}
