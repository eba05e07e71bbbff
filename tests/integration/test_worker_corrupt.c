/*
 * Bytes that are not what was accepted: on the spool's disk, on the way to the store, in the store, in its answers.  The job is
 * dead or tried again, and never is a wrong object called done.
 */
#include "tests/integration/worker_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "shared/clock.h"
#include "tests/support/wait_until.h"

enum { SIZE = 300 * 1024 + 17, FLIPS = 40 }; /* several chunks, the last one small */

static struct worker_rig rig;
static uint64_t seed;

static void down(void)
{
    rig_down(&rig);
}

TestSuite(worker_corrupt, .fini = down, .timeout = 120);

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* HOIST_TEST_SEED takes a run up again. */
static void begin_random(void)
{
    const char *given = getenv("HOIST_TEST_SEED");

    seed = given ? strtoull(given, NULL, 10) : (uint64_t)clock_mono_us() | 1;
    fprintf(stderr, "HOIST_TEST_SEED=%llu\n", (unsigned long long)seed);
}

static struct job_id put(const char *to, int64_t size)
{
    return rig_put(&rig, &(struct rig_job){.size = size, .to = to});
}

static const char *data_path(const struct job_id *id)
{
    static char path[512];
    char name[ID_JOB_MAX + 1];

    id_format_job(id, name);
    (void)snprintf(path, sizeof path, "%s/jobs/%s.data", rig.spool_dir.path, name);
    return path;
}

/* Turn one bit of a spool file. */
static void flip(const struct job_id *id, int64_t at, int bit)
{
    int fd = open(data_path(id), O_RDWR | O_CLOEXEC);
    unsigned char byte;

    cr_assert(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= (unsigned char)(1 << bit);
    cr_assert(pwrite(fd, &byte, 1, at) == 1);
    (void)close(fd);
}

static bool has_object(const char *to, const struct job_id *id)
{
    struct s3_faulty_object o;
    char path[512];

    if (strcmp(to, "s3") == 0) {
        (void)snprintf(path, sizeof path, "/bucket/pre/%s", id->uuid.text);
        return s3_faulty_object(rig.s3, path, &o);
    }
    (void)snprintf(path, sizeof path, "%s/%s", rig.objects.path, id->uuid.text);
    return access(path, F_OK) == 0;
}

/* Dead for this reason, its files kept, and no object made. */
static void expect_dead(const char *to, const struct job_id *id, const char *error)
{
    cr_assert(rig_wait_state(&rig, id, "dead", 10000));
    cr_expect(strstr(rig_field(&rig, id, "error"), error) != NULL, "%s: %s", to,
              rig_field(&rig, id, "error"));
    cr_expect(rig_in_spool(&rig, id));
    cr_expect(not(has_object(to, id)), "%s: no object", to);
}

static void flip_everywhere(const char *settings)
{
    static const char *const to[] = {"default", "s3"};
    static const int64_t places[] = {0, SIZE - 1, SIZE / 2, 2 * 128 * 1024 + 1};
    enum { PLACES = sizeof places / sizeof places[0] };
    struct job_id damaged[FLIPS], whole[2];

    rig_up_s3(&rig, settings);
    begin_random();
    for (int i = 0; i < FLIPS; i++) {
        int64_t at = i / 2 < PLACES ? places[i / 2] : (int64_t)(next_random() % SIZE);
        damaged[i] = put(to[i % 2], SIZE);
        flip(&damaged[i], at, (int)(next_random() % 8));
    }
    whole[0] = put(to[0], SIZE);
    whole[1] = put(to[1], SIZE);
    rig_start(&rig, "a");

    for (int i = 0; i < FLIPS; i++) {
        expect_dead(to[i % 2], &damaged[i], "spool corrupt");
        cr_expect(eq(i64, rig_number(&rig, &damaged[i], "attempts"), 1));
    }
    for (int i = 0; i < 2; i++) {
        cr_expect(rig_wait_state(&rig, &whole[i], "done", 5000));
        cr_expect(has_object(to[i], &whole[i]), "the others are delivered");
    }
    cr_expect(eq(int, s3_faulty_objects(rig.s3), 1));
}

Test(worker_corrupt, a_bit_that_flipped_on_the_disk_makes_the_job_dead)
{
    flip_everywhere(NULL);
}

Test(worker_corrupt, also_where_the_store_is_sent_crc_32c)
{
    flip_everywhere("[destination s3]\nchecksum = crc32c\n");
}

Test(worker_corrupt, also_where_it_is_sent_no_checksum)
{
    flip_everywhere("[destination s3]\nchecksum = no\n");
}

Test(worker_corrupt, a_file_that_was_cut_or_has_grown_makes_the_job_dead)
{
    static const char *const to[] = {"default", "s3"};
    struct job_id cut[2], empty[2], grown[2];

    rig_up_s3(&rig, NULL);
    for (int i = 0; i < 2; i++) {
        cut[i] = put(to[i], SIZE);
        cr_assert(truncate(data_path(&cut[i]), SIZE - 1) == 0);
        empty[i] = put(to[i], SIZE);
        cr_assert(truncate(data_path(&empty[i]), 0) == 0);
        grown[i] = put(to[i], SIZE);
        cr_assert(truncate(data_path(&grown[i]), SIZE + 1) == 0);
    }
    rig_start(&rig, "a");
    for (int i = 0; i < 2; i++) {
        expect_dead(to[i], &cut[i], "spool short");
        expect_dead(to[i], &empty[i], "spool short");
        expect_dead(to[i], &grown[i], "spool long");
    }
}

static void swap_files(const struct job_id *one, const struct job_id *other)
{
    char one_path[512], other_path[512], aside[512];

    (void)snprintf(one_path, sizeof one_path, "%s", data_path(one));
    (void)snprintf(other_path, sizeof other_path, "%s", data_path(other));
    (void)snprintf(aside, sizeof aside, "%s/aside", rig.dir.path);
    cr_assert(rename(one_path, aside) == 0 && rename(other_path, one_path) == 0 &&
              rename(aside, other_path) == 0);
}

Test(worker_corrupt, files_that_were_swapped_make_both_jobs_dead)
{
    static const char *const to[] = {"default", "s3"};
    static const char *const texts[] = {"of one client", "of another 1!"};
    struct job_id ids[2][2];

    rig_up_s3(&rig, NULL);
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 2; k++)
            ids[i][k] = rig_put(&rig, &(struct rig_job){.data = texts[k], .to = to[i]});
        swap_files(&ids[i][0], &ids[i][1]);
    }
    rig_start(&rig, "a");
    for (int i = 0; i < 4; i++)
        expect_dead(to[i / 2], &ids[i / 2][i % 2], "spool corrupt");
}

