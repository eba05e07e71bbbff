/*
 * spool: what is on disk after commit, abort and failure, on a real file system.
 */
#include "tests/support/spool_sample.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define ABC_CRC "364b3fb7"
#define ABC_SUM "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static struct spool_sample spool;

static void up(void)
{
    spool_sample_open(&spool);
}

static void down(void)
{
    spool_sample_close(&spool);
}

TestSuite(spool, .init = up, .fini = down, .timeout = 120);

static void expect_content(const char *path, const char *want, size_t len)
{
    char *got = malloc(len + 1);
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    cr_assert(fd >= 0 && fstat(fd, &st) == 0, "%s", path);
    cr_expect(eq(int, st.st_mode & 07777, 0600), "%s", path);
    cr_assert(eq(sz, (size_t)read(fd, got, len + 1), len), "%s", path);
    cr_expect(memcmp(got, want, len) == 0, "%s", path);
    close(fd);
    free(got);
}

Test(spool, commit_makes_exactly_the_data_and_its_manifest)
{
    struct job j = spool_sample_job("media"), back = JOB_INIT;
    struct spool_upload u = SPOOL_UPLOAD_INIT;
    struct err e = ERR_INIT;
    bool missing = true;

    cr_assert(not(spool_begin(spool.spool, &u, &e)));
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 1));
    cr_assert(not(spool_write(spool.spool, &u, "ab", 2, &e)));
    cr_assert(not(spool_write(spool.spool, &u, "", 0, &e)));
    cr_assert(not(spool_write(spool.spool, &u, "c", 1, &e)));
    cr_assert(not(spool_commit(spool.spool, &u, &j, 1, &e)), "%s", e.text);
    cr_expect(eq(int, u.fd, -1));
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 2));
    cr_expect(eq(i64, j.size, 3));
    cr_expect(eq(str, j.sha256, ABC_SUM));
    cr_expect(eq(str, j.crc32c, ABC_CRC));
    cr_expect(eq(i64, j.created, id_uuid_ms(j.id.uuid.text)));
    expect_content(spool_sample_job_path(&spool, &j.id, ".data"), "abc", 3);
    cr_assert(not(spool_read_manifest(spool.spool, &j.id, &back, &missing, &e)), "%s",
              e.text);
    cr_expect(not(missing));
    cr_expect(eq(str, back.sha256, ABC_SUM));
    cr_expect(eq(str, back.crc32c, ABC_CRC));
    cr_expect(eq(str, back.source, "spool"));
    cr_expect(eq(str, back.key, "a/key"));
    cr_expect(eq(i64, back.size, 3));
    spool_abort(spool.spool, &u); /* of a committed one: nothing */
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 2));
    job_release(&j);
    job_release(&back);
}

Test(spool, abort_leaves_nothing_and_may_come_at_any_time)
{
    struct spool_upload u = SPOOL_UPLOAD_INIT, zeroed = {0};
    struct err e = ERR_INIT;

    spool_abort(spool.spool, &u);
    spool_abort(spool.spool, &zeroed);
    cr_expect(fcntl(0, F_GETFD) >= 0, "descriptor 0 was closed");
    cr_assert(not(spool_begin(spool.spool, &u, &e)));
    cr_assert(not(spool_write(spool.spool, &u, "abc", 3, &e)));
    int fd = u.fd;
    spool_abort(spool.spool, &u);
    cr_expect(fcntl(fd, F_GETFD) < 0 && errno == EBADF);
    spool_abort(spool.spool, &u);
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 0));
}

Test(spool, uploads_of_one_request_stand_together)
{
    enum { COUNT = 5 };
    struct spool_upload u[COUNT];
    struct job j[COUNT];
    struct err e = ERR_INIT;

    for (size_t i = 0; i < COUNT; i++) {
        char text[2] = {(char)('a' + i), '\0'};
        j[i] = spool_sample_job(i % 2 ? "one" : "two");
        cr_assert(not(spool_begin(spool.spool, &u[i], &e)));
        cr_assert(not(spool_write(spool.spool, &u[i], text, i == 0 ? 0 : 1, &e)));
    }
    cr_assert(not(spool_commit(spool.spool, u, j, COUNT, &e)), "%s", e.text);
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 2 * COUNT));
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    for (size_t i = 0; i < COUNT; i++) {
        char text[2] = {(char)('a' + i), '\0'};
        expect_content(spool_sample_job_path(&spool, &j[i].id, ".data"), text,
                       i == 0 ? 0 : 1);
        job_release(&j[i]);
    }
    cr_assert(not(spool_commit(spool.spool, NULL, NULL, 0, &e)), "of none at all");
}

