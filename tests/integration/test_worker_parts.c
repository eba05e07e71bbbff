/* Uploads in parts by hoist-worker as it ships: what is left when one dies, and who ends it. */
#include "tests/integration/worker_rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/parts_journal.h"
#include "shared/spool_parts.h"
#include "shared/worker_jobs.h"
#include "tests/support/wait_until.h"

enum { PART = 5 << 20, PARTS = 3, SIZE = (PARTS - 1) * PART + 1234 };

#define IN_PARTS                                                                       \
    "[destination s3]\nmultipart_threshold = 1M\npart_size = 5M\n[spool]\n"            \
    "reconcile_seconds = 1\n"

static struct worker_rig rig;

static void fini(void)
{
    rig_down(&rig);
}

TestSuite(worker_parts, .fini = fini, .timeout = 120);

static struct spool_parts_id journal_of(const struct job_id *id)
{
    return (struct spool_parts_id){.job = *id, .destination = "s3"};
}

/* How many parts the journal of this job knows; -1: there is none. */
static int noted(const struct job_id *id)
{
    struct buf text = BUF_INIT(PARTS_JOURNAL_MAX);
    struct parts_journal j = PARTS_JOURNAL_INIT;
    struct spool_parts_id at = journal_of(id);
    bool missing = false, cut = false;
    struct err e = ERR_INIT;
    int count = 0;

    if (spool_parts_read(rig.spool, &at, &text, &missing, &cut, NULL, &e) != ERR_OK)
        return -1;
    cr_assert(parts_journal_parse(text.data, text.len, &j, &e) == ERR_OK);
    for (size_t i = 0; i < j.part_count; i++)
        count += j.parts[i].etag != NULL;
    parts_journal_release(&j);
    buf_release(&text);
    return count;
}

/* A worker that has sent all parts but the last, whose answer does not come. */
static struct job_id hang_in_last_part(struct spawn **ret_worker)
{
    rig_up_s3(&rig, IN_PARTS);
    s3_faulty_push(rig.s3, (struct s3_fault){
                               .kind = S3_FAULT_HANG, .op = S3_OP_PART, .part = PARTS});
    *ret_worker = rig_start(&rig, "a");
    struct job_id id = rig_put(&rig, &(struct rig_job){.size = SIZE, .to = "s3"});
    cr_assert(WAIT_UNTIL(noted(&id) == PARTS - 1, 20000));
    return id;
}

Test(worker_parts, a_killed_workers_parts_are_not_sent_again_and_no_upload_stays)
{
    struct spawn *a;
    struct job_id id = hang_in_last_part(&a);

    spawn_kill(a);
    (void)rig_start(&rig, "b");
    cr_assert(rig_wait_state(&rig, &id, "done", 20000));
    cr_expect(eq(int, s3_faulty_count_of(rig.s3, S3_OP_CREATE), 1));
    cr_expect(eq(int, s3_faulty_count_of(rig.s3, S3_OP_PART), PARTS + 1),
              "the one without an answer alone");
    cr_expect(eq(int, s3_faulty_unfinished(rig.s3), 0));
    cr_expect(eq(int, noted(&id), -1));
}

/* The one job that the worker says it runs; false: it says none. */
static bool read_told(struct worker_job *ret)
{
    char *text = redis_fixture_ask(&rig.redis, "HGET", "hoist:worker:a", "jobs", NULL);
    size_t at = 0, len = strlen(text);
    bool found = worker_jobs_next(text, len, &at, ret);
    free(text);
    return found;
}

static bool is_told(const char *field, const char *want)
{
    char *got = redis_fixture_ask(&rig.redis, "HGET", "hoist:worker:a", field, NULL);
    bool same = strcmp(got, want) == 0;

    free(got);
    return same;
}

