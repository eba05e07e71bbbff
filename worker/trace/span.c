#include "worker/trace/span.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* opentelemetry.proto.trace.v1: Span.SpanKind, Status.StatusCode. */
enum { KIND_INTERNAL = 1, KIND_CONSUMER = 5, STATUS_ERROR = 2 };

static bool is_hex(const char *s, size_t len)
{
    bool any = false;

    for (size_t i = 0; i < len; i++) {
        if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
            return false;
        any = any || s[i] != '0';
    }
    return any;
}

/* Version 00; a later one begins in the same way. */
static bool take_traceparent(const char *s, struct span_context *ret)
{
    enum {
        TRACE_AT = 3,
        PARENT_AT = TRACE_AT + SPAN_TRACE_HEX + 1,
        FLAGS_AT = PARENT_AT + SPAN_ID_HEX + 1,
        WHOLE = FLAGS_AT + 2
    };

    if (strlen(s) < WHOLE || s[TRACE_AT - 1] != '-' || s[PARENT_AT - 1] != '-' ||
        s[FLAGS_AT - 1] != '-' || !is_hex(s + TRACE_AT, SPAN_TRACE_HEX) ||
        !is_hex(s + PARENT_AT, SPAN_ID_HEX))
        return false;
    memcpy(ret->trace, s + TRACE_AT, SPAN_TRACE_HEX);
    memcpy(ret->parent, s + PARENT_AT, SPAN_ID_HEX);
    ret->sampled = strchr("13579bdf", s[FLAGS_AT + 1]) != NULL;
    return true;
}

void span_context_of(const struct job *j, struct span_context *ret)
{
    size_t used = 0;

    *ret = (struct span_context){.sampled = true};
    if (j->traceparent && take_traceparent(j->traceparent, ret))
        return;
    for (const char *c = j->id.uuid.text; *c && used < SPAN_TRACE_HEX; c++)
        if (*c != '-')
            ret->trace[used++] = *c;
}

void span_format_traceparent(const struct span_context *c, const char *id,
                             char ret[static SPAN_TRACEPARENT_SIZE])
{
    (void)snprintf(ret, SPAN_TRACEPARENT_SIZE, "00-%s-%s-0%d", c->trace, id,
                   c->sampled); /* fits */
}

void span_format_id(const uint8_t bytes[static 8], char ret[static SPAN_ID_HEX + 1])
{
    uint64_t n = 0;

    for (size_t i = 0; i < 8; i++)
        n = n << 8 | bytes[i];
    (void)snprintf(ret, SPAN_ID_HEX + 1, "%016" PRIx64, n ? n : 1); /* fits */
}

/* --- OTLP --- */

static void add_text(struct buf *b, const char *key, const char *value)
{
    if (!value || !*value)
        return;
    BUF_PUTS(b, ",{\"key\":\"", key, "\",\"value\":{\"stringValue\":");
    buf_add_json(b, value, strlen(value));
    buf_puts(b, "}}");
}

static void add_number(struct buf *b, const char *key, int64_t n)
{
    buf_printf(b, ",{\"key\":\"%s\",\"value\":{\"intValue\":\"%" PRId64 "\"}}", key, n);
}

void span_begin_request(struct buf *b, const char *worker)
{
    buf_puts(b, "{\"resourceSpans\":[{\"resource\":{\"attributes\":["
                "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"hoist\"}}");
    add_text(b, "service.version", HOIST_VERSION);
    add_text(b, "service.instance.id", worker);
    buf_puts(b, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"hoist-worker\",\"version\":"
                "\"" HOIST_VERSION "\"},\"spans\":[");
}

void span_end_request(struct buf *b)
{
    buf_puts(b, "]}]}]}");
}

/* From the brace to the attribute that every span has. */
static void begin_span(struct buf *b, const struct span_attempt *a, const char *id,
                       const char *verb, int kind)
{
    BUF_PUTS(b, "{\"traceId\":\"", a->context.trace, "\",\"spanId\":\"", id, "\"");
    if (*a->context.parent)
        BUF_PUTS(b, ",\"parentSpanId\":\"", a->context.parent, "\"");
    buf_printf(b, ",\"name\":\"%s %s\",\"kind\":%d", verb, a->queue, kind);
}

/* Milliseconds as the protocol's nanoseconds. */
static void add_times(struct buf *b, int64_t start_ms, int64_t end_ms)
{
    if (end_ms < start_ms)
        end_ms = start_ms; /* the clock was set back */
    buf_printf(b,
               ",\"startTimeUnixNano\":\"%" PRId64
               "000000\",\"endTimeUnixNano\":\"%" PRId64
               "000000\",\"attributes\":[{\"key\":\"messaging.system\",\"value\":"
               "{\"stringValue\":\"hoist\"}}",
               start_ms, end_ms);
}

static void add_wait(struct buf *b, const struct span_attempt *a)
{
    begin_span(b, a, a->wait_id, "wait", KIND_INTERNAL);
    add_times(b, a->created_ms, a->start_ms);
    add_text(b, "messaging.destination.name", a->queue);
    add_text(b, "messaging.message.id", a->job);
    buf_puts(b, "]},");
}

void span_add(struct buf *b, const struct span_attempt *a, bool is_first)
{
    if (!is_first)
        buf_putc(b, ',');
    if (*a->wait_id)
        add_wait(b, a);
    begin_span(b, a, a->id, "process", KIND_CONSUMER);
    add_times(b, a->start_ms, a->end_ms);
    add_text(b, "messaging.operation.type", "process");
    add_text(b, "messaging.destination.name", a->queue);
    add_text(b, "messaging.message.id", a->job);
    add_text(b, "hoist.destination", a->destination);
    add_number(b, "hoist.attempt", a->attempt);
    add_number(b, "hoist.bytes_sent", a->bytes);
    add_text(b, "error.type", a->error_class);
    buf_puts(b, "]");
    if (a->error_class && *a->error_class) {
        buf_printf(b, ",\"status\":{\"code\":%d,\"message\":", STATUS_ERROR);
        buf_add_json(b, a->error ? a->error : "", a->error ? strlen(a->error) : 0);
        buf_putc(b, '}');
    }
    buf_putc(b, '}');
}
