#include "tests/torture/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ERRORS_MAX = 6, ROW_MANY = 10 };

/* What may fail how; 0 ends the errors. */
static const struct {
    const char *name;
    int errors[ERRORS_MAX];
    bool in_part; /* it can give fewer bytes than asked for */
} calls[TORTURE_CALLS] = {
    [TORTURE_OPEN] = {"open", {EMFILE, ENOSPC, EROFS, EIO, EINTR}, false},
    [TORTURE_READ] = {"read", {EIO, EINTR, EAGAIN, ECONNRESET}, true},
    [TORTURE_PREAD] = {"pread", {EIO, EINTR}, true},
    [TORTURE_WRITE] = {"write", {ENOSPC, EDQUOT, EIO, EINTR, EAGAIN, EPIPE}, true},
    [TORTURE_PWRITE] = {"pwrite", {ENOSPC, EIO, EINTR}, true},
    [TORTURE_FSYNC] = {"fsync", {EIO, ENOSPC, EINTR}, false},
    [TORTURE_FDATASYNC] = {"fdatasync", {EIO, ENOSPC, EDQUOT}, false},
    [TORTURE_RENAME] = {"rename", {EIO, ENOSPC, EROFS}, false},
    [TORTURE_UNLINK] = {"unlink", {EIO, EROFS, EACCES}, false},
    [TORTURE_LINK] = {"link", {EIO, ENOSPC, EMLINK}, false},
    [TORTURE_FALLOCATE] = {"fallocate", {ENOSPC, EDQUOT, EOPNOTSUPP, EINTR}, false},
    [TORTURE_FTRUNCATE] = {"ftruncate", {EIO, EINTR}, false},
    [TORTURE_CLOSE] = {"close", {EIO, EINTR, EDQUOT}, false},
    [TORTURE_STAT] = {"stat", {EIO, ENOMEM}, false},
    [TORTURE_STATFS] = {"statfs", {EIO, EINTR}, false},
    [TORTURE_MKDIR] = {"mkdir", {EIO, ENOSPC}, false},
    [TORTURE_OPENDIR] = {"opendir", {EMFILE, ENOMEM}, false},
    [TORTURE_READDIR] = {"readdir", {EIO}, false},
    [TORTURE_UTIMENS] = {"utimens", {EIO}, false},
    [TORTURE_ACCEPT] = {"accept", {EMFILE, ENFILE, ENOMEM, ECONNABORTED, EINTR}, false},
    [TORTURE_RECV] = {"recv", {ECONNRESET, EINTR, EAGAIN, ENOMEM}, true},
    [TORTURE_SEND] = {"send", {EPIPE, ECONNRESET, EINTR, EAGAIN, ENOBUFS}, true},
    [TORTURE_CONNECT] = {"connect", {ECONNREFUSED, EINTR, EAGAIN, ETIMEDOUT}, false},
    [TORTURE_SOCKET] = {"socket", {EMFILE, ENOBUFS}, false},
    [TORTURE_SOCKOPT] = {"sockopt", {EINVAL, ENOMEM}, false},
    [TORTURE_BIND] = {"bind", {EADDRINUSE, EACCES}, false},
    [TORTURE_LISTEN] = {"listen", {EADDRINUSE}, false},
    [TORTURE_EPOLL_CREATE] = {"epoll_create", {EMFILE, ENOMEM}, false},
    [TORTURE_EPOLL_CTL] = {"epoll_ctl", {ENOSPC, ENOMEM}, false},
    [TORTURE_EPOLL_WAIT] = {"epoll_wait", {EINTR}, false},
    [TORTURE_EVENTFD] = {"eventfd", {EMFILE, ENOMEM}, false},
    [TORTURE_SIGNALFD] = {"signalfd", {EMFILE, ENOMEM}, false},
    [TORTURE_PIPE] = {"pipe", {EMFILE}, false},
    [TORTURE_FCNTL] = {"fcntl", {EINVAL, EMFILE}, false},
    [TORTURE_POLL] = {"poll", {EINTR, ENOMEM}, false},
    [TORTURE_MMAP] = {"mmap", {ENOMEM}, false},
    [TORTURE_THREAD] = {"thread", {EAGAIN}, false},
    [TORTURE_GETRANDOM] = {"getrandom", {EINTR}, false},
    [TORTURE_ALLOC] = {"alloc", {ENOMEM}, false},
};

static void add(struct plan *p, struct site s)
{
    if (p->count == p->capacity) {
        p->capacity = p->capacity ? 2 * p->capacity : 1024;
        p->sites = reallocarray(p->sites, p->capacity, sizeof *p->sites);
        if (!p->sites)
            abort();
    }
    p->sites[p->count++] = s;
}

static void add_call(struct plan *p, struct site s)
{
    for (size_t i = 0; i < ERRORS_MAX && calls[s.call].errors[i] != 0; i++) {
        s.action = TORTURE_ERROR;
        s.error = calls[s.call].errors[i];
        add(p, s);
    }
    s.error = 0;
    if (calls[s.call].in_part) {
        s.action = TORTURE_SHORT;
        add(p, s);
    }
    s.action = TORTURE_KILL;
    add(p, s);
}

