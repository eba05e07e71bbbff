/*
 * job: the hash in Redis and the status clients see.  What is written is read back, and what could not have been
 * written by us is refused by name.
 */
#include "tests/support/job_sample.h"

#include <stdio.h>

TestSuite(job_record, .timeout = 60);

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
    return job_decode_rest(j, e) ? e->code : job_check(j, e);
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

Test(job_record, what_most_jobs_have_is_left_out_and_comes_back)
{
    struct hash *h = calloc(1, sizeof *h);
    struct job want = full_job(), got = {.v = 1, .id = want.id};
    struct err e = ERR_INIT;
    char key[ID_UUID_LEN + 10];

    want.priority = 0;
    job_default_key(&want, key);
    cr_assert(not(job_set_key(&want, key, strlen(key), &e)));
    job_encode_hash(&want, keep, h);
    for (size_t i = 0; i < h->count; i++)
        cr_expect(strcmp(h->names[i], "v") && strcmp(h->names[i], "source") &&
                      strcmp(h->names[i], "priority") && strcmp(h->names[i], "key"),
                  "%s", h->names[i]);
    keep("state", "waiting", h);
    cr_assert(not(decode(h, &got, &e)), "%s", e.text);
    expect_same(&want, &got);
    job_release(&want);
    job_release(&got);
    free(h);
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

/* A job whose bytes a command is to write. */
static struct job command_job(void)
{
    struct job j = full_job();

    free(j.source);
    free(j.sha256);
    free(j.crc32c);
    j.source = strdup("command:backup");
    j.schedule = strdup("nightly");
    j.sha256 = j.crc32c = NULL;
    j.size = 0;
    return j;
}

Test(job_record, size_and_sum_of_a_commands_output_are_not_known_before_it_has_arrived)
{
    struct hash *h = calloc(1, sizeof *h);
    struct job want = command_job(), got = {.v = 1, .id = want.id};
    struct err e = ERR_INIT;
    CLEANUP(buf_release) struct buf b = BUF_INIT(JOB_RECORD_MAX);

    job_encode_hash(&want, keep, h);
    for (size_t i = 0; i < h->count; i++)
        cr_expect(strcmp(h->names[i], "bytes") && strcmp(h->names[i], "sha256"), "%s",
                  h->names[i]);
    keep("state", "waiting", h);
    keep("sent", "77", h);
    cr_assert(not(decode(h, &got, &e)), "%s", e.text);
    cr_expect(eq(str, got.source, "command:backup"));
    cr_expect(eq(str, (char *)job_source_command(&got), "backup"));
    cr_expect(not(job_is_spooled(&got)));
    cr_expect(eq(str, got.schedule, "nightly"));
    cr_expect(eq(i64, got.sent, 77), "more than a size that is not known");
    cr_assert(job_add_status(&b, &got));
    cr_expect(eq(ptr, strstr(b.data, "\"size\""), NULL), "%s", b.data);
    cr_expect(ne(ptr, strstr(b.data, "\"schedule\":\"nightly\""), NULL), "%s", b.data);
    job_release(&want);
    job_release(&got);
    free(h);
}

Test(job_record, what_finish_wrote_of_a_commands_output_is_read)
{
    struct hash *h = calloc(1, sizeof *h);
    struct job want = command_job(), got = {.v = 1, .id = want.id};
    struct err e = ERR_INIT;
    CLEANUP(buf_release) struct buf b = BUF_INIT(JOB_RECORD_MAX);

    job_encode_hash(&want, keep, h);
    keep("state", "done", h);
    keep("ended", "1764000009000", h);
    keep("sent", "77", h);
    keep("bytes", "77", h);
    keep("sha256", EMPTY_SUM, h);
    cr_assert(not(decode(h, &got, &e)), "%s", e.text);
    cr_expect(eq(i64, got.sent, 77));
    cr_assert(job_add_status(&b, &got));
    cr_expect(ne(ptr, strstr(b.data, "\"size\":77"), NULL), "%s", b.data);
    job_release(&want);
    job_release(&got);
    free(h);
}

Test(job_record, a_hash_from_before_there_were_batches_or_checksums_is_read)
{
    struct hash *h = stored_hash();
    struct job got = JOB_INIT;
    struct err e = ERR_INIT;

    for (size_t i = 0; i < h->count; i++)
        if (strcmp(h->names[i], "batch") != 0 && strcmp(h->names[i], "crc32c") != 0)
            cr_assert(not(job_decode_field(&got, h->names[i], h->values[i],
                                           strlen(h->values[i]), &e)),
                      "%s", e.text);
    cr_assert(not(job_decode_rest(&got, &e)));
    cr_assert(not(job_check(&got, &e)), "%s", e.text);
    cr_expect(eq(ptr, got.batch, NULL));
    cr_expect(eq(ptr, got.crc32c, NULL));
    job_release(&got);
    free(h);
}

/* One field of a stored hash replaced (or, with NULL, removed): refused, with a text that names it. */
static const struct {
    const char *name, *value, *text;
} impossible[] = {
    {"v", "2", "job: version 2 is newer than this program knows"},
    {"v", "0", "job: v is not a number"},
    {"v", "one", "job: v is not a number"},
    {"state", "accepted", "job: state is not a known state"},
    {"state", "flying", "job: state is not a known state"},
    {"state", "", "job: state is not a known state"},
    {"state", NULL, "job: state is missing"},
    {"state", "running", "job: state is running without worker"},
    {"state", "scheduled", "job: state is scheduled without due"},
    {"state", "done", "job: state is done without ended"},
    {"state", "dead", "job: state is dead without ended"},
    {"priority", "10", "job: priority is not a number from 0 to 9"},
    {"priority", "-1", "job: priority is not a number from 0 to 9"},
    {"priority", "1.5", "job: priority is not a number from 0 to 9"},
    {"priority", "", "job: priority is not a number from 0 to 9"},
    {"priority", " 1", "job: priority is not a number from 0 to 9"},
    {"priority", "99999999999999999999", "job: priority is not a number from 0 to 9"},
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
    {"cancel", "2", "job: cancel is not a number from 0 to 1"},
    {"sha256", "abc", "job: sha256 is not valid"},
    {"crc32c", "1234567", "job: crc32c is not valid"},
    {"crc32c", "1234567G", "job: crc32c is not valid"},
    {"crc32c", "", "job: crc32c is not valid"},
    {"sha256", NULL, "job: sha256 is missing"},
    {"sha256", "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
     "job: sha256 is not valid"},
    {"key", "../../etc/passwd", "job: key is not valid"},
    {"key", "", "job: key is not valid"},
    {"to", "a b", "job: to is not valid"},
    {"to", "a234567890123456789012345678901234", "job: to is not valid"},
    {"to", "a, b", "job: to is not valid"},
    {"to", "a,b,a", "job: to is not valid"},
    {"arrived.", "x", "job: arrived. is not valid"},
    {"arrived.a b", "x", "job: arrived.a b is not valid"},
    {"arrived.a", "x\ny", "job: arrived.a has no valid address"},
    {"to", NULL, "job: to is missing"},
    {"name", "a/b", "job: name is not valid"},
    {"name", "..", "job: name is not valid"},
    {"name", "\xff", "job: name is not valid"},
    {"name", "a\nb", "job: name is not valid"},
    {"type", "nonsense", "job: type is not valid"},
    {"source", "teapot", "job: source is not valid"},
    {"source", "command:", "job: source is not valid"},
    {"source", "command:A b", "job: source is not valid"},
    {"schedule", "../x", "job: schedule is not valid"},
    {"worker", "a b", "job: worker is not valid"},
    {"error_class", "two words", "job: error_class is not valid"},
    {"url", "a\nb", "job: url is not valid"},
    {"etag", "\x01", "job: etag is not valid"},
    {"batch", "", "job: batch is not valid"},
    {"batch", SAMPLE_ID, "job: batch is longer than 36 bytes"},
    {"batch", "0193c0de-7a1b-4c3d-9e4f-0123456789ab", "job: batch is not valid"},
    {"batch", "0193C0DE-7A1B-7C3D-9E4F-0123456789AB", "job: batch is not valid"},
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
    char text[JOB_ERROR_MAX + 100];

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
    j.worker = strdup("secret-host-1");
    j.error = strdup("503 \"slow\"");
    j.error_class = strdup("server");
    cr_assert(job_add_status(&b, &j));
    cr_expect(eq(str, b.data,
                 "{\"id\":\"" ID "\",\"queue\":\"media\",\"batch\":\"" SAMPLE_BATCH
                 "\","
                 "\"name\":\"Grüße \\\"1\\\" \\u003cb\\u003e.PDF\","
                 "\"type\":\"text/plain; charset=\\\"utf-8\\\"\",\"size\":4096,"
                 "\"sha256\":\"" EMPTY_SUM
                 "\",\"crc32c\":\"00000000\",\"state\":\"running\",\"priority\":3,"
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
