#include "shared/process_figures.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* When this program was started, roughly: when its first object was set up. */
static time_t start_time;

__attribute__((constructor)) static void note_start(void)
{
    start_time = time(NULL);
}

/* The second number of statm; -1: it does not tell. */
static long resident_pages(void)
{
    char text[128] = "", *end = text;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return -1;
    bool read = fgets(text, sizeof text, f) != NULL;
    (void)fclose(f);
    (void)strtol(text, &end, 10);
    return read && *end == ' ' ? strtol(end, NULL, 10) : -1;
}

static int64_t as_us(struct timeval t)
{
    return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

void process_figures_write(const char *program, struct exposition *x)
{
    struct rusage usage;
    long pages = resident_pages();
    exposition_begin(x, EXPOSITION_GAUGE, "hoist_build_info",
                     "1; which program of which version this is.");
    exposition_int(
        x, EXPOSITION_LABELS({"program", program}, {"version", HOIST_VERSION}), 1);
    exposition_one(x, EXPOSITION_GAUGE, "hoist_start_time_seconds",
                   "When it was started, Unix time.", (int64_t)start_time);
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        exposition_begin(x, EXPOSITION_COUNTER, "hoist_cpu_seconds_total",
                         "Processor time it has used, user and system.");
        exposition_ratio(x, NULL, as_us(usage.ru_utime) + as_us(usage.ru_stime),
                         1000000);
    }
    if (pages >= 0)
        exposition_one(x, EXPOSITION_GAUGE, "hoist_resident_memory_bytes",
                       "Memory of it that is in RAM.", pages * sysconf(_SC_PAGESIZE));
}