Test(worker_parts,
     a_job_that_runs_is_told_of_and_one_that_is_cancelled_leaves_no_upload)
{
    struct spawn *a;
    struct job_id id = hang_in_last_part(&a);
    struct worker_job j = {.size = 0};

    cr_assert(WAIT_UNTIL(read_told(&j) && j.parts_done == PARTS - 1, 10000));
    cr_expect(eq(str, j.id.uuid.text, id.uuid.text));
    cr_expect(eq(str, j.name, "name.txt"));
    cr_expect(eq(str, j.phase, "finishing"), "its last bytes have left");
    cr_expect(eq(i64, j.parts, PARTS));
    cr_expect(j.size == SIZE && j.sent >= 2 * PART && j.sent <= SIZE);
    cr_expect(j.started > 0 && j.started <= clock_wall_ms());
    cr_expect(is_told("running", "1") && !is_told("slots", ""));
    cr_expect(is_told("queues", "default") && is_told("version", HOIST_VERSION));
    struct redis_cmd cmd;
    struct redis_value *reply = NULL;
    struct err e = ERR_INIT;

    redis_cmd_init(&cmd);
    queue_cancel_cmd(&cmd, &id, 60000);
    cr_assert(redis_call(rig.client, &cmd, &reply, &e) == ERR_OK, "%s", e.text);
    redis_reply_free(reply);
    redis_cmd_release(&cmd);
    cr_assert(rig_wait_state(&rig, &id, "cancelled", 10000));
    cr_expect(WAIT_UNTIL(s3_faulty_unfinished(rig.s3) == 0, 10000));
    cr_expect(WAIT_UNTIL(noted(&id) == -1, 5000));
    cr_expect(WAIT_UNTIL(is_told("jobs", "") && is_told("running", "0"), 10000));
}

/* A journal as of a worker that died between asking for an upload and its answer, of a job that nobody knows any more. */
static struct job_id leave_intent(void)
{
    struct job_id id = {.queue = "default", .uuid = id_new()};
    struct spool_parts_id at = journal_of(&id);
    struct buf head = BUF_INIT(PARTS_JOURNAL_LINE_MAX);
    struct buf lines = BUF_INIT(PARTS_JOURNAL_LINE_MAX);
    struct err e = ERR_INIT;
    int fd = -1;

    parts_journal_add_head(&head, &(struct parts_journal_head){.destination = "s3",
                                                               .bucket = "bucket",
                                                               .key = "pre/left",
                                                               .size = SIZE,
                                                               .part_size = PART,
                                                               .checksum = "sha256",
                                                               .sha256 = ""});
    parts_journal_add_create(&lines);
    cr_assert(spool_parts_begin(rig.spool, &at, &head, &lines, &fd, &e) == ERR_OK, "%s",
              e.text);
    (void)close(fd);
    buf_release(&head);
    buf_release(&lines);
    s3_faulty_begin_parts(rig.s3, "/bucket/pre/left");
    return id;
}

Test(worker_parts, an_upload_of_a_job_that_is_gone_is_aborted_by_whoever_reconciles)
{
    rig_up_s3(&rig, IN_PARTS);
    struct job_id id = leave_intent();

    (void)rig_start(&rig, "a");
    cr_expect(WAIT_UNTIL(s3_faulty_unfinished(rig.s3) == 0, 10000));
    cr_expect(WAIT_UNTIL(noted(&id) == -1, 5000), "the journal goes last");
}

Test(worker_parts, reconcile_by_hand_tells_of_it)
{
    char out[4096] = "", want[128], name[ID_JOB_MAX + 1];

    rig_up_s3(&rig, IN_PARTS);
    struct job_id id = leave_intent();
    id_format_job(&id, name);
    (void)snprintf(want, sizeof want, "abort %s.s3.parts\n", name);
    struct tmpdir_file log = tmpdir_file(&rig.dir, "reconcile.log");
    const char *argv[] = {HOIST_WORKER_BIN, "--config", rig.config.path, "--reconcile",
                          NULL};
    struct spawn child;

    spawn_start(&child, &(struct spawn_options){.argv = argv, .log_path = log.path});
    cr_assert(spawn_wait(&child, 20000, NULL));
    FILE *f = fopen(log.path, "r");
    cr_assert(f != NULL);
    out[fread(out, 1, sizeof out - 1, f)] = '\0';
    (void)fclose(f);
    cr_expect(ne(ptr, strstr(out, want), NULL), "%s", out);
    cr_expect(eq(int, s3_faulty_unfinished(rig.s3), 0));
    cr_expect(eq(int, noted(&id), -1));
}
