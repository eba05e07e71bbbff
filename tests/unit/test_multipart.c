/*
 * multipart: forms become the same events however they are cut; broken ones are refused; the work is linear.
 */
#include "fcgi-app/upload/multipart.h"

#include "shared/cleanup.h"

#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(multipart, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define FIELD "Content-Disposition: form-data; name=\"a\"\r\n"
#define ONE(headers, data) "--B\r\n" headers "\r\n" data "\r\n--B--\r\n"

static const struct multipart_limits limits = {
    .parts = 8, .header_bytes = 512, .headers = 4, .outside_bytes = 100};

static void add_event(struct multipart *m, enum multipart_event event, struct buf *log)
{
    const struct multipart_part *p = &m->part;

    switch (event) {
    case MULTIPART_PART:
        buf_printf(log, "[part %s", p->name.data);
        if (p->has_filename)
            buf_printf(log, " file=%s", p->filename.data);
        if (p->type.len > 0)
            buf_printf(log, " type=%s", p->type.data);
        buf_puts(log, "]");
        break;
    case MULTIPART_DATA:
        cr_assert(gt(sz, m->data_len, 0));
        buf_add(log, m->data, m->data_len);
        break;
    case MULTIPART_PART_END:
        buf_puts(log, "[/]");
        break;
    case MULTIPART_END:
        buf_puts(log, "[end]");
        break;
    default:
        buf_printf(log, "[%s: %s]", m->over_limit ? "over" : "bad", m->error);
    }
}

/* The events of one chunk, which stands in memory of exactly its size, so that ASan sees a read beyond it. */
static bool feed(struct multipart *m, const char *s, size_t len, struct buf *log)
{
    char *chunk = malloc(len ? len : 1);
    enum multipart_event event;

    memcpy(chunk, s, len);
    multipart_feed(m, chunk, len);
    do {
        event = multipart_next(m);
        if (event != MULTIPART_MORE)
            add_event(m, event, log);
    } while (event != MULTIPART_MORE && event != MULTIPART_BAD);
    free(chunk);
    return event != MULTIPART_BAD;
}

/* The events of a body given in chunks that end at cut, and then every step bytes (0: the rest at once). */
static void parse(const char *body, size_t len, size_t cut, size_t step,
                  struct buf *log)
{
    struct multipart m;
    size_t at = 0;
    bool good = true;

    multipart_init(&m, "B", 1, &limits);
    for (size_t n = cut; good && at < len; n = step ? step : len) {
        size_t chunk = n < len - at ? n : len - at;
        good = feed(&m, body + at, chunk, log);
        at += chunk;
    }
    if (good && !multipart_is_complete(&m))
        buf_puts(log, "[cut]");
    multipart_release(&m);
}

