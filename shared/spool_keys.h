/*
 * spool_keys: which request an idempotency key belongs to, kept beside the jobs that it made.
 *
 *     <dir>/keys/<2 digits>/<64 digits>    named by the SHA-256 of owner and key; empty, or a record (key_record.h)
 *
 *     spool_key_claim   the file, locked (flock): the request is under way, whoever else has its key is told so at once
 *     spool_key_read    a record: it has been answered.  None: it is new, or its promise was never made
 *     spool_key_store   the record, written and synced when all of the jobs stand in tmp/ and before the first of them is
 *                       renamed into jobs/ (spool.h): from that rename on the record counts
 *     spool_key_forget  the record goes before its jobs do, where a promise is taken back
 *     spool_key_release unlocked; an empty file is unlinked
 *
 * The kernel drops the lock when a process dies, so that a key is never held by a dead one.  Whether the promise of a
 * record was made is seen on the disk alone, whatever Redis says:
 *
 *   | record | tmp/<first uuid>.json | meaning                                               | read gives          |
 *   | ------ | --------------------- | ----------------------------------------------------- | ------------------- |
 *   | none   | any                   | in progress; or refused, or died before the record    | none                |
 *   | torn   | any                   | died while it wrote the record                        | none                |
 *   | whole  | there                 | died before the first rename                          | none; record erased |
 *   | whole  | gone                  | promised: the jobs are in jobs/, or have ended        | the record          |
 *   | whole  | gone, another's there | died between two renames                              | the rest is renamed |
 *
 * jobs/ is synced before a record is told, since who renamed the jobs may have died before that, and what is told is relied
 * upon.  tmp/ is synced before the record is, so that the third line cannot be taken for the fourth after a power cut, and a sweep
 * that takes such a manifest away erases the record first.
 *
 * A record lives as long as Redis or the spool know any of its jobs, and for a least time after it was made; then the
 * first request with its key, or reconcile, drops it.  Several processes share keys/ as they share the spool; a spool on
 * another host has keys of its own.  A file system without flock cannot keep keys (ERR_CONFIG).
 */
#ifndef HOIST_SHARED_SPOOL_KEYS_H
#define HOIST_SHARED_SPOOL_KEYS_H

#include "shared/key_record.h"
#include "shared/spool.h"

enum { SPOOL_KEYS_DIRS = 256 };

struct spool_key {
    int fd; /* locked; -1: none is claimed */
    char name[DIGEST_SHA256_HEX + 1];
    bool is_empty;
};

#define SPOOL_KEY_INIT                                                                 \
    {                                                                                  \
        .fd = -1                                                                       \
    }

/* name: 64 lower-case hex digits.  *ret_busy: somebody else has it; nothing is claimed then.
 * ERR_RETRY: no space, no descriptors.  ERR_CONFIG: the file system has no locks, or keys/ is closed to us. */
MUST_CHECK enum err_code spool_key_claim(struct spool *s, const char *name,
                                         struct spool_key *ret, bool *ret_busy,
                                         struct err *e);
/* Its record, within text, to be told; ret->created is 0 where there is none. */
MUST_CHECK enum err_code spool_key_read(struct spool *s, struct spool_key *k,
                                        struct buf *text, struct key_record *ret,
                                        struct err *e);
/* Write it, and sync it where the spool is durable.  Not ERR_OK: there is no record. */
MUST_CHECK enum err_code spool_key_store(struct spool *s, struct spool_key *k,
                                         const void *text, size_t len, struct err *e);
/* Drop it, for good before this returns. */
MUST_CHECK enum err_code spool_key_forget(struct spool *s, struct spool_key *k,
                                          struct err *e);
void spool_key_release(struct spool *s, struct spool_key *k); /* takes one of none */

/* Whether the manifest of any of its jobs stands in the spool. */
bool spool_key_has_job(struct spool *s, const struct key_record *r);

/* --- For those that clear up --- */

/* The same where nobody is told of it, and nothing needs to be synced for that. */
MUST_CHECK enum err_code spool_key_peek(struct spool *s, struct spool_key *k,
                                        struct buf *text, struct key_record *ret,
                                        struct err *e);

/* A manifest in tmp/ that a sweep is about to unlink: erase the record that waits for its promise.  False: it cannot be done
 * now, the manifest must stay. */
bool spool_key_forget_of(struct spool *s, const char *tmp_name);

/* Look at the files of one of the SPOOL_KEYS_DIRS directories: those whose record is older than age_ms, and of which no
 * manifest is in the spool, go to on_key, locked; it may forget them.  Empty ones that are old are unlinked.  Returns how
 * many were looked at. */
struct spool_keys_walk {
    unsigned dir;
    int64_t age_ms;
    size_t max; /* files looked at */
    void (*on_key)(void *ctx, struct spool_key *k, const struct key_record *r);
    void *ctx;
};
size_t spool_keys_walk(struct spool *s, const struct spool_keys_walk *w);

#endif
