/*
 * Idempotency-Key: what one client has sent is nothing to another.
 */
#include "tests/integration/access_rig.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(responder_owners, .fini = responder_down, .timeout = 120);

/* With the Idempotency-Key "k"; the caller releases. */
static struct fcgi_response ask_with_key(const char *name, struct fcgi_request r)
{
    char authorization[100];
    (void)snprintf(authorization, sizeof authorization, "Bearer %s",
                   access_token(name));
    r.authorization = authorization;
    r.param = "HTTP_IDEMPOTENCY_KEY=k";
    return responder_ask(&r);
}

Test(responder_owners, the_same_key_of_two_clients_is_two_keys)
{
    access_up();
    struct fcgi_request put = PUT("/v1/uploads/a?queue=media", "x");
    struct fcgi_response hers = ask_with_key("alice", put);
    struct fcgi_response his = ask_with_key("bob", put);
    cr_assert(hers.status == 202 && his.status == 202, "%s", his.text);
    cr_expect(strstr(his.text, "Idempotent-Replayed") == NULL);
    cr_expect(ne(str, (char *)hers.body, (char *)his.body));
    fcgi_response_release(&hers);
    fcgi_response_release(&his);

    const char *id;
    char uri[200];
    cr_assert(eq(int, access_put("alice", "/v1/uploads/b?delay=3600", "x", &id), 202));
    (void)snprintf(uri, sizeof uri, "/v1/jobs/%s/move", id);
    struct fcgi_request move = {.method = "POST",
                                .uri = uri,
                                .type = "application/json",
                                .body = "{\"queue\":\"media\"}",
                                .body_len = strlen("{\"queue\":\"media\"}")};
    hers = ask_with_key("alice", move); /* "k" is that of her upload */
    cr_expect(eq(int, hers.status, 422), "%s", hers.text);
    his = ask_with_key("bob", move);
    cr_expect(eq(int, his.status, 422), "%s", his.text);
    cr_expect(eq(int, access_status("bob", "GET", responder_job_uri(id, "")), 404));
    fcgi_response_release(&hers);
    fcgi_response_release(&his);
}
