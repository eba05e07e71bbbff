#include "worker/flow/circuit.h"

void circuit_init(struct circuit *c, unsigned failures_max, int64_t delay_max_ms)
{
    *c = (struct circuit){.failures_max = failures_max,
                          .delay_max_ms = delay_max_ms,
                          .window_ms = INT64_MIN,
                          .opened_ms = INT64_MIN,
                          .closed_ms = INT64_MIN};
}

enum circuit_state circuit_state(const struct circuit *c, int64_t now_ms)
{
    if (!c->open)
        return CIRCUIT_CLOSED;
    return now_ms < c->until_ms ? CIRCUIT_OPEN : CIRCUIT_HALF_OPEN;
}

int64_t circuit_wait_ms(const struct circuit *c, int64_t now_ms)
{
    return circuit_state(c, now_ms) == CIRCUIT_OPEN ? c->until_ms - now_ms : 0;
}

static void count(struct circuit *c, bool failed, int64_t now_ms)
{
    if (c->window_ms == INT64_MIN || now_ms - c->window_ms >= CIRCUIT_WINDOW_MS) {
        c->window_ms = now_ms;
        c->requests = c->failures = 0;
    }
    c->requests++;
    c->failures += failed;
}

bool circuit_success(struct circuit *c, int64_t began_ms, int64_t now_ms)
{
    if (began_ms <= c->opened_ms)
        return false;
    c->row = 0;
    count(c, false, now_ms);
    if (!c->open)
        return false;
    c->open = false;
    c->closed_ms = now_ms;
    c->window_ms = INT64_MIN;
    return true;
}

static bool has_failed_enough(const struct circuit *c)
{
    return c->open || c->row >= c->failures_max ||
           (c->requests >= CIRCUIT_WINDOW_MIN && 2 * c->failures >= c->requests);
}

/* It goes on doubling while it is open, or was so shortly before. */
static int64_t next_delay(const struct circuit *c, int64_t now_ms)
{
    bool again = c->open || (c->closed_ms != INT64_MIN && c->delay_ms > 0 &&
                             now_ms - c->closed_ms < c->delay_ms);
    int64_t delay = again ? 2 * c->delay_ms : CIRCUIT_DELAY_MS;

    return delay < c->delay_max_ms ? delay : c->delay_max_ms;
}

bool circuit_fail(struct circuit *c, enum circuit_failure how, int64_t began_ms,
                  int64_t now_ms, uint64_t random)
{
    if (c->failures_max == 0 || began_ms <= c->opened_ms)
        return false;
    c->row++;
    if (how == CIRCUIT_BROKEN)
        count(c, true, now_ms);
    if (!has_failed_enough(c))
        return false;
    c->delay_ms = next_delay(c, now_ms);
    c->open = true;
    c->opened_ms = now_ms;
    c->until_ms =
        now_ms + c->delay_ms - (int64_t)(random % (uint64_t)(c->delay_ms / 4 + 1));
    c->row = 0;
    c->window_ms = INT64_MIN;
    return true;
}

bool circuit_begin_probe(struct circuit *c, int64_t now_ms)
{
    if (c->probing || circuit_state(c, now_ms) != CIRCUIT_HALF_OPEN)
        return false;
    c->probing = true;
    return true;
}

void circuit_end_probe(struct circuit *c)
{
    c->probing = false;
}
