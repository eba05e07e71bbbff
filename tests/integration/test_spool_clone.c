/*
 * spool_clone: one promise made twice: the bytes have two names, and outlive either of them.
 */
#include "tests/support/spool_sample.h"

#include "shared/clock.h"

#include <errno.h>
#include <sys/stat.h>
#include <utime.h>

static struct spool_sample spool;

static void up(void)
{
    spool_sample_open(&spool);
}

static void down(void)
{
    spool_sample_close(&spool);
}

TestSuite(spool_clone, .init = up, .fini = down, .timeout = 60);

/* The manifest of j for another queue, as job_move has it. */
static struct job other_queue(const struct job *j)
{
    struct job copy = JOB_INIT;
    struct err e = ERR_INIT;
    bool missing;

    cr_assert(not(spool_read_manifest(spool.spool, &j->id, &copy, &missing, &e)), "%s",
              e.text);
    memcpy(copy.id.queue, "docs", sizeof "docs");
    return copy;
}

static bool holds(const struct job *j, const char *text)
{
    struct err e = ERR_INIT;
    char data[16];
    int fd = -1;

    if (spool_open_data(spool.spool, &j->id, (int64_t)strlen(text), &fd, &e))
        return false;
    ssize_t n = read(fd, data, sizeof data);
    close(fd);
    return n == (ssize_t)strlen(text) && memcmp(data, text, (size_t)n) == 0;
}

Test(spool_clone, both_can_be_read_and_either_removed)
{
    struct job old = spool_sample_commit(&spool, "q", "abc", 3);
    struct job new = other_queue(&old);
    struct err e = ERR_INIT;
    struct job back = JOB_INIT;
    bool missing;

    cr_assert(not(spool_clone(spool.spool, &old.id, &new, NULL, &e)), "%s", e.text);
    cr_expect(strcmp(new.id.uuid.text, old.id.uuid.text) != 0);
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 4));
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    cr_expect(holds(&old, "abc") && holds(&new, "abc"));
    cr_assert(not(spool_read_manifest(spool.spool, &new.id, &back, &missing, &e)), "%s",
              e.text);
    cr_expect(eq(str, back.key, old.key), "the same object");
    cr_expect(eq(str, back.crc32c, old.crc32c));
    cr_assert(not(spool_remove(spool.spool, &old.id, &e)));
    cr_expect(holds(&new, "abc"));
    job_release(&old);
    job_release(&new);
    job_release(&back);
}

Test(spool_clone, its_data_is_young_whatever_the_age_of_the_old)
{
    struct job old = spool_sample_commit(&spool, "q", "abc", 3);
    struct job new = other_queue(&old);
    struct utimbuf long_ago = {1000, 1000};
    struct stat st;
    struct err e = ERR_INIT;

    cr_assert(
        eq(int, utime(spool_sample_job_path(&spool, &old.id, ".data"), &long_ago), 0));
    cr_assert(not(spool_clone(spool.spool, &old.id, &new, NULL, &e)), "%s", e.text);
    cr_assert(eq(int, stat(spool_sample_job_path(&spool, &new.id, ".data"), &st), 0));
    cr_expect(st.st_mtim.tv_sec * INT64_C(1000) > clock_wall_ms() - 60000);
    job_release(&old);
    job_release(&new);
}

Test(spool_clone, without_its_data_nothing_is_added)
{
    struct job old = spool_sample_commit(&spool, "q", "abc", 3);
    struct job new = other_queue(&old), wrong = other_queue(&old);
    struct err e = ERR_INIT;

    wrong.size = 4;
    cr_expect(eq(int, spool_clone(spool.spool, &old.id, &wrong, NULL, &e), ERR_REJECT));
    cr_assert(eq(int, unlink(spool_sample_job_path(&spool, &old.id, ".data")), 0));
    cr_expect(eq(int, spool_clone(spool.spool, &old.id, &new, NULL, &e), ERR_REJECT));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 1), "the old manifest");
    job_release(&old);
    job_release(&new);
    job_release(&wrong);
}

Test(spool_clone, what_cannot_be_a_manifest_is_taken_back)
{
    struct job old = spool_sample_commit(&spool, "q", "abc", 3);
    struct job new = other_queue(&old);
    struct err e = ERR_INIT;

    new.priority = 99;
    cr_expect(eq(int, spool_clone(spool.spool, &old.id, &new, NULL, &e), ERR_REJECT));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 2));
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    cr_expect(holds(&old, "abc"));
    job_release(&old);
    job_release(&new);
}

/* A move whose end was not learned is tried again, and again: each leaves a name of the bytes, and all can be read. */
Test(spool_clone, several_of_one_job_can_all_be_read)
{
    struct job old = spool_sample_commit(&spool, "q", "abc", 3);
    struct err e = ERR_INIT;
    enum err_code code = ERR_OK;
    struct job_id last = old.id;
    int names = 1;

    for (; code == ERR_OK && names < 100; names += code == ERR_OK) {
        struct job new = other_queue(&old);
        code = spool_clone(spool.spool, &old.id, &new, NULL, &e);
        if (code == ERR_OK)
            last = new.id;
        job_release(&new);
    }
    cr_expect(eq(int, code, ERR_RETRY), "%d names: %s", names, e.text);
    cr_expect(gt(int, names, 3));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 2 * names));
    cr_expect(holds(&old, "abc"));
    memcpy(&old.id, &last, sizeof last);
    cr_expect(holds(&old, "abc"));
    job_release(&old);
}

/* --- With somebody who is to hear of it before the promise --- */

struct listener {
    const struct job *new;
    enum err_code answer;
    int readies, undos;
    bool stood_in_tmp, stood_in_jobs;
};

static enum err_code on_ready(void *ctx, struct err *e)
{
    struct listener *l = ctx;

    l->readies++;
    l->stood_in_tmp = spool_sample_count(&spool, "tmp") == 1;
    l->stood_in_jobs =
        access(spool_sample_job_path(&spool, &l->new->id, ".json"), F_OK) == 0;
    return l->answer ? err_set(e, l->answer, "no") : ERR_OK;
}

/* No test here lets it come to this: test_spool_faults.c does. */
static void on_undo(void *ctx)
{
    struct listener *l = ctx;

    l->undos++;
}

Test(spool_clone, who_waits_for_it_hears_of_it_before_the_promise)
{
    struct job old = spool_sample_commit(&spool, "q", "abc", 3);
    struct job new = other_queue(&old);
    struct listener l = {.new = &new};
    const struct spool_ready ready = {on_ready, on_undo, &l};
    struct err e = ERR_INIT;

    cr_assert(not(spool_clone(spool.spool, &old.id, &new, &ready, &e)), "%s", e.text);
    cr_expect(eq(int, l.readies, 1));
    cr_expect(eq(int, l.undos, 0));
    cr_expect(l.stood_in_tmp);
    cr_expect(not(l.stood_in_jobs));
    cr_expect(holds(&new, "abc"));
    job_release(&old);
    job_release(&new);
}

Test(spool_clone, where_who_waits_for_it_fails_nothing_is_added)
{
    struct job old = spool_sample_commit(&spool, "q", "abc", 3);
    struct job new = other_queue(&old);
    struct listener l = {.new = &new, .answer = ERR_NOMEM};
    const struct spool_ready ready = {on_ready, on_undo, &l};
    struct err e = ERR_INIT;

    cr_expect(eq(int, spool_clone(spool.spool, &old.id, &new, &ready, &e), ERR_NOMEM));
    cr_expect(eq(int, l.undos, 0), "it did not go well");
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 2));
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    job_release(&old);
    job_release(&new);
}
