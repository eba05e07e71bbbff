#include "fcgi-app/fastcgi/listen_queue.h"

#include "shared/cleanup.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { ANSWER_BYTES = 1024 };

static bool ask(int netlink_fd, ino_t inode)
{
    struct {
        struct nlmsghdr head;
        struct unix_diag_req body;
    } question = {
        .head = {.nlmsg_len = sizeof question,
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_family = AF_UNIX,
                 .udiag_states = 1U << TCP_LISTEN,
                 .udiag_ino = (unsigned)inode,
                 .udiag_show = UDIAG_SHOW_RQLEN,
                 .udiag_cookie = {~0U, ~0U}}, /* any */
    };
    return send(netlink_fd, &question, sizeof question, MSG_DONTWAIT) ==
           (ssize_t)sizeof question;
}

/* The kernel has answered before send returned. */
static bool read_answer(int netlink_fd, struct unix_diag_rqlen *ret)
{
    union {
        struct nlmsghdr head;
        char bytes[ANSWER_BYTES];
    } answer;
    ssize_t n = recv(netlink_fd, &answer, sizeof answer, MSG_DONTWAIT);
    size_t fixed = NLMSG_LENGTH(sizeof(struct unix_diag_msg));
    if (n < (ssize_t)fixed || answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return false;
    for (size_t at = NLMSG_ALIGN(fixed); at + sizeof(struct rtattr) <= (size_t)n;) {
        struct rtattr a;
        memcpy(&a, answer.bytes + at, sizeof a);
        if (a.rta_type == UNIX_DIAG_RQLEN && a.rta_len >= RTA_LENGTH(sizeof *ret) &&
            at + RTA_LENGTH(sizeof *ret) <= (size_t)n) {
            memcpy(ret, answer.bytes + at + RTA_LENGTH(0), sizeof *ret);
            return true;
        }
        if (a.rta_len < sizeof a)
            return false;
        at += RTA_ALIGN(a.rta_len);
    }
    return false;
}

static bool look_at_unix(int listen_fd, int64_t *ret_waiting, int64_t *ret_max)
{
    struct unix_diag_rqlen lengths;
    struct stat st;
    CLEANUP(fd_close)
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0 || fstat(listen_fd, &st) < 0 || !ask(fd, st.st_ino) ||
        !read_answer(fd, &lengths))
        return false;
    *ret_waiting = lengths.udiag_rqueue;
    *ret_max = lengths.udiag_wqueue;
    return true;
}

static bool look_at_tcp(int listen_fd, int64_t *ret_waiting, int64_t *ret_max)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    if (getsockopt(listen_fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return false;
    *ret_waiting =
        info.tcpi_unacked; /* of a listening socket these two are its queue */
    *ret_max = info.tcpi_sacked;
    return true;
}

bool listen_queue_look(int listen_fd, int64_t *ret_waiting, int64_t *ret_max)
{
    int family = 0;
    socklen_t len = sizeof family;
    if (listen_fd < 0 ||
        getsockopt(listen_fd, SOL_SOCKET, SO_DOMAIN, &family, &len) < 0)
        return false;
    return family == AF_UNIX ? look_at_unix(listen_fd, ret_waiting, ret_max)
                             : look_at_tcp(listen_fd, ret_waiting, ret_max);
}
