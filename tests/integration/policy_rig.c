#include "tests/integration/policy_rig.h"

#include "fcgi-app/auth/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <criterion/criterion.h>

void policy_up(void)
{
    responder_up_with(
        "[http]\ncors_origins = https://app.example, https://*.b.example\n"
        "[auth shop]\n"
        "token = sha256:"
        "918de22505275690d8b16298a13ae16befc74ea89572db76aa120de9a5134124\n"
        "queues = media, default\ndestinations = default\n"
        "policy_key = " POLICY_KEY "\nsecond_policy_key = " POLICY_OLD_KEY "\n"
        "[auth boss]\n"
        "token = sha256:"
        "771a1743eb392e5d0833338d3989eb12f0891aee85d1f3219253ddd712b0f804\n"
        "scopes = admin\n"
        "[auth reader]\ntoken = sha256:"
        "1111111111111111111111111111111111111111111111111111111111111111\n"
        "scopes = read\npolicy_key = " POLICY_KEY "\n"
        "[auth slow]\ntoken = sha256:"
        "2222222222222222222222222222222222222222222222222222222222222222\n"
        "requests_per_second = 1\nrequests_burst = 2\npolicy_key = " POLICY_KEY "\n"
        "[auth small]\ntoken = sha256:"
        "3333333333333333333333333333333333333333333333333333333333333333\n"
        "jobs_in_flight = 1\npolicy_key = " POLICY_KEY "\n"
        "[queue secret]\n[destination other]\nurl = file:///nowhere\n");
}

const char *policy_signed(const char *name, const char *key, const char *members)
{
    static char text[1024];
    char json[512];
    struct buf b = BUF_INIT(POLICY_TEXT_MAX);

    snprintf(json, sizeof json, "{\"expires\":%lld%s}", (long long)time(NULL) + 600,
             members);
    cr_assert(policy_sign(name, json, (struct digest_span){key, strlen(key)}, &b));
    snprintf(text, sizeof text, "%s", b.data);
    buf_release(&b);
    return text;
}

const char *policy_sign_with(const char *key, const char *members)
{
    return policy_signed("shop", key, members);
}

const char *policy_of(const char *members)
{
    return policy_sign_with(POLICY_KEY, members);
}

const char *policy_in(const char *uri, const char *policy)
{
    static char text[2048];

    snprintf(text, sizeof text, "%s%cpolicy=%s", uri, strchr(uri, '?') ? '&' : '?',
             policy);
    return text;
}

/* PUT "hello" there; *ret_id (NULL: not asked for) of the caller's to free. */
bool policy_put_says(const char *uri, const char *type, int status, const char *part,
                     char **ret_id)
{
    static const char png[] =
        "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\b\2\0\0\0";
    bool is_png = type && strcmp(type, "image/png") == 0;
    const struct fcgi_request put = {.method = "PUT",
                                     .uri = uri,
                                     .type = type,
                                     .body = is_png ? png : "hello",
                                     .body_len = is_png ? sizeof png - 1 : 5};
    struct fcgi_response r = responder_ask(&put);
    bool yes = r.status == status && strstr(r.text, part);

    if (!yes)
        fprintf(stderr, "%s: wanted %d and %s, got\n%s\n", uri, status, part, r.text);
    if (ret_id)
        *ret_id = strdup(r.status == 202 ? responder_id(&r) : "");
    fcgi_response_release(&r);
    return yes;
}

char *policy_manifest(const char *id)
{
    const char *path = responder_job_file(id, ".json");
    char *text = calloc(1, 8192);
    FILE *f = fopen(path, "re");
    cr_assert(f && text, "%s", path);
    cr_assert(fread(text, 1, 8191, f) > 0);
    (void)fclose(f);
    return text;
}
