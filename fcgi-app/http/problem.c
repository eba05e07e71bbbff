#include "fcgi-app/http/problem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static const struct problem_row rows[] = {
    [PROBLEM_BAD_REQUEST] = {400, "bad-request", "The request cannot be understood", 0},
    [PROBLEM_BAD_FORM] = {400, "bad-form", "The form is broken", 0},
    [PROBLEM_BAD_OPTION] = {400, "bad-option", "An option is wrong", 0},
    [PROBLEM_EMPTY] = {400, "empty", "There is no file in the request", 0},
    [PROBLEM_DIGEST] = {400, "digest-mismatch",
                        "The bytes are not those that were announced", 0},
    [PROBLEM_INCOMPLETE] = {400, "incomplete", "The body is not complete", 0},
    [PROBLEM_UNAUTHORIZED] = {401, "unauthorized", "A valid token is needed", 0},
    [PROBLEM_FORBIDDEN] = {403, "forbidden", "That is not allowed", 0},
    [PROBLEM_POLICY] = {403, "policy", "The policy does not allow it", 0},
    [PROBLEM_POLICY_USED] = {409, "policy-used", "The policy has been used", 0},
    [PROBLEM_FOREIGN_ORIGIN] = {403, "foreign-origin",
                                "Pages of that origin may not do that", 0},
    [PROBLEM_FOREIGN_HOST] = {403, "foreign-host", "That is not a name of this service",
                              0},
    [PROBLEM_NOT_FOUND] = {404, "not-found", "There is nothing here", 0},
    [PROBLEM_NO_JOB] = {404, "no-such-job", "There is no such job", 0},
    [PROBLEM_NO_QUEUE] = {404, "no-such-queue", "There is no such queue", 0},
    [PROBLEM_NO_BATCH] = {404, "no-such-batch", "There is no such batch", 0},
    [PROBLEM_NO_WORKER] = {404, "no-such-worker", "There is no such worker", 0},
    [PROBLEM_METHOD] = {405, "method-not-allowed", "That method is not for this path",
                        0},
    [PROBLEM_URI_LONG] = {414, "uri-too-long", "The address is too long", 0},
    [PROBLEM_HEAD_LONG] = {431, "head-too-long", "The headers are too long", 0},
    [PROBLEM_ENCODING] = {415, "unsupported-encoding",
                          "Files are taken as they are, without an encoding", 0},
    [PROBLEM_KEY_IN_FLIGHT] = {409, "key-in-flight",
                               "A request with this key is under way", 1},
    [PROBLEM_KEY_REUSED] = {422, "key-reused", "The key is that of another request", 0},
    [PROBLEM_CONFLICT] = {409, "conflict", "The job's state does not allow it", 0},
    [PROBLEM_DUPLICATE] = {409, "duplicate", "Another job has the unique key", 0},
    [PROBLEM_NO_LENGTH] = {411, "length-required", "Content-Length is wanted", 0},
    [PROBLEM_TOO_LARGE] = {413, "too-large", "Something is over its limit", 0},
    [PROBLEM_MEDIA_TYPE] = {415, "unsupported-media-type", "JSON is wanted", 0},
    [PROBLEM_TYPE] = {415, "type-not-allowed", "Files of that type are not allowed", 0},
    [PROBLEM_BAD_VALUE] = {422, "bad-value", "A value cannot be", 0},
    [PROBLEM_UNKNOWN_QUEUE] = {422, "unknown-queue", "There is no such queue", 0},
    [PROBLEM_UNKNOWN_DESTINATION] = {422, "unknown-destination",
                                     "There is no such destination", 0},
    [PROBLEM_UNKNOWN_CONVERTER] = {422, "unknown-converter",
                                   "There is no such converter", 0},
    [PROBLEM_SOURCE_REFUSED] = {422, "source-refused", "That source is not allowed", 0},
    [PROBLEM_CALLBACK_REFUSED] = {422, "callback-refused",
                                  "That callback is not allowed", 0},
    [PROBLEM_QUOTA] = {429, "quota", "More than is allowed now", 5},
    [PROBLEM_INTERNAL] = {500, "internal", "The server is at fault", 0},
    [PROBLEM_UNAVAILABLE] = {503, "unavailable", "Not possible now", 5},
    [PROBLEM_QUEUE_FULL] = {503, "queue-full", "The queue is full", 5},
    [PROBLEM_FULL] = {507, "full", "There is no space left", 30},
};

const struct problem_row *problem_row(enum problem p)
{
    assert(p != PROBLEM_NONE && (size_t)p < sizeof rows / sizeof rows[0]);
    return &rows[p];
}

enum problem problem_set(struct err *e, enum problem p, const char *fmt, ...)
{
    char text[sizeof e->text];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); /* a cut text is still a text */
    va_end(args);
    (void)err_set(e, problem_row(p)->status == 503 ? ERR_RETRY : ERR_REJECT, "%s",
                  text);
    return p;
}
