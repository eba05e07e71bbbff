#include "tests/support/redis_faulty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINKS_MAX = 64, READ_MAX = 64 * 1024, REQUEST_MAX = 2 << 20, LOOK_AGAIN = 'h' };

struct link {
    int client, server; /* server: -1 where we answer */
    char *request;      /* what has come of the next commands; owned */
    size_t len;
};

struct links {
    struct link link[LINKS_MAX];
    size_t count;
};

static void die(const char *what)
{
    fprintf(stderr, "redis_faulty: %s: %s\n", what, strerror(errno));
    abort();
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static int open_socket(const char *path, bool listening)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(at.sun_path, path, strlen(path) + 1); /* tmpdir_file sees to its length */
    if (fd < 0)
        die("socket");
    if (listening
            ? bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 64) < 0
            : connect(fd, (struct sockaddr *)&at, sizeof at) < 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void close_link(struct links *s, size_t i)
{
    (void)close(s->link[i].client);
    if (s->link[i].server >= 0)
        (void)close(s->link[i].server);
    free(s->link[i].request);
    s->link[i] = s->link[--s->count];
}

/* --- answering --- */

/* A decimal number behind this mark at *at, and CRLF; -1: not all there yet, or none. */
static long read_number(const char **at, const char *end, char mark)
{
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));

    if (!stop || **at != mark)
        return -1;
    long n = strtol(*at + 1, NULL, 10);
    *at = stop + 1;
    return n;
}

/* The first whole command: how many bytes it has (0: not whole yet) and its name. */
static size_t read_command(const char *request, size_t len, char ret_name[16])
{
    const char *at = request, *end = request + len;
    long count = read_number(&at, end, '*');

    for (long i = 0; i < count; i++) {
        long size = at < end ? read_number(&at, end, '$') : -1;
        if (size < 0 || end - at < size + 2)
            return 0;
        if (i == 0)
            (void)snprintf(ret_name, 16, "%.*s", (int)size, at);
        at += size + 2;
    }
    return count > 0 ? (size_t)(at - request) : 0;
}

/* False: the connection is to be closed. */
static bool answer_one(struct redis_faulty *f, int fd, const char *name)
{
    static const char *const own[][2] = {
        {"INFO", "$22\r\nredis_version:7.0.15\r\n\r\n"},
        {"SCRIPT", "$40\r\n0000000000000000000000000000000000000000\r\n"},
        {"SELECT", "+OK\r\n"},
        {"AUTH", "+OK\r\n"},
    };
    char text[sizeof f->answer];

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strcmp(name, own[i][0]) == 0)
            return write_all(fd, own[i][1], strlen(own[i][1]));
    (void)pthread_mutex_lock(&f->lock);
    memcpy(text, f->answer, sizeof text);
    bool cut = f->cut;
    f->answered++;
    (void)pthread_mutex_unlock(&f->lock);
    return write_all(fd, text, strlen(text)) && !cut;
}

static bool answer(struct redis_faulty *f, struct link *l)
{
    char name[16];
    size_t size;

    if (l->len + READ_MAX > REQUEST_MAX)
        return false;
    ssize_t n = recv(l->client, l->request + l->len, READ_MAX, 0);
    if (n <= 0)
        return false;
    l->len += (size_t)n;
    while ((size = read_command(l->request, l->len, name)) > 0) {
        if (!answer_one(f, l->client, name))
            return false;
        l->len -= size;
        memmove(l->request, l->request + size, l->len);
    }
    return true;
}

/* --- passing --- */

static bool pass(int from, int to)
{
    char bytes[READ_MAX];
    ssize_t n = recv(from, bytes, sizeof bytes, 0);

    return n > 0 && write_all(to, bytes, (size_t)n);
}

static bool is_to_lose(struct redis_faulty *f, const char *bytes, size_t len)
{
    (void)pthread_mutex_lock(&f->lock);
    bool is = f->to_lose > 0 && memmem(bytes, len, f->lost, strlen(f->lost));
    f->to_lose -= is;
    (void)pthread_mutex_unlock(&f->lock);
    return is;
}

