#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/clock.h"
#include "tests/chaos/clients_internal.h"

enum { CONNECT_MS = 2000, ANSWERS_MAX = 64 << 20 };

/* --- what is sent --- */

static enum clients_kind draw_kind(const struct clients *c, uint64_t *random)
{
    int at = (int)(clients_random(random) % (uint64_t)c->weight_sum);
    int kind = 0;

    while (at >= c->options.weights[kind])
        at -= c->options.weights[kind++];
    return (enum clients_kind)kind;
}

/* One in four asks for something. */
static void draw_query(const struct clients *c, struct work *w, uint64_t *random)
{
    size_t queues = 0, len = 0;
    uint64_t r = clients_random(random), value = clients_random(random);

    while (queues < CLIENTS_QUEUES_MAX && c->options.queues[queues])
        queues++;
    if (queues > 0)
        len = (size_t)snprintf(w->query, sizeof w->query, "?queue=%.64s",
                               c->options.queues[value % queues]);
    if (c->options.plain || r % 4 != 0)
        return;
    const char *mark = len ? "&" : "?";
    char *to = w->query + len;
    size_t room = sizeof w->query - len;
    switch (r / 4 % 3) {
    case 0:
        (void)snprintf(to, room, "%sgroup=g%d", mark, (int)(value / 8 % 20));
        break;
    case 1:
        (void)snprintf(to, room, "%spriority=%d", mark, (int)(value / 8 % 10));
        break;
    default:
        (void)snprintf(to, room, "%sdelay=%d", mark, 1 + (int)(value / 8 % 3));
        break;
    }
}

static void draw(struct client *c, struct work *w)
{
    struct clients *all = c->clients;
    uint64_t first = (uint64_t)w->files[0].n;

    w->random = body_mix(all->options.plan.seed ^ body_mix(first));
    w->kind = draw_kind(all, &w->random);
    w->count = w->kind == CLIENTS_FORM ? 1 + clients_random(&w->random) % FILES_MAX : 1;
    draw_query(all, w, &w->random);
}

/* --- the ledger --- */

static bool note(struct clients *c, const struct ledger_line *lines, size_t count)
{
    struct err e = ERR_INIT;

    if (ledger_write(c->options.ledger, lines, count, &e) == ERR_OK)
        return true;
    (void)pthread_mutex_lock(&c->lock);
    if (c->failed.code == ERR_OK)
        c->failed = e;
    c->stopping = true;
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->lock);
    return false;
}

static bool is_cut(const struct work *w)
{
    return w->kind == CLIENTS_BREAK || w->kind == CLIENTS_SHORT;
}

static bool note_try(struct clients *c, const struct work *w,
                     struct ledger_line lines[FILES_MAX])
{
    struct err e = ERR_INIT;

    for (size_t i = 0; i < w->count; i++) {
        lines[i] = (struct ledger_line){.kind = is_cut(w) ? LEDGER_CUT : LEDGER_TRY,
                                        .n = w->files[i].n,
                                        .size = w->files[i].size};
        if (body_sha256(&w->files[i], lines[i].sha256, &e) != ERR_OK)
            return false;
    }
    return note(c, lines, w->count);
}

/* --- the answer --- */

static void keep_answer(struct clients *c, const struct buf *answer)
{
    (void)pthread_mutex_lock(&c->lock);
    bool keep = c->answers_fd >= 0 && c->answers_bytes < ANSWERS_MAX;
    if (keep)
        c->answers_bytes += (int64_t)answer->len;
    (void)pthread_mutex_unlock(&c->lock);
    if (keep && write(c->answers_fd, answer->data, answer->len) < 0)
        return; /* what could not be kept is not searched */
}

static void wrong(struct clients *c, const struct work *w, const char *what)
{
    (void)pthread_mutex_lock(&c->lock);
    if (!c->counts.example[0])
        (void)snprintf(c->counts.example, sizeof c->counts.example,
                       "upload %" PRId64 ": %s", w->files[0].n, what);
    (void)pthread_mutex_unlock(&c->lock);
}

/* The ids a 202 gives, into the lines; sent holds what the tries said. */
static bool take_ids(struct client *c, const struct work *w,
                     const struct ledger_line *sent, struct ledger_line *got)
{
    const char *at = c->answer.data;
    struct wire_job job;
    size_t i = 0;

    for (; wire_next_job(&at, &job); i++) {
        if (i >= w->count || job.size != sent[i].size ||
            strcmp(job.sha256, sent[i].sha256) != 0) {
            wrong(c->clients, w,
                  "the 202 says another size, digest or number of files");
            return false;
        }
        memcpy(got[i].id, job.id, sizeof got[i].id);
    }
    if (i < w->count)
        wrong(c->clients, w, "the 202 leaves out a file");
    return i == w->count;
}

static void count_answer(struct clients *c, const struct work *w, int status,
                         bool right)
{
    struct clients_counts *counts = &c->counts;
    int64_t files = (int64_t)w->count;

    (void)pthread_mutex_lock(&c->lock);
    if (is_cut(w)) {
        counts->cut_accepted += status == 202;
    } else if (status == 202) {
        counts->accepted += files;
        counts->wrong += !right;
    } else {
        counts->refused += files;
        bool busy = status == 429 || status == 503 || status == 507;
        counts->busy += busy ? files : 0;
        counts->errors += !busy && status >= 500 ? files : 0;
    }
    (void)pthread_mutex_unlock(&c->lock);
}

