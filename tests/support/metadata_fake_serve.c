#include "tests/support/metadata_fake_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

enum { HUGE_BYTES = 1 << 20 };

#define ROLES "/latest/meta-data/iam/security-credentials/"
#define IMDS_TOKEN "an-imds-token=="

/* Whether the head has this line, compared from its start. */
static bool has_line(const char *request, const char *line)
{
    size_t len = strlen(line);

    for (const char *at = strstr(request, "\r\n"); at && at[2] != '\r';
         at = strstr(at + 2, "\r\n"))
        if (strncasecmp(at + 2, line, len) == 0)
            return true;
    return false;
}

static size_t body_length(const char *request)
{
    const char *at = strcasestr(request, "\r\nContent-Length:");

    return at ? strtoul(at + 17, NULL, 10) : 0;
}

/* Head and body into c->request; false: the client has gone. */
static bool read_request(struct connection *c)
{
    size_t filled = 0;

    for (;;) {
        const char *end = strstr(c->request, "\r\n\r\n");
        if (end && filled >= (size_t)(end + 4 - c->request) + body_length(c->request))
            return true;
        ssize_t n = filled < REQUEST_MAX
                        ? recv(c->fd, c->request + filled, REQUEST_MAX - filled, 0)
                        : 0;
        if (n <= 0)
            return false;
        filled += (size_t)n;
        c->request[filled] = '\0';
    }
}

static void send_all(struct connection *c, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        data += n;
        len -= (size_t)n;
    }
}

static void answer(struct connection *c, int status, const char *body)
{
    char text[4096];
    int len = snprintf(text, sizeof text,
                       "HTTP/1.1 %d Scripted\r\nContent-Length: %zu\r\n"
                       "Connection: close\r\n\r\n%s",
                       status, strlen(body), body);

    send_all(c, text, (size_t)len);
}

static void answer_huge(struct connection *c)
{
    static char body[HUGE_BYTES];
    static const char begin[] =
        "{\"Code\":\"Success\",\"AccessKeyId\":\"AKIA\",\"Token\":\"";
    char head[128];
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", HUGE_BYTES);

    memset(body, 'x', sizeof body);
    memcpy(body, begin, sizeof begin - 1);
    send_all(c, head, (size_t)len);
    send_all(c, body, sizeof body);
}

struct handed_out {
    int generation;
    char expires[32];
};

static struct handed_out hand_out(struct metadata_fake *m)
{
    struct handed_out h;
    struct tm tm;

    pthread_mutex_lock(&m->lock);
    h.generation = m->generation;
    time_t at = time(NULL) + (time_t)m->life_s;
    if (m->rotating)
        m->generation++;
    pthread_mutex_unlock(&m->lock);
    (void)gmtime_r(&at, &tm);
    (void)strftime(h.expires, sizeof h.expires, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return h;
}

static void answer_json(struct connection *c)
{
    struct handed_out h = hand_out(c->fake);
    char body[1024];

    (void)snprintf(
        body, sizeof body,
        "{\n  \"Code\" : \"Success\",\n  \"Type\" : \"AWS-HMAC\",\n"
        "  \"AccessKeyId\" : \"AKIA%d\",\n"
        "  \"SecretAccessKey\" : \"secret-%d\",\n  \"Token\" : \"token-%d\",\n"
        "  \"Expiration\" : \"%s\"\n}",
        h.generation, h.generation, h.generation, h.expires);
    answer(c, 200, body);
}

static void answer_sts(struct connection *c)
{
    struct handed_out h = hand_out(c->fake);
    char body[2048];

    if (!strstr(c->request, "WebIdentityToken=web-token")) {
        answer(c, 400,
               "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
               "<Error><Type>Sender</Type><Code>InvalidIdentityToken</Code>"
               "<Message>not ours</Message></Error></ErrorResponse>");
        return;
    }
    (void)snprintf(
        body, sizeof body,
        "<AssumeRoleWithWebIdentityResponse "
        "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
        "<AssumeRoleWithWebIdentityResult>"
        "<AssumedRoleUser><Arn>arn</Arn></AssumedRoleUser><Credentials>"
        "<AccessKeyId>AKIA%d</AccessKeyId><SecretAccessKey>secret-%d</SecretAccessKey>"
        "<SessionToken>token-%d</SessionToken><Expiration>%s</Expiration>"
        "</Credentials></AssumeRoleWithWebIdentityResult>"
        "</AssumeRoleWithWebIdentityResponse>",
        h.generation, h.generation, h.generation, h.expires);
    answer(c, 200, body);
}

static bool starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static enum metadata_request kind_of(const char *request)
{
    if (starts(request, "PUT /latest/api/token "))
        return METADATA_TOKEN;
    if (starts(request, "GET " ROLES " "))
        return METADATA_ROLE;
    if (starts(request, "GET " ROLES "hoist-role "))
        return METADATA_KEYS;
    if (starts(request, "GET /container "))
        return METADATA_CONTAINER;
    return starts(request, "POST / ") ? METADATA_STS : METADATA_REQUESTS;
}

static void behave(struct connection *c, enum metadata_request kind)
{
    bool knows = has_line(c->request, "X-aws-ec2-metadata-token: " IMDS_TOKEN "\r\n");

    switch (kind) {
    case METADATA_TOKEN:
        if (has_line(c->request, "X-aws-ec2-metadata-token-ttl-seconds: "))
            answer(c, 200, IMDS_TOKEN);
        else
            answer(c, 400, "");
        return;
    case METADATA_ROLE:
        answer(c, knows ? 200 : 401, knows ? "hoist-role" : "");
        return;
    case METADATA_KEYS:
        if (knows)
            answer_json(c);
        else
            answer(c, 401, "");
        return;
    case METADATA_CONTAINER:
        if (has_line(c->request, "Authorization: pod-token\r\n"))
            answer_json(c);
        else
            answer(c, 401, "");
        return;
    case METADATA_STS:
        answer_sts(c);
        return;
    case METADATA_REQUESTS:
        break;
    }
    answer(c, 404, "");
}

/* Count it, and wait at the gate; what it is to suffer. */
static struct metadata_fault arrive(struct connection *c, enum metadata_request kind)
{
    struct metadata_fake *m = c->fake;
    struct metadata_fault fault = {METADATA_NONE, 0};

    pthread_mutex_lock(&m->lock);
    if (kind < METADATA_REQUESTS)
        m->counts[kind]++;
    if (++m->under_way > m->most)
        m->most = m->under_way;
    (void)memcpy(m->latest, c->request, sizeof m->latest);
    if (m->fault_at < m->fault_count)
        fault = m->faults[m->fault_at++];
    while ((m->gate_closed || fault.kind == METADATA_HANG) && !m->stopping)
        pthread_cond_wait(&m->changed, &m->lock);
    m->under_way--; /* before the answer: the next request may come before it has been sent whole */
    pthread_mutex_unlock(&m->lock);
    return fault;
}

void metadata_fake_serve(struct connection *c)
{
    if (!read_request(c))
        return;
    enum metadata_request kind = kind_of(c->request);
    struct metadata_fault fault = arrive(c, kind);

    if (fault.kind == METADATA_STATUS)
        answer(c, fault.status, "");
    else if (fault.kind == METADATA_GARBAGE)
        answer(c, 200, "\x01<html>no\nkeys</html>");
    else if (fault.kind == METADATA_HUGE)
        answer_huge(c);
    else if (fault.kind == METADATA_NONE)
        behave(c, kind);
}
