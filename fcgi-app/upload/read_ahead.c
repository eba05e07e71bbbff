#include "fcgi-app/upload/read_ahead.h"

#include "fcgi-app/thread.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct read_ahead {
    int fd;
    pthread_t thread;
    /* Of the next five; a piece is the thread's until it counts as read. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t read_count, used_count; /* pieces, ever */
    bool stopping;
    int error; /* errno of the read behind the last piece; 0: none */
    size_t lens[READ_AHEAD_PIECES];
    bool is_held; /* the caller's: he has the piece that is next to be used */
    char pieces[READ_AHEAD_PIECES][READ_AHEAD_PIECE_BYTES];
};

static atomic_int threads;

/* All that there is up to a piece. */
static size_t read_piece(int fd, char *piece, int *ret_error)
{
    size_t len = 0;
    while (len < READ_AHEAD_PIECE_BYTES) {
        ssize_t n = read(fd, piece + len, READ_AHEAD_PIECE_BYTES - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            *ret_error = errno;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    return len;
}

/* Once all are full half of them must be used before it goes on: fewer wake-ups for the two. */
static void wait_for_room(struct read_ahead *a)
{
    bool is_full = a->read_count - a->used_count == READ_AHEAD_PIECES;
    while (is_full && !a->stopping &&
           a->read_count - a->used_count > READ_AHEAD_PIECES / 2)
        (void)pthread_cond_wait(&a->changed, &a->lock);
}

static void *run(void *arg)
{
    struct read_ahead *a = arg;
    size_t len = READ_AHEAD_PIECE_BYTES;
    (void)pthread_mutex_lock(&a->lock);
    while (len == READ_AHEAD_PIECE_BYTES) {
        int error = 0;
        wait_for_room(a);
        if (a->stopping)
            break;
        size_t at = a->read_count % READ_AHEAD_PIECES;
        (void)pthread_mutex_unlock(&a->lock);
        len = read_piece(a->fd, a->pieces[at], &error);
        (void)pthread_mutex_lock(&a->lock);
        a->lens[at] = len;
        a->error = error;
        a->read_count++;
        if (a->read_count - a->used_count == 1)
            (void)pthread_cond_signal(&a->changed);
    }
    (void)pthread_mutex_unlock(&a->lock);
    return NULL;
}

static void release(struct read_ahead *a)
{
    (void)pthread_cond_destroy(&a->changed);
    (void)pthread_mutex_destroy(&a->lock);
    free(a);
    atomic_fetch_sub(&threads, 1);
}

struct read_ahead *read_ahead_start(int fd)
{
    struct err ignored = ERR_INIT;
    struct read_ahead *a = NULL;
    if (atomic_fetch_add(&threads, 1) >= READ_AHEAD_MAX || !(a = malloc(sizeof *a))) {
        atomic_fetch_sub(&threads, 1);
        return NULL;
    }
    a->fd = fd;
    a->read_count = a->used_count = 0;
    a->stopping = a->is_held = false;
    a->error = 0;
    thread_init_lock(&a->lock, &a->changed);
    if (thread_start(&a->thread, "ahead", run, a, &ignored)) {
        release(a);
        return NULL;
    }
    return a;
}

void read_ahead_stop(struct read_ahead *a)
{
    if (!a)
        return;
    (void)pthread_mutex_lock(&a->lock);
    a->stopping = true;
    (void)pthread_cond_signal(&a->changed);
    (void)pthread_mutex_unlock(&a->lock);
    (void)pthread_join(a->thread, NULL);
    release(a);
}

/* The piece that was given away last is free again. */
static void give_back(struct read_ahead *a)
{
    if (!a->is_held)
        return;
    a->is_held = false;
    a->used_count++;
    if (a->read_count - a->used_count == READ_AHEAD_PIECES / 2)
        (void)pthread_cond_signal(&a->changed);
}

enum err_code read_ahead_next(struct read_ahead *a, const void **ret_data,
                              size_t *ret_len, struct err *e)
{
    (void)pthread_mutex_lock(&a->lock);
    give_back(a);
    while (a->read_count == a->used_count)
        (void)pthread_cond_wait(&a->changed, &a->lock);
    size_t at = a->used_count % READ_AHEAD_PIECES;
    size_t len = a->lens[at];
    /* Of the last piece: the thread reads no further. */
    int error = len < READ_AHEAD_PIECE_BYTES ? a->error : 0;
    a->is_held = true;
    (void)pthread_mutex_unlock(&a->lock);
    if (error != 0) {
        errno = error;
        return err_errno(e, ERR_RETRY, "read the body's file");
    }
    *ret_data = a->pieces[at];
    *ret_len = len;
    return ERR_OK;
}