static void remember(struct clients *c, const struct ledger_line *got, size_t count)
{
    (void)pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < count; i++) {
        if (!got[i].id[0])
            continue;
        struct recent *r = &c->recent[c->recent_count++ % RECENT];
        memcpy(r->id, got[i].id, sizeof r->id);
        r->n = got[i].n;
    }
    (void)pthread_mutex_unlock(&c->lock);
}

/* After a whole answer; false when the ledger failed. */
static bool take_answer(struct client *c, const struct work *w, int status,
                        const struct ledger_line *sent)
{
    struct ledger_line got[FILES_MAX];
    struct clients *all = c->clients;
    bool right = true, accepted = status == 202;

    for (size_t i = 0; i < w->count; i++)
        got[i] = (struct ledger_line){
            .kind = LEDGER_GOT, .n = w->files[i].n, .status = status};
    if (accepted && !is_cut(w)) {
        right = take_ids(c, w, sent, got);
        if (w->kind == CLIENTS_PUT || w->kind == CLIENTS_POST ||
            w->kind == CLIENTS_FORM)
            latency_add(all->latency, clock_mono_us() - w->started_us);
    } else if (accepted) {
        wrong(all, w, "broken off or too short, and answered 202");
    }
    if (!note(all, got, w->count))
        return false;
    count_answer(all, w, status, right);
    if (accepted && !is_cut(w))
        remember(all, got, w->count);
    if (status == 429 || status >= 500)
        c->backoff_ms = c->backoff_ms ? c->backoff_ms * 2 : BACKOFF_FIRST_MS;
    else
        c->backoff_ms = 0;
    keep_answer(all, &c->answer);
    return true;
}

static bool take_nothing(struct client *c, const struct work *w)
{
    struct ledger_line lines[FILES_MAX];

    for (size_t i = 0; i < w->count; i++)
        lines[i] = (struct ledger_line){.kind = LEDGER_UNK, .n = w->files[i].n};
    if (!note(c->clients, lines, w->count))
        return false;
    (void)pthread_mutex_lock(&c->clients->lock);
    if (!is_cut(w))
        c->clients->counts.unknown += (int64_t)w->count;
    (void)pthread_mutex_unlock(&c->clients->lock);
    return true;
}

/* --- one request --- */

static void hang_up(struct client *c, bool reset)
{
    if (c->fd < 0)
        return;
    if (reset)
        wire_reset(c->fd);
    else
        (void)close(c->fd); /* nothing of it is wanted any more */
    c->fd = -1;
}

static bool exchange(struct client *c, struct work *w)
{
    struct ledger_line sent[FILES_MAX];
    struct wire_answer answer;

    if (!note_try(c->clients, w, sent))
        return false;
    enum wire_result r = clients_send(c, w);
    bool leaves = w->kind == CLIENTS_BREAK || w->kind == CLIENTS_DEAF;
    if (leaves || r == WIRE_BROKEN) {
        hang_up(c, leaves && clients_random(&w->random) % 2 == 0);
        return take_nothing(c, w);
    }
    int64_t deadline = clock_mono_ms() + c->clients->options.timeout_ms;
    if (wire_read_answer(c->fd, &c->answer, deadline, &answer) != WIRE_OK) {
        hang_up(c, false);
        return take_nothing(c, w);
    }
    if (r != WIRE_OK || answer.close || w->kind == CLIENTS_SHORT)
        hang_up(c, false);
    return take_answer(c, w, answer.status, sent);
}

static bool connect_now(struct client *c)
{
    if (c->fd >= 0 && !wire_is_idle(c->fd))
        hang_up(c, false);
    if (c->fd < 0)
        c->fd = wire_connect(&c->clients->address, clock_mono_ms() + CONNECT_MS);
    return c->fd >= 0;
}

/* A number, or several for a form.  False: there are no more. */
static bool take_numbers(struct client *c, struct work *w)
{
    struct clients *all = c->clients;
    const struct clients_options *o = &all->options;
    int64_t end = o->count ? o->first + o->count : LEDGER_ENTRIES_MAX;

    (void)pthread_mutex_lock(&all->lock);
    bool any = !all->stopping && all->next_n < end;
    if (any) {
        w->files[0].n = all->next_n;
        draw(c, w);
        if ((int64_t)w->count > end - all->next_n)
            w->count = (size_t)(end - all->next_n);
        for (size_t i = 0; i < w->count; i++)
            w->files[i] = body_of(&o->plan, all->next_n++);
        all->counts.requests++;
        all->counts.numbers += (int64_t)w->count;
        all->counts.cut += is_cut(w);
    }
    (void)pthread_mutex_unlock(&all->lock);
    return any;
}

bool clients_work(struct client *c)
{
    struct clients *all = c->clients;
    struct work w = {0};

    if (c->backoff_ms > all->options.backoff_max_ms)
        c->backoff_ms = all->options.backoff_max_ms;
    if (c->backoff_ms > 0 && !clients_sleep(all, c->backoff_ms))
        return false;
    if (!connect_now(c)) {
        c->backoff_ms = c->backoff_ms ? c->backoff_ms * 2 : BACKOFF_FIRST_MS;
        (void)pthread_mutex_lock(&all->lock);
        all->counts.connects_failed++;
        (void)pthread_mutex_unlock(&all->lock);
        return true;
    }
    return take_numbers(c, &w) && exchange(c, &w);
}
