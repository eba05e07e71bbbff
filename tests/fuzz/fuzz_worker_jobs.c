/*
 * fuzz worker_jobs: what a worker has written of its jobs, by whomever.  A job that is understood has the form that it is
 * promised to have, and reads the same when it is written again.
 */
#include "tests/fuzz/fuzz.h"

#include "shared/cleanup.h"
#include "shared/job_fields.h"
#include "shared/worker_jobs.h"

static bool is_word_or_none(const char *s)
{
    return !*s || job_text_is_word(s, strlen(s));
}

static void check(const struct worker_job *j)
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(WORKER_JOBS_BYTES_MAX);
    struct worker_job same;
    size_t at = 0;

    must(id_is_queue(j->id.queue, strlen(j->id.queue)));
    must(id_is_uuid(j->id.uuid.text, strlen(j->id.uuid.text)));
    must(is_word_or_none(j->owner) && is_word_or_none(j->policy));
    must(is_word_or_none(j->phase));
    must(!*j->name || job_text_is_name(j->name, strlen(j->name)));
    must(j->size >= 0 && j->sent >= 0 && j->rate >= 0 && j->parts >= 0);
    must(j->parts_done >= 0 && j->started >= 0);
    worker_jobs_add(&b, j);
    must(!b.failed && worker_jobs_next(b.data, b.len, &at, &same) && at == b.len);
    must(strcmp(same.id.queue, j->id.queue) == 0);
    must(strcmp(same.id.uuid.text, j->id.uuid.text) == 0);
    must(strcmp(same.owner, j->owner) == 0 && strcmp(same.policy, j->policy) == 0);
    must(strcmp(same.phase, j->phase) == 0 && strcmp(same.name, j->name) == 0);
    must(same.size == j->size && same.sent == j->sent && same.rate == j->rate);
    must(same.parts == j->parts && same.parts_done == j->parts_done);
    must(same.started == j->started);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct worker_job j;
    size_t at = 0, before = 0;

    while (worker_jobs_next(text, size, &at, &j)) {
        must(at > before && at <= size && text[at - 1] == '\n');
        check(&j);
        before = at;
    }
    return 0;
}
