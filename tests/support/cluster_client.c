#include "tests/support/cluster_client.h"

#include "tests/support/cluster_fixture.h"
#include "tests/support/wait_until.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_MAX = 63, CONNECT_MS = 5000 };

struct node {
    char host[HOST_MAX + 1];
    int port;
    struct redis *redis;
};

struct cluster_client {
    struct cluster_client_options options;
    struct node nodes[CLUSTER_CLIENT_NODES_MAX];
    size_t count;
    unsigned char
        owner[CLUSTER_SLOTS]; /* index in nodes; a guess until a node says MOVED */
    struct cluster_client_counts counts;
};

/* --- Nodes --- */

static enum err_code add_node(struct cluster_client *c, const char *host, int port,
                              size_t *ret, struct err *e)
{
    char copy[HOST_MAX + 1];

    if (c->count == CLUSTER_CLIENT_NODES_MAX)
        return err_set(e, ERR_REJECT, "cluster: more nodes than there is room for");
    (void)snprintf(copy, sizeof copy, "%s", host); /* parse_address has looked */
    enum err_code rc =
        redis_open(&(struct redis_options){.target = {.host = copy, .port = port},
                                           .connect_timeout_ms = CONNECT_MS,
                                           .timeout_ms = c->options.timeout_ms},
                   &c->nodes[c->count].redis, e);
    if (rc != ERR_OK)
        return rc;
    memcpy(c->nodes[c->count].host, copy, sizeof copy);
    c->nodes[c->count].port = port;
    *ret = c->count++;
    return ERR_OK;
}

static enum err_code find_node(struct cluster_client *c, const char *host, int port,
                               size_t *ret, struct err *e)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->nodes[i].port == port && strcmp(c->nodes[i].host, host) == 0) {
            *ret = i;
            return ERR_OK;
        }
    }
    return add_node(c, host, port, ret, e);
}

enum err_code cluster_client_open(const struct cluster_client_options *o,
                                  struct cluster_client **ret_client, struct err *e)
{
    struct cluster_client *c = calloc(1, sizeof *c);
    size_t first;

    if (!c)
        return err_set(e, ERR_NOMEM, "cluster: no memory for a client");
    c->options = *o;
    enum err_code rc = add_node(c, "127.0.0.1", o->port, &first, e);
    if (rc != ERR_OK) {
        cluster_client_close(c);
        return rc;
    }
    *ret_client = c;
    return ERR_OK;
}

void cluster_client_close(struct cluster_client *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        redis_close(c->nodes[i].redis);
    free(c);
}

struct cluster_client_counts cluster_client_counts(const struct cluster_client *c)
{
    return c->counts;
}

/* --- Redirections --- */

/* "WORD slot host:port"; an empty host means that of the node that says so.  False: not such a reply. */
static bool parse_redirect(const char *text, const char *word, unsigned slot,
                           char ret_host[static HOST_MAX + 1], int *ret_port)
{
    size_t n = strlen(word);
    char *end;

    if (strncmp(text, word, n) != 0 || text[n] != ' ')
        return false;
    if (strtoul(text + n + 1, &end, 10) != slot || *end != ' ')
        return false;
    const char *host = end + 1, *colon = strrchr(host, ':');
    if (!colon || colon - host > HOST_MAX)
        return false;
    long port = strtol(colon + 1, &end, 10);
    if (*end || port < 1 || port > 65535)
        return false;
    if (colon > host) {
        memcpy(ret_host, host, (size_t)(colon - host));
        ret_host[colon - host] = '\0';
    }
    *ret_port = (int)port;
    return true;
}

static enum err_code exchange(struct node *n, const struct redis_cmd *cmd, bool asking,
                              struct redis_value **ret, struct err *e)
{
    struct redis_cmd pair[2] = {{.failed = true}, *cmd}; /* borrows what cmd owns */
    struct redis_value *replies[2] = {NULL, NULL};

    if (!asking)
        return redis_pipeline(n->redis, cmd, 1, ret, e);
    redis_cmd_init(&pair[0]);
    redis_cmd_begin(&pair[0], "ASKING");
    enum err_code rc = redis_pipeline(n->redis, pair, 2, replies, e);
    redis_cmd_release(&pair[0]);
    redis_reply_free(replies[0]);
    *ret = replies[1];
    return rc;
}

static bool says(const char *text, const char *word)
{
    size_t n = strlen(word);

    return strncmp(text, word, n) == 0 && (text[n] == ' ' || !text[n]);
}

/* Where to go with an error reply: true and *node, *asking changed, or left as they are to ask the same again. */
static enum err_code follow(struct cluster_client *c, unsigned slot, const char *text,
                            size_t *node, bool *asking, bool *ret_followed,
                            struct err *e)
{
    char host[HOST_MAX + 1];
    int port = 0;

    memcpy(host, c->nodes[*node].host, sizeof host);
    *ret_followed = true;
    if (parse_redirect(text, "MOVED", slot, host, &port)) {
        enum err_code rc = find_node(c, host, port, node, e);
        if (rc == ERR_OK)
            c->owner[slot] = (unsigned char)*node;
        c->counts.moved++;
        *asking = false;
        return rc;
    }
    if (parse_redirect(text, "ASK", slot, host, &port)) {
        c->counts.asked++;
        *asking = true;
        return find_node(c, host, port, node, e);
    }
    c->counts.try_again += says(text, "TRYAGAIN");
    c->counts.down += says(text, "CLUSTERDOWN");
    *ret_followed = says(text, "TRYAGAIN") || says(text, "CLUSTERDOWN");
    if (*ret_followed) {
        wait_a_moment();
        *node = c->owner[slot]; /* the move may have gone on: ask from the start */
        *asking = false;
    }
    return ERR_OK;
}

enum err_code cluster_client_call(struct cluster_client *c, unsigned slot,
                                  const struct redis_cmd *cmd,
                                  struct redis_value **ret_reply, struct err *e)
{
    int64_t deadline_ms = wait_now_ms() + c->options.deadline_ms;
    size_t node = c->owner[slot];
    bool asking = false;

    for (;;) {
        struct redis_value *reply = NULL;
        bool followed = false;
        enum err_code rc = exchange(&c->nodes[node], cmd, asking, &reply, e);
        if (rc != ERR_OK)
            return rc;
        if (redis_value_type(reply) != REDIS_ERROR) {
            *ret_reply = reply;
            return ERR_OK;
        }
        rc =
            follow(c, slot, redis_value_str(reply, NULL), &node, &asking, &followed, e);
        if (rc == ERR_OK && (!followed || wait_now_ms() >= deadline_ms))
            rc = redis_value_error(reply, e);
        redis_reply_free(reply);
        if (rc != ERR_OK)
            return rc;
    }
}
