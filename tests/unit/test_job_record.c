/*
 * job: the stored forms.  What is written is read back, and what could not have been written by us is refused by name.
 */
#include "shared/digest.h"
#include "tests/support/job_sample.h"

#include <stdio.h>

TestSuite(job_record, .timeout = 30);

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define ID SAMPLE_ID
#define FFFD "\xef\xbf\xbd"

/* --- Redis hash --- */

struct hash {
    char names[64][96], values[64][JOB_META_BYTES + 1];
    size_t count;
};

static void keep(const char *name, const char *value, void *ctx)
{
    struct hash *h = ctx;

    cr_assert(h->count < COUNT(h->names));
    snprintf(h->names[h->count], sizeof h->names[0], "%s", name);
    snprintf(h->values[h->count++], sizeof h->values[0], "%s", value);
}

static enum err_code decode(const struct hash *h, struct job *j, struct err *e)
{
    for (size_t i = 0; i < h->count; i++)
        if (job_decode_field(j, h->names[i], h->values[i], strlen(h->values[i]), e))
            return e->code;
    return job_check(j, e);
}

/* The hash of full_job() as the enqueue script leaves it. */
static struct hash *stored_hash(void)
{
    struct hash *h = calloc(1, sizeof *h);
    struct job j = full_job();

    job_encode_hash(&j, keep, h);
    keep("state", "waiting", h);
    keep("seq", "17", h);
    job_release(&j);
    return h;
}

Test(job_record, a_hash_gives_the_job_back)
{
    struct hash *h = stored_hash();
    struct job want = full_job(), got = JOB_INIT;
    struct err e = ERR_INIT;

    for (size_t i = 0; i < h->count; i++)
        cr_expect(ne(str, h->names[i], "due"), "due is the script's");
    keep("from_the_future", "\xff\x00", h);
    cr_assert(not(decode(h, &got, &e)), "%s", e.text);
    expect_same(&want, &got);
    cr_expect(eq(int, got.state, JOB_WAITING));
    cr_expect(eq(i64, got.seq, 17));
    job_release(&want);
    job_release(&got);
    free(h);
}

