#include "tests/chaos/watch_rules.h"

bool watch_may_follow(enum job_state was, enum job_state is)
{
    switch (was) {
    case JOB_ACCEPTED:
        return true;
    case JOB_DONE:
    case JOB_CANCELLED:
        return false;
    case JOB_DEAD:
        return is == JOB_WAITING || is == JOB_CANCELLED;
    case JOB_RUNNING:
        return is != JOB_RUNNING;
    case JOB_WAITING:
    case JOB_SCHEDULED:
        return is != JOB_DONE;
    }
    return false;
}
