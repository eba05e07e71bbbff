#include "fcgi-app/fastcgi/fastcgi_later.h"

#include "fcgi-app/fastcgi/fastcgi_reply.h"

#include <errno.h>
#include <fastcgi.h>
#include <string.h>
#include <sys/socket.h>

bool fastcgi_later_add(struct buf *out, unsigned id, const void *data, size_t len)
{
    unsigned char header[FCGI_HEADER_LEN];
    const char *s = data;
    while (len > 0) {
        size_t n = len < FCGI_MAX_LENGTH ? len : FCGI_MAX_LENGTH;
        (void)fastcgi_reply_header(header, FCGI_STDOUT, id, n);
        buf_add(out, header, sizeof header);
        buf_add(out, s, n);
        s += n;
        len -= n;
    }
    return !out->failed;
}

bool fastcgi_later_add_end(struct buf *out, unsigned id)
{
    unsigned char end[2 * FCGI_HEADER_LEN + sizeof(FCGI_EndRequestBody)];
    size_t at = fastcgi_reply_header(end, FCGI_STDOUT, id, 0);
    at += fastcgi_reply_end(end + at, id, FCGI_REQUEST_COMPLETE);
    return buf_add(out, end, at);
}

enum fastcgi_news fastcgi_later_look(const struct fastcgi_later *l, int fd)
{
    FCGI_Header h;
    ssize_t n;
    do {
        n = recv(fd, &h, sizeof h, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return FASTCGI_NO_NEWS;
    bool aborts = n == sizeof h && h.version == FCGI_VERSION_1 &&
                  h.type == FCGI_ABORT_REQUEST && h.contentLengthB1 == 0 &&
                  h.contentLengthB0 == 0 && h.paddingLength == 0 &&
                  ((unsigned)h.requestIdB1 << 8 | h.requestIdB0) == l->id;
    return aborts ? FASTCGI_ABORTED : FASTCGI_LEFT;
}
