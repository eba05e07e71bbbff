/*
 * queue_model_internal: what queue_model*.c share: how jobs move in the table.  Only they include it.
 */
#ifndef HOIST_TESTS_INTEGRATION_QUEUE_MODEL_INTERNAL_H
#define HOIST_TESTS_INTEGRATION_QUEUE_MODEL_INTERNAL_H

#include "tests/integration/queue_model.h"

bool model_is_leased(const struct model_job *j);
bool model_is_alive(const struct model_job *j);
bool model_has_ended(const struct model_job *j);
/* The number a field of conf stands for; 0: no limit. */
double model_limit(const struct model *m, enum model_conf field);

/* queue_model_lines.c: into the lines, and out of them */

/* Into ready, or the line of its group. */
void model_place(struct model *m, struct model_job *j);
void model_admit(struct model *m, int group);
/* Into later, due at a time. */
void model_schedule(struct model *m, struct model_job *j, int64_t at);
/* The first of ready; NULL: none. */
struct model_job *model_first_ready(struct model *m);
/* Everything tied to a job that has just ended; its place says how. */
void model_settle(struct model *m, struct model_job *j);
/* Ended: cancelled, or dead. */
void model_call_off(struct model *m, struct model_job *j);
void model_bury(struct model *m, struct model_job *j);
/* The job that has a unique key, if it is another one; -1: free. */
int model_holder(const struct model *m, int key, int job);
void model_unlock(struct model *m, struct model_job *j, int64_t window_ms);
void model_trim_done(struct model *m, int64_t keep_ms, int keep_count);
double model_tokens(const struct model *m, const struct model_bucket *b,
                    double per_second, double burst);
void model_keep_tokens(struct model *m, struct model_bucket *b, double left);
int64_t model_ms_until_token(double left, double per_second);

/* One of the numbers of a batch; and, once all of a call are counted, whether it has ended (-1: no batch). */
void model_count_in_batch(struct model *m, int batch, int64_t *number, int64_t by);
void model_check_batch(struct model *m, int batch);
/* What the timers of a claim do that have come (queue_model_time.c). */
void model_run_timers(struct model *m);

/* queue_model_claim.c */
void model_enqueue(struct model *m, const struct model_op *op, struct model_reply *ret);
void model_claim(struct model *m, const struct model_op *op, struct model_reply *ret);
void model_finish(struct model *m, const struct model_op *op, struct model_reply *ret);
void model_repeat(struct model *m, const struct model_op *op, struct model_reply *ret);

#endif
