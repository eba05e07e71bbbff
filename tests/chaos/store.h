/*
 * store: where objects end up, read behind the back of what stored them.
 *
 *   | kind         | an object of key a/b.bin is                                        | open upload in parts         |
 *   | ------------ | ------------------------------------------------------------------ | ---------------------------- |
 *   | STORE_FILES  | <dir>/a/b.bin (destination file:, or the sink: nginx with dav PUT)  | none                         |
 *   | STORE_S3RVER | <dir>/<bucket>/a/b.bin._S3rver_object, once its metadata is there  | <bucket>/._S3rver_uploads/ID |
 *
 * s3rver writes in place: a PUT that broke off leaves a file without metadata, which is no object (no store that deserves the
 * name would show it).  Hidden names (.<uuid>.tmp, beginnings of PUTs in nginx) are `hidden`: debris once all has ended.
 * Directories are walked to STORE_DEPTH_MAX; symbolic links are not followed.
 *
 * Versions.  A store_index remembers what stood at each key when it was last looked at; who looks now and then sees what has been
 * replaced (another inode, time or size) or has vanished.  The sink's access log (nginx, format combined) tells each PUT.
 *
 * A struct store is read only after init: any number of threads.  An index belongs to one thread at a time.
 */
#ifndef HOIST_TESTS_CHAOS_STORE_H
#define HOIST_TESTS_CHAOS_STORE_H

#include "shared/digest.h"
#include "shared/err.h"
#include "tests/chaos/body.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STORE_PATH_MAX = 1023,
    STORE_DEPTH_MAX = 16,
    STORE_EXAMPLES = 5,
    STORE_OBJECTS_MAX = 4 << 20
};

enum store_kind { STORE_FILES, STORE_S3RVER };

struct store {
    enum store_kind kind;
    char dir[STORE_PATH_MAX + 1]; /* of STORE_S3RVER with the bucket */
};

/* bucket: of STORE_S3RVER, else NULL.  The directory need not exist yet.  ERR_CONFIG: the path is too long. */
MUST_CHECK enum err_code store_init(struct store *s, enum store_kind kind,
                                    const char *dir, const char *bucket, struct err *e);

struct store_object {
    const char *key;  /* within the store, with a prefix if there is one; the walk's */
    const char *path; /* of its bytes; the walk's */
    int64_t size;
    int64_t modified_ns;
    uint64_t inode;
};

/* False ends the walk. */
typedef bool store_seen(void *ctx, const struct store_object *o);

struct store_walk_counts {
    int64_t objects, hidden,
        unfinished;        /* unfinished: s3rver's files without metadata */
    int64_t open_parts;    /* uploads in parts that are open */
    char open_part[160];   /* one of them */
    char hidden_name[160]; /* one of them */
};

/* Each object once, in any order; what comes or goes meanwhile may or may not be seen.  A missing directory has none.
 * ret_counts may be NULL.  ERR_CONFIG: it cannot be read; ERR_NOMEM. */
MUST_CHECK enum err_code store_walk(const struct store *s, store_seen *seen, void *ctx,
                                    struct store_walk_counts *ret_counts,
                                    struct err *e);

/* --- The bytes --- */

enum store_state {
    STORE_MISSING, /* no such object, or it went while it was read */
    STORE_FOREIGN, /* no upload begins so */
    STORE_PARTIAL, /* begins as an upload, and is not all of it, byte for byte */
    STORE_WHOLE
};

struct store_content {
    enum store_state state;
    struct body body; /* whose; unless missing or foreign */
    int64_t size;
    uint8_t sha256[DIGEST_SHA256_BYTES]; /* of what is there */
};

/* Read an object by the path of its bytes, or by its key (a key that ends so, below any prefix of the store, is not looked for:
 * give all of it).  ERR_RETRY: it cannot be read. */
MUST_CHECK enum err_code store_read_path(const char *path, struct store_content *ret,
                                         struct err *e);
/* The same of what stands behind its first line, as in a .job of the spool. */
MUST_CHECK enum err_code
store_read_behind_line(const char *path, struct store_content *ret, struct err *e);
MUST_CHECK enum err_code store_read_key(const struct store *s, const char *key,
                                        struct store_content *ret, struct err *e);

/* --- Versions --- */

struct store_index;

struct store_changes {
    int64_t looks; /* times it was updated */
    int64_t
        replaced; /* objects that were another file, or had other times or sizes, the look before */
    int64_t vanished; /* objects that were there the look before */
    char examples[STORE_EXAMPLES][160];
};

MUST_CHECK enum err_code store_index_new(struct store_index **ret_index, struct err *e);
void store_index_free(struct store_index *x); /* takes NULL */
/* Look at all of the store: one walk, O(objects).  An object that is replaced again counts again.  A vanished one counts once, also when
 * it comes back.  Errors as of store_walk. */
MUST_CHECK enum err_code store_index_update(struct store_index *x,
                                            const struct store *s, struct err *e);
struct store_changes store_index_changes(const struct store_index *x);

struct store_puts {
    int64_t puts;                       /* answered 201 or 204 */
    int64_t objects;                    /* different keys among them */
    int64_t replaced;                   /* puts beyond the first of their key */
    int64_t refused;                    /* answered anything else */
    char examples[STORE_EXAMPLES][160]; /* keys put more than once */
};

/* Count the PUTs in an access log of nginx ("combined").  Lines that are none are left out.  ERR_CONFIG: no such file; ERR_NOMEM. */
MUST_CHECK enum err_code store_read_access_log(const char *path, struct store_puts *ret,
                                               struct err *e);

#endif
