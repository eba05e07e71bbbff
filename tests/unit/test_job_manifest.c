/*
 * job: the manifest.  What is written is read back; damage, and what could not have been written by us, is seen.
 */
#include "shared/digest.h"
#include "tests/support/job_sample.h"

#include <stdio.h>

TestSuite(job_manifest, .timeout = 60);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define ID SAMPLE_ID

Test(job_manifest, a_manifest_gives_the_job_back)
{
    struct job want = full_job(), got = JOB_INIT;
    struct err e = ERR_INIT;
    CLEANUP(buf_release) struct buf b = BUF_INIT(JOB_RECORD_MAX);

    want.state = JOB_ACCEPTED;
    cr_assert(not(job_encode_manifest(&want, &b, &e)), "%s", e.text);
    cr_expect(eq(ptr, memchr(b.data, '\n', b.len), b.data + b.len - 1), "one line");
    cr_assert(not(job_decode_manifest(b.data, b.len, &got, &e)), "%s", e.text);
    expect_same(&want, &got);
    cr_expect(eq(i64, got.due, want.due));
    cr_expect(eq(str, got.id.queue, "media"));
    cr_expect(eq(str, got.id.uuid.text, want.id.uuid.text));
    job_release(&want);
    job_release(&got);
}

/* One whose bytes are not in the spool. */
static struct job fetched_job(const char *source, const char *url)
{
    struct job j = full_job();

    free(j.source);
    free(j.sha256);
    free(j.crc32c);
    j.source = strdup(source);
    j.source_url = url ? strdup(url) : NULL;
    j.sha256 = j.crc32c = NULL;
    j.size = 0;
    return j;
}

Test(job_manifest, one_of_a_job_whose_bytes_are_yet_to_be_fetched_says_where_they_are)
{
    static const char url[] = "https://files.example.com/a.pdf?sig=abc&x=%22";
    struct job want = fetched_job("url", url), got = JOB_INIT;
    struct err e = ERR_INIT;
    CLEANUP(buf_release) struct buf b = BUF_INIT(JOB_RECORD_MAX);

    cr_assert(not(job_encode_manifest(&want, &b, &e)), "%s", e.text);
    cr_expect(eq(ptr, strstr(b.data, "\"bytes\""), NULL), "%s", b.data);
    cr_assert(not(job_decode_manifest(b.data, b.len, &got, &e)), "%s", e.text);
    cr_expect(eq(str, got.source, "url"));
    cr_expect(eq(str, (char *)job_source_url(&got), (char *)url));
    cr_expect(not(job_is_spooled(&got)));
    job_release(&got);
    buf_clear(&b);
    cr_assert(job_add_status(&b, &want));
    cr_expect(ne(ptr,
                 strstr(b.data, "\"source_url\":\"https://files.example.com/a.pdf\""),
                 NULL),
              "%s", b.data);
    cr_expect(eq(ptr, strstr(b.data, "abc"), NULL), "a signature is not shown: %s",
              b.data);
    job_release(&want);
}

Test(job_manifest, a_source_url_is_one_and_of_the_source_url_alone)
{
    static const char *const bad[][2] = {{"url", NULL},
                                         {"url", "file:///etc/passwd"},
                                         {"url", "http://u:p@a/"},
                                         {"spool", "http://a/"},
                                         {"command:rm", "http://a/"}};
    CLEANUP(buf_release) struct buf b = BUF_INIT(JOB_RECORD_MAX);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct job j = fetched_job(bad[i][0], bad[i][1]);
        struct err e = ERR_INIT;
        if (strcmp(bad[i][0], "spool") == 0)
            j.sha256 = strdup(EMPTY_SUM);
        cr_expect(eq(int, job_encode_manifest(&j, &b, &e), ERR_REJECT), "%zu", i);
        cr_expect(ne(ptr, strstr(e.text, "source_url"), NULL), "%s", e.text);
        job_release(&j);
    }
}

Test(job_manifest, one_of_a_command_that_was_asked_for_is_read)
{
    struct job j = fetched_job("command:rm", NULL), got = JOB_INIT;
    struct err e = ERR_INIT;
    CLEANUP(buf_release) struct buf b = BUF_INIT(JOB_RECORD_MAX);

    cr_assert(not(job_encode_manifest(&j, &b, &e)), "%s", e.text);
    cr_assert(not(job_decode_manifest(b.data, b.len, &got, &e)), "%s", e.text);
    cr_expect(eq(str, (char *)job_source_command(&got), "rm"));
    job_release(&got);
    job_release(&j);
}

