/*
 * keys: what services and files say becomes keys, or is refused without a word of what is secret.
 */
#include "worker/keys/keys.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(keys, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void expect(const struct keys *k, const char *id, const char *secret,
                   const char *token)
{
    cr_expect(eq(str, (char *)k->access_key, (char *)id));
    cr_expect(eq(str, (char *)k->secret_key, (char *)secret));
    cr_expect(eq(str, (char *)k->session_token, (char *)token));
}

/* Refused: nothing is left, and nothing was told. */
static void expect_none(const struct keys *k, const struct err *e, const char *label)
{
    static const struct keys none;

    cr_expect(memcmp(k, &none, sizeof none) == 0, "%s", label);
    cr_expect(eq(int, e->code, ERR_REJECT), "%s", label);
    cr_expect(eq(ptr, strstr(e->text, "hush"), NULL), "%s: %s", label, e->text);
}

Test(keys, an_answer_of_a_metadata_service_is_read)
{
    static const char text[] =
        "{\n  \"Code\" : \"Success\",\n  \"LastUpdated\" : \"2026-11-29T14:00:00Z\",\n"
        "  \"Type\" : \"AWS-HMAC\",\n  \"AccessKeyId\" : \"ASIA1\",\n"
        "  \"SecretAccessKey\" : \"a/b+c=\",\n  \"Token\" : \"IQo//==\",\n"
        "  \"Expiration\" : \"2026-11-29T20:00:00Z\"\n}";
    struct keys k;
    struct err e = ERR_INIT;

    cr_assert(eq(int, keys_from_json(text, strlen(text), &k, &e), ERR_OK), "%s",
              e.text);
    expect(&k, "ASIA1", "a/b+c=", "IQo//==");
    cr_expect(eq(i64, k.expires_ms, INT64_C(1795982400000)));
}

Test(keys, an_answer_of_a_container_needs_no_code_and_may_never_expire)
{
    static const char text[] =
        "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"RoleArn\":null}";
    struct keys k;
    struct err e = ERR_INIT;

    cr_assert(eq(int, keys_from_json(text, strlen(text), &k, &e), ERR_OK), "%s",
              e.text);
    expect(&k, "A", "s", "");
    cr_expect(eq(i64, k.expires_ms, KEYS_FOREVER));
}

#define KEYS "\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hush\",\"Token\":\"hush\""

