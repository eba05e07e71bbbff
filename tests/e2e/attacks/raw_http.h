/*
 * raw_http: bytes to a web server, as they are, and what comes back.
 */
#ifndef HOIST_TESTS_E2E_ATTACKS_RAW_HTTP_H
#define HOIST_TESTS_E2E_ATTACKS_RAW_HTTP_H

#include <stdbool.h>
#include <stddef.h>

enum { RAW_TEXT_MAX = 64 * 1024 };

struct raw_answer {
    int status; /* of the last head that is no 1xx; 0: none came */
    char text[RAW_TEXT_MAX + 1];
};

/* Connect to listen ("127.0.0.1:8080" or "unix:/path"), send what the server takes of it, say that no more comes if leave, and
 * read until the server closes, or is silent for ten seconds. */
void raw_http(const char *listen, const char *bytes, size_t len, bool leave,
              struct raw_answer *ret);

#endif
