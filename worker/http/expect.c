#include "worker/http/expect.h"

bool expect_wants(const struct expect *x, int64_t len, bool likely_refused)
{
    return len >= EXPECT_FROM && !x->unknown && (!x->takes || likely_refused);
}

/* 409 and 412 are about one object. */
static bool is_refusal(int status)
{
    return status >= 300 && status != 409 && status != 412;
}

void expect_told(struct expect *x, int64_t len, enum retry_net net, int status)
{
    if (net == RETRY_NET_ABORTED)
        return; /* by us */
    if (net == RETRY_NET_OK && status == 417)
        x->unknown = true;
    else if (net != RETRY_NET_OK || is_refusal(status))
        x->takes = false;
    else if (status < 300 && len >= EXPECT_FROM)
        x->takes = true;
}
