#include "fcgi-app/thread.h"

#include "shared/clock.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { STACK_BYTES = 256 * 1024 };

enum err_code thread_start(pthread_t *ret_thread, const char *name,
                           void *(*run)(void *), void *arg, struct err *e)
{
    pthread_attr_t attr;
    sigset_t all, old;
    int error = pthread_attr_init(&attr);
    if (error != 0)
        return err_set(e, ERR_NOMEM, "thread %s: %s", name, strerror(error));
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES); /* else the default: larger */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &old); /* inherited */
    error = pthread_create(ret_thread, &attr, run, arg);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void)pthread_attr_destroy(&attr);
    if (error != 0)
        return err_set(e, ERR_NOMEM, "thread %s: %s", name, strerror(error));
    (void)pthread_setname_np(*ret_thread, name); /* a name is a convenience */
    return ERR_OK;
}

void thread_stand_back(void)
{
    (void)sched_setscheduler(0, SCHED_BATCH,
                             &(struct sched_param){.sched_priority = 0});
}

void thread_init_lock(pthread_mutex_t *lock, pthread_cond_t *cond)
{
    (void)pthread_mutex_init(lock, NULL);
    thread_init_cond(cond);
}

void thread_init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(cond, &attr);
    (void)pthread_condattr_destroy(&attr);
}

static struct timespec timespec_of(int64_t ms)
{
    return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
}

bool thread_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ms)
{
    struct timespec t = timespec_of(until_ms);
    return pthread_cond_timedwait(cond, lock, &t) != ETIMEDOUT;
}

void thread_sleep_us(int64_t us)
{
    int64_t until_us = clock_mono_us() + us;
    struct timespec t = {.tv_sec = until_us / 1000000,
                         .tv_nsec = until_us % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        continue;
}

void thread_sleep_ms(int64_t ms)
{
    thread_sleep_us(ms * 1000);
}
