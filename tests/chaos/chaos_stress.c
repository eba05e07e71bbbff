/*
 * chaos_stress: what of the chaos program crosses threads, for ThreadSanitizer: ledger, clients, latency and proxy at once,
 * while another thread asks for their counts and sets faults.  Exits 0 when all uploads have an end in the ledger.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/clock.h"
#include "tests/chaos/clients.h"
#include "tests/chaos/fake_hoist.h"
#include "tests/chaos/proxy.h"
#include "tests/support/tmpdir.h"

enum { UPLOADS = 600, DEADLINE_MS = 60000 };

static void must(enum err_code code, const struct err *e)
{
    if (code == ERR_OK)
        return;
    fprintf(stderr, "chaos_stress: %s\n", e->text);
    exit(1);
}

/* Until the clients are through: look at everything, and break a link now and then. */
static void disturb(struct clients *c, struct proxy *p)
{
    static const struct proxy_fault faults[] = {
        {.slice = true}, {.delay_ms = 2}, {.cut = true, .cut_at = 300, .times = 2}};
    int64_t end = clock_mono_ms() + DEADLINE_MS;

    for (size_t i = 0; !clients_wait(c, 20) && clock_mono_ms() < end; i++) {
        char id[ID_JOB_MAX + 1];
        int64_t n, from;
        (void)clients_counts(c);
        (void)clients_draw_job(c, id, &n);
        (void)latency_worst(clients_latency(c), 1, &from);
        (void)proxy_counts(p);
        if (i % 4 == 3)
            proxy_heal(p);
        else
            proxy_set(p, i % 2 ? PROXY_UP : PROXY_DOWN, &faults[i % 3]);
    }
    proxy_heal(p);
}

static int judge(const char *path)
{
    struct ledger_record r = LEDGER_RECORD_INIT;
    struct err e = ERR_INIT;

    must(ledger_read(path, &r, &e), &e);
    int64_t ended = 0;
    for (size_t n = 0; n < r.count; n++)
        ended += r.entries[n].ended_ms > 0;
    printf("%lld of %d ended, %lld accepted, %lld unknown\n", (long long)ended, UPLOADS,
           (long long)r.accepted, (long long)r.unknown);
    bool all = ended == UPLOADS && r.accepted > 0;
    ledger_record_release(&r);
    return all ? 0 : 1;
}

int main(void)
{
    static struct fake_hoist fake;
    struct tmpdir dir;
    struct ledger *ledger = NULL;
    struct clients *clients = NULL;
    struct proxy *proxy = NULL;
    struct err e = ERR_INIT;

    tmpdir_make(&dir);
    fake_hoist_start(&fake, FAKE_ACCEPTS);
    struct tmpdir_file path = tmpdir_file(&dir, "ledger");
    must(ledger_open(path.path, &ledger, &e), &e);
    must(proxy_open("127.0.0.1:0", fake.address, &proxy, &e), &e);
    struct clients_options o = {.address = proxy_address(proxy),
                                .ledger = ledger,
                                .plan = {.seed = 1, .max_bytes = 20000},
                                .count = UPLOADS,
                                .threads = 8,
                                .slow_ms = 50,
                                .timeout_ms = 5000,
                                .backoff_max_ms = 50};
    must(clients_start(&o, &clients, &e), &e);
    disturb(clients, proxy);
    bool through = clients_wait(clients, DEADLINE_MS);
    must(clients_error(clients, &e), &e);
    clients_free(clients);
    proxy_close(proxy);
    ledger_close(ledger);
    fake_hoist_stop(&fake);
    int status = through ? judge(path.path) : 1;
    tmpdir_remove(&dir);
    return status;
}