static void expect_right_object(const struct job_id *id)
{
    struct s3_faulty_object o;
    char path[512];

    (void)snprintf(path, sizeof path, "/bucket/pre/%s", id->uuid.text);
    cr_assert(s3_faulty_object(rig.s3, path, &o));
    cr_expect(eq(str, o.sha256, (char *)rig_field(&rig, id, "sha256")));
    cr_expect(eq(int, o.stored, 1));
}

Test(worker_corrupt, bits_that_flip_on_the_way_to_the_store_are_sent_again)
{
    static const char *const settings[] = {NULL,
                                           "[destination s3]\nchecksum = crc32c\n",
                                           "[destination s3]\nchecksum = no\n"};

    begin_random();
    for (int i = 0; i < 3; i++) {
        rig_up_s3(&rig, settings[i]);
        rig_start(&rig, "a");
        for (int n = 0; n < 2; n++)
            s3_faulty_push(rig.s3,
                           (struct s3_fault){.kind = S3_FAULT_FLIP_IN_BODY,
                                             .bytes = (int64_t)(next_random() % SIZE)});
        struct job_id id = put("s3", SIZE);
        cr_assert(rig_wait_state(&rig, &id, "done", 5000));
        cr_expect(eq(i64, rig_number(&rig, &id, "attempts"), 3));
        expect_right_object(&id);
        if (i < 2)
            rig_down(&rig);
    }
}

Test(worker_corrupt, bits_that_flip_every_time_make_the_job_dead)
{
    rig_up_s3(&rig, NULL);
    rig_start(&rig, "a");
    for (int n = 0; n < 3; n++)
        s3_faulty_push(rig.s3,
                       (struct s3_fault){.kind = S3_FAULT_FLIP_IN_BODY, .bytes = n});
    struct job_id id = put("s3", SIZE);
    expect_dead("s3", &id, "BadDigest");
    cr_expect(eq(i64, rig_number(&rig, &id, "attempts"), 3));
}

/* It took the bytes, and holds others: one retry finds the key taken. */
Test(worker_corrupt, a_store_that_keeps_other_bytes_makes_the_job_dead)
{
    rig_up_s3(&rig, NULL);
    rig_start(&rig, "a");
    s3_faulty_push(rig.s3, (struct s3_fault){.kind = S3_FAULT_CORRUPT});
    struct job_id id = put("s3", SIZE);
    cr_assert(rig_wait_state(&rig, &id, "dead", 5000));
    cr_expect(strstr(rig_field(&rig, &id, "error"), "other content") != NULL);
    cr_expect(eq(i64, rig_number(&rig, &id, "attempts"), 2));
    cr_expect(rig_in_spool(&rig, &id));
}

Test(worker_corrupt, an_answer_with_a_wrong_digest_is_not_believed_and_head_decides)
{
    static const enum s3_fault_kind kinds[] = {
        S3_FAULT_WRONG_ETAG, S3_FAULT_WRONG_CHECKSUM, S3_FAULT_NO_PROOF};

    rig_up_s3(&rig, NULL);
    rig_start(&rig, "a");
    for (int i = 0; i < 3; i++) {
        s3_faulty_push(rig.s3, (struct s3_fault){.kind = kinds[i]});
        struct job_id id = put("s3", SIZE);
        cr_assert(rig_wait_state(&rig, &id, "done", 5000));
        cr_expect(eq(i64, rig_number(&rig, &id, "attempts"), 1));
        cr_expect(eq(int, s3_faulty_count(rig.s3, "HEAD"), i + 1));
        expect_right_object(&id);
    }
}
