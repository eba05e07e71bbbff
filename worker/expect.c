#include "worker/expect.h"

bool expect_wants(const struct expect *x, int64_t len, bool likely_refused)
{
    return len >= EXPECT_FROM && !x->unknown && (!x->takes || likely_refused);
}

void expect_told(struct expect *x, int64_t len, enum retry_net net, int status)
{
    if (net == RETRY_NET_ABORTED)
        return; /* by us */
    if (net != RETRY_NET_OK) {
        x->takes = false;
    } else if (status == 417) {
        x->unknown = true;
    } else if (status < 300) {
        if (len >= EXPECT_FROM)
            x->takes = true;
    } else if (status != 409 && status != 412) { /* those are about one object */
        x->takes = false;
    }
}
