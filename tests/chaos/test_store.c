#include "tests/chaos/store.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/tmpdir.h"

static struct tmpdir dir;
static struct store store;

static const struct body sample = {.n = 8, .seed = 77, .size = 100000};

static void up(void)
{
    struct err e = ERR_INIT;

    tmpdir_make(&dir);
    cr_assert(not(store_init(&store, STORE_FILES, dir.path, NULL, &e)));
}

static void down(void)
{
    tmpdir_remove(&dir);
}

TestSuite(store, .init = up, .fini = down, .timeout = 60);

static const char *below(const char *name)
{
    static char paths[2][256];
    static unsigned next;
    char *path = paths[next++ % 2];

    (void)snprintf(path, sizeof paths[0], "%s/%s", dir.path, name);
    return path;
}

static void plant(const char *name, const void *data, size_t len)
{
    FILE *f = fopen(below(name), "we");

    cr_assert(ne(ptr, f, NULL), "%s", name);
    cr_assert(fwrite(data, 1, len, f) == len && fclose(f) == 0);
}

/* The first len bytes of the sample, the one at flip changed (-1: none). */
static void plant_sample(const char *name, int64_t len, int64_t flip)
{
    char *bytes = malloc((size_t)sample.size + 1);

    cr_assert(ne(ptr, bytes, NULL));
    body_fill(&sample, 0, bytes, (size_t)sample.size + 1);
    if (flip >= 0)
        bytes[flip] ^= 1;
    plant(name, bytes, (size_t)len);
    free(bytes);
}

static bool collect(void *ctx, const struct store_object *o)
{
    (void)snprintf(ctx, 64, "%s %lld", o->key, (long long)o->size);
    return true;
}

Test(store, objects_of_a_directory_are_its_files)
{
    char last[64] = "";
    struct store_walk_counts counts;
    struct err e = ERR_INIT;

    cr_assert(not(mkdir(below("a"), 0700)));
    plant("a/b.bin", "12345", 5);
    plant("a/.x.tmp", "1", 1);
    cr_assert(not(symlink("b.bin", below("a/link"))));
    cr_assert(not(store_walk(&store, collect, last, &counts, &e)), "%s", e.text);
    cr_expect(eq(str, last, "a/b.bin 5"));
    cr_expect(eq(i64, counts.objects, 1));
    cr_expect(eq(i64, counts.hidden, 1));
    cr_expect(eq(str, counts.hidden_name, "a/.x.tmp"));
}

Test(store, a_directory_that_is_not_there_has_none)
{
    struct store none;
    struct store_walk_counts counts = {.objects = 7};
    struct err e = ERR_INIT;

    cr_assert(not(store_init(&none, STORE_FILES, below("none"), NULL, &e)));
    cr_assert(not(store_walk(&none, NULL, NULL, &counts, &e)));
    cr_expect(eq(i64, counts.objects, 0));
}

Test(store, an_object_of_s3rver_has_metadata)
{
    char last[64] = "";
    struct store s3;
    struct store_walk_counts counts;
    struct store_content c;
    struct err e = ERR_INIT;

    cr_assert(not(store_init(&s3, STORE_S3RVER, dir.path, "b", &e)));
    cr_assert(not(mkdir(below("b"), 0700) || mkdir(below("b/p"), 0700)));
    plant_sample("b/p/k._S3rver_object", sample.size, -1);
    plant("b/p/k._S3rver_metadata.json", "{}", 2);
    plant("b/p/k._S3rver_object.md5", "0", 1);
    plant("b/half._S3rver_object", "12", 2);
    cr_assert(not(store_walk(&s3, collect, last, &counts, &e)));
    cr_expect(eq(str, last, "p/k 100000"));
    cr_expect(eq(i64, counts.objects, 1));
    cr_expect(eq(i64, counts.unfinished, 1));
    cr_expect(eq(i64, counts.open_parts, 0));
    cr_assert(not(store_read_key(&s3, "p/k", &c, &e)));
    cr_expect(eq(int, (int)c.state, STORE_WHOLE));
    cr_assert(not(store_read_key(&s3, "half", &c, &e)));
    cr_expect(eq(int, (int)c.state, STORE_MISSING));
}

