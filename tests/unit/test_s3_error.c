/*
 * s3_error: the answers of S3 and its likes, and what else may come in their place.
 */
#include "worker/s3/s3_error.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(s3_error, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* Parse a copy that ends where the body ends, so that a read beyond it is caught. */
static bool parse(const char *body, size_t len, struct s3_error *ret)
{
    char *copy = malloc(len ? len : 1);

    cr_assert(copy != NULL);
    memcpy(copy, body, len);
    bool ok = s3_error_parse(copy, len, ret);
    free(copy);
    return ok;
}

static const struct {
    const char *body, *root, *code, *message;
    bool is_complete;
} good[] = {
    {"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchBucket</Code>"
     "<Message>The specified bucket does not exist</Message><BucketName>b</BucketName>"
     "<RequestId>4442587FB7D0A2F9</RequestId></Error>",
     "Error", "NoSuchBucket", "The specified bucket does not exist", true},
    {"<Error><Message>m</Message><Code>c</Code></Error>\r\n \t\n", "Error", "c", "m",
     true},
    {"\xef\xbb\xbf<?xml version='1.0'?><Error/>", "Error", "", "", true},
    {"<Error />", "Error", "", "", true},
    {"<Error></Error>", "Error", "", "", true},
    {"<Error><Code/><Message></Message></Error>", "Error", "", "", true},
    {" \r\n\r\n    <?xml version=\"1.0\"?>   <Error><Code>InternalError</Code></Error>",
     "Error", "InternalError", "", true},
    {"<Error xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\" a='>' b=\"/>\">"
     "<Code x=\"1\" >\n SlowDown\t</Code ></Error >",
     "Error", "SlowDown", "", true},
    {"<CompleteMultipartUploadResult "
     "xmlns=\"u\"><Location>l</Location><Bucket>b</Bucket>"
     "<Key>k</Key><ETag>&quot;e-1&quot;</ETag></CompleteMultipartUploadResult>",
     "CompleteMultipartUploadResult", "", "", true},
    {"<Error><Message>a &amp;&lt;&gt;&quot;&apos;&amp;lt; b</Message></Error>", "Error",
     "", "a &<>\"'&lt; b", true},
    {"<Error><Message>&#34;&#39;&#35;&#x41; &unknown; & &amp</Message></Error>",
     "Error", "", "\"'&#35;&#x41; &unknown; & &amp", true},
    {"<Error><Message>a\r\nb\tc\x1b[1m\x7f</Message></Error>", "Error", "",
     "a  b c [1m ", true},
    {"<Error><Code>first</Code><Code>second</Code></Error>", "Error", "first", "",
     true},
    {"<Error><Code></Code><Code>second</Code></Error>", "Error", "", "", true},
    {"<DeleteResult><Error><Code>inner</Code></Error></DeleteResult>", "DeleteResult",
     "", "", true},
    {"<Error><Code>a<b>x</b>c</Code></Error>", "Error", "a", "", true},
    {"<a><b><Code>too deep</Code></b><Code>right</Code></a>", "a", "right", "", true},
    {"<Code>not a child</Code>", "Code", "", "", true},
    {"<Error><Code>SlowDown</Code><Mess", "Error", "SlowDown", "", false},
    {"<Error><Code>SlowDown</Code><Message>Please redu", "Error", "SlowDown", "",
     false},
    {"<Error><Code>Slow", "Error", "", "", false},
    {"<Error><Code>Slow<", "Error", "Slow", "", false},
    {"<Error><Code>Slow</Co", "Error", "Slow", "", false},
    {"<Error>", "Error", "", "", false},
    {"<CompleteMultipartUploadResult><Location>", "CompleteMultipartUploadResult", "",
     "", false},
};

Test(s3_error, reads_root_code_and_message)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        struct s3_error got;
        cr_expect(parse(good[i].body, strlen(good[i].body), &got), "%s", good[i].body);
        cr_expect(eq(str, got.root, (char *)good[i].root));
        cr_expect(eq(str, got.code, (char *)good[i].code), "%s", good[i].body);
        cr_expect(eq(str, got.message, (char *)good[i].message), "%s", good[i].body);
        cr_expect(eq(int, got.is_complete, good[i].is_complete), "%s", good[i].body);
        cr_expect(eq(int, got.is_error, strcmp(good[i].root, "Error") == 0));
    }
}

