#include "worker/http/http_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum http_easy_limits {
    KEEP_S = 4, /* S3 closes idle connections after 5 */
    EXPECT_MS = 1000,
    SMALL_MAX = 32 * 1024,  /* libcurl's own limit for one piece is 64 KiB */
    UPLOAD_MIN = 16 * 1024, /* libcurl takes no less */
    UPLOAD_SMALL = 64 * 1024,
    UPLOAD_LARGE = 512 * 1024,
    UPLOAD_ALL = 8 * 1024 * 1024
};

enum retry_net http_easy_net(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return RETRY_NET_OK;
    case CURLE_COULDNT_RESOLVE_HOST:
        return RETRY_NET_RESOLVE;
    case CURLE_COULDNT_CONNECT:
        return RETRY_NET_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
        return RETRY_NET_TLS;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return RETRY_NET_TLS_VERIFY;
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
        return RETRY_NET_SEND;
    case CURLE_WRITE_ERROR: /* a head that is too long: what on_header refuses */
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: no status line came */
        return RETRY_NET_RECEIVE;
    case CURLE_OPERATION_TIMEDOUT:
        return RETRY_NET_TIMEOUT;
    case CURLE_ABORTED_BY_CALLBACK:
        return RETRY_NET_ABORTED;
    default:
        return RETRY_NET_OTHER;
    }
}

static ssize_t read_body(const struct http_body *b, void *to, size_t room, int64_t at)
{
    ssize_t n;

    if (b->data) {
        memcpy(to, (const char *)b->data + at, room);
        return (ssize_t)room;
    }
    do
        n = pread(b->fd, to, room, b->offset + at);
    while (n < 0 && errno == EINTR);
    return n;
}

bool http_easy_refused_early(const struct http_call *call)
{
    return call->response.has_whole_head && call->response.status >= 300 &&
           call->at < call->body.len;
}

/*
 * libcurl itself stops sending then, but not where the answer says that the connection closes.  It reads before it
 * writes, so that what stands behind the head has mostly been read with it, and has been when a piece more has left.
 */
static bool is_to_stop(struct http_call *call)
{
    if (!http_easy_refused_early(call))
        return false;
    bool stop = call->told_enough || call->http->bandwidth.rate > 0;
    call->told_enough = true;
    return stop;
}

static bool pass_piece(struct http_call *call, const void *data, int64_t len)
{
    const struct http_body *b = &call->body;

    if (!b->pass || call->at < call->passed)
        return true;
    call->passed = call->at + len;
    return b->pass(data, (size_t)len, call->at, b->ctx);
}

/*
 * A store that refuses the body closes behind its answer, and what is sent then meets a connection that is broken, for which
 * libcurl gives the request up without reading.  That takes the time of a hash, so look once more before a piece leaves.
 */
static bool yields(struct http_call *call)
{
    struct pollfd p = {.fd = call->fd, .events = POLLIN};

    if (call->at == call->yielded || call->fd < 0 || call->http->bandwidth.rate > 0 ||
        poll(&p, 1, 0) != 1)
        return false;
    call->yields = true;
    call->yielded = call->at; /* the end of the stream stays readable */
    http_deliver_soon(call->http);
    return true;
}

static size_t on_read(char *data, size_t size, size_t count, void *ctx)
{
    struct http_call *call = ctx;
    struct http_body *b = &call->body;
    int64_t left = b->len - call->at;
    size_t room = size * count;
    ssize_t n;

    if (left <= 0)
        return 0;
    if ((int64_t)room > left)
        room = (size_t)left;
    if (call->at < call->passed && (int64_t)room > call->passed - call->at)
        room = (size_t)(call->passed - call->at); /* of a piece that was held back */
    if (is_to_stop(call))
        return CURL_READFUNC_ABORT;
    room = http_limit_room(call, room);
    if (room == 0)
        return CURL_READFUNC_PAUSE;
    n = read_body(b, data, room, call->at);
    if (n <= 0 || !pass_piece(call, data, n)) {
        call->source_failed = true;
        return CURL_READFUNC_ABORT;
    }
    if (yields(call))
        return CURL_READFUNC_PAUSE; /* the piece is read once more then */
    call->at += n;
    return (size_t)n;
}

static int on_seek(void *ctx, curl_off_t offset, int origin)
{
    struct http_call *call = ctx;

    if (origin != SEEK_SET || offset != 0)
        return CURL_SEEKFUNC_FAIL; /* pieces are hashed in order, from the start */
    call->at = call->passed = call->yielded = 0;
    return CURL_SEEKFUNC_OK;
}

/*
 * Head and body of a small request leave in one piece: one system call, and one wake-up of the store, instead of two each.
 * libcurl does that with a body in memory, which is read here: there is a connection, and the head is made next.
 */
