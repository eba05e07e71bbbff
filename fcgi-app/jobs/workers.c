#include "fcgi-app/jobs/workers.h"

#include "fcgi-app/jobs/workers_write.h"
#include "shared/cleanup.h"

static enum err_code read_ids(struct exchange *x, struct queue_workers *p,
                              struct err *e)
{
    struct redis_cmd c;
    redis_cmd_init(&c);
    queue_workers_ids_cmd(&c);
    enum err_code code = exchange_ask(x, &c, 1, &p->ids, e);
    redis_cmd_release(&c);
    return code ? code : redis_value_error(p->ids, e);
}

static enum err_code read_about(struct exchange *x, struct queue_workers *p,
                                struct err *e)
{
    struct redis_cmd cmds[QUEUE_WORKERS_MAX];
    for (size_t i = 0; i < QUEUE_WORKERS_MAX; i++)
        redis_cmd_init(&cmds[i]);
    queue_workers_about_cmds(p, cmds);
    enum err_code code =
        p->count > 0 ? exchange_ask(x, cmds, p->count, p->about, e) : ERR_OK;
    for (size_t i = 0; i < QUEUE_WORKERS_MAX; i++)
        redis_cmd_release(&cmds[i]);
    return code;
}

void workers_list(struct exchange *x)
{
    CLEANUP(queue_workers_release) struct queue_workers p = {.ids = NULL};
    struct err e = ERR_INIT;
    enum err_code code = read_ids(x, &p, &e);
    if (!code)
        code = read_about(x, &p, &e);
    if (code) {
        exchange_refuse(x, PROBLEM_UNAVAILABLE, &e);
        return;
    }
    response_begin(&x->response, 200, "application/json");
    x->response.has_etag = true;
    if (!workers_write(&p, x->app->config, &x->access, &x->response.body))
        x->response.body.failed = true;
    buf_putc(&x->response.body, '\n');
}
