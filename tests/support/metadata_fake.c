#include "tests/support/metadata_fake_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    abort();
}

static void *run_connection(void *arg)
{
    struct connection *c = arg;
    struct metadata_fake *m = c->fake;

    metadata_fake_serve(c);
    pthread_mutex_lock(&m->lock);
    m->connections[c->index].fd = -1;
    (void)close(c->fd);
    pthread_mutex_unlock(&m->lock);
    free(c);
    return NULL;
}

/* --- the server --- */

static void accept_one(struct metadata_fake *m, int fd)
{
    struct connection *c = calloc(1, sizeof *c);

    pthread_mutex_lock(&m->lock);
    if (!c || m->connection_count == CONNECTIONS_MAX)
        die("metadata_fake: too many connections");
    c->fake = m;
    c->fd = fd;
    c->index = m->connection_count++;
    m->connections[c->index].fd = fd;
    if (pthread_create(&m->connections[c->index].thread, NULL, run_connection, c) != 0)
        die("pthread_create");
    pthread_mutex_unlock(&m->lock);
}

static void *run_acceptor(void *arg)
{
    struct metadata_fake *m = arg;

    for (;;) {
        int fd = accept4(m->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return NULL; /* shut down by stop */
        accept_one(m, fd);
    }
}

struct metadata_fake *metadata_fake_start(void)
{
    struct metadata_fake *m = calloc(1, sizeof *m);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;

    if (!m)
        die("calloc");
    m->generation = 1;
    m->life_s = 3600;
    (void)pthread_mutex_init(&m->lock, NULL);
    (void)pthread_cond_init(&m->changed, NULL);
    m->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (m->listen_fd < 0 ||
        bind(m->listen_fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(m->listen_fd, 64) != 0 ||
        getsockname(m->listen_fd, (struct sockaddr *)&at, &len) != 0)
        die("metadata_fake: listen");
    (void)snprintf(m->url, sizeof m->url, "http://127.0.0.1:%d", ntohs(at.sin_port));
    if (pthread_create(&m->acceptor, NULL, run_acceptor, m) != 0)
        die("pthread_create");
    return m;
}

void metadata_fake_stop(struct metadata_fake *m)
{
    if (!m)
        return;
    (void)shutdown(m->listen_fd, SHUT_RDWR);
    (void)pthread_join(m->acceptor, NULL);
    (void)close(m->listen_fd);
    pthread_mutex_lock(&m->lock);
    m->stopping = true;
    for (size_t i = 0; i < m->connection_count; i++)
        if (m->connections[i].fd >= 0)
            (void)shutdown(m->connections[i].fd, SHUT_RDWR);
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    for (size_t i = 0; i < m->connection_count; i++)
        (void)pthread_join(m->connections[i].thread, NULL);
    (void)pthread_cond_destroy(&m->changed);
    (void)pthread_mutex_destroy(&m->lock);
    free(m);
}

const char *metadata_fake_url(const struct metadata_fake *m)
{
    return m->url;
}

void metadata_fake_hand_out(struct metadata_fake *m, int generation, int64_t life_s)
{
    pthread_mutex_lock(&m->lock);
    m->generation = generation;
    m->life_s = life_s;
    pthread_mutex_unlock(&m->lock);
}

void metadata_fake_rotate(struct metadata_fake *m)
{
    pthread_mutex_lock(&m->lock);
    m->rotating = true;
    pthread_mutex_unlock(&m->lock);
}

void metadata_fake_push(struct metadata_fake *m, struct metadata_fault fault)
{
    pthread_mutex_lock(&m->lock);
    if (m->fault_count == FAULTS_MAX)
        die("metadata_fake: too many faults");
    m->faults[m->fault_count++] = fault;
    pthread_mutex_unlock(&m->lock);
}

static void set_gate(struct metadata_fake *m, bool closed)
{
    pthread_mutex_lock(&m->lock);
    m->gate_closed = closed;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

void metadata_fake_close_gate(struct metadata_fake *m)
{
    set_gate(m, true);
}

void metadata_fake_open_gate(struct metadata_fake *m)
{
    set_gate(m, false);
}

static int read_int(struct metadata_fake *m, const int *from)
{
    pthread_mutex_lock(&m->lock);
    int value = *from;
    pthread_mutex_unlock(&m->lock);
    return value;
}

int metadata_fake_count(struct metadata_fake *m, enum metadata_request kind)
{
    return read_int(m, &m->counts[kind]);
}

int metadata_fake_count_all(struct metadata_fake *m)
{
    int all = 0;

    for (int kind = 0; kind < METADATA_REQUESTS; kind++)
        all += metadata_fake_count(m, (enum metadata_request)kind);
    return all;
}

int metadata_fake_most(struct metadata_fake *m)
{
    return read_int(m, &m->most);
}

void metadata_fake_latest(struct metadata_fake *m, char *ret, int size)
{
    pthread_mutex_lock(&m->lock);
    (void)snprintf(ret, (size_t)size, "%s", m->latest);
    pthread_mutex_unlock(&m->lock);
}
