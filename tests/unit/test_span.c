/* What tracing systems are told, and where a job's spans belong. */
#include "worker/trace/span.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(span, .timeout = 60);

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"
#define UUID "01901b2c-3d4e-7f00-8a1b-2c3d4e5f6a7b"
#define OF_UUID "01901b2c3d4e7f008a1b2c3d4e5f6a7b"

static struct span_context context_of(const char *traceparent)
{
    struct job j = JOB_INIT;
    struct span_context c;

    cr_assert(id_parse_job("media." UUID, strlen("media." UUID), &j.id));
    j.traceparent = (char *)traceparent;
    span_context_of(&j, &c);
    return c;
}

Test(span, a_job_belongs_to_the_trace_of_its_upload)
{
    struct span_context c = context_of("00-" TRACE "-" PARENT "-01");
    cr_expect(eq(str, c.trace, TRACE));
    cr_expect(eq(str, c.parent, PARENT));
    cr_expect(c.sampled);
    cr_expect(not(context_of("00-" TRACE "-" PARENT "-00").sampled));
    cr_expect(not(context_of("00-" TRACE "-" PARENT "-fe").sampled));
    cr_expect(context_of("00-" TRACE "-" PARENT "-03").sampled);
    c = context_of("cc-" TRACE "-" PARENT "-01-what-comes-in-later-versions");
    cr_expect(eq(str, c.trace, TRACE));
}

Test(span, without_one_or_with_another_form_it_is_a_trace_of_its_own)
{
    static const char *const rows[] = {
        NULL,
        "",
        "00-" TRACE "-" PARENT,
        "00-" TRACE "-" PARENT "_01",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01",
        "00-" TRACE "x" PARENT "-01",
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct span_context c = context_of(rows[i]);
        cr_expect(eq(str, c.trace, OF_UUID), "%s", rows[i]);
        cr_expect(eq(str, c.parent, ""));
        cr_expect(c.sampled);
    }
}

Test(span, the_attempt_is_the_parent_of_what_the_destination_does)
{
    struct span_context c = context_of("00-" TRACE "-" PARENT "-01");
    char id[SPAN_ID_HEX + 1], text[SPAN_TRACEPARENT_SIZE];

    span_format_id((const uint8_t[]){0, 1, 2, 0xab, 0xff, 0, 0, 9}, id);
    cr_expect(eq(str, id, "000102abff000009"));
    span_format_traceparent(&c, id, text);
    cr_expect(eq(str, text, "00-" TRACE "-000102abff000009-01"));
    c.sampled = false;
    span_format_traceparent(&c, id, text);
    cr_expect(eq(str, text, "00-" TRACE "-000102abff000009-00"));
    span_format_id((const uint8_t[8]){0}, id);
    cr_expect(eq(str, id, "0000000000000001"), "an id of zeroes is none");
}

/* What an attempt is told as, within the quotes of C. */
#define TEXT(key, value)                                                               \
    "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define NUMBER(key, value)                                                             \
    "{\"key\":\"" key "\",\"value\":{\"intValue\":\"" value "\"}}"
#define HEAD(id) "{\"traceId\":\"" TRACE "\",\"spanId\":\"" id "\""
#define BELOW ",\"parentSpanId\":\"" PARENT "\""
#define TIMES(begin, end)                                                              \
    ",\"startTimeUnixNano\":\"" begin "000000\",\"endTimeUnixNano\":\"" end            \
    "000000\",\"attributes\":[" TEXT("messaging.system", "hoist") ","
#define OF_JOB                                                                         \
    TEXT("messaging.destination.name", "media")                                        \
    "," TEXT("messaging.message.id", "media." UUID)
#define ATTEMPT(n)                                                                     \
    TEXT("messaging.operation.type", "process")                                        \
    "," OF_JOB "," TEXT("hoist.destination", "s3") "," NUMBER(                         \
        "hoist.attempt", n) "," NUMBER("hoist.bytes_sent", "7")

static struct span_attempt an_attempt(void)
{
    return (struct span_attempt){.context = context_of("00-" TRACE "-" PARENT "-01"),
                                 .id = "0102030405060708",
                                 .wait_id = "0807060504030201",
                                 .job = "media." UUID,
                                 .queue = "media",
                                 .destination = "s3",
                                 .attempt = 1,
                                 .created_ms = 1000,
                                 .start_ms = 1500,
                                 .end_ms = 1400,
                                 .bytes = 7};
}

Test(span, a_request_is_otlp_in_json)
{
    struct buf b = BUF_INIT(64 * 1024);

    span_begin_request(&b, "w-1");
    span_end_request(&b);
    cr_expect(eq(
        str, b.data,
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[" TEXT(
            "service.name",
            "hoist") "," TEXT("service.version",
                              HOIST_VERSION) "," TEXT("service.instance.id",
                                                      "w-1") "]},"
                                                             "\"scopeSpans\":[{"
                                                             "\"scope\":{\"name\":"
                                                             "\"hoist-worker\","
                                                             "\"version\":"
                                                             "\"" HOIST_VERSION
                                                             "\"},\"spans\":[]}]}]}"));
    buf_release(&b);
}

Test(span, a_first_attempt_is_told_with_how_long_it_waited)
{
    struct buf b = BUF_INIT(64 * 1024);
    struct span_attempt a = an_attempt();

    span_add(&b, &a, true);
    cr_expect(eq(str, b.data,
                 HEAD("0807060504030201") BELOW
                 ",\"name\":\"wait media\",\"kind\":1" TIMES("1000", "1500") OF_JOB
                 "]}," HEAD("0102030405060708") BELOW
                 ",\"name\":\"process media\",\"kind\":5" TIMES("1500", "1500")
                     ATTEMPT("1") "]}"));
    buf_release(&b);
}

Test(span, one_that_failed_is_told_with_its_error)
{
    struct buf b = BUF_INIT(64 * 1024);
    struct span_attempt a = an_attempt();

    a.wait_id[0] = '\0';
    a.context.parent[0] = '\0';
    a.attempt = 2;
    a.end_ms = 1700;
    a.error_class = "transient";
    a.error = "status 500: \"oh\"\n";
    span_add(&b, &a, false);
    cr_expect(
        eq(str, b.data,
           "," HEAD("0102030405060708") ",\"name\":\"process media\",\"kind\":5" TIMES(
               "1500", "1700")
               ATTEMPT("2") "," TEXT(
                   "error.type", "transient") "],\"status\":{\"code\":2,\"message\":"
                                              "\"status 500: \\\"oh\\\"\\u000a\"}}"));
    buf_release(&b);
}
