/*
 * cgi_carry: the environment of a CGI program becomes the head of a FastCGI request, settings left out.
 */
#include "fcgi-app/fastcgi/cgi_carry.h"

#include "fcgi-app/fastcgi/fastcgi_stream.h"
#include "shared/cleanup.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(cgi_carry, .timeout = 60);

static enum err_code read_env(struct cgi_request *r, const char *a, const char *b)
{
    struct err e = ERR_INIT;
    char *env[] = {strdup(a), b ? strdup(b) : NULL, NULL};
    enum err_code code = cgi_request_read(r, env, &e);

    free(env[0]);
    free(env[1]);
    return code;
}

static enum fastcgi_event look(const struct cgi_request *r)
{
    static struct fastcgi_stream s;

    fastcgi_stream_init(&s, 1);
    fastcgi_stream_feed(&s, r->head.data, r->head.len);
    return fastcgi_stream_next(&s);
}

static bool holds(const struct cgi_request *r, const char *bytes, size_t len)
{
    return memmem(r->head.data, r->head.len, bytes, len) != NULL;
}

Test(cgi_carry, the_head_is_one_that_the_gate_takes)
{
    CLEANUP(cgi_request_release) struct cgi_request r = CGI_REQUEST_INIT;

    cr_assert(eq(int, read_env(&r, "REQUEST_METHOD=GET", "QUERY_STRING="), ERR_OK));
    cr_expect(eq(int, look(&r), FASTCGI_HEAD));
    cr_expect(holds(&r, "\16\3REQUEST_METHODGET", 19));
    cr_expect(holds(&r, "\14\0QUERY_STRING", 14), "an empty value");
    cr_expect(eq(i64, r.body_bytes, 0));
    cr_expect(not(r.is_endless));
}

Test(cgi_carry, settings_and_what_is_no_variable_are_left_out)
{
    CLEANUP(cgi_request_release) struct cgi_request r = CGI_REQUEST_INIT;

    cr_assert(eq(int, read_env(&r, "HOIST_REDIS_PASSWORD=secret", "=x"), ERR_OK));
    cr_expect(eq(int, look(&r), FASTCGI_HEAD));
    cr_expect(not(holds(&r, "secret", 6)));
    cr_assert(eq(int, read_env(&r, "nothing", "HTTP_HOIST_X=kept"), ERR_OK));
    cr_expect(eq(int, look(&r), FASTCGI_HEAD));
    cr_expect(holds(&r, "HTTP_HOIST_Xkept", 16), "a header of the client's");
    cr_expect(not(holds(&r, "nothing", 7)));
}

Test(cgi_carry, long_values_take_long_lengths_and_several_records)
{
    static char value[CGI_HEAD_MAX];
    CLEANUP(cgi_request_release) struct cgi_request r = CGI_REQUEST_INIT;

    memset(value, 'v', 200);
    memcpy(value, "A=", 2);
    cr_assert(eq(int, read_env(&r, value, NULL), ERR_OK));
    cr_expect(eq(int, look(&r), FASTCGI_HEAD));
    cr_expect(holds(&r, "\1\200\0\0\306Av", 7));
    memset(value + 2, 'v', 66000);
    cr_assert(eq(int, read_env(&r, value, NULL), ERR_OK));
    cr_expect(eq(int, look(&r), FASTCGI_REFUSED), "the gate answers 431");
    memset(value + 2, 'v', sizeof value - 3);
    cr_expect(eq(int, read_env(&r, value, "B=1"), ERR_REJECT));
}

static const struct {
    const char *length, *coding;
    int64_t want;
    bool endless;
} lengths[] = {
    {"CONTENT_LENGTH=0", NULL, 0, false},
    {"CONTENT_LENGTH=12345678901", NULL, 12345678901, false},
    {"CONTENT_LENGTH=", NULL, 0, false},
    {"CONTENT_LENGTH=", "HTTP_TRANSFER_ENCODING=chunked", 0, true},
    {"X=", "HTTP_TRANSFER_ENCODING=chunked", 0, true},
    {"CONTENT_LENGTH=5", "HTTP_TRANSFER_ENCODING=chunked", 5, false},
    {"CONTENT_LENGTH=-1", "HTTP_TRANSFER_ENCODING=chunked", 0, true},
    {"CONTENT_LENGTH=-5", NULL, 0, false},
    {"CONTENT_LENGTH=5x", NULL, 0, false},
    {"CONTENT_LENGTH=99999999999999999999999", NULL, 0, false},
};

Test(cgi_carry, the_length_is_that_of_the_web_server_or_none)
{
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        CLEANUP(cgi_request_release) struct cgi_request r = CGI_REQUEST_INIT;
        cr_assert(eq(int, read_env(&r, lengths[i].length, lengths[i].coding), ERR_OK));
        cr_expect(eq(i64, r.body_bytes, lengths[i].want), "row %zu", i);
        cr_expect(eq(int, r.is_endless, lengths[i].endless), "row %zu", i);
    }
}
