/* http: requests that are over before there is a connection.  Nothing of them stays behind. */
#include "worker/http/http.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(http_cancel, .timeout = 60);

enum { FILLERS = 4 };

static int listener, fillers[FILLERS];
static char url[64];

/* A port where connecting takes for ever: nobody accepts, and no more can wait to be accepted. */
static void open_full_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(listener, (struct sockaddr *)&at, len) == 0 &&
              listen(listener, 0) == 0 &&
              getsockname(listener, (struct sockaddr *)&at, &len) == 0);
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&at, len);
    }
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(at.sin_port));
}

static void close_full_port(void)
{
    for (int i = 0; i < FILLERS; i++)
        (void)close(fillers[i]);
    (void)close(listener);
}

static void on_done(const struct http_result *result, void *ctx)
{
    *(enum retry_net *)ctx = result->net;
}

/* Sockets that libcurl closes without a word: their polls must go, too, as their descriptors will be others'. */
Test(http_cancel, a_socket_that_was_never_connected_is_not_watched_any_more)
{
    enum retry_net net[2] = {RETRY_NET_OK, RETRY_NET_OK};
    struct http *http;
    struct err e = ERR_INIT;
    uv_loop_t loop;
    uv_poll_t poll;

    open_full_port();
    cr_assert(uv_loop_init(&loop) == 0 && http_open(&loop, &http, &e) == ERR_OK);
    for (int i = 0; i < 2; i++) {
        struct http_request r = {.method = "GET",
                                 .url = url,
                                 .connect_ms = i == 0 ? 60000 : 200,
                                 .answer_ms = 60000,
                                 .stall_ms = 60000,
                                 .done = on_done,
                                 .ctx = &net[i]};
        struct http_call *call = http_send(http, &r);
        cr_assert(call != NULL);
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the next is the socket's */
        (void)close(fd);
        (void)uv_run(&loop, UV_RUN_ONCE);
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        if (i == 0)
            http_cancel(call);
        while (net[i] == RETRY_NET_OK)
            (void)uv_run(&loop, UV_RUN_ONCE);
        /* Whoever gets the descriptor next can watch it. */
        int mine = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cr_expect(eq(int, mine, fd));
        cr_expect(eq(int, uv_poll_init_socket(&loop, &poll, mine), 0));
        uv_close((uv_handle_t *)&poll, NULL);
        (void)uv_run(&loop, UV_RUN_NOWAIT);
        (void)close(mine);
    }
    cr_expect(eq(int, net[0], RETRY_NET_ABORTED));
    cr_expect(eq(int, net[1], RETRY_NET_TIMEOUT));
    http_close(http);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(eq(int, uv_loop_close(&loop), 0), "nothing stays open");
    close_full_port();
}
