/*
 * clients: who uploads, well or badly, and writes down what was promised.
 *
 *     thread  --next number n-->  body  --try, synced-->  ledger  --request-->  web server
 *                                          ledger  <--got or unk, synced--  whole answer, or none
 *
 * Raw HTTP/1.1 over TCP or a unix socket, one connection a thread, kept while the server keeps it.  Each number is sent
 * once, in one of these ways:
 *
 *   | kind            | what                                                      | ledger                       |
 *   | --------------- | --------------------------------------------------------- | ---------------------------- |
 *   | CLIENTS_PUT     | PUT /v1/uploads/chaos-<n>.bin                              | try, got                     |
 *   | CLIENTS_POST    | POST /v1/uploads, raw                                     | try, got                     |
 *   | CLIENTS_CHUNKED | PUT without a length                                      | try, got                     |
 *   | CLIENTS_FORM    | multipart/form-data with 1 to 4 files, a number each       | try, got for each            |
 *   | CLIENTS_SLOW    | PUT in pieces, over about slow_ms                          | try, got                     |
 *   | CLIENTS_BREAK   | PUT, closed somewhere in the middle of the body            | cut, unk                     |
 *   | CLIENTS_SHORT   | PUT, fewer bytes than announced, then waits for an answer  | cut, got or unk              |
 *   | CLIENTS_DEAF    | PUT, whole, closed without reading an answer               | try, unk                     |
 *
 * Some of them ask for a group, a delay or a priority.  A connection that ends, an answer that is not whole within
 * timeout_ms, or a connect that fails after the try was written is unk.  After 429 and 5xx, and when nobody can be
 * connected to, a thread waits: 20 ms, doubled each time, up to backoff_max_ms.  It connects before it writes try, so that a
 * server that is away costs no numbers.
 *
 * A 202 must name as many jobs as files were sent, with their sizes and SHA-256; one that does not is counted in `wrong`.
 * Thread rules: start, stop and free by one thread; the others by any.
 */
#ifndef HOIST_TESTS_CHAOS_CLIENTS_H
#define HOIST_TESTS_CHAOS_CLIENTS_H

#include "tests/chaos/body.h"
#include "tests/chaos/latency.h"
#include "tests/chaos/ledger.h"

#include <stdbool.h>
#include <stdint.h>

enum clients_kind {
    CLIENTS_PUT,
    CLIENTS_POST,
    CLIENTS_CHUNKED,
    CLIENTS_FORM,
    CLIENTS_SLOW,
    CLIENTS_BREAK,
    CLIENTS_SHORT,
    CLIENTS_DEAF,
    CLIENTS_KINDS
};

enum { CLIENTS_THREADS_MAX = 256, CLIENTS_QUEUES_MAX = 8, CLIENTS_EXAMPLE_MAX = 160 };

struct clients_options {
    const char *address;   /* "127.0.0.1:8080" or "unix:/path" */
    struct ledger *ledger; /* outlives the clients */
    struct body_plan plan;
    int64_t first; /* the first upload number */
    int64_t count; /* numbers to use; 0: until stopped, at most LEDGER_ENTRIES_MAX */
    int threads;   /* 1 .. CLIENTS_THREADS_MAX */
    double rate;   /* requests a second of all together; 0: as fast as they are taken */
    int timeout_ms;             /* for an answer, from the last byte sent; 0: 10 s */
    int slow_ms;                /* 0: 2 s */
    int backoff_max_ms;         /* 0: 1 s */
    int weights[CLIENTS_KINDS]; /* how often each kind; all 0: the usual mix */
    bool plain;                 /* no group, delay or priority, ever */
    const char *queues[CLIENTS_QUEUES_MAX]; /* drawn from; none: the default queue */
    const char *
        answers_path; /* heads and bodies of answers are appended here, up to 64 MiB (for I12); may be NULL */
};

/* So far. */
struct clients_counts {
    int64_t numbers;  /* handed out */
    int64_t requests; /* begun: a form is one */
    int64_t accepted, refused,
        unknown;          /* uploads, by the end in the ledger; accepted: 202 */
    int64_t busy;         /* of refused: 429, 503, 507 */
    int64_t errors;       /* of refused: other 5xx */
    int64_t cut;          /* uploads that must not become jobs */
    int64_t cut_accepted; /* of them: answered 202 nevertheless */
    int64_t connects_failed;
    int64_t wrong;                     /* 202s that do not say what was sent */
    char example[CLIENTS_EXAMPLE_MAX]; /* the first of wrong and cut_accepted; "" */
};

struct clients;

/* ERR_CONFIG: an address or a number that cannot be; ERR_RETRY: no threads; ERR_NOMEM. */
MUST_CHECK enum err_code clients_start(const struct clients_options *o,
                                       struct clients **ret_clients, struct err *e);
/* Wait until all numbers are used and answered; false when they were not by the deadline. */
bool clients_wait(struct clients *c, int64_t deadline_ms);
/* No new requests; those under way get their answers (up to timeout_ms), then all threads have ended.  Twice is once. */
void clients_stop(struct clients *c);
void clients_free(struct clients *c); /* stops first; takes NULL */

/* No new requests until resumed; true once none is under way (false: some are after deadline_ms, it stays paused). */
bool clients_pause(struct clients *c, int64_t deadline_ms);
void clients_resume(struct clients *c);

struct clients_counts clients_counts(struct clients *c);
/* ERR_OK, or why the clients ended before their time: the ledger could not be written. */
MUST_CHECK enum err_code clients_error(struct clients *c, struct err *e);
/* From the first byte of the request to the whole answer, of 202s to PUT, POST and FORM; in windows of 1 s.  Lives as long as the
 * clients. */
struct latency *clients_latency(struct clients *c);

/* A job accepted lately, drawn at random from the last thousand or so, and the upload it is: for whoever wants to look at jobs
 * under way.  False when there is none yet. */
bool clients_draw_job(struct clients *c, char ret_id[static ID_JOB_MAX + 1],
                      int64_t *ret_n);

#endif
