/*
 * job_sample: a job with every asked-for field set, and how to compare two.  For tests.
 */
#ifndef HOIST_TESTS_SUPPORT_JOB_SAMPLE_H
#define HOIST_TESTS_SUPPORT_JOB_SAMPLE_H

#include "shared/job.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define EMPTY_SUM "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SAMPLE_ID "media.0193c0de-7a1b-7c3d-9e4f-0123456789ab"
#define SAMPLE_BATCH "0193c0de-7a1b-7c3e-8e4f-ba9876543210"

/* A job with every asked-for field set. */
static inline struct job full_job(void)
{
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;

    cr_assert(id_parse_job(SAMPLE_ID, strlen(SAMPLE_ID), &j.id));
    j.created = 1764000000123;
    j.due = 1764000005000;
    j.priority = 3;
    j.max_attempts = 10;
    j.size = 4096;
    j.source = strdup("spool");
    j.sha256 = strdup(EMPTY_SUM);
    j.crc32c = strdup("00000000");
    j.to = strdup("default");
    j.batch = strdup(SAMPLE_BATCH);
    cr_assert(not(job_set_name(&j, "Grüße \"1\" <b>.PDF", 19, &e)));
    cr_assert(not(job_set_type(&j, "text/plain; charset=\"utf-8\"", 27, &e)));
    cr_assert(not(job_set_key(&j, "a/b c.pdf", 9, &e)));
    cr_assert(not(job_add_meta(&j, "author", 6, "Zoë & co", 9, &e)));
    cr_assert(not(job_add_meta(&j, "empty", 5, "", 0, &e)));
    return j;
}

static inline void expect_same(const struct job *a, const struct job *b)
{
    cr_expect(eq(i64, a->v, b->v));
    cr_expect(eq(i64, a->created, b->created));
    cr_expect(eq(i64, a->priority, b->priority));
    cr_expect(eq(i64, a->max_attempts, b->max_attempts));
    cr_expect(eq(i64, a->size, b->size));
    cr_expect(eq(str, a->source, b->source));
    cr_expect(eq(str, a->sha256, b->sha256));
    cr_expect(eq(str, a->crc32c, b->crc32c));
    cr_expect(eq(str, a->name, b->name));
    cr_expect(eq(str, a->type, b->type));
    cr_expect(eq(str, a->to, b->to));
    cr_expect(eq(str, a->key, b->key));
    cr_expect(eq(str, a->batch, b->batch));
    cr_assert(eq(sz, a->meta_count, b->meta_count));
    for (size_t i = 0; i < a->meta_count; i++) {
        cr_expect(eq(str, a->meta[i].name, b->meta[i].name));
        cr_expect(eq(str, a->meta[i].value, b->meta[i].value));
    }
}

#endif
