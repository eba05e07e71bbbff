/*
 * spool_stress: many threads begin, write, abort and commit in one spool while others scan, sweep, check and measure it and
 * a second handle on the same directory removes jobs.  At the end every committed job is there, whole, and nothing else is.
 * Plain main() for ThreadSanitizer, which Criterion does not work with.  Usage: spool_stress [DIR]
 */
#include "shared/spool.h"
#include "tests/support/tmpdir.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WRITERS = 8, ROUNDS = 60, FILES = 3 };

struct stress {
    struct spool *spool,
        *other; /* two handles on one directory, as two processes have */
    atomic_bool stop;
    atomic_size_t errors, scanned;
};

struct writer {
    struct stress *stress;
    unsigned number;
    struct job_id kept[ROUNDS * FILES];
    size_t kept_count;
};

static void note(struct stress *s, const char *what, const struct err *e)
{
    fprintf(stderr, "spool_stress: %s: %s\n", what, e->text);
    atomic_fetch_add(&s->errors, 1);
}

static bool make_job(struct job *j)
{
    *j = (struct job)JOB_INIT;
    memcpy(j->id.queue, "stress", sizeof "stress");
    j->max_attempts = 1;
    j->to = strdup("default");
    j->key = strdup("key");
    return j->to && j->key;
}

/* One request of FILES uploads.  Each seventh is aborted, each fifth refused for a job that cannot be. */
static void request(struct writer *w, unsigned round)
{
    struct stress *s = w->stress;
    struct spool_upload u[FILES] = {SPOOL_UPLOAD_INIT, SPOOL_UPLOAD_INIT,
                                    SPOOL_UPLOAD_INIT};
    struct job j[FILES] = {JOB_INIT, JOB_INIT, JOB_INIT};
    struct err e = ERR_INIT;
    bool bad = round % 5 == 4;

    for (size_t i = 0; i < FILES; i++) {
        char data[512];
        memset(data, (int)('a' + w->number), sizeof data);
        if (!make_job(&j[i]) || spool_begin(s->spool, &u[i], &e) ||
            spool_expect(s->spool, &u[i], (int64_t)(round % 3) * 8000, &e) ||
            spool_write(s->spool, &u[i], data, sizeof data, &e))
            note(s, "write", &e);
    }
    if (bad)
        j[FILES - 1].max_attempts = 0;
    if (round % 7 == 6) {
        for (size_t i = 0; i < FILES; i++)
            spool_abort(s->spool, &u[i]);
    } else if (spool_commit(s->spool, u, j, FILES, &e) != (bad ? ERR_REJECT : ERR_OK)) {
        note(s, "commit", &e);
    } else if (!bad) {
        for (size_t i = 0; i < FILES; i++)
            w->kept[w->kept_count++] = j[i].id;
        /* As a worker does with an ended job. */
        if (round % 3 == 0 && spool_remove(s->other, &w->kept[--w->kept_count], &e))
            note(s, "remove", &e);
    }
    for (size_t i = 0; i < FILES; i++)
        job_release(&j[i]);
}

static void *write_all(void *arg)
{
    struct writer *w = arg;

    for (unsigned round = 0; round < ROUNDS; round++)
        request(w, round);
    return NULL;
}

/* One look at all that is there.  A manifest that is gone again was removed meanwhile; a damaged one is an error. */
static size_t scan_once(struct stress *s)
{
    struct spool_scan *scan = NULL;
    struct err e = ERR_INIT;
    struct job_id id;
    size_t found = 0;

    if (spool_scan_open(s->other, &scan, &e)) {
        note(s, "scan", &e);
        return 0;
    }
    while (spool_scan_next(scan, &id)) {
        CLEANUP(job_release) struct job j = JOB_INIT;
        bool missing = false;
        if (spool_read_manifest(s->other, &id, &j, &missing, &e) == ERR_OK)
            found++;
        else if (!missing)
            note(s, "read", &e);
    }
    if (spool_scan_error(scan, &e))
        note(s, "scan", &e);
    spool_scan_close(scan);
    return found;
}

static void *scan_all(void *arg)
{
    struct stress *s = arg;

    while (!atomic_load(&s->stop)) {
        atomic_fetch_add(&s->scanned, scan_once(s));
        if (spool_sweep(s->other, 3600 * 1000, 1000) != 0) {
            fprintf(stderr, "spool_stress: swept what is young\n");
            atomic_fetch_add(&s->errors, 1);
        }
    }
    return NULL;
}

static void *check_all(void *arg)
{
    struct stress *s = arg;

    while (!atomic_load(&s->stop)) {
        struct spool_usage usage = {0};
        struct err e = ERR_INIT;
        if (spool_check(s->spool, &e) || spool_check(s->other, &e) ||
            spool_measure(s->spool, true, &usage, &e))
            note(s, "check", &e);
        else if (usage.data_bytes != usage.files * 512)
            note(s, "a measure that does not add up", &e);
    }
    return NULL;
}

static void check(struct stress *s, struct writer *writers)
{
    size_t kept = 0;
    struct err e = ERR_INIT;

    for (size_t t = 0; t < WRITERS; t++) {
        for (size_t i = 0; i < writers[t].kept_count; i++) {
            int fd = -1;
            if (spool_open_data(s->spool, &writers[t].kept[i], 512, &fd, &e))
                note(s, "open", &e);
            fd_close(&fd);
        }
        kept += writers[t].kept_count;
    }
    size_t found = scan_once(s);
    if (found != kept) {
        fprintf(stderr, "spool_stress: %zu manifests instead of %zu\n", found, kept);
        atomic_fetch_add(&s->errors, 1);
    }
    /* Debris of any age: with an age in the future everything in tmp/ and all data without manifest counts. */
    size_t swept = spool_sweep(s->spool, -3600 * 1000, 1000);
    if (swept != 0) {
        fprintf(stderr, "spool_stress: %zu files left behind\n", swept);
        atomic_fetch_add(&s->errors, 1);
    }
    printf("spool_stress: %zu kept, %zu seen by scans, %zu errors\n", kept,
           atomic_load(&s->scanned), atomic_load(&s->errors));
}

static bool run(struct stress *s)
{
    static struct writer writers[WRITERS];
    pthread_t threads[WRITERS], scanner, checker;
    size_t started = 0;

    if (pthread_create(&scanner, NULL, scan_all, s) != 0)
        return false;
    bool checked = pthread_create(&checker, NULL, check_all, s) == 0;
    for (; started < WRITERS; started++) {
        writers[started] = (struct writer){.stress = s, .number = (unsigned)started};
        if (pthread_create(&threads[started], NULL, write_all, &writers[started]) != 0)
            break;
    }
    for (size_t t = 0; t < started; t++)
        (void)pthread_join(threads[t], NULL);
    atomic_store(&s->stop, true);
    (void)pthread_join(scanner, NULL);
    if (checked)
        (void)pthread_join(checker, NULL);
    check(s, writers);
    return checked && started == WRITERS && atomic_load(&s->errors) == 0;
}

int main(int argc, char **argv)
{
    struct stress s = {.spool = NULL};
    struct tmpdir dir = {""};
    struct err e = ERR_INIT;

    if (argc < 2)
        tmpdir_make(&dir);
    struct spool_options o = {.dir = argc < 2 ? dir.path : argv[1], .durable = true};
    if (spool_open(&o, &s.spool, &e) || spool_open(&o, &s.other, &e))
        note(&s, "open", &e);
    bool ok = atomic_load(&s.errors) == 0 && run(&s);
    spool_close(s.spool);
    spool_close(s.other);
    tmpdir_remove(&dir);
    return ok ? 0 : 1;
}
