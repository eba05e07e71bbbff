#include "tests/support/cluster_fixture.h"

#include "tests/support/wait_until.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { JOIN_MS = 20000 };

static _Noreturn void die(struct cluster_fixture *f, size_t node, const char *what)
{
    fprintf(stderr, "cluster_fixture: node %zu: %s\n", node, what);
    spawn_show_log(&f->nodes[node].redis.server);
    abort();
}

/* --- Ports --- */

/* Linux lets redis-server bind the same address too: both ask for SO_REUSEADDR, and this socket never listens.  It gives
 * the port to nobody who asks for just any. */
static int keep_port(int *ret_fd)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 ||
        bind(fd, (const struct sockaddr *)&at, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0) {
        perror("cluster_fixture: no free port");
        abort();
    }
    *ret_fd = fd;
    return ntohs(at.sin_port);
}

static void format_port(char ret[static 8], int port)
{
    (void)snprintf(ret, 8, "%d", port); /* at most five digits */
}

/* --- Asking --- */

/* The reply must be OK. */
#define DO(f, node, ...)                                                               \
    expect_ok(f, node, redis_fixture_ask(&(f)->nodes[node].redis, __VA_ARGS__, NULL))

static void expect_ok(struct cluster_fixture *f, size_t node, char *reply)
{
    if (strcmp(reply, "OK") != 0)
        die(f, node, reply);
    free(reply);
}

static bool is_whole(struct cluster_fixture *f, size_t node)
{
    static const char *const signs[] = {"cluster_state:ok\r\n",
                                        "cluster_known_nodes:3\r\n",
                                        "cluster_slots_ok:16384\r\n"};
    char *info = redis_fixture_ask(&f->nodes[node].redis, "CLUSTER", "INFO", NULL);
    bool whole = true;

    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        whole = whole && strstr(info, signs[i]);
    free(info);
    return whole;
}

static bool all_whole(struct cluster_fixture *f)
{
    for (size_t i = 0; i < CLUSTER_NODES; i++)
        if (!is_whole(f, i))
            return false;
    return true;
}

/* --- Life cycle --- */

static void start_node(struct cluster_fixture *f, size_t i)
{
    struct cluster_node *n = &f->nodes[i];

    n->port = keep_port(&n->port_fd);
    n->bus_port = keep_port(&n->bus_fd);
    format_port(n->port_text, n->port);
    format_port(n->bus_text, n->bus_port);
    redis_fixture_start_with(
        &n->redis, (const char *const[]){"--port", n->port_text, "--bind", "127.0.0.1",
                                         "--cluster-enabled", "yes", "--cluster-port",
                                         n->bus_text, "--cluster-node-timeout", "2000",
                                         "--enable-debug-command", "yes", NULL});
    char *id = redis_fixture_ask(&n->redis, "CLUSTER", "MYID", NULL);
    if (strlen(id) != 40)
        die(f, i, id);
    memcpy(n->id, id, sizeof n->id);
    free(id);
}

static void give_slots(struct cluster_fixture *f, size_t i)
{
    char first[8], last[8], epoch[8];

    format_port(first, (int)((i * CLUSTER_SLOTS + CLUSTER_NODES - 1) / CLUSTER_NODES));
    format_port(
        last, (int)(((i + 1) * CLUSTER_SLOTS + CLUSTER_NODES - 1) / CLUSTER_NODES) - 1);
    format_port(epoch, (int)i + 1);
    DO(f, i, "CLUSTER", "SET-CONFIG-EPOCH", epoch);
    DO(f, i, "CLUSTER", "ADDSLOTSRANGE", first, last);
}

void cluster_fixture_start(struct cluster_fixture *f)
{
    memset(f, 0, sizeof *f);
    for (size_t i = 0; i < CLUSTER_NODES; i++)
        start_node(f, i);
    for (size_t i = 0; i < CLUSTER_NODES; i++)
        give_slots(f, i);
    for (size_t i = 0; i < CLUSTER_NODES; i++) {
        struct cluster_node *n = &f->nodes[(i + 1) % CLUSTER_NODES];
        DO(f, i, "CLUSTER", "MEET", "127.0.0.1", n->port_text, n->bus_text);
    }
    if (!WAIT_UNTIL(all_whole(f), JOIN_MS))
        die(f, 0, "the cluster did not become whole");
}

void cluster_fixture_stop(struct cluster_fixture *f)
{
    for (size_t i = 0; i < CLUSTER_NODES; i++) {
        struct cluster_node *n = &f->nodes[i];
        redis_fixture_stop(&n->redis);
        (void)close(n->port_fd); /* they held nothing but a number */
        (void)close(n->bus_fd);
    }
}

