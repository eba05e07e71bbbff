/* The cases of shared/. */
#include "tests/torture/units.h"

#include "shared/buf.h"
#include "shared/cleanup.h"
#include "shared/config.h"
#include "shared/digest.h"
#include "shared/job.h"
#include "shared/queue.h"
#include "shared/redis.h"
#include "shared/stamp.h"
#include "shared/tz.h"
#include "shared/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char manifest_head[] = "{\"v\":1,\"id\":\"media.0193c0de-7a1b-7c3d-9e4f-"
                                    "0123456789ab\",\"created\":1764000000123,";

/* ret: what it says, for people. */
static enum unit_end end_of(const struct err *e, char ret[static UNIT_TEXT])
{
    if (e->code == ERR_OK)
        return UNIT_DONE;
    (void)snprintf(ret, UNIT_TEXT, "%s", e->text);
    enum err_code code = e->code;
    return code == ERR_NOMEM || code == ERR_RETRY ? UNIT_REFUSED : UNIT_BLAMED;
}

static void keep(char ret[static UNIT_TEXT], const char *text)
{
    (void)snprintf(ret, UNIT_TEXT, "%s", text);
}

/* A job with everything that can be asked for. */
static enum err_code fill(struct job *j, struct err *e)
{
    static const char id[] = "media.0193c0de-7a1b-7c3d-9e4f-0123456789ab";

    if (!id_parse_job(id, strlen(id), &j->id))
        abort();
    j->created = 1764000000123;
    j->due = 1764000005000;
    j->priority = 3;
    j->max_attempts = 10;
    j->size = 5;
    j->source = strdup("spool");
    j->sha256 =
        strdup("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    j->to = strdup("default");
    j->group = strdup("g");
    if (!j->source || !j->sha256 || !j->to || !j->group)
        return err_set(e, ERR_NOMEM, "no memory");
    if (job_set_name(j,
                     "Gr\xc3\xbc\xc3\x9f"
                     "e.PDF",
                     10, e) ||
        job_set_type(j, "text/plain", 10, e) || job_set_key(j, "a/b c.pdf", 9, e) ||
        job_add_meta(j, "author", 6, "x & y", 5, e) ||
        job_add_meta(j, "empty", 5, "", 0, e))
        return e->code;
    return ERR_OK;
}

static enum unit_end manifest(char ret[static UNIT_TEXT])
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    CLEANUP(job_release) struct job back = JOB_INIT;
    CLEANUP(job_release) struct job copy = JOB_INIT;
    CLEANUP(buf_release) struct buf first = BUF_INIT(JOB_RECORD_MAX);
    CLEANUP(buf_release) struct buf again = BUF_INIT(JOB_RECORD_MAX);
    struct err e = ERR_INIT;

    if (fill(&j, &e) || job_check(&j, &e) || job_encode_manifest(&j, &first, &e) ||
        job_decode_manifest(first.data, first.len, &back, &e) ||
        job_copy(&back, &copy, &e) || job_encode_manifest(&copy, &again, &e))
        return end_of(&e, ret);
    keep(ret, again.data);
    return UNIT_DONE;
}

static enum unit_end damaged_manifest(char ret[static UNIT_TEXT])
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct err e = ERR_INIT;
    enum err_code code =
        job_decode_manifest(manifest_head, sizeof manifest_head - 1, &j, &e);

    /* It is refused in any case. */
    keep(ret, code == ERR_OK ? "taken" : "refused");
    return code == ERR_REJECT || code == ERR_NOMEM ? UNIT_DONE : UNIT_BLAMED;
}

struct fields {
    struct job job;
    struct err e;
};

static void take_field(const char *name, const char *value, void *ctx)
{
    struct fields *f = ctx;

    if (f->e.code == ERR_OK)
        (void)!job_decode_field(&f->job, name, value, strlen(value), &f->e);
}

static enum unit_end hash(char ret[static UNIT_TEXT])
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    struct fields f = {JOB_INIT, ERR_INIT};
    CLEANUP(buf_release) struct buf status = BUF_INIT(JOB_RECORD_MAX);
    enum unit_end end = UNIT_DONE;

    if (fill(&j, &f.e))
        return end_of(&f.e, ret);
    job_encode_hash(&j, take_field, &f);
    f.job.id = j.id;
    take_field("state", "waiting", &f);
    take_field("seq", "7", &f);
    take_field("attempts", "0", &f);
    if (f.e.code || job_decode_rest(&f.job, &f.e) || job_check(&f.job, &f.e))
        end = end_of(&f.e, ret);
    else if (!job_add_status(&status, &f.job))
        end = UNIT_REFUSED;
    else
        keep(ret, status.data);
    job_release(&f.job);
    return end;
}

static enum unit_end enqueue(char ret[static UNIT_TEXT])
{
    CLEANUP(job_release) struct job j = JOB_INIT;
    CLEANUP(redis_cmd_release) struct redis_cmd c;
    struct err e = ERR_INIT;

