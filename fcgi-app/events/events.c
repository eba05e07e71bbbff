#include "fcgi-app/events/events.h"

#include "fcgi-app/events/listeners.h"
#include "fcgi-app/events/sse.h"
#include "fcgi-app/jobs/job_store.h"
#include "shared/cleanup.h"

#include <string.h>

static void begin(struct exchange *x)
{
    response_begin(&x->response, 200, "text/event-stream");
    x->response.is_stream = true;
    sse_add_retry(&x->response.body, EVENTS_RETRY_MS);
}

/* Whether one request is all that this process has (cgi.h). */
static bool is_by_cgi(const struct exchange *x)
{
    return gate_listen_fd(x->app->gate) < 0;
}

/* Only what has been begun is parked; the response is as it was when there is no place. */
static bool park(struct exchange *x, const struct listener_wish *wish)
{
    if (!x->may_wait || !fastcgi_drain(x->web, x->request.content_length))
        return false;
    (void)exchange_request_id(x);
    response_finish(&x->response, false);
    return x->response.status == 200 && listeners_park(x->app->listeners, x, wish);
}

static void refuse_full(struct exchange *x)
{
    struct err e = ERR_INIT;
    x->retry_after = EVENTS_FULL_SECONDS;
    (void)err_set(&e, ERR_RETRY, "as many listen as may ([http] max_listeners)");
    exchange_refuse(x, PROBLEM_UNAVAILABLE, &e);
}

/* What the client knows is told no more. */
static void begin_job(struct exchange *x, const struct job *j,
                      char ret_id[static SSE_ID_SIZE])
{
    struct buf *body = &x->response.body;
    const char *last = request_param(&x->request, "HTTP_LAST_EVENT_ID");
    CLEANUP(buf_release) struct buf status = BUF_INIT(RESPONSE_BODY_MAX / 2);
    if (!job_add_status(&status, j))
        body->failed = true;
    sse_make_id(status.data, status.len, ret_id);
    bool known = last && strcmp(last, ret_id) == 0;
    if (known && job_state_is_final(j->state)) {
        response_begin(&x->response, 204, NULL);
        return;
    }
    begin(x);
    if (!known)
        sse_add_event(&x->response.body, "job", ret_id, status.data, status.len);
}

void events_job(struct exchange *x)
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    struct job_id id;
    char told[SSE_ID_SIZE];
    enum problem p = job_store_id(x, &id, &e);
    if (!p)
        p = job_store_find(x, &id, &j, &e);
    if (p) {
        exchange_refuse(x, p, &e);
        return;
    }
    const struct listener_wish wish = {.kind = LISTENER_JOB, .job = &j, .told = told};
    begin_job(x, &j, told);
    if (job_state_is_final(j.state) || x->request.method == METHOD_HEAD || is_by_cgi(x))
        return; /* it is all there is to say */
    if (!park(x, &wish))
        refuse_full(x);
}

void events_feed(struct exchange *x)
{
    const struct listener_wish wish = {.kind = LISTENER_FEED};
    begin(x);
    if (x->request.method == METHOD_HEAD)
        return;
    if (is_by_cgi(x) || !park(x, &wish))
        refuse_full(x);
}
