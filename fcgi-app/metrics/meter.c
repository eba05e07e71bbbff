#include "fcgi-app/metrics/meter.h"

/* Its thread alone writes it. */
static void grow(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter,
                          atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static uint64_t look(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void meter_note(struct meter *m, size_t route, int status, int64_t us)
{
    size_t class =
        status >= 200 && status < 600 ? (size_t)status / 100 - 2 : METER_CLASSES - 1;
    if (route > METER_OTHER)
        route = METER_OTHER;
    histogram_note(&m->latency_us[route], &histogram_request_us, us);
    grow(&m->classes[route][class]);
}

void meter_note_parked(struct meter *m)
{
    grow(&m->parked);
}

void meter_read(const struct meter *m, struct meter_sum *to)
{
    for (size_t i = 0; i < METER_ROUTES; i++) {
        histogram_read(&m->latency_us[i], &to->latency_us[i]);
        for (size_t k = 0; k < METER_CLASSES; k++)
            to->classes[i][k] += look(&m->classes[i][k]);
    }
    to->parked += look(&m->parked);
}