Test(spool, one_impossible_job_refuses_all_and_leaves_nothing)
{
    struct spool_upload u[2];
    struct job j[2] = {spool_sample_job("good"), spool_sample_job("../jobs/x")};
    struct err e = ERR_INIT;

    for (size_t i = 0; i < 2; i++)
        cr_assert(not(spool_begin(spool.spool, &u[i], &e)));
    cr_expect(eq(int, spool_commit(spool.spool, u, j, 2, &e), ERR_REJECT));
    cr_expect(not(spool_is_full(&e)));
    cr_expect(eq(int, u[0].fd, -1));
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 0));
    for (size_t i = 0; i < 2; i++)
        job_release(&j[i]);
}

Test(spool, a_rename_that_fails_takes_back_those_before_it)
{
    struct spool_upload u[3];
    struct job j[3];
    struct err e = ERR_INIT;

    for (size_t i = 0; i < 3; i++) {
        j[i] = spool_sample_job("q");
        cr_assert(not(spool_begin(spool.spool, &u[i], &e)));
    }
    /* A directory stands where the second manifest is to go: two data files, then one manifest, are there before. */
    struct job_id id = {.queue = "q", .uuid = u[1].uuid};
    char path[512];
    snprintf(path, sizeof path, "%s", spool_sample_job_path(&spool, &id, ".json"));
    cr_assert(eq(int, mkdir(path, 0700), 0));
    cr_expect(ne(int, spool_commit(spool.spool, u, j, 3, &e), ERR_OK));
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 1), "only the obstacle");
    for (size_t i = 0; i < 3; i++)
        job_release(&j[i]);
}

Test(spool, without_durability_the_files_are_the_same)
{
    struct spool_options o = {.dir = spool.path, .durable = false};
    struct spool_sample memory = spool;
    struct err e = ERR_INIT;

    cr_assert(not(spool_open(&o, &memory.spool, &e)), "%s", e.text);
    struct job j = spool_sample_commit(&memory, "q", "abc", 3);
    expect_content(spool_sample_job_path(&spool, &j.id, ".data"), "abc", 3);
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 2));
    spool_close(memory.spool);
    job_release(&j);
}

/* --- No room --- */

Test(spool, a_file_over_the_size_limit_is_full_and_leaves_nothing)
{
    struct spool_upload u;
    struct err e = ERR_INIT;
    char block[8192] = {0};
    struct rlimit limit = {.rlim_cur = 10000, .rlim_max = RLIM_INFINITY};

    cr_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    cr_assert(eq(int, setrlimit(RLIMIT_FSIZE, &limit), 0));
    cr_assert(not(spool_begin(spool.spool, &u, &e)));
    cr_expect(not(spool_write(spool.spool, &u, block, sizeof block, &e)));
    cr_expect(
        eq(int, spool_write(spool.spool, &u, block, sizeof block, &e), ERR_RETRY));
    cr_expect(spool_is_full(&e), "%s", e.text);
    spool_abort(spool.spool, &u);
    limit.rlim_cur = RLIM_INFINITY;
    cr_assert(eq(int, setrlimit(RLIMIT_FSIZE, &limit), 0));
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
}

Test(spool, a_manifest_without_room_takes_the_data_back)
{
    struct job j = spool_sample_job("q");
    struct spool_upload u;
    struct err e = ERR_INIT;
    struct rlimit limit = {.rlim_cur = 100, .rlim_max = RLIM_INFINITY};

    cr_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    cr_assert(not(spool_begin(spool.spool, &u, &e)));
    cr_assert(not(spool_write(spool.spool, &u, "abc", 3, &e)));
    cr_assert(eq(int, setrlimit(RLIMIT_FSIZE, &limit), 0));
    cr_expect(eq(int, spool_commit(spool.spool, &u, &j, 1, &e), ERR_RETRY));
    cr_expect(spool_is_full(&e), "%s", e.text);
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 0));
    job_release(&j);
}

Test(spool, no_descriptors_is_not_full)
{
    struct spool_upload u = SPOOL_UPLOAD_INIT;
    struct err e = ERR_INIT;
    struct rlimit old, limit;

    cr_assert(eq(int, getrlimit(RLIMIT_NOFILE, &old), 0));
    limit = old;
    limit.rlim_cur = 0;
    cr_assert(eq(int, setrlimit(RLIMIT_NOFILE, &limit), 0));
    cr_expect(eq(int, spool_begin(spool.spool, &u, &e), ERR_RETRY));
    cr_assert(eq(int, setrlimit(RLIMIT_NOFILE, &old), 0));
    cr_expect(not(spool_is_full(&e)), "%s", e.text);
    cr_expect(eq(str, u.uuid.text, ""), "untouched");
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
}