void plan_add_syscalls(struct plan *p, const struct plan_counts *c, bool from_start)
{
    static const int64_t steps[] = {1, 3, 5, 7};
    struct site s = {.many = 1, .from_start = from_start};

    for (int call = 0; call < TORTURE_ALLOC; call++) {
        s.call = (enum torture_call)call;
        for (s.n = 1; s.n <= c->seen[call]; s.n++)
            add_call(p, s);
    }
    s = (struct site){.call = TORTURE_CALLS, .from_start = from_start};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        s.every = steps[i];
        s.action = TORTURE_SHORT;
        s.error = 0;
        add(p, s);
        s.action = TORTURE_ERROR;
        s.error = EINTR;
        if (s.every >
            1) /* a pattern of two is what loops of two calls would meet for ever */
            add(p, s);
    }
}

void plan_add_allocs(struct plan *p, const struct plan_counts *c, bool from_start)
{
    struct site s = {.call = TORTURE_ALLOC,
                     .action = TORTURE_ERROR,
                     .error = ENOMEM,
                     .from_start = from_start};

    for (s.n = 1; s.n <= c->seen[TORTURE_ALLOC]; s.n++) {
        s.many = 1;
        add(p, s);
        if (s.n % ROW_MANY == 1) {
            s.many = ROW_MANY;
            add(p, s);
        }
    }
}

void plan_shuffle(struct plan *p, unsigned seed)
{
    uint64_t x = 6364136223846793005u * (seed + 1u) + 1442695040888963407u;

    for (size_t i = p->count; i > 1; i--) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        size_t k = (size_t)(x % i);
        struct site s = p->sites[k];
        p->sites[k] = p->sites[i - 1];
        p->sites[i - 1] = s;
    }
}

void plan_release(struct plan *p)
{
    free(p->sites);
    *p = (struct plan){NULL, 0, 0};
}

const char *plan_call_name(enum torture_call call)
{
    return call < TORTURE_CALLS ? calls[call].name : "read+write";
}

void plan_format(const struct site *s, char *ret, size_t size)
{
    const char *how = s->action == TORTURE_KILL    ? "kill"
                      : s->action == TORTURE_SHORT ? "short"
                                                   : strerrorname_np(s->error);

    (void)snprintf(ret, size, "%s:%s:%lld:%lld:%lld:%s", plan_call_name(s->call), how,
                   (long long)s->n, (long long)s->many, (long long)s->every,
                   s->from_start ? "start" : "run");
}

static bool parse_how(const char *how, struct site *s)
{
    s->action = strcmp(how, "kill") == 0    ? TORTURE_KILL
                : strcmp(how, "short") == 0 ? TORTURE_SHORT
                                            : TORTURE_ERROR;
    for (int error = 1; s->action == TORTURE_ERROR && error < 256; error++) {
        const char *name = strerrorname_np(error);
        if (name && strcmp(name, how) == 0)
            s->error = error;
    }
    return s->action != TORTURE_ERROR || s->error != 0;
}

/* The next word up to a colon as a number. */
static int64_t take_number(char **rest, bool *is)
{
    char *word = strsep(rest, ":"), *end = NULL;
    long long n = word ? strtoll(word, &end, 10) : -1;

    *is = *is && word && *word && !*end && n >= 0;
    return n;
}

bool plan_parse(struct plan *p, const char *text)
{
    struct site s = {.call = TORTURE_OPEN};
    char copy[80], *rest = copy;
    bool is = snprintf(copy, sizeof copy, "%s", text) < (int)sizeof copy;
    const char *call = strsep(&rest, ":"), *how = strsep(&rest, ":");

    is = is && how && parse_how(how, &s);
    s.n = take_number(&rest, &is);
    s.many = take_number(&rest, &is);
    s.every = take_number(&rest, &is);
    s.from_start = rest && strcmp(rest, "start") == 0;
    while (s.call < TORTURE_CALLS && strcmp(plan_call_name(s.call), call) != 0)
        s.call++;
    if (!is || strcmp(plan_call_name(s.call), call) != 0) {
        fprintf(stderr, "torture: no site '%s'\n", text);
        return false;
    }
    p->count = 0;
    add(p, s);
    return true;
}

void plan_order(const struct site *s, struct torture_control *c)
{
    static const enum torture_call moving[] = {
        TORTURE_READ, TORTURE_PREAD, TORTURE_WRITE,     TORTURE_PWRITE,
        TORTURE_RECV, TORTURE_SEND,  TORTURE_EPOLL_WAIT};

    c->calls = 0;
    if (s->call < TORTURE_CALLS)
        c->calls = UINT64_C(1) << s->call;
    else
        for (size_t i = 0; i < sizeof moving / sizeof moving[0]; i++)
            c->calls |= UINT64_C(1) << moving[i];
    c->action = (int32_t)s->action;
    c->error = s->error;
    c->n = s->n;
    c->many = s->many;
    c->every = s->every;
}
