#include "worker/http/http_internal.h"

#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"

enum { INTAKE_BUFFER = 64 * 1024 };

static curl_socket_t on_open_socket(void *ctx, curlsocktype purpose,
                                    struct curl_sockaddr *address)
{
    struct http_call *call = ctx;
    const struct http_intake *in = &call->intake;

    (void)purpose; /* a connection: there are no others */
    if (in->may_connect &&
        !in->may_connect(&address->addr, (socklen_t)address->addrlen, in->ctx)) {
        call->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

void http_intake_prepare(struct http_call *call)
{
    CURL *easy = call->easy;

    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_IGNORE_CONTENT_LENGTH, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)INTAKE_BUFFER);
}

bool http_intake_wants(struct http_call *call)
{
    const struct http_response *r = &call->response;

    if (!call->intake.piece || call->head_told || !r->has_whole_head || r->status < 200)
        return true;
    call->head_told = true;
    call->quiet_ms = clock_mono_ms();
    call->unwanted = call->intake.head && !call->intake.head(r, call->intake.ctx);
    return !call->unwanted;
}

size_t http_intake_piece(struct http_call *call, const void *data, size_t len)
{
    call->quiet_ms = clock_mono_ms();
    if (call->intake.piece(data, len, call->intake.ctx))
        return len;
    call->held = true;
    return CURL_WRITEFUNC_PAUSE;
}

void http_intake_more(struct http_call *call)
{
    if (!call->held || call->more)
        return;
    call->more = true;
    http_deliver_soon(call->http);
}

void http_intake_resume(struct http_call *call)
{
    call->held = call->more = false;
    call->quiet_ms = clock_mono_ms();
    (void)curl_easy_pause(call->easy, CURLPAUSE_CONT); /* libcurl's timer goes on */
}
