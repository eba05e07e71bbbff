/*
 * metadata_fake_internal: what the two files of metadata_fake share.
 *
 *     metadata_fake.c        the test's side, connections
 *     metadata_fake_serve.c  one request and its answer
 */
#ifndef HOIST_TESTS_SUPPORT_METADATA_FAKE_INTERNAL_H
#define HOIST_TESTS_SUPPORT_METADATA_FAKE_INTERNAL_H

#include "tests/support/metadata_fake.h"

#include <pthread.h>
#include <stddef.h>

enum {
    CONNECTIONS_MAX = 256,
    FAULTS_MAX = 64,
    REQUEST_MAX = 64 * 1024,

};

struct metadata_fake {
    int listen_fd;
    char url[64];
    pthread_t acceptor;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    bool stopping, gate_closed, rotating;
    int generation;
    int64_t life_s;
    struct metadata_fault faults[FAULTS_MAX];
    size_t fault_count, fault_at;
    int counts[METADATA_REQUESTS], under_way, most;
    char latest[REQUEST_MAX + 1];
    struct {
        pthread_t thread;
        int fd; /* -1: closed */
    } connections[CONNECTIONS_MAX];
    size_t connection_count;
};

struct connection {
    struct metadata_fake *fake;
    size_t index;
    int fd;
    char request[REQUEST_MAX + 1];
};

/* Serve the one request of a connection. */
void metadata_fake_serve(struct connection *c);

#endif
