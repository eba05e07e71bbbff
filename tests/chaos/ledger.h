/*
 * ledger: what clients sent and what they were told: the promises that a run is judged by.
 *
 *     try <n> <size> <sha256> <ms>        on disk before the first byte of the request is sent
 *     cut <n> <size> <sha256> <ms>        the same, of a request that breaks off or lies about its length: it must never
 *                                         become a job
 *     got <n> <status> <job id or -> <ms>  after a whole answer; a form of several files has a line for each
 *     unk <n> <ms>                        the connection broke, or nobody waited, before a whole answer
 *
 * Text, appended to, on a file system other than the spool's.  Each upload number n has one try or cut, and at most one end
 * (got or unk) after it: a client never sends the same number twice.  ms is the wall clock.
 *
 * A ledger belongs to any number of threads: those that write at the same time share one write and one fdatasync (group
 * commit), so that hundreds of uploads a second are possible on a slow disk.  A line that could not be written and synced
 * is an error of all later calls: no run goes on without its record.
 */
#ifndef HOIST_TESTS_CHAOS_LEDGER_H
#define HOIST_TESTS_CHAOS_LEDGER_H

#include "shared/buf.h"
#include "shared/digest.h"
#include "shared/err.h"
#include "shared/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LEDGER_LINE_MAX = 192,
    LEDGER_ENTRIES_MAX = 4 << 20 /* upload numbers 0 .. this - 1 */
};

enum ledger_kind { LEDGER_TRY, LEDGER_CUT, LEDGER_GOT, LEDGER_UNK };

struct ledger_line {
    enum ledger_kind kind;
    int64_t n;
    int64_t size;                       /* try, cut */
    char sha256[DIGEST_SHA256_HEX + 1]; /* try, cut */
    int status;                         /* got: 100 .. 599 */
    char id[ID_JOB_MAX + 1];            /* got: "" is written as - */
    int64_t ms;
};

/* Append "...\n".  False when the buf is full. */
bool ledger_format(struct buf *b, const struct ledger_line *l);
/* One line of len bytes, without its end; false, and *ret_line untouched, when it is none of ours. */
bool ledger_parse(const char *text, size_t len, struct ledger_line *ret_line);

/* --- Writing --- */

struct ledger;

/* Opened to append, made (0600) where it is missing; a torn last line is taken away first.  ERR_CONFIG: it cannot be. */
MUST_CHECK enum err_code ledger_open(const char *path, struct ledger **ret_ledger,
                                     struct err *e);
void ledger_close(struct ledger *l); /* takes NULL; no call may be under way */

/* All count lines are on disk when this returns ERR_OK.  ms is set by this call, at the wall clock, where it is 0.
 * ERR_CONFIG: they, or those of another call before, could not be written or synced: end the run.  ERR_NOMEM as well. */
MUST_CHECK enum err_code ledger_write(struct ledger *l, const struct ledger_line *lines,
                                      size_t count, struct err *e);

/* Lines written and fdatasyncs done, so far. */
struct ledger_counts {
    int64_t lines, syncs;
};
struct ledger_counts ledger_counts(struct ledger *l);

/* --- Reading, for the verdict --- */

enum ledger_outcome {
    LEDGER_NONE,     /* no such number */
    LEDGER_ACCEPTED, /* 2xx: a promise */
    LEDGER_REFUSED,  /* any other answer of hoist's: it must not be there */
    LEDGER_UNKNOWN, /* no answer, or one that tells nothing: 502 and 504 come from a web server whose hoist is gone */
    LEDGER_BROKEN   /* cut: whatever was answered, it must not be there */
};

struct ledger_entry {
    enum ledger_outcome outcome;
    int status; /* 0: no answer */
    int64_t size;
    uint8_t sha256[DIGEST_SHA256_BYTES];
    char id[ID_JOB_MAX + 1]; /* "" unless accepted */
    int64_t tried_ms, ended_ms;
};

struct ledger_record {
    struct ledger_entry *entries; /* entries[n]; owned */
    size_t count;                 /* highest n + 1 */
    int64_t accepted, refused, unknown, broken;
};

#define LEDGER_RECORD_INIT                                                             \
    {                                                                                  \
        0                                                                              \
    }

/*
 * Read it all.  A last line without its end is left out: what it would have said was never synced.
 * ERR_CONFIG  it cannot be opened or read
 * ERR_REJECT  a line is none of ours, a number is too high, is tried twice, or ends without or twice: names the line
 * ERR_NOMEM
 */
MUST_CHECK enum err_code ledger_read(const char *path, struct ledger_record *ret_record,
                                     struct err *e);
void ledger_record_release(struct ledger_record *r);

#endif