/* A small tmpfs of this process alone at path; false where that is not allowed (needs CAP_SYS_ADMIN). */
static bool mount_small(const char *path)
{
    return unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", path, "tmpfs", 0, "size=64k,nr_inodes=16,mode=0700") == 0;
}

/* Begin uploads until one cannot; returns how many there are. */
static size_t begin_all(struct spool *s, struct spool_upload *u, size_t max,
                        struct err *e)
{
    size_t n = 0;

    while (n < max && spool_begin(s, &u[n], e) == ERR_OK)
        n++;
    return n;
}

Test(spool, a_full_disk_refuses_and_recovers)
{
    struct spool_sample small = spool;
    struct spool_upload u[32];
    struct err e = ERR_INIT;
    static char big[256 * 1024];

    memcpy(small.path, tmpdir_file(&spool.dir, "small").path, sizeof small.path);
    cr_assert(eq(int, mkdir(small.path, 0700), 0));
    if (!mount_small(small.path))
        cr_skip_test("cannot mount here: the size-limit tests stand for it");
    struct spool_options o = {.dir = small.path, .durable = true};
    cr_assert(not(spool_open(&o, &small.spool, &e)), "%s", e.text);

    cr_assert(not(spool_begin(small.spool, &u[0], &e)));
    cr_expect(eq(int, spool_write(small.spool, &u[0], big, sizeof big, &e), ERR_RETRY));
    cr_expect(spool_is_full(&e), "bytes: %s", e.text);
    spool_abort(small.spool, &u[0]);

    size_t begun = begin_all(small.spool, u, 32, &e);
    cr_expect(begun > 0 && begun < 16, "%zu", begun);
    cr_expect(spool_is_full(&e), "inodes: %s", e.text);
    struct job lost = spool_sample_job("q");
    cr_expect(eq(int, spool_commit(small.spool, &u[0], &lost, 1, &e), ERR_RETRY));
    cr_expect(spool_is_full(&e), "no inode for the manifest: %s", e.text);
    for (size_t i = 1; i < begun; i++)
        spool_abort(small.spool, &u[i]);
    cr_expect(eq(int, spool_sample_count(&small, "tmp"), 0));
    cr_expect(eq(int, spool_sample_count(&small, "jobs"), 0));

    struct job j = spool_sample_commit(&small, "q", "abc", 3);
    cr_expect(eq(int, spool_sample_count(&small, "jobs"), 2));
    job_release(&lost);
    job_release(&j);
    spool_close(small.spool);
    cr_expect(eq(int, umount(small.path), 0));
}

/* --- Threads --- */

enum { THREADS = 8, EACH = 25 };

static void *commit_many(void *arg)
{
    struct job_id *ids = arg;
    struct err e = ERR_INIT;

    for (size_t i = 0; i < EACH; i++) {
        struct job j = spool_sample_job("q");
        struct spool_upload u = SPOOL_UPLOAD_INIT;
        bool ok = !spool_begin(spool.spool, &u, &e) &&
                  !spool_write(spool.spool, &u, "abc", 3, &e) &&
                  !spool_commit(spool.spool, &u, &j, 1, &e);
        if (ok)
            ids[i] = j.id;
        job_release(&j);
    }
    return NULL;
}

Test(spool, threads_that_commit_at_once_all_get_their_files)
{
    static struct job_id ids[THREADS][EACH];
    pthread_t threads[THREADS];

    for (size_t t = 0; t < THREADS; t++)
        cr_assert(eq(int, pthread_create(&threads[t], NULL, commit_many, ids[t]), 0));
    for (size_t t = 0; t < THREADS; t++)
        cr_assert(eq(int, pthread_join(threads[t], NULL), 0));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 2 * THREADS * EACH));
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    for (size_t i = 0; i < (size_t)THREADS * EACH; i++) {
        struct job j = JOB_INIT;
        struct err e = ERR_INIT;
        bool missing = true;
        cr_assert(
            not(spool_read_manifest(spool.spool, &ids[0][0] + i, &j, &missing, &e)),
            "%s", e.text);
        cr_expect(eq(str, j.sha256, ABC_SUM));
        job_release(&j);
    }
}
