/* Jobs whose bytes are not in the spool: the object decides. */
#include "tests/integration/worker_rig.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/support/wait_until.h"

static struct worker_rig rig;

static void fini(void)
{
    rig_down(&rig);
}

TestSuite(worker_missing, .fini = fini, .timeout = 120);

static void data_path(const struct job_id *id, char ret[static 512])
{
    (void)snprintf(ret, 512, "%s/jobs/%s.%s.data", rig.spool_dir.path, id->queue,
                   id->uuid.text);
}

static void remove_data(const struct job_id *id)
{
    char path[512];

    data_path(id, path);
    cr_assert(eq(int, remove(path), 0));
}

/* One command; it must not fail. */
static void edit(const char *const *words, size_t count)
{
    struct redis_cmd c;
    struct redis_value *v = NULL;
    struct err e = ERR_INIT;

    redis_cmd_init(&c);
    redis_cmd_begin(&c, words[0]);
    for (size_t i = 1; i < count; i++)
        redis_cmd_add_str(&c, words[i]);
    cr_assert(redis_call(rig.client, &c, &v, &e) == ERR_OK, "%s", e.text);
    redis_reply_free(v);
    redis_cmd_release(&c);
}
#define EDIT(...)                                                                      \
    edit((const char *const[]){__VA_ARGS__},                                           \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static const char *const lines[] = {"ready", "leased", "owner", "done", "stats", "seq"};

static void copy_all(const struct job_id *id, bool back)
{
    char job[128], saved[128], from[128], to[128];

    (void)snprintf(job, sizeof job, "hoist:{%s}:job:%s", id->queue, id->uuid.text);
    (void)snprintf(saved, sizeof saved, "saved:%s", id->uuid.text);
    EDIT("COPY", back ? saved : job, back ? job : saved, "REPLACE");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        (void)snprintf(from, sizeof from, "hoist:{%s}:%s", id->queue, lines[i]);
        (void)snprintf(to, sizeof to, "saved:%s", lines[i]);
        if (back)
            EDIT("DEL", from);
        EDIT("COPY", back ? to : from, back ? from : to, "REPLACE");
    }
}

/* Redis as an older dump has it: the job waits, its files went when it was done. */
Test(worker_missing, a_job_that_redis_has_forgotten_to_be_done_is_done_again)
{
    rig_up(&rig, NULL);
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "bytes"});
    copy_all(&id, false);
    struct spawn *w = rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &id, "done", 5000));
    cr_assert(rig_wait_unspooled(&rig, &id, 5000));
    copy_all(&id, true);
    cr_assert(eq(str, (char *)rig_field(&rig, &id, "state"), "waiting"));
    EDIT("ZADD", "hoist:{default}:wake", "0", "0");

    cr_assert(rig_wait_state(&rig, &id, "done", 5000));
    cr_expect(rig_object_is(&rig, &id, "bytes"));
    cr_expect(strstr(rig_field(&rig, &id, "url"), id.uuid.text) != NULL);
    cr_expect(rig_log_count(w, "its bytes had gone, its object is there") == 1);
}

Test(worker_missing, with_neither_bytes_nor_object_a_job_is_dead_at_once)
{
    rig_up(&rig, NULL);
    struct job_id gone = rig_put(&rig, &(struct rig_job){.data = "gone"});
    struct job_id cut = rig_put(&rig, &(struct rig_job){.data = "shorter"});
    struct job_id grown = rig_put(&rig, &(struct rig_job){.data = "long"});
    char path[512];

    remove_data(&gone);
    data_path(&cut, path);
    cr_assert(eq(int, truncate(path, 5), 0));
    data_path(&grown, path);
    cr_assert(eq(int, truncate(path, 5), 0));
    rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &gone, "dead", 5000));
    cr_assert(rig_wait_state(&rig, &cut, "dead", 5000));
    cr_assert(rig_wait_state(&rig, &grown, "dead", 5000));
    cr_expect(strstr(rig_field(&rig, &gone, "error"), "spool missing") != NULL);
    cr_expect(strstr(rig_field(&rig, &cut, "error"), "spool short") != NULL);
    cr_expect(strstr(rig_field(&rig, &grown, "error"), "spool long") != NULL);
    cr_expect(eq(str, (char *)rig_field(&rig, &gone, "attempts"), "1"));
    cr_expect(rig_in_spool(&rig, &cut), "what there is, is kept");
}

