/*
 * stress meter: threads count, each in its own meter and all in one histogram, while another one reads: no count is lost, none
 * seen goes back.  With an argument it says what a note costs instead.
 */
#include "fcgi-app/metrics/meter.h"
#include "shared/clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

enum { THREADS = 4, NOTES = 200000, MEASURED = 20000000 };

static struct meter meters[THREADS];
static struct histogram shared;
static atomic_bool done;

static void *count(void *arg)
{
    struct meter *m = arg;
    for (int i = 0; i < NOTES; i++) {
        meter_note(m, (size_t)i % METER_ROUTES, 200 + i % 400, i);
        histogram_note_shared(&shared, &histogram_redis_us, i);
        if (i % 10 == 0)
            meter_note_parked(m);
    }
    return NULL;
}

static uint64_t read_all(struct meter_sum *sum)
{
    uint64_t total = 0;
    *sum = (struct meter_sum){.parked = 0};
    for (size_t i = 0; i < THREADS; i++)
        meter_read(&meters[i], sum);
    for (size_t i = 0; i < METER_ROUTES; i++)
        total += histogram_count(&sum->latency_us[i]);
    return total;
}

static void *look(void *arg)
{
    bool *went_back = arg;
    struct meter_sum sum;
    uint64_t last = 0;
    while (!atomic_load(&done)) {
        uint64_t now = read_all(&sum);
        *went_back = *went_back || now < last;
        last = now;
    }
    return NULL;
}

static int measure(void)
{
    int64_t begin_us = clock_mono_us();
    for (int i = 0; i < MEASURED; i++)
        meter_note(&meters[0], (size_t)i % 8, 202, i % 4096);
    double ns = (double)(clock_mono_us() - begin_us) * 1000 / MEASURED;
    printf("%.1f ns a note\n", ns);
    return 0;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS], reader;
    struct meter_sum sum;
    struct histogram_sum all = {.sum = 0};
    bool went_back = false;
    (void)argv;
    if (argc > 1)
        return measure();
    if (pthread_create(&reader, NULL, look, &went_back) != 0)
        return 1;
    for (size_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, count, &meters[i]) != 0)
            return 1;
    for (size_t i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    atomic_store(&done, true);
    (void)pthread_join(reader, NULL);
    histogram_read(&shared, &all);
    uint64_t total = read_all(&sum), classes = 0;
    for (size_t i = 0; i < METER_ROUTES; i++)
        for (size_t k = 0; k < METER_CLASSES; k++)
            classes += sum.classes[i][k];
    bool good = total == THREADS * NOTES && classes == total && !went_back &&
                histogram_count(&all) == total && sum.parked == total / 10;
    if (!good)
        printf("%llu notes, %llu by class, %llu shared, %llu parked, back: %d\n",
               (unsigned long long)total, (unsigned long long)classes,
               (unsigned long long)histogram_count(&all),
               (unsigned long long)sum.parked, went_back);
    return good ? 0 : 1;
}
