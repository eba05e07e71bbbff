#include "fcgi-app/jobs/jobs.h"

#include "fcgi-app/events/listeners.h"
#include "fcgi-app/http/body.h"
#include "fcgi-app/jobs/job_parts.h"
#include "fcgi-app/jobs/job_store.h"
#include "fcgi-app/jobs/presign.h"
#include "shared/cleanup.h"
#include "shared/clock.h"
#include "shared/job_tries.h"

#include <string.h>

void jobs_answer(struct response *r, int status, const struct job *j)
{
    response_begin(r, status, "application/json");
    if (!job_add_story(&r->body, j))
        r->body.failed = true;
    buf_putc(&r->body, '\n');
    r->has_etag = true;
}

void jobs_answer_new(struct response *r, const struct job *j)
{
    char url[sizeof "/v1/jobs/" + ID_JOB_MAX] = "/v1/jobs/";
    id_format_job(&j->id, url + strlen(url));
    jobs_answer(r, job_state_is_final(j->state) ? 200 : 202, j);
    r->has_etag = false; /* what was asked for is not the status */
    response_header(r, "Location", url);
}

/* ?wait=SECONDS, at most wait_max_seconds; 0 when not given. */
static enum problem get_wait(const struct exchange *x, int64_t *ret, struct err *e)
{
    const struct request_text *s = request_query(&x->request, "wait");
    int64_t max = x->app->config->http.wait_max_seconds, seconds = 0;
    if (!s && x->prefer.wait_seconds > 0)
        seconds = x->prefer.wait_seconds;
    if (s && (s->len == 0 || s->len > 9 || strspn(s->s, "0123456789") != s->len))
        return problem_set(e, PROBLEM_BAD_REQUEST, "wait: whole seconds are wanted");
    for (size_t i = 0; s && i < s->len; i++)
        seconds = seconds * 10 + (s->s[i] - '0');
    *ret = seconds < max ? seconds : max;
    return PROBLEM_NONE;
}

void jobs_show(struct exchange *x)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    struct job_id id;
    int64_t wait = 0, presign = 0;
    enum problem p = job_store_id(x, &id, &e);
    if (!p)
        p = get_wait(x, &wait, &e);
    if (!p)
        p = presign_read(&x->request, &presign, &e);
    if (!p)
        p = job_store_find(x, &id, &j, &e);
    if (!p && presign > 0) {
        p = presign_answer(&x->response, x->app->config, &j, presign, clock_wall_ms(),
                           &e);
        if (!p)
            return;
    }
    if (p) {
        exchange_refuse(x, p, &e);
        return;
    }
    bool park = wait > 0 && !job_state_is_final(j.state) &&
                x->request.method == METHOD_GET && x->may_wait &&
                fastcgi_drain(x->web, x->request.content_length);
    if (wait > 0 && x->prefer.wait_seconds > 0 && !request_query(&x->request, "wait"))
        x->response.preference = "wait";
    const struct listener_wish wish = {
        .kind = LISTENER_WAITS, .job = &j, .seconds = wait};
    if (park && listeners_park(x->app->listeners, x, &wish))
        return;
    jobs_answer(&x->response, 200, &j);
    job_parts_add(&x->response.body, x->app->spool, &j);
}

void jobs_cancel(struct exchange *x)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    struct job_id id;
    enum queue_answer answer = QUEUE_OK;
    enum problem p = job_store_id(x, &id, &e);
    if (!p)
        p = job_store_cancel(x, &id, &answer, &e);
    if (!p)
        p = job_store_read_record(x, &id, &j, &e);
    if (p)
        exchange_refuse(x, p, &e);
    else
        jobs_answer(&x->response, answer == QUEUE_RUNNING ? 202 : 200, &j);
}

void jobs_retry(struct exchange *x)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    struct job_id id;
    enum problem p = job_store_id(x, &id, &e);
    if (!p)
        p = job_store_retry(x, &id, &e);
    if (!p)
        p = job_store_read_record(x, &id, &j, &e);
    if (p) {
        exchange_refuse(x, p, &e);
        return;
    }
    quota_add_again(x, &j);
    jobs_answer(&x->response, 200, &j);
}

static enum problem read_priority(struct exchange *x, int64_t *ret, struct err *e)
{
    static const char *const names[] = {"priority", NULL};
    struct json_flat body;
    enum problem p = body_read(x, names, &body, e);
    if (p)
        return p;
    const struct json_member *m = json_flat_find(&body, "priority");
    if (!m || !json_member_int(m, JOB_PRIORITY_MAX, ret))
        return problem_set(e, PROBLEM_BAD_VALUE, "priority: 0 to 9 is wanted");
    return PROBLEM_NONE;
}

/* One that is accepted is put into Redis first.  done: as for job_store_steer. */
static enum problem steer(struct exchange *x, const struct job_id *id,
                          const struct redis_cmd *cmd, const char *done, struct err *e)
{
    enum queue_answer answer;
    enum problem p = job_store_steer(x, cmd, done, &answer, e);
    if (p != PROBLEM_NO_JOB)
        return p;
    p = job_store_enqueue(x, id, e);
    return p ? p : job_store_steer(x, cmd, done, &answer, e);
}

static void answer_steered(struct exchange *x, const struct job_id *id, enum problem p,
                           struct err *e)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    if (!p)
        p = job_store_read_record(x, id, &j, e);
    if (p)
        exchange_refuse(x, p, e);
    else
        jobs_answer(&x->response, 200, &j);
}

void jobs_promote(struct exchange *x)
{
    CLEANUP(redis_cmd_release) struct redis_cmd cmd;
    struct err e = ERR_INIT;
    struct job_id id;
    redis_cmd_init(&cmd);
    enum problem p = job_store_id(x, &id, &e);
    if (!p) {
        queue_promote_now_cmd(&cmd, &id);
        p = steer(x, &id, &cmd, "run before its time", &e);
    }
    answer_steered(x, &id, p, &e);
}

void jobs_prioritize(struct exchange *x)
{
    CLEANUP(redis_cmd_release) struct redis_cmd cmd;
    struct err e = ERR_INIT;
    struct job_id id;
    int64_t priority = 0;
    redis_cmd_init(&cmd);
    enum problem p = job_store_id(x, &id, &e);
    if (!p)
        p = read_priority(x, &priority, &e);
    if (!p) {
        queue_reprioritize_cmd(&cmd, &id, priority);
        p = steer(x, &id, &cmd, "given a priority", &e);
    }
    answer_steered(x, &id, p, &e);
}