static const struct {
    const char *body, *events;
} rows[] = {
    {ONE(FIELD, "x"), "[part a]x[/][end]"},
    {ONE(FIELD, ""), "[part a][/][end]"},
    {"--B\r\n" FIELD "\r\n--B--", "[part a][/][end]"},
    {"preamble\r\n--B\r\n" FIELD "\r\nx\r\n--B--epilogue", "[part a]x[/][end]"},
    {"\r\n" ONE(FIELD, "x"), "[part a]x[/][end]"},
    {"--B--", "[end]"},
    {"--B\r\n" FIELD "\r\nx\r\n--B\r\n" FIELD "\r\ny\r\n--B--",
     "[part a]x[/][part a]y[/][end]"},
    {ONE(FIELD, "\r\n--\r\n-\r\n\r\r\n--A\r"),
     "[part a]\r\n--\r\n-\r\n\r\r\n--A\r[/][end]"},
    {ONE(FIELD, "\r\r\n"), "[part a]\r\r\n[/][end]"},
    {ONE(FIELD, "--B"), "[part a][/][bad: a header of a part is not name: value]"},
    {ONE(FIELD, "\n--B--"), "[part a]\n--B--[/][end]"},
    {ONE("content-disposition:form-data;name=a;filename=b.txt\r\n", "x"),
     "[part a file=b.txt]x[/][end]"},
    {ONE("Content-Disposition: form-data; name=\"a\"; filename=\"\"\r\n", ""),
     "[part a file=][/][end]"},
    {ONE("Content-Disposition: form-data; name=\"a\"; "
         "filename=\"b%22c%0D%0ad%41.t\"\r\n"
         "Content-Type: image/png\r\n",
         "x"),
     "[part a file=b\"c\r\nd%41.t type=image/png]x[/][end]"},
    {ONE("Content-Disposition: form-data; filename=\"C:\\dir\\\"q\\\\\"; "
         "name=\"a\"\r\n",
         "x"),
     "[part a file=C:\\dir\"q\\]x[/][end]"},
    {ONE("Content-Disposition: form-data; name=\"a\"; filename=\"n\"; "
         "filename*=UTF-8''..%2f\r\n",
         "x"),
     "[part a file=n]x[/][end]"},
    {ONE("X-Other: y\r\n" FIELD "Content-Transfer-Encoding: BINARY\r\n", "x"),
     "[part a]x[/][end]"},
    {ONE(FIELD "Content-Length: 9999999\r\n", "x"), "[part a]x[/][end]"},
    /* Broken ones. */
    {"", "[cut]"},
    {"x", "[cut]"},
    {"--B\r\n" FIELD "\r\nx", "[part a]x[cut]"},
    {"--B\r\n" FIELD "\r\nx\r\n--B", "[part a]x[/][cut]"},
    {"--B\r\n" FIELD "\r\nx\r\n--B-", "[part a]x[/][cut]"},
    {"--B\r\n" FIELD, "[cut]"},
    {"--BB\r\n", "[bad: a delimiter is followed by neither CRLF nor \"--\"]"},
    {"--B \r\n", "[bad: a delimiter is followed by neither CRLF nor \"--\"]"},
    {"--B\n" FIELD "\nx\n--B--",
     "[bad: a delimiter is followed by neither CRLF nor \"--\"]"},
    {"--B\r\nContent-Disposition: form-data; name=\"a\"\n\nx",
     "[bad: a line of a part's headers does not end in CRLF]"},
    {ONE("X: y\r\n", "x"), "[bad: a part has no Content-Disposition]"},
    {ONE("", "x"), "[bad: a part has no Content-Disposition]"},
    {ONE(FIELD FIELD, "x"), "[bad: a header of a part is given twice]"},
    {ONE("Content-Disposition: form-data;\r\n name=a\r\n", "x"),
     "[bad: Content-Disposition: a parameter is not name=value]"},
    {ONE(FIELD " folded\r\n", "x"), "[bad: a header of a part is folded]"},
    {ONE("no colon\r\n", "x"), "[bad: a header of a part is not name: value]"},
    {ONE("Content-Disposition : form-data; name=a\r\n", "x"),
     "[bad: a header of a part is not name: value]"},
    {ONE("Content-Disposition: attachment; name=a\r\n", "x"),
     "[bad: Content-Disposition is not form-data]"},
    {ONE("Content-Disposition: form-data\r\n", "x"),
     "[bad: Content-Disposition has no name]"},
    {ONE("Content-Disposition: form-data; filename=x\r\n", "x"),
     "[bad: Content-Disposition has no name]"},
    {ONE("Content-Disposition: form-data; name=a; name=b\r\n", "x"),
     "[bad: Content-Disposition: name or filename is given twice]"},
    {ONE("Content-Disposition: form-data; name=a; filename=x; FileName=y\r\n", "x"),
     "[bad: Content-Disposition: name or filename is given twice]"},
    {ONE("Content-Disposition: form-data; name=\"a\r\n", "x"),
     "[bad: Content-Disposition: a parameter's value is broken]"},
    {ONE("Content-Disposition: form-data; name=\"a\" x\r\n", "x"),
     "[bad: Content-Disposition: a parameter's value is broken]"},
    {ONE("Content-Disposition: form-data; name=\r\n", "x"),
     "[bad: Content-Disposition: a parameter's value is broken]"},
    {ONE(FIELD "X: a\rb\r\n", "x"),
     "[bad: a header of a part holds a control character]"},
    {ONE(FIELD "Content-Type: multipart/mixed; boundary=C\r\n", "x"),
     "[bad: a part is itself multipart]"},
    {ONE(FIELD "Content-Transfer-Encoding: base64\r\n", "eA=="),
     "[bad: Content-Transfer-Encoding of a part is not 7bit, 8bit or binary]"},
};

Test(multipart, forms_become_events)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(buf_release) struct buf log = BUF_INIT(4096);
        parse(rows[i].body, strlen(rows[i].body), 1 << 20, 0, &log);
        cr_expect(eq(str, log.data, (char *)rows[i].events), "row %zu", i);
    }
}

Test(multipart, where_a_form_is_cut_does_not_matter)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len = strlen(rows[i].body);
        for (size_t cut = 1; cut < len; cut++)
            for (size_t step = 0; step < 4; step++) {
                CLEANUP(buf_release) struct buf log = BUF_INIT(4096);
                parse(rows[i].body, len, cut, step, &log);
                cr_assert(eq(str, log.data, (char *)rows[i].events),
                          "row %zu, cut at %zu and every %zu", i, cut, step);
            }
    }
}

Test(multipart, a_nul_in_a_header_is_refused)
{
    static const char body[] =
        "--B\r\nContent-Disposition: form-data; name=\"a\0b\"\r\n\r\nx";
    CLEANUP(buf_release) struct buf log = BUF_INIT(4096);

    parse(body, sizeof body - 1, 1 << 20, 0, &log);
    cr_assert(eq(str, log.data, "[bad: a header of a part holds a control character]"));
}

