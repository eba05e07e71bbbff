#include "worker/alive.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"

static const char *file_of(const struct alive *a)
{
    return a->env->config->worker.alive_file;
}

/* --- telling --- */

static void touch(struct alive *a)
{
    struct err e = ERR_INIT;
    int64_t held;

    if (!*file_of(a))
        return;
    int fd =
        open(file_of(a),
             O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0644);
    if (fd < 0 || futimens(fd, NULL) < 0)
        (void)err_errno(&e, ERR_CONFIG, "[worker] alive_file: %s", file_of(a));
    if (fd >= 0)
        (void)close(fd); /* nothing was written */
    if (e.code != ERR_OK && log_limit_passes(&a->said, e.text, clock_mono_ms(), &held))
        log_warn("alive", "cannot be shown", LOG_ERR(&e), log_limit_held(held));
}

static void tell_alive(struct alive *a)
{
    touch(a);
    notify_send(&a->notify, "WATCHDOG=1");
}

static void remove_file(const struct alive *a)
{
    if (*file_of(a))
        (void)unlink(file_of(a)); /* it may not be there */
}

/* --- judging --- */

static int64_t last_ok_ms(const struct alive *a)
{
    int64_t ok_ms = claimer_last_ok_ms(a->claimer);

    return ok_ms > a->begun_ms ? ok_ms : a->begun_ms;
}

static void change(struct alive *a, bool is_alive, int64_t silent_ms)
{
    if (!is_alive)
        remove_file(a); /* before it is said */
    if (is_alive)
        log_info("alive", "alive again");
    else
        log_error("alive", "not alive: no claim and no wait for work has succeeded",
                  LOG_INT("ms", silent_ms));
    notify_send(&a->notify, is_alive ? "STATUS=working"
                                     : "STATUS=not alive: Redis gives no answer");
    a->is_alive = is_alive;
    a->on_change(is_alive, a->ctx);
}

static void on_timer(uv_timer_t *timer)
{
    struct alive *a = timer->data;

    if (a->claimer) {
        int64_t silent_ms = clock_mono_ms() - last_ok_ms(a);
        bool is_alive = silent_ms < ALIVE_LIMIT_MS;
        if (is_alive != a->is_alive)
            change(a, is_alive, silent_ms);
        if (silent_ms >= ALIVE_LIMIT_MS / 2)
            claimer_probe(a->claimer);
    }
    if (a->is_alive)
        tell_alive(a);
}

/* --- life cycle --- */

void alive_init(struct alive *a, const struct worker_env *env)
{
    *a = (struct alive){.env = env, .is_alive = true, .notify = {.fd = -1}};
    (void)uv_timer_init(env->loop, &a->timer); /* cannot fail */
    a->timer.data = a;
}

void alive_start(struct alive *a, struct claimer *claimer,
                 void (*on_change)(bool is_alive, void *ctx), void *ctx)
{
    int64_t every_ms = notify_watchdog_ms() / 2;

    if (every_ms <= 0 || every_ms > ALIVE_TICK_MS)
        every_ms = ALIVE_TICK_MS;
    a->claimer = claimer;
    a->on_change = on_change;
    a->ctx = ctx;
    a->begun_ms = clock_mono_ms();
    notify_open(&a->notify);
    notify_send(&a->notify, "READY=1");
    tell_alive(a);
    (void)uv_timer_start(&a->timer, on_timer, (uint64_t)every_ms, (uint64_t)every_ms);
}

void alive_drain(struct alive *a)
{
    a->claimer = NULL;
    a->is_alive = true;
    notify_send(&a->notify, "STOPPING=1");
    tell_alive(a);
}

void alive_close(struct alive *a)
{
    if (a->begun_ms)
        remove_file(a);
    notify_close(&a->notify);
    uv_close((uv_handle_t *)&a->timer, NULL);
}