/* One field of a stored hash replaced (or, with NULL, removed): refused, with a text that names it. */
static const struct {
    const char *name, *value, *text;
} impossible[] = {
    {"v", "2", "job: version 2 is newer than this program knows"},
    {"v", "0", "job: v is not a number"},
    {"v", NULL, "job: v is missing"},
    {"v", "one", "job: v is not a number"},
    {"state", "accepted", "job: state is not a known state"},
    {"state", "flying", "job: state is not a known state"},
    {"state", "", "job: state is not a known state"},
    {"state", NULL, "job: state is missing"},
    {"state", "running", "job: state is running without worker and token"},
    {"state", "scheduled", "job: state is scheduled without due"},
    {"state", "done", "job: state is done without ended"},
    {"state", "dead", "job: state is dead without ended"},
    {"priority", "10", "job: priority is not a number from 0 to 9"},
    {"priority", "-1", "job: priority is not a number from 0 to 9"},
    {"priority", "1.5", "job: priority is not a number from 0 to 9"},
    {"priority", "", "job: priority is not a number from 0 to 9"},
    {"priority", " 1", "job: priority is not a number from 0 to 9"},
    {"priority", "99999999999999999999", "job: priority is not a number from 0 to 9"},
    {"priority", NULL, "job: priority is missing"},
    {"bytes", "-1", "job: bytes is not a number"},
    {"bytes", "1e3", "job: bytes is not a number"},
    {"bytes", "999999999999999999", "job: bytes is not a number"},
    {"bytes", NULL, "job: bytes is missing"},
    {"sent", "4097", "job: sent is more than bytes"},
    {"seq", "35184372088832", "job: seq is not a number"},
    {"created", "0", "job: created is not a number"},
    {"created", "253402300800000", "job: created is not a number"},
    {"created", NULL, "job: created is missing"},
    {"max_attempts", "0", "job: max_attempts is not a number from 1 to 1000"},
    {"max_attempts", "1001", "job: max_attempts is not a number from 1 to 1000"},
    {"max_attempts", NULL, "job: max_attempts is missing"},
    {"attempts", "x", "job: attempts is not a number"},
    {"crashes", "-3", "job: crashes is not a number"},
    {"token", "0x10", "job: token is not a number"},
    {"cancel", "2", "job: cancel is not a number from 0 to 1"},
    {"sha256", "abc", "job: sha256 is not valid"},
    {"sha256", NULL, "job: sha256 is missing"},
    {"sha256", "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
     "job: sha256 is not valid"},
    {"key", "../../etc/passwd", "job: key is not valid"},
    {"key", "", "job: key is not valid"},
    {"key", NULL, "job: key is missing"},
    {"to", "a b", "job: to is not valid"},
    {"to", "a234567890123456789012345678901234", "job: to is longer than 32 bytes"},
    {"to", NULL, "job: to is missing"},
    {"name", "a/b", "job: name is not valid"},
    {"name", "..", "job: name is not valid"},
    {"name", "\xff", "job: name is not valid"},
    {"name", "a\nb", "job: name is not valid"},
    {"type", "nonsense", "job: type is not valid"},
    {"source", "teapot", "job: source is not known"},
    {"source", NULL, "job: source is missing"},
    {"worker", "a b", "job: worker is not valid"},
    {"error_class", "two words", "job: error_class is not valid"},
    {"url", "a\nb", "job: url is not valid"},
    {"etag", "\x01", "job: etag is not valid"},
    {"meta.B", "x", "job: a meta name is not"},
    {"meta.", "x", "job: a meta name is not"},
    {"meta.author", "a\nb", "job: meta.author is not UTF-8"},
};

Test(job_record, impossible_fields_of_a_hash_are_refused_by_name)
{
    for (size_t i = 0; i < COUNT(impossible); i++) {
        struct hash *all = stored_hash(), *h = calloc(1, sizeof *h);
        struct job j = JOB_INIT;
        struct err e = ERR_INIT;
        for (size_t k = 0; k < all->count; k++)
            if (strcmp(all->names[k], impossible[i].name) != 0)
                keep(all->names[k], all->values[k], h);
        if (impossible[i].value)
            keep(impossible[i].name, impossible[i].value, h);
        cr_expect(eq(int, decode(h, &j, &e), ERR_REJECT), "%s=%s", impossible[i].name,
                  impossible[i].value);
        cr_expect(strncmp(e.text, impossible[i].text, strlen(impossible[i].text)) == 0,
                  "%s=%s: %s", impossible[i].name, impossible[i].value, e.text);
        job_release(&j);
        free(all);
        free(h);
    }
}

Test(job_record, a_field_given_twice_or_holding_a_nul_is_refused)
{
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;

    cr_expect(not(job_decode_field(&j, "key", "a", 1, &e)));
    cr_expect(eq(int, job_decode_field(&j, "key", "a", 1, &e), ERR_REJECT));
    cr_expect(eq(str, e.text, "job: key is given twice"));
    cr_expect(eq(int, job_decode_field(&j, "to", "a\0b", 3, &e), ERR_REJECT));
    cr_expect(eq(int, job_decode_field(&j, "priority", "1\0", 2, &e), ERR_REJECT));
    job_release(&j);
}

Test(job_record, what_the_store_said_is_made_harmless_rather_than_refused)
{
    struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    char text[1000];

    memset(text, 'x', sizeof text);
    cr_expect(not(job_decode_field(&j, "error", "a\xff\r\nb", 5, &e)));
    cr_expect(eq(str, j.error, "a" FFFD "__b"));
    j.seen = 0;
    cr_expect(not(job_decode_field(&j, "error", text, sizeof text, &e)));
    cr_expect(eq(sz, strlen(j.error), JOB_ERROR_MAX));
    cr_expect(not(job_decode_field(&j, "worker", "", 0, &e)));
    cr_expect(eq(ptr, j.worker, NULL), "an emptied result is not set");
    job_release(&j);
}