static const char *const bad[] = {
    "",
    " \r\n",
    "<?xml version=\"1.0\"?>",
    "<?xml version=\"1.0\"",
    "<",
    "<Err",
    "<Error a=\"",
    "<Error a=\">",
    "< Error></Error>",
    "<></>",
    "<Err@r/>",
    "<Error<a/>",
    "</Error>",
    "Error",
    "{\"code\":\"SlowDown\"}",
    "junk<Error></Error>",
    "<Error></Error>junk",
    "<Error></Error><Error></Error>",
    "<Error></error>",
    "<Error></Erro>",
    "<Error></Errors>",
    "<Error><Code></Error></Code>",
    "<Error></Error x>",
    "<Error><?php ?></Error>",
    "<?php ?><Error></Error>",
    "<?xml?><?xml?><Error></Error>",
    "<!DOCTYPE html><html></html>",
    "<!DOCTYPE Error [<!ENTITY a \"aaaa\"><!ENTITY b "
    "\"&a;&a;\">]><Error><Code>&b;</Code></Error>",
    "<?xml version=\"1.0\"?><!DOCTYPE Error SYSTEM "
    "\"file:///etc/passwd\"><Error></Error>",
    "<Error><!DOCTYPE x></Error>",
    "<Error><!-- comment --><Code>x</Code></Error>",
    "<Error><Code><![CDATA[x]]></Code></Error>",
    "<html>\r\n<head><title>502 Bad "
    "Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad "
    "Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
    "\xff\xfe<\0E\0",
    "\x1f\x8b\x08",
};

static bool is_blank(const struct s3_error *got)
{
    return !got->root[0] && !got->code[0] && !got->message[0] && !got->is_error &&
           !got->is_complete;
}

Test(s3_error, refuses_what_s3_does_not_send_and_gives_nothing_of_it)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct s3_error got;
        memset(&got, 'x', sizeof got);
        cr_expect(not(parse(bad[i], strlen(bad[i]), &got)), "%s", bad[i]);
        cr_expect(is_blank(&got), "%s", bad[i]);
    }
}

Test(s3_error, a_nul_anywhere_is_refused)
{
    static const char body[] = "<Error><Code>SlowDown</Code></Error>";

    for (size_t at = 0; at < sizeof body; at++) {
        char copy[sizeof body + 1];
        struct s3_error got;
        memcpy(copy, body, at);
        copy[at] = '\0';
        memcpy(copy + at + 1, body + at, sizeof body - 1 - at);
        cr_expect(not(parse(copy, sizeof body, &got)), "NUL at %zu", at);
        cr_expect(is_blank(&got));
    }
    struct s3_error got;
    cr_expect(not(s3_error_parse(NULL, 0, &got)));
}

Test(s3_error, a_body_cut_anywhere_tells_no_more_than_the_whole)
{
    static const char body[] = "\n<?xml version=\"1.0\"?><Error "
                               "a=\"b\"><Code>SlowDown</Code><Message>Reduce &amp; "
                               "wait</Message><Details><HostId/></Details></Error>";
    struct s3_error whole;

    cr_assert(parse(body, sizeof body - 1, &whole));
    cr_assert(whole.is_complete);
    for (size_t len = 0; len < sizeof body - 1; len++) {
        struct s3_error got;
        bool ok = parse(body, len, &got);
        cr_expect(not(got.is_complete), "cut at %zu", len);
        cr_expect(got.code[0] == '\0' || strcmp(got.code, whole.code) == 0,
                  "cut at %zu", len);
        cr_expect(got.message[0] == '\0' || strcmp(got.message, whole.message) == 0,
                  "cut at %zu", len);
        cr_expect(eq(int, ok, got.root[0] != '\0'));
    }
}

/* levels of <a> inside each other, closed again. */
static bool parse_nested(size_t levels, struct s3_error *ret)
{
    char *body = malloc(7 * levels + 1);
    size_t len = 0;

    cr_assert(body != NULL);
    for (size_t i = 0; i < levels; i++, len += 3)
        memcpy(body + len, "<a>", 3);
    for (size_t i = 0; i < levels; i++, len += 4)
        memcpy(body + len, "</a>", 4);
    bool ok = parse(body, len, ret);
    free(body);
    return ok;
}

