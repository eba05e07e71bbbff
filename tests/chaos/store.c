#include "tests/chaos/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/cleanup.h"
#include "tests/chaos/tree.h"

static const char object_suffix[] = "._S3rver_object";
static const char metadata_suffix[] = "._S3rver_metadata.json";
static const char uploads_prefix[] = "._S3rver_uploads/";

enum { READ_CHUNK = 64 * 1024 };

enum err_code store_init(struct store *s, enum store_kind kind, const char *dir,
                         const char *bucket, struct err *e)
{
    int n = snprintf(s->dir, sizeof s->dir, "%s%s%s", dir, bucket ? "/" : "",
                     bucket ? bucket : "");

    s->kind = kind;
    return n > 0 && (size_t)n < sizeof s->dir
               ? ERR_OK
               : err_set(e, ERR_CONFIG, "store: the path is too long");
}

/* --- the walk --- */

struct walk {
    const struct store *store;
    store_seen *seen;
    void *ctx;
    struct store_walk_counts counts;
};

static bool ends_with(const char *s, const char *suffix)
{
    size_t len = strlen(s), n = strlen(suffix);

    return len >= n && strcmp(s + len - n, suffix) == 0;
}

static bool tell(struct walk *w, const char *key, const struct tree_file *f)
{
    struct store_object o = {.key = key,
                             .path = f->path,
                             .size = f->stat->st_size,
                             .modified_ns =
                                 f->stat->st_mtim.tv_sec * INT64_C(1000000000) +
                                 f->stat->st_mtim.tv_nsec,
                             .inode = f->stat->st_ino};

    w->counts.objects++;
    return !w->seen || w->seen(w->ctx, &o);
}

/* Of a file that ends in object_suffix: the path of its metadata; false when that is too long. */
static bool metadata_path(const char *object, char *ret, size_t size)
{
    int n = snprintf(ret, size, "%.*s%s",
                     (int)(strlen(object) - (sizeof object_suffix - 1)), object,
                     metadata_suffix);

    return n > 0 && (size_t)n < size;
}

/* Uploads in parts: one directory each, whose first file is told as often as there are files: `key` is in each. */
static bool see_s3rver_part(struct walk *w, const struct tree_file *f)
{
    if (strcmp(f->name, "key") == 0) {
        if (w->counts.open_parts++ == 0)
            (void)snprintf(w->counts.open_part, sizeof w->counts.open_part, "%.150s",
                           f->below);
    }
    return true;
}

static bool see_s3rver(struct walk *w, const struct tree_file *f)
{
    char path[TREE_PATH_MAX + 64];

    if (strncmp(f->below, uploads_prefix, sizeof uploads_prefix - 1) == 0)
        return see_s3rver_part(w, f);
    if (!ends_with(f->name, object_suffix))
        return true;
    if (!metadata_path(f->path, path, sizeof path) || access(path, F_OK) < 0) {
        w->counts.unfinished++;
        return true;
    }
    (void)snprintf(path, sizeof path, "%.*s",
                   (int)(strlen(f->below) - (sizeof object_suffix - 1)), f->below);
    return tell(w, path, f);
}

static bool see(void *ctx, const struct tree_file *f)
{
    struct walk *w = ctx;

    if (w->store->kind == STORE_S3RVER)
        return see_s3rver(w, f);
    if (f->name[0] != '.')
        return tell(w, f->below, f);
    if (w->counts.hidden++ == 0)
        (void)snprintf(w->counts.hidden_name, sizeof w->counts.hidden_name, "%.150s",
                       f->below);
    return true;
}

enum err_code store_walk(const struct store *s, store_seen *seen, void *ctx,
                         struct store_walk_counts *ret_counts, struct err *e)
{
    struct walk w = {.store = s, .seen = seen, .ctx = ctx};

    if (tree_walk(s->dir, see, &w, e) != ERR_OK)
        return err_prefix(e, "store");
    if (ret_counts)
        *ret_counts = w.counts;
    return ERR_OK;
}

/* --- the bytes --- */

static enum store_state judge(const struct body *b, int64_t size, const uint8_t *sum,
                              struct err *e)
{
    char hex[DIGEST_SHA256_HEX + 1];
    uint8_t want[DIGEST_SHA256_BYTES];

    if (size != b->size || body_sha256(b, hex, e) != ERR_OK ||
        !digest_hex_decode(hex, DIGEST_SHA256_HEX, want, sizeof want))
        return STORE_PARTIAL;
    return memcmp(want, sum, sizeof want) == 0 ? STORE_WHOLE : STORE_PARTIAL;
}

static enum err_code read_object(int fd, off_t from, struct store_content *c,
                                 struct err *e)
{
    CLEANUP(digest_sha256_release) struct digest_sha256 d = DIGEST_SHA256_INIT;
    char chunk[READ_CHUNK];
    bool known = false;

    if (digest_sha256_init(&d, e) != ERR_OK)
        return e->code;
    for (;;) {
        ssize_t n = pread(fd, chunk, sizeof chunk, from + c->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, ERR_RETRY, "store: read an object");
        if (n == 0)
            break;
        if (c->size == 0)
            known = body_recognise(chunk, (size_t)n, &c->body);
        digest_sha256_update(&d, chunk, (size_t)n);
        c->size += n;
    }
    if (digest_sha256_final(&d, c->sha256, e) != ERR_OK)
        return e->code;
    c->state = known ? judge(&c->body, c->size, c->sha256, e) : STORE_FOREIGN;
    return ERR_OK;
}

/* Where the second line of a file begins; 0: it has one line alone. */
static off_t second_line(int fd)
{
    char chunk[READ_CHUNK];

    for (off_t at = 0;;) {
        ssize_t n = pread(fd, chunk, sizeof chunk, at);
        if (n <= 0)
            return 0;
        const char *end = memchr(chunk, '\n', (size_t)n);
        if (end)
            return at + (end - chunk) + 1;
        at += n;
    }
}

static enum err_code read_path(const char *path, bool behind_line,
                               struct store_content *ret, struct err *e)
{
    struct store_content c = {.state = STORE_MISSING};
    CLEANUP(fd_close)
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
        return err_errno(e, ERR_RETRY, "store: open %s", path);
    if (fd >= 0 && read_object(fd, behind_line ? second_line(fd) : 0, &c, e) != ERR_OK)
        return e->code;
    *ret = c;
    return ERR_OK;
}

enum err_code store_read_path(const char *path, struct store_content *ret,
                              struct err *e)
{
    return read_path(path, false, ret, e);
}

enum err_code store_read_behind_line(const char *path, struct store_content *ret,
                                     struct err *e)
{
    return read_path(path, true, ret, e);
}

enum err_code store_read_key(const struct store *s, const char *key,
                             struct store_content *ret, struct err *e)
{
    char path[TREE_PATH_MAX + 1], metadata[TREE_PATH_MAX + 64];
    int n = snprintf(path, sizeof path, "%s/%s%s", s->dir, key,
                     s->kind == STORE_S3RVER ? object_suffix : "");

    if (n < 0 || (size_t)n >= sizeof path || strstr(key, ".."))
        return err_set(e, ERR_RETRY, "store: no key: %.80s", key);
    if (s->kind == STORE_S3RVER && (!metadata_path(path, metadata, sizeof metadata) ||
                                    access(metadata, F_OK) < 0)) {
        *ret = (struct store_content){.state = STORE_MISSING};
        return ERR_OK;
    }
    return store_read_path(path, ret, e);
}