/* `count` times s, between front and back. */
static void repeat(struct buf *b, const char *front, const char *s, size_t count,
                   const char *back)
{
    buf_puts(b, front);
    for (size_t i = 0; i < count; i++)
        buf_puts(b, s);
    buf_puts(b, back);
}

/* At the edge of each limit: so many are taken, one more is not. */
static const struct {
    const char *front, *s;
    size_t count; /* that are taken */
    const char *back, *error;
} edges[] = {
    {"", "--B\r\n" FIELD "\r\nx\r\n", 8, "--B--", "too many parts"},
    {"--B\r\n", "X: y\r\n", 3, FIELD "\r\nx\r\n--B--", "too many headers in a part"},
    {"--B\r\nX: ", "x", 512 - 5 - 2 - (sizeof FIELD - 1), "\r\n" FIELD "\r\nx\r\n--B--",
     "the headers of a part are too long"},
    {"", "x", 100, "\r\n--B\r\n" FIELD "\r\nx\r\n--B--",
     "too many bytes outside the parts"},
    {"", "\r", 100, "\r\n--B\r\n" FIELD "\r\nx\r\n--B--",
     "too many bytes outside the parts"},
    {"--B\r\n" FIELD "\r\nx\r\n--B--", "x", 100, "",
     "too many bytes outside the parts"},
    {"--B\r\n" FIELD "\r\nx\r\n--B--", "\r\n--B--", 14, "",
     "too many bytes outside the parts"},
};

static void parse_edge(size_t row, size_t count, size_t step, struct buf *log)
{
    CLEANUP(buf_release) struct buf body = BUF_INIT(1 << 20);
    repeat(&body, edges[row].front, edges[row].s, count, edges[row].back);
    parse(body.data, body.len, step, step, log);
}

Test(multipart, each_limit_is_taken_and_one_more_is_over_it)
{
    for (size_t i = 0; i < COUNT(edges); i++)
        for (size_t step = 1; step <= 1000; step *= 10) {
            CLEANUP(buf_release) struct buf good = BUF_INIT(4096);
            CLEANUP(buf_release) struct buf log = BUF_INIT(4096);
            CLEANUP(buf_release) struct buf want = BUF_INIT(256);
            parse_edge(i, edges[i].count, step, &good);
            cr_expect(strstr(good.data, "[end]") && !strstr(good.data, "[over"),
                      "row %zu by %zu: %s", i, step, good.data);
            parse_edge(i, edges[i].count + 1, step, &log);
            buf_printf(&want, "[over: %s]", edges[i].error);
            cr_expect(strstr(log.data, want.data) != NULL, "row %zu by %zu: %s", i,
                      step, log.data);
        }
}

/* Endless ones, of which no end comes. */
Test(multipart, what_never_ends_is_over_a_limit)
{
    static const struct {
        const char *front, *s, *error;
    } endless[] = {
        {"--B\r\nX: ", "0123456789", "the headers of a part are too long"},
        {"--B\r\n", "\r\r\r", "the headers of a part are too long"},
        {"", "0123456789", "too many bytes outside the parts"},
        {"", "--B", "too many bytes outside the parts"},
        {"", "\r\n--A", "too many bytes outside the parts"},
        {"--B--", "\r\n--B\r\n", "too many bytes outside the parts"},
    };
    for (size_t i = 0; i < COUNT(endless); i++) {
        CLEANUP(buf_release) struct buf body = BUF_INIT(1 << 20);
        CLEANUP(buf_release) struct buf log = BUF_INIT(4096);
        CLEANUP(buf_release) struct buf want = BUF_INIT(256);
        repeat(&body, endless[i].front, endless[i].s, 1000, "");
        parse(body.data, body.len, 7, 7, &log);
        buf_printf(&want, "[over: %s]", endless[i].error);
        cr_expect(strstr(log.data, want.data) != NULL, "row %zu: %s", i, log.data);
    }
}

/* Every size of chunks that a body may come in, and bodies of which each byte could be the last of a delimiter. */
Test(multipart, chunks_of_1_to_64_bytes_give_the_same_events)
{
    static const char form[] =
        "pre\r\n--B\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\n"
        "Content-Type: "
        "a/b\r\n\r\n\r\n--\r\r\n--A\r\n-\r\n--\r\n--C\r\n\r\n--B\r\n" FIELD
        "\r\n\r\n--B\r\n" FIELD "\r\n\r\r\r\r\n--B--\r\nepilogue\r\n--B--";
    CLEANUP(buf_release) struct buf whole = BUF_INIT(4096);

    parse(form, sizeof form - 1, sizeof form, 0, &whole);
    cr_assert(strstr(whole.data, "[end]") != NULL, "%s", whole.data);
    for (size_t step = 1; step <= 64; step++)
        for (size_t cut = 1; cut <= 64; cut++) {
            CLEANUP(buf_release) struct buf log = BUF_INIT(4096);
            parse(form, sizeof form - 1, cut, step, &log);
            cr_assert(eq(str, log.data, whole.data), "%zu, then every %zu", cut, step);
        }
}

