/*
 * parts_journal: what is known of a job's upload in parts, so that whoever comes next goes on with it, or ends it.  Pure: text
 * in, struct out; the files are spool_parts.h's.
 *
 *     parts 1 s3-main bucket pre/key 41943040 8388608 crc32c 9f86…0a08 #1c29…   the object: destination, bucket, key, size,
 *     create #5ab3b2a1                                                         part size, checksum, SHA-256
 *     upload 2~jvTx0 #0d1f…                                                     the id that CreateMultipartUpload gave
 *     part 3f1c22aa 1 %22d41d8…%22 0af3e2c1 e3b0…b855 #…                        a part that the store has
 *     gone 2~jvTx0 #…                                                           the store knows this upload no more
 *     refused #…                                                                the store made none for the latest create
 *
 * Lines are only ever appended, each with the CRC-32C of what stands before its " #".  `create` is on disk before the request
 * leaves, `upload` before the first part does: so an upload that the store knows is either named here, or there is a `create`
 * more than there are `upload`s, and a list of the store's uploads of this very key tells.  A part names its upload by the
 * CRC-32C of the id, and is not synced: what a power cut takes of them is sent again.
 *
 *   | lines                         | meaning                               | next                                            |
 *   | ----------------------------- | ------------------------------------- | ----------------------------------------------- |
 *   | no file                       | no upload                             | nothing                                         |
 *   | parts, create                 | crash between the two syncs           | list the key's uploads, abort them              |
 *   | ... upload                    | parts are under way                   | go on, or abort                                 |
 *   | ... upload, part ...          | some are there                        | send the others, or abort                       |
 *   | ... upload, upload            | two owners, or begun anew             | the latest counts, abort the others             |
 *   | ... gone (of each), no create | completed or aborted, crash before    | remove the file                                 |
 *   |     without its upload        | the file was removed                  |                                                 |
 *   | other object, bad lines       | settings changed; a disk's fault      | list, abort all that is named, begin anew       |
 *
 * The text is not trusted: what has a wrong checksum, or is no line of these, counts as a bad line and is passed over; a last
 * line without its end is one that a crash cut off.
 */
#ifndef HOIST_SHARED_PARTS_JOURNAL_H
#define HOIST_SHARED_PARTS_JOURNAL_H

#include "shared/buf.h"
#include "shared/digest.h"
#include "shared/err.h"
#include "shared/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PARTS_JOURNAL_MAX = 8 * 1024 * 1024, /* bytes that are read */
    PARTS_JOURNAL_LINE_MAX = 8 * 1024,
    PARTS_JOURNAL_UPLOADS_MAX = 64,
    PARTS_JOURNAL_PARTS_MAX = 10000,
    PARTS_JOURNAL_ID_MAX = 512,
    PARTS_JOURNAL_ETAG_MAX = 160,
    PARTS_JOURNAL_TEXT_MAX = 2048 /* bucket, key */
};

/* What is uploaded, and where to. */
struct parts_journal_head {
    const char *destination; /* its name */
    const char *bucket;
    const char *key;      /* with the destination's prefix */
    int64_t size;         /* -1: not known beforehand */
    int64_t part_size;    /* 0: not all the same */
    const char *checksum; /* a word: what parts are sent with */
    const char *sha256;   /* hex; "": not known beforehand */
};

struct parts_journal_upload {
    char *id;
    bool gone;
};

struct parts_journal_part {
    char *etag; /* NULL: the store is not known to have it */
    uint32_t crc32c;
    bool has_sha256;
    uint8_t sha256[DIGEST_SHA256_BYTES];
};

struct parts_journal {
    char *destination, *bucket, *key, *checksum; /* NULL: there is no head */
    int64_t size, part_size;
    char sha256[DIGEST_SHA256_HEX + 1];
    struct parts_journal_upload uploads[PARTS_JOURNAL_UPLOADS_MAX];
    size_t upload_count;
    size_t
        creates; /* requests that were about to leave, less those that were refused */
    size_t bad;  /* lines that are none; more heads than one; more uploads than fit */
    struct parts_journal_part
        *parts;        /* of the latest upload, number n at n - 1; NULL: none */
    size_t part_count; /* the highest number */
};

#define PARTS_JOURNAL_INIT                                                             \
    {                                                                                  \
        .destination = NULL                                                            \
    }

void parts_journal_release(struct parts_journal *j);

/* j is PARTS_JOURNAL_INIT.  ERR_NOMEM leaves it released. */
MUST_CHECK enum err_code parts_journal_parse(const char *text, size_t len,
                                             struct parts_journal *j, struct err *e);

/* Whether it is about this object, in parts of this size. */
bool parts_journal_is_of(const struct parts_journal *j,
                         const struct parts_journal_head *head);
/* Whether the store may know an upload that no line names. */
bool parts_journal_is_unsure(const struct parts_journal *j);
/* The upload to go on with, or NULL. */
const struct parts_journal_upload *parts_journal_current(const struct parts_journal *j);

/* Note in j what a line that was just written says.  False: no memory, or no room. */
bool parts_journal_note_upload(struct parts_journal *j, const char *id);
void parts_journal_note_gone(struct parts_journal *j, const char *id);

/* Lines to append; b->failed tells where one does not fit. */
void parts_journal_add_head(struct buf *b, const struct parts_journal_head *head);
void parts_journal_add_create(struct buf *b);
void parts_journal_add_refused(struct buf *b);
void parts_journal_add_upload(struct buf *b, const char *id);
void parts_journal_add_part(struct buf *b, const char *id, int number,
                            const struct parts_journal_part *part);
void parts_journal_add_gone(struct buf *b, const char *id);

#endif
