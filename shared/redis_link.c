#include "shared/redis_internal.h"

#include <errno.h>
#include <hiredis/read.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the tree of one reply may take: small elements are larger in memory than on the wire. */
enum { READ_SIZE = 64 * 1024, REPLY_MEMORY_MAX = 4 * REDIS_REPLY_BYTES_MAX };

/* --- The parser's hooks: NULL stops it --- */

/* bytes: what stands behind it, in the same piece of memory. */
static struct redis_value *new_value(const redisReadTask *task, enum redis_type type,
                                     size_t bytes)
{
    struct redis_link *l = task->privdata;

    if (bytes > REPLY_MEMORY_MAX - sizeof(struct redis_value) ||
        l->memory > REPLY_MEMORY_MAX - sizeof(struct redis_value) - bytes)
        return NULL;
    struct redis_value *v = malloc(sizeof *v + bytes);
    if (!v)
        return NULL;
    *v = (struct redis_value){.type = type};
    l->memory += sizeof *v + bytes;
    return v;
}

static void *attach(const redisReadTask *task, struct redis_value *v)
{
    if (v && task->parent) {
        struct redis_value *parent = task->parent->obj;
        parent->items[task->idx] = v;
    }
    return v;
}

static void *make_string(const redisReadTask *task, char *s, size_t len)
{
    enum redis_type type = task->type == REDIS_REPLY_ERROR    ? REDIS_ERROR
                           : task->type == REDIS_REPLY_STATUS ? REDIS_STATUS
                                                              : REDIS_STRING;
    struct redis_value *v = new_value(task, type, len + 1);

    if (!v)
        return NULL;
    v->text = (char *)(v + 1);
    memcpy(v->text, s, len);
    v->text[len] = '\0';
    v->len = len;
    return attach(task, v);
}

static void *make_array(const redisReadTask *task, int elements)
{
    if (elements < 0)
        return NULL;
    size_t count = (size_t)elements;
    struct redis_value *v = new_value(task, REDIS_ARRAY, count * sizeof *v->items);

    if (!v)
        return NULL;
    v->items = (struct redis_value **)(v + 1);
    for (size_t i = 0; i < count; i++)
        v->items[i] = NULL;
    v->count = count;
    return attach(task, v);
}

static void *make_integer(const redisReadTask *task, long long n)
{
    struct redis_value *v = new_value(task, REDIS_INTEGER, 0);

    if (v)
        v->integer = n;
    return attach(task, v);
}

static void *make_nil(const redisReadTask *task)
{
    return attach(task, new_value(task, REDIS_NIL, 0));
}

static void free_value(void *v)
{
    redis_reply_free(v);
}

static redisReplyObjectFunctions hooks = {
    .createString = make_string,
    .createArray = make_array,
    .createInteger = make_integer,
    .createNil = make_nil,
    .freeObject = free_value,
};

/* --- The socket --- */

void redis_link_init(struct redis_link *l)
{
    *l = (struct redis_link){.fd = -1, .out = BUF_INIT(REDIS_LINK_OUT_MAX)};
}

void redis_link_close(struct redis_link *l)
{
    if (l->fd >= 0)
        (void)close(l->fd); /* nothing is lost: whoever waits for an answer is told */
    if (l->reader)
        redisReaderFree(l->reader);
    buf_release(&l->out);
    redis_link_init(l);
}

/* A server whose host has vanished is noticed within 30 s even while nothing is sent. */
static void set_tcp_options(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},   {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, 15}, {IPPROTO_TCP, TCP_KEEPINTVL, 5},
        {IPPROTO_TCP, TCP_KEEPCNT, 3},
    };

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                         sizeof options[i].value); /* it works without, only worse */
}

enum err_code redis_link_open(struct redis_link *l, const struct sockaddr *to,
                              socklen_t len, bool *ret_pending, struct err *e)
{
    l->fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0)
        return err_errno(e, ERR_RETRY, "redis: socket");
    if (to->sa_family != AF_UNIX)
        set_tcp_options(l->fd);
    redisReader *reader = redisReaderCreateWithFunctions(&hooks);
    if (!reader) {
        redis_link_close(l);
        return err_set(e, ERR_NOMEM, "redis: no memory for a connection");
    }
    reader->privdata = l;
    l->reader = reader;
    *ret_pending = connect(l->fd, to, len) < 0;
    if (*ret_pending && errno != EINPROGRESS) {
        (void)err_errno(e, ERR_RETRY, "redis: connect");
        redis_link_close(l);
        return ERR_RETRY;
    }
    return ERR_OK;
}

enum err_code redis_link_connected(struct redis_link *l, struct err *e)
{
    int why = 0;
    socklen_t len = sizeof why;

    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &why, &len) < 0)
        why = errno;
    if (why == 0)
        return ERR_OK;
    errno = why;
    return err_errno(e, ERR_RETRY, "redis: connect");
}

enum err_code redis_link_queue(struct redis_link *l, const struct redis_cmd *c,
                               struct err *e)
{
    size_t before = l->out.len;

    if (redis_cmd_encode(c, l->is_7, &l->out))
        return ERR_OK;
    l->out.len = before; /* half a request must never be sent */
    l->out.failed = false;
    return err_set(e, ERR_NOMEM, "redis: the command does not fit");
}

bool redis_link_has_out(const struct redis_link *l)
{
    return l->written < l->out.len;
}

enum err_code redis_link_write(struct redis_link *l, struct err *e)
{
    while (redis_link_has_out(l)) {
        ssize_t n = send(l->fd, l->out.data + l->written, l->out.len - l->written,
                         MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return ERR_OK;
        if (n < 0)
            return err_errno(e, ERR_RETRY, "redis: write");
        l->written += (size_t)n;
    }
    buf_clear(&l->out);
    l->written = 0;
    return ERR_OK;
}

enum err_code redis_link_read(struct redis_link *l, struct err *e)
{
    char bytes[READ_SIZE];
    ssize_t n;

    do {
        n = recv(l->fd, bytes, sizeof bytes, 0);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return ERR_OK;
    if (n < 0)
        return err_errno(e, ERR_RETRY, "redis: read");
    if (n == 0)
        return err_set(e, ERR_RETRY, "redis: the server closed the connection");
    if (redisReaderFeed(l->reader, bytes, (size_t)n) != REDIS_OK)
        return err_set(e, ERR_RETRY, "redis: no memory for a reply");
    l->fed += (size_t)n;
    return ERR_OK;
}

enum err_code redis_link_next(struct redis_link *l, struct redis_value **ret,
                              struct err *e)
{
    redisReader *reader = l->reader;
    void *reply = NULL;

    if (redisReaderGetReply(reader, &reply) != REDIS_OK)
        return err_set(e, ERR_RETRY, "redis: impossible reply: %s", reader->errstr);
    if (!reply && l->fed > REDIS_REPLY_BYTES_MAX)
        return err_set(e, ERR_RETRY, "redis: a reply of more than %d bytes",
                       REDIS_REPLY_BYTES_MAX);
    if (reply) {
        l->fed = reader->len - reader->pos;
        l->memory = 0;
    }
    *ret = reply;
    return ERR_OK;
}