Test(s3_error, depth_is_bounded)
{
    struct s3_error got;

    cr_expect(parse_nested(S3_ERROR_DEPTH_MAX, &got));
    cr_expect(got.is_complete);
    cr_expect(not(parse_nested(S3_ERROR_DEPTH_MAX + 1, &got)));
    cr_expect(is_blank(&got));
    cr_expect(not(parse_nested(9000, &got)));
}

/* "<Error><Message>" + text repeated + "</Message></Error>" */
static char *message_body(const char *text, size_t times, size_t *ret_len)
{
    static const char head[] = "<Error><Message>", tail[] = "</Message></Error>";
    size_t each = strlen(text), len = sizeof head - 1;
    char *body = malloc(sizeof head + sizeof tail + each * times);

    cr_assert(body != NULL);
    memcpy(body, head, len);
    for (size_t i = 0; i < times; i++, len += each)
        memcpy(body + len, text, each);
    memcpy(body + len, tail, sizeof tail);
    *ret_len = len + sizeof tail - 1;
    return body;
}

Test(s3_error, a_long_message_is_cut_between_characters)
{
    static const struct {
        const char *text;
        size_t want;
    } rows[] = {
        {"x", 199},
        {"&amp;", 199},
        {"\xc3\xa4", 198},
        {"\xe2\x82\xac", 198},
        {"\xf0\x9f\x98\x80", 196},
        {"\x80", 199},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct s3_error got;
        size_t len;
        char *body = message_body(rows[i].text, 500, &len);
        cr_expect(parse(body, len, &got));
        cr_expect(eq(sz, strlen(got.message), rows[i].want), "row %zu", i);
        free(body);
    }
    struct s3_error got;
    size_t len;
    char *body = message_body("x", 199, &len);
    cr_expect(parse(body, len, &got));
    cr_expect(eq(sz, strlen(got.message), 199));
    free(body);
}

Test(s3_error, only_the_first_64_kib_are_looked_at)
{
    struct s3_error got;
    size_t len;
    char *body = message_body("x", S3_ERROR_BODY_MAX, &len);

    cr_expect(parse(body, len, &got));
    cr_expect(got.is_error && !got.is_complete && !got.message[0]);
    free(body);
    body = message_body("x", S3_ERROR_BODY_MAX - 34, &len);
    cr_assert(eq(sz, len, S3_ERROR_BODY_MAX));
    cr_expect(parse(body, len, &got));
    cr_expect(got.is_complete);
    free(body);
    body = message_body("x", S3_ERROR_BODY_MAX - 33, &len);
    cr_expect(parse(body, len, &got));
    cr_expect(not(got.is_complete));
    free(body);
}

Test(s3_error, a_long_name_or_code_is_cut_and_is_no_error)
{
    char body[600];
    struct s3_error got;
    size_t len = 0;

    body[len++] = '<';
    memcpy(body + len, "Error", 5);
    len += 5;
    memset(body + len, 'r', 200);
    len += 200;
    memcpy(body + len, "/>", 2);
    len += 2;
    cr_expect(parse(body, len, &got));
    cr_expect(eq(sz, strlen(got.root), S3_ERROR_CODE_SIZE - 1));
    cr_expect(not(got.is_error));
}

Test(s3_error, any_bytes_are_survived)
{
    static const char alphabet[] = "<<>>/!?&;=\"' ErroCde\n\xc3\xa4x";
    uint32_t x = 1;

    for (int round = 0; round < 20000; round++) {
        char body[64];
        struct s3_error got;
        size_t len = 0;
        for (; len < sizeof body; len++) {
            x = x * 1664525u + 1013904223u;
            if (x >> 26 == 0)
                break;
            body[len] = alphabet[(x >> 16) % (sizeof alphabet - 1)];
        }
        bool ok = parse(body, len, &got);
        cr_assert(memchr(got.message, '\0', sizeof got.message) != NULL);
        cr_assert(ok ? got.root[0] != '\0' : is_blank(&got));
    }
}