/* --- Slots --- */

unsigned cluster_slot(const char *tag)
{
    unsigned crc = 0;

    for (; *tag; tag++) {
        crc ^= (unsigned)(unsigned char)*tag << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
        crc &= 0xffff;
    }
    return crc % CLUSTER_SLOTS;
}

/* One line for each node: id address flags primary ... slots; only the node itself has "myself" among its flags and
 * says "[slot->-id]" of what it is about to give away, after its ranges. */
static bool claims(struct cluster_fixture *f, size_t node, unsigned slot)
{
    char *text = redis_fixture_ask(&f->nodes[node].redis, "CLUSTER", "NODES", NULL);
    char *line = strstr(text, "myself");
    bool claimed = false;

    if (!line)
        die(f, node, text);
    line[strcspn(line, "\n")] = '\0';
    char *end = line;
    for (int field = 0; field < 6 && end; field++)
        end = strchr(end + 1, ' ');
    for (char *at = end; at && *at; at += strcspn(at, " ")) {
        at += strspn(at, " ");
        unsigned long first = strtoul(at, &end, 10);
        unsigned long last = *end == '-' ? strtoul(end + 1, NULL, 10) : first;
        claimed |= *at != '[' && *at && slot >= first && slot <= last;
    }
    free(text);
    return claimed;
}

size_t cluster_fixture_owner(struct cluster_fixture *f, unsigned slot)
{
    size_t owner = CLUSTER_NODES;

    for (size_t i = 0; i < CLUSTER_NODES; i++) {
        if (!claims(f, i, slot))
            continue;
        if (owner < CLUSTER_NODES)
            die(f, i, "two nodes say that they have the slot");
        owner = i;
    }
    if (owner == CLUSTER_NODES)
        die(f, 0, "no node says that it has the slot");
    return owner;
}

int64_t cluster_fixture_keys(struct cluster_fixture *f, size_t node, unsigned slot)
{
    char number[8];

    format_port(number, (int)slot);
    return redis_fixture_ask_int(&f->nodes[node].redis, "CLUSTER", "COUNTKEYSINSLOT",
                                 number, NULL);
}

void cluster_fixture_begin_move(struct cluster_fixture *f, unsigned slot, size_t to)
{
    char number[8];

    format_port(number, (int)slot);
    f->from = cluster_fixture_owner(f, slot);
    f->to = to;
    DO(f, to, "CLUSTER", "SETSLOT", number, "IMPORTING", f->nodes[f->from].id);
    DO(f, f->from, "CLUSTER", "SETSLOT", number, "MIGRATING", f->nodes[to].id);
}

/* Split lines in place; how many, at most max. */
static size_t split(char *text, char **ret, size_t max)
{
    size_t n = 0;

    while (*text && n < max) {
        ret[n++] = text;
        text += strcspn(text, "\n");
        if (*text)
            *text++ = '\0';
    }
    return n;
}

size_t cluster_fixture_move_keys(struct cluster_fixture *f, unsigned slot, size_t max)
{
    char *k[CLUSTER_MOVE_MAX] = {NULL}; /* the call below ends at the first NULL */
    char number[8], count[8];
    const char *port = f->nodes[f->to].port_text;

    format_port(number, (int)slot);
    format_port(count, (int)(max < CLUSTER_MOVE_MAX ? max : CLUSTER_MOVE_MAX));
    char *text = redis_fixture_ask(&f->nodes[f->from].redis, "CLUSTER", "GETKEYSINSLOT",
                                   number, count, NULL);
    size_t n = split(text, k, CLUSTER_MOVE_MAX);
    if (n > 0) {
        char *reply = redis_fixture_ask(
            &f->nodes[f->from].redis, "MIGRATE", "127.0.0.1", port, "", "0", "5000",
            "KEYS", k[0], k[1], k[2], k[3], k[4], k[5], k[6], k[7], NULL);
        /* NOKEY: they were deleted or expired in between. */
        if (strcmp(reply, "OK") != 0 && strcmp(reply, "NOKEY") != 0)
            die(f, f->from, reply);
        free(reply);
    }
    free(text);
    return n;
}

void cluster_fixture_end_move(struct cluster_fixture *f, unsigned slot)
{
    char number[8];
    const char *id = f->nodes[f->to].id;

    format_port(number, (int)slot);
    DO(f, f->to, "CLUSTER", "SETSLOT", number, "NODE", id);
    DO(f, f->from, "CLUSTER", "SETSLOT", number, "NODE", id);
    for (size_t i = 0; i < CLUSTER_NODES; i++)
        if (i != f->to && i != f->from)
            DO(f, i, "CLUSTER", "SETSLOT", number, "NODE", id);
}
