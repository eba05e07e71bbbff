#include "tests/chaos/poller.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/chaos/fake_hoist.h"
#include "tests/support/tmpdir.h"
#include "tests/support/wait_until.h"

/* One upload, accepted by a hoist that says of it what the test wants. */
static struct tmpdir dir;
static struct fake_hoist fake;
static struct ledger *ledger;
static struct clients *clients;
static struct poller *poller;
static struct store store;

static const struct body_plan plan = {.seed = 5, .max_bytes = 500};

static void up(void)
{
    struct err e = ERR_INIT;

    tmpdir_make(&dir);
    fake_hoist_start(&fake, FAKE_ACCEPTS);
    cr_assert(not(ledger_open(tmpdir_file(&dir, "ledger").path, &ledger, &e)));
    cr_assert(not(store_init(&store, STORE_FILES, dir.path, NULL, &e)));
    struct clients_options c = {.address = fake.address,
                                .ledger = ledger,
                                .plan = plan,
                                .count = 1,
                                .threads = 1,
                                .weights = {1}};
    cr_assert(not(clients_start(&c, &clients, &e)), "%s", e.text);
    cr_assert(clients_wait(clients, 10000));
}

static void start(int grace_ms)
{
    struct poller_options o = {.address = fake.address,
                               .clients = clients,
                               .store = &store,
                               .plan = plan,
                               .rate = 500,
                               .key_prefix = "p-",
                               .grace_ms = grace_ms};
    struct err e = ERR_INIT;

    cr_assert(not(poller_start(&o, &poller, &e)), "%s", e.text);
}

static void down(void)
{
    poller_free(poller);
    clients_free(clients);
    ledger_close(ledger);
    fake_hoist_stop(&fake);
    tmpdir_remove(&dir);
}

TestSuite(poller, .init = up, .fini = down, .timeout = 60);

/* Bytes of upload n, at the key that the fake names. */
static void plant(int64_t n, int64_t less)
{
    struct body b = body_of(&plan, n);
    char bytes[500];

    body_fill(&b, 0, bytes, (size_t)b.size);
    (void)tmpdir_write(&dir, "p-k", bytes, (size_t)(b.size - less));
}

static void answers(int64_t more)
{
    int64_t from = poller_counts(poller).answered;

    cr_assert(WAIT_UNTIL(poller_counts(poller).answered >= from + more, 5000));
}

Test(poller, done_with_its_object_is_true)
{
    plant(0, 0);
    fake_hoist_say(&fake, "done", "k");
    start(0);
    cr_assert(WAIT_UNTIL(poller_counts(poller).done > 5, 5000));
    struct poller_counts c = poller_counts(poller);
    cr_expect(eq(i64, c.untrue + c.backwards, 0), "%s", c.examples[0]);
}

static void expect_untrue(const char *what)
{
    fake_hoist_say(&fake, "done", "k");
    start(0);
    cr_assert(WAIT_UNTIL(poller_counts(poller).untrue > 0, 5000));
    struct poller_counts c = poller_counts(poller);
    cr_expect(ne(ptr, strstr(c.examples[0], what), NULL), "%s", c.examples[0]);
}

Test(poller, done_without_an_object_is_not)
{
    expect_untrue("no object");
}

Test(poller, done_with_half_an_object_is_not)
{
    plant(0, 1);
    expect_untrue("partial");
}

Test(poller, done_with_anothers_object_is_not)
{
    plant(1, 0);
    expect_untrue("another upload's");
}

Test(poller, done_with_bytes_of_nobodys_is_not)
{
    (void)tmpdir_write(&dir, "p-k", "hello", 5);
    expect_untrue("foreign");
}

Test(poller, an_object_that_is_being_written_again_has_its_grace)
{
    plant(0, 10);
    fake_hoist_say(&fake, "done", "k");
    start(5000);
    cr_assert(WAIT_UNTIL(poller_counts(poller).answered > 0, 5000));
    plant(0, 0);
    cr_assert(WAIT_UNTIL(poller_counts(poller).done > 2, 5000));
    cr_expect(eq(i64, poller_counts(poller).untrue, 0));
}

Test(poller, done_that_is_taken_back_is_told)
{
    plant(0, 0);
    fake_hoist_say(&fake, "done", "k");
    start(0);
    cr_assert(WAIT_UNTIL(poller_counts(poller).done > 0, 5000));
    fake_hoist_say(&fake, "accepted", "k");
    answers(5);
    cr_expect(eq(i64, poller_counts(poller).backwards, 0));
    fake_hoist_say(&fake, "running", "k");
    cr_assert(WAIT_UNTIL(poller_counts(poller).backwards > 0, 5000));
    struct poller_counts c = poller_counts(poller);
    cr_expect(ne(ptr, strstr(c.examples[0], "was done, is running"), NULL));
}

Test(poller, what_was_forgotten_may_be_taken_back)
{
    plant(0, 0);
    fake_hoist_say(&fake, "done", "k");
    start(0);
    cr_assert(WAIT_UNTIL(poller_counts(poller).done > 0, 5000));
    fake_hoist_say(&fake, "", "");
    cr_assert(WAIT_UNTIL(
        poller_counts(poller).asked > poller_counts(poller).answered + 3, 5000));
    poller_forget(poller);
    fake_hoist_say(&fake, "waiting", "k");
    answers(5);
    cr_expect(eq(i64, poller_counts(poller).backwards, 0));
}
