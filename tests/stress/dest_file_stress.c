/*
 * dest_file_stress: many copies to one file: destination at once, on the thread pool.
 *
 *     endless  one in ten, a spool file of 64 GiB (all hole): aborted from the loop once bytes have moved, so that the
 *              copy is under way for certain; must end as aborted
 *     hasty    one in three: aborted from the loop at some point; may be done or aborted
 *     others   must be done
 *
 * What was told done is there, whole; what was not is not there.
 * Plain main() for ThreadSanitizer, which Criterion does not work with.
 */
#include "worker/dest/dest_file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/digest.h"
#include "tests/support/tmpdir.h"

enum { RUNS = 300, SIZE = 300 * 1024 };
#define ENDLESS_BYTES ((int64_t)64 << 30)

struct run {
    struct job job;
    struct destination_run *run;
    bool endless, hasty;
    bool ended, done, aborted;
};

static char body[SIZE];

static void on_done(struct outcome *o, void *ctx)
{
    struct run *r = ctx;

    r->ended = true;
    r->done = o->done;
    r->aborted = o->aborted;
    if (!o->done && !o->aborted)
        fprintf(stderr, "dest_file_stress: %s\n", o->error);
}

static bool begin(struct destination *d, struct run *r, int number)
{
    struct err e = ERR_INIT;
    char key[32];

    (void)snprintf(key, sizeof key, "d%d/o%d", number % 7, number);
    r->job = (struct job)JOB_INIT;
    r->job.id.uuid = id_new();
    r->endless = number % 10 == 1;
    r->hasty = number % 3 == 0 && !r->endless;
    r->job.size = r->endless ? ENDLESS_BYTES : SIZE;
    r->job.sha256 = malloc(DIGEST_SHA256_HEX + 1);
    int fd = memfd_create("spool", MFD_CLOEXEC);
    if (!r->job.sha256 || fd < 0 || write(fd, body, SIZE) != SIZE ||
        ftruncate(fd, (off_t)r->job.size) < 0 ||
        digest_sha256_hex(body, SIZE, r->job.sha256, &e) != ERR_OK ||
        job_set_key(&r->job, key, strlen(key), &e) != ERR_OK)
        return false;
    struct destination_work w = {.job = &r->job, .fd = fd, .done = on_done, .ctx = r};
    r->run = destination_begin(d, &w);
    return r->run != NULL;
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer; /* the loop turns, which is all it is for */
}

static void abort_some(struct destination *d, struct run *runs, int turn)
{
    struct run *hasty = &runs[turn * 3 % RUNS];

    if (hasty->hasty && !hasty->ended)
        destination_abort(d, hasty->run);
    for (int i = 0; i < RUNS; i++)
        if (runs[i].endless && !runs[i].ended && destination_sent(d, runs[i].run) > 0)
            destination_abort(d, runs[i].run);
}

/* One turn of the loop after another until all have ended. */
static void run_all(uv_loop_t *loop, struct destination *d, struct run *runs)
{
    uv_timer_t tick;

    (void)uv_timer_init(loop, &tick);
    (void)uv_timer_start(&tick, on_tick, 1, 1);
    for (int turn = 0, left = RUNS; left > 0; turn++) {
        abort_some(d, runs, turn);
        (void)uv_run(loop, UV_RUN_ONCE);
        left = 0;
        for (int k = 0; k < RUNS; k++)
            left += !runs[k].ended;
    }
    uv_close((uv_handle_t *)&tick, NULL);
    (void)uv_run(loop, UV_RUN_DEFAULT);
}

static int check(const char *dir, const struct run *r)
{
    char path[512];
    struct stat st;

    (void)snprintf(path, sizeof path, "%s/%s", dir, r->job.key);
    bool there = stat(path, &st) == 0;
    bool as_asked = r->endless ? r->aborted
                    : r->hasty ? r->done || r->aborted
                               : r->done;
    if (as_asked && r->done != r->aborted && there == r->done &&
        (!there || st.st_size == SIZE))
        return 0;
    fprintf(
        stderr,
        "dest_file_stress: %s: endless %d, hasty %d, there %d, done %d, aborted %d\n",
        path, r->endless, r->hasty, there, r->done, r->aborted);
    return 1;
}

int main(void)
{
    static struct run runs[RUNS];
    struct config_destination config = {.name = "f", .scheme = CONFIG_FILE};
    struct destination *d = NULL;
    struct err e = ERR_INIT;
    struct tmpdir dir;
    uv_loop_t loop;
    int wrong = 0, done = 0;

    tmpdir_make(&dir);
    struct tmpdir_file objects = tmpdir_file(&dir, "objects");
    config.dir = objects.path;
    if (uv_loop_init(&loop) != 0 ||
        dest_file_open(&(struct dest_file_options){.loop = &loop, .config = &config},
                       &d, &e) != ERR_OK)
        return EXIT_FAILURE;
    for (int i = 0; i < RUNS; i++)
        if (!begin(d, &runs[i], i))
            return EXIT_FAILURE;
    run_all(&loop, d, runs);
    for (int i = 0; i < RUNS; i++) {
        wrong += check(objects.path, &runs[i]);
        done += runs[i].done;
        job_release(&runs[i].job);
    }
    destination_release(d);
    (void)uv_loop_close(&loop);
    tmpdir_remove(&dir);
    printf("dest_file_stress: %d done, %d aborted, %d wrong\n", done, RUNS - done,
           wrong);
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
