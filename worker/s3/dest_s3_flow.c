/* How the requests of an upload wait for their turn, and what their answers say of the store: see flow.h. */
#include "worker/s3/dest_s3_internal.h"

#include <stdio.h>

struct flow *dest_s3_flow_open(struct flows *flows, const struct config_destination *c,
                               const struct s3_endpoint *endpoint)
{
    bool own_host = c->style == CONFIG_VIRTUAL_STYLE;
    char name[512];

    (void)snprintf(name, sizeof name, "%s://%s%s%s", endpoint->https ? "https" : "http",
                   own_host ? c->bucket : "", own_host ? "." : "", endpoint->authority);
    return flows_add(flows, c, name);
}

/* Nothing is sent now: the job goes back as it is. */
static void deliver_held(struct destination_run *run)
{
    outcome_hold(&run->outcome, flow_rest_ms(run->dest->base.flow));
    dest_s3_deliver_later(run);
}

static void take_turn(struct destination_run *run);

static void on_turn(enum flow_turn turn, void *ctx)
{
    struct destination_run *run = ctx;

    if (turn == FLOW_HOLD) {
        deliver_held(run);
    } else if (!dest_s3_can_sign(run)) { /* they ran out while it waited */
        flow_leave(&run->ticket);
        dest_s3_with_keys(run, take_turn);
    } else {
        run->send(run);
    }
}

static void take_turn(struct destination_run *run)
{
    run->ticket.on_turn = on_turn;
    run->ticket.ctx = run;
    enum flow_turn turn =
        flow_ask(run->dest->base.flow, &run->ticket, run->belongs_to_begun);
    if (turn != FLOW_WAIT)
        on_turn(turn, run);
}

void dest_s3_send_in_turn(struct destination_run *run,
                          void (*send)(struct destination_run *run), bool first)
{
    run->send = send;
    run->belongs_to_begun = first;
    dest_s3_with_keys(run, take_turn);
}

void dest_s3_tell_flow(struct destination_run *run, const struct http_result *result,
                       const struct s3_answer *a)
{
    flow_told(&run->ticket, &(struct flow_answer){.net = result->net,
                                                  .status = result->response->status,
                                                  .class = a->class,
                                                  .retry_after_ms = a->retry_after_ms,
                                                  .error = a->error});
}
