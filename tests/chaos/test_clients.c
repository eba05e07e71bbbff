#include "tests/chaos/clients.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

#include "shared/clock.h"
#include "tests/chaos/fake_hoist.h"
#include "tests/support/tmpdir.h"

static struct tmpdir dir;
static struct tmpdir_file ledger_path;
static struct ledger *ledger;
static struct fake_hoist fake;
static struct ledger_record record;

static const struct body_plan plan = {.seed = 11, .max_bytes = 40000};

static void up(void)
{
    struct err e = ERR_INIT;

    tmpdir_make(&dir);
    ledger_path = tmpdir_file(&dir, "ledger");
    cr_assert(eq(int, ledger_open(ledger_path.path, &ledger, &e), ERR_OK));
}

static void down(void)
{
    ledger_record_release(&record);
    tmpdir_remove(&dir);
}

TestSuite(clients, .init = up, .fini = down, .timeout = 60);

static struct clients_options options(int count, enum clients_kind kind)
{
    struct clients_options o = {.address = fake.address,
                                .ledger = ledger,
                                .plan = plan,
                                .count = count,
                                .threads = 4,
                                .timeout_ms = 3000,
                                .slow_ms = 40,
                                .backoff_max_ms = 20};

    if (kind < CLIENTS_KINDS)
        o.weights[kind] = 1;
    return o;
}

/* All of them, to their end; the ledger is read into record. */
static struct clients_counts run(const struct clients_options *o, enum fake_mood mood)
{
    struct clients *c = NULL;
    struct err e = ERR_INIT;

    if (!fake.port)
        fake_hoist_start(&fake, mood);
    struct clients_options copy = *o;
    copy.address = fake.address;
    cr_assert(eq(int, clients_start(&copy, &c, &e), ERR_OK), "%s", e.text);
    cr_assert(clients_wait(c, 20000));
    struct clients_counts counts = clients_counts(c);
    cr_expect(eq(int, clients_error(c, &e), ERR_OK), "%s", e.text);
    clients_free(c);
    fake_hoist_stop(&fake);
    ledger_close(ledger);
    cr_assert(eq(int, ledger_read(ledger_path.path, &record, &e), ERR_OK), "%s",
              e.text);
    return counts;
}

Test(clients, whole_uploads_of_each_kind_are_accepted_and_written_down)
{
    struct clients_options o = options(300, CLIENTS_KINDS);

    o.weights[CLIENTS_PUT] = o.weights[CLIENTS_POST] = o.weights[CLIENTS_CHUNKED] = 2;
    o.weights[CLIENTS_FORM] = 3;
    o.weights[CLIENTS_SLOW] = 1;
    struct clients_counts counts = run(&o, FAKE_ACCEPTS);
    cr_expect(eq(i64, counts.accepted, 300));
    cr_expect(eq(i64, counts.wrong, 0), "%s", counts.example);
    cr_expect(eq(i64, fake.files, 300));
    cr_expect(eq(i64, fake.damaged, 0));
    cr_expect(fake.puts > 0 && fake.forms > 0 && fake.chunked > 0 && fake.options > 0);
    cr_expect(eq(i64, record.accepted, 300));
    for (int64_t n = 0; n < 300; n++) {
        char id[128];
        fake_hoist_id(n, id, sizeof id);
        cr_assert(eq(str, record.entries[n].id, id));
        cr_assert(eq(i64, record.entries[n].size, body_of(&plan, n).size));
    }
}

Test(clients, a_connection_is_kept)
{
    struct clients_options o = options(100, CLIENTS_PUT);

    (void)run(&o, FAKE_ACCEPTS);
    cr_expect(eq(int, fake.connections, 4));
}

Test(clients, what_breaks_off_has_no_promise)
{
    struct clients_options o = options(60, CLIENTS_BREAK);
    struct clients_counts counts = run(&o, FAKE_ACCEPTS);

    cr_expect(eq(i64, counts.cut, 60));
    cr_expect(eq(i64, counts.accepted + counts.unknown + counts.refused, 0));
    cr_expect(eq(i64, fake.files, 0));
    cr_expect(eq(i64, record.broken, 60));
}

Test(clients, what_is_shorter_than_announced_is_sent_whole_and_no_more)
{
    struct clients_options o = options(60, CLIENTS_SHORT);
    struct clients_counts counts = run(&o, FAKE_ACCEPTS);

    cr_expect(eq(i64, counts.cut, 60));
    cr_expect(eq(i64, counts.cut_accepted, 0));
    cr_expect(eq(i64, fake.short_bodies, 60));
    cr_expect(eq(i64, record.broken, 60));
}

Test(clients, a_server_that_takes_half_for_whole_is_found_out)
{
    struct clients_options o = options(20, CLIENTS_SHORT);
    struct clients_counts counts = run(&o, FAKE_TRUSTS);

    cr_expect(eq(i64, counts.cut_accepted, 20));
    cr_expect(ne(ptr, strstr(counts.example, "too short"), NULL), "%s", counts.example);
}

Test(clients, who_reads_no_answer_knows_nothing)
{
    struct clients_options o = options(60, CLIENTS_DEAF);
    struct clients_counts counts = run(&o, FAKE_ACCEPTS);

    cr_expect(eq(i64, counts.unknown, 60));
    cr_expect(eq(i64, record.unknown, 60));
    cr_expect(fake.files > 0);
}

