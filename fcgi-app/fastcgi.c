#include "fcgi-app/fastcgi.h"

#include <fcgiapp.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    REQUEST_BYTES = 100 * 1024 /* its parameters, at most 64 KiB, and three streams */
};

struct fastcgi {
    FCGX_Request request;
    bool keep; /* as the web server asked in BEGIN_REQUEST */
    bool write_failed;
    int64_t body_read; /* bytes so far */
};

enum err_code fastcgi_setup(struct err *e)
{
    /* Should libfcgi ever close or accept by itself, it shall not wait for the peer. */
    (void)setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
    (void)setenv("LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT", "0", 1);
    int code = FCGX_Init();
    if (code != 0)
        return err_set(e, ERR_NOMEM, "libfcgi: FCGX_Init: %d", code);
    return ERR_OK;
}

struct fastcgi *fastcgi_new(void)
{
    struct fastcgi *f = calloc(1, sizeof *f);
    if (f)
        (void)FCGX_InitRequest(&f->request, -1, 0); /* it only fills in the struct */
    return f;
}

void fastcgi_free(struct fastcgi *f)
{
    free(f);
}

bool fastcgi_has_memory(void)
{
    void *volatile probe =
        malloc(REQUEST_BYTES); /* volatile: or it would not be done */
    bool has = probe != NULL;
    free(probe);
    return has;
}

enum err_code fastcgi_begin(struct fastcgi *f, int fd, struct err *e)
{
    FCGX_Request *r = &f->request;
    r->ipcFd = fd;
    r->keepConnection =
        1; /* or FCGX_Accept_r would close what it takes for the last request's connection */
    r->detached = 1; /* on failure: close(fd), without waiting for the peer */
    f->write_failed = false;
    f->body_read = 0;
    if (FCGX_Accept_r(r) != 0) {
        r->ipcFd = -1;
        return err_set(e, ERR_REJECT, "fastcgi: the head of a request cannot be read");
    }
    f->keep = r->keepConnection != 0;
    r->keepConnection = 1;
    return ERR_OK;
}

char *const *fastcgi_params(const struct fastcgi *f)
{
    return f->request.envp;
}

size_t fastcgi_read(struct fastcgi *f, void *data, size_t len)
{
    int n = FCGX_GetStr(data, (int)len, f->request.in);
    if (n <= 0)
        return 0;
    f->body_read += n;
    return (size_t)n;
}

bool fastcgi_body_is_complete(const struct fastcgi *f)
{
    return FCGX_HasSeenEOF(f->request.in) == EOF && FCGX_GetError(f->request.in) == 0;
}

void fastcgi_write(struct fastcgi *f, const void *data, size_t len)
{
    if (len > 0 && FCGX_PutStr(data, (int)len, f->request.out) < 0)
        f->write_failed = true;
}

static bool has_ended(const struct fastcgi *f)
{
    return FCGX_HasSeenEOF(f->request.in) == EOF;
}

bool fastcgi_drain(struct fastcgi *f, int64_t body_bytes)
{
    char rest[4096];
    size_t sum = 0, n = sizeof rest;
    if (!has_ended(f) && body_bytes - f->body_read > FASTCGI_DRAIN_MAX)
        return false;
    /* A byte is asked for beyond the end, so that the end is seen. */
    while (!has_ended(f) && n == sizeof rest && sum <= FASTCGI_DRAIN_MAX) {
        n = fastcgi_read(f, rest, sizeof rest);
        sum += n;
    }
    return has_ended(f);
}

enum fastcgi_end fastcgi_end(struct fastcgi *f, bool drain, int64_t body_bytes)
{
    FCGX_Request *r = &f->request;
    bool ended = drain ? fastcgi_drain(f, body_bytes) : has_ended(f);
    bool complete = fastcgi_body_is_complete(f);
    if (FCGX_FClose(r->err) != 0 || FCGX_FClose(r->out) != 0)
        f->write_failed = true;
    FCGX_Free(r, 0); /* not FCGX_Finish_r: that one may close */
    r->ipcFd = -1;
    r->envp = NULL;
    if (f->write_failed)
        return FASTCGI_CLOSE;
    if (!ended)
        return FASTCGI_LINGER;
    return complete && f->keep ? FASTCGI_KEEP : FASTCGI_CLOSE;
}
