/*
 * thread: how the responder's threads are started and how they wait.
 *
 * Threads have small stacks (256 KiB), a name that `ps -L` shows, and every signal blocked: signals are the main
 * thread's.  Waiting is against the monotonic clock (clock_mono_ms).
 */
#ifndef HOIST_FCGI_THREAD_H
#define HOIST_FCGI_THREAD_H

#include "shared/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* name: at most 15 characters.  ERR_NOMEM: the kernel has none to give. */
MUST_CHECK enum err_code thread_start(pthread_t *ret_thread, const char *name,
                                      void *(*run)(void *), void *arg, struct err *e);

/* The calling thread, when it wakes, waits for its turn instead of interrupting whoever runs (SCHED_BATCH); its share is as
 * large as before.  For one whose work may be some ms late.  Where it may not say so it is as it was. */
void thread_stand_back(void);

/* A mutex, and a condition that waits against the monotonic clock; one more of those. */
void thread_init_lock(pthread_mutex_t *lock, pthread_cond_t *cond);
void thread_init_cond(pthread_cond_t *cond);
/* Wait for cond with lock held; false once until_ms has come. */
bool thread_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ms);
/* A pause between tries, where there is no event to wait for. */
void thread_sleep_ms(int64_t ms);
void thread_sleep_us(int64_t us);

#endif
