#include "fcgi-app/server.h"

#include "fcgi-app/app.h"
#include "fcgi-app/events/listeners.h"
#include "fcgi-app/fastcgi/handlers.h"
#include "fcgi-app/auth/policies.h"
#include "fcgi-app/auth/quota.h"
#include "fcgi-app/upload/sniff.h"
#include "fcgi-app/metrics/metrics.h"
#include "fcgi-app/thread.h"
#include "shared/cleanup.h"
#include "shared/log.h"
#include "shared/peers.h"
#include "shared/redis_check.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DRAIN_MS = 30000, FLUSH_MS = 2000, SNIFFERS = 4, OTHER_FDS = 128 };

struct server {
    struct app app;
    struct handlers *handlers;
    pthread_t gate_thread;
    bool gate_runs;
    int signal_fd, done_fd; /* done_fd: the gate thread has ended */
    int64_t flush_ms;
    struct peers peers;
};

static void *run_gate(void *arg)
{
    struct server *s = arg;
    uint64_t one = 1;
    gate_run(s->app.gate);
    ssize_t n = write(s->done_fd, &one, sizeof one);
    (void)n; /* an empty eventfd takes it */
    return NULL;
}

/* Signals arrive through a descriptor, in the main thread alone. */
static enum err_code open_signals(struct server *s, struct err *e)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is EFBIG, not death */
    (void)signal(SIGUSR1, SIG_IGN); /* what some start programs send to reopen logs */
    (void)signal(SIGUSR2, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return err_errno(e, ERR_CONFIG, "sigprocmask");
    (void)signal(SIGHUP, SIG_DFL); /* what is ignored is not delivered */
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    s->done_fd = eventfd(0, EFD_CLOEXEC);
    if (s->signal_fd < 0 || s->done_fd < 0)
        return err_errno(e, ERR_CONFIG, "signalfd");
    return ERR_OK;
}

static void on_tick(void *ctx)
{
    struct server *s = ctx;
    handlers_tick(s->handlers);
}

/* Only where some list of types is configured: it costs memory, and a database must be there. */
static enum err_code open_sniffer(struct app *app, struct err *e)
{
    const struct config *c = app->config;
    bool wanted = false;
    for (size_t i = 0; i < c->queue_count; i++)
        wanted = wanted || *c->queues[i].allow_types;
    for (size_t i = 0; i < c->destination_count; i++)
        wanted = wanted || *c->destinations[i].allow_types;
    for (size_t i = 0; !wanted && i < c->auth_count; i++)
        if (policies_has_key(&c->auths[i])) { /* what is declared can be judged alone */
            if (sniffer_open(SNIFFERS, &app->sniffer, e))
                log_warn("server", "types of policies are those that clients declare",
                         LOG_ERR(e));
            return ERR_OK;
        }
    if (wanted && sniffer_open(SNIFFERS, &app->sniffer, e)) {
        (void)err_prefix(e, "allow_types");
        return e->code;
    }
    return ERR_OK;
}

/* A connection is a descriptor, an upload under way three more; what login shells and init give is 1024. */
static void raise_descriptors(const struct config_http *http)
{
    struct rlimit limit;
    rlim_t want = (rlim_t)(http->max_connections + http->max_waiters +
                           http->max_listeners + 3 * http->max_threads + OTHER_FDS);
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= want)
        return;
    bool enough = limit.rlim_max >= want;
    limit.rlim_cur = enough ? want : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || !enough)
        log_warn("server",
                 "too few descriptors for max_connections, max_waiters and "
                 "max_listeners",
                 LOG_INT("limit", limit.rlim_cur), LOG_INT("wanted", want));
}

static enum err_code start(struct server *s, const struct listener *listener,
                           struct err *e)
{
    const struct config_http *http = &s->app.config->http;
    if (listener->fd >= 0 && peers_init(&s->peers, http->peer_users, http->web_servers,
                                        getenv("FCGI_WEB_SERVER_ADDRS"), e))
        return e->code;
    raise_descriptors(http);
    struct gate_options options = {
        .peers = &s->peers,
        .listen_fd = listener->fd,
        .own_listener = listener->path != NULL,
        .max_connections = (size_t)http->max_connections,
        .max_parked = (size_t)(http->max_waiters + http->max_listeners),
        .receive_timeout_ms = http->receive_timeout_seconds * 1000,
        .send_timeout_ms = http->send_timeout_seconds * 1000,
        .drain_ms = DRAIN_MS,
        .on_tick = on_tick,
        .ctx = s,
    };
    struct app *app = &s->app;
    if (body_files_init(app->config, app->spool, &app->bodies, e) ||
        open_sniffer(app, e) || app_set_redis(&s->app, &s->app.config->redis, e) ||
        gate_open(&options, &s->app.gate, e) ||
        publisher_start(&(struct publisher_options){app->config, &app->redis,
                                                    &app->waits, &app->redis_us},
                        &app->publisher, e) ||
        rooms_open(app->config, &app->redis, &app->breaker, &app->rooms, e) ||
        quotas_open(app->config, &app->quotas, e) ||
        marks_start(&(struct marks_options){app->config, app->spool, &app->redis,
                                            &app->breaker},
                    &app->marks, e) ||
        metrics_open(&app->metrics, e) ||
        listeners_start(&s->app, &s->app.listeners, e) ||
        handlers_start(&s->app, (size_t)http->threads, (size_t)http->max_threads,
                       &s->handlers, e) ||
        thread_start(&s->gate_thread, "gate", run_gate, s, e))
        return e->code;
    s->gate_runs = true;
    return ERR_OK;
}

