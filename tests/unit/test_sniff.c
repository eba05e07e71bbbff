/*
 * sniff: what a file is by its first bytes, and that no bytes do harm.
 */
#include "fcgi-app/upload/sniff.h"

#include "fcgi-app/upload/ingest.h"
#include "shared/clock.h"
#include "shared/config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(sniff, .timeout = 120);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define PNG "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\6"
#define ROW(bytes, type)                                                               \
    {                                                                                  \
        bytes, sizeof(bytes) - 1, type                                                 \
    }

static const struct {
    const char *bytes;
    size_t len;
    const char *type;
} rows[] = {
    ROW(PNG, "image/png"),
    ROW(PNG "<html><script>alert(1)</script></html>", "image/png"),
    ROW("<!DOCTYPE html>\n<html><body>hello</body></html>\n", "text/html"),
    ROW("<!DOCTYPE html>\n<html><body>" PNG, "application/octet-stream"),
    ROW("GIF89a\1\0\1\0\0\0\0=1;alert(1)", "image/gif"),
    ROW("\xff\xd8\xff\xe0\0\20JFIF\0\1\1", "image/jpeg"),
    ROW("%PDF-1.4\n%\xe2\xe3\n", "application/pdf"),
    ROW("{\"a\": [1, 2, 3]}\n", "text/plain"),
    ROW("a,b\n1,2\n3,4\n", "text/plain"),
    ROW("hello, world\n", "text/plain"),
    ROW("\x1f\x8b\10\0\0\0\0\0\0\3", "application/gzip"),
    ROW("\0\1\2\3\4\5\6\7", "application/octet-stream"),
};

static struct sniffer *open_one(size_t max)
{
    struct sniffer *s = NULL;
    struct err e = ERR_INIT;
    cr_assert(not(sniffer_open(max, &s, &e)), "%s", e.text);
    return s;
}

Test(sniff, files_are_what_they_begin_like)
{
    struct sniffer *s = open_one(1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char type[SNIFF_TYPE_SIZE] = "";
        struct err e = ERR_INIT;
        cr_expect(not(sniffer_look(s, rows[i].bytes, rows[i].len, type, &e)), "%s",
                  e.text);
        cr_expect(eq(str, type, (char *)rows[i].type), "row %zu", i);
    }
    sniffer_close(s);
}

/* A byte is changed at a time in the beginnings of real files, and noise put behind them, at the end of memory. */
Test(sniff, garbage_has_a_type_too_and_takes_no_time)
{
    enum { TIMES = 600 };
    struct sniffer *s = open_one(1);
    int64_t begun_ms = clock_mono_ms();
    srandom(1);
    for (int i = 0; i < TIMES; i++) {
        size_t row = (size_t)random() % COUNT(rows);
        size_t len = (size_t)random() % (SNIFF_BYTES + 1);
        char *bytes = malloc(len ? len : 1);
        char type[SNIFF_TYPE_SIZE] = "";
        struct err e = ERR_INIT;
        for (size_t k = 0; k < len; k++)
            bytes[k] = k < rows[row].len ? rows[row].bytes[k]
                       : i % 2           ? (char)random()
                                         : (char)(32 + random() % 96);
        if (len > 0)
            bytes[(size_t)random() % (len < 16 ? len : 16)] = (char)random();
        cr_expect(not(sniffer_look(s, bytes, len, type, &e)), "%s", e.text);
        cr_expect(strchr(type, '/') != NULL, "%s", type);
        free(bytes);
    }
    cr_expect(lt(i64, clock_mono_ms() - begun_ms, 20 * TIMES));
    sniffer_close(s);
}

static void *look_often(void *arg)
{
    size_t wrong = 0;
    for (int i = 0; i < 50; i++) {
        char type[SNIFF_TYPE_SIZE] = "";
        struct err e = ERR_INIT;
        wrong += sniffer_look(arg, PNG, sizeof PNG - 1, type, &e) != ERR_OK ||
                 strcmp(type, "image/png") != 0;
    }
    return wrong ? arg : NULL;
}

Test(sniff, more_threads_than_handles_take_turns)
{
    enum { THREADS = 6 };
    struct sniffer *s = open_one(2);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        cr_assert(eq(int, pthread_create(&threads[i], NULL, look_often, s), 0));
    for (size_t i = 0; i < THREADS; i++) {
        void *wrong = s;
        cr_assert(eq(int, pthread_join(threads[i], &wrong), 0));
        cr_expect(wrong == NULL);
    }
    sniffer_close(s);
}

/* Of the declared type, which is judged without a look at the file. */
Test(sniff, each_list_counts_of_as_many_as_there_can_be)
{
    static struct config config;
    struct sniffer *s = open_one(1);
    struct ingest g;
    struct err e = ERR_INIT;
    char any[] = "text/*", png[] = "image/png", to[TO_LIST_TEXT_MAX + 1] = "";
    struct ingest_terms terms = {.sniffer = s,
                                 .config = &config,
                                 .queue_types = any,
                                 .policy_types = any,
                                 .to = to,
                                 .declared = "text/plain"};

    ingest_init(&g);
    config.destination_count = TO_LIST_MAX;
    for (size_t i = 0; i < TO_LIST_MAX; i++) {
        struct config_destination *d = &config.destinations[i];
        (void)snprintf(d->name, sizeof d->name, "d%zu", i);
        (void)snprintf(to + strlen(to), sizeof to - strlen(to), "%s%s", i ? "," : "",
                       d->name);
        d->allow_types = any;
    }
    cr_expect(eq(int, ingest_begin(&g, &terms, &e), PROBLEM_NONE), "%s", e.text);
    config.destinations[TO_LIST_MAX - 1].allow_types = png;
    cr_expect(eq(int, ingest_begin(&g, &terms, &e), PROBLEM_TYPE));
    ingest_release(&g);
    sniffer_close(s);
}