static const struct {
    enum fake_mood mood;
    const char *label;
    int64_t accepted, refused, unknown, busy, wrong;
} moods[] = {
    {FAKE_REFUSES, "503", 0, 20, 0, 20, 0},
    {FAKE_HANGS_UP, "no answer", 0, 0, 20, 0, 0},
    {FAKE_HALF, "half an answer", 0, 0, 20, 0, 0},
    {FAKE_LIES, "another digest", 20, 0, 0, 0, 20},
};

static void try_mood(size_t i)
{
    struct clients_options o = options(20, CLIENTS_PUT);
    struct clients_counts counts = run(&o, moods[i].mood);

    cr_expect(eq(i64, counts.accepted, moods[i].accepted), "%s", moods[i].label);
    cr_expect(eq(i64, counts.refused, moods[i].refused), "%s", moods[i].label);
    cr_expect(eq(i64, counts.unknown, moods[i].unknown), "%s", moods[i].label);
    cr_expect(eq(i64, counts.busy, moods[i].busy), "%s", moods[i].label);
    cr_expect(eq(i64, counts.wrong, moods[i].wrong), "%s", moods[i].label);
    cr_expect(eq(i64, record.refused, moods[i].refused), "%s", moods[i].label);
    cr_expect(eq(i64, record.unknown, moods[i].unknown), "%s", moods[i].label);
}

Test(clients, a_refusal_is_a_refusal)
{
    try_mood(0);
}

Test(clients, a_connection_that_ends_before_the_answer_is_unknown)
{
    try_mood(1);
}

Test(clients, half_an_answer_is_none)
{
    try_mood(2);
}

Test(clients, a_202_about_other_bytes_is_wrong)
{
    try_mood(3);
}

Test(clients, an_answer_before_the_end_of_the_body_is_read)
{
    struct clients_options o = options(20, CLIENTS_PUT);

    o.plan.max_bytes = 64; /* all fits into one write: no reset can eat the answer */
    struct clients_counts counts = run(&o, FAKE_REFUSES_FIRST);
    cr_expect(eq(i64, counts.refused + counts.unknown, 20));
    cr_expect(counts.refused > 0, "%lld unknown", (long long)counts.unknown);
}

Test(clients, a_server_that_is_away_costs_no_numbers)
{
    struct clients *c = NULL;
    struct err e = ERR_INIT;
    struct clients_options o = options(10, CLIENTS_PUT);

    o.address = "unix:/nonexistent/socket";
    cr_assert(eq(int, clients_start(&o, &c, &e), ERR_OK), "%s", e.text);
    cr_expect(not(clients_wait(c, 100)));
    clients_stop(c);
    struct clients_counts counts = clients_counts(c);
    clients_free(c);
    ledger_close(ledger);
    cr_expect(counts.connects_failed > 2);
    cr_expect(eq(i64, counts.numbers, 0));
}

Test(clients, the_rate_is_kept)
{
    struct clients_options o = options(60, CLIENTS_PUT);
    int64_t start = clock_mono_ms();

    o.rate = 200;
    (void)run(&o, FAKE_ACCEPTS);
    int64_t took = clock_mono_ms() - start;
    cr_expect(took >= 290, "%lld", (long long)took);
}

Test(clients, a_pause_holds_until_resumed)
{
    struct clients_options o = options(0, CLIENTS_PUT);
    struct clients *c = NULL;
    struct err e = ERR_INIT;
    char id[ID_JOB_MAX + 1], want[128];
    int64_t n;

    fake_hoist_start(&fake, FAKE_ACCEPTS);
    o.address = fake.address;
    cr_assert(eq(int, clients_start(&o, &c, &e), ERR_OK), "%s", e.text);
    cr_expect(not(clients_wait(c, 100)));
    cr_assert(clients_pause(c, 5000));
    int64_t requests = clients_counts(c).requests;
    cr_expect(not(clients_wait(c, 100)));
    cr_expect(eq(i64, clients_counts(c).requests, requests));
    cr_assert(clients_draw_job(c, id, &n));
    fake_hoist_id(n, want, sizeof want);
    cr_expect(eq(str, id, want));
    clients_resume(c);
    cr_expect(not(clients_wait(c, 100)));
    cr_expect(clients_counts(c).requests > requests);
    cr_expect(latency_between(clients_latency(c), 0, INT64_MAX).count > 0);
    clients_free(c);
    fake_hoist_stop(&fake);
    ledger_close(ledger);
}

Test(clients, what_cannot_be_is_refused)
{
    struct clients_options o = options(10, CLIENTS_PUT);
    struct clients *c = NULL;
    struct err e = ERR_INIT;

    o.address = "localhost";
    cr_expect(eq(int, clients_start(&o, &c, &e), ERR_CONFIG));
    o.address = "127.0.0.1:1";
    o.threads = 0;
    cr_expect(eq(int, clients_start(&o, &c, &e), ERR_CONFIG));
    o.threads = 1;
    o.plan.max_bytes = 10;
    cr_expect(eq(int, clients_start(&o, &c, &e), ERR_CONFIG));
    o.plan.max_bytes = 0;
    o.first = LEDGER_ENTRIES_MAX;
    cr_expect(eq(int, clients_start(&o, &c, &e), ERR_CONFIG));
    ledger_close(ledger);
}
