#include "tests/chaos/ledger.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/tmpdir.h"

#define SUM "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ID "default.0193c0de-7a1b-7c3d-9e4f-0123456789ab"

static struct tmpdir dir;
static struct tmpdir_file file;

static void up(void)
{
    tmpdir_make(&dir);
    file = tmpdir_file(&dir, "ledger");
}

static void down(void)
{
    tmpdir_remove(&dir);
}

TestSuite(ledger, .init = up, .fini = down, .timeout = 60);

static struct ledger *open_ledger(void)
{
    struct ledger *l = NULL;
    struct err e = ERR_INIT;

    cr_assert(eq(int, ledger_open(file.path, &l, &e), ERR_OK), "%s", e.text);
    return l;
}

static struct ledger_line try_line(enum ledger_kind kind, int64_t n)
{
    return (struct ledger_line){.kind = kind, .n = n, .size = 64, .sha256 = SUM};
}

static void write_one(struct ledger *l, struct ledger_line line)
{
    struct err e = ERR_INIT;

    cr_assert(eq(int, ledger_write(l, &line, 1, &e), ERR_OK), "%s", e.text);
}

static void plant(const char *text)
{
    FILE *f = fopen(file.path, "we");

    cr_assert(ne(ptr, f, NULL));
    cr_assert(fputs(text, f) >= 0 && fclose(f) == 0);
}

static void read_back(struct ledger_record *r)
{
    struct err e = ERR_INIT;

    cr_assert(eq(int, ledger_read(file.path, r, &e), ERR_OK), "%s", e.text);
}

Test(ledger, what_was_written_is_read)
{
    struct ledger *l = open_ledger();
    struct ledger_record r = LEDGER_RECORD_INIT;

    for (int64_t n = 0; n < 6; n++)
        write_one(l, try_line(n == 3 ? LEDGER_CUT : LEDGER_TRY, n));
    write_one(l, (struct ledger_line){
                     .kind = LEDGER_GOT, .n = 0, .status = 202, .id = ID, .ms = 77});
    write_one(l, (struct ledger_line){.kind = LEDGER_GOT, .n = 1, .status = 503});
    write_one(l, (struct ledger_line){.kind = LEDGER_UNK, .n = 2});
    write_one(l, (struct ledger_line){.kind = LEDGER_GOT, .n = 3, .status = 400});
    write_one(l, (struct ledger_line){.kind = LEDGER_GOT, .n = 4, .status = 502});
    ledger_close(l);
    read_back(&r);
    static const enum ledger_outcome want[] = {LEDGER_ACCEPTED, LEDGER_REFUSED,
                                               LEDGER_UNKNOWN,  LEDGER_BROKEN,
                                               LEDGER_UNKNOWN,  LEDGER_UNKNOWN};
    cr_assert(eq(sz, r.count, 6));
    for (size_t i = 0; i < 6; i++)
        cr_expect(eq(int, (int)r.entries[i].outcome, (int)want[i]), "%zu", i);
    cr_expect(eq(str, r.entries[0].id, ID));
    cr_expect(eq(i64, r.entries[0].ended_ms, 77));
    cr_expect(eq(i64, r.entries[0].size, 64));
    cr_expect(r.entries[0].tried_ms > 0 && r.entries[0].sha256[0] == 0xe3);
    cr_expect(eq(i64, r.accepted, 1));
    cr_expect(eq(i64, r.refused, 1));
    cr_expect(eq(i64, r.unknown, 3));
    cr_expect(eq(i64, r.broken, 1));
    ledger_record_release(&r);
}

Test(ledger, goes_on_where_it_was_left)
{
    struct ledger_record r = LEDGER_RECORD_INIT;
    struct ledger *l = open_ledger();

    write_one(l, try_line(LEDGER_TRY, 0));
    ledger_close(l);
    l = open_ledger();
    write_one(l, try_line(LEDGER_TRY, 1));
    ledger_close(l);
    read_back(&r);
    cr_expect(eq(sz, r.count, 2));
    ledger_record_release(&r);
}

Test(ledger, a_torn_last_line_is_left_out_and_taken_away)
{
    struct ledger_record r = LEDGER_RECORD_INIT;

    plant("try 0 64 " SUM " 5\ntry 1 64 e3b0c4");
    read_back(&r);
    cr_expect(eq(sz, r.count, 1));
    ledger_record_release(&r);
    struct ledger *l = open_ledger();
    write_one(l, try_line(LEDGER_TRY, 1));
    ledger_close(l);
    read_back(&r);
    cr_expect(eq(sz, r.count, 2));
    ledger_record_release(&r);
    plant("try 0 64 e3b");
    l = open_ledger();
    write_one(l, try_line(LEDGER_TRY, 0));
    ledger_close(l);
    read_back(&r);
    cr_expect(eq(sz, r.count, 1));
    ledger_record_release(&r);
}