/* Data long enough to be searched many places at a time, with a delimiter at each of them. */
Test(multipart, a_delimiter_is_found_wherever_it_stands)
{
    static const char *const fills[] = {"x", "\r", "\r\n-", "\r\n--A", "B"};
    for (size_t i = 0; i < COUNT(fills); i++)
        for (size_t count = 0; count < 200; count++) {
            CLEANUP(buf_release) struct buf body = BUF_INIT(8192);
            CLEANUP(buf_release) struct buf want = BUF_INIT(8192);
            CLEANUP(buf_release) struct buf log = BUF_INIT(8192);
            repeat(&body, "--B\r\n" FIELD "\r\n", fills[i], count,
                   "\r\n--B\r\n" FIELD "\r\n");
            repeat(&body, "", "y", 100, "\r\n--B--");
            repeat(&want, "[part a]", fills[i], count, "[/][part a]");
            repeat(&want, "", "y", 100, "[/][end]");
            parse(body.data, body.len, body.len, 0, &log);
            cr_assert(eq(str, log.data, want.data), "fill %zu, %zu times", i, count);
        }
}

/* Bodies made to look like delimiters: bytes looked at, not time, because time proves nothing. */
Test(multipart, work_is_linear_in_the_body)
{
    static const char *const nearly[] = {"\r\n--boundar",  "\r",        "\r\n", "\r\n-",
                                         "\r\r\n--bounda", "--boundary"};
    for (size_t i = 0; i < COUNT(nearly); i++)
        for (size_t chunk = 1; chunk <= 4096; chunk *= 8) {
            struct multipart m;
            CLEANUP(buf_release) struct buf body = BUF_INIT(1 << 21);
            CLEANUP(buf_release) struct buf log = BUF_INIT(1 << 21);
            repeat(&body, "--boundary\r\n" FIELD "\r\nx", nearly[i], 100000, "");
            multipart_init(&m, "boundary", 8, &limits);
            for (size_t at = 0; at < body.len; at += chunk)
                cr_assert(feed(&m, body.data + at,
                               chunk < body.len - at ? chunk : body.len - at, &log));
            cr_expect(le(u64, m.work, 2 * (uint64_t)body.len), "%zu, chunks of %zu", i,
                      chunk);
            multipart_release(&m);
        }
}

static const struct {
    const char *type, *boundary; /* NULL: refused */
} types[] = {
    {"multipart/form-data; boundary=x", "x"},
    {"Multipart/Form-Data;Boundary=\"a b'()+_,-./:=?c\"; charset=utf-8",
     "a b'()+_,-./:=?c"},
    {"multipart/form-data; charset=utf-8; boundary=----WebKitFormBoundaryabc",
     "----WebKitFormBoundaryabc"},
    {"multipart/form-data; boundary=x;", "x"},
    {"multipart/form-data; boundary="
     "0123456789012345678901234567890123456789012345678901234567890123456789",
     "0123456789012345678901234567890123456789012345678901234567890123456789"},
    {"multipart/form-data; boundary="
     "01234567890123456789012345678901234567890123456789012345678901234567890",
     NULL},
    {"multipart/form-data", NULL},
    {"multipart/form-data; boundary=", NULL},
    {"multipart/form-data; boundary=\"\"", NULL},
    {"multipart/form-data; boundary=\"x", NULL},
    {"multipart/form-data; boundary=\"x \"", NULL},
    {"multipart/form-data; boundary=a; boundary=a", NULL},
    {"multipart/form-data; boundary=a\r\nb", NULL},
    {"multipart/form-data; boundary=a@b", NULL},
    {"multipart/form-data boundary=a", NULL},
    {"multipart/form-data-x; boundary=a", NULL},
    {"multipart/mixed; boundary=a", NULL},
    {"", NULL},
};

Test(multipart, boundaries_are_those_of_rfc_2046)
{
    for (size_t i = 0; i < COUNT(types); i++) {
        struct err e = ERR_INIT;
        const char *boundary = NULL;
        size_t len = 0;
        enum err_code code = multipart_parse_boundary(
            types[i].type, strlen(types[i].type), &boundary, &len, &e);
        cr_expect(eq(int, code, types[i].boundary ? ERR_OK : ERR_REJECT), "row %zu", i);
        if (code == ERR_OK && types[i].boundary)
            cr_expect(len == strlen(types[i].boundary) &&
                          memcmp(boundary, types[i].boundary, len) == 0,
                      "row %zu", i);
    }
}