/* Nobody's job dies because the spool's disk is not where it was. */
Test(worker_missing, nothing_is_missing_while_the_spool_itself_is_away)
{
    char away[512], data[1024];

    rig_up(&rig, NULL);
    EDIT("HSET", "hoist:{default}:conf", "paused", "1");
    struct job_id id =
        rig_put(&rig, &(struct rig_job){.data = "x", .max_attempts = 999});
    rig_start(&rig, "a");
    (void)snprintf(away, sizeof away, "%s-away", rig.spool_dir.path);
    (void)snprintf(data, sizeof data, "%s/jobs/default.%s.data", away, id.uuid.text);
    cr_assert(eq(int, rename(rig.spool_dir.path, away), 0));
    cr_assert(eq(int, remove(data), 0));
    EDIT("HDEL", "hoist:{default}:conf", "paused");
    EDIT("ZADD", "hoist:{default}:wake", "0", "0");
    cr_assert(WAIT_UNTIL(rig_number(&rig, &id, "attempts") >= 3, 10000));
    cr_expect(strcmp(rig_field(&rig, &id, "state"), "dead") != 0);
    cr_expect(strstr(rig_field(&rig, &id, "error"), "spool missing") == NULL, "%s",
              rig_field(&rig, &id, "error"));
    cr_assert(eq(int, rename(away, rig.spool_dir.path), 0));
    cr_assert(rig_wait_state(&rig, &id, "dead", 10000));
    cr_expect(strstr(rig_field(&rig, &id, "error"), "spool missing") != NULL);
}

Test(worker_missing, short_bytes_do_not_matter_when_the_object_is_whole)
{
    char path[512], object[512];

    rig_up(&rig, NULL);
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "whole", .key = "k"});
    data_path(&id, path);
    (void)snprintf(object, sizeof object, "%s/k", rig.objects.path);
    (void)mkdir(rig.objects.path, 0755);
    FILE *f = fopen(object, "w");
    cr_assert(f && fputs("whole", f) >= 0 && fclose(f) == 0);
    cr_assert(eq(int, truncate(path, 3), 0));
    rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &id, "done", 5000));
    cr_expect(rig_wait_unspooled(&rig, &id, 5000));
}

Test(worker_missing, a_store_that_is_away_is_asked_again)
{
    rig_up_s3(&rig, NULL);
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "bytes", .to = "s3"});
    struct job_id lost = rig_put(&rig, &(struct rig_job){.data = "lost", .to = "s3"});
    char path[256];

    (void)snprintf(path, sizeof path, "/bucket/pre/%s", rig_field(&rig, &id, "key"));
    if (!*rig_field(&rig, &id, "key"))
        (void)snprintf(path, sizeof path, "/bucket/pre/%s", id.uuid.text);
    s3_faulty_put(rig.s3, path, "bytes", 5);
    remove_data(&id);
    remove_data(&lost);
    for (int i = 0; i < 2; i++)
        s3_faulty_push(rig.s3,
                       (struct s3_fault){.kind = S3_FAULT_STATUS, .status = 503});
    rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &id, "done", 10000), "%s",
              rig_field(&rig, &id, "error"));
    cr_assert(rig_wait_state(&rig, &lost, "dead", 10000));
    cr_expect(strstr(rig_field(&rig, &lost, "error"), "spool missing") != NULL);
    cr_expect(eq(int, s3_faulty_count(rig.s3, "HEAD"), 4), "two of them in vain");
    cr_expect(eq(int, s3_faulty_count(rig.s3, "PUT"), 0));
}

Test(worker_missing, a_store_that_stays_away_ends_in_dead_and_says_both)
{
    rig_up_s3(&rig, NULL);
    struct job_id id = rig_put(&rig, &(struct rig_job){.data = "bytes", .to = "s3"});

    remove_data(&id);
    for (int i = 0; i < 3; i++)
        s3_faulty_push(rig.s3,
                       (struct s3_fault){.kind = S3_FAULT_STATUS, .status = 503});
    rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &id, "dead", 10000));
    cr_expect(strstr(rig_field(&rig, &id, "error"), "spool missing") != NULL);
    cr_expect(strstr(rig_field(&rig, &id, "error"), "503") != NULL);
    cr_expect(eq(int, s3_faulty_count(rig.s3, "HEAD"), 3), "as often as any attempt");
}

Test(worker_missing, another_object_under_the_key_is_told)
{
    rig_up_s3(&rig, NULL);
    struct job_id id =
        rig_put(&rig, &(struct rig_job){.data = "bytes", .to = "s3", .key = "k"});

    s3_faulty_put(rig.s3, "/bucket/pre/k", "other", 5);
    remove_data(&id);
    rig_start(&rig, "a");
    cr_assert(rig_wait_state(&rig, &id, "dead", 10000));
    cr_expect(strstr(rig_field(&rig, &id, "error"), "other content") != NULL);
    cr_expect(eq(str, (char *)rig_field(&rig, &id, "attempts"), "1"));
}
