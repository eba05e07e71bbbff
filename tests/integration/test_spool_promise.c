/*
 * spool_promise: a job whose bytes are not in the spool has a manifest alone, which brings it back when Redis forgets it.
 */
#include "shared/queue.h"
#include "shared/reconcile.h"
#include "tests/integration/reconcile_rig.h"

#include <sys/stat.h>

static struct redis_fixture server;
static struct spool_sample spool;
static struct redis *redis;
static const struct reconcile_rig rig = {&server, &spool, &redis};

static void up(void)
{
    reconcile_rig_up(&rig);
}

static void down(void)
{
    reconcile_rig_down(&rig);
}

TestSuite(spool_promise, .init = up, .fini = down, .timeout = 120);

static struct job new_job(const char *source, const char *url)
{
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;

    memcpy(j.id.queue, "media", sizeof "media");
    j.max_attempts = 3;
    j.source = strdup(source);
    j.source_url = url ? strdup(url) : NULL;
    j.to = strdup("default");
    cr_assert(not(job_set_name(&j, "a.pdf", 5, &e)));
    cr_assert(not(job_set_key(&j, "a.pdf", 5, &e)));
    return j;
}

static struct job_id promise(const char *source, const char *url)
{
    struct job j = new_job(source, url);
    struct err e = ERR_INIT;
    struct job_id id;

    cr_assert(not(spool_promise(spool.spool, &j, &e)), "%s", e.text);
    id = j.id;
    job_release(&j);
    return id;
}

static struct reconcile_stats pass(struct reconcile_look *looks, size_t max)
{
    struct reconcile_options o = {.min_age_ms = -3600 * 1000,
                                  .sweep_age_ms = 24 * 3600 * 1000,
                                  .settle_ms = -1,
                                  .looks = looks,
                                  .looks_max = max};
    struct reconcile_stats stats = {0};
    struct err e = ERR_INIT;

    cr_assert(not(reconcile_run(spool.spool, redis, &o, &stats, &e)), "%s", e.text);
    return stats;
}

static bool field_is(const struct job_id *id, const char *field, const char *want)
{
    char key[128];

    (void)snprintf(key, sizeof key, "hoist:{%s}:job:%s", id->queue, id->uuid.text);
    char *got = redis_fixture_ask(&server, "HGET", key, field, NULL);
    bool same = strcmp(got, want) == 0;
    free(got);
    return same;
}

Test(spool_promise, it_is_a_manifest_without_data_and_can_be_removed)
{
    struct job_id id = promise("url", "https://a/b?c=d");
    CLEANUP(job_release) struct job back = JOB_INIT;
    struct err e = ERR_INIT;
    bool missing;

    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 1));
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    cr_assert(not(spool_read_manifest(spool.spool, &id, &back, &missing, &e)), "%s",
              e.text);
    cr_expect(eq(str, back.source_url, "https://a/b?c=d"));
    cr_expect(back.created > 0 && back.size == 0 && !back.sha256);
    cr_assert(not(spool_remove(spool.spool, &id, &e)), "%s", e.text);
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 0));
}

Test(spool_promise, an_id_that_it_has_stays)
{
    struct job j = new_job("command:dump", NULL);
    struct err e = ERR_INIT;
    struct uuid uuid = j.id.uuid = id_new();

    cr_assert(not(spool_promise(spool.spool, &j, &e)), "%s", e.text);
    cr_expect(eq(str, j.id.uuid.text, uuid.text));
    job_release(&j);
}

Test(spool_promise, what_cannot_be_written_leaves_nothing)
{
    struct job j = new_job("url", NULL);
    struct err e = ERR_INIT;

    cr_expect(eq(int, spool_promise(spool.spool, &j, &e), ERR_REJECT));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 0));
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    job_release(&j);
}

Test(spool_promise, a_manifest_that_cannot_get_its_name_is_taken_back)
{
    struct job j = new_job("url", "https://a/");
    struct err e = ERR_INIT;

    j.id.uuid = id_new();
    cr_assert(mkdir(spool_sample_job_path(&spool, &j.id, ".json"), 0700) == 0);
    cr_expect(spool_promise(spool.spool, &j, &e) != ERR_OK);
    cr_expect(eq(int, spool_sample_count(&spool, "tmp"), 0));
    job_release(&j);
}

Test(spool_promise, redis_that_forgets_it_is_told_again)
{
    struct job_id url = promise("url", "https://a/b?c=d");
    struct job_id command = promise("command:dump", NULL);

    cr_expect(eq(sz, pass(NULL, 0).enqueued, 2));
    cr_expect(field_is(&url, "source", "url"));
    cr_expect(field_is(&url, "source_url", "https://a/b?c=d"));
    cr_expect(field_is(&command, "source", "command:dump"));
    free(redis_fixture_ask(&server, "FLUSHALL", NULL));
    struct reconcile_stats again = pass(NULL, 0);
    cr_expect(again.enqueued == 2 && again.damaged == 0);
    cr_expect(field_is(&url, "state", "waiting"));
    cr_expect(eq(sz, pass(NULL, 0).enqueued, 0));
}

Test(spool_promise, one_that_was_cancelled_leaves_and_one_that_is_done_is_handed_out)
{
    struct job_id gone = promise("url", "https://a/"),
                  done = promise("url", "https://b/");
    struct reconcile_look looks[4];
    char key[128];

    (void)pass(NULL, 0);
    (void)snprintf(key, sizeof key, "hoist:{media}:job:%s", gone.uuid.text);
    (void)redis_fixture_ask_int(&server, "HSET", key, "state", "cancelled", NULL);
    (void)snprintf(key, sizeof key, "hoist:{media}:job:%s", done.uuid.text);
    (void)redis_fixture_ask_int(&server, "HSET", key, "state", "done", "ended", "5",
                                NULL);
    struct reconcile_stats stats = pass(looks, 4);
    cr_expect(eq(sz, stats.removed, 1));
    cr_assert(eq(sz, stats.looks, 1));
    cr_expect(eq(str, looks[0].id.uuid.text, done.uuid.text));
    cr_expect(eq(int, spool_sample_count(&spool, "jobs"), 1));
}
