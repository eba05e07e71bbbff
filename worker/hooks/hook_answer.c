#include "worker/hooks/hook_answer.h"

static enum retry_class class_of(int status)
{
    if (status == 429 || status == 503)
        return RETRY_THROTTLED;
    if (status == 408 || status == 425 || status >= 500)
        return RETRY_TRANSIENT;
    return RETRY_CONFIG; /* a redirect, a wrong address, a secret: a person has to see to it */
}

void hook_answer_judge(const struct http_response *r, struct outcome *ret)
{
    if (r->status >= 200 && r->status < 300) {
        ret->done = true;
    } else if (r->status == 410) {
        outcome_fail(ret, RETRY_NEVER,
                     "POST: status 410, the receiver does not want it");
        ret->error_class = "gone";
    } else {
        outcome_fail(ret, class_of(r->status), "POST: status %d%s", r->status,
                     r->status / 100 == 3 ? ", and redirects are not followed" : "");
        ret->retry_after_ms = http_response_retry_after_ms(r);
    }
}