static const struct {
    const char *label;
    int64_t len, flip;
    enum store_state want;
} contents[] = {
    {"whole", 100000, -1, STORE_WHOLE},
    {"short", 99999, -1, STORE_PARTIAL},
    {"long", 100001, -1, STORE_PARTIAL},
    {"first line alone", 64, -1, STORE_PARTIAL},
    {"flipped in the first chunk", 100000, 70, STORE_PARTIAL},
    {"flipped at the end", 100000, 99999, STORE_PARTIAL},
    {"flipped in the mark", 100000, 0, STORE_FOREIGN},
    {"empty", 0, -1, STORE_FOREIGN},
};

Test(store, an_object_is_whole_byte_for_byte_or_not)
{
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        struct store_content c;
        struct err e = ERR_INIT;
        plant_sample("o", contents[i].len, contents[i].flip);
        cr_assert(not(store_read_key(&store, "o", &c, &e)), "%s", e.text);
        cr_expect(eq(int, (int)c.state, (int)contents[i].want), "%s",
                  contents[i].label);
        cr_expect(eq(i64, c.size, contents[i].len), "%s", contents[i].label);
        if (c.state == STORE_WHOLE || c.state == STORE_PARTIAL)
            cr_expect(eq(i64, c.body.n, 8));
    }
}

Test(store, what_is_not_there_is_missing)
{
    struct store_content c;
    struct err e = ERR_INIT;

    cr_assert(not(store_read_key(&store, "nothing", &c, &e)));
    cr_expect(eq(int, (int)c.state, STORE_MISSING));
    cr_expect(eq(int, store_read_key(&store, "../etc/passwd", &c, &e), ERR_RETRY));
}

Test(store, an_index_sees_what_is_replaced_and_what_vanishes)
{
    struct store_index *x = NULL;
    struct err e = ERR_INIT;

    cr_assert(not(store_index_new(&x, &e)));
    plant("a", "1", 1);
    plant("b", "1", 1);
    plant("c", "1", 1);
    cr_assert(not(store_index_update(x, &store, &e)));
    cr_assert(not(store_index_update(x, &store, &e)));
    struct store_changes c = store_index_changes(x);
    cr_expect(eq(i64, c.replaced + c.vanished, 0));
    plant("d", "1", 1);
    plant("new", "1", 1);
    cr_assert(not(rename(below("new"), below("a")))); /* the same bytes, another file */
    cr_assert(not(unlink(below("b"))));
    cr_assert(not(store_index_update(x, &store, &e)));
    c = store_index_changes(x);
    cr_expect(eq(i64, c.replaced, 1));
    cr_expect(eq(i64, c.vanished, 1));
    cr_expect(eq(str, c.examples[0], "replaced: a"));
    cr_expect(eq(str, c.examples[1], "vanished: b"));
    cr_assert(not(store_index_update(x, &store, &e)));
    c = store_index_changes(x);
    cr_expect(eq(i64, c.replaced + c.vanished, 2));
    cr_expect(eq(i64, c.looks, 4));
    store_index_free(x);
}

Test(store, the_access_log_tells_each_put)
{
    static const char log[] = "::1 - - [22/Nov/2026:21:00:00 +0000] \"PUT /b/k1.bin "
                              "HTTP/1.1\" 201 0 \"-\" \"-\"\n"
                              "::1 - - [22/Nov/2026:21:00:00 +0000] \"HEAD /b/k1.bin "
                              "HTTP/1.1\" 200 0 \"-\" \"-\"\n"
                              "::1 - - [22/Nov/2026:21:00:00 +0000] \"PUT /b/k2.bin "
                              "HTTP/1.1\" 503 0 \"-\" \"-\"\n"
                              "::1 - - [22/Nov/2026:21:00:00 +0000] \"PUT /b/k2.bin "
                              "HTTP/1.1\" 201 0 \"-\" \"-\"\n"
                              "::1 - - [22/Nov/2026:21:00:00 +0000] \"PUT /b/k1.bin "
                              "HTTP/1.1\" 204 0 \"-\" \"-\"\n"
                              "no line of a log\n";
    struct store_puts p;
    struct err e = ERR_INIT;

    plant("access.log", log, sizeof log - 1);
    cr_assert(not(store_read_access_log(below("access.log"), &p, &e)));
    cr_expect(eq(i64, p.puts, 3));
    cr_expect(eq(i64, p.objects, 2));
    cr_expect(eq(i64, p.replaced, 1));
    cr_expect(eq(i64, p.refused, 1));
    cr_expect(eq(str, p.examples[0], "put again: b/k1.bin"));
    cr_expect(eq(int, store_read_access_log(below("none"), &p, &e), ERR_CONFIG));
}
