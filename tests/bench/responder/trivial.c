/*
 * trivial: the least a FastCGI upload responder can do, as the yardstick of tests/bench/responder.
 *
 * Reads each request's body to its end, throws it away and answers 202.  One thread for each connection slot, blocking
 * FCGX_Accept_r, kept connections: the loop that libfcgi's own examples show.  It stores nothing and promises nothing.
 *
 *     trivial SOCKET THREADS
 */
#include <fcgiapp.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void *serve(void *arg)
{
    FCGX_Request request;
    char body[65536];

    if (FCGX_InitRequest(&request, *(int *)arg, 0) != 0)
        return NULL;
    while (FCGX_Accept_r(&request) == 0) {
        while (FCGX_GetStr(body, sizeof body, request.in) > 0)
            ;
        (void)FCGX_PutS(
            "Status: 202 Accepted\r\nContent-Type: application/json\r\n\r\n{}\n",
            request.out);
        FCGX_Finish_r(&request);
    }
    return NULL;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    (void)unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        chmod(path, 0666) < 0 || listen(fd, 1024) < 0)
        return -1;
    return fd;
}

int main(int argc, char **argv)
{
    long threads = argc > 2 ? strtol(argv[2], NULL, 10) : 0;

    if (argc != 3 || threads < 1 || threads > 1024) {
        (void)fprintf(stderr, "usage: trivial SOCKET THREADS\n");
        return 2;
    }
    int fd = listen_at(argv[1]);
    if (fd < 0 || FCGX_Init() != 0) {
        perror(argv[1]);
        return 1;
    }
    for (long i = 1; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, &fd) != 0)
            return 1;
    }
    (void)serve(&fd);
    return 0;
}