/* Before it is passed on, so that no reply slips through. */
static void maybe_hold(struct redis_faulty *f, const char *bytes, size_t len)
{
    (void)pthread_mutex_lock(&f->lock);
    if (f->hold_from[0] && memmem(bytes, len, f->hold_from, strlen(f->hold_from))) {
        f->hold_from[0] = '\0';
        f->holding = true;
    }
    (void)pthread_mutex_unlock(&f->lock);
}

/* Requests: one may be carried out and its reply lost. */
static bool pass_on(struct redis_faulty *f, const struct link *l)
{
    char bytes[READ_MAX];
    ssize_t n = recv(l->client, bytes, sizeof bytes, 0);

    if (n <= 0)
        return false;
    maybe_hold(f, bytes, (size_t)n);
    if (!write_all(l->server, bytes, (size_t)n))
        return false;
    if (!is_to_lose(f, bytes, (size_t)n))
        return true;
    (void)shutdown(l->server, SHUT_WR); /* it ends when all is carried out */
    while (recv(l->server, bytes, sizeof bytes, 0) > 0)
        continue;
    return false;
}

static void take_in(struct redis_faulty *f, struct links *s)
{
    int client = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC), server = -1;

    if (client < 0)
        return;
    (void)pthread_mutex_lock(&f->lock);
    bool answers = f->answer[0] != '\0';
    f->connections++;
    (void)pthread_mutex_unlock(&f->lock);
    if (!answers)
        server = open_socket(f->upstream, false);
    char *request = malloc(REQUEST_MAX);
    if (!request)
        die("memory");
    s->link[s->count++] = (struct link){client, server, request, 0};
    if (s->count == LINKS_MAX || (!answers && server < 0))
        close_link(s, s->count - 1);
}

static void serve(struct redis_faulty *f, struct links *s, const struct pollfd *fds,
                  size_t count)
{
    for (size_t i = count; i-- > 0;) {
        struct link *l = &s->link[i];
        bool go_on = true;
        if (fds[2 * i].revents)
            go_on = l->server < 0 ? answer(f, l) : pass_on(f, l);
        if (go_on && fds[2 * i + 1].revents && !redis_faulty_is_holding(f))
            go_on = pass(l->server, l->client);
        if (!go_on)
            close_link(s, i);
    }
}

/* What is held is not read; a descriptor of -1 is not looked at. */
static void watch(struct redis_faulty *f, const struct links *s, struct pollfd *fds)
{
    (void)pthread_mutex_lock(&f->lock);
    bool no_replies = f->holding, no_requests = f->holding && f->black;
    (void)pthread_mutex_unlock(&f->lock);
    for (size_t i = 0; i < s->count; i++) {
        int client = no_requests ? -1 : s->link[i].client;
        int server = no_replies ? -1 : s->link[i].server;
        fds[2 * i] = (struct pollfd){.fd = client, .events = POLLIN};
        fds[2 * i + 1] = (struct pollfd){.fd = server, .events = POLLIN};
    }
}

static void *run(void *arg)
{
    struct redis_faulty *f = arg;
    struct links s = {.count = 0};
    struct pollfd fds[2 + 2 * LINKS_MAX];
    char byte;

    for (;;) {
        size_t count = s.count;
        fds[0] = (struct pollfd){.fd = f->wake[0], .events = POLLIN};
        fds[1] = (struct pollfd){.fd = f->listener, .events = POLLIN};
        watch(f, &s, fds + 2);
        if (poll(fds, 2 + 2 * count, -1) < 0 && errno != EINTR)
            die("poll");
        if (fds[0].revents) {
            bool over = read(f->wake[0], &byte, 1) != 1;
            if (!over && byte == LOOK_AGAIN)
                continue;
            while (s.count > 0)
                close_link(&s, s.count - 1);
            if (over)
                return NULL;
            (void)pthread_mutex_lock(&f->lock);
            f->closed++;
            (void)pthread_cond_signal(&f->closed_one);
            (void)pthread_mutex_unlock(&f->lock);
            continue;
        }
        serve(f, &s, fds + 2, count);
        if (fds[1].revents)
            take_in(f, &s);
    }
}