static int on_small(void *ctx, char *peer, char *own, int peer_port, int own_port)
{
    struct http_call *call = ctx;
    const struct http_body *b = &call->body;
    ssize_t n = 1;

    (void)peer;
    (void)own;
    (void)peer_port;
    (void)own_port;
    for (int64_t at = 0; at < b->len && n > 0; at += n)
        n = read_body(b, call->small + at, (size_t)(b->len - at), at);
    call->at = call->passed = 0; /* also when it is sent a second time */
    if (n <= 0 || !pass_piece(call, call->small, b->len)) {
        call->source_failed = true;
        return CURL_PREREQFUNC_ABORT;
    }
    call->at = b->len;
    return CURL_PREREQFUNC_OK;
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct http_call *call = ctx;
    struct http_response *r = &call->response;
    size_t len = size * count;

    call->head_bytes += len;
    if (call->head_bytes > HTTP_HEAD_MAX)
        return 0;
    if (r->has_whole_head && r->status >= 200)
        return len; /* a trailer */
    http_response_add_line(r, line, len);
    if (r->has_whole_head && r->status >= 300)
        http_limit_resume(call);
    return http_intake_wants(call) ? len : 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct http_call *call = ctx;
    struct buf *b = &call->response.body;
    size_t len = size * count, room = b->max - b->len;

    if (call->intake.piece)
        return http_intake_piece(call, data, len);
    (void)buf_add(b, data, len < room ? len : room); /* without memory it is cut too */
    return len;
}

static bool add_header(struct http_call *call, const struct http_header *header)
{
    struct buf *line = &call->http->line;
    struct curl_slist *list = NULL;

    buf_clear(line);
    if (*header->value)
        BUF_PUTS(line, header->name, ": ", header->value);
    else
        BUF_PUTS(line, header->name, ";"); /* libcurl's way to send it empty */
    if (!line->failed)
        list = curl_slist_append(call->headers, line->data);
    if (list)
        call->headers = list;
    return list != NULL;
}

static long buffer_size(const struct http *h, int64_t len)
{
    int64_t size = UPLOAD_ALL / ((int64_t)h->count + 1);

    if (size < UPLOAD_SMALL)
        size = UPLOAD_SMALL;
    if (size > UPLOAD_LARGE)
        size = UPLOAD_LARGE;
    if (size > len)
        size = len;
    return (long)(size < UPLOAD_MIN ? UPLOAD_MIN : size);
}

static void set_body(struct http_call *call)
{
    CURL *easy = call->easy;

    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)call->body.len);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, call);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, call);
    curl_easy_setopt(easy, CURLOPT_EXPECT_100_TIMEOUT_MS, (long)EXPECT_MS);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE,
                     buffer_size(call->http, call->body.len));
}

static void set_small(struct http_call *call)
{
    CURL *easy = call->easy;

    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->small);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_small);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
}

static void set_options(struct http_call *call, const struct http_request *r)
{
    CURL *easy = call->easy;

    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, http_loop_on_open);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, call->http);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, http_loop_on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, call->http);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
    curl_easy_setopt(easy, CURLOPT_URL, r->url);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)KEEP_S);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_ms);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "hoist/" HOIST_VERSION);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    if (r->ca_file && *r->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, r->ca_file);
    if (call->small)
        set_small(call);
    else if (r->body)
        set_body(call);
    if (r->intake)
        http_intake_prepare(call);
    if (strcmp(r->method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
}

/* One that libcurl would send by itself is left out, if line has no value. */
static bool add_line(struct http_call *call, const char *line)
{
    struct curl_slist *list = curl_slist_append(call->headers, line);

    if (list)
        call->headers = list;
    return list != NULL;
}

static bool add_headers(struct http_call *call, const struct http_request *r)
{
    bool has_type = !call->small; /* to a body in memory libcurl gives one */

    for (size_t i = 0; i < r->header_count; i++) {
        has_type = has_type || strcasecmp(r->headers[i].name, "Content-Type") == 0;
        if (!add_header(call, &r->headers[i]))
            return false;
    }
    /* libcurl asks by itself from 1 MiB on. */
    return (has_type || add_line(call, "Content-Type:")) &&
           add_line(call, r->expects ? "Expect: 100-continue" : "Expect:");
}

/* Where bandwidth is limited, or the store is asked first, a body leaves by itself. */
static bool is_small(const struct http_call *call, const struct http_request *r)
{
    return r->body && call->body.len > 0 && call->body.len <= SMALL_MAX &&
           !r->expects && call->http->bandwidth.rate == 0;
}

bool http_easy_prepare(struct http_call *call, const struct http_request *r)
{
    if (is_small(call, r) && !(call->small = malloc((size_t)call->body.len)))
        return false;
    if (!add_headers(call, r))
        return false;
    set_options(call, r);
    return true;
}
