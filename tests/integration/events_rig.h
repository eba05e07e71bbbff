/*
 * events_rig: an event stream of the responder, read as it comes.
 *
 *     struct event_stream s;
 *     events_open(&s, &request);
 *     events_says(&s, "\"state\":\"running\"", 5000);      true once it has come; the next look begins behind it
 *     events_ends(&s, 5000);                               END_REQUEST came
 *     events_close(&s);
 */
#ifndef HOIST_TESTS_INTEGRATION_EVENTS_RIG_H
#define HOIST_TESTS_INTEGRATION_EVENTS_RIG_H

#include "tests/support/fcgi_client.h"

#include <stdbool.h>
#include <stddef.h>

enum { EVENTS_TEXT_MAX = 256 * 1024 };

struct event_stream {
    struct fcgi_client client;
    unsigned char raw[70 * 1024]; /* the record under way */
    size_t raw_len;
    char text[EVENTS_TEXT_MAX]; /* all of STDOUT, NUL-terminated */
    size_t len, seen;
    bool ended, closed;
};

void events_open(struct event_stream *s, const struct fcgi_request *r);
void events_close(struct event_stream *s);
/* Whether part comes, behind what was found before; else what came is printed. */
bool events_says(struct event_stream *s, const char *part, int deadline_ms);
/* Whether nothing like that comes within so long. */
bool events_keeps_from(struct event_stream *s, const char *part, int ms);
/* Whether END_REQUEST comes. */
bool events_ends(struct event_stream *s, int deadline_ms);
/* Whether the responder closes. */
bool events_closes(struct event_stream *s, int deadline_ms);
/* Copy the id of the latest event. */
void events_last_id(const struct event_stream *s, char ret[static 64]);

#endif
