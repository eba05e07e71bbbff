/* Large raw bodies, which real nginx leaves as files (deploy/nginx/hoist-bodies.conf), and those that come by FastCGI. */
#include "tests/e2e/steps.h"
#include "tests/support/wait_until.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct system s;

static void up(void)
{
    system_up(&s, &(struct system_options){.conf = "[queue small]\nmax_bytes = 1K\n"});
}

static void down(void)
{
    system_down(&s);
}

TestSuite(nginx_bodies, .init = up, .fini = down, .timeout = 150);

/* Where nginx leaves large bodies. */
static void find_bodies(char ret[256])
{
    char path[256], line[512];

    (void)snprintf(path, sizeof path, "%s/hoist.ini", s.state);
    FILE *f = fopen(path, "re");
    ret[0] = '\0';
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "body_dir = %255s", ret) == 1)
            break;
    (void)fclose(f);
    cr_assert_eq(access(ret, X_OK), 0, "deploy/up found no place for bodies: '%s'",
                 ret);
}

/* The status of a raw body from a file; header may be NULL. */
static long put(const char *method, const char *to, const char *path,
                const char *header, bool chunked)
{
    struct http_answer a = HTTP_ANSWER_INIT;
    const char *const headers[] = {header, NULL};

    http_send(&s.http,
              &(struct http_request){.method = method,
                                     .path = to,
                                     .body_path = path,
                                     .headers = header ? headers : NULL,
                                     .chunked = chunked},
              &a);
    long status = a.status;
    http_answer_release(&a);
    return status;
}

/* A directory that everybody can write into is refused; so what is refused then came as a file. */
Test(nginx_bodies, large_raw_bodies_are_taken_over_as_files_and_nothing_else_is)
{
    char bodies[256], large[256], below[256], small[256], id[JOB_ID_SIZE];

    find_bodies(bodies);
    system_make_file(&s, "large", 10000000, 1, large);
    system_make_file(&s, "below", 9999999, 2, below);
    system_make_file(&s, "small", 100, 3, small);
    upload_raw(&s, "PUT", "/v1/uploads/a%20b.bin?meta.owner=ann", large, false, id);
    system_wait_state(&s, id, "done", 20000);
    assert_object_is(&s, id, large);
    upload_raw(&s, "POST", "/v1/uploads", large, false, id);
    system_wait_state(&s, id, "done", 20000);
    assert_object_is(&s, id, large);
    cr_expect_eq(put("PUT", "/v1/uploads/x?queue=small", large, NULL, false), 413);

    cr_assert_eq(chmod(bodies, 0707), 0);
    cr_expect_eq(put("PUT", "/v1/uploads/x", large, NULL, false), 500);
    cr_expect_eq(put("POST", "/v1/uploads?meta.a=b", large, NULL, false), 500);
    cr_expect_eq(
        put("PUT", "/v1/uploads/x", large, "Content-Type: multipart/form-data", false),
        500);
    cr_expect_eq(put("PUT", "/v1/uploads/x", below, NULL, false), 202);
    cr_expect_eq(put("PUT", "/v1/uploads/x", large, NULL, true), 202);
    cr_expect_eq(
        put("PUT", "/v1/uploads/x", small, "Hoist-Body-File: /etc/passwd", false), 202);
    upload_form(&s, large, "form.bin", id);
    cr_expect_eq(put("PUT", "/hoist-body", large, NULL, false), 404);
    cr_assert_eq(chmod(bodies, 0700), 0);

    cr_expect_eq(put("PUT", "/v1/uploads/x", large, NULL, false), 202);
    cr_expect_eq(rmdir(bodies), 0, "nginx or hoist have left a body");
    assert_spool_empty(&s);
}

/* A body of a large file that has begun and does not go on; its connection. */
static int begin_body(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static const char head[] = "PUT /v1/uploads/half HTTP/1.1\r\nHost: localhost\r\n"
                               "Content-Length: 10000000\r\n\r\nbegun";
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_lt(strlen(s.listen + 5), sizeof address.sun_path);
    memcpy(address.sun_path, s.listen + 5, strlen(s.listen + 5) + 1);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(send(fd, head, sizeof head - 1, MSG_NOSIGNAL),
                 (ssize_t)sizeof head - 1);
    return fd;
}

Test(nginx_bodies, nobody_fills_the_directory_with_bodies_without_end)
{
    enum { OF_ONE = 16 };
    char bodies[256], large[256], answer[32] = "";
    int begun[OF_ONE + 1];

    find_bodies(bodies);
    system_make_file(&s, "large", 10000000, 1, large);
    for (size_t i = 0; i <= OF_ONE; i++)
        begun[i] = begin_body();
    /* Which of them is one too many is for nginx to say; it is the only one that gets an answer. */
    struct pollfd fds[OF_ONE + 1];
    for (size_t i = 0; i <= OF_ONE; i++)
        fds[i] = (struct pollfd){.fd = begun[i], .events = POLLIN};
    cr_assert_eq(poll(fds, OF_ONE + 1, 20000), 1);
    for (size_t i = 0; i <= OF_ONE; i++)
        if (fds[i].revents)
            cr_assert_gt(recv(begun[i], answer, sizeof answer - 1, 0), 12);
    cr_expect(strstr(answer, " 429 ") != NULL, "%s", answer);
    for (size_t i = 0; i <= OF_ONE; i++)
        (void)close(begun[i]);
    cr_expect(
        WAIT_UNTIL(put("PUT", "/v1/uploads/x", large, NULL, false) == 202, 20000));
    assert_spool_empty(&s);
}
