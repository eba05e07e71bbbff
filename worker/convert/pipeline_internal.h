/*
 * pipeline_internal: what pipeline*.c share.  Only they include it.
 */
#ifndef HOIST_WORKER_PIPELINE_INTERNAL_H
#define HOIST_WORKER_PIPELINE_INTERNAL_H

#include "worker/convert/child.h"
#include "worker/convert/pipeline.h"

#include <stdbool.h>

enum { PIPELINE_STOP_KILL_MS = 500 };

/* One of the programs. */
struct pipeline_stage {
    struct pipeline *pipeline;
    const struct config_converter *config;
    struct child *child; /* NULL: it has ended, or was never started */
    int status, signal;  /* once it has ended, as in struct child_end */
    char *errors;        /* the last of its standard error; owned */
    size_t errors_len;
};

struct pipeline {
    struct stream stream;
    uv_loop_t *loop;
    struct pipeline_stage stages[CONVERT_MAX];
    size_t count, running;
    int out_fd; /* what the last one writes to us; -1: not all were started */
    uv_poll_t poll;
    uv_timer_t timer; /* watches the time; tells of idleness where none ever ran */
    int closing;      /* handles still to close */
    bool has_poll;
    int64_t bytes; /* that were read */
    bool is_over;  /* all were */
    bool source_ended, stopped, idle_told;
    bool failed;
    struct outcome failure;
    bool asked; /* the reader waits, since waits_ms */
    int64_t waits_ms, waited_ms;
    bool has_started;
    unsigned parts; /* of the sandbox of each */
    void (*on_idle)(void *ctx);
    void *ctx;
};

/* Start them from the first to the last.  Else it has failed, and those that run are being killed. */
void pipeline_start(struct pipeline *p, const struct pipeline_options *o);
/* For that: told of the end of a stage, which is ctx. */
void pipeline_on_stage_end(const struct child_end *end, void *ctx);
/* One cannot be had. */
void pipeline_fail_start(struct pipeline *p, const struct pipeline_stage *s,
                         const struct err *e);

#endif