Test(job_manifest, a_manifest_holds_only_what_was_asked_for)
{
    struct job want = full_job(), got = JOB_INIT;
    struct err e = ERR_INIT;
    CLEANUP(buf_release) struct buf b = BUF_INIT(JOB_RECORD_MAX);

    want.state = JOB_RUNNING;
    want.attempts = 3;
    want.sent = 12;
    want.worker = strdup("w1");
    cr_assert(not(job_encode_manifest(&want, &b, &e)), "%s", e.text);
    cr_assert(not(job_decode_manifest(b.data, b.len, &got, &e)), "%s", e.text);
    cr_expect(got.state == JOB_ACCEPTED && got.attempts == 0 && got.sent == 0 &&
              !got.worker);
    job_release(&want);
    job_release(&got);
}

/* A job whose every text is as long as it may be, of characters that take six bytes in JSON where that is allowed. */
static struct job longest_job(void)
{
    struct job j = full_job();
    struct err e = ERR_INIT;
    char text[5000];

    memset(text, '<', sizeof text);
    cr_assert(not(job_set_name(&j, text, JOB_NAME_MAX, &e)));
    cr_assert(not(job_add_meta(&j, "m", 1, text, JOB_META_BYTES - 1 - 6 - 9 - 5, &e)),
              "%s", e.text);
    j.url = strndup(text, 4096);
    j.etag = strndup(text, 256);
    memcpy(text, "a/b;c=\"", 7);
    text[254] = '"';
    cr_assert(not(job_set_type(&j, text, 255, &e)));
    memset(text, 'k', sizeof text);
    for (size_t i = 200; i < JOB_KEY_MAX; i += 200)
        text[i] = '/';
    cr_assert(not(job_set_key(&j, text, JOB_KEY_MAX, &e)));
    return j;
}

Test(job_manifest, the_longest_record_fits_its_limit)
{
    struct job j = longest_job(), got = JOB_INIT;
    struct err e = ERR_INIT;
    CLEANUP(buf_release) struct buf b = BUF_INIT(JOB_RECORD_MAX);

    cr_assert(not(job_encode_manifest(&j, &b, &e)), "%s", e.text);
    cr_expect(eq(int, job_add_meta(&j, "z", 1, "", 0, &e), ERR_REJECT), "no room left");
    cr_assert(not(job_decode_manifest(b.data, b.len, &got, &e)), "%s", e.text);
    expect_same(&j, &got);
    buf_clear(&b);
    j.state = JOB_DONE;
    cr_expect(job_add_status(&b, &j));
    job_release(&j);
    job_release(&got);
}

Test(job_manifest, damage_of_any_byte_of_a_manifest_is_seen)
{
    static const unsigned char masks[] = {0x01, 0x20, 0x80, 0xff};
    struct job j = full_job(), got = JOB_INIT;
    struct err e = ERR_INIT;
    CLEANUP(buf_release) struct buf b = BUF_INIT(JOB_RECORD_MAX);

    cr_assert(not(job_encode_manifest(&j, &b, &e)));
    for (size_t i = 0; i < b.len; i++) {
        for (size_t k = 0; k < COUNT(masks); k++) {
            b.data[i] = (char)(b.data[i] ^ masks[k]);
            cr_assert(eq(int, job_decode_manifest(b.data, b.len, &got, &e), ERR_REJECT),
                      "byte %zu ^ %02x", i, masks[k]);
            b.data[i] = (char)(b.data[i] ^ masks[k]);
        }
        cr_assert(eq(int, job_decode_manifest(b.data, i, &got, &e), ERR_REJECT),
                  "cut to %zu", i);
    }
    for (int c = 0; c < 256; c++) { /* blanks at the end are no damage to JSON */
        b.data[b.len - 1] = (char)c;
        cr_assert(
            eq(int, job_decode_manifest(b.data, b.len, &got, &e) == ERR_OK, c == '\n'),
            "last byte %02x", (unsigned)c);
        job_release(&got);
    }
    b.data[b.len - 1] = '\n';
    buf_putc(&b, '\n');
    cr_expect(eq(int, job_decode_manifest(b.data, b.len, &got, &e), ERR_REJECT));
    cr_expect(eq(ptr, got.key, NULL), "untouched");
    job_release(&j);
}

/* Bodies with a right checksum, as a careful forger would make them. */
#define BODY_OF(id, rest)                                                              \
    "{\"id\":\"" id "\",\"bytes\":0,\"sha256\":\"" EMPTY_SUM "\",\"priority\":0,"      \
    "\"max_attempts\":1,\"to\":\"d\",\"source\":\"spool\"" rest
