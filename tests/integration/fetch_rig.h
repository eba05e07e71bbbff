/*
 * fetch_rig: a fetch from a url_server, and somebody who takes its bytes.
 */
#ifndef HOIST_TESTS_INTEGRATION_FETCH_RIG_H
#define HOIST_TESTS_INTEGRATION_FETCH_RIG_H

#include "tests/support/url_server.h"
#include "worker/source/fetch.h"

struct fetch_rig {
    struct url_server server;
    struct config_fetch config; /* may be changed between two fetches */
    uv_loop_t loop;
    struct http *http;
};

extern struct fetch_rig fetch_rig;

/* Who takes the bytes. */
struct taker {
    struct fetch *fetch;
    char *body;
    size_t len;
    int64_t told_length;
    char type[256];
    bool had_head, failed, ended, closed;
    size_t stop_at; /* stop when so many have come; 0: never */
    size_t piece;   /* how much is read at once */
    int slow;       /* turns of the loop between two reads */
    struct outcome failure;
    uv_timer_t later;
};

/* 127.0.0.1 is allowed, 3 redirects, 1 GiB, a minute. */
void fetch_rig_up(const struct url_page *pages);
/* Asserts that no handle is left open. */
void fetch_rig_down(void);
void fetch_allow(const char *list);

/* Fetch it and take what comes, until all is over; the result until the next one.  how: stop_at, piece, slow. */
struct taker *fetch_from(const char *url, struct taker how);
/* The same from the server. */
struct taker *fetch_path(const char *path);
/* Whether these bytes are those of a page of this size. */
bool fetch_is_pattern(const struct taker *t, size_t len);

#endif