static void on_signal(struct server *s, int number)
{
    if (number == SIGHUP) {
        log_info("server", "restart to reload; connections drain");
    } else if (gate_is_stopping(s->app.gate)) {
        log_warn("server", "told to stop twice: stopping at once");
        _exit(1);
    } else {
        log_info("server", "draining");
        gate_stop(s->app.gate);
    }
}

static void wait_for_end(struct server *s)
{
    struct pollfd fds[] = {{.fd = s->signal_fd, .events = POLLIN},
                           {.fd = s->done_fd, .events = POLLIN}};
    while (!(fds[1].revents & POLLIN)) {
        struct signalfd_siginfo info;
        if (poll(fds, 2, -1) < 0 || !(fds[0].revents & POLLIN))
            continue;
        if (read(s->signal_fd, &info, sizeof info) == sizeof info)
            on_signal(s, (int)info.ssi_signo);
    }
}

static void stop(struct server *s)
{
    if (s->gate_runs) {
        gate_stop(s->app.gate);
        (void)pthread_join(s->gate_thread, NULL);
    } else if (s->app
                   .gate) { /* no thread for it; the handlers shall end all the same */
        gate_stop(s->app.gate);
        gate_cut(s->app.gate);
    }
    handlers_join(s->handlers);       /* they may still park requests and push jobs */
    listeners_stop(s->app.listeners); /* answers what they have parked */
    publisher_stop(s->app.publisher, s->flush_ms);
    marks_stop(s->app.marks);
    metrics_close(s->app.metrics);
    rooms_close(s->app.rooms);
    quotas_close(s->app.quotas);
    sniffer_close(s->app.sniffer);
    gate_close(s->app.gate);
    redis_target_release(&s->app.redis.target);
    if (s->signal_fd >= 0)
        (void)close(s->signal_fd);
    if (s->done_fd >= 0)
        (void)close(s->done_fd);
}

enum err_code server_check(const struct config *config, struct err *e)
{
    struct app app = {.config = config};
    enum err_code code = app_set_redis(&app, &config->redis, e);
    if (!code)
        code = redis_check_start(&app.redis, e);
    redis_target_release(&app.redis.target);
    return code;
}

static enum err_code init(struct server *s, const struct config *config,
                          struct spool *spool, struct err *e)
{
    *s = (struct server){.app = {.config = config, .spool = spool},
                         .signal_fd = -1,
                         .done_fd = -1,
                         .flush_ms = FLUSH_MS};
    waits_init(&s->app.waits, config);
    return open_signals(s, e);
}

enum err_code server_run(const struct config *config, struct spool *spool,
                         const struct listener *listener, struct err *e)
{
    struct server s;
    enum err_code code = init(&s, config, spool, e);
    if (!code)
        code = start(&s, listener, e);
    if (!code) {
        log_info("server", "ready", LOG_STR("version", HOIST_VERSION),
                 LOG_INT("threads", config->http.threads));
        wait_for_end(&s);
    }
    stop(&s);
    if (!code)
        log_info("server", "stopped");
    return code;
}

/* --- By CGI --- */

/* Nobody waits for anything at the web server's ends from here on. */
static void leave_web_server(void)
{
    CLEANUP(fd_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 1; fd++)
        if (null < 0 || dup2(null, fd) < 0)
            (void)close(fd);
}

static enum err_code carry(struct server *s, const struct cgi_request *request,
                           struct err *e)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return err_errno(e, ERR_RETRY, "socketpair");
    CLEANUP(fd_close) int ours = ends[0];
    if (!gate_adopt(s->app.gate, ends[1])) {
        (void)close(ends[1]);
        return err_set(e, ERR_RETRY, "no connection is free");
    }
    return cgi_carry(
        request,
        &(struct cgi_ends){0, 1, ours, s->signal_fd,
                           s->app.config->http.send_timeout_seconds * 1000},
        e);
}

enum err_code server_run_cgi(const struct config *config, struct spool *spool,
                             const struct cgi_request *request, struct err *e)
{
    struct listener none = LISTENER_INIT;
    struct server s;
    enum err_code code = init(&s, config, spool, e);
    s.flush_ms = SERVER_CGI_FLUSH_MS;
    if (!code)
        code = start(&s, &none, e);
    if (!code) {
        code = carry(&s, request, e);
        if (code != ERR_REJECT)
            leave_web_server();
    }
    stop(&s);
    return code;
}
