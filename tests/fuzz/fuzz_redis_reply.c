/*
 * fuzz redis_reply: any bytes as what a Redis answers, over a socket.  Replies come out whole, of at most nine levels and with
 * texts that end in NUL, until something is impossible; nothing after that is read.
 */
#include "tests/fuzz/fuzz.h"

#include "shared/redis_internal.h"

#include <sys/un.h>
#include <unistd.h>

enum { PIECE = 16 * 1024, LEVELS = 9 };

static void check(const struct redis_value *v, int levels)
{
    size_t len;
    const char *text = redis_value_str(v, &len);

    must(levels > 0 && text[len] == '\0');
    (void)redis_value_int(v);
    (void)redis_value_is_closing(v);
    for (size_t i = 0; i < redis_value_len(v); i++)
        check(redis_value_at(v, i), levels - 1);
}

static bool take_replies(struct redis_link *l)
{
    struct redis_value *v = NULL;
    struct err e = ERR_INIT;

    do {
        redis_reply_free(v);
        v = NULL;
        if (redis_link_next(l, &v, &e) != ERR_OK) {
            must(e.code == ERR_RETRY && !v);
            return false;
        }
        if (v)
            check(v, LEVELS);
    } while (v);
    return true;
}

/* A socket that listens, on a name that the kernel chose. */
static int listening(struct sockaddr_un *ret, socklen_t *ret_len)
{
    static int fd = -1;
    static struct sockaddr_un address = {.sun_family = AF_UNIX};
    static socklen_t len = sizeof address.sun_family;

    if (fd < 0) {
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        must(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0);
        len = sizeof address;
        must(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
        must(listen(fd, 8) == 0);
    }
    *ret = address;
    *ret_len = len;
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct redis_link l;
    struct sockaddr_un address;
    struct err e = ERR_INIT;
    socklen_t len;
    bool pending, good = true;

    int fd = listening(&address, &len);
    redis_link_init(&l);
    must(redis_link_open(&l, (struct sockaddr *)&address, len, &pending, &e) == ERR_OK);
    must(!pending);
    int server = accept(fd, NULL, NULL);
    must(server >= 0);
    for (size_t at = 0; at < size && good; at += PIECE) {
        size_t n = size - at < PIECE ? size - at : PIECE;
        must(write(server, data + at, n) == (ssize_t)n);
        must(redis_link_read(&l, &e) == ERR_OK);
        good = take_replies(&l);
    }
    must(close(server) == 0);
    must(!good || redis_link_read(&l, &e) == ERR_RETRY);
    redis_link_close(&l);
    return 0;
}