    redis_cmd_init(&c);
    if (fill(&j, &e))
        return end_of(&e, ret);
    queue_enqueue_one_cmd(&c, &j);
    redis_cmd_add_format(&c, "%s and %d more", "this", 7);
    redis_cmd_add_parts(&c, (const char *const[]){"a", "b", NULL});
    if (c.failed)
        return UNIT_REFUSED;
    (void)snprintf(ret, UNIT_TEXT, "%zu arguments: %.*s", c.count, (int)c.bytes.len,
                   c.bytes.data);
    return UNIT_DONE;
}

static enum unit_end target(char ret[static UNIT_TEXT])
{
    struct redis_target t = REDIS_TARGET_INIT;
    struct err e = ERR_INIT;
    enum err_code code =
        redis_target_parse("redis://us%20er:pass@example.org:7000/3", &t, &e);

    if (code == ERR_OK)
        keep(ret, t.password);
    redis_target_release(&t);
    return end_of(&e, ret);
}

static enum unit_end settings(char ret[static UNIT_TEXT])
{
    static const char text[] =
        "[redis]\nurl = redis://127.0.0.1:6379\n[spool]\ndir = /srv/spool\n"
        "[queue media]\nto = disk\nmax_bytes = 10M\n[destination disk]\nurl = "
        "file:///srv/x\n[destination s3]\nurl = s3://bucket/a\naccess_key = "
        "a\nsecret_key "
        "= b\n[command dump]\nrun = /bin/echo 'a b' c\n[schedule night]\ncron = 0 3 * "
        "* "
        "*\nsource = command:dump\n[worker]\nqueues = media:5, default\n";
    char concurrency[] = "HOIST_WORKER_CONCURRENCY=3";
    char secret[] = "HOIST_DESTINATION_S3_SECRET_KEY=hidden";
    char *const env[] = {concurrency, secret, NULL};
    CLEANUP(config_release) struct config c;
    struct err e = ERR_INIT;

    config_init(&c);
    if (config_parse(&c, "units.ini", text, env, &e))
        return end_of(&e, ret);
    (void)snprintf(ret, UNIT_TEXT, "%s %zu %zu %lld %s", c.spool.dir, c.queue_count,
                   c.destination_count, (long long)c.worker.concurrency,
                   c.schedules[0].cron);
    return UNIT_DONE;
}

static enum unit_end line(char ret[static UNIT_TEXT])
{
    struct words w = {.count = 0};
    struct err e = ERR_INIT;
    enum err_code code = words_split("one 'two three' \"four\\\" five\" six", &w, &e);

    if (code == ERR_OK)
        (void)snprintf(ret, UNIT_TEXT, "%zu %s|%s", w.count, w.argv[1], w.argv[2]);
    words_release(&w);
    return end_of(&e, ret);
}

static enum unit_end stamp(char ret[static UNIT_TEXT])
{
    static const char id[] = "0193c0de-7a1b-7c3d-9e4f-0123456789ab";
    CLEANUP(buf_release) struct buf name = BUF_INIT(1024);
    struct stamp s = {.ms = 1764000000123};
    struct err e = ERR_INIT;

    memcpy(s.id.text, id, sizeof id);
    if (stamp_expand("db/{yyyy}/{mm}/{dd}/{hh}{mi}-{id}.dump", &s, &name, &e))
        return end_of(&e, ret);
    keep(ret, name.data);
    return UNIT_DONE;
}

static enum unit_end zone(char ret[static UNIT_TEXT])
{
    struct tz tz = {0};
    struct err e = ERR_INIT;
    enum err_code code = tz_load("Europe/Berlin", &tz, &e);

    keep(ret, code == ERR_OK ? "loaded" : "");
    tz_release(&tz);
    return end_of(&e, ret);
}

static enum unit_end sums(char ret[static UNIT_TEXT])
{
    char hex[DIGEST_SHA256_HEX + 1];
    uint8_t mac[DIGEST_SHA256_BYTES];
    struct err e = ERR_INIT;

    if (digest_sha256_hex("hello", 5, hex, &e) ||
        digest_hmac_sha256((struct digest_span){"key", 3},
                           (struct digest_span){"data", 4}, mac, &e))
        return end_of(&e, ret);
    (void)snprintf(ret, UNIT_TEXT, "%s %02x", hex, mac[0]);
    return UNIT_DONE;
}

static enum unit_end text(char ret[static UNIT_TEXT])
{
    CLEANUP(buf_release) struct buf b = BUF_INIT(4096);
    bool all = true;

    for (int i = 0; i < 40; i++)
        all = buf_printf(&b, "%d ", i) && buf_add_json(&b, "a\"b\n", 4) &&
              buf_add_percent(&b, "a b", 3) && buf_add_int(&b, 77) && all;
    if (all == b.failed)
        return UNIT_BLAMED; /* it must say so, in both ways */
    keep(ret, b.failed ? "" : b.data);
    return b.failed ? UNIT_REFUSED : UNIT_DONE;
}

const struct unit_case units_of_shared[] = {
    {"job manifest", manifest},
    {"job manifest, damaged", damaged_manifest},
    {"job hash, status", hash},
    {"queue enqueue", enqueue},
    {"redis url", target},
    {"config", settings},
    {"words", line},
    {"stamp", stamp},
    {"time zone", zone},
    {"digests", sums},
    {"buf", text},
    {NULL, NULL},
};