/* --- Manifest --- */

Test(job_record, a_manifest_gives_the_job_back)
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

Test(job_record, a_manifest_holds_only_what_was_asked_for)
{
    struct job want = full_job(), got = JOB_INIT;
    struct err e = ERR_INIT;
    CLEANUP(buf_release) struct buf b = BUF_INIT(JOB_RECORD_MAX);

    want.state = JOB_RUNNING;
    want.attempts = 3;
    want.token = 9;
    want.sent = 12;
    want.worker = strdup("w1");
    cr_assert(not(job_encode_manifest(&want, &b, &e)), "%s", e.text);
    cr_assert(not(job_decode_manifest(b.data, b.len, &got, &e)), "%s", e.text);
    cr_expect(got.state == JOB_ACCEPTED && got.attempts == 0 && got.token == 0 &&
              got.sent == 0 && !got.worker);
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

Test(job_record, the_longest_record_fits_its_limit)
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

Test(job_record, damage_of_any_byte_of_a_manifest_is_seen)
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

Test(job_record, manifests_with_a_right_checksum_are_still_checked)
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

Test(job_record, what_could_not_be_read_back_is_not_written)
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

/* --- Status --- */

Test(job_record, status_tells_clients_what_is_theirs_to_know)
{
    struct job j = full_job();
    CLEANUP(buf_release) struct buf b = BUF_INIT(JOB_RECORD_MAX);

    j.due = 0;
    j.state = JOB_RUNNING;
    j.attempts = 2;
    j.sent = 1024;
    j.cancel = true;
    j.started = 1764000001000;
    j.token = 99;
    j.worker = strdup("secret-host-1");
    j.error = strdup("503 \"slow\"");
    j.error_class = strdup("server");
    cr_assert(job_add_status(&b, &j));
    cr_expect(eq(str, b.data,
                 "{\"id\":\"" ID "\",\"queue\":\"media\","
                 "\"name\":\"Grüße \\\"1\\\" \\u003cb\\u003e.PDF\","
                 "\"type\":\"text/plain; charset=\\\"utf-8\\\"\",\"size\":4096,"
                 "\"sha256\":\"" EMPTY_SUM "\",\"state\":\"running\",\"priority\":3,"
                 "\"attempts\":2,\"max_attempts\":10,\"sent\":1024,\"to\":\"default\","
                 "\"key\":\"a/b c.pdf\",\"created\":\"2025-11-24T16:00:00.123Z\","
                 "\"started\":\"2025-11-24T16:00:01.000Z\",\"cancelling\":true,"
                 "\"error\":{\"class\":\"server\",\"text\":\"503 \\\"slow\\\"\"},"
                 "\"url\":\"/v1/jobs/" ID "\"}"));
    job_release(&j);
}

Test(job_record, status_of_a_done_job_shows_the_result_and_no_old_error)
{
    struct job j = full_job();
    CLEANUP(buf_release) struct buf b = BUF_INIT(JOB_RECORD_MAX);
    CLEANUP(buf_release) struct buf small = BUF_INIT(64);

    j.state = JOB_DONE;
    j.cancel = true;
    j.error = strdup("old");
    j.url = strdup("s3://b/k");
    j.etag = strdup("\"e\"");
    cr_assert(job_add_status(&b, &j));
    cr_expect(
        ne(ptr,
           strstr(b.data, ",\"result\":{\"url\":\"s3://b/k\",\"etag\":\"\\\"e\\\"\"},"),
           NULL));
    cr_expect(not(strstr(b.data, "old") || strstr(b.data, "cancelling")));
    cr_expect(not(job_add_status(&small, &j)));
    job_release(&j);
}