#define BODY(rest) BODY_OF(ID, rest)
#define V ",\"v\":1"
#define KEY ",\"key\":\"k\""
#define CREATED ",\"created\":1"
static const struct {
    const char *body, *text; /* text NULL: accepted */
} manifests[] = {
    {BODY(V KEY CREATED), NULL},
    {BODY(V KEY CREATED ",\"batch\":\"" SAMPLE_BATCH "\""), NULL},
    {BODY(V KEY CREATED ",\"batch\":\"\""), "job: batch is not valid"},
    {BODY(V KEY CREATED ",\"batch\":\"../x\""), "job: batch is not valid"},
    {BODY(V KEY CREATED ",\"batch\":1"), "job: batch is not a text"},
    {BODY(V KEY CREATED ",\"crc32c\":\"00ff1234\""), NULL},
    {BODY(V KEY CREATED ",\"crc32c\":\"00FF1234\""), "job: crc32c is not valid"},
    {BODY(V KEY CREATED ",\"crc32c\":\"0ff1234\""), "job: crc32c is not valid"},
    {BODY(V KEY CREATED ",\"crc32c\":\"00ff12345\""), "job: crc32c is longer"},
    {BODY(V KEY CREATED ",\"new\":{\"a\":[1,2]}"), NULL},
    {BODY(V KEY CREATED ",\"state\":\"done\",\"token\":7"), NULL},
    {BODY(",\"v\":2" KEY CREATED), "job: version 2 is newer"},
    {BODY(KEY CREATED), "job: v is missing"},
    {BODY(V CREATED), "job: key is missing"},
    {BODY(V KEY), "job: created is missing"},
    {BODY(V ",\"key\":7" CREATED), "job: key is not a text"},
    {BODY(V ",\"key\":null" CREATED), "job: key is of the wrong type"},
    {BODY(V ",\"key\":\"/etc\"" CREATED), "job: key is not valid"},
    {BODY(V KEY ",\"created\":\"1\""), "job: created is not a number"},
    {BODY(V KEY ",\"created\":1.5"), "job: created is of the wrong type"},
    {BODY(V KEY ",\"created\":99999999999999999999"),
     "job: the manifest is not a JSON"},
    {BODY(V KEY CREATED ",\"key\":\"k\""), "job: the manifest is not a JSON"},
    {BODY(V KEY CREATED ",\"name\":\"a\\u0000b\""), "job: the manifest is not a JSON"},
    {BODY(V KEY CREATED ",\"name\":\"a\\nb\""), "job: name is not valid"},
    {BODY(V KEY CREATED ",\"meta\":[]"), "job: meta is not an object"},
    {BODY(V KEY CREATED ",\"meta\":{\"a\":1}"), "job: a meta value is not a text"},
    {BODY(V KEY CREATED ",\"meta\":{\"A\":\"x\"}"), "job: a meta name is not"},
    {BODY_OF("media", V KEY CREATED), "job: the id is not"},
    {BODY_OF("../x.0193c0de-7a1b-7c3d-9e4f-0123456789ab", V KEY CREATED),
     "job: the id is not"},
    {"{\"id\":1", "job: the id is not"},
    {"[1", "job: the manifest is not a JSON"},
    {"", "job: the manifest is not a JSON"},
};

Test(job_manifest, manifests_with_a_right_checksum_are_still_checked)
{
    for (size_t i = 0; i < COUNT(manifests); i++) {
        struct job j = JOB_INIT;
        struct err e = ERR_INIT;
        char hex[DIGEST_SHA256_HEX + 1];
        const char *body = manifests[i].body;
        CLEANUP(buf_release) struct buf b = BUF_INIT(JOB_RECORD_MAX);
        cr_assert(not(digest_sha256_hex(body, strlen(body), hex, &e)));
        buf_printf(&b, "%s,\"checksum\":\"%s\"}\n", body, hex);
        enum err_code want = manifests[i].text ? ERR_REJECT : ERR_OK;
        cr_expect(eq(int, job_decode_manifest(b.data, b.len, &j, &e), want), "%s: %s",
                  body, e.text);
        if (manifests[i].text)
            cr_expect(strncmp(e.text, manifests[i].text, strlen(manifests[i].text)) ==
                          0,
                      "%s: %s", body, e.text);
        job_release(&j);
    }
}

Test(job_manifest, what_could_not_be_read_back_is_not_written)
{
    struct job j = full_job();
    struct err e = ERR_INIT;
    CLEANUP(buf_release) struct buf b = BUF_INIT(JOB_RECORD_MAX);
    CLEANUP(buf_release) struct buf small = BUF_INIT(100);

    cr_expect(eq(int, job_encode_manifest(&j, &small, &e), ERR_NOMEM));
    j.max_attempts = 0;
    cr_expect(eq(int, job_encode_manifest(&j, &b, &e), ERR_REJECT));
    j.max_attempts = 1;
    free(j.to);
    j.to = NULL;
    cr_expect(eq(int, job_encode_manifest(&j, &b, &e), ERR_REJECT));
    cr_expect(eq(str, e.text, "job: to is missing"));
    j.to = strdup("d");
    j.id.queue[0] = '\0';
    cr_expect(eq(int, job_encode_manifest(&j, &b, &e), ERR_REJECT));
    memcpy(j.id.queue, "q", 2);
    cr_expect(not(job_encode_manifest(&j, &b, &e)), "%s", e.text);
    job_release(&j);
}