static const struct {
    const char *label, *text;
} bad[] = {
    {"empty line", "\n"},
    {"word", "dry 0 64 " SUM " 5\n"},
    {"no time", "try 0 64 " SUM "\n"},
    {"blank at the end", "try 0 64 " SUM " 5 \n"},
    {"more", "try 0 64 " SUM " 5 6\n"},
    {"two blanks", "try 0  64 " SUM " 5\n"},
    {"digest", "try 0 64 e3b0 5\n"},
    {"negative", "try -1 64 " SUM " 5\n"},
    {"too high", "try 99999999 64 " SUM " 5\n"},
    {"twice", "try 0 64 " SUM " 5\ntry 0 64 " SUM " 5\n"},
    {"end untried", "unk 0 5\n"},
    {"ends twice", "try 0 64 " SUM " 5\nunk 0 6\nunk 0 7\n"},
    {"status", "try 0 64 " SUM " 5\ngot 0 99 - 6\n"},
    {"id", "try 0 64 " SUM " 5\ngot 0 202 default.1234 6\n"},
    {"in the middle", "try 0 64 e3\ntry 0 64 " SUM " 5\n"},
};

Test(ledger, what_is_no_line_of_it_is_refused)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct ledger_record r = LEDGER_RECORD_INIT;
        struct err e = ERR_INIT;
        plant(bad[i].text);
        cr_expect(eq(int, ledger_read(file.path, &r, &e), ERR_REJECT), "%s",
                  bad[i].label);
        cr_expect(eq(ptr, r.entries, NULL));
        cr_expect(ne(ptr, strstr(e.text, file.path), NULL), "%s", e.text);
    }
}

enum { WRITERS = 8, EACH = 200 };

struct writer {
    struct ledger *ledger;
    int64_t first;
    enum err_code code;
};

static void *write_many(void *ctx)
{
    struct writer *w = ctx;
    struct err e = ERR_INIT;

    for (int64_t i = 0; i < EACH && w->code == ERR_OK; i++) {
        struct ledger_line line = try_line(LEDGER_TRY, w->first + i);
        w->code = ledger_write(w->ledger, &line, 1, &e);
    }
    return NULL;
}

Test(ledger, threads_share_their_syncs)
{
    struct ledger *l = open_ledger();
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    struct ledger_record r = LEDGER_RECORD_INIT;

    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){l, i * EACH, ERR_OK};
        cr_assert(not(pthread_create(&threads[i], NULL, write_many, &writers[i])));
    }
    for (int i = 0; i < WRITERS; i++)
        cr_assert(not(pthread_join(threads[i], NULL)));
    struct ledger_counts counts = ledger_counts(l);
    ledger_close(l);
    cr_expect(eq(i64, counts.lines, WRITERS * EACH));
    cr_expect(counts.syncs < counts.lines, "%lld syncs", (long long)counts.syncs);
    read_back(&r);
    cr_expect(eq(i64, r.unknown, WRITERS * EACH));
    ledger_record_release(&r);
}

Test(ledger, a_disk_that_is_full_ends_it_for_good)
{
    struct ledger *l = open_ledger();
    struct ledger_line line = try_line(LEDGER_TRY, 0);
    struct rlimit small = {120, 120}, was;
    struct err e = ERR_INIT;

    cr_assert(not(getrlimit(RLIMIT_FSIZE, &was)));
    cr_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    write_one(l, line);
    small.rlim_max = was.rlim_max;
    cr_assert(not(setrlimit(RLIMIT_FSIZE, &small)));
    line.n = 1;
    cr_expect(eq(int, ledger_write(l, &line, 1, &e), ERR_CONFIG));
    cr_assert(not(setrlimit(RLIMIT_FSIZE, &was)));
    cr_expect(eq(int, ledger_write(l, &line, 1, &e), ERR_CONFIG));
    ledger_close(l);
}

/* /dev/null takes every write and cannot be synced. */
Test(ledger, a_line_that_is_not_synced_is_not_written)
{
    struct ledger *l = NULL;
    struct ledger_line line = try_line(LEDGER_TRY, 0);
    struct err e = ERR_INIT;

    cr_assert(eq(int, ledger_open("/dev/null", &l, &e), ERR_OK), "%s", e.text);
    cr_expect(eq(int, ledger_write(l, &line, 1, &e), ERR_CONFIG));
    cr_expect(ne(ptr, strstr(e.text, "sync"), NULL), "%s", e.text);
    cr_expect(eq(i64, ledger_counts(l).syncs, 0));
    ledger_close(l);
}

Test(ledger, lines_of_one_call_share_a_sync)
{
    struct ledger *l = open_ledger();
    struct ledger_line lines[] = {try_line(LEDGER_TRY, 0), try_line(LEDGER_TRY, 1),
                                  try_line(LEDGER_TRY, 2)};
    struct err e = ERR_INIT;

    cr_assert(eq(int, ledger_write(l, lines, 3, &e), ERR_OK), "%s", e.text);
    cr_expect(eq(i64, ledger_counts(l).syncs, 1));
    ledger_close(l);
}

Test(ledger, a_hundred_thousand_entries_are_read_in_a_moment)
{
    FILE *f = fopen(file.path, "we");
    struct ledger_record r = LEDGER_RECORD_INIT;

    cr_assert(ne(ptr, f, NULL));
    for (int n = 0; n < 100000; n++)
        cr_assert(fprintf(f, "try %d 64 " SUM " 5\ngot %d 202 " ID " 6\n", n, n) > 0);
    cr_assert(not(fclose(f)));
    read_back(&r);
    cr_expect(eq(i64, r.accepted, 100000));
    ledger_record_release(&r);
}
