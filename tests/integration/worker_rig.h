/*
 * worker_rig: hoist-worker as it ships, with a private Redis, spool, directory of objects and, where wanted, s3_faulty.
 *
 *     struct worker_rig rig;
 *     rig_up(&rig, "[worker]\nconcurrency = 4\n");     settings laid over the rig's own, beginning within [worker]
 *     struct spawn *w = rig_start(&rig, "a");            a child called "a"; at most RIG_WORKERS_MAX
 *     struct job_id id = rig_put(&rig, &(struct rig_job){.data = "hello"});
 *     cr_assert(rig_wait_state(&rig, &id, "done", 5000));
 *     rig_down(&rig);
 *
 * Destinations: default (file:, rig.objects) and, after rig_up_s3, s3 (s3://bucket/pre).  Queue default: three attempts,
 * retries after at most 50 ms.  Lease: 1 s unless the settings have a lease_ms.  What fails in here fails the test.
 */
#ifndef HOIST_TESTS_INTEGRATION_WORKER_RIG_H
#define HOIST_TESTS_INTEGRATION_WORKER_RIG_H

#include "shared/queue.h"
#include "shared/spool.h"
#include "tests/support/redis_fixture.h"
#include "tests/support/s3_faulty.h"
#include "tests/support/spawn.h"
#include "tests/support/tmpdir.h"

#include <stdbool.h>
#include <stdint.h>

enum { RIG_WORKERS_MAX = 4 };

struct worker_rig {
    struct redis_fixture redis;
    struct tmpdir dir;
    struct tmpdir_file objects, spool_dir, config;
    struct spool *spool;
    struct redis *client;
    struct s3_faulty *s3;
    struct spawn workers[RIG_WORKERS_MAX];
    size_t worker_count;
};

struct rig_job {
    const void *data;  /* a text when size is 0 */
    int64_t size;      /* 0: strlen(data); with no data: so many bytes of a pattern */
    const char *to;    /* "default" */
    const char *queue; /* "default" */
    const char *key;   /* the default key of the job */
    int64_t delay_ms;
    int64_t max_attempts;                 /* 3 */
    const char *after;                    /* uuid of its parent */
    const char *unique, *unique_until;    /* none */
    const char *convert, *type;           /* none */
    const char *name;                     /* "name.txt" */
    const char *request_id, *traceparent; /* none */
    const char *meta[4];                  /* name and value, twice; none */
    const char *callback, *hooks, *batch; /* none */
    const char *batch_callback;           /* none */
    bool not_enqueued;                    /* commit only */
};

/* settings: more of the configuration file; may be NULL. */
void rig_up(struct worker_rig *rig, const char *settings);
/* The same with an s3: destination "s3" at rig->s3. */
void rig_up_s3(struct worker_rig *rig, const char *settings);
void rig_down(struct worker_rig *rig);

/* Start a worker of this name ([worker] id); it is registered when this returns. */
struct spawn *rig_start(struct worker_rig *rig, const char *name);

struct job_id rig_put(struct worker_rig *rig, const struct rig_job *job);

/* A field of the job's record, in a buffer that the next call overwrites; "" when there is none. */
const char *rig_field(struct worker_rig *rig, const struct job_id *id,
                      const char *field);
/* The same as a number; 0 when there is none. */
int64_t rig_number(struct worker_rig *rig, const struct job_id *id, const char *field);
/* Whether a worker has it. */
bool rig_is_leased(struct worker_rig *rig, const struct job_id *id);
bool rig_wait_state(struct worker_rig *rig, const struct job_id *id, const char *state,
                    int64_t deadline_ms);
/* Whether the job's files are in the spool. */
bool rig_in_spool(struct worker_rig *rig, const struct job_id *id);
bool rig_wait_unspooled(struct worker_rig *rig, const struct job_id *id,
                        int64_t deadline_ms);
/* Whether objects/<uuid> holds exactly this text. */
bool rig_object_is(struct worker_rig *rig, const struct job_id *id, const char *text);
/* How often this text stands in the log of a worker. */
int rig_log_count(struct spawn *worker, const char *text);

#endif
