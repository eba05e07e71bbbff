#include "tests/chaos/chaos.h"

#include "tests/support/wait_until.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARM_UP_MS = 2000 };

const char *const chaos_queues[] = {"default", NULL};

void chaos_must(enum err_code code, const struct err *e, const char *what)
{
    if (code == ERR_OK)
        return;
    fprintf(stderr, "chaos: %s: %s\n", what, e->text);
    abort();
}

static void open_store(struct run *r)
{
    struct err e = ERR_INIT;
    bool s3 = r->options->store == OPTIONS_S3;
    char dir[STORE_PATH_MAX + 1];

    (void)snprintf(dir, sizeof dir, "%s",
                   system_path(&r->system, s3 ? "s3"
                                           : r->options->store == OPTIONS_SINK
                                               ? "objects/uploads"
                                               : "objects"));
    chaos_must(store_init(&r->store, s3 ? STORE_S3RVER : STORE_FILES, dir,
                          s3 ? "uploads" : NULL, &e),
               &e, "store");
    if (r->options->store != OPTIONS_SINK)
        chaos_must(store_index_new(&r->index, &e), &e, "store");
}

/* Clients that send all they announce and wait for the answer. */
static const int whole_ones[CLIENTS_KINDS] = {[CLIENTS_PUT] = 40,
                                              [CLIENTS_POST] = 20,
                                              [CLIENTS_CHUNKED] = 20,
                                              [CLIENTS_FORM] = 20,
                                              [CLIENTS_SLOW] = 1};

static void start_clients(struct run *r)
{
    const struct options *o = r->options;
    struct err e = ERR_INIT;
    struct clients_options c = {.address = r->address,
                                .plan = {.seed = o->seed},
                                .threads = o->clients,
                                /* They are held up a third of the time. */
                                .rate = 1.5 * o->jobs / o->seconds,
                                .timeout_ms = 5000,
                                .answers_path = system_path(&r->system, "log/answers")};

    if (o->spotless)
        memcpy(c.weights, whole_ones, sizeof whole_ones);
    chaos_must(ledger_open(system_path(&r->system, "ledger/ledger"), &r->ledger, &e),
               &e, "ledger");
    c.ledger = r->ledger;
    chaos_must(clients_start(&c, &r->clients, &e), &e, "clients");
    chaos_must(
        poller_start(&(struct poller_options){.address = r->address,
                                              .clients = r->clients,
                                              .store = &r->store,
                                              .plan = {.seed = o->seed},
                                              .rate = 20,
                                              .answers_path = system_path(
                                                  &r->system, "log/answers-poller")},
                     &r->poller, &e),
        &e, "poller");
    chaos_must(watch_start(&(struct watch_options){.redis_url = r->redis_url,
                                                   .queues = {"default"}},
                           &r->watch, &e),
               &e, "watch");
}

void chaos_sample(struct run *r, struct procs_sample ret[CHAOS_OURS_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < r->system.program_count; i++) {
        struct program *p = &r->system.programs[i];
        if ((p->kind == PROGRAM_RESPONDER || p->kind == PROGRAM_WORKER) &&
            procs_take(p->name, p->spawn.pid, &ret[n]))
            n++;
    }
    r->sampled = n;
}

static void redis_goes_back(void *ctx)
{
    struct run *r = ctx;

    watch_forget(r->watch);
    poller_forget(r->poller);
}

void chaos_begin(struct run *r, bool is_private)
{
    char path[TMPDIR_FILE_MAX + 1];

    system_open(&r->system, r->options, is_private);
    (void)snprintf(r->address, sizeof r->address, "unix:%s",
                   system_path(&r->system, "run/web.sock"));
    (void)snprintf(r->redis_url, sizeof r->redis_url, "unix://%s",
                   system_path(&r->system, "run/redis.sock"));
    open_store(r);
    fprintf(stderr, "chaos: seed %" PRIu64 ", in %s%s\n", r->options->seed,
            r->system.dir.path,
            is_private ? "" : ", without namespaces: no faults of the spool's disk");
    start_clients(r);
    int64_t end_ms = wait_now_ms() + WARM_UP_MS;
    while (wait_now_ms() < end_ms) {
        system_tick(&r->system);
        wait_a_moment();
    }
    chaos_sample(r, r->before);
    (void)snprintf(path, sizeof path, "%s", system_path(&r->system, "faults.jsonl"));
    r->faults = faults_open(
        &r->system, path,
        &(struct faults_hooks){.redis_goes_back = redis_goes_back, .ctx = r});
}