/* --- for the test --- */

void redis_faulty_start(struct redis_faulty *f, struct tmpdir_file socket,
                        const char *upstream)
{
    memset(f, 0, sizeof *f);
    f->socket = socket;
    (void)snprintf(f->upstream, sizeof f->upstream, "%s", upstream);
    f->listener = open_socket(socket.path, true);
    if (f->listener < 0 || pipe2(f->wake, O_CLOEXEC) < 0 ||
        pthread_mutex_init(&f->lock, NULL) != 0 ||
        pthread_cond_init(&f->closed_one, NULL) != 0 ||
        pthread_create(&f->thread, NULL, run, f) != 0)
        die(socket.path);
}

void redis_faulty_stop(struct redis_faulty *f)
{
    (void)close(f->wake[1]);
    (void)pthread_join(f->thread, NULL);
    (void)close(f->wake[0]);
    (void)close(f->listener);
    (void)pthread_cond_destroy(&f->closed_one);
    (void)pthread_mutex_destroy(&f->lock);
}

static void change(struct redis_faulty *f, const char *answer, bool cut)
{
    (void)pthread_mutex_lock(&f->lock);
    (void)snprintf(f->answer, sizeof f->answer, "%s", answer);
    f->cut = cut;
    f->holding = false;
    f->hold_from[0] = '\0';
    f->connections = f->answered = 0;
    int closed = f->closed;
    if (write(f->wake[1], "x", 1) != 1)
        die("wake");
    while (f->closed == closed)
        (void)pthread_cond_wait(&f->closed_one, &f->lock);
    (void)pthread_mutex_unlock(&f->lock);
}

void redis_faulty_say(struct redis_faulty *f, const char *answer)
{
    change(f, answer, false);
}

void redis_faulty_cut(struct redis_faulty *f, const char *answer)
{
    change(f, answer, true);
}

void redis_faulty_pass(struct redis_faulty *f)
{
    change(f, "", false);
}

void redis_faulty_swallow(struct redis_faulty *f, const char *text, int count)
{
    (void)pthread_mutex_lock(&f->lock);
    (void)snprintf(f->lost, sizeof f->lost, "%s", text);
    f->to_lose = count;
    (void)pthread_mutex_unlock(&f->lock);
}

static void look_again(struct redis_faulty *f)
{
    if (write(f->wake[1], &(char){LOOK_AGAIN}, 1) != 1)
        die("wake");
}

void redis_faulty_hold(struct redis_faulty *f, const char *text)
{
    (void)pthread_mutex_lock(&f->lock);
    (void)snprintf(f->hold_from, sizeof f->hold_from, "%s", text);
    f->holding = f->black = !*text;
    (void)pthread_mutex_unlock(&f->lock);
    look_again(f);
}

bool redis_faulty_is_holding(struct redis_faulty *f)
{
    (void)pthread_mutex_lock(&f->lock);
    bool is = f->holding;
    (void)pthread_mutex_unlock(&f->lock);
    return is;
}

void redis_faulty_let_go(struct redis_faulty *f)
{
    (void)pthread_mutex_lock(&f->lock);
    f->holding = false;
    f->hold_from[0] = '\0';
    (void)pthread_mutex_unlock(&f->lock);
    look_again(f);
}

static int read_count(struct redis_faulty *f, const int *count)
{
    (void)pthread_mutex_lock(&f->lock);
    int n = *count;
    (void)pthread_mutex_unlock(&f->lock);
    return n;
}

int redis_faulty_connections(struct redis_faulty *f)
{
    return read_count(f, &f->connections);
}

int redis_faulty_answered(struct redis_faulty *f)
{
    return read_count(f, &f->answered);
}

int redis_faulty_to_swallow(struct redis_faulty *f)
{
    return read_count(f, &f->to_lose);
}