Test(keys, an_answer_without_keys_is_refused)
{
    static const struct {
        const char *text, *said;
    } rows[] = {
        {"", "JSON"},
        {"<html>hush</html>", "JSON"},
        {"{" KEYS ",\"x\":{\"hush\":1}}", "JSON"},
        {"{" KEYS, "JSON"},
        {"{\"Code\":\"Failed\",\"Message\":\"role unknown\"}",
         "no keys: Failed: role unknown"},
        {"{\"Code\":\"AssumeRoleUnauthorizedAccess\"," KEYS "}", "no keys: Assume"},
        {"{\"AccessKeyId\":\"A\"}", "no secret key"},
        {"{\"SecretAccessKey\":\"hush\"}", "no access key"},
        {"{\"AccessKeyId\":\"\",\"SecretAccessKey\":\"hush\"}", "no access key"},
        {"{\"AccessKeyId\":\"A,B\",\"SecretAccessKey\":\"hush\"}", "no access key"},
        {"{\"AccessKeyId\":\"A B\",\"SecretAccessKey\":\"hush\"}", "visible ASCII"},
        {"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hush\\n\"}", "visible ASCII"},
        {"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hush\",\"Token\":\"a\\r\\nb\"}",
         "visible ASCII"},
        {"{\"AccessKeyId\":17,\"SecretAccessKey\":\"hush\"}", "JSON"},
        {"{" KEYS ",\"Expiration\":\"tomorrow\"}", "Expiration"},
        {"{" KEYS ",\"Expiration\":\"2026-13-29T20:00:00Z\"}", "Expiration"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct keys k = {.access_key = "before"};
        struct err e = ERR_INIT;
        (void)!keys_from_json(rows[i].text, strlen(rows[i].text), &k, &e);
        if (e.code == ERR_OK || !strstr(e.text, rows[i].said))
            cr_fail("%s: %s", rows[i].text, e.text);
        expect_none(&k, &e, rows[i].text);
    }
}

Test(keys, what_is_longer_than_a_signer_takes_is_refused)
{
    char id[SIGV4_NAME_MAX + 2], token[SIGV4_TOKEN_MAX + 2];
    struct keys k;
    struct err e = ERR_INIT;

    memset(id, 'A', sizeof id);
    memset(token, 'T', sizeof token);
    id[SIGV4_NAME_MAX] = token[SIGV4_TOKEN_MAX] = '\0';
    cr_assert(eq(int, keys_set(&k, id, id, token, &e), ERR_OK), "%s", e.text);
    expect(&k, id, id, token);
    token[SIGV4_TOKEN_MAX] = 'T';
    token[SIGV4_TOKEN_MAX + 1] = '\0';
    cr_expect(eq(int, keys_set(&k, id, id, token, &e), ERR_REJECT));
    expect_none(&k, &e, "token");
    id[SIGV4_NAME_MAX] = 'A';
    id[SIGV4_NAME_MAX + 1] = '\0';
    cr_expect(eq(int, keys_set(&k, id, "s", NULL, &e), ERR_REJECT));
    expect_none(&k, &e, "id");
    cr_expect(eq(int, keys_set(&k, "A", id, NULL, &e), ERR_REJECT));
    expect_none(&k, &e, "secret");
}

static const struct {
    const char *label, *profile, *text;
    const char *id, *secret, *token; /* NULL: refused */
} profiles[] = {
    {"as the tools write it", "default",
     "[default]\naws_access_key_id = A\naws_secret_access_key = s/+=\n", "A",
     "s/+=", ""},
    {"another one", "b",
     "[a]\naws_access_key_id=X\naws_secret_access_key=x\n\n[b]\n"
     "aws_access_key_id=B\naws_secret_access_key=s\naws_session_token=t==\n[c]\n"
     "aws_access_key_id=Y\n",
     "B", "s", "t=="},
    {"comments, CR LF, blanks, upper case, no line end", "default",
     "# one\r\n; two\r\n[ default ]  # three\r\nAWS_Access_Key_Id\t=\tA # four\r\n"
     "region = eu\r\naws_secret_access_key=s ; five",
     "A", "s", ""},
    {"what is indented belongs to another setting", "default",
     "[default]\naws_access_key_id=A\naws_secret_access_key=s\ns3 =\n"
     "  aws_access_key_id=X\n",
     "A", "s", ""},
    {"a section in two pieces, the last setting counts", "default",
     "[default]\naws_access_key_id=X\n[o]\n[default]\naws_access_key_id=A\n"
     "aws_secret_access_key=s\n",
     "A", "s", ""},
    {"no file", "default", "", NULL, NULL, NULL},
    {"no section", "b", "[a]\naws_access_key_id=A\naws_secret_access_key=hush\n", NULL,
     NULL, NULL},
    {"before any section", "default",
     "aws_access_key_id=A\naws_secret_access_key=hush\n", NULL, NULL, NULL},
    {"a part of the name", "b", "[bb]\naws_access_key_id=A\naws_secret_access_key=hush",
     NULL, NULL, NULL},
    {"no secret", "default", "[default]\naws_access_key_id=A\n", NULL, NULL, NULL},
    {"no id", "default", "[default]\naws_secret_access_key=hush\n", NULL, NULL, NULL},
    {"empty", "default", "[default]\naws_access_key_id=A\naws_secret_access_key=\n",
     NULL, NULL, NULL},
    {"a broken section", "default",
     "[default\naws_access_key_id=A\naws_secret_access_key=hush\n", NULL, NULL, NULL},
    {"bytes that are no key", "default",
     "[default]\naws_access_key_id=A\naws_secret_access_key=hush\xff\n", NULL, NULL,
     NULL},
};

Test(keys, a_section_of_a_credentials_file_is_read)
{
    for (size_t i = 0; i < COUNT(profiles); i++) {
        struct keys k = {.access_key = "before"};
        struct err e = ERR_INIT;
        enum err_code code = keys_from_profile(
            profiles[i].text, strlen(profiles[i].text), profiles[i].profile, &k, &e);
        if (!profiles[i].id) {
            expect_none(&k, &e, profiles[i].label);
            continue;
        }
        cr_assert(eq(int, code, ERR_OK), "%s: %s", profiles[i].label, e.text);
        expect(&k, profiles[i].id, profiles[i].secret, profiles[i].token);
    }
}

Test(keys, a_value_with_a_nul_or_without_end_is_refused)
{
    static char text[2 * SIGV4_TOKEN_MAX];
    static const char begin[] =
        "[default]\naws_access_key_id=A\naws_secret_access_key=";
    struct keys k;
    struct err e = ERR_INIT;

    memset(text, 's', sizeof text);
    memcpy(text, begin, sizeof begin - 1);
    cr_expect(
        eq(int, keys_from_profile(text, sizeof text, "default", &k, &e), ERR_REJECT));
    expect_none(&k, &e, "long");
    text[sizeof begin] = '\0';
    cr_expect(eq(int, keys_from_profile(text, sizeof begin + 4, "default", &k, &e),
                 ERR_REJECT));
    expect_none(&k, &e, "NUL");
}

#define STS(keys)                                                                      \
    "<AssumeRoleWithWebIdentityResponse "                                              \
    "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n"                           \
    "<AssumeRoleWithWebIdentityResult><Audience>a</Audience><AssumedRoleUser>"         \
    "<Arn>arn</Arn><AccessKeyId>not this</AccessKeyId></AssumedRoleUser>"              \
    "<Credentials>" keys "</Credentials><Provider>p</Provider>"                        \
    "</AssumeRoleWithWebIdentityResult><ResponseMetadata><RequestId>1</RequestId>"     \
    "</ResponseMetadata></AssumeRoleWithWebIdentityResponse>\n"
#define STS_KEYS                                                                       \
    "<SessionToken>hush//==</SessionToken><SecretAccessKey>hush/+</SecretAccessKey>"   \
    "<AccessKeyId>ASIA1</AccessKeyId>"
#define STS_ENDS "<Expiration>2026-11-29T20:00:00Z</Expiration>"

Test(keys, an_answer_of_sts_is_read)
{
    static const char text[] = STS(STS_KEYS STS_ENDS);
    struct keys k;
    struct err e = ERR_INIT;

    cr_assert(eq(int, keys_from_sts(text, strlen(text), &k, &e), ERR_OK), "%s", e.text);
    expect(&k, "ASIA1", "hush/+", "hush//==");
    cr_expect(eq(i64, k.expires_ms, INT64_C(1795982400000)));
}

Test(keys, an_answer_of_sts_that_is_cut_off_anywhere_is_refused)
{
    static const char text[] = STS(STS_KEYS STS_ENDS);
    size_t whole = strlen(text) - 1; /* the line end does not count */

    for (size_t len = 0; len < whole; len++) {
        struct keys k;
        struct err e = ERR_INIT;
        cr_assert(eq(int, keys_from_sts(text, len, &k, &e), ERR_REJECT), "%zu", len);
        expect_none(&k, &e, "cut");
    }
}

Test(keys, what_sts_says_besides_is_refused)
{
    static const struct {
        const char *text, *said;
    } rows[] = {
        {"<html>hush</html>", "no answer"},
        {"{\"a\":\"hush\"}", "no answer"},
        {STS(STS_KEYS), "Expiration"},
        {STS(STS_ENDS), "no access key"},
        {STS(STS_KEYS "<Expiration>soon</Expiration>"), "Expiration"},
        {STS("<SecretAccessKey>a "
             "b</SecretAccessKey><AccessKeyId>A</AccessKeyId>" STS_ENDS),
         "visible"},
        {"<!DOCTYPE x [<!ENTITY a \"hush\">]>" STS(STS_KEYS STS_ENDS), "no answer"},
        {"<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredTokenException</Code>"
         "<Message>Token expired</Message></Error><RequestId>1</RequestId>"
         "</ErrorResponse>",
         "STS: ExpiredTokenException: Token expired"},
        {"<Credentials>" STS_KEYS STS_ENDS "</Credentials>", "no answer"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct keys k;
        struct err e = ERR_INIT;
        cr_expect(eq(int, keys_from_sts(rows[i].text, strlen(rows[i].text), &k, &e),
                     ERR_REJECT),
                  "%zu", i);
        cr_expect(ne(ptr, strstr(e.text, rows[i].said), NULL), "%zu: %s", i, e.text);
        expect_none(&k, &e, rows[i].said);
    }
}
